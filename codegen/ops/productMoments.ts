/** Moments of what is linear in each of two operands: products, matrix products, convolutions. Not here: the operators themselves. */
import type { FragmentBuilder, MomentDependence, MomentPair } from './record.js';

/** Of a matrix product: all outputs of a row share the data; rows share the weights, which matters unless they are the batch. */
export const productDependence: MomentDependence = {
  meets: [0, 1],
  shares: (context, [a, b]) => (a && context.input(1).shape.length > 1) || (b && context.input(0).shape.length > 2),
};

/**
 * Mean and variance of a bilinear form of independent x and w, in the expanded form, whose terms are all non-negative:
 * var = E[x^2] var(w) + var(x) E[w]^2. `apply` is the form; `spread` the form of squares where it differs.
 */
export function productMoments(build: FragmentBuilder, x: MomentPair, w: MomentPair, apply: (x: string, w: string) => string, spread = apply): MomentPair {
  const mean = apply(x.mean, w.mean);
  const terms: string[] = [];
  if (w.variance !== undefined) {
    const square = build.node('Square', [x.mean]);
    const second = x.variance === undefined ? square : build.node('Add', [square, x.variance]);
    terms.push(spread(second, w.variance));
  }
  if (x.variance !== undefined) terms.push(spread(x.variance, build.node('Square', [w.mean])));
  if (terms.length === 0) return { mean };
  return { mean, variance: terms.length === 1 ? terms[0] : build.node('Add', terms) };
}
