/**
 * SumPool: the sum of every window, for float32 and integers. Internal: an AveragePool of integers becomes SumPool, and
 * the division goes into the next scale.
 */
import { arithmeticOutput, given } from './operands.js';
import { poolAttributes, poolParts, poolSamples, referencePool, sumKernel, windowSumRange } from './pool.js';
import type { OperatorRecord } from './record.js';

export const sumpool: OperatorRecord = {
  name: 'SumPool',
  doc: 'Y[n, c, y, x] = the sum of X[n, c, ..] over the window; padding adds nothing; one or two spatial dimensions. Internal.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: { ...poolAttributes, count_include_pad: { type: 'int', doc: 'As of the AveragePool that it was made of; a sum does not see it.', default: 0 } },
  infer(context) {
    const { shape } = poolParts(context);
    return arithmeticOutput(context, [0], shape, sumpool);
  },
  reference(context, [x]) {
    return [referencePool(poolParts(context), x!, (values) => values.reduce((a, b) => a + b, 0))];
  },
  integer: { maxBits: 32, range: windowSumRange },
  lower(context) {
    return [sumKernel(context, poolParts(context), (total) => total)];
  },
  samples: [
    ...poolSamples(1500, 1e-6),
    { name: 'int8', attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, inputs: [given([1, 17, 5, 5], { dtype: 'int8' })], seed: 1541, tolerance: 0 },
    { name: 'uint4', attributes: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [given([3, 8, 4, 4], { dtype: 'uint4' })], seed: 1542, tolerance: 0 },
    { name: 'uint1', attributes: { kernel_shape: [4] }, inputs: [given([1, 3, 9], { dtype: 'uint1' })], seed: 1543, tolerance: 0 },
  ],
};
