/**
 * The uncertainty head: expected probabilities and entropies of normal logits, as float32 computes them, against Monte Carlo in
 * float64; limits, extremes and invariants; a published network against samples of its logits on whole data sets.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSafetensors } from '../../../codegen/import/safetensors.js';
import { applyPosterior } from '../../../codegen/import/posterior.js';
import { makeConstant } from '../../../codegen/ir/graph.js';
import { interpret } from '../../../codegen/ir/interpret.js';
import { lower } from '../../../codegen/schedule/lower.js';
import { runPasses } from '../../../codegen/compile.js';
import { referenceNormal, referencePhilox } from '../../../codegen/ops/randomreference.js';
import { infer } from '../../../codegen/passes/infer.js';
import { makeTwin, type TwinOptions } from '../../../codegen/passes/twins/twin.js';
import { targets } from '../../../codegen/targets/target.js';
import { compile, type Options } from '../../../sdk/compile.js';
import { toolchain } from '../../../sdk/host/assembler.js';
import { auroc } from '../../../sdk/metrics/detection.js';
import { logitUncertainty } from '../../../sdk/metrics/logits.js';
import { softmax as softmaxOf, uncertainty } from '../../../sdk/metrics/predictive.js';
import { architectures } from '../../../sdk/model/architectures.js';
import { dense, gaussian, relu, softmax } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { dataset, normalized } from '../../support/datasets.js';
import { compareScheduled, lowerCase, runOnEmitters } from '../../ops/harness.js';
import { GraphBuilder } from '../../support/graphs.js';
import { hostFor } from '../../support/hosts.js';
import { Random } from '../../support/random.js';
import { refuses } from '../../support/refuses.js';
import { sharedFile } from '../../support/shared.js';

interface Rows {
  readonly classes: number;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

interface Scores {
  readonly probabilities: ArrayLike<number>;
  readonly predictiveEntropy: ArrayLike<number>;
  readonly softmaxEntropy: ArrayLike<number>;
  readonly mutualInformation: ArrayLike<number>;
}

const names = ['probabilities', 'predictiveEntropy', 'softmaxEntropy', 'mutualInformation'] as const;

/** The closed form in float32: the operator's kernels, interpreted. */
function closedForm({ classes, mean, variance }: Rows): Scores {
  const shape = [mean.length / classes, classes];
  const inputs = ['mean', 'variance'];
  const node = { name: 'head', op: 'SoftmaxMoments', inputs, outputs: [...names], attributes: {} };
  const values = Object.fromEntries([...inputs, ...names].map((name, i) => [name, { name, shape: i < 3 ? shape : [shape[0]], dtype: 'float32' as const }]));
  const unit = lower({ name: 'head', inputs, outputs: [...names], nodes: [node], values, constants: {} });
  const found = interpret(unit, { mean, variance });
  return Object.fromEntries(names.map((name) => [name, found.get(name)])) as unknown as Scores;
}

const rows = (classes: number, pairs: readonly (readonly [readonly number[], readonly number[]])[]): Rows => ({
  classes, mean: Float32Array.from(pairs.flatMap(([m]) => m)), variance: Float32Array.from(pairs.flatMap(([, v]) => v)),
});

/** What a module gave, copied: a run overwrites the views of the one before. */
function views(found: object): Record<string, Float32Array> {
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, Float32Array.from((tensor as { data?: Float32Array }).data ?? (tensor as Float32Array))]));
}

/** Means spread over up to 20, variances of 1e-4 to 100 that differ by a factor of up to 100 in a row. */
function randomRows(classes: number, count: number, seed: number): Rows {
  const random = new Random(seed);
  return rows(classes, Array.from({ length: count }, () => {
    const [spread, level] = [random.float(0, 20), random.float(-4, 2)];
    return [
      Array.from({ length: classes }, () => random.float(-0.5, 0.5) * spread),
      Array.from({ length: classes }, () => Math.min(Math.max(10 ** (level + random.float(-1, 1)), 1e-4), 100)),
    ] as const;
  }));
}

const errors = (found: ArrayLike<number>, wanted: ArrayLike<number>): number[] => Array.from(found, (x, i) => Math.abs(x - wanted[i])).sort((a, b) => a - b);

