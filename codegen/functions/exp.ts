/**
 * exp for float32, as expressions of the closed language: one definition for every emitter.
 *
 * x = n ln 2 + r with n the nearest integer, ln 2 in two parts (Cody and Waite), a polynomial in r
 * (the coefficients of Cephes' expf, S. Moshier), and 2^n as two factors, so that results below the least normal round
 * once and overflow gives infinity. Within 2 units in the last place; NaN gives NaN, -infinity 0, both zeros 1.
 */
import { add, bitcast, compare, convert, float, int, maximum, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import type { Scope } from './scope.js';

const LOG2_E = 1.4426950408889634;
const LN2_HIGH = 0.693359375; // 9 significant bits: n * LN2_HIGH is exact
const LN2_LOW = -2.12194440054690583e-4;
const coefficients = [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
/** Below the first the result rounds to 0, above the second to infinity. */
const [LEAST, GREATEST] = [-104, 89];

const f = 'float32';
const i = 'int32';

/** Horner's rule: the first coefficient is that of the highest power; `x` should be a reference. */
export function polynomial(x: Expr, highestFirst: readonly number[]): Expr {
  return highestFirst.slice(1).reduce((value, c) => add(f, mul(f, value, x), float(c)), float(highestFirst[0]));
}

/** 2^n for an int32 that is proved to lie in [-126, 127]. */
function powerOfTwo(n: Expr): Expr {
  return bitcast(f, { op: 'shl', type: i, a: add(i, n, int(127)), b: int(23) });
}

/** x = n ln 2 + r for an x within about 100: n (`whole`), and e^r - 1 (`part`, to be bound). */
export function expReduced(scope: Scope, x: Expr): { readonly whole: Expr; readonly part: Expr } {
  const whole = scope.float('expN', unary('nearest', f, mul(f, x, float(LOG2_E))));
  const r = scope.float('expR', sub(f, sub(f, x, mul(f, whole, float(LN2_HIGH))), mul(f, whole, float(LN2_LOW))));
  return { whole, part: add(f, mul(f, mul(f, polynomial(r, coefficients), r), r), r) };
}

/** e^x. */
export function exp(scope: Scope, x: Expr): Expr {
  const clamped = scope.float('expX', minimum(f, maximum(f, x, float(LEAST)), float(GREATEST)));
  const { whole, part } = expReduced(scope, clamped);
  const value = scope.float('expP', add(f, part, float(1)));
  // NaN converts to 0: its factors are 1, and it stays NaN in `value`. The clamp changes nothing, it is the proof of range.
  const n = scope.bind('expI', i, minimum(i, maximum(i, convert(i, whole), int(-152)), int(130)));
  const half = (m: Expr): Expr => ({ op: 'shr', type: i, a: m, b: int(1) });
  return scope.float('exp', mul(f, mul(f, value, powerOfTwo(half(n))), powerOfTwo(half(add(i, n, int(1))))));
}

/** 2^f for |f| <= 1/2, to 1e-7 of itself. */
const quick = [0.0013276472454890609, 0.009675541892647743, 0.05550713092088699, 0.24022120237350464, 0.6931469440460205, 1.0000001192092896];
/** 1.5 * 2^23, to which integers are added exactly. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;

/**
 * e^x within 1e-6 of itself for |x| up to 8, 6e-6 up to 86, and that of the nearer end outside, in two thirds of the instructions of `exp`.
 * NaN counts as the lower end.
 */
export function quickExp(scope: Scope, x: Expr): Expr {
  const whole = scope.float('expX', mul(f, x, float(LOG2_E)));
  // Not min and max, for NaN has no exponent.
  const above = scope.float('expA', select(f, compare('lt', float(-125), whole), whole, float(-125)));
  const y = scope.float('expY', select(f, compare('lt', above, float(125)), above, float(125)));
  // The low bits of the sum are the nearest integer.
  const sum = scope.float('expS', add(f, y, float(MAGIC)));
  const fraction = scope.float('expF', sub(f, y, sub(f, sum, float(MAGIC))));
  const scale = bitcast(f, { op: 'shl', type: i, a: sub(i, bitcast(i, sum), int(MAGIC_BITS - 127)), b: int(23) });
  return scope.float('exp', mul(f, polynomial(fraction, quick), scale));
}
