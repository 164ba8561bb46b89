/**
 * tanh for float32: a polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel (coefficients of Cephes' tanhf, S.
 * Moshier), and that formula of |x| beyond, with the sign put back. Saturates at -1 and 1; -0 gives -0; NaN gives NaN.
 */
import { add, compare, divide, float, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { exp, polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const coefficients = [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1];
const NEAR = 0.625;

/** Hyperbolic tangent. */
export function tanh(scope: Scope, x: Expr): Expr {
  const argument = scope.float('tanhX', x);
  const magnitude = scope.float('tanhA', unary('abs', f, argument));
  const square = scope.float('tanhS', mul(f, argument, argument));
  // x (1 + s p) rather than x + x s p: keeps the sign of zero
  const near = mul(f, argument, add(f, mul(f, polynomial(square, coefficients), square), float(1)));
  const e = exp(scope, add(f, magnitude, magnitude));
  const far = scope.float('tanhF', sub(f, float(1), divide(float(2), add(f, e, float(1)))));
  const signed = select(f, compare('lt', argument, float(0)), unary('neg', f, far), far);
  return scope.float('tanh', select(f, compare('lt', magnitude, float(NEAR)), near, signed));
}
