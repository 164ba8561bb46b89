/** SampleMean: the mean of a value over the iterations of the graph's loop. Internal; see samplestatistics.ts. */
import { floatOutput, operandKind } from './operands.js';
import type { OperatorRecord } from './record.js';
import { iterationSamples, referenceMean, runningMean, sampleInputs, updateKernel } from './samplestatistics.js';

export const samplemean: OperatorRecord = {
  name: 'SampleMean',
  doc: 'y = the mean of what X was in the iterations of the graph\'s loop, of the shape of X. Internal: made by the twin `sample`.',
  inputs: sampleInputs,
  outputs: ['mean'],
  attributes: {},
  carries: true,
  infer(context) {
    operandKind(context, [0], false);
    return [floatOutput(context.input(0).shape)];
  },
  reference: (_, [x, index, before]) => [referenceMean(x!, before!, index!.data[0])],
  lower: (context) => [updateKernel(context, (iteration) => [runningMean(iteration, iteration.before(0), iteration.x)])],
  samples: iterationSamples(4410),
};
