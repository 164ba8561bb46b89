/**
 * How Bayesian networks do in few bits: accuracy, likelihood and AUROC (mutual information, MNIST against Fashion-MNIST) of the moments
 * twin, and the bytes of constants, by scheme, bits, granularity and clip. Makes the tables of docs/bayesian.md.
 *
 *   node --import ./scripts/typescript.mjs scripts/posterior-table.ts mlp FILE.safetensors [--images 5000] [--all]
 *
 * One module makes all rows: its weights are inputs, so that it is compiled once. `--all`: also 4 bits with every granularity and clip.
 * The data sets are found as the tests find them (SIGMAFLOW_MNIST, SIGMAFLOW_FASHION).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build, runPasses } from '../codegen/compile.js';
import type { Graph } from '../codegen/ir/graph.js';
import { infer } from '../codegen/passes/infer.js';
import { weightMoments } from '../codegen/passes/twins/decodePosterior.js';
import { quantizePosterior, type PosteriorQuantization } from '../codegen/passes/twins/quantizePosterior.js';
import { makeTwin } from '../codegen/passes/twins/twin.js';
import { targets } from '../codegen/targets/target.js';
import { compile, modelGraph } from '../sdk/compile.js';
import { accuracy, auroc, negativeLogLikelihood } from '../sdk/metrics/index.js';
import { architectures } from '../sdk/model/architectures.js';
import { loadSync } from '../sdk/runtime/index.js';
import { dataset, normalized } from '../test/support/datasets.js';

const batch = 100;
const schemes = ['vpq', 'spq', 'jq'] as const;

/** Images by Fashion-MNIST's own statistics: how published figures see it, though no network is told so. */
const ownStatistics = (images: Uint8Array): Float32Array => Float32Array.from(images, (pixel) => (pixel / 255 - 0.286) / 0.353);

/** The moments twin with every random weight's mean and variance as inputs, and the names of both. */
function open(graph: Graph): { readonly twin: Graph; readonly names: Map<string, readonly [mean: string, variance: string]> } {
  const { graph: twin } = makeTwin(infer(graph, { batch }));
  const names = new Map<string, readonly [string, string]>();
  const constants = { ...twin.constants };
  for (const [name, { deviation }] of Object.entries(graph.posteriors!)) {
    const variance = Object.keys(constants).find((c) => c.startsWith(`${name}.`) && constants[c].data.every((v, i) => v === Math.fround(deviation.data[i] ** 2)));
    if (variance === undefined || constants[variance].data.length !== deviation.data.length) throw new Error(`the twin has no variance of ${name}`);
    names.set(name, [name, variance]);
    delete constants[name];
    delete constants[variance];
  }
  return { twin: { ...twin, constants, inputs: [...twin.inputs, ...[...names.values()].flat()] }, names };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { images: { type: 'string', default: '5000' }, all: { type: 'boolean', default: false } } });
  const [name, file] = positionals;
  const [digits, clothes] = [dataset('mnist'), dataset('fashion')];
  if (!file || !digits || !clothes) throw new Error('usage: posterior-table.ts mlp|lenet5 FILE.safetensors [--images 5000] [--all], with both data sets');
  const count = Number(values.images);
  const part = (images: Uint8Array): Uint8Array => images.subarray(0, count * 784);
  const sets = [normalized(part(digits.images)), normalized(part(clothes.images)), ownStatistics(part(clothes.images))];
  const graph = infer(modelGraph(architectures[name](), { posterior: new Uint8Array(readFileSync(file)) }));
  const { twin, names } = open(graph);
  const model = loadSync((await compile(twin)).wasm);

  const row = (label: string, weights: Graph, bytes: string): void => {
    const given = Object.fromEntries([...names].flatMap(([weight, [mean, variance]]) => {
      const found = weightMoments(weights, weight);
      return [[mean, found.mean.data as Float32Array], [variance, found.variance.data as Float32Array]];
    }));
    const results = sets.map((images) => {
      const [probabilities, information] = [new Float32Array(count * 10), new Float32Array(count)];
      for (let i = 0; i < count; i += batch) {
        const out = model.run({ ...given, input: images.subarray(i * 784, (i + batch) * 784) }) as unknown as Record<string, { data: Float32Array }>;
        probabilities.set(out.probabilities.data, i * 10);
        information.set(out.mutualInformation.data, i);
      }
      return { probabilities, information };
    });
    const labels = digits.labels.subarray(0, count);
    const detected = results.slice(1).map((r) => auroc(results[0].information, r.information).toFixed(3));
    const information = results[0].information.reduce((a, b) => a + b, 0) / count;
    console.log(`| ${label} | ${(100 * accuracy(results[0].probabilities, labels, 10)).toFixed(2)} | ${negativeLogLikelihood(results[0].probabilities, labels, 10).toFixed(3)} | ${information.toFixed(3)} | ${detected.join(' | ')} | ${bytes} |`);
  };
  const bytesOf = (quantization?: PosteriorQuantization): string => {
    const { program } = build(runPasses(graph, 1, { quantizePosterior: quantization }), targets.simd128);
    const constants = Object.values(program.buffers).reduce((sum, b) => sum + (b.hash === undefined ? 0 : b.bytes), 0);
    return `${constants} | ${program.arenaBytes}`;
  };

  console.log(`${name}, ${count} images of each set\n\n| | accuracy | NLL | MI | AUROC | own statistics | constants | arena |\n|---|---|---|---|---|---|---|---|`);
  row('float32', graph, bytesOf());
  const best = { granularity: 'channel', clip: 'mse' } as const;
  const plain = { granularity: 'tensor', clip: 'max' } as const;
  for (const scheme of schemes) {
    for (const bits of [8, 6, 4, 3, 2]) for (const kind of [best, plain]) {
      const options = { scheme, bits, ...kind };
      row(`${scheme} ${bits}, ${kind.granularity}, ${kind.clip}`, quantizePosterior(graph, options), kind === best ? bytesOf(options) : ' | ');
    }
    const others = [['channel', 'max'], ['tensor', 'mse'], ['channel', { percentile: 99.5 }], ['tensor', { percentile: 99.5 }]] as const;
    for (const [granularity, clip] of values.all ? others : []) {
      row(`${scheme} 4, ${granularity}, ${typeof clip === 'string' ? clip : `${clip.percentile} %`}`, quantizePosterior(graph, { scheme, bits: 4, granularity, clip }), ' | ');
    }
  }
}

await main();
