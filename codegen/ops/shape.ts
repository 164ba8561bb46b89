/** Shape: the dimensions of a tensor as integers. It has no kernel: shapes are known at compile time. */
import type { NodeContext, OperatorRecord } from './record.js';

function dimensions(c: NodeContext): readonly number[] {
  const { shape } = c.input(0);
  // As ONNX says: negative counts from the end, and bounds outside the rank are clamped.
  const bound = (given: number): number => Math.min(Math.max(given < 0 ? given + shape.length : given, 0), shape.length);
  return shape.slice(bound(c.int('start')), c.has('end') ? bound(c.int('end')) : shape.length);
}

export const shape: OperatorRecord = {
  name: 'Shape',
  doc: 'The dimensions of the input, from start to end, as a vector of integers.',
  inputs: [{ name: 'data' }],
  outputs: ['shape'],
  attributes: {
    start: { type: 'int', doc: 'the first dimension; negative counts from the end', default: 0 },
    end: { type: 'int', doc: 'the dimension to stop before; absent: the rank' },
  },
  infer: (c) => [{ shape: [dimensions(c).length], dtype: 'int32' }],
  reference(c) {
    const data = Float64Array.from(dimensions(c));
    return [{ shape: [data.length], data }];
  },
  samples: [
    { name: 'all', inputs: [{ shape: [2, 3, 5] }], seed: 1, tolerance: 0 },
    { name: 'last two', attributes: { start: -2 }, inputs: [{ shape: [2, 3, 5] }], seed: 2, tolerance: 0 },
    { name: 'first', attributes: { end: 1 }, inputs: [{ shape: [4, 3] }], seed: 3, tolerance: 0 },
  ],
};
