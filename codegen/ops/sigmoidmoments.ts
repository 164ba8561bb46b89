/** SigmoidMoments: mean and variance of 1 / (1 + e^-x) for a normal x. Internal: made by the moments of Sigmoid. */
import { add, compare, float, select, sub } from '../ir/build.js';
import { logisticMoments } from '../functions/logistic.js';
import { momentFunctionRecord } from './momentFunction.js';
import { given } from './operands.js';

const f = 'float32';

export const sigmoidmoments = momentFunctionRecord({
  name: 'SigmoidMoments',
  doc: 'Mean and variance of 1 / (1 + e^-x), x normal with `mean` and `variance` (both of one shape, variance >= 0), the variance within 1 %.',
  element(mean, variance, scope) {
    const { below, offset, variance: spread } = logisticMoments(scope, mean, variance);
    const low = scope.float('low', add(f, below, offset));
    return { mean: select(f, compare('gt', mean, float(0)), sub(f, float(1), low), low), variance: spread };
  },
  value: (x) => 1 / (1 + Math.exp(-x)),
  seed: 3200,
  // of the largest value of all: the mean; the 1 % of the variance is tested apart
  tolerance: 5e-3,
  cases: [{ name: 'wide', inputs: [given([2, 9], { range: [-20, 20] }), given([2, 9], { range: [9, 500] })] }],
});
