/**
 * Interval arithmetic on values: between which bounds the result of every operation lies, given those of its operands.
 *
 * Float bounds are exact, since rounding is monotone; `nan` says that NaN is possible. Integer bounds beyond 2^53 are
 * rounded doubles, and `fits` errs on the side of refusing. Indices have their own intervals (indexing.ts).
 */
import { describe } from './datatype.js';
import type { Binary, ElementType, Unary } from './program.js';

export interface ValueRange {
  readonly lo: number;
  readonly hi: number;
  readonly nan: boolean;
}

export function range(lo: number, hi: number, nan = false): ValueRange {
  return { lo, hi, nan };
}

/** All values of a type. */
export function rangeOfType(type: ElementType): ValueRange {
  const { min, max } = describe(type);
  return range(min, max, type === 'float32');
}

export function union(a: ValueRange, b: ValueRange): ValueRange {
  return range(Math.min(a.lo, b.lo), Math.max(a.hi, b.hi), a.nan || b.nan);
}

/** True where every value of an integer range has the type. */
export function fits(v: ValueRange, type: ElementType): boolean {
  const { min, max, bits } = describe(type);
  // the maximum of a wide type is rounded up to a power of two
  return v.lo >= min && (bits > 53 ? v.hi < max : v.hi <= max);
}

const fround = Math.fround;

/** Corners of a product or quotient; NaN at a corner (0 * infinity) widens to everything. */
function corners(f: (x: number, y: number) => number, a: ValueRange, b: ValueRange): ValueRange {
  const c = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)];
  if (c.some(Number.isNaN)) return range(-Infinity, Infinity, true);
  return range(Math.min(...c) + 0, Math.max(...c) + 0, a.nan || b.nan);
}

const contains = (v: ValueRange, x: number): boolean => v.lo <= x && x <= v.hi;
const infinite = (v: ValueRange): boolean => v.lo === -Infinity || v.hi === Infinity;

export function floatBinaryRange(op: Binary, a: ValueRange, b: ValueRange): ValueRange {
  const nan = a.nan || b.nan;
  switch (op) {
    case 'add':
    case 'sub': {
      const s = op === 'add' ? b : range(-b.hi, -b.lo, b.nan);
      const opposite = (a.lo === -Infinity && s.hi === Infinity) || (a.hi === Infinity && s.lo === -Infinity);
      const [lo, hi] = [fround(a.lo + s.lo), fround(a.hi + s.hi)];
      return range(Number.isNaN(lo) ? -Infinity : lo, Number.isNaN(hi) ? Infinity : hi, nan || opposite);
    }
    case 'mul':
      if ((contains(a, 0) && infinite(b)) || (contains(b, 0) && infinite(a))) return range(-Infinity, Infinity, true);
      return corners((x, y) => fround(x * y), a, b);
    case 'div':
      if (contains(b, 0) || (infinite(a) && infinite(b))) return range(-Infinity, Infinity, true);
      return corners((x, y) => fround(x / y), a, b);
    case 'min':
      return range(Math.min(a.lo, b.lo), Math.min(a.hi, b.hi), nan);
    case 'max':
      return range(Math.max(a.lo, b.lo), Math.max(a.hi, b.hi), nan);
    default:
      return range(-Infinity, Infinity, true);
  }
}

export function integerBinaryRange(op: Binary, type: ElementType, a: ValueRange, b: ValueRange): ValueRange {
  const all = rangeOfType(type);
  switch (op) {
    case 'add':
      return range(a.lo + b.lo, a.hi + b.hi);
    case 'sub':
      return range(a.lo - b.hi, a.hi - b.lo);
    case 'mul':
      return corners((x, y) => x * y, a, b);
    case 'mulHigh':
      return range(highHalf(a.lo, b.lo), highHalf(a.hi, b.hi));
    case 'mulLow':
      return a.hi * b.hi <= all.hi ? range(a.lo * b.lo, a.hi * b.hi) : all;
    case 'min':
      return range(Math.min(a.lo, b.lo), Math.min(a.hi, b.hi));
    case 'max':
      return range(Math.max(a.lo, b.lo), Math.max(a.hi, b.hi));
    case 'and':
      // with a mask that is not negative the result lies below it
      if (a.lo >= 0 && b.lo >= 0) return range(0, Math.min(a.hi, b.hi, all.hi));
      if (b.lo >= 0 && b.hi <= all.hi) return range(0, b.hi);
      if (a.lo >= 0 && a.hi <= all.hi) return range(0, a.hi);
      return all;
    case 'or':
    case 'xor': {
      const most = 2 ** Math.ceil(Math.log2(Math.max(a.hi, b.hi) + 1)) - 1;
      return a.lo >= 0 && b.lo >= 0 && most <= all.hi ? range(0, most) : all;
    }
    case 'shl': {
      const s = corners((x, y) => x * 2 ** y, a, b);
      return s.lo >= all.lo && s.hi <= all.hi ? s : all;
    }
    case 'shr':
      // an operand outside the type wraps before it is shifted
      if (!(a.lo >= all.lo && a.hi <= all.hi)) return all;
      return corners((x, y) => Math.floor(x / 2 ** y), a, b);
    case 'div':
      return all;
  }
}

/** The high 32 bits of a product of two integers of 0 .. 2^32 - 1. */
export function highHalf(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  return aHigh * bHigh + Math.floor((middle + aLow * bHigh) / 0x10000);
}

export function unaryRange(op: Unary, a: ValueRange): ValueRange {
  switch (op) {
    case 'neg':
      return range(-a.hi + 0, -a.lo + 0, a.nan);
    case 'abs': {
      const most = Math.max(Math.abs(a.lo), Math.abs(a.hi));
      return range(contains(a, 0) ? 0 : Math.min(Math.abs(a.lo), Math.abs(a.hi)), most, a.nan);
    }
    case 'sqrt':
      return range(fround(Math.sqrt(Math.max(a.lo, 0))), fround(Math.sqrt(Math.max(a.hi, 0))), a.nan || a.lo < 0);
    case 'floor':
      return range(Math.floor(a.lo), Math.floor(a.hi), a.nan);
    case 'nearest':
      // one more than needed at ties, never less
      return range(Math.ceil(a.lo - 0.5), Math.floor(a.hi + 0.5), a.nan);
    case 'popcount':
      return range(0, 64);
  }
}

/** float32 to integer: truncated, clamped to the type, NaN to 0. */
export function saturatedRange(a: ValueRange, type: ElementType): ValueRange {
  const { min, max } = describe(type);
  const clamp = (x: number): number => Math.min(Math.max(Math.trunc(x), min), max) + 0;
  const [lo, hi] = [clamp(a.lo), clamp(a.hi)];
  return a.nan ? range(Math.min(lo, 0), Math.max(hi, 0)) : range(lo, hi);
}
