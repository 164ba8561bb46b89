/**
 * The twin that draws weights: against weights drawn by hand in float64, against the moments of a published network, and what must
 * hold for its bits: engines, batches, threads, numbers of samples.
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
import { compile } from '../../../sdk/compile.js';
import { readNpz } from '../../../sdk/data/npy.js';
import { createPool } from '../../../sdk/host/pool.node.js';
import { toolchain } from '../../../sdk/host/assembler.js';
import { softmax, uncertainty } from '../../../sdk/metrics/index.js';
import { architectures } from '../../../sdk/model/architectures.js';
import { convolution, dense, flatten, maxPool, relu, softmax as softmaxLayer } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { spaceOf } from '../../../sdk/tune/tune.js';
import { compareScheduled, lowerCase, runOnEmitters } from '../../ops/harness.js';
import { hostFor } from '../../support/hosts.js';
import { GraphBuilder } from '../../support/graphs.js';
import { refuses } from '../../support/refuses.js';
import { sharedFile } from '../../support/shared.js';
import { classifier, drawn, runner, weights, x } from './drawn.js';

/** A convolution with padding, one without bias randomness, a pool, a dense layer. */
const images = network({
  name: 'images', input: [2, 6, 7],
  layers: [convolution(5, 3, { padding: 1, weight: weights(90), bias: weights(5) }), relu(), maxPool(2), convolution(4, 2, { weight: weights(80), bias: drawn(4, -1, 1) }), flatten(), dense(3, { weight: weights(48), bias: weights(3) }), softmaxLayer()],
});


test('each sample is the network of weights that Philox draws, each weight with a stream of its own', async () => {
  const [samples, n] = [4, 3];
  const seed = [12345, 99];
  const input = x(n);
  const { draws } = (await runner(classifier, { batch: n, maxSamples: samples }))(input, { samples, seed });
  const names = Object.keys(classifier.posteriors!).sort();
  assert.equal(names, ['a.bias', 'a.weight', 'b.bias', 'b.weight']);
  for (let s = 0; s < samples; s++) {
    const w = (name: string): number[] => {
      const { deviation } = classifier.posteriors![name];
      return [...classifier.constants[name].data].map((m, e) => m + deviation.data[e] * referenceNormal(referencePhilox([e, 0, s, names.indexOf(name)], seed)[3]));
    };
    const layer = (values: readonly number[], name: string, outputs: number): number[] => {
      const [weight, bias] = [w(`${name}.weight`), w(`${name}.bias`)];
      return Array.from({ length: outputs }, (_, o) => values.reduce((sum, v, k) => sum + v * weight[o * values.length + k], bias[o]));
    };
    for (let i = 0; i < n; i++) {
      const logits = layer(layer([...input.subarray(3 * i, 3 * i + 3)], 'b', 7).map((v) => Math.max(v, 0)), 'a', 4);
      logits.forEach((v, c) => assert.ok(Math.abs(draws[(i * samples + s) * 4 + c] - v) < 1e-5, `sample ${s}, input ${i}, class ${c}: ${draws[(i * samples + s) * 4 + c]} and ${v}`));
    }
  }
});

test('probabilities, entropies and moments are those of the draws', async () => {
  const [samples, n] = [40, 5];
  const found = (await runner(classifier, { batch: n }))(x(n), { samples });
  assert.is(found.draws.length, n * 100 * 4);
  const rows = Float64Array.from({ length: samples * n * 4 }, (_, e) => found.draws[(Math.floor(e / 4) % n) * 400 + Math.floor(e / (4 * n)) * 4 + (e % 4)]);
  const expected = uncertainty(softmax(rows, 4), { count: samples, classes: 4 });
  const near = (name: string, wanted: ArrayLike<number>): void => {
    assert.is(found[name].length, wanted.length);
    found[name].forEach((v, e) => assert.ok(Math.abs(v - wanted[e]) < 2e-6 * Math.max(1, Math.abs(wanted[e])), `${name}[${e}]: ${v} and ${wanted[e]}`));
  };
  for (const name of ['probabilities', 'predictiveEntropy', 'softmaxEntropy', 'mutualInformation'] as const) near(name, expected[name]);
  const mean = Array.from({ length: 4 * n }, (_, e) => rows.reduce((sum, v, i) => (i % (4 * n) === e ? sum + v : sum), 0) / samples);
  near('mean', mean);
  near('variance', mean.map((m, e) => rows.reduce((sum, v, i) => (i % (4 * n) === e ? sum + (v - m) ** 2 : sum), 0) / samples));
  // what is not drawn is 0
  assert.ok(found.draws.every((v, e) => Math.floor(e / 4) % 100 < samples || v === 0));
});

