/** Relu: max(x, 0), for float32 and integers. */
import { maximum } from '../ir/build.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, given, rangeOf, zero } from './operands.js';
import type { OperatorRecord } from './record.js';

export const relu: OperatorRecord = {
  name: 'Relu',
  doc: 'y = max(x, 0), element by element; y has the shape of x. NaN stays NaN.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const x = context.input(0);
    return arithmeticOutput(context, [0], x.shape, relu);
  },
  reference(_context, [x]) {
    return [referenceElementwise([x!], (v) => (v > 0 ? v : v !== v ? v : 0))];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [lo, hi] = rangeOf(context.input(0));
      return [Math.max(lo, 0), Math.max(hi, 0)];
    },
  },
  lower(context) {
    return elementwise(context, [0], ([x], type) => maximum(type, x, zero(type)));
  },
  gradient(_context, outputs, [dy], build) {
    return [build.node('Mul', [dy, build.node('Sign', [outputs[0].name])])];
  },
  moments: {
    label: 'matched',
    rule(_context, [x], build) {
      if (x.variance === undefined) return { mean: build.node('Relu', [x.mean]) };
      const [mean, variance] = build.nodes('ReluMoments', [x.mean, x.variance], 2);
      return { mean, variance };
    },
  },
  samples: [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({
      name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c])], seed: 100 + i, tolerance: 0,
    })),
    { name: 'image', inputs: [given([3, 5, 7, 3])], seed: 120, tolerance: 0 },
    { name: 'scalar', inputs: [given([])], seed: 121, tolerance: 0 },
    { name: 'specials', inputs: [given([6], { values: [NaN, -Infinity, Infinity, -0, 1e-45, -1e-45] })], seed: 122, tolerance: 0 },
    { name: 'int3', inputs: [given([3, 17], { dtype: 'int3' })], seed: 123, tolerance: 0 },
    { name: 'int8', inputs: [given([1, 4, 5, 3], { dtype: 'int8' })], seed: 124, tolerance: 0 },
    { name: 'int13', inputs: [given([2, 33], { dtype: 'int13' })], seed: 125, tolerance: 0 },
    { name: 'int8 of a narrower range', inputs: [given([3, 9], { dtype: 'int8', range: [-3, 10] })], seed: 127, tolerance: 0 },
    { name: 'int32', inputs: [given([5, 5], { dtype: 'int32' })], seed: 126, tolerance: 0 },
  ],
};
