/** Abs: the absolute value, for float32 and integers. */
import { unary } from '../ir/build.js';
import { edgeSamples, specials } from './edges.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { functionMoments } from './momentFunction.js';
import { arithmeticOutput, given, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';

export const abs: OperatorRecord = {
  name: 'Abs',
  doc: 'y = |x|, element by element; y has the shape of x. NaN stays NaN.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const { shape } = context.input(0);
    return arithmeticOutput(context, [0], shape, abs);
  },
  reference(_context, [x]) {
    return [referenceElementwise([x!], (v) => (v < 0 ? -v : v === 0 ? 0 : v))];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [lo, hi] = rangeOf(context.input(0));
      return [Math.max(lo, 0 - hi, 0), Math.max(hi, 0 - lo)];
    },
  },
  lower(context) {
    return elementwise(context, [0], ([x], type) => unary('abs', type, x));
  },
  gradient(context, _outputs, [dy], build) {
    return [build.node('Mul', [dy, build.node('Sign', [context.input(0).name])])];
  },
  moments: functionMoments('Abs', 'matched'),
  samples: [
    ...edgeSamples(1300, (extent, i) => ({ inputs: [given([1 + 2 * (i % 2), extent])] })),
    { name: 'image', inputs: [given([3, 5, 7, 3])], seed: 1320, tolerance: 0 },
    { name: 'scalar', inputs: [given([])], seed: 1321, tolerance: 0 },
    { name: 'specials', inputs: [given([specials.length], { values: specials })], seed: 1322, tolerance: 0 },
    { name: 'int3', inputs: [given([3, 17], { dtype: 'int3' })], seed: 1323, tolerance: 0 },
    { name: 'uint4', inputs: [given([3, 9], { dtype: 'uint4' })], seed: 1324, tolerance: 0 },
    { name: 'int8, its least value too', inputs: [given([1, 4, 5, 3], { dtype: 'int8', values: Array.from({ length: 60 }, (_, i) => i * 4 - 128) })], seed: 1325, tolerance: 0 },
    { name: 'int8 below zero', inputs: [given([3, 9], { dtype: 'int8', range: [-100, -3] })], seed: 1326, tolerance: 0 },
    { name: 'int13', inputs: [given([2, 33], { dtype: 'int13' })], seed: 1327, tolerance: 0 },
    { name: 'int32, its least value too', inputs: [given([7], { dtype: 'int32', values: [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1, 12345, -12345] })], seed: 1328, tolerance: 0 },
    { name: 'uint32', inputs: [given([2, 6], { dtype: 'uint32' })], seed: 1329, tolerance: 0 },
  ],
};
