/**
 * ExpMoments: mean and variance of e^x for a normal x (the log-normal distribution). Internal: made by the moments of Exp.
 * mean = e^(m + v / 2), variance = mean^2 (e^v - 1), up to the greatest float32.
 */
import { add, float, minimum, mul } from '../ir/build.js';
import { exp } from '../functions/exp.js';
import { expm1 } from '../functions/expm1.js';
import { momentFunctionRecord } from './momentFunction.js';
import { given } from './operands.js';

const f = 'float32';
const GREATEST = 3.4028234663852886e38;

export const expmoments = momentFunctionRecord({
  name: 'ExpMoments',
  doc: 'Mean and variance of e^x, x normal with `mean` and `variance` (both of one shape, variance >= 0); finite.',
  element(mean, variance, scope) {
    const first = scope.float('first', minimum(f, exp(scope, add(f, mean, mul(f, variance, float(0.5)))), float(GREATEST)));
    const relative = scope.float('relative', expm1(scope, variance).expm1);
    return { mean: first, variance: minimum(f, mul(f, first, minimum(f, mul(f, first, relative), float(GREATEST))), float(GREATEST)) };
  },
  value: Math.exp,
  seed: 3280,
  // the reference ends at 12 standard deviations, where the square of e^x is not quite done
  tolerance: 3e-5,
  cases: [{ name: 'far below', inputs: [given([2, 9], { range: [-20, -10] }), given([2, 9], { range: [0.001, 1] })] }],
});
