/**
 * The tail of the standard normal distribution for moments: phi(z), Phi(-z) and r(-z) = phi(z) - z Phi(-z) for z >= 0. Fewer digits
 * and half the instructions of `normal` (normal.ts).
 *
 * phi(z) = 2^n p(f) with n + f = -z^2 / (2 ln 2), n the nearest integer, p of degree 4 (relative error 2.6e-6). Phi(-z) = phi(z) M(z),
 * Mills' ratio M(z) = t q(t) with t = 1 / (1 + 0.3 z) and q of degree 7, fitted to 1.3e-7 over [0, 13.2]. In float32 phi and Phi
 * are right to 6e-6 of themselves up to z = 8, r(-z) to 3e-5, and the variance that ReLU makes of them to 7e-4.
 */
import { add, bitcast, compare, divide, float, int, mul, select, sub } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const i = 'int32';

/** z beyond it counts as it: there phi is 5e-35, and products with it are still normal numbers. */
export const TAIL_LIMIT = 12.5;

/** Added to deviations, so that 0 / 0 is 0; next to any that has a meaning in float32 it is nothing. */
const NOTHING = 1e-30;
/** -z^2 / (2 ln 2) at the limit. */
const LEAST = -112.8;
/** 1.5 * 2^23, to which integers are added exactly. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;
/** 2^f / sqrt(2 pi) for |f| <= 1/2 */
const power = [0.0038179142866283655, 0.02230803109705448, 0.09584486484527588, 0.2765156030654907, 0.3989419937133789];
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

/** For a reference z of [0, 12.5]. NaN gives NaN, but for phi. */
export function normalTail(scope: Scope, z: Expr): NormalTail {
  const exponent = scope.float('tailX', mul(f, mul(f, z, z), float(-0.5 / Math.LN2)));
  // Changes no number: the proof of the bounds.
  const above = scope.float('tailA', select(f, compare('lt', float(LEAST), exponent), exponent, float(LEAST)));
  const y = scope.float('tailY', select(f, compare('lt', above, float(0)), above, float(0)));
  // The low bits of the sum are the nearest integer.
  const sum = scope.float('tailN', add(f, y, float(MAGIC)));
  const fraction = scope.float('tailF', sub(f, y, sub(f, sum, float(MAGIC))));
  const scale = bitcast(f, { op: 'shl', type: i, a: sub(i, bitcast(i, sum), int(MAGIC_BITS - 127)), b: int(23) });
  const density = scope.float('tailD', mul(f, polynomial(fraction, power), scale));
  const t = scope.float('tailT', divide(float(1), add(f, mul(f, z, float(0.3)), float(1))));
  const tail = scope.float('tailQ', mul(f, density, mul(f, polynomial(t, ratio), t)));
  const difference = scope.float('tailG', sub(f, density, mul(f, z, tail)));
  return { density, tail, backward: scope.float('tailB', select(f, compare('lt', difference, float(0)), float(0), difference)) };
}

/** |distance| / deviation up to the limit; of no deviation the limit, or 0 where there is no distance either. NaN stays NaN. */
export function tailRatio(scope: Scope, distance: Expr, deviation: Expr): Expr {
  const quotient = scope.float('tailZ', divide(distance, add(f, deviation, float(NOTHING))));
  return scope.float('tailZ', select(f, compare('lt', float(TAIL_LIMIT), quotient), float(TAIL_LIMIT), quotient));
}
