/** ArgMax: where the greatest element along an axis is, for float32 and integers. */
import { extremeKernel, referenceExtreme } from './extreme.js';
import { given, normalizeAxis, operandKind } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

function parts(context: NodeContext) {
  const { shape } = context.input(0);
  const axis = normalizeAxis(context, context.int('axis'), shape.length);
  const keep = context.int('keepdims') !== 0;
  return { axis, keep, last: context.int('select_last_index') !== 0, shape: keep ? shape.map((e, d) => (d === axis ? 1 : e)) : shape.filter((_, d) => d !== axis) };
}

export const argmax: OperatorRecord = {
  name: 'ArgMax',
  doc: 'y = the int32 index of the greatest element along `axis`; of equal ones the first, or the last with select_last_index. NaN never wins; where nothing is above -infinity the index is 0.',
  inputs: [{ name: 'data' }],
  outputs: ['reduced'],
  attributes: {
    axis: { type: 'int', doc: 'The dimension that is searched.', default: 0 },
    keepdims: { type: 'int', doc: '1: the dimension stays, with extent 1.', default: 1 },
    select_last_index: { type: 'int', doc: '1: of equal elements the last.', default: 0 },
  },
  infer(context) {
    operandKind(context, [0]);
    const { axis, shape } = parts(context);
    return [{ shape, dtype: 'int32', range: [0, context.input(0).shape[axis] - 1] }];
  },
  reference(context, [x]) {
    const { axis, last, shape } = parts(context);
    return [{ shape, data: referenceExtreme(x!, axis, true, last).indices.data }];
  },
  integer: { maxBits: 32, range: (context) => [0, context.input(0).shape[parts(context).axis] - 1] },
  lower(context) {
    const { axis, keep, last } = parts(context);
    return [extremeKernel(context, { axis, keep, last, largest: true, indices: context.outputs[0].name })];
  },
  samples: [
    ...[1, 3, 4, 5, 10, 16, 33].map((c, i) => ({ name: `classes ${c}`, attributes: { axis: 1, keepdims: i % 2 }, inputs: [given([1 + 2 * (i % 2), c])], seed: 2000 + i, tolerance: 0 })),
    { name: 'ties', attributes: { axis: -1 }, inputs: [given([2, 6], { values: [1, 3, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0] })], seed: 2010, tolerance: 0 },
    { name: 'ties, last', attributes: { axis: -1, select_last_index: 1 }, inputs: [given([2, 6], { values: [1, 3, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0] })], seed: 2011, tolerance: 0 },
    { name: 'specials', attributes: { axis: 1, keepdims: 0 }, inputs: [given([5, 3], { values: [NaN, 1, 2, -Infinity, -Infinity, -Infinity, -0, 0, -0, 2, NaN, 3, NaN, NaN, NaN] })], seed: 2012, tolerance: 0 },
    { name: 'axis 0', inputs: [given([5, 4])], seed: 2013, tolerance: 0 },
    { name: 'channels of an image', attributes: { axis: 1 }, inputs: [given([2, 4, 3, 2])], seed: 2014, tolerance: 0 },
    { name: 'int3, many ties', attributes: { axis: 1 }, inputs: [given([3, 20], { dtype: 'int3' })], seed: 2015, tolerance: 0 },
    { name: 'uint2, many ties, last', attributes: { axis: 1, select_last_index: 1 }, inputs: [given([3, 20], { dtype: 'uint2' })], seed: 2016, tolerance: 0 },
    { name: 'int8 of a narrower range', attributes: { axis: 1 }, inputs: [given([3, 9], { dtype: 'int8', range: [1, 6] })], seed: 2018, tolerance: 0 },
    { name: 'int24', attributes: { axis: 1 }, inputs: [given([3, 9], { dtype: 'int24' })], seed: 2017, tolerance: 0 },
  ],
};
