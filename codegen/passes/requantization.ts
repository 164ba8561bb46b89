/**
 * Requantization, exactly: the steps at which an integer accumulator moves from one output level to the next. Not here: the
 * arithmetic that may stand for them (requantizationForms.ts), and which nodes of a graph become a requantization
 * (streamlineQuantizers.ts).
 *
 * Meaning. All constants between the accumulator and the quantizer are folded in float64 and rounded once to float32;
 * that gives u(acc) = clamp(max_i or min_i (scale_i * acc + offset_i), low, high), per channel. From there on
 * everything is exact: u is a real number, and the level is decided by the boundaries of the quantizer's rounding mode,
 * ties included. u is monotone, so a channel is one ascending list of least accumulator values, one a boundary, and a
 * direction (-1 where the scales are negative: then the list is about -acc).
 */
import type { RoundingMode } from '../functions/rounding.js';

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
  const [high, low] = [scratch.getUint32(0), scratch.getUint32(4)];
  const biased = (high >>> 20) & 0x7ff;
  const top = (high & 0xfffff) | (biased === 0 ? 0 : 0x100000);
  // Short mantissas keep the products below small.
  const zeros = low !== 0 ? trailingZeros(low) : 32 + trailingZeros(top);
  const mantissa = BigInt((top * 2 ** 32 + low) / 2 ** zeros); // 53 bits: exact
  return { mantissa: x < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075 + zeros };
}

/** Of 32 bits that are not all zero. */
const trailingZeros = (bits: number): number => 31 - Math.clz32(bits & -bits);

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

export function floorDivide(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
}
