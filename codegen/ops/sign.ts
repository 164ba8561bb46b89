/** Sign: -1, 0 or +1, for float32 and integers. */
import { compare, float, int, select } from '../ir/build.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, elementType, given, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';

export const sign: OperatorRecord = {
  name: 'Sign',
  doc: 'y = -1 where x < 0, +1 where x > 0, else x (a zero keeps its sign, NaN stays NaN); y has the shape of x.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const { shape } = context.input(0);
    return arithmeticOutput(context, [0], shape, sign);
  },
  reference(_context, [x]) {
    return [referenceElementwise([x!], Math.sign)];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [lo, hi] = rangeOf(context.input(0));
      return [Math.sign(lo), Math.sign(hi)];
    },
  },
  lower(context) {
    const source = elementType(context.input(0));
    return elementwise(context, [0], ([x], type, scope) => {
      if (type === 'float32') {
        const value = scope.float('value', x);
        return select(type, compare('gt', value, float(0)), float(1), select(type, compare('lt', value, float(0)), float(-1), value));
      }
      const [lo, hi] = rangeOf(context.input(0));
      const zero = int(0, source);
      if (lo >= 0) return hi > 0 ? select(type, compare('gt', x, zero), int(1, type), int(0, type)) : int(0, type);
      return select(type, compare('gt', x, zero), int(hi > 0 ? 1 : 0, type), select(type, compare('lt', x, zero), int(-1, type), int(0, type)));
    });
  },
  samples: [
    ...[1, 4, 7, 16, 33].map((c, i) => ({ name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c])], seed: 1000 + i, tolerance: 0 })),
    { name: 'specials', inputs: [given([7], { values: [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45] })], seed: 1010, tolerance: 0 },
    { name: 'int3', inputs: [given([3, 9], { dtype: 'int3' })], seed: 1011, tolerance: 0 },
    { name: 'uint4', inputs: [given([3, 9], { dtype: 'uint4' })], seed: 1012, tolerance: 0 },
    { name: 'int8 of a narrower range', inputs: [given([3, 9], { dtype: 'int8', range: [-9, 0] })], seed: 1014, tolerance: 0 },
    { name: 'int16', inputs: [given([1, 3, 2, 3], { dtype: 'int16' })], seed: 1013, tolerance: 0 },
  ],
};