/** 0 <= mutual information <= ln C, 0 <= softmax entropy <= predictive entropy, probabilities that sum to 1; so no NaN either. */
function holds(scores: Scores, classes: number): void {
  for (let n = 0; n < scores.predictiveEntropy.length; n++) {
    const [total, aleatoric, epistemic] = [scores.predictiveEntropy[n], scores.softmaxEntropy[n], scores.mutualInformation[n]];
    assert.ok(aleatoric >= 0 && aleatoric <= total && total <= Math.log(classes) + 1e-7, `row ${n}: ${aleatoric} of ${total}`);
    assert.ok(epistemic >= 0 && epistemic <= total, `row ${n}: ${epistemic} of ${total}`);
    const p = Array.from(scores.probabilities).slice(n * classes, (n + 1) * classes);
    assert.ok(p.every((x) => x >= 0) && Math.abs(p.reduce((a, b) => a + b, 0) - 1) < 1e-5, `row ${n}: ${p}`);
  }
}

// The documented bounds, on other rows than those that the fit has seen; 40,000 samples are right to 0.003 themselves.
for (const [classes, count, median, greatest] of [[2, 24, 0.002, 0.02], [10, 24, 0.005, 0.05], [40, 8, 0.01, 0.05]] as const) {
  test(`${classes} classes against Monte Carlo: probabilities within 0.01, entropies within ${greatest}`, () => {
    const given = randomRows(classes, count, 90 + classes);
    const found = closedForm(given);
    holds(found, classes);
    const wanted = logitUncertainty(given.mean, given.variance, { classes, count: 40000, seed: 3 });
    assert.ok(errors(found.probabilities, wanted.probabilities).pop()! < 0.01);
    for (const name of names.slice(1)) {
      const all = errors(found[name], wanted[name]);
      assert.ok(all[all.length >> 1] < median && all[all.length - 1] < greatest, `${name}: median ${all[all.length >> 1]}, greatest ${all[all.length - 1]}`);
    }
  });
}

test('deviations of a thousandth and of a hundred in one row: probabilities within 0.01', () => {
  const given = rows(4, [[[0, 1, 20, -40], [1e-6, 1e4, 100, 900]], [[5, 5, 0, -300], [1e-6, 1, 1e4, 1e4]]]);
  const wanted = logitUncertainty(given.mean, given.variance, { classes: 4, count: 100000 });
  const found = closedForm(given);
  assert.ok(errors(found.probabilities, wanted.probabilities).pop()! < 0.01);
  assert.ok(errors(found.mutualInformation, wanted.mutualInformation).pop()! < 0.1);
});

