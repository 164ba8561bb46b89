/**
 * Mean and variance of the logistic function of a normal variable, for float32: within 1 % of the variance for |m| <= 16 and every
 * v from 1e-8 (relative to itself, also where the function is flat), within 2 % of a standard deviation of the mean.
 *
 * By symmetry the mean is taken as -|m|, where the function is small and loses nothing to its limit 1. With f = 1 / (1 + e^-x),
 * E = e^-|m|, s = sqrt(v):
 * - s < 3: the trapezoidal rule about the mean, z = 0.7 k, |k| <= 9 (it converges geometrically, as f is analytic up to i pi). With
 *   p_k = e^(s z_k) - 1 the differences f(z_k) - f(0) are a p_k / (1 + E + E p_k) and -a p_k / (1 + E + p_k), a = E / (1 + E):
 *   nothing cancels, and one exponential gives them all, p_(k+1) = p_k + p_1 + p_k p_1.
 * - s >= 3: f is the distribution function of a logistic variable l, and f^2 that of the greater of two, so that E[f] and E[f^2]
 *   are means of Phi((m - l) / s) over l, smooth: four points, fitted for |m| <= 16 and all s >= 3 (0.2 % of the variance).
 */
import { add, compare, divide, float, maximum, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { expm1 } from './expm1.js';
import { normalTail } from './normalTail.js';
import type { Scope } from './scope.js';

const f = 'float32';
const STEP = 0.7;
const PAIRS = 9;
/** Standard deviation from which the four points are used. */
const WIDE = 3;
/** Beyond it both moments are 0 or 1. */
const FAR = 80;

/** Weights of the pairs; that of the centre, where the difference is 0, is what is left of 1. */
const weights = ((): readonly number[] => {
  const density = Array.from({ length: PAIRS }, (_, k) => Math.exp(-(((k + 1) * STEP) ** 2) / 2));
  const total = 1 + 2 * density.reduce((a, b) => a + b, 0);
  return density.map((d) => d / total);
})();

/** Values of l, with their weights in E[f] and in E[f^2]. */
const points = [
  { at: -4.14134975, first: 0.06317231, second: 0.00194275 },
  { at: -1.11620838, first: 0.43682769, second: 0.2157138 },
  { at: 1.11620838, first: 0.43682769, second: 0.65957303 },
  { at: 4.14134975, first: 0.06317231, second: 0.12277042 },
] as const;

export interface LogisticMoments {
  /** f(-|m|) */
  readonly below: Expr;
  /** E[f(x)] - f(-|m|) for x of mean -|m|; 0 where v is 0. */
  readonly offset: Expr;
  /** Var[f(x)], not negative; 0 where v is 0. */
  readonly variance: Expr;
}

/** For x of `mean` and `variance` (references, the variance not negative). NaN gives NaN. */
export function logisticMoments(scope: Scope, mean: Expr, variance: Expr): LogisticMoments {
  const distance = scope.float('logisticD', minimum(f, unary('abs', f, mean), float(FAR)));
  const deviation = scope.float('logisticS', unary('sqrt', f, variance));
  const e = scope.float('logisticE', expm1(scope, unary('neg', f, distance)).exp);
  const one = scope.float('logisticB', add(f, e, float(1)));
  const below = scope.float('logisticF', divide(e, one));
  const near = byTrapezoids(scope, e, one, minimum(f, deviation, float(WIDE)));
  const wide = byPoints(scope, distance, variance, deviation);
  const isWide = compare('ge', deviation, float(WIDE));
  return {
    below,
    offset: scope.float('logisticO', select(f, isWide, sub(f, wide.first, below), mul(f, below, near.first))),
    variance: scope.float('logisticV', maximum(f, select(f, isWide, spread(wide), mul(f, mul(f, below, below), spread(near))), float(0))),
  };
}

/** E[y] and E[y^2], bound. */
interface RawMoments {
  readonly first: Expr;
  readonly second: Expr;
}

/** The second moment is at least about twice the squared mean: little cancels. */
const spread = ({ first, second }: RawMoments): Expr => sub(f, second, mul(f, first, first));

/** Of (f(x) - f(-|m|)) / f(-|m|). */
function byTrapezoids(scope: Scope, e: Expr, one: Expr, deviation: Expr): RawMoments {
  const base = scope.float('logisticP', expm1(scope, mul(f, deviation, float(STEP))).expm1);
  let power = base;
  let [first, second]: (Expr | undefined)[] = [];
  const sum = (total: Expr | undefined, term: Expr, hint: string): Expr => scope.float(hint, total ? add(f, total, term) : term);
  for (let k = 0; k < PAIRS; k++) {
    const above = scope.float('logisticU', divide(power, add(f, one, mul(f, e, power))));
    const under = scope.float('logisticL', divide(power, add(f, one, power)));
    first = sum(first, mul(f, sub(f, above, under), float(weights[k])), 'logisticM');
    second = sum(second, mul(f, add(f, mul(f, above, above), mul(f, under, under)), float(weights[k])), 'logisticQ');
    if (k + 1 < PAIRS) power = scope.float('logisticP', add(f, add(f, mul(f, power, base), power), base));
  }
  return { first: first!, second: second! };
}

/** Of f(x). */
function byPoints(scope: Scope, distance: Expr, variance: Expr, deviation: Expr): RawMoments {
  let [first, second]: (Expr | undefined)[] = [];
  for (const point of points) {
    // the probability that x exceeds the point, Phi((-|m| - at) / s)
    const gap = scope.float('logisticG', add(f, distance, float(point.at)));
    const { tail } = normalTail(scope, scope.float('logisticG', unary('abs', f, gap)), variance, deviation);
    const chance = scope.float('logisticC', point.at > 0 ? tail : select(f, compare('lt', gap, float(0)), sub(f, float(1), tail), tail));
    const add1 = (total: Expr | undefined, weight: number): Expr => (total ? add(f, total, mul(f, chance, float(weight))) : mul(f, chance, float(weight)));
    first = scope.float('logisticM', add1(first, point.first));
    second = scope.float('logisticQ', add1(second, point.second));
  }
  return { first: first!, second: second! };
}
