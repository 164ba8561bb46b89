/**
 * The seven rounding modes of QONNX, each as an expression and as a function of float32 numbers. One definition for all
 * quantizers and emitters. Source: qonnx, custom_op/general/quant.py (`resolve_rounding_mode`).
 *
 * HALF_UP and HALF_DOWN are about the magnitude (ties away from and towards zero), not about plus infinity. The sum with
 * 0.5 is a float32 operation: the largest float32 below 0.5 gives 1 under HALF_UP, as in the reference.
 */
import { add, bitcast, compare, float, int, select, sub, unary } from '../ir/build.js';
import { fail, suggest } from '../ir/diagnostic.js';
import type { Expr } from '../ir/program.js';

export const roundingModes = ['ROUND', 'HALF_EVEN', 'CEIL', 'FLOOR', 'UP', 'DOWN', 'HALF_UP', 'HALF_DOWN'] as const;
export type RoundingMode = (typeof roundingModes)[number];

/** A mode by name, in any case. `at` is the node; raises graph/attribute-type with the nearest valid name. */
export function roundingMode(text: string, at: string): RoundingMode {
  const mode = text.toUpperCase() as RoundingMode;
  if (!roundingModes.includes(mode)) {
    fail('graph/attribute-type', at, `the rounding mode "${text}" is not one of ${roundingModes.join(', ')}`, suggest(text, roundingModes, 'rounding mode'));
  }
  return mode;
}

const floorOf = (x: Expr): Expr => unary('floor', 'float32', x);
const negate = (x: Expr): Expr => unary('neg', 'float32', x);
const ceilOf = (x: Expr): Expr => negate(floorOf(negate(x)));
const half = float(0.5);

/** x rounded; `x` is used more than once, so it should be a reference to a let. NaN stays NaN. */
export function roundExpr(mode: RoundingMode, x: Expr): Expr {
  const bySign = (negative: Expr, positive: Expr): Expr => select('float32', compare('lt', x, float(0)), negative, positive);
  const magnitude = unary('abs', 'float32', x);
  switch (mode) {
    case 'ROUND':
    case 'HALF_EVEN':
      return unary('nearest', 'float32', x);
    case 'CEIL':
      return ceilOf(x);
    case 'FLOOR':
      return floorOf(x);
    case 'UP':
      return bySign(floorOf(x), ceilOf(x));
    case 'DOWN':
      return bySign(ceilOf(x), floorOf(x));
    case 'HALF_UP': {
      const rounded = floorOf(add('float32', magnitude, half));
      return bySign(negate(rounded), rounded);
    }
    case 'HALF_DOWN': {
      const rounded = ceilOf(sub('float32', magnitude, half));
      return bySign(negate(rounded), rounded);
    }
  }
}

/** 1.5 * 2^23, and its bits: added to a float32 of less than 2^22, it rounds to nearest even, and the low bits are the integer. */
const magic = 12582912;
export const roundingBits = 0x4b400000;

/**
 * x rounded to nearest even, in additions where a conversion would saturate; |x| < 2^22, which the verifier proves. A `less`
 * of fewer than `roundingBits` adds the difference.
 */
export function nearestInteger(x: Expr, less: Expr = int(roundingBits, 'int32')): Expr {
  return sub('int32', bitcast('int32', add('float32', x, float(magic))), less);
}

/** x rounded, for a float32 number x. */
export function roundNumber(mode: RoundingMode, x: number): number {
  switch (mode) {
    case 'ROUND':
    case 'HALF_EVEN':
      return roundHalfEven(x);
    case 'CEIL':
      return Math.ceil(x);
    case 'FLOOR':
      return Math.floor(x);
    case 'UP':
      return Math.sign(x) * Math.ceil(Math.abs(x));
    case 'DOWN':
      return Math.trunc(x);
    case 'HALF_UP':
      return Math.sign(x) * Math.floor(Math.fround(Math.abs(x) + 0.5));
    case 'HALF_DOWN':
      return Math.sign(x) * Math.ceil(Math.fround(Math.abs(x) - 0.5));
  }
}

/** To the nearest integer, ties to the even one. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}
