/**
 * Requantization against a brute-force evaluation in rational numbers, at every accumulator value. The evaluation here
 * rounds by the definition of each mode and knows nothing of boundaries.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { roundHalfEven, roundingModes, type RoundingMode } from '../../codegen/functions/rounding.js';
import { exactSteps, levelBoundary, type Boundary, type MonotoneFunction, type Steps } from '../../codegen/passes/requantization.js';
import { leastShiftForm, scaleForm, shiftForm, type ScaleForm, type ShiftForm } from '../../codegen/passes/requantizationForms.js';

// ---- The independent evaluation: numbers are n / 2^bits ----

const bits = 320n;
const one = 1n << bits;

/** A finite float64 as a multiple of 2^-bits (exact for all numbers used here). */
function rational(x: number): bigint {
  let shift = 0n;
  while (!Number.isInteger(x)) {
    x *= 2;
    shift++;
  }
  return (BigInt(x) << bits) >> shift;
}

const floor = (x: bigint): bigint => x >> bits; // arithmetic shift: towards minus infinity
const ceil = (x: bigint): bigint => -(-x >> bits);
const absolute = (x: bigint): bigint => (x < 0n ? -x : x);

function round(mode: RoundingMode, x: bigint): bigint {
  const sign = x < 0n ? -1n : 1n;
  switch (mode) {
    case 'CEIL':
      return ceil(x);
    case 'FLOOR':
      return floor(x);
    case 'UP':
      return sign * ceil(absolute(x));
    case 'DOWN':
      return sign * floor(absolute(x));
    case 'HALF_UP':
      return sign * floor(absolute(x) + one / 2n);
    case 'HALF_DOWN':
      return sign * ceil(absolute(x) - one / 2n);
    default: {
      const below = floor(x);
      const twice = 2n * (x - below * one);
      if (twice !== one) return twice < one ? below : below + 1n;
      return below % 2n === 0n ? below : below + 1n;
    }
  }
}

interface Case {
  readonly f: MonotoneFunction;
  readonly mode: RoundingMode;
  readonly min: number;
  readonly max: number;
  readonly range: readonly [number, number];
}

function bruteForce({ f, mode, min, max }: Case, c: number, acc: number): number {
  const values = f.pieces.map((p) => rational(p.scale[c]) * BigInt(acc) + rational(p.offset[c]));
  let u = values.reduce((a, b) => (f.combine === 'max' ? (a > b ? a : b) : a < b ? a : b));
  if (f.low[c] !== -Infinity && u < rational(f.low[c])) u = rational(f.low[c]);
  if (f.high[c] !== Infinity && u > rational(f.high[c])) u = rational(f.high[c]);
  const clamped = u < BigInt(min) * one ? BigInt(min) * one : u > BigInt(max) * one ? BigInt(max) * one : u;
  return Number(round(mode, clamped));
}

// ---- The forms, as the operator Requantize defines them ----

function bySteps(s: Steps, c: number, acc: number): number {
  return s.base + s.thresholds.subarray(c * s.levels, (c + 1) * s.levels).filter((t) => acc * s.directions[c] >= t).length;
}

const clamp = (x: number, s: Steps): number => Math.min(Math.max(x, s.base), s.base + s.levels);

function byScale(form: ScaleForm, s: Steps, c: number, acc: number): number {
  const product = Math.fround(Math.fround(acc + form.bias[c]) * form.multiplier[c]);
  return clamp(roundHalfEven(Math.fround(product + form.offset[c])) + form.centre[c], s);
}

function byShift(form: ShiftForm, s: Steps, c: number, acc: number): number {
  const sum = (BigInt(acc) + BigInt(form.bias[c])) * BigInt(form.multiplier[c]) + BigInt(form.remainder[c]);
  assert.ok(BigInt.asIntN(64, sum) === sum, 'the integer form fits 64 bits');
  return clamp(Number(sum >> BigInt(form.shift)), s);
}

