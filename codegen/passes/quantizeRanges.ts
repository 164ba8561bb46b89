/**
 * What calibration has seen of a tensor, the range that is chosen from it, and the codes that stand for the range. Plain
 * float64 arithmetic on numbers; no graph here (quantize.ts), and nothing that runs a model.
 */
import { roundHalfEven } from '../functions/rounding.js';

/** How a range is chosen: all that was seen, all but a few per mille of outliers, or least squared error of the codes. */
export const rangeMethods = ['max', 'percentile', 'mse'] as const;
export type RangeMethod = (typeof rangeMethods)[number];

/** What was seen of one tensor in all calibration inputs. */
export interface Observed {
  readonly min: number;
  readonly max: number;
  /** Needed by `percentile` and `mse`. */
  readonly histogram?: Histogram;
}

/** How many values lie in each of the equal bins over [min, max], and their sums: few-valued data keep their values. */
export interface Histogram {
  readonly counts: Float64Array;
  readonly sums: Float64Array;
}

/** Values of a quantizer: code = clamp(round(x / scale + zeroPoint)) in the codes of `bits`; all have one scale. */
export interface Codes {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly signed: boolean;
  readonly bits: number;
}

const bins = 8192;

export const emptyHistogram = (): Histogram => ({ counts: new Float64Array(bins), sums: new Float64Array(bins) });

/** No tensor's range is smaller than this; a tensor of zeros has it. */
const smallestRange = 2 ** -100;

/** The extremes of two observations. NaN stays. */
export function widen(a: Observed | undefined, data: ArrayLike<number>): Observed {
  let min = a?.min ?? Infinity;
  let max = a?.max ?? -Infinity;
  for (let i = 0; i < data.length; i++) {
    const x = data[i];
    if (x < min) min = x;
    if (x > max) max = x;
    if (x !== x) return { min: NaN, max: NaN };
  }
  return { min, max };
}

/** Adds values to a tensor's histogram. */
export function countInto({ min, max, histogram }: Observed, data: ArrayLike<number>): void {
  const { counts, sums } = histogram!;
  const factor = max > min ? bins / (max - min) : 0;
  for (let i = 0; i < data.length; i++) {
    const place = Math.floor((data[i] - min) * factor);
    const bin = place < 0 ? 0 : place >= bins ? bins - 1 : place;
    counts[bin]++;
    sums[bin] += data[i];
  }
}