// In float64, with the difference of logarithms that nothing near 1 goes through: ln p of each draw and of the mean.
test('the mutual information keeps its digits where samples nearly agree', async () => {
  const [samples, n] = [60, 5];
  for (const calibration of [1, 1e-6]) {
    const found = (await runner(classifier, { batch: n, maxSamples: samples, calibration }))(x(n), { samples });
    for (let i = 0; i < n; i++) {
      const logits = Array.from({ length: samples }, (_, s) => [...found.draws.subarray((i * samples + s) * 4, (i * samples + s + 1) * 4)]);
      const logs = logits.map((l) => l.map((v) => v - Math.log(l.reduce((sum, u) => sum + Math.exp(u), 0))));
      const mean = [0, 1, 2, 3].map((c) => logs.reduce((sum, l) => sum + Math.exp(l[c]), 0) / samples);
      const wanted = logs.reduce((sum, l) => sum + l.reduce((part, v, c) => part + Math.exp(v) * (v - Math.log(mean[c])), 0), 0) / samples;
      const error = Math.abs(found.mutualInformation[i] / wanted - 1);
      assert.ok(error < 1e-6 + 1e-7 / Math.sqrt(wanted), `calibration ${calibration}, input ${i}: ${found.mutualInformation[i]} and ${wanted}, off by ${error}`);
      assert.is(found.predictiveEntropy[i], Math.fround(found.softmaxEntropy[i] + found.mutualInformation[i]));
    }
  }
});

test('predictions are by the mean probabilities', async () => {
  const model = loadSync((await compile(classifier, { twin: 'sample' })).wasm);
  const { probabilities } = model.run({ input: x(1), samples: 9 });
  const most = Math.max(...(probabilities.data as Float32Array));
  assert.equal(model.predict({ input: x(1), samples: 9 }), [{ index: [...probabilities.data].indexOf(most), label: undefined, score: most, probability: most }]);
});

test('results for S samples are a prefix of those for S + 1', async () => {
  const run = await runner(classifier, { maxSamples: 8 });
  const [five, six] = [5, 6].map((samples) => run(x(1), { samples, seed: 3 }));
  assert.equal([...five.draws.subarray(0, 20)], [...six.draws.subarray(0, 20)]);
  five.mean.forEach((m, c) => assert.is(six.mean[c], Math.fround(m + Math.fround(Math.fround(six.draws[20 + c] - m) / 6))));
});

test('the same bits in any batch, cut into calls or over threads', async () => {
  for (const [graph, size] of [[classifier, 3], [images, 84]] as const) {
    const input = x(7, size);
    const [one, three, seven] = await Promise.all([1, 3, 7].map(async (batch) => (await runner(graph, { batch }))(input, { samples: 3, seed: 2 ** 40 + 1 })));
    assert.equal(three, one);
    assert.equal(seven, one);
    const pool = await createPool((await compile(graph, { twin: 'sample', batch: 2 })).wasm, { threads: 2 });
    const pooled = await pool.run({ input, samples: 3, seed: 2 ** 40 + 1 });
    for (const [name, view] of Object.entries(pooled)) assert.equal([...view.data], [...one[name]], name);
    await pool.close();
  }
});

test('with factor 0 the mean is the deterministic network in every bit, and nothing varies', async () => {
  for (const [graph, size, classes] of [[classifier, 3, 4], [images, 84, 3]] as const) {
    const input = x(4, size);
    const found = (await runner(graph, { batch: 4, calibration: 0 }))(input, { samples: 7 });
    const logits: Graph = { ...graph, outputs: [graph.nodes[graph.nodes.length - 1].inputs[0]] };
    const model = loadSync((await compile(logits, { twin: 'mean', batch: 4 })).wasm);
    assert.equal([...found.mean], [...Object.values(model.run({ input }))[0].data]);
    assert.ok(found.variance.every((v) => v === 0));
    assert.equal(found.variance.length, 4 * classes);
    assert.ok(found.mutualInformation.every((v) => v === 0));
  }
});

for (const target of Object.values(targets)) {
  test(`${target.name}: the bits of the lowered Program`, async () => {
    const cases = ([[classifier, 3, 1], [images, 84, 3]] as const).map(([graph, size, batch]) =>
      lowerCase({ name: graph.name, graph: runPasses(graph, batch, { twin: 'sample', maxSamples: 2 }), inputs: { input: x(batch, size), samples: [3], seed: [5, 6], batchOffset: [0] } }));
    for (const c of cases) compareScheduled(c, target);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters(cases, target, toolchain(), host), []);
  });
}

test('weights take no more memory than those of the largest layer', async () => {
  const { manifest } = await compile({ ...architectures.mlp(), posteriors: Object.fromEntries(Object.entries(architectures.mlp().constants).map(([name, c]) => [name, { deviation: makeConstant('float32', c.shape, new Float32Array(c.data.length).fill(1)) }])) }, { twin: 'sample', maxSamples: 0 });
  // 784 x 100 float32, and what lies between layers
  assert.ok(manifest.temporaryBytes < 4 * 78400 + 2048, String(manifest.temporaryBytes));
});

