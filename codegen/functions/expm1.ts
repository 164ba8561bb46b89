/**
 * e^x and e^x - 1 for float32 together, both accurate relative to themselves: e^x = 2^n (1 + P) with P as in exp.ts, and
 * e^x - 1 = 2^n P + (2^n - 1), in which nothing cancels. x counts as clamped to [-87, 88], where 2^n is a normal number.
 */
import { add, bitcast, convert, float, int, maximum, minimum, mul, sub } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { expReduced } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const i = 'int32';
const [LEAST, GREATEST] = [-87, 88];

/** NaN gives NaN. Bind what is used more than once. */
export function expm1(scope: Scope, x: Expr): { readonly exp: Expr; readonly expm1: Expr } {
  const { whole, part } = expReduced(scope, scope.float('expX', minimum(f, maximum(f, x, float(LEAST)), float(GREATEST))));
  const bounded = scope.float('expP', part);
  const n = scope.bind('expI', i, minimum(i, maximum(i, convert(i, whole), int(-126)), int(127)));
  const scale = scope.float('expS', bitcast(f, { op: 'shl', type: i, a: add(i, n, int(127)), b: int(23) }));
  const scaled = scope.float('expQ', mul(f, bounded, scale));
  // not bound: mostly only one of the two is used, and once
  return { exp: add(f, scaled, scale), expm1: add(f, scaled, sub(f, scale, float(1))) };
}
