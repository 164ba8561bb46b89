/**
 * DecodePower: values that are stored as exponents: scale * 2^(exponent (code - greatest)), so that codes of standard deviations give
 * variances with an exponent of 2. Internal, of quantized posteriors. Of constants it is computed where it is read.
 *
 * A power of two is the code, shifted to where float32 has its exponent. Where code 0 is zero, that shift gives zero, and the power comes
 * by a multiplication.
 */
import { add, bitcast, float, int, mul, shl } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { checkLow, lowBits, wholeCode, wholeCodes } from './decodeuniform.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { floatOutput, kernelName, makeKernel, rangeOf } from './operands.js';
import { channelElement, channelParameter, checkChannel, f32, requireFloat, requireInteger } from './quantization.js';
import type { OperatorRecord } from './record.js';

/** Where float32 has its exponent, and what that is for 1. */
const exponentShift = 23;
const bias = 127;
/** Codes beyond it would reach past the least normal float32. */
const mostCode = 31;

export const decodepower: OperatorRecord = {
  name: 'DecodePower',
  doc: 'Codes to float32: scale * 2^(exponent * (code - greatest)), and 0 for code 0 where `hasZero` is set, the code being codes * 2^lowBits + low where low is given; scale has one element, or one for each coordinate along `axis`, and is 1 where it is absent. Internal.',
  inputs: [{ name: 'codes' }, { name: 'scale', optional: true }, { name: 'low', optional: true }],
  outputs: ['y'],
  attributes: {
    lowBits,
    axis: { type: 'int', doc: 'the dimension along which scales differ', default: 0 },
    exponent: { type: 'int', doc: '1 for standard deviations, 2 for variances', default: 2, values: [1, 2] },
    greatest: { type: 'int', doc: 'the code that stands for the scale, 1 to 31', required: true },
    hasZero: { type: 'int', doc: '1 where code 0 stands for 0', default: 0, values: [0, 1] },
  },
  infer(c) {
    requireInteger(c, 0, 'codes');
    checkLow(c);
    const [lo, high] = rangeOf(c.input(0));
    const hi = c.inputs[2] ? high * 2 ** c.int('lowBits') + rangeOf(c.input(2))[1] : high;
    const greatest = c.int('greatest');
    if (lo < 0 || hi > mostCode || greatest < 1 || greatest > mostCode) {
      fail('graph/attribute-type', c.node.name, `codes are ${lo} .. ${hi}, and the greatest is ${greatest}`, `Give codes and a greatest code of at most ${mostCode}.`);
    }
    if (c.inputs[1]) {
      requireFloat(c, 1, 'scale');
      checkChannel(c, 1, 'scale', c.int('axis'));
    }
    return [floatOutput(c.input(0).shape)];
  },
  reference(c, [codes, scale, low]) {
    const data = wholeCodes(c, codes!, low).map((k, i) => {
      const power = k === 0 && c.int('hasZero') ? 0 : 2 ** (c.int('exponent') * (k - c.int('greatest')));
      return scale ? f32(power * channelElement(scale, codes!.shape, c.int('axis'), i)) : power;
    });
    return [{ shape: codes!.shape, data }];
  },
  lower(c) {
    const space = spaceAxes(c.input(0).shape);
    const at = pointOf(space);
    const exponent = c.int('exponent');
    const shifted = shl('int32', wholeCode(c, at), int(exponentShift + exponent - 1, 'uint5'));
    const least = bias - exponent * c.int('greatest');
    const power = c.int('hasZero')
      ? mul('float32', bitcast('float32', shifted), float(2 ** least))
      : bitcast('float32', add('int32', shifted, int(least * 2 ** exponentShift, 'int32')));
    const value = c.inputs[1] ? mul('float32', power, channelParameter(c.input(1), c.int('axis'), space)) : power;
    return [makeKernel({ name: kernelName(c), op: 'dequantize', space, stores: [{ tensor: c.outputs[0].name, at, value }] })];
  },
  isCompact: true,
  samples: [
    { name: 'variances', attributes: { greatest: 15 }, inputs: [{ shape: [3, 17], dtype: 'uint4' }, { shape: [1], constant: true, values: [0.3] }], seed: 1, tolerance: 0 },
    { name: 'deviations, per channel, with zero', attributes: { greatest: 7, exponent: 1, hasZero: 1, axis: 1 }, inputs: [{ shape: [2, 3, 4], dtype: 'uint3' }, { shape: [3], constant: true, values: [0.1, 0.2, 3] }], seed: 2, tolerance: 0 },
    { name: 'all codes', attributes: { greatest: 31, hasZero: 1 }, inputs: [{ shape: [32], dtype: 'uint5', values: Array.from({ length: 32 }, (_, i) => i) }], seed: 3, tolerance: 0 },
    { name: 'in two parts', attributes: { greatest: 31, hasZero: 1, lowBits: 1 }, inputs: [{ shape: [4, 24], dtype: 'uint4', constant: true }, { shape: [1], constant: true, values: [0.3] }, { shape: [4, 24], dtype: 'uint1', constant: true }], seed: 5, tolerance: 0 },
    { name: 'without scale', attributes: { greatest: 3 }, inputs: [{ shape: [5, 9], dtype: 'uint2' }], seed: 4, tolerance: 0 },
  ],
};
