/**
 * Ranges, codes and weight scales against what sorting and dense searches over the values themselves give (float64, written
 * here, independent of histograms and candidates).
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeConstant } from '../../codegen/ir/graph.js';
import { chooseRange, codeRange, codesFor, countInto, emptyHistogram, quantizeValue, widen, type Codes, type Observed } from '../../codegen/passes/quantizeRanges.js';
import { weightScales } from '../../codegen/passes/quantizeWeights.js';
import { Random } from '../support/random.js';

const random = new Random(11);
const normal = (): number => Array.from({ length: 12 }, () => random.next()).reduce((a, b) => a + b, -6);
const samples = (count: number, draw: () => number): Float32Array => Float32Array.from({ length: count }, draw);

/** Distributions as networks have them: after a Relu, around 0, lopsided, heavy tails, pixels. */
const distributions: Readonly<Record<string, Float32Array>> = {
  relu: samples(3000, () => Math.max(0, normal())),
  normal: samples(3000, normal),
  lopsided: samples(3000, () => Math.max(-0.3, normal() * 2)),
  tails: samples(3000, () => -Math.log(1 - random.next()) * (random.chance(0.5) ? 1 : -1) * (random.chance(0.01) ? 5 : 1)),
  pixels: samples(3000, () => (random.chance(0.6) ? 0 : random.integer(0, 255) / 255)),
  negative: samples(3000, () => -1 - random.next()),
};

function observe(...parts: readonly Float32Array[]): Observed {
  let seen: Observed | undefined;
  for (const data of parts) seen = widen(seen, data);
  const observed = { ...seen!, histogram: emptyHistogram() };
  for (const data of parts) countInto(observed, data);
  return observed;
}

/** Codes by their definition, on one value. */
function rounded({ scale, zeroPoint, signed, bits }: Codes, x: number): number {
  const [least, greatest] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  return (Math.min(Math.max(Math.round(x / scale) + zeroPoint, least), greatest) - zeroPoint) * scale;
}

const meanSquare = (data: Float32Array, q: (x: number) => number): number => data.reduce((sum, x) => sum + (x - q(x)) ** 2, 0) / data.length;

test('extremes and histograms do not depend on how the values are cut into batches', () => {
  const { tails } = distributions;
  const whole = observe(tails);
  const parts = observe(tails.subarray(0, 777), tails.subarray(777, 778), tails.subarray(778));
  assert.equal(parts, whole);
  assert.is(whole.histogram!.counts.reduce((a, b) => a + b), tails.length);
  assert.equal([whole.min, whole.max], [tails.reduce((a, b) => Math.min(a, b)), tails.reduce((a, b) => Math.max(a, b))]);
  assert.ok(Number.isNaN(widen(whole, [1, NaN, 2]).max));
});

test('a range by max holds every value and 0', () => {
  for (const data of Object.values(distributions)) {
    const [low, high] = chooseRange(observe(data), 8, 'max', 100);
    assert.ok(low <= 0 && high >= 0 && data.every((x) => x >= low && x <= high));
    const codes = codesFor(low, high, 8);
    data.forEach((x) => assert.ok(Math.abs(rounded(codes, x) - x) <= codes.scale * 0.5000001, `${x}`));
  }
});

test('a range by percentile leaves out as many values as said, by sorting', () => {
  for (const [name, data] of Object.entries(distributions)) {
    const seen = observe(data);
    const bin = (seen.max - seen.min) / seen.histogram!.counts.length;
    const beyond = (x: number): number => data.reduce((n, y) => n + (y > x ? 1 : 0), 0);
    const below = (x: number): number => data.reduce((n, y) => n + (y < x ? 1 : 0), 0);
    for (const percentile of [99.9, 99, 90]) {
      const [low, high] = chooseRange(seen, 8, 'percentile', percentile);
      const outside = (data.length * (100 - percentile)) / 100;
      const top = seen.min >= 0 ? outside : outside / 2;
      // the budget lies between what is outside by a bin more and by a bin less
      if (high > 0) assert.ok(beyond(high + bin) <= top && beyond(high - bin) >= top, `${name} ${percentile}: ${high}`);
      if (seen.min >= 0) assert.is(low, 0);
      else assert.ok(below(low - bin) <= top && below(low + bin) >= top, `${name} ${percentile}: ${low}`);
    }
    assert.equal(chooseRange(seen, 8, 'percentile', 100).map((x) => Math.fround(x)), chooseRange(seen, 8, 'max', 100).map((x) => Math.fround(x)), name);
  }
});

