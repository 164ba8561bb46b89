/** Answers from a module's outputs, against `sigmaflow/metrics` with many more draws; what is said of them in words; packed points. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classes, readAnswer, type Answer } from '../../sdk/demo/answer.js';
import { decodeBytes, encodeBytes, fromPlanes, measurementOf, mostNats, packNats, toPlanes, unpackNats, type Measurement } from '../../sdk/demo/contents.js';
import { draws, normalLattice, normalQuantile } from '../../sdk/demo/lattice.js';
import { percent, verdictOf } from '../../sdk/demo/verdict.js';
import { softmax } from '../../sdk/metrics/index.js';

let state = 11;
const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const near = (a: number, b: number, tolerance: number, what = ''): void => assert.ok(Math.abs(a - b) <= tolerance, `${what} ${a}, expected ${b}`);

test('quantiles of the normal distribution', () => {
  for (const [p, z] of [[0.5, 0], [0.975, 1.959963984540054], [0.01, -2.3263478740408408], [0.9999, 3.719016485455709]]) near(normalQuantile(p), z, 1e-10);
});

test('the lattice: every class is normal, and no two go together', () => {
  const z = normalLattice(classes);
  const column = (c: number): number[] => Array.from({ length: draws }, (_, s) => z[s * classes + c]);
  const product = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0) / draws;
  for (let a = 0; a < classes; a++) {
    near(product(column(a), column(a)), 1, 0.02);
    near(column(a).reduce((x, y) => x + y, 0), 0, 1e-9);
    for (let b = 0; b < a; b++) near(product(column(a), column(b)), 0, 0.1, `${a}, ${b}`);
  }
});

/** Outputs of a module with an uncertainty head. */
const outputs = (mean: Float32Array, variance: Float32Array, more: Record<string, Float32Array> = {}): Record<string, Float32Array> => ({
  mean, variance, probabilities: softmaxOf(mean), predictiveEntropy: Float32Array.of(2), softmaxEntropy: Float32Array.of(1.5), mutualInformation: Float32Array.of(0.5), ...more,
});
const softmaxOf = (logits: Float32Array): Float32Array => Float32Array.from(softmax(logits, classes));

test("a module's own probabilities and entropies are what is shown", () => {
  const mean = Float32Array.from({ length: classes }, (_, c) => c / 3);
  const found = readAnswer('moments', outputs(mean, new Float32Array(classes).fill(4)), 0);
  assert.equal([found.total, found.aleatoric, found.epistemic], [2, 1.5, 0.5]);
  assert.equal(found.probabilities, Array.from(softmaxOf(mean)));
  assert.equal([found.logits, found.deviations, found.spread], [Array.from(mean), new Array(classes).fill(2), 2 / mean[9]]);
});

test('moments: the range of each probability as from ten thousand draws', () => {
  const normal = (): number => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  for (let trial = 0; trial < 6; trial++) {
    const mean = Float32Array.from({ length: classes }, () => 6 * next() - 3);
    const variance = Float32Array.from({ length: classes }, () => 3 * next() ** 2);
    const found = readAnswer('moments', outputs(mean, variance), 0);
    const each = softmax(Float64Array.from({ length: 10_000 * classes }, (_, i) => mean[i % classes] + Math.sqrt(variance[i % classes]) * normal()), classes);
    for (let c = 0; c < classes; c++) {
      const sorted = Array.from({ length: 10_000 }, (_, s) => each[s * classes + c]).sort((a, b) => a - b);
      near(found.low![c], sorted[500], 0.03, `low ${c}`);
      near(found.high![c], sorted[9500], 0.06, `high ${c}`);
      // in parts of the draws, which does not depend on how wide the range is
      for (const [edge, part] of [[found.low![c], 0.05], [found.high![c], 0.95]]) near(sorted.filter((p) => p <= edge).length / sorted.length, part, 0.035, `part ${c}`);
    }
  }
});

test('certain weights have no range', () => {
  const found = readAnswer('moments', outputs(Float32Array.from({ length: classes }, (_, c) => c / 3), new Float32Array(classes)), 0);
  for (let c = 0; c < classes; c++) near(found.high![c] - found.low![c], 0, 1e-12);
});

test('samples: ranges of what was drawn, and of no more than that', () => {
  const count = 21;
  const draws = Float32Array.from({ length: 40 * classes }, () => 6 * next());
  const found = readAnswer('sample', outputs(new Float32Array(classes), new Float32Array(classes), { draws }), count);
  const each = softmax(draws.subarray(0, count * classes), classes);
  for (let c = 0; c < classes; c++) {
    const sorted = Array.from({ length: count }, (_, s) => each[s * classes + c]).sort((a, b) => a - b);
    assert.equal([found.low![c], found.high![c]], [sorted[1], sorted[19]]);
  }
});

