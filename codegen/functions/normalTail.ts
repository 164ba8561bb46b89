/**
 * The tail of a normal variable beyond a distance from its mean, for moments: with z = distance / deviation, Phi(-z) and
 * s r(-z) = s (phi(z) - z Phi(-z)), the mean of what lies beyond. Fewer digits than erfc.ts has, half its
 * instructions, and few that wait for one another: neither root nor quotient is on the way to phi.
 *
 * phi(z) = 2^n p(f) with n + f = -y, y = distance^2 / (2 ln 2 variance), n the nearest integer, p of degree 4 (relative error 2.6e-6).
 * Phi(-z) = phi(z) M(z), Mills' ratio M(z) = t q(t) with t = 1 / (1 + c z), c = 0.3, and q of degree 7, fitted to 1.3e-7 over [0, 13.2]. In
 * float32 Phi is right to 6e-6 of itself up to z = 8, r(-z) to 3e-5, and the variance that ReLU makes of them to 1e-3. Beyond z = 13.2
 * all is 0. Where what is far out is added to what is near, errors count next to 1 and not next to the tail: then c is 0.28 and q of
 * degree 5, fitted to 3e-8 / (phi(z) (1 + z)). Horner's rule: several are computed side by side, and what is under way does not wait.
 */
import { add, bitcast, compare, divide, float, int, mul, select, sub } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const i = 'int32';

/** Added to variances and to deviations, so that 0 / 0 is 0; next to any that has a meaning in float32 they are nothing. */
const NO_VARIANCE = 1e-37;
const NO_DEVIATION = 1e-30;
/** The y from which on phi counts as 0: 2^-127 has the bits of 0. */
const FAR = 127;
/** 1.5 * 2^23, to which integers are added exactly. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;
/** 2^f / sqrt(2 pi) for |f| <= 1/2 */
const power = [0.0038179142866283655, 0.02230803109705448, 0.09584486484527588, 0.2765156030654907, 0.3989419937133789];
/** c of t = 1 / (1 + c z), and q. */
interface MillsRatio {
  readonly slope: number;
  readonly polynomial: readonly number[];
}
const relative: MillsRatio = { slope: 0.3, polynomial: [
  0.09032939374446869, -0.3978351652622223, 0.5237951874732971, -0.14061036705970764, 0.32546859979629517, 0.24946749210357666,
  0.30284300446510315, 0.2998558282852173,
] };
const absolute: MillsRatio = {
  slope: 0.28, polynomial: [-0.26708370447158813, 0.9849910736083984, -0.6067874431610107, 0.6844891309738159, 0.16494470834732056, 0.29276037216186523],
};

export interface NormalTail {
  /** phi(z) */
  readonly density: Expr;
  /** Phi(-z) */
  readonly tail: Expr;
  /** s r(-z), not negative: the mean of max(x, 0) of a normal x whose mean lies the distance below 0. */
  readonly excess: Expr;
}

/** Of references: a distance and a variance that are not negative, and the variance's root. Of no variance all is 0. NaN stays NaN. `digits`: whether errors are small next to the tail, or next to 1. */
export function normalTail(scope: Scope, distance: Expr, variance: Expr, deviation: Expr, digits: 'relative' | 'absolute' = 'relative'): NormalTail {
  const ratio = digits === 'relative' ? relative : absolute;
  const exponent = scope.float('tailX', divide(mul(f, mul(f, distance, distance), float(0.5 / Math.LN2)), add(f, variance, float(NO_VARIANCE))));
  const below = scope.float('tailX', select(f, compare('lt', exponent, float(FAR)), exponent, float(FAR)));
  // Changes no number: the proof of the bounds.
  const y = scope.float('tailY', select(f, compare('lt', float(0), below), below, float(0)));
  // The low bits of the difference are the nearest integer.
  const whole = scope.float('tailN', sub(f, float(MAGIC), y));
  const fraction = scope.float('tailF', sub(f, sub(f, float(MAGIC), whole), y));
  const scale = bitcast(f, { op: 'shl', type: i, a: sub(i, bitcast(i, whole), int(MAGIC_BITS - 127)), b: int(23) });
  const density = scope.float('tailP', mul(f, polynomial(fraction, power), scale));
  const t = scope.float('tailT', divide(deviation, add(f, deviation, add(f, mul(f, distance, float(ratio.slope)), float(NO_DEVIATION)))));
  const tail = scope.float('tail', mul(f, mul(f, density, t), polynomial(t, ratio.polynomial)));
  let excess: Expr | undefined;
  return {
    density,
    tail,
    // bound where it is asked for: no kernel computes what it does not store
    get excess() {
      if (excess) return excess;
      const difference = scope.float('tailR', sub(f, mul(f, deviation, density), mul(f, distance, tail)));
      return (excess = scope.float('tailR', select(f, compare('lt', difference, float(0)), float(0), difference)));
    },
  };
}
