/** Moments of what is linear in each of two operands: products, matrix products, convolutions. Not here: the operators themselves. */
import { largestSquared } from './square.js';
import type { FragmentBuilder, MomentForm, MomentPair } from './record.js';

/**
 * Mean and variance of a bilinear form of independent x and w, in the expanded form, whose terms are all non-negative:
 * var = E[x^2] var(w) + var(x) E[w]^2; or in the raw form, E[x^2] E[w^2] - E[x]^2 E[w]^2, which loses digits where means are large.
 * `apply` is the form; `spread` the form of squares where it differs.
 */
export function productMoments(build: FragmentBuilder, { products }: MomentForm, x: MomentPair, w: MomentPair, apply: (x: string, w: string) => string, spread = apply): MomentPair {
  const mean = apply(x.mean, w.mean);
  if (x.variance === undefined && w.variance === undefined) return { mean };
  const second = (pair: MomentPair, square: string): string => (pair.variance === undefined ? square : build.node('Add', [square, pair.variance]));
  if (products === 'raw') {
    const [xSquare, wSquare] = [squared(build, x.mean), squared(build, w.mean)];
    const variance = build.node('Sub', [spread(second(x, xSquare), second(w, wSquare)), spread(xSquare, wSquare)]);
    return { mean, variance: build.node('Relu', [variance]) };
  }
  const terms: string[] = [];
  if (w.variance !== undefined) terms.push(spread(second(x, squared(build, x.mean)), w.variance));
  if (x.variance !== undefined) terms.push(spread(x.variance, squared(build, w.mean)));
  return { mean, variance: terms.length === 1 ? terms[0] : build.node('Add', terms) };
}

/** x^2, finite for every finite x: infinity times a variance of 0 would be NaN. */
export function squared(build: FragmentBuilder, value: string): string {
  const square = build.node('Square', [value]);
  const { constant } = build.info(value);
  if (constant?.data.every((x) => Math.abs(x) <= largestSquared)) return square;
  return build.node('Clip', [square, '', build.scalar(3.4028234663852886e38)]);
}

/** Moments of x^2 for a normal x: m^2 + v, and 2 v^2 + 4 v m^2. */
export function squareMoments(build: FragmentBuilder, { mean, variance }: Required<MomentPair>): MomentPair {
  const square = squared(build, mean);
  const times = (factor: number): string => build.node('Mul', [variance, build.scalar(factor)]);
  const spread = build.node('Add', [build.node('Mul', [times(2), variance]), build.node('Mul', [times(4), square])]);
  return { mean: build.node('Add', [square, variance]), variance: spread };
}
