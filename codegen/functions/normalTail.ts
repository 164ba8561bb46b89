/**
 * The tail of the standard normal distribution for moments: phi(z), Phi(-z) and r(-z) = phi(z) - z Phi(-z) for z >= 0, cheaper
 * than `normal` (normal.ts), which keeps more digits far out.
 *
 * Phi(-z) = phi(z) M(z), Mills' ratio M(z) = t p(t) with t = 1 / (1 + 0.3 z) and p of degree 7, fitted to a relative error of
 * 1.3e-7 over [0, 13.2]; beyond, all are 0. Relative errors in float32: phi and Phi 3e-6 at z = 8, r(-z) 1e-5 there.
 */
import { add, bitcast, compare, divide, float, int, maximum, mul, select, sub } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const i = 'int32';

/** Where z counts as infinite. */
export const TAIL_LIMIT = 40;

const INVERSE_SQRT_2_PI = 0.3989422804014327;
const LOG2_E = 1.4426950408889634;
const LN2_HIGH = 0.693359375; // 9 significant bits: n * LN2_HIGH is exact
const LN2_LOW = -2.12194440054690583e-4;
const exponential = [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
/** e to it is the least normal number; below, the result is 0. */
const LEAST = -87;
/** 1.5 * 2^23, to which integers are added exactly. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;
const ratio = [
  0.09032939374446869, -0.3978351652622223, 0.5237951874732971, -0.14061036705970764, 0.32546859979629517, 0.24946749210357666,
  0.30284300446510315, 0.2998558282852173,
];

export interface NormalTail {
  /** phi(z) */
  readonly density: Expr;
  /** Phi(-z) */
  readonly tail: Expr;
  /** r(-z), not negative: the mean of max(x - z, 0) of a standard normal x. */
  readonly backward: Expr;
}

/** For a reference z of [0, 40]. NaN gives NaN. */
export function normalTail(scope: Scope, z: Expr): NormalTail {
  const argument = scope.float('tailX', mul(f, mul(f, z, z), float(-0.5)));
  // Of NaN the least, so that the bounds are proved; z itself stays NaN in what follows.
  const above = scope.float('tailA', select(f, compare('ge', argument, float(LEAST)), argument, float(LEAST)));
  const clamped = scope.float('tailC', select(f, compare('le', above, float(0)), above, float(0)));
  // The low bits of the sum are the nearest integer.
  const sum = scope.float('tailN', add(f, mul(f, clamped, float(LOG2_E)), float(MAGIC)));
  const whole = scope.float('tailW', sub(f, sum, float(MAGIC)));
  const r = scope.float('tailR', sub(f, sub(f, clamped, mul(f, whole, float(LN2_HIGH))), mul(f, whole, float(LN2_LOW))));
  const power = add(f, add(f, mul(f, mul(f, polynomial(r, exponential), r), r), r), float(1));
  const scale = bitcast(f, { op: 'shl', type: i, a: sub(i, bitcast(i, sum), int(MAGIC_BITS - 127)), b: int(23) });
  const density = scope.float('tailD', select(f, compare('lt', argument, float(LEAST)), float(0), mul(f, mul(f, power, float(INVERSE_SQRT_2_PI)), scale)));
  const t = scope.float('tailT', divide(float(1), add(f, mul(f, z, float(0.3)), float(1))));
  const tail = scope.float('tailQ', mul(f, density, mul(f, polynomial(t, ratio), t)));
  return { density, tail, backward: scope.float('tailB', maximum(f, sub(f, density, mul(f, z, tail)), float(0))) };
}
