/**
 * Local reparameterization: outputs of dense layers drawn by hand in float64, their moments against the twin that draws weights, and
 * what holds for its bits. The twin itself: sample.test.ts.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../../codegen/compile.js';
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { readSafetensors } from '../../../codegen/import/safetensors.js';
import { applyPosterior } from '../../../codegen/import/posterior.js';
import { referenceNormal, referencePhilox } from '../../../codegen/ops/randomreference.js';
import { infer } from '../../../codegen/passes/infer.js';
import { makeTwin } from '../../../codegen/passes/twins/twin.js';
import { targets } from '../../../codegen/targets/target.js';
import type { Options } from '../../../sdk/compile.js';
import { readNpz } from '../../../sdk/data/npy.js';
import { toolchain } from '../../../sdk/host/assembler.js';
import { architectures } from '../../../sdk/model/architectures.js';
import { convolution, dense, flatten, maxPool, relu, softmax } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { compareScheduled, lowerCase, runOnEmitters } from '../../ops/harness.js';
import { GraphBuilder } from '../../support/graphs.js';
import { hostFor } from '../../support/hosts.js';
import { refuses } from '../../support/refuses.js';
import { sharedFile } from '../../support/shared.js';
import { classifier, drawn, runner as runTwin, weights, x } from './drawn.js';

const images = network({
  name: 'images', input: [2, 6, 7],
  layers: [convolution(5, 3, { padding: 1, weight: weights(90), bias: weights(5) }), relu(), maxPool(2), flatten(), dense(6, { weight: weights(270), bias: drawn(6, -1, 1) }), relu(), dense(3, { weight: weights(18), bias: weights(3) }), softmax()],
});
const local = { twin: 'sample', localReparameterization: true } as const;

const runner = (graph: Graph, options: Options = {}) => runTwin(graph, { ...local, ...options });

/** The normal number of a place of the counter, in float64. */
const normal = (element: number, image: number, sample: number, stream: number, seed: readonly number[]): number => referenceNormal(referencePhilox([element, image, sample, stream], seed)[3]);

test('each output of a dense layer is one normal number with the moments that its weights give, of the weight\'s stream', async () => {
  const [samples, n, seed, batchOffset] = [4, 3, [12345, 99], 5];
  const input = x(n);
  const { draws } = (await runner(classifier, { batch: n, maxSamples: samples }))(input, { samples, seed, batchOffset });
  const names = Object.keys(classifier.posteriors!).sort();
  for (let s = 0; s < samples; s++) {
    for (let i = 0; i < n; i++) {
      const layer = (values: readonly number[], name: string, outputs: number): number[] => {
        const [m, mb] = [classifier.constants[`${name}.weight`].data, classifier.constants[`${name}.bias`].data];
        const [d, db] = [classifier.posteriors![`${name}.weight`].deviation.data, classifier.posteriors![`${name}.bias`].deviation.data];
        return Array.from({ length: outputs }, (_, o) => {
          const mean = values.reduce((sum, v, k) => sum + v * m[o * values.length + k], mb[o]);
          const variance = values.reduce((sum, v, k) => sum + (v * d[o * values.length + k]) ** 2, db[o] ** 2);
          return mean + Math.sqrt(variance) * normal(o, batchOffset + i, s, names.indexOf(`${name}.weight`), seed);
        });
      };
      const logits = layer(layer([...input.subarray(3 * i, 3 * i + 3)], 'b', 7).map((v) => Math.max(v, 0)), 'a', 4);
      logits.forEach((v, c) => assert.ok(Math.abs(draws[(i * samples + s) * 4 + c] - v) < 1e-5, `sample ${s}, input ${i}, class ${c}: ${draws[(i * samples + s) * 4 + c]} and ${v}`));
    }
  }
});

/** 5 standard errors of a mean, and of a variance of numbers whose fourth moment is at most 6 variances squared. */
function compareMoments(a: Record<string, Float32Array>, b: Record<string, Float32Array>, count: number): void {
  a.mean.forEach((m, c) => {
    const [v, w] = [a.variance[c], b.variance[c]];
    assert.ok(Math.abs(m - b.mean[c]) < 5 * Math.sqrt((v + w) / count), `mean ${c}: ${m} and ${b.mean[c]}`);
    assert.ok(Math.abs(v / w - 1) < 5 * Math.sqrt(10 / count), `variance ${c}: ${v} and ${w}`);
  });
}

test('mean and variance of the outputs are those of drawn weights, in dense networks and behind convolutions', async () => {
  for (const [graph, size] of [[classifier, 3], [images, 84]] as const) {
    const [byOutputs, byWeights] = await Promise.all([true, false].map(async (localReparameterization) => (await runner(graph, { localReparameterization, maxSamples: 0 }))(x(1, size), { samples: 20000, seed: 4 })));
    compareMoments(byOutputs, byWeights, 20000);
  }
});

