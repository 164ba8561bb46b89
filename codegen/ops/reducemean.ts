/** ReduceMean: means over dimensions, for float32: the sum, divided once. */
import { add, divide, float } from '../ir/build.js';
import { floatOutput, operandKind, zero } from './operands.js';
import type { OperatorRecord } from './record.js';
import { reduceKernel, reductionAttributes, reductionInputs, reductionMoments, reductionParts, reductionSamples, referenceReduction } from './reduction.js';

export const reducemean: OperatorRecord = {
  name: 'ReduceMean',
  doc: 'y = the mean of data over the dimensions `axes` (all where absent). Integers: ReduceSum.',
  inputs: reductionInputs,
  outputs: ['reduced'],
  attributes: reductionAttributes,
  infer(context) {
    operandKind(context, [0], false);
    return [floatOutput(reductionParts(context).shape)];
  },
  reference(context, [x]) {
    return [referenceReduction(reductionParts(context), x!, (values) => values.reduce((a, b) => a + b, 0) / values.length)];
  },
  lower(context) {
    const parts = reductionParts(context);
    return [reduceKernel(context, parts, zero, add, (total) => divide(total, float(parts.count)))];
  },
  moments: reductionMoments((count) => 1 / count),
  samples: reductionSamples(1750, 1e-6),
};
