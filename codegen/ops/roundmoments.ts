/**
 * RoundMoments: moments of rounding a normal x to the whole numbers from `min` to `max`, about the number `code` that its mean is
 * rounded to. Internal: made by the moments of quantizers of more than 4 bits.
 *
 * Below a standard deviation of 0.6 the two nearest thresholds on each side are summed as in StepMoments. From there on the error of
 * rounding is taken as uniform and independent: the moments of the clipped x, 1/12 of variance within the bounds, and the next terms
 * of the Euler-Maclaurin sum over the thresholds at the bounds. Bounds: mean within 0.02, variance within 4 % of itself and 1/12.
 */
import { add, compare, float, maximum, minimum, mul, select, sub, unary } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { clippedMoments } from '../functions/clipped.js';
import { normalTail } from '../functions/normalTail.js';
import type { Scope } from '../functions/scope.js';
import { momentsByQuadrature } from './momentFunction.js';
import { pairArrays, pairKernel, pairShapes } from './momentPair.js';
import { given } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

const f = 'float32';
/** Standard deviation from which the error is taken as uniform. */
const WIDE = 0.6;

const boundsOf = (c: NodeContext): readonly [number, number] => [c.float('min'), c.float('max')];

export const roundmoments: OperatorRecord = {
  name: 'RoundMoments',
  doc: 'Of a normal x of `mean` and `variance` rounded to whole numbers from min to max: its mean less `code`, what the mean is rounded to, and its variance. Internal.',
  inputs: [{ name: 'mean' }, { name: 'variance' }, { name: 'code' }],
  outputs: ['offset', 'outputVariance'],
  attributes: { min: { type: 'float', doc: 'the least number', required: true }, max: { type: 'float', doc: 'the greatest number', required: true } },
  infer: pairShapes,
  reference(c, [mean, variance, code]) {
    const [lo, hi] = boundsOf(c);
    const pairs = [...mean!.data].map((m, e) => {
      if (variance!.data[e] === 0) return [0, 0];
      const reach = 12 * Math.sqrt(variance!.data[e]);
      const first = Math.max(lo, Math.floor(m - reach));
      const steps = Array.from({ length: Math.max(0, Math.min(hi, Math.ceil(m + reach)) - first) }, (_, i) => first + i + 0.5);
      const [centre, spread] = momentsByQuadrature((x) => Math.min(Math.max(Math.floor(x + 0.5), lo), hi), m, variance!.data[e], steps);
      return [centre - code!.data[e], spread];
    });
    return pairArrays(mean!.shape, pairs);
  },
  lower(context) {
    const [lo, hi] = boundsOf(context);
    return pairKernel(context, ['mean', 'variance', 'code'], ([m, v, code], scope) => {
      const deviation = scope.float('deviation', unary('sqrt', f, v));
      const narrow = nearest(scope, m, v, deviation, code, lo, hi);
      const wide = uniform(scope, m, v, lo, hi);
      const isWide = compare('ge', deviation, float(WIDE));
      const isRandom = compare('ne', v, float(0));
      const offset = select(f, isWide, sub(f, wide.mean, code), narrow.mean);
      const variance = maximum(f, select(f, isWide, wide.variance, narrow.variance), float(0));
      return { mean: select(f, isRandom, offset, float(0)), variance: select(f, isRandom, variance, float(0)) };
    });
  },
  samples: [
    { name: '8 bits', attributes: { min: -128, max: 127 }, inputs: codes([0.2, -3.4, 100, -60.5, 7, 33.3, -99.9, 1.49]), outputs: 2, seed: 3310, tolerance: 2e-3 },
    { name: 'at the bounds', attributes: { min: 0, max: 31 }, inputs: codes([-0.4, 0, 0.4, 31, 31.4, 30.8, -1, 16], 0, 31), outputs: 2, seed: 3311, tolerance: 3e-3 },
    { name: 'no variance', attributes: { min: 0, max: 31 }, inputs: [given([3], { values: [-1, 3.2, 40] }), given([3], { values: [0, 0, 0] }), given([3], { values: [0, 3, 31] })], outputs: 2, seed: 3312, tolerance: 0 },
  ],
};

function codes(means: readonly number[], lo = -128, hi = 127) {
  return [given([means.length], { values: means }), given([means.length], { range: [0.01, 9] }), given([means.length], { values: means.map((m) => Math.min(Math.max(Math.round(m), lo), hi)) })];
}

interface Pair {
  readonly mean: Expr;
  readonly variance: Expr;
}

/** Of the code less that of the mean. */
function nearest(scope: Scope, mean: Expr, variance: Expr, deviation: Expr, code: Expr, lo: number, hi: number): Pair {
  let [first, second]: Expr[] = [float(0), float(0)];
  for (const [steps, weight] of [[1, 1], [2, 3]] as const) {
    for (const sign of [1, -1]) {
      const threshold = scope.float('threshold', add(f, code, float(sign * (steps - 0.5))));
      const distance = scope.float('distance', unary('abs', f, sub(f, threshold, mean)));
      const { tail } = normalTail(scope, distance, variance, deviation);
      const exists = sign > 0 ? compare('le', code, float(hi - steps)) : compare('ge', code, float(lo + steps));
      const chance = scope.float('chance', select(f, exists, tail, float(0)));
      first = scope.float('first', sign > 0 ? add(f, first, chance) : sub(f, first, chance));
      second = scope.float('second', add(f, second, mul(f, chance, float(weight))));
    }
  }
  return { mean: first, variance: sub(f, second, mul(f, first, first)) };
}

/** Of the rounded and clipped x, its error taken as uniform. */
function uniform(scope: Scope, mean: Expr, variance: Expr, lo: number, hi: number): Pair {
  const clipped = clippedMoments(scope, mean, variance, lo, hi);
  const [densityNear, densityFar] = [scope.float('near', clipped.densityNear), scope.float('far', clipped.densityFar)];
  const inward = scope.float('inward', mul(f, sub(f, densityFar, densityNear), float(1 / 24)));
  const beyond = sub(f, float(hi - lo), clipped.above);
  const edges = add(f, mul(f, beyond, densityFar), mul(f, clipped.above, densityNear));
  return {
    mean: minimum(f, maximum(f, add(f, clipped.mean, select(f, clipped.isLow, inward, unary('neg', f, inward))), float(lo)), float(hi)),
    variance: add(f, clipped.variance, mul(f, add(f, maximum(f, clipped.inside, float(0)), edges), float(1 / 12))),
  };
}
