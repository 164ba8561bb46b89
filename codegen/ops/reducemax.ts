/** ReduceMax: the greatest element over dimensions, for float32 and integers. */
import { float, int, maximum } from '../ir/build.js';
import { arithmeticOutput, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';
import { reduceKernel, reductionAttributes, reductionInputs, reductionParts, reductionSamples, referenceReduction } from './reduction.js';

export const reducemax: OperatorRecord = {
  name: 'ReduceMax',
  doc: 'y = the greatest element of data over the dimensions `axes` (all where absent); NaN wins.',
  inputs: reductionInputs,
  outputs: ['reduced'],
  attributes: reductionAttributes,
  infer(context) {
    const { shape } = reductionParts(context);
    return arithmeticOutput(context, [0], shape, reducemax);
  },
  reference(context, [x]) {
    return [referenceReduction(reductionParts(context), x!, (values) => values.reduce((a, b) => Math.max(a, b), -Infinity))];
  },
  integer: { maxBits: 32, range: (context) => rangeOf(context.input(0)) },
  lower(context) {
    const least = rangeOf(context.input(0))[0];
    return [reduceKernel(context, reductionParts(context), (type) => (type === 'float32' ? float(-Infinity) : int(least, type)), maximum)];
  },
  samples: [
    ...reductionSamples(1800, 0, ['int8', 'uint4', 'int2', 'int16']),
    { name: 'specials', inputs: [{ shape: [3, 3], values: [NaN, 1, 2, -Infinity, -Infinity, -Infinity, -0, 0, -0] }, { shape: [1], dtype: 'int32', constant: true, values: [1] }], seed: 1840, tolerance: 0 },
  ],
};