test('no variance: the softmax of the mean, and no mutual information at all', () => {
  const given = rows(5, [[[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], [[1, -2, 3, 8, 0.5], [0, 0, 0, 0, 0]], [[1e4, 1e4 + 1, -1e4, 0, 1e4 - 3], [0, 0, 0, 0, 0]]]);
  const found = closedForm(given);
  holds(found, 5);
  const wanted = logitUncertainty(given.mean, given.variance, { classes: 5, count: 1 });
  assert.ok(errors(found.probabilities, wanted.probabilities).pop()! < 1e-5);
  assert.ok(errors(found.predictiveEntropy, wanted.predictiveEntropy).pop()! < 1e-5);
  assert.equal([...Array.from(found.mutualInformation)], [0, 0, 0]);
});

test('small variances: the mutual information is the linear one', () => {
  const [m, v] = [[0.5, -1, 2, 0], [1e-3, 4e-3, 2e-3, 1e-3]];
  const p = m.map((x) => Math.exp(x) / m.reduce((a, b) => a + Math.exp(b), 0));
  // sum of v (p - p^2) / 2, less what the mean probabilities lose: sum over c of var(p_c) / (2 p_c)
  const second = p.reduce((a, x, c) => a + (x / 2) * p.reduce((b, y, j) => b + v[j] * ((c === j ? 1 : 0) - y) ** 2, 0), 0);
  for (const scale of [1, 1e-2, 1e-4]) {
    const found = closedForm(rows(4, [[m, v.map((x) => x * scale)]])).mutualInformation[0];
    assert.ok(Math.abs(found / (second * scale) - 1) < 0.03, `${found} for ${second * scale}`);
  }
});

test('extremes: no NaN, and the invariants hold', () => {
  const [zeros, huge] = [[0, 0, 0], [1e8, 1e8, 1e8]];
  const found = closedForm(rows(3, [
    [[1e4, -1e4, 0], huge], [[1e4, 1e4, 1e4], huge], [zeros, huge], [[1e4, -1e4, 0], [1e-30, 0, 1e8]], [zeros, [1e-38, 1e30, 1]], [[1e30, 0, -1e30], [1, 1, 1]],
    [[1e30, 0, -1e30], [1e30, 1e30, 0]], [[88, 89, 90], [0, 1e8, 0]],
  ]));
  holds(found, 3);
  for (const row of [1, 2]) for (let c = 0; c < 3; c++) assert.ok(Math.abs(found.probabilities[3 * row + c] - 1 / 3) < 1e-3);
  holds(closedForm(rows(1, [[[3], [2]]])), 1);
  const none = closedForm(rows(2, [[[NaN, 0], [1, 1]], [[0, 0], [1, 1]]]));
  assert.ok(Number.isNaN(none.mutualInformation[0]) && !Number.isNaN(none.mutualInformation[1]));
});

test('the invariants hold for any finite logits and variances', () => {
  const random = new Random(77);
  for (const classes of [2, 5]) {
    holds(closedForm(rows(classes, Array.from({ length: 150 }, () => {
      const [size, level, unlike] = [10 ** random.float(-6, 30), random.float(-20, 30), random.chance(0.5) ? 20 : 0];
      return [
        Array.from({ length: classes }, () => (random.chance(0.2) ? 0 : random.float(-0.5, 0.5) * size)),
        Array.from({ length: classes }, () => (random.chance(0.1) ? 0 : Math.min(10 ** (level + unlike * random.float(-0.5, 0.5)), 3e38))),
      ] as const;
    }))), classes);
  }
});

test('a row alone and in a batch has the same bits', () => {
  const given = randomRows(7, 5, 4);
  const all = closedForm(given);
  for (let n = 0; n < 5; n++) {
    const one = closedForm({ classes: 7, mean: given.mean.slice(7 * n, 7 * n + 7), variance: given.variance.slice(7 * n, 7 * n + 7) });
    for (const name of names.slice(1)) assert.is(one[name][0], all[name][n]);
  }
});

test('a classifier has the head, also with weights that are certain; a regression has none', async () => {
  const weight = (deviation: number) => gaussian([1, -0.5, 0.25, 0, 2, -1], deviation);
  const outputs = async (graph: ReturnType<typeof network>) => loadSync((await compile(graph, { twin: 'moments' })).wasm);
  const classifier = await outputs(network({ name: 'classifier', input: [3], layers: [dense(2, { weight: weight(0.5) }), softmax()] }));
  assert.equal(classifier.manifest.outputs.map((o) => [o.name, o.shape]), [
    ['mean', [1, 2]], ['variance', [1, 2]], ['probabilities', [1, 2]], ['predictiveEntropy', [1]], ['softmaxEntropy', [1]], ['mutualInformation', [1]],
  ]);
  const certain = await outputs(network({ name: 'certain', input: [3], layers: [dense(2, { weight: weight(0) }), softmax()] }));
  const found = views(certain.run({ input: Float32Array.of(0.5, -1, 2) }));
  assert.is(found.mutualInformation[0], 0);
  assert.ok(found.predictiveEntropy[0] > 0);
  const regression = await outputs(network({ name: 'regression', input: [3], layers: [dense(2, { weight: weight(0.5) })] }));
  assert.equal(regression.manifest.outputs.map((o) => o.name), ['mean', 'variance']);
});

// ---- Samples of the logits ----

const drawnFrom = new Random(21);
const weights = (count: number) => gaussian(Array.from({ length: count }, () => drawnFrom.float(-1, 1)), Array.from({ length: count }, () => drawnFrom.float(0, 0.5)));
/** 3 - 5 - 4 with softmax; without biases, so that the input 0 has certain logits. */
const classifier = network({ name: 'small', input: [3], layers: [dense(5, { weight: weights(15) }), relu(), dense(4, { weight: weights(20) }), softmax()] });
const pixels = (count: number): Float32Array => Float32Array.from({ length: 3 * count }, (_, i) => Math.sin(1.7 * i));

async function runner(options: Options): Promise<(input: Float32Array, more?: Record<string, number | readonly number[]>) => Record<string, Float32Array>> {
  const model = loadSync((await compile(classifier, options)).wasm);
  return (input, more = {}) => views(model.run({ input, ...more }));
}

test('logits drawn in the module: those of Philox, by seed, image and sample, with the scores of these draws', async () => {
  const [count, n, seed] = [9, 3, [77, 5]];
  const found = (await runner({ logitSamples: count, maxSamples: count, batch: 2 }))(pixels(n), { seed });
  const draws = Float64Array.from({ length: n * count * 4 }, (_, e) => {
    const [image, element] = [Math.floor(e / (4 * count)), e % (4 * count)];
    const at = 4 * image + (element % 4);
    return found.mean[at] + Math.sqrt(found.variance[at]) * referenceNormal(referencePhilox([element, image, 0, 2 ** 32 - 1], seed)[3]);
  });
  assert.ok(errors(found.draws, draws).pop()! < 1e-5);
  const bySample = Float64Array.from(draws, (_, e) => draws[(Math.floor(e / 4) % n) * 4 * count + Math.floor(e / (4 * n)) * 4 + (e % 4)]);
  const wanted = uncertainty(softmaxOf(bySample, 4), { count, classes: 4 });
  for (const name of names) assert.ok(errors(found[name], wanted[name]).pop()! < 2e-6, `${name}: ${found[name]} and ${wanted[name]}`);
  holds(found as unknown as Scores, 4);
});

test('draws are a prefix of those of more samples, and no batch changes a bit', async () => {
  const few = (await runner({ logitSamples: 5, maxSamples: 9 }))(pixels(3), { seed: 4 });
  const many = (await runner({ logitSamples: 12, maxSamples: 7, batch: 3 }))(pixels(3), { seed: 4 });
  assert.is(many.draws.length, 3 * 7 * 4);
  for (let n = 0; n < 3; n++) assert.equal([...few.draws.subarray(n * 20, n * 20 + 20)], [...many.draws.subarray(n * 28, n * 28 + 20)]);
  const batched = (await runner({ logitSamples: 5, batch: 3 }))(pixels(3), { seed: 4 });
  for (const name of names) assert.equal([...batched[name]], [...few[name]]);
  assert.is.not((await runner({ logitSamples: 5 }))(pixels(1)).probabilities[0], few.probabilities[0]);
});

test('many draws come to the closed form; certain logits have no mutual information', async () => {
  const input = Float32Array.of(...pixels(2), 0, 0, 0);
  const [closed, drawn] = [(await runner({}))(input), (await runner({ logitSamples: 4000 }))(input)];
  for (const name of names) assert.ok(errors(closed[name], drawn[name]).pop()! < 0.02, `${name}: ${closed[name]} and ${drawn[name]}`);
  for (const found of [closed, drawn]) {
    assert.is(found.mutualInformation[2], 0);
    assert.is(found.softmaxEntropy[2], found.predictiveEntropy[2]);
    // the sum of 4,000 float32 numbers
    assert.ok(Math.abs(found.softmaxEntropy[2] - Math.log(4)) < (found === closed ? 1e-6 : 2e-5));
  }
});

test('draws that nearly agree keep the digits of their mutual information', async () => {
  const [count, n] = [40, 3];
  for (const calibration of [1, 1e-6]) {
    const found = (await runner({ logitSamples: count, maxSamples: count, calibration }))(pixels(n));
    const bySample = Float64Array.from(found.draws, (_, e) => found.draws[(Math.floor(e / 4) % n) * 4 * count + Math.floor(e / (4 * n)) * 4 + (e % 4)]);
    const wanted = uncertainty(softmaxOf(bySample, 4), { count, classes: 4 }).mutualInformation;
    wanted.forEach((v, i) => assert.ok(Math.abs(found.mutualInformation[i] / v - 1) < 1e-6 + 1e-6 / Math.sqrt(v), `calibration ${calibration}, input ${i}: ${found.mutualInformation[i]} and ${v}`));
  }
});

test('one logit with a sigmoid: its probability, and entropies of two classes, by every twin', async () => {
  const g = new GraphBuilder();
  const logit = g.node('Gemm', [g.input('input', [1, 3]), g.constant('w', [3, 1], [0.5, -1, 2])]);
  const binary = { ...g.build(g.node('Sigmoid', [logit])), posteriors: { w: { deviation: makeConstant('float32', [3, 1], [0.5, 1, 0.3]) } } };
  const input = pixels(1);
  const of = async (options: Options, more = {}): Promise<Record<string, Float32Array>> => views(loadSync((await compile(binary, options)).wasm).run({ input, ...more }));
  const closed = await of({});
  const [m, s] = [closed.mean[0], Math.sqrt(closed.variance[0])];
  // by quadrature over the logit
  let [p, aleatoric, weight] = [0, 0, 0];
  for (let z = -8; z <= 8; z += 0.01) {
    const [w, q] = [Math.exp((-z * z) / 2), 1 / (1 + Math.exp(-m - s * z))];
    p += w * q;
    aleatoric -= w * (q * Math.log(q) + (1 - q) * Math.log(1 - q));
    weight += w;
  }
  [p, aleatoric] = [p / weight, aleatoric / weight];
  const total = -p * Math.log(p) - (1 - p) * Math.log(1 - p);
  const wanted: Record<string, number> = { probabilities: p, predictiveEntropy: total, softmaxEntropy: aleatoric, mutualInformation: total - aleatoric };
  const drawn = await of({ logitSamples: 4000, maxSamples: 3 });
  const sampled = await of({ twin: 'sample', maxSamples: 0 }, { samples: 4000 });
  assert.is(drawn.draws.length, 3);
  for (const name of names) {
    [closed, drawn, sampled].forEach((found, i) => {
      assert.is(found[name].length, 1);
      assert.ok(Math.abs(found[name][0] - wanted[name]) < (i === 0 ? 0.003 : 0.02), `${name}: ${found[name][0]} for ${wanted[name]}`);
    });
  }
});

for (const target of Object.values(targets)) {
  test(`draws and scores on every engine, ${target.name}: the interpreter's bits`, async () => {
    const cases = [1, 3].map((batch) =>
      lowerCase({ name: 'small', graph: runPasses(classifier, batch, { logitSamples: 6, maxSamples: 6 }), inputs: { input: pixels(batch), seed: [5, 6], batchOffset: [7] } }));
    for (const c of cases) compareScheduled(c, target);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters(cases, target, toolchain(), host), []);
  });
}

