/**
 * SampleMoments: mean and variance of a value over the iterations of the graph's loop. Internal; see samplestatistics.ts.
 *
 * Welford 1962, "Note on a method for calculating corrected sums of squares and products": no difference of large squares.
 */
import { add, divide, float, mul, select, sub } from '../ir/build.js';
import { floatOutput, operandKind } from './operands.js';
import type { OperatorRecord } from './record.js';
import { iterationSamples, referenceMean, runningMean, sampleInputs, updateKernel } from './samplestatistics.js';

export const samplemoments: OperatorRecord = {
  name: 'SampleMoments',
  doc: 'mean and variance (divided by the number of iterations) of what X was in the iterations of the graph\'s loop, both of the shape of X. Internal: made by the twin `sample`.',
  inputs: sampleInputs,
  outputs: ['mean', 'variance'],
  attributes: {},
  carries: true,
  infer(context) {
    operandKind(context, [0], false);
    return [floatOutput(context.input(0).shape), floatOutput(context.input(0).shape)];
  },
  reference(_, [x, index, oldMean, oldVariance]) {
    const i = index!.data[0];
    const mean = referenceMean(x!, oldMean!, i);
    // the mean square of what is left of the means of i and of i + 1 samples
    const data = oldVariance!.data.map((v, e) => (i * (v + (oldMean!.data[e] - mean.data[e]) ** 2) + (x!.data[e] - mean.data[e]) ** 2) / (i + 1));
    return [mean, { shape: x!.shape, data }];
  },
  lower: (context) => [
    updateKernel(context, (iteration, scope) => {
      const { x, isFirst, count } = iteration;
      const [oldMean, oldVariance] = [iteration.before(0), iteration.before(1)];
      const mean = scope.float('mean', runningMean(iteration, oldMean, x));
      // both differences have one sign, so that the product is never negative
      const square = mul('float32', sub('float32', x, oldMean), sub('float32', x, mean));
      const variance = add('float32', oldVariance, divide(sub('float32', square, oldVariance), count));
      return [mean, select('float32', isFirst, float(0), variance)];
    }),
  ],
  samples: iterationSamples(4420, undefined, 2),
};
