/**
 * SampleInformation: how far the samples of a probability are from their mean, over the iterations of the graph's loop. Internal; see
 * samplestatistics.ts.
 *
 * Summed over classes, the information is the mean divergence of the samples from their mean: the mutual information of class and
 * weights. It runs as that of clusters that merge (Banerjee et al. 2005, "Clustering with Bregman divergences"):
 *     n I_n = (n - 1) I_(n-1) + (n - 1) D(old mean, new mean) + D(x, new mean),    D(p, q) = p ln(p / q) - p + q,
 * a sum of terms that are never negative, where a difference of two entropies would be rounding once the samples nearly agree.
 */
import { add, divide, float, mul, select, sub, unary } from '../ir/build.js';
import { divergence } from '../functions/divergence.js';
import { floatOutput, operandKind } from './operands.js';
import type { OperatorRecord } from './record.js';
import { iterationSamples, referenceMean, runningMean, sampleInputs, updateKernel } from './samplestatistics.js';

const f = 'float32';

export const sampleinformation: OperatorRecord = {
  name: 'SampleInformation',
  doc: 'mean of what X >= 0 was in the iterations of the graph\'s loop, and the mean of X ln X less mean ln mean, element by element, both of the shape of X. Internal: made by the twin `sample`.',
  inputs: sampleInputs,
  outputs: ['mean', 'information'],
  attributes: {},
  carries: true,
  infer(context) {
    operandKind(context, [0], false);
    return [floatOutput(context.input(0).shape), floatOutput(context.input(0).shape)];
  },
  reference(_, [x, index, oldMean, oldInformation]) {
    const i = index!.data[0];
    const mean = referenceMean(x!, oldMean!, i);
    const negativeEntropy = (p: number): number => (p > 0 ? p * Math.log(p) : 0);
    const data = oldInformation!.data.map((v, e) =>
      i === 0 ? 0 : (i * (v + negativeEntropy(oldMean!.data[e])) + negativeEntropy(x!.data[e])) / (i + 1) - negativeEntropy(mean.data[e]));
    return [mean, { shape: x!.shape, data }];
  },
  lower: (context) => [
    updateKernel(context, (iteration, scope) => {
      const { x, isFirst, count } = iteration;
      const [oldMean, oldInformation] = [iteration.before(0), iteration.before(1)];
      const mean = scope.float('mean', runningMean(iteration, oldMean, x));
      const difference = scope.float('difference', sub(f, x, oldMean));
      const step = scope.float('step', divide(difference, count));
      const ofOld = divergence(scope, oldMean, mean, unary('neg', f, step));
      const ofNew = divergence(scope, x, mean, sub(f, difference, step));
      const grown = add(f, mul(f, ofOld, sub(f, count, float(1))), ofNew);
      const information = add(f, oldInformation, divide(sub(f, grown, oldInformation), count));
      return [mean, select(f, isFirst, float(0), information)];
    }),
  ],
  samples: iterationSamples(4450, undefined, 2, [0, 1]),
};