test('the kernels of a sample can be tuned, but for those that carry values or tell the index', () => {
  const { sites } = spaceOf(images, { twin: 'sample', batch: 4 });
  const names = sites.map((s) => s.kernel.name);
  for (const name of ['convolution1', 'dense1', 'convolution1_weight_RandomNormal']) assert.ok(names.includes(name), `${name} is none of ${names.join(' ')}`);
  assert.ok(names.every((name) => !/LoopIndex|Sample(Mean|Moments|Collect)2?$/.test(name)), names.join(' '));
});

test('a regressor has mean, variance and draws; several outputs have them each; names that are taken stay', async () => {
  const interfaceOf = (graph: Graph, maxSamples?: number): string => {
    const twin = makeTwin(infer(graph), { twin: 'sample', maxSamples }).graph;
    return [...twin.inputs, '->', ...twin.outputs].join(' ');
  };
  const regressor = network({ name: 'r', input: [3], layers: [dense(2, { weight: weights(6) })] });
  assert.is(interfaceOf(regressor), 'input samples seed batchOffset -> mean variance draws');
  assert.is(interfaceOf(regressor, 0), 'input samples seed batchOffset -> mean variance');
  assert.is(interfaceOf(classifier), 'input samples seed batchOffset -> mean variance probabilities predictiveEntropy softmaxEntropy mutualInformation draws');
  const g = new GraphBuilder();
  const [a, b] = [g.node('MatMul', [g.input('samples', [1, 2]), g.constant('w', [2, 2], [1, 2, 3, 4])]), g.input('mean', [1, 2])];
  const two = { ...g.build(a, b), posteriors: { w: { deviation: makeConstant('float32', [2, 2], [1, 1, 1, 1]) } } };
  assert.is(interfaceOf(two), `samples mean samples_ seed batchOffset -> ${a}.mean ${a}.variance mean.mean mean.variance ${a}.draws mean.draws`);
});

test('refusals', async () => {
  const model = loadSync((await compile(classifier, { twin: 'sample' })).wasm);
  const run = (more: object) => () => model.run({ input: x(1), ...more });
  refuses(run({ samples: 0 }), 'error [run/data-type] samples: expected a whole number of 1 to 65536, found 0\n  Give such a number, or leave it away.');
  refuses(run({ samples: 65537 }), /samples: expected a whole number of 1 to 65536, found 65537/);
  refuses(run({ samples: [1, 2] }), 'error [run/shape] samples: expected 1 elements, found 2\n  Give a number, or leave it away.');
  refuses(run({ seed: -1 }), /seed: expected a whole number of 0 to 4294967295, found -1/);
  refuses(run({ sample: 3 }), 'error [run/unknown-input] sample: the model has no such input\n  Did you mean "samples"?');
  const twin = (graph: Graph, maxSamples?: number) => () => makeTwin(infer(graph), { twin: 'sample', maxSamples });
  const { posteriors: _, ...certain } = classifier;
  refuses(twin(certain), 'error [graph/posterior] small: no weight of this network is random, so there are no samples\n  Give it a posterior: a safetensors file of NAME.mean and NAME.std.');
  refuses(twin(classifier, -1), 'error [graph/posterior] maxSamples: -1 samples are to be returned\n  Give a whole number of 0 (none) to 65536.');
  const g = new GraphBuilder();
  const classes = g.node('ArgMax', [g.node('MatMul', [g.input('x', [1, 2, 3]), g.constant('w', [3, 3], new Array<number>(9).fill(1))])], { axis: 2 });
  refuses(twin({ ...g.build(classes), posteriors: { w: { deviation: makeConstant('float32', [3, 3], new Float32Array(9).fill(1)) } } }), `error [graph/unsupported] ${classes}: the twin "sample" takes means of its outputs, and this one is int32\n  Make an output of the float32 value that it comes from.`);
});

const published = sharedFile('bnn/mlp_posterior.safetensors');
const answers = sharedFile('bnn/mlp_golden_pfp.npz');
if (published && answers) {
  test('the published 784-100-100-10: 4,000 samples against the probabilistic forward pass', async () => {
    const graph = applyPosterior(architectures.mlp(), readSafetensors(published), { all: true });
    const golden = readNpz(answers);
    const found = (await runner(graph, { batch: 32, maxSamples: 0 }))(golden.x_mnist.data as Float32Array, { samples: 4000, seed: 1 });
    const [mean, variance] = [golden.mean_mnist.data, golden.variance_mnist.data].map((d) => Array.from(d as ArrayLike<number | bigint>, Number));
    const errors = mean.map((m, i) => Math.abs(found.mean[i] - m) / Math.sqrt(found.variance[i]));
    assert.ok(Math.max(...errors) < 0.1, `largest error ${Math.max(...errors)}`);
    const ratios = variance.map((v, i) => v / found.variance[i]).sort((a, b) => a - b);
    const median = ratios[ratios.length >> 1];
    assert.ok(median > 0.9 && median < 1.1, `median ratio ${median}`);
  });
}

test.run();
