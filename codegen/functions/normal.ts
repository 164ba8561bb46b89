/**
 * The standard normal distribution for float32: density, lower tail and upper tail, each accurate relative to itself.
 *
 * Both tails come from the ratio M(z) = Phi(-z) / phi(z), z >= 0 (Mills' ratio), which is smooth: M(z) = t p(t) with
 * t = 1 / (1 + 0.3 z) and p of degree 9, fitted to a relative error of 4e-9 over [0, 14.5]; beyond, phi is 0. The square
 * in exp(-z^2 / 2) is split (Dekker), or its rounding would cost 1e-6 at z = 6.
 */
import { add, compare, divide, float, maximum, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { exp, polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const INVERSE_SQRT_2_PI = 0.3989422804014327;
const SPLITTER = 4097; // 2^12 + 1
/** Beyond it the density is 0 in float32. */
export const NORMAL_LIMIT = 40;
const ratio = [
  -0.051695361733436584, 0.2818342447280884, -0.5720465779304504, 0.48073241114616394, -0.1990850567817688, 0.24102938175201416,
  0.1964937299489975, 0.2763192355632782, 0.2997220754623413, 0.3000100553035736,
];

export interface Normal {
  /** phi(a) */
  readonly density: Expr;
  /** Phi(a), the probability below a */
  readonly lower: Expr;
  /** Phi(-a), the probability above a */
  readonly upper: Expr;
}

/** phi(a), Phi(a) and Phi(-a). `a` is clamped to [-40, 40], where all three have reached their limits. NaN gives NaN. */
export function normal(scope: Scope, a: Expr): Normal {
  const argument = scope.float('normalA', minimum(f, maximum(f, a, float(-NORMAL_LIMIT)), float(NORMAL_LIMIT)));
  const z = scope.float('normalZ', unary('abs', f, argument));
  const square = scope.float('normalS', mul(f, z, z));
  const split = scope.float('normalC', mul(f, z, float(SPLITTER)));
  const high = scope.float('normalH', sub(f, split, sub(f, split, z)));
  const low = scope.float('normalL', sub(f, z, high));
  const cross = scope.float('normalX', mul(f, high, low));
  // square + rest = z^2 exactly
  const rest = add(f, add(f, add(f, sub(f, mul(f, high, high), square), cross), cross), mul(f, low, low));
  const power = exp(scope, mul(f, square, float(-0.5)));
  const density = scope.float('normalD', mul(f, mul(f, power, sub(f, float(1), mul(f, rest, float(0.5)))), float(INVERSE_SQRT_2_PI)));
  const t = scope.float('normalT', divide(float(1), add(f, mul(f, z, float(0.3)), float(1))));
  const tail = scope.float('normalQ', mul(f, density, mul(f, polynomial(t, ratio), t)));
  const body = scope.float('normalB', sub(f, float(1), tail));
  const negative = scope.bind('normalN', 'uint1', compare('lt', argument, float(0)));
  return { density, lower: select(f, negative, tail, body), upper: select(f, negative, body, tail) };
}
