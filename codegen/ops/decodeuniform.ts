/**
 * DecodeUniform: weights that are stored as codes of one distance: code * scale. Internal, of quantized posteriors. Of constants it is
 * computed where it is read (schedule/inline.ts), so that no float32 weights exist.
 */
import { convert, load, mul } from '../ir/build.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { floatOutput, kernelName, makeKernel } from './operands.js';
import { channelElement, channelParameter, checkChannel, f32, requireFloat, requireInteger } from './quantization.js';
import type { OperatorRecord } from './record.js';

export const decodeuniform: OperatorRecord = {
  name: 'DecodeUniform',
  doc: 'Integers to float32: code * scale; scale has one element, or one for each coordinate along `axis`, and is 1 where it is absent. Internal.',
  inputs: [{ name: 'codes' }, { name: 'scale', optional: true }],
  outputs: ['y'],
  attributes: { axis: { type: 'int', doc: 'the dimension along which scales differ', default: 0 } },
  infer(c) {
    requireInteger(c, 0, 'codes');
    if (c.inputs[1]) {
      requireFloat(c, 1, 'scale');
      checkChannel(c, 1, 'scale', c.int('axis'));
    }
    return [floatOutput(c.input(0).shape)];
  },
  reference(c, [codes, scale]) {
    const data = codes!.data.map((q, i) => (scale ? f32(q * channelElement(scale, codes!.shape, c.int('axis'), i)) : q));
    return [{ shape: codes!.shape, data }];
  },
  lower(c) {
    const space = spaceAxes(c.input(0).shape);
    const at = pointOf(space);
    const code = convert('float32', load(c.input(0).name, at));
    const value = c.inputs[1] ? mul('float32', code, channelParameter(c.input(1), c.int('axis'), space)) : code;
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: c.outputs[0].name, at, value }] })];
  },
  isCompact: true,
  samples: [
    { name: 'int4', inputs: [{ shape: [3, 17], dtype: 'int4' }, { shape: [1], constant: true, values: [0.1] }], seed: 1, tolerance: 0 },
    { name: 'int8, per channel', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 4], dtype: 'int8' }, { shape: [3], constant: true, values: [0.1, 0.2, 3] }], seed: 2, tolerance: 0 },
    { name: 'without scale', inputs: [{ shape: [5, 9], dtype: 'int3' }], seed: 3, tolerance: 0 },
  ],
};
