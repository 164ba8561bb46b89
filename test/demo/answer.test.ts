/** Answers from a module's outputs, against `sigmaflow/metrics` with many more draws; what is said of them in words; packed points. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classes, readAnswer, type Answer } from '../../sdk/demo/answer.js';
import { decodeBytes, encodeBytes, fromPlanes, measurementOf, mostNats, packNats, toPlanes, unpackNats, type Measurement } from '../../sdk/demo/contents.js';
import { draws, normalLattice, normalQuantile } from '../../sdk/demo/lattice.js';
import { percent, verdictOf } from '../../sdk/demo/verdict.js';
import { logitUncertainty, softmax, uncertainty } from '../../sdk/metrics/index.js';

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

test('moments: entropies and probabilities as from twenty thousand draws', () => {
  for (let trial = 0; trial < 12; trial++) {
    const mean = Float32Array.from({ length: classes }, () => 8 * next() - 4);
    const variance = Float32Array.from({ length: classes }, () => (trial % 3) * 3 * next() ** 2);
    const found = readAnswer('moments', { mean, variance }, 0);
    const expected = logitUncertainty(mean, variance, { classes, count: 20_000 });
    for (let c = 0; c < classes; c++) {
      near(found.probabilities[c], expected.probabilities[c], 0.012, `probability ${c}`);
      assert.ok(found.low![c] <= found.high![c]);
    }
    near(found.total, expected.predictiveEntropy[0], 0.03, 'total');
    near(found.aleatoric!, expected.softmaxEntropy[0], 0.03, 'aleatoric');
    near(found.epistemic!, expected.mutualInformation[0], 0.02, 'epistemic');
    near(found.total, found.aleatoric! + found.epistemic!, 1e-9, 'the parts add up');
  }
});

test('certain weights leave nothing to be epistemic about', () => {
  const mean = Float32Array.from({ length: classes }, (_, c) => c / 3);
  const found = readAnswer('moments', { mean, variance: new Float32Array(classes) }, 0);
  near(found.epistemic!, 0, 1e-12);
  for (let c = 0; c < classes; c++) near(found.high![c] - found.low![c], 0, 1e-12);
});

test('samples: ranges and entropies of what was drawn, and of no more than that', () => {
  const count = 21;
  const samples = Float32Array.from({ length: 40 * classes }, () => 6 * next());
  const found = readAnswer('sample', { mean: new Float32Array(classes), variance: new Float32Array(classes), draws: samples }, count);
  const each = softmax(samples.subarray(0, count * classes), classes);
  const expected = uncertainty(each, { count, classes });
  near(found.total, expected.predictiveEntropy[0], 1e-12);
  for (let c = 0; c < classes; c++) {
    const sorted = Array.from({ length: count }, (_, s) => each[s * classes + c]).sort((a, b) => a - b);
    assert.equal([found.low![c], found.high![c]], [sorted[1], sorted[19]]);
  }
});

test("a module's own uncertainty head is believed", () => {
  const one = (x: number): Float32Array => Float32Array.of(x);
  const probabilities = new Float32Array(classes).fill(0.1);
  const found = readAnswer('moments', { mean: new Float32Array(classes), variance: new Float32Array(classes).fill(1), probabilities, predictiveEntropy: one(2), softmaxEntropy: one(1.5), mutualInformation: one(0.5) }, 0);
  assert.equal([found.total, found.aleatoric, found.epistemic], [2, 1.5, 0.5]);
  assert.equal(found.probabilities, Array.from(probabilities));
});

test('fixed weights: logits up to a constant, and no parts', () => {
  const probabilities = Float32Array.from(softmax(Array.from({ length: classes }, (_, c) => c / 2), classes));
  const found = readAnswer('mean', { output: probabilities }, 0);
  softmax(found.logits, classes).forEach((p, c) => near(p, probabilities[c], 1e-7));
  near(found.logits.reduce((a, b) => a + b, 0), 0, 1e-5);
  assert.equal([found.aleatoric, found.epistemic, found.low, found.deviations], [undefined, undefined, undefined, undefined]);
  assert.ok(Number.isFinite(readAnswer('mean', { output: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, 0).logits[5]));
});

// ---- Words ----

const measurement: Measurement = { samples: 0, epistemic: 0.2, aleatoric: 0.5, falseAlarms: { epistemic: 0.0117, aleatoric: 0.02 }, count: 10000, points: {} };
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
