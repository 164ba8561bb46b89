/**
 * AbsMoments: mean and variance of |x| for a normal x (the folded normal). Internal: made by the moments of Abs. With a = |m| / s:
 * mean = |m| + 2 s r(-a), variance = v - 2 s r(-a) (2 s r(-a) + 2 |m|), where r(-a) = phi(a) - a Phi(-a).
 */
import { add, float, maximum, mul, sub, unary } from '../ir/build.js';
import { normalTail } from '../functions/normalTail.js';
import { momentFunctionRecord } from './momentFunction.js';

const f = 'float32';

export const absmoments = momentFunctionRecord({
  name: 'AbsMoments',
  doc: 'Mean and variance of |x|, x normal with `mean` and `variance` (both of one shape, variance >= 0).',
  element(mean, variance, scope) {
    const deviation = scope.float('deviation', unary('sqrt', f, variance));
    const distance = scope.float('distance', unary('abs', f, mean));
    const { excess } = normalTail(scope, distance, variance, deviation);
    const both = scope.float('both', add(f, excess, excess));
    // at least (1 - 2 / pi) v
    const spread = sub(f, variance, mul(f, both, add(f, both, add(f, distance, distance))));
    return { mean: add(f, distance, both), variance: maximum(f, spread, float(0)) };
  },
  value: Math.abs,
  breaks: () => [0],
  seed: 3260,
  tolerance: 1e-5,
});
