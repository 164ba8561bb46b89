/**
 * DequantizeLinear: ONNX's way back: y = float32(x - zero point) * scale, for integers of 4 to 32 bits. The difference is
 * exact; the conversion to float32 and the product round. Not supported: blocks, 8-bit floats.
 */
import { convert, load, mul, sub } from '../ir/build.js';
import { describe, smallestInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { cycle, edgeSamples } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { kernelName, makeKernel, rangeOf } from './operands.js';
import { channelElement, channelParameter, f32, requireInteger, singleValue } from './quantization.js';
import { deterministicParameters, scaledBy } from './quantizermoments.js';
import { checkLinear, linearAttributes, linearAxis, linearParameters } from './quantizelinear.js';
import type { OperatorRecord } from './record.js';

export const dequantizelinear: OperatorRecord = {
  name: 'DequantizeLinear',
  doc: 'Integers to float32: (x - x_zero_point) * x_scale, per tensor or along an axis.',
  inputs: [{ name: 'x' }, { name: 'x_scale' }, { name: 'x_zero_point', optional: true }],
  outputs: ['y'],
  attributes: {
    ...linearAttributes,
    output_dtype: { type: 'int', doc: 'TensorProto.DataType of the result: float32 (0 or 1)', default: 0, values: [0, 1] },
  },
  infer(c) {
    requireInteger(c, 0, 'input');
    checkLinear(c);
    const x = c.input(0);
    const zero = c.inputs[2];
    if (zero) requireInteger(c, 2, 'zero point');
    if (zero && describe(x.dtype).bits > 16 && singleValue(zero) !== 0) {
      fail('graph/unsupported', c.node.name, `a zero point other than 0 with an input of type ${x.dtype}`, 'ONNX allows only 0 for 32-bit integers: leave the zero point out.');
    }
    return [{ shape: x.shape, dtype: 'float32', annotation: `scaledint<${describe(x.dtype).bits}>` as DataType }];
  },
  reference(c, [x, scale, zero]) {
    const channel = linearAxis(c);
    const data = x!.data.map((q, i) => {
      const centred = q - (zero ? channelElement(zero, x!.shape, channel, i) : 0);
      return f32(f32(centred) * channelElement(scale!, x!.shape, channel, i));
    });
    return [{ shape: x!.shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const x = c.input(0);
    const space = spaceAxes(out.shape);
    const channel = linearAxis(c);
    const zero = c.inputs[2];
    const q = load(x.name, pointOf(space));
    let centred = q;
    if (zero && singleValue(zero) !== 0) {
      const [lo, hi] = rangeOf(x);
      const [zeroLo, zeroHi] = rangeOf(zero);
      centred = sub(smallestInteger(lo - zeroHi, hi - zeroLo), q, channelParameter(zero, channel, space));
    }
    const value = mul('float32', convert('float32', centred), channelParameter(c.input(1), channel, space));
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  moments: {
    label: 'exact',
    rule(c, inputs, build) {
      const [x] = inputs;
      deterministicParameters(c, inputs);
      if (x.variance === undefined) return { mean: build.node('DequantizeLinear', inputs.map((p) => p.mean), c.node.attributes) };
      // random codes are carried in float32
      const [scale, zero] = linearParameters(c, build);
      const centred = zero === undefined ? x.mean : build.node('Sub', [x.mean, zero]);
      return scaledBy(build, { mean: centred, variance: x.variance }, 'Mul', scale);
    },
  },
  samples: [
    { name: 'uint8', inputs: [{ shape: [3, 17], dtype: 'uint8' }, { shape: [], constant: true, values: [0.02] }, { shape: [], dtype: 'uint8', constant: true, values: [128] }], seed: 1, tolerance: 0 },
    { name: 'int8, per axis', attributes: { axis: 0 }, inputs: [{ shape: [3, 5], dtype: 'int8' }, { shape: [3], constant: true, values: [0.01, 0.02, 0.5] }, { shape: [3], dtype: 'int8', constant: true, values: [0, 3, -7] }], seed: 2, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      inputs: [{ shape: [1 + 2 * (i % 2), c], dtype: 'uint8' }, { shape: [c], constant: true, values: cycle(c, [0.01, 0.03, 0.2]) }, { shape: [c], dtype: 'uint8', constant: true, values: cycle(c, [128, 3, 0]) }],
    })),
    { name: 'int32 bias', inputs: [{ shape: [33], dtype: 'int32', range: [-2000000000, 2000000000] }, { shape: [1], constant: true, values: [0.001] }], seed: 3, tolerance: 0 },
    { name: 'int16', inputs: [{ shape: [2, 9], dtype: 'int16' }, { shape: [], constant: true, values: [0.0001] }, { shape: [], dtype: 'int16', constant: true, values: [-5] }], seed: 4, tolerance: 0 },
  ],
};