test('dense layers draw one number an output, all else one a weight; what is certain draws none', () => {
  const shapes = (graph: Graph, batch: number): string[] =>
    makeTwin(infer(graph, { batch }), local).graph.nodes.filter((n) => n.op === 'RandomNormal').map((n) => `${(n.attributes.shape as number[]).join('x')}${n.attributes.perImage ? ' per image' : ''}`);
  assert.equal(shapes(classifier, 2), ['2x7 per image', '2x4 per image']);
  assert.equal(shapes(images, 1), ['5x2x3x3', '5', '1x6 per image', '1x3 per image']);
  // A weight that two layers share, and rows that are no inferences, take drawn weights.
  const g = new GraphBuilder();
  const w = g.constant('w', [3, 3], new Array<number>(9).fill(1));
  const twice = g.node('MatMul', [g.node('MatMul', [g.input('x', [1, 3]), w]), w]);
  const rows = g.node('MatMul', [g.node('Reshape', [twice, g.constant('shape', [2], [3, 1], 'int32')]), g.constant('v', [1, 2], [1, 2])]);
  const last = g.node('MatMul', [g.node('Reshape', [rows, g.constant('back', [2], [1, 6], 'int32')]), g.constant('u', [6, 2], new Array<number>(12).fill(1))]);
  const deviation = (shape: number[]) => ({ deviation: makeConstant('float32', shape, new Float32Array(shape[0] * shape[1]).fill(1)) });
  assert.equal(shapes({ ...g.build(last), posteriors: { w: deviation([3, 3]), v: deviation([1, 2]), u: deviation([6, 2]) } }, 1), ['3x3', '1x2', '1x2 per image']);
});

test('the same bits in any batch; more samples go on where fewer end', async () => {
  for (const [graph, size] of [[classifier, 3], [images, 84]] as const) {
    const input = x(7, size);
    const [one, three, seven] = await Promise.all([1, 3, 7].map(async (batch) => (await runner(graph, { batch }))(input, { samples: 3, seed: 2 ** 40 + 1 })));
    assert.equal(three, one);
    assert.equal(seven, one);
    const run = await runner(graph, { maxSamples: 4 });
    const [two, four] = [2, 4].map((samples) => run(x(1, size), { samples, seed: 3 }).draws);
    assert.equal([...four.subarray(0, two.length / 2)], [...two.subarray(0, two.length / 2)]);
  }
});

for (const target of Object.values(targets)) {
  test(`${target.name}: the bits of the lowered Program`, async () => {
    const cases = ([[classifier, 3, 2], [images, 84, 1]] as const).map(([graph, size, batch]) =>
      lowerCase({ name: graph.name, graph: runPasses(graph, batch, { ...local, maxSamples: 2 }), inputs: { input: x(batch, size), samples: [3], seed: [5, 6], batchOffset: [7] } }));
    for (const c of cases) compareScheduled(c, target);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters(cases, target, toolchain(), host), []);
  });
}

test('refusals', () => {
  const twin = (graph: Graph, options: Options) => () => makeTwin(infer(graph), options);
  refuses(twin(classifier, { localReparameterization: true }), 'error [graph/posterior] localReparameterization: it is a way of drawing, and nothing is drawn here\n  Take the twin "sample", or leave it away.');
  const pixels = network({ name: 'pixels', input: [1, 4, 4], layers: [convolution(2, 3, { weight: weights(18) })] });
  refuses(twin(pixels, local), 'error [graph/posterior] pixels: no dense layer has random weights of its own, so none can be drawn by its outputs\n  Leave localReparameterization away.');
});

const published = sharedFile('bnn/mlp_posterior.safetensors');
const answers = sharedFile('bnn/mlp_golden_pfp.npz');
if (published && answers) {
  test('the published 784-100-100-10: 20,000 draws against the probabilistic forward pass and 2,000 draws of weights', async () => {
    const graph = applyPosterior(architectures.mlp(), readSafetensors(published), { all: true });
    const golden = readNpz(answers);
    const input = (golden.x_mnist.data as Float32Array).slice(0, 8 * 784);
    const found = (await runner(graph, { batch: 8, maxSamples: 0 }))(input, { samples: 20000, seed: 1 });
    const weightsDrawn = (await runner(graph, { batch: 8, maxSamples: 0, localReparameterization: false }))(input, { samples: 2000, seed: 1 });
    const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
    const ratios = [...found.variance].map((v, i) => v / weightsDrawn.variance[i]);
    assert.ok(Math.abs(median(ratios) - 1) < 0.02 && ratios.every((r) => Math.abs(r - 1) < 5 * Math.sqrt(5 / 2000)), `variances: median ${median(ratios)}, ${Math.min(...ratios)} to ${Math.max(...ratios)} of those of drawn weights`);
    found.mean.forEach((m, i) => assert.ok(Math.abs(m - weightsDrawn.mean[i]) < 5 * Math.sqrt(weightsDrawn.variance[i] * (1 / 2000 + 1 / 20000)), `mean ${i}`));
    const errors = [...found.mean].map((m, i) => Math.abs(m - Number(golden.mean_mnist.data[i])) / Math.sqrt(found.variance[i]));
    assert.ok(Math.max(...errors) < 0.1, `largest error ${Math.max(...errors)}`);
  });
}

test.run();
