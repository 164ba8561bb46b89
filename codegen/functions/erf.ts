/**
 * The error function for float32, within 2e-7 of itself: x p(x^2) up to |x| = 1, where 1 - erfc(x) would cancel, and that beyond, with
 * the sign put back. -0 gives -0; NaN gives NaN.
 */
import { compare, float, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { erfc } from './erfc.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const coefficients = [7.85377633292228e-5, -0.000801017158664763, 0.005188325420022011, -0.026853810995817184, 0.1128358542919159, -0.3761262595653534, 1.1283791065216064];

/** 2 / sqrt(pi) times the integral of e^(-u^2) from 0 to x. */
export function erf(scope: Scope, x: Expr): Expr {
  const argument = scope.float('erfX', x);
  const magnitude = scope.float('erfA', unary('abs', f, argument));
  const square = scope.float('erfS', mul(f, argument, argument));
  const near = mul(f, argument, polynomial(square, coefficients));
  const far = scope.float('erfF', sub(f, float(1), erfc(scope, magnitude)));
  const signed = select(f, compare('lt', argument, float(0)), unary('neg', f, far), far);
  return scope.float('erf', select(f, compare('lt', magnitude, float(1)), near, signed));
}
