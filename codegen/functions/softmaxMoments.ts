/**
 * What the softmax of independent normal logits needs of one class, as expressions of the closed language: the distribution of a
 * normal plus a standard Gumbel variable (`competitor`, `hazard`), and the information that a logit-normal probability carries
 * (`information`). Not here: how the classes meet (../ops/softmaxmoments.ts).
 *
 * softmax(l)_c is the probability that l_c + g_c is the greatest of all l_j + g_j, g_j independent standard Gumbel variables. Each
 * of them has a distribution of one variable: -ln F(m + x) = e^-h(x, v), where h(x, 0) = x, and h tends to -ln(-ln Phi(x / sqrt v))
 * as v grows. With u = x / sqrt(v + pi^2 / 6), h is u pi / sqrt 6 and v / (v + pi^2 / 6) times a polynomial of degree 5 in u, whose
 * coefficients are polynomials of degree 4 in 1 / sqrt(v + pi^2 / 6); beyond u = 4.5 it goes on as a line. All numbers were fitted to F
 * first, then together, by least squares, to probabilities and mutual information by Monte Carlo (2 to 100 classes, variances of 1e-4 to 1e5).
 */
import { add, divide, float, maximum, minimum, mul, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial, quickExp } from './exp.js';
import { log } from './log.js';
import type { Scope } from './scope.js';

const f = 'float32';

/** The variance of a standard Gumbel variable. */
export const gumbelVariance = Math.PI ** 2 / 6;

/** u beyond which h is a line. */
export const lineFrom = 4.5;

/** Row i: the factor of u^i, as a polynomial in 1 / sqrt(v + pi^2 / 6), lowest power first. */
export const shape: readonly (readonly number[])[] = [
  [0.36717820167541504, -0.6770654916763306, 0.7487521767616272, -0.7189427018165588, 0.1479942798614502],
  [-0.13868878781795502, -0.09032236039638519, -0.9938233494758606, 1.4293639659881592, -0.7763727903366089],
  [0.20141635835170746, -0.030430004000663757, 0.1413121521472931, 0.4524386525154114, 0.25786975026130676],
  [0.035026665776968, -0.05026065185666084, 0.12944920361042023, 0.3341348171234131, -1.0628080368041992],
  [0.002821797737851739, -0.009033044800162315, 0.14079828560352325, -0.7394806146621704, 0.7893824577331543],
  [-0.00046495572314597666, 0.006560797803103924, -0.06319793313741684, 0.1804681122303009, -0.14359046518802643],
];

/** Row i: the factor of (ln p / 4)^i, as a polynomial in the share of the variance, lowest power first. */
export const closure: readonly (readonly number[])[] = [
  [-0.17682203650474548, -0.10992363840341568],
  [-1.2371151447296143, -0.6456410884857178],
  [0.06617948412895203, -0.969629168510437],
];

/** Greatest -h: e^8 stands for infinity, e^-e^8 is 0. */
const greatestExponent = 8;

/** ln p counts as this below it. */
export const leastLog = -10;

// ---- The quadrature ----

/** Points of the quadrature. */
export const points = 24;

/**
 * Where a class begins and ends to matter: `below` its mean (the lesser of two bounds, for normal and for Gumbel tails), and above it.
 */
export const extent = { below: [2.6, 3.4, 3.6], above: [13, 0.5, 9, 4.2] } as const;

/** The variance at which linear and integrated variances of a probability count alike. */
export const linearBelow = 0.02;

/** Variances count as this above it where their size no longer matters. */
export const greatestVariance = 1e6;

/** Stands for a probability of 0 where there is a division or a logarithm. */
export const tiny = 1e-30;

/** A stretch below it is even spacing; the greatest is one of which the square is finite. */
export const [leastStretch, greatestStretch] = [1.05, 1e15];

// ---- Expressions ----

/** A class as the hazards need it; all are references. */
export interface Competitor {
  /** 1 / sqrt(v + pi^2 / 6) */
  readonly inverse: Expr;
  /** Factors of u^i, lowest first. */
  readonly factors: readonly Expr[];
}

/** Of a variance, a reference. */
export function competitor(scope: Scope, variance: Expr): Competitor {
  const total = scope.float('total', add(f, variance, float(gumbelVariance)));
  const inverse = scope.float('inverse', divide(float(1), unary('sqrt', f, total)));
  const share = scope.float('share', divide(variance, total));
  const factors = shape.map((row, i) => {
    const factor = mul(f, polynomial(inverse, [...row].reverse()), share);
    return scope.float('factor', i === 1 ? add(f, factor, float(Math.sqrt(gumbelVariance))) : factor);
  });
  return { inverse, factors };
}

/** -ln F and f / F at a distance x from the mean. */
export function hazard(scope: Scope, x: Expr, { inverse, factors }: Competitor): { readonly cumulative: Expr; readonly rate: Expr } {
  const u = scope.float('u', mul(f, x, inverse));
  const inside = scope.float('inside', minimum(f, u, float(lineFrom)));
  // Horner's rule for the polynomial and its slope at once.
  let [value, slope]: [Expr, Expr | undefined] = [factors[factors.length - 1], undefined];
  for (let i = factors.length - 2; i >= 0; i--) {
    slope = scope.float('slope', slope === undefined ? value : add(f, mul(f, slope, inside), value));
    value = scope.float('height', add(f, mul(f, value, inside), factors[i]));
  }
  const height = add(f, value, mul(f, slope!, sub(f, u, inside)));
  const cumulative = scope.float('cumulative', quickExp(scope, minimum(f, unary('neg', f, height), float(greatestExponent))));
  return { cumulative, rate: mul(f, mul(f, slope!, inverse), cumulative) };
}

/**
 * E[p ln(p / P)] / P for a probability p of mean P (a reference, not 0), where ln(p / (1 - p)) is normal. `relative` is the variance
 * of p over P, `rest` 1 - P, `logarithm` ln P. Half of ln(1 + variance / P^2), which is right for small P, and up to twice that as
 * the variance reaches P (1 - P).
 */
export function information(scope: Scope, mean: Expr, relative: Expr, rest: Expr, logarithm: Expr): Expr {
  const share = scope.float('share', divide(relative, maximum(f, rest, float(tiny))));
  const depth = scope.float('depth', mul(f, maximum(f, logarithm, float(leastLog)), float(0.25)));
  const rows = closure.map((row) => scope.float('row', polynomial(share, [...row].reverse())));
  let correction = rows[rows.length - 1];
  for (let i = rows.length - 2; i >= 0; i--) correction = add(f, mul(f, correction, depth), rows[i]);
  const more = scope.float('more', mul(f, share, add(f, float(1), mul(f, sub(f, float(1), share), correction))));
  // ln(1 + x) without the rounding of 1 + x
  const x = scope.float('x', divide(relative, mean));
  const y = scope.float('y', add(f, x, float(1)));
  const natural = add(f, log(scope, y), divide(sub(f, x, sub(f, y, float(1))), y));
  return mul(f, mul(f, natural, float(0.5)), add(f, more, float(1)));
}
