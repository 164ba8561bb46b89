/**
 * The arithmetic that may stand for the steps of a requantization: a float32 line, or a 64-bit multiplier and shift. Each is
 * admitted only where it was proved to equal the steps for every accumulator value; the steps (requantization.ts) stay the
 * meaning.
 */
import { roundHalfEven } from '../functions/rounding.js';
import { floorDivide, type Boundary, type MonotoneFunction, type Steps } from './requantization.js';

// ---- The float form ----

/**
 * level = clamp(nearest(f32(f32(f32(acc + bias) * multiplier) + offset)) + centre, base, base + levels), per channel; bias
 * and centre are integers.
 */
export interface ScaleForm {
  readonly bias: Int32Array;
  readonly multiplier: Float32Array;
  readonly offset: Float32Array;
  readonly centre: Int32Array;
}

/**
 * A float form that equals the steps for EVERY accumulator value of the range, or undefined where none was found.
 *
 * The proof covers the whole range without visiting it: conversion to float32, multiplication by a constant and addition
 * of a constant round monotonically, so the form is a monotone function of acc, as the steps are. Two monotone functions
 * with integer values agree everywhere if for every level L the first value at which each reaches L is the same, and that
 * holds if the form is below L at acc = T_L - 1 and at least L at acc = T_L (where these lie in the range). Rounding of
 * accumulators above 2^24 is part of f32(acc).
 *
 * With many levels the rounding of a value far from zero is as coarse as the room that the steps leave. So where the plain
 * form is not found, the levels are taken about their middle, one for all channels or each channel's own, which leaves a
 * quarter of the rounding; and as every bias near the middle rounds in other places, several are tried.
 */
export function scaleForm(f: MonotoneFunction, steps: Steps, boundaries: (channel: number) => readonly Boundary[], firstLevel: number, range: readonly [number, number]): ScaleForm | undefined {
  return scaleFormAbout(0, [0], f, steps, boundaries, firstLevel, range)
    ?? scaleFormAbout(steps.base + (steps.levels >> 1), jitter, f, steps, boundaries, firstLevel, range)
    ?? scaleFormAbout(undefined, jitter, f, steps, boundaries, firstLevel, range);
}

