/** ReduceSum: sums over dimensions, for float32 and integers. */
import { add } from '../ir/build.js';
import { accumulatorRange, arithmeticOutput, rangeOf, zero } from './operands.js';
import type { OperatorRecord } from './record.js';
import { reduceKernel, reductionAttributes, reductionInputs, reductionMoments, reductionParts, reductionSamples, referenceReduction } from './reduction.js';

export const reducesum: OperatorRecord = {
  name: 'ReduceSum',
  doc: 'y = the sum of data over the dimensions `axes` (all where absent).',
  inputs: reductionInputs,
  outputs: ['reduced'],
  attributes: reductionAttributes,
  infer(context) {
    const { shape } = reductionParts(context);
    return arithmeticOutput(context, [0], shape, reducesum);
  },
  reference(context, [x]) {
    return [referenceReduction(reductionParts(context), x!, (values) => values.reduce((a, b) => a + b, 0))];
  },
  integer: {
    maxBits: 32,
    range: (context) => accumulatorRange(rangeOf(context.input(0)), [1, 1], reductionParts(context).count),
  },
  lower(context) {
    return [reduceKernel(context, reductionParts(context), zero, add)];
  },
  moments: reductionMoments(() => 1),
  samples: reductionSamples(1700, 1e-6, ['int8', 'uint4', 'int2', 'int16']),
};
