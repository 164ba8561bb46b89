/**
 * Codes of posteriors, and the scales that they are counted in: means uniform and symmetric, deviations powers of two. All is known at
 * compile time; nothing depends on a draw. Not here: which weights get codes (quantizePosterior.ts).
 */
import { roundHalfEven } from '../../functions/rounding.js';
import { upperTail } from '../../functions/roundedNormal.js';

/**
 * How the greatest value that has a code is found: the greatest there is, a percentile (of 100) of the magnitudes, or the one of least
 * mean squared error, in which every weight's error counts in multiples of its own standard deviation: what the posterior leaves open
 * may be rounded, what it is sure of may not.
 */
export type Clip = 'max' | 'mse' | { readonly percentile: number };

// ---- Uniform codes ----

/** Codes are -greatest .. greatest. */
export const greatestUniform = (bits: number): number => 2 ** (bits - 1) - 1;

/** The nearest multiple of the scale, ties to the even one, clipped. */
export function uniformCode(x: number, scale: number, greatest: number): number {
  return Math.min(Math.max(roundHalfEven(x / scale), -greatest), greatest) + 0;
}

/** The scale of uniform codes for the means of weights with these deviations; 0 where all are 0. */
export function uniformScale(means: Float64Array, deviations: Float64Array, greatest: number, clip: Clip): number {
  const whole = reachOf(means, clip) / greatest;
  if (clip !== 'mse' || whole === 0) return whole;
  const precision = precisions(deviations);
  return leastScale(whole, (scale) => weightedError(means, precision, scale, greatest));
}

/** The squared errors of means in such codes, in multiples of their deviations. */
export function uniformError(means: Float64Array, deviations: Float64Array, scale: number, greatest: number): number {
  return weightedError(means, precisions(deviations), scale, greatest);
}

function weightedError(means: Float64Array, precision: Float64Array, scale: number, greatest: number): number {
  let sum = 0;
  means.forEach((m, i) => { sum += precision[i] * (m - uniformCode(m, scale, greatest) * scale) ** 2; });
  return sum;
}

/**
 * The scale of uniform codes for draws from normal distributions: by maximum, codes reach the mean and three deviations of every weight;
 * else each weight counts as 64 equally probable values.
 */
export function drawnScale(means: Float64Array, deviations: Float64Array, greatest: number, clip: Clip): number {
  const most = means.reduce((a, m, i) => Math.max(a, Math.abs(m) + 3 * deviations[i]), 0);
  if (clip === 'max' || most === 0) return most / greatest;
  const counts = new Float64Array(bins + 1);
  const share = clip === 'mse' ? precisions(deviations) : undefined;
  means.forEach((m, i) => {
    for (const z of quantiles()) counts[Math.min(bins, Math.round((Math.abs(m + z * deviations[i]) / most) * bins))] += share?.[i] ?? 1;
  });
  if (clip !== 'mse') {
    let left = (means.length * points * clip.percentile) / 100;
    const bin = counts.findIndex((n) => (left -= n) <= 0);
    return (Math.max(1, bin) * most) / bins / greatest;
  }
  return leastScale(most / greatest, (scale) => {
    let sum = 0;
    for (let b = 0; b <= bins; b++) {
      const x = (b * most) / bins;
      sum += counts[b] * (x - uniformCode(x, scale, greatest) * scale) ** 2;
    }
    return sum;
  });
}

/** One over the variances, with a floor for those that are next to nothing beside the greatest. */
function precisions(deviations: Float64Array): Float64Array {
  const greatest = deviations.reduce((a, b) => Math.max(a, b), 0);
  return deviations.map((s) => (greatest === 0 ? 1 : 1 / (s * s + (greatest * leastDeviation) ** 2)));
}

const leastDeviation = 1e-3;
const bins = 4096;
const points = 64;
let known: readonly number[] | undefined;

/** Values of a standard normal variable in the middle of equally probable intervals. */
function quantiles(): readonly number[] {
  known ??= Array.from({ length: points }, (_, i) => {
    let [lo, hi] = [-8, 8];
    while (hi - lo > 1e-12) {
      const middle = (lo + hi) / 2;
      if (1 - upperTail(middle) < (i + 0.5) / points) lo = middle;
      else hi = middle;
    }
    return lo;
  });
  return known;
}

/** The best of a tenth of the whole scale to the whole of it, then of its neighbours. */
function leastScale(whole: number, errorOf: (scale: number) => number): number {
  let [best, least] = [whole, Infinity];
  const attempt = (scale: number): void => {
    const error = errorOf(scale);
    if (error < least) [best, least] = [scale, error];
  };
  for (let k = 40; k >= 4; k--) attempt((whole * k) / 40);
  const near = best;
  for (let k = -7; k <= 7; k++) attempt(near * (1 + k / 320));
  return best;
}

/** The greatest magnitude that is to have a code. */
function reachOf(values: Float64Array, clip: Clip): number {
  const magnitudes = values.map(Math.abs);
  if (typeof clip === 'string') return magnitudes.reduce((a, b) => Math.max(a, b), 0);
  const sorted = magnitudes.sort();
  return sorted[Math.max(0, Math.ceil((sorted.length * clip.percentile) / 100) - 1)];
}

// ---- Powers of two ----

/** The greatest code k: it stands for the scale, and each one less for half as much. More than 32 codes would reach beyond float32. */
export const greatestPower = (bits: number): number => Math.min(2 ** bits - 1, 31);

/** The power of two nearest to x > 0 in its logarithm: from sqrt(2) 2^e on it is e + 1. */
export function nearestExponent(x: number): number {
  let e = Math.floor(Math.log2(x));
  while (2 ** e > x) e--;
  while (2 ** (e + 1) <= x) e++;
  const mantissa = x / 2 ** e;
  return mantissa * mantissa >= 2 ? e + 1 : e;
}

/** The code of a deviation. With `hasZero` code 0 is zero, which no other deviation gets; else it is the least power. */
export function powerCode(deviation: number, scale: number, greatest: number, hasZero: boolean): number {
  if (deviation === 0) return 0;
  return Math.min(Math.max(greatest + nearestExponent(deviation / scale), hasZero ? 1 : 0), greatest);
}

/** What a code stands for. */
export function powerValue(code: number, scale: number, greatest: number, hasZero: boolean): number {
  return hasZero && code === 0 ? 0 : scale * 2 ** (code - greatest);
}

/** The exponent of the greatest power that deviations get, in multiples of `unit`. */
export function powerReach(deviations: Float64Array, greatest: number, clip: Clip, hasZero: boolean): number {
  const reach = reachOf(deviations, clip);
  if (reach === 0) return 0;
  const top = nearestExponent(reach);
  if (clip !== 'mse') return top;
  let [best, least] = [top, Infinity];
  for (let e = top; e > top - greatest; e--) {
    const error = deviations.reduce((sum, s) => sum + (s - powerValue(powerCode(s, 2 ** e, greatest, hasZero), 2 ** e, greatest, hasZero)) ** 2, 0);
    if (error < least) [best, least] = [e, error];
  }
  return best;
}