test('fixed weights: logits up to a constant, and no parts', () => {
  const probabilities = Float32Array.from(softmax(Array.from({ length: classes }, (_, c) => c / 2), classes));
  const found = readAnswer('mean', { output: probabilities }, 0);
  softmax(found.logits, classes).forEach((p, c) => near(p, probabilities[c], 1e-7));
  near(found.logits.reduce((a, b) => a + b, 0), 0, 1e-5);
  assert.equal([found.aleatoric, found.epistemic, found.spread, found.low, found.deviations], [undefined, undefined, undefined, undefined, undefined]);
  assert.ok(Number.isFinite(readAnswer('mean', { output: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, 0).logits[5]));
});

// ---- Words ----

const measurement: Measurement = { samples: 0, epistemic: 0.2, spread: 0.15, aleatoric: 0.5, falseAlarms: { unfamiliar: 0.0117, ambiguous: 0.02 }, count: 10000, points: {} };
const answer = (probabilities: Record<number, number>, aleatoric?: number, epistemic?: number): Answer => ({
  method: 'moments', probabilities: Array.from({ length: classes }, (_, c) => probabilities[c] ?? 0), logits: [], total: (aleatoric ?? 0) + (epistemic ?? 0), aleatoric, epistemic,
});

test('verdicts in words', () => {
  assert.equal(verdictOf(answer({ 7: 0.984, 1: 0.016 }, 0.08, 0.01), measurement), {
    kind: 'clear', headline: '7', sentence: 'This is a 7, 98 %.', named: [7], note: 'It looks like what the network was trained on, and like one digit only.',
  });
  assert.equal(verdictOf(answer({ 4: 0.4, 9: 0.55, 7: 0.05 }, 0.8, 0.05), measurement), {
    kind: 'ambiguous', headline: '9 or 4?', named: [9, 4], note: 'False alarms: 2 % of 10,000 test digits are called so too.',
    sentence: 'It could be 9 or 4: 55 % against 40 %. The picture itself leaves it open; more training would not settle it.',
  });
  assert.match(verdictOf(answer({ 3: 0.3, 5: 0.3, 8: 0.3, 2: 0.1 }, 1.2, 0.1), measurement).sentence, /^It could be 3, 5 or 8: 30 % against 30 % against 30 %/);
  assert.is(verdictOf(answer({ 3: 0.9, 5: 0.1 }, 0.6, 0.1), measurement).sentence, 'Most likely 3 (90 %), but the picture leaves room for others.');
  assert.equal(verdictOf(answer({ 8: 0.41, 2: 0.39 }, 0.9, 0.3), measurement), {
    kind: 'unfamiliar', headline: 'Unfamiliar', named: [8], note: 'False alarms: 1.2 % of 10,000 test digits are called so too.',
    sentence: 'This may be unlike what it was trained on. Its best guess, 8 (41 %), deserves little trust.',
  });
  const agreed = { ...answer({ 4: 0.9995 }, 0.01, 0.01), logits: [0, 0, 0, 0, 15.8], deviations: [1, 1, 1, 1, 2.44] };
  assert.is(verdictOf({ ...agreed, spread: 0.154 }, measurement).sentence, "This may be unlike what it was trained on. Its weights agree on 4, but not on how strongly: that logit is 15.8, give or take 2.4, more than a digit's.");
  assert.is(verdictOf({ ...agreed, spread: 0.149 }, measurement).kind, 'clear');
  assert.match(verdictOf(answer({ 8: 0.9995 }), measurement).note, /cannot tell/);
});

test('parts as percents', () => {
  assert.equal([0, 0.0004, 0.012, 0.5, 0.984, 0.9949, 0.9995, 1].map(percent), ['0 %', 'under 0.1 %', '1.2 %', '50 %', '98 %', '99.5 %', 'over 99.9 %', '100 %']);
});

test('points are packed to a hundredth; bytes survive base 64; measurements by their samples', () => {
  for (let i = 0; i <= 100; i++) near(Math.sqrt(unpackNats(packNats((i / 100) * mostNats)) / mostNats), Math.sqrt(i / 100), 0.002);
  assert.equal([packNats(-1), packNats(5)], [0, 255]);
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.equal(decodeBytes(encodeBytes(bytes)), bytes);
  for (const length of [0, 1, 5, 7, 256]) assert.equal(fromPlanes(toPlanes(bytes.subarray(0, length))), bytes.slice(0, length));
  const module = { method: 'sample', bits: 32, file: '', bytes: 0, measurements: [measurement, { ...measurement, samples: 30 }] } as const;
  assert.equal([measurementOf(module, 30).samples, measurementOf(module, 7).samples], [30, 0]);
});

test.run();
