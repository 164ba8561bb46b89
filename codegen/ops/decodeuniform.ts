/**
 * DecodeUniform: weights that are stored as codes of one distance: code * scale. Internal, of quantized posteriors. Of constants it is
 * computed where it is read (schedule/inline.ts), so that no float32 weights exist.
 */
import { add, convert, int, load, mul, shl } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import type { Expr, Index } from '../ir/program.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { floatOutput, kernelName, makeKernel, rangeOf } from './operands.js';
import { channelElement, channelParameter, checkChannel, f32, requireFloat, requireInteger } from './quantization.js';
import type { NdArray, NodeContext, OperatorRecord } from './record.js';

/** Codes of a width that does not divide containers are stored in two parts, each of which does. */
export const lowBits = { type: 'int', doc: 'bits of `low`, 1 to 4', default: 0 } as const;

/** Raises graph/attribute-type where the low parts of codes do not fit their bits. */
export function checkLow(c: NodeContext): void {
  if (!c.inputs[2]) return;
  requireInteger(c, 2, 'low');
  const [lo, hi] = rangeOf(c.input(2));
  const bits = c.int('lowBits');
  if (bits < 1 || bits > 4 || lo < 0 || hi >= 2 ** bits) fail('graph/attribute-type', c.node.name, `low parts are ${lo} .. ${hi}, and have ${bits} bits`, 'Give low parts of 1 to 4 bits, and lowBits.');
}

/** Whole codes as an integer expression. */
export function wholeCode(c: NodeContext, at: readonly Index[]): Expr {
  const high = load(c.input(0).name, at);
  return c.inputs[2] ? add('int32', shl('int32', high, int(c.int('lowBits'), 'uint5')), load(c.input(2).name, at)) : high;
}

/** The same of a reference's arrays. */
export function wholeCodes(c: NodeContext, codes: NdArray, low: NdArray | undefined): NdArray['data'] {
  return codes.data.map((q, i) => (low ? q * 2 ** c.int('lowBits') + low.data[i] : q));
}

export const decodeuniform: OperatorRecord = {
  name: 'DecodeUniform',
  doc: 'Integers to float32: code * scale, the code being codes * 2^lowBits + low where low is given; scale has one element, or one for each coordinate along `axis`, and is 1 where it is absent. Internal.',
  inputs: [{ name: 'codes' }, { name: 'scale', optional: true }, { name: 'low', optional: true }],
  outputs: ['y'],
  attributes: { axis: { type: 'int', doc: 'the dimension along which scales differ', default: 0 }, lowBits },
  infer(c) {
    requireInteger(c, 0, 'codes');
    if (c.inputs[1]) {
      requireFloat(c, 1, 'scale');
      checkChannel(c, 1, 'scale', c.int('axis'));
    }
    checkLow(c);
    return [floatOutput(c.input(0).shape)];
  },
  reference(c, [codes, scale, low]) {
    const data = wholeCodes(c, codes!, low).map((q, i) => (scale ? f32(q * channelElement(scale, codes!.shape, c.int('axis'), i)) : q));
    return [{ shape: codes!.shape, data }];
  },
  lower(c) {
    const space = spaceAxes(c.input(0).shape);
    const at = pointOf(space);
    const code = convert('float32', wholeCode(c, at));
    const value = c.inputs[1] ? mul('float32', code, channelParameter(c.input(1), c.int('axis'), space)) : code;
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: c.outputs[0].name, at, value }] })];
  },
  isCompact: true,
  samples: [
    { name: 'int4', inputs: [{ shape: [3, 17], dtype: 'int4' }, { shape: [1], constant: true, values: [0.1] }], seed: 1, tolerance: 0 },
    { name: 'int8, per channel', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 4], dtype: 'int8' }, { shape: [3], constant: true, values: [0.1, 0.2, 3] }], seed: 2, tolerance: 0 },
    { name: 'in two parts', attributes: { lowBits: 2 }, inputs: [{ shape: [4, 24], dtype: 'int4', constant: true }, { shape: [1], constant: true, values: [0.1] }, { shape: [4, 24], dtype: 'uint2', constant: true }], seed: 4, tolerance: 0 },
    { name: 'without scale', inputs: [{ shape: [5, 9], dtype: 'int3' }], seed: 3, tolerance: 0 },
  ],
};
