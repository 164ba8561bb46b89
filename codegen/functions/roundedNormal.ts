/**
 * `roundedMoments`: mean and variance of a normal variable that is rounded to integers and clipped, as exact sums over the integers,
 * in float64 at compile time. Not here: normal distribution functions as expressions (normal.ts, normalTail.ts).
 */
import { roundHalfEven } from './rounding.js';

/** Beyond this many deviations nothing is left of the distribution in float64. */
const farthest = 39;
/** The upper tail is tabulated so finely that five terms of its series reach float64. */
const spacing = 1 / 64;

let table: { readonly tails: Float64Array; readonly densities: Float64Array } | undefined;

const density = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** Q(z), the probability that a standard normal variable is greater than z; relative error below 1e-9, absolute below 1e-15. */
export function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  if (z >= farthest) return 0;
  table ??= tabulate();
  const nearest = Math.round(z / spacing);
  const at = nearest * spacing;
  const d = z - at;
  // Derivatives of the density are the density times Hermite polynomials.
  const a2 = at * at;
  const series = d * (1 - (d / 2) * (at - (d / 3) * (a2 - 1 - (d / 4) * (at * (a2 - 3) - (d / 5) * (a2 * a2 - 6 * a2 + 3)))));
  return Math.max(0, table.tails[nearest] - table.densities[nearest] * series);
}

function tabulate(): NonNullable<typeof table> {
  const points = Float64Array.from({ length: farthest / spacing + 2 }, (_, i) => i * spacing);
  return { tails: points.map(exactTail), densities: points.map(density) };
}

/** By the series of the distribution function around 0, and further out by Laplace's continued fraction. */
function exactTail(z: number): number {
  if (z > 4) {
    let fraction = z;
    for (let n = 120; n >= 1; n--) fraction = z + n / fraction;
    return density(z) / fraction;
  }
  let [term, sum] = [z, z];
  for (let n = 1; term > sum * 1e-18; n++) {
    term *= (z * z) / (2 * n + 1);
    sum += term;
  }
  return 0.5 - density(z) * sum;
}

/**
 * Mean and variance of min(max(round(x), -greatest), greatest), x normal with this mean and deviation. Rounds to nearest; a tie
 * happens only without deviation, and goes to the even integer.
 */
export function roundedMoments(mean: number, deviation: number, greatest: number): { readonly mean: number; readonly variance: number } {
  const clip = (x: number): number => Math.min(Math.max(x, -greatest), greatest);
  const nearest = clip(roundHalfEven(mean));
  if (deviation === 0) return { mean: nearest, variance: 0 };
  // Distances from the nearest integer, so that nothing cancels: they reach i with the probability of passing the i-th boundary.
  let [first, second] = [0, 0];
  for (const side of [1, -1]) {
    for (let i = 1; Math.abs(nearest + side * i) <= greatest; i++) {
      const boundary = nearest + side * (i - 0.5);
      const probability = upperTail((side * (boundary - mean)) / deviation);
      if (probability === 0) break;
      first += side * probability;
      second += (2 * i - 1) * probability;
    }
  }
  return { mean: nearest + first, variance: Math.max(0, second - first * first) };
}
