/**
 * The natural logarithm for float32, as expressions of the closed language.
 *
 * x = 2^e (1 + t) with 1 + t in [sqrt(1/2), sqrt(2)); log(1 + t) = t - t^2 / 2 + t^3 p(t), p of degree 7 fitted to a relative
 * error of 6e-9 of the logarithm; e ln 2 in two parts (Cody and Waite). Within 1 unit in the last place, below the least
 * normal too; 0 gives -infinity, infinity itself, negative numbers and NaN give NaN.
 */
import { add, bitcast, compare, convert, float, int, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const i = 'int32';

const LN2_HIGH = 0.693359375; // 9 significant bits: e * LN2_HIGH is exact
const LN2_LOW = -2.12194440054690583e-4;
const coefficients = [
  -0.07634495198726654, 0.1276157945394516, -0.13160184025764465, 0.14201757311820984, -0.16623356938362122, 0.20001226663589478,
  -0.2500081956386566, 0.3333333134651184,
];
const LEAST_NORMAL = 2 ** -126;
const GREATEST = 3.4028234663852886e38;
const ONE = 0x3f800000;

/** ln x. */
export function log(scope: Scope, x: Expr): Expr {
  const argument = scope.float('logX', x);
  const isSmall = scope.bind('logS', 'uint1', compare('lt', argument, float(LEAST_NORMAL)));
  const scaled = scope.float('logZ', select(f, isSmall, mul(f, argument, float(2 ** 23)), argument));
  // What is no positive finite number gets its value at the end.
  const positive = scope.float('logV', minimum(f, select(f, compare('ge', scaled, float(LEAST_NORMAL)), scaled, float(LEAST_NORMAL)), float(GREATEST)));
  const bits = scope.bind('logB', i, bitcast(i, positive));
  const fraction = scope.float('logM', bitcast(f, add(i, { op: 'and', type: i, a: bits, b: int(0x7fffff) }, int(ONE))));
  const isHigh = scope.bind('logH', 'uint1', compare('gt', fraction, float(Math.SQRT2)));
  const t = scope.float('logT', sub(f, select(f, isHigh, mul(f, fraction, float(0.5)), fraction), float(1)));
  const exponent = sub(i, { op: 'shr', type: i, a: bits, b: int(23) }, select(i, isSmall, int(150), int(127)));
  const e = scope.float('logE', convert(f, add(i, exponent, select(i, isHigh, int(1), int(0)))));
  const square = scope.float('logQ', mul(f, t, t));
  const tail = add(f, mul(f, mul(f, square, t), polynomial(t, coefficients)), mul(f, e, float(LN2_LOW)));
  const value = add(f, add(f, t, sub(f, tail, mul(f, square, float(0.5)))), mul(f, e, float(LN2_HIGH)));
  const finite = select(f, compare('lt', argument, float(Infinity)), value, argument);
  return scope.float('log', select(f, compare('gt', argument, float(0)), finite, select(f, compare('eq', argument, float(0)), float(-Infinity), unary('sqrt', f, argument))));
}