function boundariesOf(mode: RoundingMode, min: number, max: number): readonly Boundary[] {
  return Array.from({ length: max - min }, (_, i) => levelBoundary(mode, min + 1 + i));
}

const tally = { cases: 0, values: 0, scale: 0, shift: 0, shorter: 0, ties: 0 };

function check(it: Case): void {
  const { f, mode, min, max, range } = it;
  const boundaries = boundariesOf(mode, min, max);
  const steps = exactSteps(f, () => boundaries, min, range);
  const scale = scaleForm(f, steps, () => boundaries, min + 1, range);
  const shift = shiftForm(f, steps, range);
  const least = leastShiftForm(f, steps, range);
  assert.ok(!shift || least, 'fewer bits are tried before all of them');
  if (least && shift && least.shift < shift.shift) tally.shorter++;
  tally.cases++;
  if (scale) tally.scale++;
  if (shift) tally.shift++;
  for (let c = 0; c < f.channels; c++) {
    const row = steps.thresholds.subarray(c * steps.levels, (c + 1) * steps.levels);
    assert.ok(row.every((t, j) => j === 0 || row[j - 1] <= t), 'thresholds ascend');
    const ends = steps.directions[c] > 0 ? range : [-range[1], -range[0]];
    assert.ok(row.every((t) => t >= ends[0] && t <= ends[1] + 1), 'thresholds lie in the range of the accumulator');
    for (let acc = range[0]; acc <= range[1]; acc++) {
      const expected = bruteForce(it, c, acc);
      const where = () => `${mode} [${min}, ${max}] scales ${f.pieces.map((p) => p.scale[c])} offsets ${f.pieces.map((p) => p.offset[c])} bounds ${f.low[c]}, ${f.high[c]} at ${acc}`;
      if (bySteps(steps, c, acc) !== expected) assert.is(bySteps(steps, c, acc), expected, `thresholds: ${where()}`);
      if (scale && byScale(scale, steps, c, acc) !== expected) assert.is(byScale(scale, steps, c, acc), expected, `scale: ${where()}`);
      if (shift && byShift(shift, steps, c, acc) !== expected) assert.is(byShift(shift, steps, c, acc), expected, `shift: ${where()}`);
      if (least && byShift(least, steps, c, acc) !== expected) assert.is(byShift(least, steps, c, acc), expected, `least shift: ${where()}`);
      const u = f.pieces[0].scale[c] * acc + f.pieces[0].offset[c];
      if (u - Math.floor(u) === 0.5) tally.ties++;
      tally.values++;
    }
  }
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function bounds(bitWidth: number, signed: boolean, narrow: boolean): [number, number] {
  if (signed) return [-(2 ** (bitWidth - 1)) + Number(narrow), 2 ** (bitWidth - 1) - 1];
  return [0, 2 ** bitWidth - 1 - Number(narrow)];
}

const open = (channels: number): Pick<MonotoneFunction, 'low' | 'high'> => ({ low: new Float32Array(channels).fill(-Infinity), high: new Float32Array(channels).fill(Infinity) });

test('every rounding mode, width and sign agrees with rational arithmetic at every accumulator value', () => {
  const next = random(1);
  for (const mode of roundingModes) {
    for (const bitWidth of [1, 2, 3, 4, 5, 8]) {
      for (let repeat = 0; repeat < 6; repeat++) {
        const signed = bitWidth > 1 && next() < 0.5;
        const [min, max] = bounds(bitWidth, signed, bitWidth > 1 && next() < 0.5);
        const zeroPoint = next() < 0.3 ? Math.floor(next() * 5) - 2 : 0;
        const span = 100 + Math.floor(next() * 900);
        const range: [number, number] = [-Math.floor(span * next()), Math.floor(span * next())];
        const channels = 3;
        const scale = Float32Array.from({ length: channels }, () => ((max - min + 1) / span) * (0.3 + 3 * next()) * (next() < 0.3 ? -1 : 1));
        const offset = Float32Array.from({ length: channels }, () => (next() - 0.5) * (max - min) + zeroPoint);
        check({ f: { channels, pieces: [{ scale, offset }], combine: 'max', ...open(channels) }, mode, min, max, range });
      }
    }
  }
});

test('ties: power-of-two scales with offsets on the grid, both signs, every mode', () => {
  const before = tally.ties;
  for (const mode of roundingModes) {
    for (const scale of [0.5, 0.25, 0.125, 1, 2, -0.5, -0.25, 1.5, -1.5]) {
      for (const offset of [0, 0.5, -0.5, 0.25, 1, -3, 3.5]) {
        const f: MonotoneFunction = { channels: 1, pieces: [{ scale: Float32Array.of(scale), offset: Float32Array.of(offset) }], combine: 'max', ...open(1) };
        check({ f, mode, min: -8, max: 7, range: [-70, 71] });
        check({ f, mode, min: 0, max: 14, range: [-9, 64] });
      }
    }
  }
  assert.ok(tally.ties - before > 10000, `only ${tally.ties - before} ties were met`);
});

test('half-to-even ties on a power-of-two scale are met by the float form, not by a shift', () => {
  const f: MonotoneFunction = { channels: 1, pieces: [{ scale: Float32Array.of(0.5), offset: Float32Array.of(0) }], combine: 'max', ...open(1) };
  const boundaries = boundariesOf('ROUND', -8, 7);
  const steps = exactSteps(f, () => boundaries, -8, [-40, 40]);
  assert.equal([...steps.thresholds.slice(6, 11)], [-2, -1, 2, 3, 6]);
  assert.ok(scaleForm(f, steps, () => boundaries, -7, [-40, 40]));
  assert.is(shiftForm(f, steps, [-40, 40]), undefined);
});

test('a scale of zero, of either sign of zero, gives one level a channel', () => {
  const next = random(2);
  for (const mode of roundingModes) {
    const scale = Float32Array.of(0, -0, 0.01, -0.01, 0);
    const offset = Float32Array.of(2.5, -1.5, 0.5, 3, 100 * next());
    check({ f: { channels: 5, pieces: [{ scale, offset }], combine: 'max', ...open(5) }, mode, min: -4, max: 3, range: [-600, 700] });
  }
});

test('Relu, Clip and LeakyRelu between accumulator and quantizer', () => {
  const next = random(3);
  for (let repeat = 0; repeat < 120; repeat++) {
    const mode = roundingModes[repeat % roundingModes.length];
    const [min, max] = bounds(2 + (repeat % 4), next() < 0.6, next() < 0.5);
    const channels = 2;
    const direction = next() < 0.3 ? -1 : 1;
    const slope = [0.1, 0.25, 0, 2][repeat % 4];
    const scale = Float32Array.from({ length: channels }, () => direction * (0.02 + 0.1 * next()));
    const offset = Float32Array.from({ length: channels }, () => (next() - 0.5) * 4);
    const leaky = { scale: scale.map((a) => a * slope), offset: offset.map((a) => a * slope) };
    const low = Float32Array.from({ length: channels }, () => (next() < 0.5 ? -Infinity : Math.round(next() * -6) / 2));
    const high = Float32Array.from({ length: channels }, () => (next() < 0.5 ? Infinity : Math.round(next() * 12) / 2));
    check({ f: { channels, pieces: [{ scale, offset }, leaky], combine: next() < 0.5 ? 'max' : 'min', low, high }, mode, min, max, range: [-150, 160] });
  }
});

test('accumulators beyond 2^24: the float form is proved with the inexact conversion', () => {
  const boundaries = boundariesOf('ROUND', -8, 7);
  const range: [number, number] = [-(2 ** 30), 2 ** 30];
  const next = random(4);
  let admitted = 0;
  for (let repeat = 0; repeat < 60; repeat++) {
    const f: MonotoneFunction = { channels: 1, pieces: [{ scale: Float32Array.of(2 ** -26 * (1 + next())), offset: Float32Array.of(next()) }], combine: 'max', ...open(1) };
    const it: Case = { f, mode: 'ROUND', min: -8, max: 7, range };
    const steps = exactSteps(f, () => boundaries, -8, range);
    const scale = scaleForm(f, steps, () => boundaries, -7, range);
    const shift = shiftForm(f, steps, range);
    assert.ok(shift, 'a 24-bit scale fits the integer form');
    if (scale) admitted++;
    for (const t of steps.thresholds) {
      for (const acc of [t - 70, t - 2, t - 1, t, t + 1, t + 70].filter((a) => a >= range[0] && a <= range[1])) {
        const expected = bruteForce(it, 0, acc);
        assert.is(bySteps(steps, 0, acc), expected);
        assert.is(byShift(shift, steps, 0, acc), expected);
        if (scale) assert.is(byScale(scale, steps, 0, acc), expected);
      }
    }
  }
  assert.ok(admitted < 60, 'at this size some scale must be refused');
});

test('256 levels of a wide accumulator: about a middle level float32 has the bits, and channels of very different scale too', () => {
  const boundaries = boundariesOf('ROUND', 0, 255);
  const next = random(11);
  const range: [number, number] = [-300_000, 300_000];
  let [plain, centred] = [0, 0];
  for (let i = 0; i < 40; i++) {
    const scale = Float32Array.of(0.001 * (1 + next()), 0.002 * (1 + next()), i % 2 === 0 ? 0.00005 * (1 + next()) : 0.02);
    const f: MonotoneFunction = { channels: 3, pieces: [{ scale, offset: scale.map(() => 40 * next() - 10) }], combine: 'max', ...open(3) };
    const it: Case = { f, mode: 'ROUND', min: 0, max: 255, range };
    const steps = exactSteps(f, () => boundaries, 0, range);
    const form = scaleForm(f, steps, () => boundaries, 1, range);
    if (!form) continue;
    if (form.centre.some((l) => l !== 0)) centred++;
    else plain++;
    for (let c = 0; c < 3; c++) {
      for (const t of steps.thresholds.subarray(c * steps.levels, (c + 1) * steps.levels)) {
        for (const acc of [t - 1, t].filter((a) => a >= range[0] && a <= range[1])) assert.is(byScale(form, steps, c, acc), bruteForce(it, c, acc));
      }
    }
  }
  assert.ok(centred >= 10, `${plain} plain and ${centred} centred forms in 40`);
});

test('levels that no channel reaches are dropped', () => {
  const f: MonotoneFunction = { channels: 1, pieces: [{ scale: Float32Array.of(0.5), offset: Float32Array.of(0) }], combine: 'max', low: Float32Array.of(0), high: Float32Array.of(Infinity) };
  const steps = exactSteps(f, () => boundariesOf('FLOOR', -8, 7), -8, [-100, 7]);
  assert.is(steps.base, 0);
  assert.equal([...steps.thresholds], [2, 4, 6]);
});

test('the boundary of a level, and denormal and huge constants', () => {
  const f = (scale: number, offset: number): MonotoneFunction => ({ channels: 1, pieces: [{ scale: Float32Array.of(scale), offset: Float32Array.of(offset) }], combine: 'max', ...open(1) });
  for (const [scale, offset] of [[1e-45, 0.5], [1e-45, 1], [3e38, 0.5], [1e30, -1e30], [2 ** -126, -(2 ** -149)], [0.3, 1e-45]]) {
    for (const mode of roundingModes) check({ f: f(scale, offset), mode, min: -4, max: 3, range: [-50, 50] });
  }
});

test('the forms were admitted often enough to mean something', () => {
  console.log(`requantization: ${tally.cases} cases, ${tally.values} values, ${tally.ties} ties; scale form in ${tally.scale}, shift form in ${tally.shift}`);
  assert.ok(tally.scale > tally.cases / 2);
  assert.ok(tally.shift > tally.cases / 3);
  assert.ok(tally.shorter > tally.shift / 2, `${tally.shorter} of ${tally.shift} shift forms have fewer bits`);
});

test.run();