/** Least and greatest code. */
export function codeRange({ signed, bits }: Codes): readonly [number, number] {
  return signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

/** The value that stands for x. */
export function quantizeValue(codes: Codes, x: number): number {
  const [least, greatest] = codeRange(codes);
  const code = roundHalfEven(Math.min(Math.max(x / codes.scale + codes.zeroPoint, least), greatest));
  return (code - codes.zeroPoint) * codes.scale;
}

/**
 * Codes for a range that holds 0. Unsigned from 0 where the range has no negative values. Else signed around 0, which
 * integer kernels take as they are, unless that would more than double the squared error of what a zero point allows.
 * Zero points are even, so that rounding before and after adding them is the same (QONNX adds first, ONNX rounds first).
 * @param least no scale is smaller than this
 */
export function codesFor(low: number, high: number, bits: number, least = 0): Codes {
  const steps = 2 ** bits - 1;
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const size = Math.max(to - from, smallestRange);
  if (from === 0) return { scale: Math.max(size / steps, least), zeroPoint: 0, signed: false, bits };
  const half = 2 ** (bits - 1);
  const around = Math.max(to / (half - 1), -from / half, smallestRange);
  const between = Math.max(size / steps, least);
  if (around <= between * Math.SQRT2) return { scale: Math.max(around, least), zeroPoint: 0, signed: true, bits };
  const below = -from / between;
  const zeroPoint = Math.min(below > 0.5 ? Math.max(2 * Math.round(below / 2), 2) : 0, steps - 1);
  // An even zero point may leave up to one step of the range outside: the scale makes up for it.
  const scale = Math.max(between, zeroPoint > 0 ? -from / (zeroPoint + 0.5) : 0, to / (steps - zeroPoint + 0.5));
  return { scale, zeroPoint, signed: false, bits };
}

/**
 * The range that a tensor's codes are to cover.
 * @param percentile of the values, 50 to 100, for the method of that name
 */
export function chooseRange(observed: Observed, bits: number, method: RangeMethod, percentile: number): readonly [number, number] {
  const whole = [Math.min(observed.min, 0), Math.max(observed.max, 0)] as const;
  if (method === 'max' || !(observed.max > observed.min)) return whole;
  if (!observed.histogram) throw new TypeError(`ranges by ${method} need histograms`);
  return method === 'percentile' ? percentileRange(observed, percentile) : leastErrorRange(observed, whole, bits);
}

/** All but 100 - percentile per cent of the values: cut at the top where none is negative, else half of them at each end. */
function percentileRange({ min, max, histogram }: Observed, percentile: number): readonly [number, number] {
  const { counts } = histogram!;
  const total = counts.reduce((a, b) => a + b, 0);
  const outside = (total * (100 - percentile)) / 100;
  const width = (max - min) / bins;
  const cut = (from: number, step: number, budget: number): number => {
    let [bin, left] = [from, budget];
    while (left >= counts[bin] && bin + step >= 0 && bin + step < bins) {
      left -= counts[bin];
      bin += step;
    }
    const part = counts[bin] > 0 ? left / counts[bin] : 0; // within a bin values count as evenly spread
    return step > 0 ? min + (bin + part) * width : min + (bin + 1 - part) * width;
  };
  if (min >= 0) return [0, cut(bins - 1, -1, outside)];
  return [Math.min(cut(0, 1, outside / 2), 0), Math.max(cut(bins - 1, -1, outside / 2), 0)];
}

/** Candidates of `mse` shrink the range by the first factor, so often; around the best of them by the second, so often. */
const [coarse, candidates, fine, finer] = [0.97, 130, 0.9975, 61];

/** Squared error of codes, in sum, over values that occur so often. */
function squaredError(values: Float64Array, counts: Float64Array, codes: Codes): number {
  const [least, greatest] = codeRange(codes);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const u = values[i] / codes.scale;
    const code = Math.round(u + codes.zeroPoint);
    const error = (code < least ? least : code > greatest ? greatest : code) - codes.zeroPoint - u;
    sum += counts[i] * error * error;
  }
  return sum * codes.scale ** 2;
}

/** Both ends shrunk together, to equal size, or each by itself. */
function leastErrorRange({ histogram }: Observed, [low, high]: readonly [number, number], bits: number): readonly [number, number] {
  let best: readonly [number, number] = [low, high];
  let error = Infinity;
  // Each bin counts as so many times the mean of its values.
  const counts = histogram!.counts.filter((n) => n > 0);
  const values = histogram!.sums.filter((_, i) => histogram!.counts[i] > 0).map((sum, i) => sum / counts[i]);
  const attempt = (from: number, to: number): void => {
    const e = squaredError(values, counts, codesFor(from, to, bits));
    if (e < error) [best, error] = [[from, to], e];
  };
  const factors = Array.from({ length: candidates }, (_, k) => coarse ** k);
  const near = Array.from({ length: finer }, (_, k) => fine ** (k - (finer - 1) / 2));
  for (const f of factors) attempt(low * f, high * f);
  if (low < 0 && high > 0) {
    const reach = Math.max(-low, high);
    for (const f of factors) attempt(Math.max(low, -reach * f), Math.min(high, reach * f));
    for (const end of [low, best[0]]) for (const f of factors) attempt(end, high * f);
    for (const end of [high, best[1]]) for (const f of factors) attempt(low * f, end);
  }
  const [from, to] = best;
  for (const f of near) attempt(Math.max(from * f, low), Math.min(to * f, high));
  if (low === 0 || high === 0) return best;
  for (const f of near) attempt(best[0], Math.min(to * f, high));
  for (const f of near) attempt(Math.max(from * f, low), best[1]);
  return best;
}
