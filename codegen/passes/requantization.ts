/**
 * Requantization, exactly: the steps at which an integer accumulator moves from one output level to the next, and the
 * float form that may stand for them. Not here: which nodes of a graph become a requantization (see streamline.ts).
 *
 * Meaning. All constants between the accumulator and the quantizer are folded in float64 and rounded once to float32;
 * that gives u(acc) = clamp(max_i or min_i (scale_i * acc + offset_i), low, high), per channel. From there on
 * everything is exact: u is a real number, and the level is decided by the boundaries of the quantizer's rounding mode,
 * ties included. u is monotone, so a channel is one ascending list of least accumulator values, one a boundary, and a
 * direction (-1 where the scales are negative: then the list is about -acc).
 */
import { roundHalfEven, type RoundingMode } from '../functions/rounding.js';

/** Holds where u >= at; where u > at, if strict. */
export interface Boundary {
  readonly at: number;
  readonly strict: boolean;
}

/**
 * The boundary between `level` - 1 and `level`: round(u) >= level holds exactly where the boundary holds.
 *
 *   mode              level >= 1         level <= 0
 *   ROUND, HALF_EVEN  u >= level - 1/2 where level is even (the tie goes to it), u > level - 1/2 where it is odd
 *   CEIL              u > level - 1      u > level - 1
 *   FLOOR             u >= level         u >= level
 *   UP (from zero)    u > level - 1      u >= level
 *   DOWN (to zero)    u >= level         u > level - 1
 *   HALF_UP           u >= level - 1/2   u > level - 1/2     (ties away from zero)
 *   HALF_DOWN         u > level - 1/2    u >= level - 1/2    (ties towards zero)
 */
export function levelBoundary(mode: RoundingMode, level: number): Boundary {
  const positive = level >= 1;
  switch (mode) {
    case 'ROUND':
    case 'HALF_EVEN':
      return { at: level - 0.5, strict: level % 2 !== 0 };
    case 'CEIL':
      return { at: level - 1, strict: true };
    case 'FLOOR':
      return { at: level, strict: false };
    case 'UP':
      return positive ? { at: level - 1, strict: true } : { at: level, strict: false };
    case 'DOWN':
      return positive ? { at: level, strict: false } : { at: level - 1, strict: true };
    case 'HALF_UP':
      return { at: level - 0.5, strict: !positive };
    case 'HALF_DOWN':
      return { at: level - 0.5, strict: positive };
  }
}

