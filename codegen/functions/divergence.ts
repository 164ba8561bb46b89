/**
 * p ln(p / q) - p + q, a class's part of the divergence of p from q, as an expression of the closed language. Never negative, and
 * without cancellation: its sum over classes keeps its digits where two distributions nearly agree.
 *
 * With d = p - q and s = d / (p + q), ln(p / q) is 2 artanh s, and the sum becomes d s (1 + (1 + s) s P(s^2)), P(s^2) =
 * (artanh s - s) / s^3. Up to |s| = 0.4 by a polynomial for P, fitted to 5e-8 of itself; beyond, as it is written above.
 */
import { add, compare, divide, float, maximum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import { log } from './log.js';
import type { Scope } from './scope.js';

const f = 'float32';
const NEAR = 0.4;
const LEAST_NORMAL = 2 ** -126;
const coefficients = [0.13178880848455815, 0.10469747038011062, 0.14325499545027473, 0.19999144571529845, 0.3333333489493887];

/** Of p, q >= 0 (0 only where p is), and `difference` = p - q, which the caller may know better than it can be seen from p and q. */
export function divergence(scope: Scope, p: Expr, q: Expr, difference: Expr): Expr {
  const d = scope.float('divergenceD', difference);
  const total = scope.float('divergenceT', maximum(f, add(f, p, q), float(LEAST_NORMAL)));
  const s = scope.float('divergenceS', divide(d, total));
  const square = scope.float('divergenceQ', mul(f, s, s));
  const near = mul(f, mul(f, d, s), add(f, float(1), mul(f, mul(f, add(f, float(1), s), s), polynomial(square, coefficients))));
  const ratio = scope.float('divergenceR', maximum(f, divide(p, maximum(f, q, float(LEAST_NORMAL))), float(LEAST_NORMAL)));
  const far = sub(f, mul(f, p, log(scope, ratio)), d);
  return scope.float('divergence', select(f, compare('lt', unary('abs', f, s), float(NEAR)), near, maximum(f, far, float(0))));
}
