/** TanhMoments: mean and variance of tanh(x) = 2 / (1 + e^-2x) - 1 for a normal x. Internal: made by the moments of Tanh. */
import { add, compare, float, mul, select, unary } from '../ir/build.js';
import { logisticMoments } from '../functions/logistic.js';
import { tanh } from '../functions/tanh.js';
import { momentFunctionRecord } from './momentFunction.js';
import { given } from './operands.js';

const f = 'float32';

export const tanhmoments = momentFunctionRecord({
  name: 'TanhMoments',
  doc: 'Mean and variance of tanh x, x normal with `mean` and `variance` (both of one shape, variance >= 0), the variance within 1 %.',
  element(mean, variance, scope) {
    const { offset, variance: spread } = logisticMoments(scope, scope.float('twice', add(f, mean, mean)), scope.float('four', mul(f, variance, float(4))));
    const shift = scope.float('shift', add(f, offset, offset));
    const inward = select(f, compare('gt', mean, float(0)), unary('neg', f, shift), shift);
    return { mean: add(f, tanh(scope, mean), inward), variance: mul(f, spread, float(4)) };
  },
  value: Math.tanh,
  seed: 3220,
  tolerance: 5e-3,
  cases: [{ name: 'wide', inputs: [given([2, 9], { range: [-20, 20] }), given([2, 9], { range: [2, 500] })] }],
});
