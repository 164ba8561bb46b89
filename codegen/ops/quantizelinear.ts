/**
 * QuantizeLinear: ONNX's quantizer: saturate(nearest(x / scale) + zero point) to the integer type of the zero point.
 *
 * It rounds before the zero point is added (Quant after), and saturates to the storage type. The steps are float32
 * operations. NaN becomes 0; infinities saturate. Not supported: blocks, 8-bit floats.
 */
import { add, convert, divide, load, unary } from '../ir/build.js';
import { describe, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { makeConstant } from '../ir/graph.js';
import { roundHalfEven } from '../functions/rounding.js';
import { cycle, edgeSamples, specials } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { elementType, kernelName, makeKernel, normalizeAxis } from './operands.js';
import { codeMoments, deterministicParameters, labelOfCodes, scaledBy } from './quantizermoments.js';
import { channelElement, channelParameter, checkChannel, checkScale, f32, requireFloat, singleValue } from './quantization.js';
import type { FragmentBuilder, NodeContext, OperatorRecord } from './record.js';

/** ONNX's element types that a quantized tensor may have, by TensorProto.DataType. */
const elementTypes: Readonly<Record<number, DataType>> = { 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 21: 'uint4', 22: 'int4' };

/** The channel dimension of a quantization along `axis`; 0, without effect, where scale and zero point are single. */
export function linearAxis(c: NodeContext): number {
  const { shape } = c.input(0);
  const single = c.inputs.slice(1).every((p) => !p || p.shape.length === 0 || (p.shape.length === 1 && p.shape[0] === 1));
  return single ? 0 : normalizeAxis(c, c.int('axis'), shape.length);
}

/** Raises graph/unsupported for quantization by blocks, by name, and graph/shape for a scale that does not fit. */
export function checkLinear(c: NodeContext): void {
  if (c.int('block_size') !== 0 || c.input(1).shape.length > 1) {
    fail('graph/unsupported', c.node.name, `blocked quantization is not supported (block_size ${c.int('block_size')}, scale of ${c.input(1).shape.length} dimensions)`, 'Quantize per tensor or per axis.');
  }
  requireFloat(c, 1, 'scale');
  checkScale(c, 1);
  const channel = linearAxis(c);
  checkChannel(c, 1, 'scale', channel);
  if (c.inputs[2]) checkChannel(c, 2, 'zero point', channel);
}

export const linearAttributes: OperatorRecord['attributes'] = {
  axis: { type: 'int', doc: 'the dimension along which scale and zero point vary, where they are vectors', default: 1 },
  block_size: { type: 'int', doc: 'only 0 (no blocks) is supported', default: 0 },
};

/** Scale and zero point (undefined where it is 0) as float32 that broadcasts to the input; they are known at compile time. */
export function linearParameters(c: NodeContext, build: FragmentBuilder): [scale: string, zero: string | undefined] {
  const rank = c.input(0).shape.length;
  const channel = linearAxis(c);
  const broadcast = (i: number): string => {
    const { data } = c.constant(i);
    return build.constant(makeConstant('float32', data.length === 1 ? [] : Array.from({ length: rank }, (_, d) => (d === channel ? data.length : 1)), Float64Array.from(data)));
  };
  return [broadcast(1), c.inputs[2] && c.constant(2).data.some((z) => z !== 0) ? broadcast(2) : undefined];
}

function outputType(c: NodeContext): DataType {
  const asked = c.int('output_dtype');
  const named = elementTypes[asked];
  if (asked !== 0 && !named) fail('graph/unsupported', c.node.name, `output_dtype ${asked} is not supported`, 'Supported: uint8 (2), int8 (3), uint16 (4), int16 (5), uint4 (21), int4 (22).');
  const zero = c.inputs[2]?.dtype;
  if (zero && !Object.values(elementTypes).includes(zero)) {
    fail('graph/data-type', c.node.name, `the zero point "${c.input(2).name}" is ${zero}, expected ${Object.values(elementTypes).join(', ')}`, 'Give the zero point the integer type of the result.');
  }
  if (zero && named && zero !== named) fail('graph/data-type', c.node.name, `the zero point is ${zero}, but output_dtype says ${named}`, 'Give both the same type.');
  return zero ?? named ?? 'uint8';
}

export const quantizelinear: OperatorRecord = {
  name: 'QuantizeLinear',
  doc: 'float32 to integers: saturate(nearest(x / y_scale) + y_zero_point), per tensor or along an axis.',
  inputs: [{ name: 'x' }, { name: 'y_scale' }, { name: 'y_zero_point', optional: true }],
  outputs: ['y'],
  attributes: {
    ...linearAttributes,
    output_dtype: { type: 'int', doc: 'TensorProto.DataType of the result; 0: that of the zero point, else uint8', default: 0 },
    saturate: { type: 'int', doc: 'for 8-bit floats, which are not supported; without effect', default: 1, values: [0, 1] },
    precision: { type: 'int', doc: 'type in which x / y_scale is computed: float32 (0 or 1)', default: 0, values: [0, 1] },
  },
  infer(c) {
    requireFloat(c, 0, 'input');
    checkLinear(c);
    const dtype = outputType(c);
    const { min, max } = describe(dtype);
    return [{ shape: c.input(0).shape, dtype, range: [min, max] }];
  },
  reference(c, [x, scale, zero]) {
    const { min, max } = describe(outputType(c));
    const channel = linearAxis(c);
    const data = new Float64Array(x!.data.length);
    for (let i = 0; i < data.length; i++) {
      const q = roundHalfEven(f32(f32(x!.data[i]) / channelElement(scale!, x!.shape, channel, i)));
      const shifted = f32(q + (zero ? channelElement(zero, x!.shape, channel, i) : 0));
      data[i] = Number.isNaN(shifted) ? 0 : Math.min(Math.max(shifted, min), max);
    }
    return [{ shape: x!.shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const channel = linearAxis(c);
    const x = load(c.input(0).name, pointOf(space));
    const rounded = unary('nearest', 'float32', divide(x, channelParameter(c.input(1), channel, space)));
    const zero = c.inputs[2];
    const shifted = zero && singleValue(zero) !== 0 ? add('float32', rounded, convert('float32', channelParameter(zero, channel, space))) : rounded;
    return [makeKernel({ name: kernelName(c), op: 'quantize', space, stores: [{ tensor: out.name, at: pointOf(space), value: convert(elementType(out), shifted) }] })];
  },
  moments: {
    label: 'approximate',
    labelOf(c) {
      const { min, max } = describe(outputType(c));
      return labelOfCodes(max - min);
    },
    rule(c, inputs, build) {
      const [x] = inputs;
      deterministicParameters(c, inputs);
      const code = build.node('QuantizeLinear', inputs.map((p) => p.mean), c.node.attributes);
      if (x.variance === undefined) return { mean: code };
      const [scale, zero] = linearParameters(c, build);
      const inSteps = scaledBy(build, { mean: x.mean, variance: x.variance }, 'Div', scale);
      const shifted = zero === undefined ? inSteps : { ...inSteps, mean: build.node('Add', [inSteps.mean, zero]) };
      const { min, max } = describe(outputType(c));
      return codeMoments(c, build, shifted, build.node('DequantizeLinear', [code, build.scalar(1)]), { min, max, rounding: 'ROUND' });
    },
  },
  samples: [
    { name: 'uint8', inputs: [{ shape: [3, 17], range: [-3, 3] }, { shape: [], constant: true, values: [0.02] }, { shape: [], dtype: 'uint8', constant: true, values: [128] }], seed: 1, tolerance: 0 },
    { name: 'int8, per axis', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 5] }, { shape: [3], constant: true, values: [0.01, 0.02, 0.5] }, { shape: [3], dtype: 'int8', constant: true, values: [0, 3, -7] }], seed: 2, tolerance: 0 },
    { name: 'without zero point', inputs: [{ shape: [33] }, { shape: [1], constant: true, values: [0.1] }], seed: 3, tolerance: 0 },
    { name: 'int16', attributes: { axis: -1 }, inputs: [{ shape: [4, 2] }, { shape: [2], constant: true, values: [0.0001, 0.00001] }, { shape: [2], dtype: 'int16', constant: true, values: [0, 0] }], seed: 4, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      inputs: [{ shape: [1 + 2 * (i % 2), c] }, { shape: [c], constant: true, values: cycle(c, [0.01, 0.03, 0.2]) }, { shape: [c], dtype: 'uint8', constant: true, values: cycle(c, [128, 3, 0]) }],
    })),
    { name: 'specials', inputs: [{ shape: [8], values: specials }, { shape: [], constant: true, values: [0.1] }, { shape: [], dtype: 'int8', constant: true, values: [-3] }], seed: 40, tolerance: 0 },
    { name: 'ties', inputs: [{ shape: [5], values: [0.5, 1.5, 2.5, -0.5, -1.5] }, { shape: [], constant: true, values: [1] }, { shape: [], dtype: 'int8', constant: true, values: [1] }], seed: 5, tolerance: 0 },
  ],
};