test('a range by mse has the least squared error of a dense search, within two per cent', () => {
  for (const [name, data] of Object.entries(distributions)) {
    const seen = observe(data);
    for (const bits of [2, 4, 7, 8]) {
      const codes = codesFor(...chooseRange(seen, bits, 'mse', 100), bits);
      const found = meanSquare(data, (x) => rounded(codes, x));
      let best = Infinity;
      for (let k = 1; k <= 120; k++) {
        const part = k / 120;
        for (const [low, high] of [[seen.min * part, seen.max * part], [Math.max(seen.min, -seen.max * part), seen.max * part], [seen.min, seen.max * part]]) {
          const candidate = codesFor(low, high, bits);
          best = Math.min(best, meanSquare(data, (x) => rounded(candidate, x)));
        }
      }
      assert.ok(found <= best * 1.02 + 1e-12, `${name} ${bits} bits: ${found} for ${best}`);
    }
  }
});

test('codes: 0 is exact, unsigned without zero point where nothing is negative, even zero points', () => {
  for (const [low, high, signed] of [[0, 6, false], [-1, 1, true], [-3, 2.9, true], [-0.2, 6, false], [-6, 0.1, false], [-5, 0, false], [0, 0, false], [-1e-9, 1, false]] as const) {
    for (const bits of [2, 4, 7, 8]) {
      const codes = codesFor(low, high, bits);
      const [least, greatest] = codeRange(codes);
      assert.is(greatest - least, 2 ** bits - 1);
      if (bits > 2) assert.is(codes.signed, signed, `${low} ${high}`);
      assert.is(codes.zeroPoint % 2, 0);
      assert.is(quantizeValue(codes, 0), 0);
      if (low >= 0) assert.is(codes.zeroPoint, 0);
      for (const x of [low, high, (low + high) / 2]) assert.ok(Math.abs(quantizeValue(codes, x) - x) <= codes.scale * 0.5000001, `${x} as ${quantizeValue(codes, x)} of ${JSON.stringify(codes)}`);
    }
  }
  assert.equal(codeRange(codesFor(0, 3, 7)), [0, 127]);
  assert.ok(codesFor(-1, 1, 8, 0.5).scale >= 0.5);
});

test('weight scales: one a channel, none worse than the greatest weight gives, near a dense search', () => {
  const [channels, inner] = [6, 90];
  const weights = Float32Array.from({ length: channels * inner }, (_, i) => normal() * 10 ** (Math.floor(i / inner) - 3));
  weights.fill(0, 2 * inner, 3 * inner);
  for (const bits of [2, 3, 4, 5, 8]) {
    const scales = weightScales(makeConstant('float32', [channels, 9, 10], weights), 0, bits);
    const greatest = 2 ** (bits - 1) - 1;
    const errorOf = (row: Float32Array, scale: number): number => row.reduce((sum, x) => sum + (x - Math.min(Math.max(Math.round(x / scale), -greatest), greatest) * scale) ** 2, 0);
    for (let c = 0; c < channels; c++) {
      const row = weights.subarray(c * inner, (c + 1) * inner);
      const whole = row.reduce((a, b) => Math.max(a, Math.abs(b)), 0) / greatest;
      if (whole === 0) {
        assert.ok(scales[c] > 0 && Number.isFinite(scales[c]));
        continue;
      }
      const dense = Array.from({ length: 900 }, (_, k) => errorOf(row, (whole * (k + 100)) / 1000)).reduce((a, b) => Math.min(a, b));
      const found = errorOf(row, scales[c]);
      assert.ok(found <= errorOf(row, whole) * 1.00001, `${bits} bits, channel ${c}`);
      assert.ok(bits === 8 ? scales[c] === Math.fround(whole) : found <= dense * 1.03, `${bits} bits, channel ${c}: ${found} for ${dense}`);
    }
    // the other axis: rows and columns exchanged
    const turned = new Float32Array(weights.length);
    for (let c = 0; c < channels; c++) for (let i = 0; i < inner; i++) turned[i * channels + c] = weights[c * inner + i];
    assert.equal(weightScales(makeConstant('float32', [inner, channels], turned), 1, bits), scales);
  }
});

test('weight scales have a lower bound, so that a large bias fits the accumulator', () => {
  const scales = weightScales(makeConstant('float32', [2, 1], [1, 1]), 0, 8, (c) => c * 0.5);
  assert.equal([...scales], [Math.fround(1 / 127), 0.5]);
  assert.equal([...weightScales(makeConstant('float32', [2, 2], [0, 0, 0, 0]), 0, 8)], [1, 1]);
});

test.run();
