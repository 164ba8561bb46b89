/**
 * DecodeTable: values that are stored as places in a table: table[code] * scale, so that two moments of a weight come of one code.
 * Internal, of quantized posteriors. Of constants it is computed where it is read.
 */
import { factor, load, mul } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { floatOutput, kernelName, makeKernel, rangeOf } from './operands.js';
import { channelElement, channelParameter, checkChannel, f32, requireFloat, requireInteger } from './quantization.js';
import type { OperatorRecord } from './record.js';

export const decodetable: OperatorRecord = {
  name: 'DecodeTable',
  doc: 'Codes to float32: table[code] * scale; the table is one-dimensional and has an element for each code that the type holds; scale has one element, or one for each coordinate along `axis`, and is 1 where it is absent. Internal.',
  inputs: [{ name: 'codes' }, { name: 'table' }, { name: 'scale', optional: true }],
  outputs: ['y'],
  attributes: { axis: { type: 'int', doc: 'the dimension along which scales differ', default: 0 } },
  infer(c) {
    requireInteger(c, 0, 'codes');
    requireFloat(c, 1, 'table');
    const { shape } = c.input(1);
    const [lo, hi] = rangeOf(c.input(0));
    if (lo < 0 || shape.length !== 1 || Number(shape[0]) <= hi) {
      fail('graph/shape', c.node.name, `codes are ${lo} .. ${hi}, and the table is ${formatShape(shape)}`, `Give a table of ${hi + 1} elements.`);
    }
    if (c.inputs[2]) {
      requireFloat(c, 2, 'scale');
      checkChannel(c, 2, 'scale', c.int('axis'));
    }
    return [floatOutput(c.input(0).shape)];
  },
  reference(c, [codes, table, scale]) {
    const data = codes!.data.map((k, i) => (scale ? f32(table!.data[k] * channelElement(scale, codes!.shape, c.int('axis'), i)) : table!.data[k]));
    return [{ shape: codes!.shape, data }];
  },
  lower(c) {
    const space = spaceAxes(c.input(0).shape);
    const at = pointOf(space);
    const [table, scale] = [c.input(1), c.inputs[2] && c.input(2)];
    const found = load(table.name, [factor({ value: load(c.input(0).name, at), lo: 0, hi: table.shape[0] - 1 })]);
    const value = scale ? mul('float32', found, channelParameter(scale, c.int('axis'), space)) : found;
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: c.outputs[0].name, at, value }] })];
  },
  isCompact: true,
  samples: [
    { name: 'bytes', inputs: [{ shape: [3, 17], dtype: 'uint8' }, { shape: [256], constant: true }, { shape: [1], constant: true, values: [0.3] }], seed: 1, tolerance: 0 },
    { name: 'fields, per channel', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 4], dtype: 'uint4', constant: true }, { shape: [16], constant: true }, { shape: [3], constant: true, values: [0.1, 0.2, 3] }], seed: 2, tolerance: 0 },
    { name: 'without scale', inputs: [{ shape: [5, 9], dtype: 'uint2' }, { shape: [4], constant: true }], seed: 3, tolerance: 0 },
  ],
};
