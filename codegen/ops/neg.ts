/** Neg: -x, for float32 and integers. */
import { unary } from '../ir/build.js';
import { edgeSamples, specials } from './edges.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, given, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';

export const neg: OperatorRecord = {
  name: 'Neg',
  doc: 'y = -x, element by element; y has the shape of x. A zero changes its sign.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const { shape } = context.input(0);
    return arithmeticOutput(context, [0], shape, neg);
  },
  reference(_context, [x]) {
    return [referenceElementwise([x!], (v) => -v)];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [lo, hi] = rangeOf(context.input(0));
      return [0 - hi, 0 - lo];
    },
  },
  lower(context) {
    return elementwise(context, [0], ([x], type) => unary('neg', type, x));
  },
  gradient(_context, _outputs, [dy], build) {
    return [build.node('Neg', [dy])];
  },
  moments: {
    label: 'exact',
    rule(_context, [x], build) {
      return { mean: build.node('Neg', [x.mean]), variance: x.variance };
    },
  },
  samples: [
    ...edgeSamples(1340, (extent, i) => ({ inputs: [given([1 + 2 * (i % 2), extent])] })),
    { name: 'image', inputs: [given([3, 5, 7, 3])], seed: 1360, tolerance: 0 },
    { name: 'scalar', inputs: [given([])], seed: 1361, tolerance: 0 },
    { name: 'specials', inputs: [given([specials.length], { values: specials })], seed: 1362, tolerance: 0 },
    { name: 'int3', inputs: [given([3, 17], { dtype: 'int3' })], seed: 1363, tolerance: 0 },
    { name: 'uint4', inputs: [given([3, 9], { dtype: 'uint4' })], seed: 1364, tolerance: 0 },
    { name: 'int8', inputs: [given([1, 4, 5, 3], { dtype: 'int8' })], seed: 1365, tolerance: 0 },
    { name: 'int8 below zero', inputs: [given([3, 9], { dtype: 'int8', range: [-100, -3] })], seed: 1366, tolerance: 0 },
    { name: 'int13', inputs: [given([2, 33], { dtype: 'int13' })], seed: 1367, tolerance: 0 },
    { name: 'uint32 that fits', inputs: [given([5, 5], { dtype: 'uint32', range: [0, 2 ** 31] })], seed: 1368, tolerance: 0 },
  ],
};