/** Shifts of a bias, in accumulator values. */
const jitter: readonly number[] = Array.from({ length: 65 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 3 * ((i + 1) >> 1));

/** Biases stay small, so that sums with them keep the precision of float32. */
const mostBias = 2 ** 22;

/** `about`: the centre; undefined where every channel has its own. */
function scaleFormAbout(about: number | undefined, shifts: readonly number[], f: MonotoneFunction, steps: Steps, boundaries: (channel: number) => readonly Boundary[], firstLevel: number, range: readonly [number, number]): ScaleForm | undefined {
  const bias = new Int32Array(steps.channels);
  const multiplier = new Float32Array(steps.channels);
  const offset = new Float32Array(steps.channels);
  const centres = new Int32Array(steps.channels);
  for (let c = 0; c < steps.channels; c++) {
    const direction = steps.directions[c];
    const [least, greatest] = direction > 0 ? range : [-range[1], -range[0]];
    const sides = twoSides(steps, c, least, greatest);
    const first = boundaries(c)[0];
    const middle = middleStep(sides, least, greatest) ?? { at: 0, level: steps.base };
    const centre = about ?? middle.level;
    let found: Line | undefined;
    if (isConstant(sides, least, greatest)) found = { bias: 0, multiplier: 0, offset: steps.base + sides.filter((s) => s.reach).length - centre };
    for (const p of f.pieces) {
      const scale = Math.abs(p.scale[c]);
      const start = p.offset[c] + (firstLevel - 0.5 - first.at) - centre;
      if (found || !(scale > 0)) continue;
      // Products are small about the middle of the steps.
      const near = shifts.length > 1 ? -middle.at : 0;
      if (Math.abs(near) > mostBias) continue;
      const best = shifts.length > 1 ? fround(roomiest(sides, scale)) : scale;
      for (const shift of shifts) {
        found ??= searchScale(sides, scale, start, near + shift, centre) ?? (best === scale ? undefined : searchScale(sides, best, start, near + shift, centre));
        if (found) break;
      }
    }
    if (!found) return undefined;
    bias[c] = direction * found.bias;
    multiplier[c] = direction * found.multiplier;
    offset[c] = found.offset;
    centres[c] = centre;
  }
  return { bias, multiplier, offset, centre: centres };
}

/** value = f32(f32(at + bias) * multiplier) + offset */
interface Line {
  readonly bias: number;
  readonly multiplier: number;
  readonly offset: number;
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

function agrees(sides: readonly Side[], { bias, multiplier, offset }: Line, centre: number): boolean {
  return sides.every((s) => roundHalfEven(fround(fround(fround(s.at + bias) * multiplier) + offset)) + centre >= s.level === s.reach);
}

function middleStep(sides: readonly Side[], least: number, greatest: number): Side | undefined {
  const inner = sides.filter((s) => s.at !== (s.reach ? least : greatest));
  return inner[inner.length >> 1];
}

/** Between what the real-valued offset of a line must lie. */
function room(sides: readonly Side[], slope: (at: number) => number): readonly [number, number] {
  let below = -Infinity;
  let above = Infinity;
  for (const s of sides) {
    const o = s.level - slope(s.at);
    if (s.reach) below = Math.max(below, o);
    else above = Math.min(above, o);
  }
  return [below, above];
}

/** The slope near `scale` whose offset has most room: the room is a concave function of the slope. */
function roomiest(sides: readonly Side[], scale: number): number {
  const width = (m: number): number => {
    const [below, above] = room(sides, (at) => at * m);
    return above - below;
  };
  let [low, high] = [scale * (1 - 2 ** -10), scale * (1 + 2 ** -10)];
  for (let i = 0; i < 40; i++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (width(a) < width(b)) low = a;
    else high = b;
  }
  return (low + high) / 2;
}

/** Tries the constants as they are, then the offset in the middle of what is feasible, for multipliers nearby. */
function searchScale(sides: readonly Side[], scale: number, offset: number, bias: number, centre: number): Line | undefined {
  if (!Number.isFinite(scale) || !Number.isFinite(offset) || scale === 0) return undefined;
  const given = { bias, multiplier: scale, offset: fround(offset - bias * scale) };
  if (agrees(sides, given, centre)) return given;
  for (const ulps of [0, 1, -1, 2, -2, 4, -4]) {
    const multiplier = fround(scale * (1 + ulps * 2 ** -23));
    // The rounding of sums moves the ends a little.
    let [below, above] = room(sides, (at) => centre + 0.5 + fround(fround(at + bias) * multiplier));
    if (below === -Infinity) below = above - 0.5;
    if (above === Infinity) above = below + 0.5;
    for (const part of [0.5, 0.25, 0.75, 0.1, 0.9]) {
      const line = { bias, multiplier, offset: fround(below + (above - below) * part) };
      if (agrees(sides, line, centre)) return line;
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
  return shiftFormOf(30, f, steps, range);
}

/** The same with multipliers of as few bits as agree: those of one and of two DSP blocks (17 and 24 bits) are tried early. */
export function leastShiftForm(f: MonotoneFunction, steps: Steps, range: readonly [number, number]): ShiftForm | undefined {
  for (const bits of [8, 12, 15, 17, 20, 22, 24, 27, 30]) {
    const form = shiftFormOf(bits, f, steps, range);
    if (form) return form;
  }
  return undefined;
}

/** `bits`: of the largest multiplier. */
function shiftFormOf(bits: number, f: MonotoneFunction, steps: Steps, range: readonly [number, number]): ShiftForm | undefined {
  const scales = Float64Array.from({ length: steps.channels }, (_, c) => f.pieces.reduce((s, p) => Math.max(s, Math.abs(p.scale[c])), 0));
  const largest = scales.reduce((a, b) => Math.max(a, b));
  const shift = largest > 0 ? Math.min(bits - 1 - Math.floor(Math.log2(largest)), 61) : 61;
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
    const idle = 2 ** Math.min(shift - 2 - Math.ceil(Math.log2(magnitude + 1)), bits - 1);
    const exact = scales[c] * 2 ** shift;
    let found = integerLine(sides, BigInt(isConstant(sides, least, greatest) ? Math.floor(idle) : Math.round(exact)), shift);
    if (!found && exact > 0) {
      const best = Math.round(roomiest(sides, scales[c]) * 2 ** shift);
      for (const i of [0, 1, -1, 2, -2]) found ??= integerLine(sides, BigInt(best + i), shift);
    }
    if (!found) return undefined;
    const { m, sum } = found;
    const quotient = floorDivide(sum, m);
    if (BigInt(magnitude) + (quotient < 0n ? -quotient : quotient) >= 1n << 31n) return undefined;
    multiplier[c] = direction * Number(m);
    bias[c] = direction * Number(quotient);
    remainder[c] = Number(sum - quotient * m);
  }
  return { multiplier, bias, remainder, shift };
}

/** The sum bias * m + remainder in the middle of what the sides leave; undefined where they leave nothing. */
function integerLine(sides: readonly Side[], m: bigint, shift: number): { m: bigint; sum: bigint } | undefined {
  if (m <= 0n) return undefined;
  let below: bigint | undefined;
  let above: bigint | undefined;
  for (const s of sides) {
    const bound = (BigInt(s.level) << BigInt(shift)) - BigInt(s.at) * m;
    if (s.reach) below = below === undefined || bound > below ? bound : below;
    else above = above === undefined || bound - 1n < above ? bound - 1n : above;
  }
  below ??= above ?? 0n;
  above ??= below;
  return below > above ? undefined : { m, sum: below + (above - below) / 2n };
}