/** u as a function of the accumulator; arrays have one element a channel, float32 values. */
export interface MonotoneFunction {
  readonly channels: number;
  /** At least one; within a channel no two scales have opposite signs. */
  readonly pieces: readonly { readonly scale: Float32Array; readonly offset: Float32Array }[];
  readonly combine: 'max' | 'min';
  /** Bounds of u; -Infinity and Infinity where there are none. */
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** level = base + the number of j with direction * acc >= thresholds[channel * levels + j]. */
export interface Steps {
  readonly channels: number;
  readonly base: number;
  /** Thresholds a channel: levels lie in [base, base + levels]. */
  readonly levels: number;
  /** Ascending within a channel; within [least, greatest + 1] of direction * acc. */
  readonly thresholds: Int32Array;
  /** +1 or -1 a channel. */
  readonly directions: Int32Array;
}

/**
 * The steps of every channel, exactly.
 * @param boundaries ascending, of the levels base + 1, base + 2, ...; the same number for every channel
 * @param range least and greatest accumulator value; both must fit 32 bits with one to spare
 */
export function exactSteps(
  f: MonotoneFunction,
  boundaries: (channel: number) => readonly Boundary[],
  base: number,
  range: readonly [number, number],
): Steps {
  const directions = new Int32Array(f.channels);
  const rows: number[][] = [];
  for (let c = 0; c < f.channels; c++) {
    const direction = f.pieces.some((p) => p.scale[c] < 0) ? -1 : 1;
    const [least, greatest] = direction > 0 ? range : [-range[1], -range[0]];
    const pieces = f.pieces.map((p) => affine(direction * p.scale[c], p.offset[c]));
    const pick = f.combine === 'max' ? Math.min : Math.max;
    directions[c] = direction;
    rows.push(
      boundaries(c).map((b) => {
        if (b.strict ? f.high[c] <= b.at : f.high[c] < b.at) return greatest + 1;
        if (b.strict ? f.low[c] > b.at : f.low[c] >= b.at) return least;
        const t = pieces.map((p) => leastAccumulator(p, b)).reduce((x, y) => pick(x, y));
        return Math.min(Math.max(t, least), greatest + 1);
      }),
    );
  }
  return trim(rows, directions, base, range);
}

/** Drops the levels that no channel reaches, and keeps at least one threshold. */
function trim(rows: readonly number[][], directions: Int32Array, base: number, range: readonly [number, number]): Steps {
  const levels = rows[0].length;
  const always = rows.map((row, c) => row.filter((t) => t <= (directions[c] > 0 ? range[0] : -range[1])).length);
  const reached = rows.map((row, c) => row.filter((t) => t <= (directions[c] > 0 ? range[1] : -range[0])).length);
  const first = Math.min(always.reduce((a, b) => Math.min(a, b)), levels - 1);
  const last = Math.max(reached.reduce((a, b) => Math.max(a, b)), first + 1);
  return {
    channels: rows.length,
    base: base + first,
    levels: last - first,
    thresholds: Int32Array.from(rows.flatMap((row) => row.slice(first, last))),
    directions,
  };
}

// ---- Exact arithmetic on binary floating-point numbers ----

interface Dyadic {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const scratch = new DataView(new ArrayBuffer(8));

/** A finite float64 as mantissa * 2^exponent. */
function dyadic(x: number): Dyadic {
  if (x === 0) return { mantissa: 0n, exponent: 0 };
  scratch.setFloat64(0, x);
  const bits = scratch.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  let mantissa = (bits & 0xfffffffffffffn) | (biased === 0 ? 0n : 0x10000000000000n);
  let exponent = Math.max(biased, 1) - 1075;
  // Short mantissas keep the products below small.
  const zeros = trailingZeros(mantissa);
  mantissa >>= BigInt(zeros);
  exponent += zeros;
  return { mantissa: x < 0 ? -mantissa : mantissa, exponent };
}

function trailingZeros(m: bigint): number {
  let n = 0;
  while ((m & 0xffffn) === 0n) {
    m >>= 16n;
    n += 16;
  }
  while ((m & 1n) === 0n) {
    m >>= 1n;
    n++;
  }
  return n;
}

interface Affine {
  readonly scale: Dyadic;
  readonly offset: Dyadic;
}

function affine(scale: number, offset: number): Affine {
  return { scale: dyadic(scale), offset: dyadic(offset) };
}

/** The least integer acc with scale * acc + offset at or beyond the boundary (scale >= 0); infinite where all or none are. */
function leastAccumulator({ scale, offset }: Affine, b: Boundary): number {
  const at = dyadic(b.at);
  const unit = Math.min(scale.exponent, offset.exponent, at.exponent);
  const raise = (d: Dyadic): bigint => d.mantissa << BigInt(d.exponent - unit);
  const need = raise(at) - raise(offset);
  const step = raise(scale);
  if (step === 0n) return (b.strict ? need < 0n : need <= 0n) ? -Infinity : Infinity;
  const down = floorDivide(need, step);
  return Number(b.strict || down * step !== need ? down + 1n : down);
}

function floorDivide(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
}

// ---- The float form ----

/** level = clamp(nearest(f32(f32(f32(acc) * multiplier) + offset)), base, base + levels), per channel. */
export interface ScaleForm {
  readonly multiplier: Float32Array;
  readonly offset: Float32Array;
}

/**
 * A float form that equals the steps for EVERY accumulator value of the range, or undefined where none was found.
 *
 * The proof covers the whole range without visiting it: conversion to float32, multiplication by a constant and addition
 * of a constant round monotonically, so the form is a monotone function of acc, as the steps are. Two monotone functions
 * with integer values agree everywhere if for every level L the first value at which each reaches L is the same, and that
 * holds if the form is below L at acc = T_L - 1 and at least L at acc = T_L (where these lie in the range). Rounding of
 * accumulators above 2^24 is part of f32(acc).
 */
export function scaleForm(f: MonotoneFunction, steps: Steps, boundaries: (channel: number) => readonly Boundary[], firstLevel: number, range: readonly [number, number]): ScaleForm | undefined {
  const multiplier = new Float32Array(steps.channels);
  const offset = new Float32Array(steps.channels);
  for (let c = 0; c < steps.channels; c++) {
    const direction = steps.directions[c];
    const [least, greatest] = direction > 0 ? range : [-range[1], -range[0]];
    const sides = twoSides(steps, c, least, greatest);
    const first = boundaries(c)[0];
    let found: readonly [number, number] | undefined;
    if (isConstant(sides, least, greatest)) found = [0, steps.base + sides.filter((s) => s.reach).length];
    for (const p of f.pieces) {
      if (found) break;
      found = searchScale(sides, Math.abs(p.scale[c]), p.offset[c] + (firstLevel - 0.5 - first.at));
    }
    if (!found) return undefined;
    multiplier[c] = direction * found[0];
    offset[c] = found[1];
  }
  return { multiplier, offset };
}

/** The form must be at least `level` at acc = `at` (reach), or below it. */
interface Side {
  readonly at: number;
  readonly level: number;
  readonly reach: boolean;
}

function twoSides(steps: Steps, c: number, least: number, greatest: number): Side[] {
  const sides: Side[] = [];
  for (let j = 0; j < steps.levels; j++) {
    const t = steps.thresholds[c * steps.levels + j];
    const level = steps.base + 1 + j;
    if (t > least) sides.push({ at: t - 1, level, reach: false });
    if (t <= greatest) sides.push({ at: t, level, reach: true });
  }
  return sides;
}

/** True where the channel has one level for every accumulator value. */
function isConstant(sides: readonly Side[], least: number, greatest: number): boolean {
  return sides.every((s) => s.at === (s.reach ? least : greatest));
}

const fround = Math.fround;

function agrees(sides: readonly Side[], m: number, o: number): boolean {
  return sides.every((s) => roundHalfEven(fround(fround(fround(s.at) * m) + o)) >= s.level === s.reach);
}

/** Tries the constants as they are, then the offset in the middle of what is feasible, for multipliers nearby. */
function searchScale(sides: readonly Side[], scale: number, offset: number): readonly [number, number] | undefined {
  if (!Number.isFinite(scale) || !Number.isFinite(offset) || scale === 0) return undefined;
  if (agrees(sides, scale, fround(offset))) return [scale, fround(offset)];
  for (const ulps of [0, 1, -1, 2, -2, 4, -4]) {
    const m = fround(scale * (1 + ulps * 2 ** -23));
    let below = -Infinity; // the real-valued feasible interval of the offset; rounding moves its ends a little
    let above = Infinity;
    for (const s of sides) {
      const o = s.level - 0.5 - fround(fround(s.at) * m);
      if (s.reach) below = Math.max(below, o);
      else above = Math.min(above, o);
    }
    if (below === -Infinity) below = above - 0.5;
    if (above === Infinity) above = below + 0.5;
    for (const part of [0.5, 0.25, 0.75, 0.1, 0.9]) {
      const o = fround(below + (above - below) * part);
      if (agrees(sides, m, o)) return [m, o];
    }
  }
  return undefined;
}

// ---- The integer form ----

/**
 * level = clamp(((acc + bias) * multiplier + remainder) >> shift, base, base + levels), per channel, in 64-bit integers;
 * the shift is one for all channels, 0 <= remainder < |multiplier| (0 where the multiplier is 0).
 */
export interface ShiftForm {
  readonly multiplier: Int32Array;
  readonly bias: Int32Array;
  readonly remainder: Int32Array;
  readonly shift: number;
}

/**
 * An integer form that equals the steps for every accumulator value of the range, or undefined where there is none with
 * these multipliers. It is monotone, so the argument of `scaleForm` holds. With the multiplier m fixed, every side of a step
 * bounds the sum bias * m + remainder from below (at least L * 2^shift - T_L * m) or from above, so the decision is exact:
 * the greatest lower bound against the least upper bound. A float32 scale has 24 bits and fits the multiplier, so only
 * ties that round both up and down within one channel, and scales of very different size, defeat it.
 */
export function shiftForm(f: MonotoneFunction, steps: Steps, range: readonly [number, number]): ShiftForm | undefined {
  const scales = Float64Array.from({ length: steps.channels }, (_, c) => f.pieces.reduce((s, p) => Math.max(s, Math.abs(p.scale[c])), 0));
  const largest = scales.reduce((a, b) => Math.max(a, b));
  const shift = largest > 0 ? Math.min(29 - Math.floor(Math.log2(largest)), 61) : 61;
  if (shift < 1) return undefined;
  const multiplier = new Int32Array(steps.channels);
  const bias = new Int32Array(steps.channels);
  const remainder = new Int32Array(steps.channels);
  for (let c = 0; c < steps.channels; c++) {
    const direction = steps.directions[c];
    const [least, greatest] = direction > 0 ? range : [-range[1], -range[0]];
    const magnitude = Math.max(Math.abs(least), Math.abs(greatest));
    const sides = twoSides(steps, c, least, greatest);
    // A channel with one level for all accumulators takes a multiplier too small to leave it.
    const idle = 2 ** Math.min(shift - 2 - Math.ceil(Math.log2(magnitude + 1)), 29);
    const m = BigInt(isConstant(sides, least, greatest) ? Math.floor(idle) : Math.round(scales[c] * 2 ** shift));
    if (m === 0n) return undefined;
    let below: bigint | undefined;
    let above: bigint | undefined;
    for (const s of sides) {
      const bound = (BigInt(s.level) << BigInt(shift)) - BigInt(s.at) * m;
      if (s.reach) below = below === undefined || bound > below ? bound : below;
      else above = above === undefined || bound - 1n < above ? bound - 1n : above;
    }
    below ??= above ?? 0n;
    above ??= below;
    if (below > above) return undefined;
    const sum = below + (above - below) / 2n;
    const quotient = floorDivide(sum, m);
    if (BigInt(magnitude) + (quotient < 0n ? -quotient : quotient) >= 1n << 31n) return undefined;
    multiplier[c] = direction * Number(m);
    bias[c] = direction * Number(quotient);
    remainder[c] = Number(sum - quotient * m);
  }
  return { multiplier, bias, remainder, shift };
}
