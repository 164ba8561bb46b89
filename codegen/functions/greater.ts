/**
 * Mean and variance of the greater of two independent normal variables (C. E. Clark, "The greatest of a finite set of random
 * variables", Operations Research 1961), for float32, without the cancellation of E[y^2] - E[y]^2.
 *
 * With a^2 = v1 + v2, t = |m1 - m2| / a, h the one of greater mean and l the other, r(t) = phi(t) + t Phi(t):
 * mean = m_h + a r(-t), variance = v_h Phi(t) + v_l Phi(-t) - a^2 r(t) r(-t), where r(t) = t + r(-t) and a t = |m1 - m2|. As a goes to
 * 0: that of greater mean.
 */
import { add, compare, float, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { normalTail } from './normalTail.js';
import type { Scope } from './scope.js';

const f = 'float32';

export interface MomentExpr {
  readonly mean: Expr;
  /** Not negative. */
  readonly variance: Expr;
}

/** max(a, b) of independent normal a and b, matched by a normal variable. All are references. */
export function greater(scope: Scope, a: MomentExpr, b: MomentExpr): MomentExpr {
  const total = scope.float('maxV', add(f, a.variance, b.variance));
  const deviation = scope.float('maxS', unary('sqrt', f, total));
  const distance = scope.float('maxD', unary('abs', f, sub(f, a.mean, b.mean)));
  const { tail, excess } = normalTail(scope, distance, total, deviation, 'absolute');
  const isFirst = compare('ge', a.mean, b.mean);
  const high = scope.float('maxH', select(f, isFirst, a.variance, b.variance));
  // v_h Phi(t) + v_l Phi(-t), with v_l - v_h = a^2 - 2 v_h
  const mixed = add(f, high, mul(f, tail, sub(f, total, add(f, high, high))));
  const variance = scope.float('maxV', sub(f, mixed, mul(f, add(f, distance, excess), excess)));
  return {
    mean: scope.float('maxMean', add(f, select(f, compare('lt', a.mean, b.mean), b.mean, a.mean), excess)),
    variance: scope.float('maxVariance', select(f, compare('lt', variance, float(0)), float(0), variance)),
  };
}

/** The greatest of several, pair by pair in a tree: neighbours first. */
export function greatest(scope: Scope, all: readonly MomentExpr[]): MomentExpr {
  let level = all;
  while (level.length > 1) {
    const next: MomentExpr[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) next.push(greater(scope, level[i], level[i + 1]));
    if (level.length % 2 === 1) next.push(level[level.length - 1]);
    level = next;
  }
  return level[0];
}
