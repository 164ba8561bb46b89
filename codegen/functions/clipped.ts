/**
 * Mean and variance of a normal variable clipped to [lo, hi], for float32. With x taken to be on the side of the nearer bound, at a
 * distance d from it (negative outside) and D from the other, R1 = max(x - near, 0), R2 = max(x - far, 0), w = hi - lo:
 * y = near + R1 - R2, variance = V1 - V2 - 2 E2 (E2 + w - E1), moments of R1 and R2 as in ops/relumoments.ts. From s = 8 w on, where
 * that cancels, the density is taken as constant within: variance = w^2 (p (1 - p) - phi w / (6 s)), p the chance to be beyond the middle.
 */
import { add, compare, divide, float, maximum, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { normalTail } from './normalTail.js';
import type { Scope } from './scope.js';

const f = 'float32';
/** In widths of the interval. */
const WIDE = 8;

export interface ClippedMoments {
  readonly mean: Expr;
  /** Not negative. */
  readonly variance: Expr;
  /** True (uint1) where the nearer bound is the lower one. */
  readonly isLow: Expr;
  /** Distance of the mean of y from the nearer bound. */
  readonly above: Expr;
  /** Probability to be within the bounds, and the density of x at the nearer and the farther one. Not bound. */
  readonly inside: Expr;
  readonly densityNear: Expr;
  readonly densityFar: Expr;
}

/** Of x with `mean` and `variance` (references), lo < hi. NaN gives NaN. */
export function clippedMoments(scope: Scope, mean: Expr, variance: Expr, lo: number, hi: number): ClippedMoments {
  const width = Math.fround(hi - lo);
  const bind = (hint: string, value: Expr): Expr => scope.float(`clip${hint}`, value);
  const deviation = bind('S', unary('sqrt', f, variance));
  const isLow = scope.bind('clipL', 'uint1', compare('lt', mean, float(lo + (hi - lo) / 2)));
  const [fromLow, toHigh] = [bind('A', sub(f, mean, float(lo))), bind('B', sub(f, float(hi), mean))];
  const near = bind('N', select(f, isLow, fromLow, toHigh));
  const far = bind('F', select(f, isLow, toHigh, fromLow));
  const t = bind('T', unary('abs', f, near));
  const one = normalTail(scope, t, variance, deviation);
  const two = normalTail(scope, far, variance, deviation);
  const over = bind('O', select(f, compare('gt', near, float(0)), sub(f, float(1), one.tail), one.tail));
  const [first, second] = [one.excess, two.excess];
  const isWide = compare('gt', deviation, float(WIDE * width));
  const middle = normalTail(scope, bind('M', mul(f, sub(f, far, near), float(0.5))), variance, deviation);
  const distance = bind('E', select(f, isWide, mul(f, middle.tail, float(width)), sub(f, add(f, maximum(f, near, float(0)), first), second)));
  // V = v Phi - s^2 r(t) r(-t) for both
  const spread = (chance: Expr, distance: Expr, excess: Expr): Expr => sub(f, mul(f, variance, chance), mul(f, add(f, distance, excess), excess));
  const cross = mul(f, add(f, second, second), sub(f, add(f, second, float(width)), add(f, maximum(f, near, float(0)), first)));
  const narrow = sub(f, sub(f, spread(over, t, first), spread(two.tail, far, second)), cross);
  const constant = sub(f, mul(f, middle.tail, sub(f, float(1), middle.tail)), mul(f, middle.density, divide(float(width / 6), maximum(f, deviation, float(width)))));
  const shift = bind('C', select(f, isWide, sub(f, distance, minimum(f, maximum(f, near, float(0)), float(width))), sub(f, first, second)));
  const clamped = maximum(f, minimum(f, mean, float(hi)), float(lo));
  return {
    mean: bind('Y', add(f, clamped, select(f, isLow, shift, unary('neg', f, shift)))),
    variance: bind('V', maximum(f, select(f, isWide, mul(f, constant, float(width * width)), narrow), float(0))),
    isLow,
    above: distance,
    inside: sub(f, over, two.tail),
    densityNear: divide(one.density, maximum(f, deviation, float(1e-30))),
    densityFar: divide(two.density, maximum(f, deviation, float(1e-30))),
  };
}