test('samples of logits that cannot be are refused', () => {
  const twin = (options: TwinOptions, graph = classifier) => () => makeTwin(infer(graph), options);
  refuses(twin({ logitSamples: 0 }), 'error [graph/posterior] logitSamples: 0 samples of the logits are to be drawn\n  Give a whole number of 1 to 65536, or leave it out: the head then needs no samples.');
  refuses(twin({ logitSamples: 5, twin: 'sample' }), 'error [graph/posterior] logitSamples: samples of the logits are drawn from their moments, and the twin "sample" has none\n  Leave the twin out, or logitSamples.');
  const { posteriors: _, ...certain } = classifier;
  refuses(twin({ logitSamples: 5 }, certain), 'error [graph/posterior] logitSamples: no weight of this network is random, so there are no moments to draw logits from\n  Give it a posterior, or leave logitSamples out.');
  const regression = network({ name: 'regression', input: [3], layers: [dense(2, { weight: weights(6) })] });
  refuses(twin({ logitSamples: 5 }, regression), 'error [graph/posterior] logitSamples: this network does not end in a Softmax, LogSoftmax or ArgMax over classes, or the Sigmoid of one logit, so it has no logits\n  Leave logitSamples out.');
});

const published = sharedFile('bnn/mlp_posterior.safetensors');
const [digits, clothes] = [dataset('mnist'), dataset('fashion')];
if (published && digits && clothes) {
  test('the published network tells clothes from digits as samples of its logits do: AUROC within 0.015', async () => {
    const count = 500;
    const graph = applyPosterior(architectures.mlp(), readSafetensors(published), { all: true });
    const model = loadSync((await compile(graph, { batch: 100 })).wasm);
    // at temperature 32: with all of their variance most draws are of one class for certain, and a few hundred say little
    const logits = [digits, clothes].map(({ images }): Rows => {
      const { mean, variance } = views(model.run({ input: normalized(images.subarray(0, count * 784)) }));
      return { classes: 10, mean: mean.map((m) => m / 32), variance: variance.map((v) => v / 1024) };
    });
    const scores = logits.map(closedForm);
    const sampled = logits.map(({ mean, variance }) => logitUncertainty(mean, variance, { classes: 10, count: 500 }));
    for (const name of names.slice(1)) {
      const [closed, drawn] = [auroc(scores[0][name], scores[1][name]), auroc(sampled[0][name], sampled[1][name])];
      assert.ok(Math.abs(closed - drawn) < 0.015, `${name}: ${closed}, sampled ${drawn}`);
    }
  });
}

test.run();
