/**
 * Dequantize: integers to float32; internal, made by the streamline pass where integer kernels meet a float value.
 *
 *   y = float32(float32(float32(q) * scale) + bias), without bias float32(float32(q) * scale)
 */
import { add, convert, load, mul } from '../ir/build.js';
import { cycle, edgeSamples } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { kernelName, makeKernel, normalizeAxis } from './operands.js';
import { channelElement, channelParameter, checkChannel, f32, requireFloat, requireInteger } from './quantization.js';
import type { NodeContext, OperatorRecord } from './record.js';

/** The channel's dimension; 0 where the input has too few, which is right for single values only (`checkChannel`). */
function channelOf(c: NodeContext): number {
  const rank = c.input(0).shape.length;
  const single = c.inputs.slice(1).every((p) => !p || p.shape.length === 0 || p.shape[0] === 1);
  return single ? 0 : normalizeAxis(c, c.int('axis'), rank);
}

export const dequantize: OperatorRecord = {
  name: 'Dequantize',
  doc: 'Integers to float32: q * scale + bias, in that order of rounding; scale and bias have one element, or one for each channel. Internal.',
  inputs: [{ name: 'q' }, { name: 'scale' }, { name: 'bias', optional: true }],
  outputs: ['y'],
  attributes: { axis: { type: 'int', doc: 'the channel dimension', default: 1 } },
  infer(c) {
    requireInteger(c, 0, 'input');
    const channel = channelOf(c);
    for (const [i, name] of [[1, 'scale'], [2, 'bias']] as const) {
      if (!c.inputs[i]) continue;
      requireFloat(c, i, name);
      checkChannel(c, i, name, channel);
    }
    return [{ shape: c.input(0).shape, dtype: 'float32' }];
  },
  reference(c, [q, scale, bias]) {
    const channel = channelOf(c);
    const data = new Float64Array(q!.data.length);
    for (let i = 0; i < data.length; i++) {
      data[i] = f32(f32(q!.data[i]) * channelElement(scale!, q!.shape, channel, i));
      if (bias) data[i] = f32(data[i] + channelElement(bias, q!.shape, channel, i));
    }
    return [{ shape: q!.shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const channel = channelOf(c);
    const scaled = mul('float32', convert('float32', load(c.input(0).name, pointOf(space))), channelParameter(c.input(1), channel, space));
    const value = c.inputs[2] ? add('float32', scaled, channelParameter(c.input(2), channel, space)) : scaled;
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  samples: [
    { name: 'int8', inputs: [{ shape: [3, 17], dtype: 'int8' }, { shape: [], constant: true, values: [0.1] }], seed: 1, tolerance: 0 },
    { name: 'uint2 with bias', inputs: [{ shape: [1, 3, 4, 5], dtype: 'uint2' }, { shape: [3], constant: true, values: [0.1, 0.2, 0.3] }, { shape: [3], constant: true, values: [1, -1, 0.5] }], seed: 2, tolerance: 0 },
    { name: 'int32', attributes: { axis: -1 }, inputs: [{ shape: [2, 5], dtype: 'int32', range: [-2000000000, 2000000000] }, { shape: [5], constant: true, values: [1e-6, 1e-5, 1e-4, 0.5, 3] }, { shape: [], constant: true, values: [0.25] }], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      inputs: [{ shape: [1 + 2 * (i % 2), c], dtype: i % 2 ? 'int16' : 'int23' }, { shape: [c], constant: true, values: cycle(c, [0.1, 0.3, 2]) }, { shape: [c], constant: true, values: cycle(c, [-1, 0.5, 7]) }],
    })),
    { name: 'scalar', inputs: [{ shape: [], dtype: 'int4' }, { shape: [1], constant: true, values: [0.5] }], seed: 4, tolerance: 0 },
  ],
};
