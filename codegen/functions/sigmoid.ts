/**
 * The logistic function for float32: of e = exp(-|x|), 1 / (1 + e) for x >= 0 and e / (1 + e) below, so that neither end
 * overflows and small results keep their relative accuracy. NaN gives NaN.
 */
import { add, compare, divide, float, select, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { exp } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';

/** 1 / (1 + e^-x). */
export function sigmoid(scope: Scope, x: Expr): Expr {
  const argument = scope.float('sigmoidX', x);
  const e = exp(scope, unary('neg', f, unary('abs', f, argument)));
  const numerator = select(f, compare('ge', argument, float(0)), float(1), e);
  return scope.float('sigmoid', divide(numerator, add(f, e, float(1))));
}
