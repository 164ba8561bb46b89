/**
 * The complementary error function for float32, within 5e-7 of itself as long as it is a normal number, 3 units of the last place below.
 *
 * For z = |x| it is e^(-z^2) t p(t) with t = 1 / (1 + z / 2) and p of degree 8, fitted to 4.4e-8 over [0, 10.3]; beyond, it is 0. The
 * square is split (Dekker), or its rounding alone would cost 5e-6 at z = 9. Below 0 it is 2 - erfc(z).
 */
import { add, compare, divide, float, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { exp, polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const SPLITTER = 4097; // 2^12 + 1
/** Beyond it the result is 0. */
const FAR = 10.3;
const coefficients = [
  -0.059148915112018585, 0.284965842962265, -0.48801103234291077, 0.2789972722530365, -0.027267979457974434, 0.202959343791008,
  0.2430347055196762, 0.28238484263420105, 0.2820858657360077,
];

/** 2 / sqrt(pi) times the integral of e^(-u^2) from x to infinity. NaN gives NaN. */
export function erfc(scope: Scope, x: Expr): Expr {
  const argument = scope.float('erfcX', x);
  const z = scope.float('erfcZ', minimum(f, unary('abs', f, argument), float(FAR)));
  const square = scope.float('erfcS', mul(f, z, z));
  const split = scope.float('erfcC', mul(f, z, float(SPLITTER)));
  const high = scope.float('erfcH', sub(f, split, sub(f, split, z)));
  const low = scope.float('erfcL', sub(f, z, high));
  const cross = scope.float('erfcM', mul(f, high, low));
  // square + rest = z^2 exactly
  const rest = add(f, add(f, add(f, sub(f, mul(f, high, high), square), cross), cross), mul(f, low, low));
  const t = scope.float('erfcT', divide(float(1), add(f, mul(f, z, float(0.5)), float(1))));
  const factor = scope.float('erfcP', mul(f, mul(f, sub(f, float(1), rest), t), polynomial(t, coefficients)));
  const tail = scope.float('erfc', mul(f, exp(scope, unary('neg', f, square)), factor));
  return select(f, compare('lt', argument, float(0)), sub(f, float(2), tail), tail);
}
