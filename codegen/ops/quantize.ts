/**
 * Quantize: float32 to integer codes; internal, made by the streamline pass where a float value meets integer kernels.
 *
 *   code = round(clamp(x / scale + zeroPoint, min, max)) - zeroPoint        (bipolar: +1 where x >= 0, else -1)
 *
 * The float32 steps are those of QONNX's Quant: a division, never a multiplication by the reciprocal; clamp before round.
 * NaN becomes the code 0 - zeroPoint (bipolar: -1); infinities clamp.
 */
import { add, compare, convert, divide, float, int, load, maximum, minimum, select, sub } from '../ir/build.js';
import { smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import type { Expr } from '../ir/program.js';
import { nearestInteger, roundExpr, roundingBits, roundingMode, roundingModes, roundNumber } from '../functions/rounding.js';
import { Scope } from '../functions/scope.js';
import { cycle, edgeSamples, specials } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { elementType, kernelName, makeKernel, type Range } from './operands.js';
import { broadcastElement, broadcastParameter, checkBroadcast, checkScale, f32, requireFloat, singleValue } from './quantization.js';
import type { NodeContext, OperatorRecord } from './record.js';

function codeRange(c: NodeContext): Range {
  if (c.int('bipolar') === 1) return [-1, 1];
  const [zero, min, max] = [c.int('zeroPoint'), c.int('min'), c.int('max')];
  // NaN has the code of an unshifted 0, so that must be a code; and codes are exact in float32 up to 24 bits.
  if (min > 0 || max < 0 || Math.max(-min, max, Math.abs(zero)) > 2 ** 24) {
    fail('graph/attribute-type', c.node.name, `codes from ${min} to ${max} with zero point ${zero}: expected min <= 0 <= max, and magnitudes of at most 24 bits`, 'Quantize to fewer bits.');
  }
  return [min - zero, max - zero];
}

export const quantize: OperatorRecord = {
  name: 'Quantize',
  doc: 'float32 to integers: round(clamp(x / scale + zeroPoint, min, max)) - zeroPoint, or the sign where bipolar; scale broadcasts to x. Internal.',
  inputs: [{ name: 'x' }, { name: 'scale' }],
  outputs: ['code'],
  attributes: {
    zeroPoint: { type: 'int', doc: 'added before the clamp, taken off after the rounding', default: 0 },
    min: { type: 'int', doc: 'least code before the zero point is taken off', default: 0 },
    max: { type: 'int', doc: 'greatest code before the zero point is taken off', default: 0 },
    roundingMode: { type: 'string', doc: 'ROUND (= HALF_EVEN), CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN', default: 'ROUND' },
    bipolar: { type: 'int', doc: '1: the code is +1 where x >= 0, else -1; all else is without effect', default: 0, values: [0, 1] },
  },
  infer(c) {
    requireFloat(c, 0, 'input');
    requireFloat(c, 1, 'scale');
    checkBroadcast(c, 1, 'scale');
    checkScale(c, 1);
    roundingMode(c.text('roundingMode'), c.node.name);
    const range = codeRange(c);
    const bipolar = c.int('bipolar') === 1;
    return [{ shape: c.input(0).shape, dtype: smallestInteger(...range), range, ...(bipolar ? { annotation: 'bipolar' as const } : {}) }];
  },
  reference(c, [x, scale]) {
    const mode = roundingMode(c.text('roundingMode'), c.node.name);
    const [zero, min, max, bipolar] = [c.int('zeroPoint'), c.int('min'), c.int('max'), c.int('bipolar') === 1];
    const data = new Float64Array(x!.data.length);
    for (let i = 0; i < data.length; i++) {
      const value = f32(x!.data[i]);
      if (bipolar) {
        data[i] = value >= 0 ? 1 : -1;
        continue;
      }
      let q = f32(f32(value / broadcastElement(scale!, x!.shape, i)) + zero);
      if (q > max) q = max;
      if (q < min) q = min;
      q = roundNumber(mode, q);
      data[i] = (Number.isNaN(q) ? 0 : q) - zero;
    }
    return [{ shape: x!.shape, data }];
  },
  integer: { maxBits: 25, range: codeRange },
  lower(c) {
    const out = c.outputs[0];
    const type = elementType(out);
    const space = spaceAxes(out.shape);
    const scope = new Scope(space.map((a) => a.name));
    const x = load(c.input(0).name, pointOf(space));
    let value: Expr;
    if (c.int('bipolar') === 1) {
      value = select(type, compare('ge', x, float(0)), int(1, type), int(-1, type));
    } else {
      const [zero, min, max] = [c.int('zeroPoint'), c.int('min'), c.int('max')];
      const scaled = singleValue(c.input(1)) === 1 ? x : divide(x, broadcastParameter(c.input(1), space));
      const shifted = zero === 0 ? scaled : add('float32', scaled, float(zero));
      const mode = roundingMode(c.text('roundingMode'), c.node.name);
      if ((mode === 'ROUND' || mode === 'HALF_EVEN') && Math.max(-min, max) < 2 ** 21) {
        // NaN fails every comparison, so it becomes the least code, which is then 0, or 0 before.
        const start = scope.float('scaled', shifted);
        const number = min === 0 ? start : scope.float('number', select('float32', compare('eq', start, start), start, float(0)));
        const raised = scope.float('raised', select('float32', compare('gt', number, float(min)), number, float(min)));
        const clamped = select('float32', compare('lt', raised, float(max)), raised, float(max));
        value = convert(type, nearestInteger(clamped, int(roundingBits + zero, 'int32')), false);
      } else {
        const clamped = scope.float('clamped', maximum('float32', minimum('float32', shifted, float(max)), float(min)));
        // The unshifted code as an integer first, so that NaN is 0 - zeroPoint; the last convert never changes a value.
        const code = convert(zero === 0 ? type : smallestInteger(min, max), roundExpr(mode, clamped));
        value = zero === 0 ? code : convert(type, sub('int32', code, int(zero)));
      }
    }
    return [makeKernel({ name: kernelName(c), op: 'quantize', space, epilogue: scope.lets, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  samples: [
    { name: 'int4', attributes: { min: -8, max: 7 }, inputs: [{ shape: [3, 17], range: [-5, 5] }, { shape: [], constant: true, values: [0.3] }], seed: 1, tolerance: 0 },
    { name: 'uint2', attributes: { min: 0, max: 3 }, inputs: [{ shape: [1, 2, 5, 7], range: [-1, 2] }, { shape: [], constant: true, values: [0.25] }], seed: 2, tolerance: 0 },
    { name: 'zero point', attributes: { min: 0, max: 255, zeroPoint: 128 }, inputs: [{ shape: [2, 33], range: [-3, 3] }, { shape: [], constant: true, values: [0.02] }], seed: 3, tolerance: 0 },
    { name: 'narrow with zero point', attributes: { min: -7, max: 7, zeroPoint: 1, roundingMode: 'HALF_UP' }, inputs: [{ shape: [5, 5], range: [-5, 5] }, { shape: [], constant: true, values: [0.5] }], seed: 4, tolerance: 0 },
    { name: 'per channel', attributes: { min: -128, max: 127 }, inputs: [{ shape: [2, 3, 4, 4] }, { shape: [1, 3, 1, 1], constant: true, values: [0.01, 0.02, 0.05] }], seed: 5, tolerance: 0 },
    { name: 'bipolar', attributes: { bipolar: 1 }, inputs: [{ shape: [1, 19] }, { shape: [], constant: true, values: [1] }], seed: 6, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      attributes: { min: -(2 ** (i % 8)), max: 2 ** (i % 8) - 1, roundingMode: roundingModes[i % roundingModes.length] },
      inputs: [{ shape: [1 + 2 * (i % 2), c], range: [-5, 5] }, { shape: [1, c], constant: true, values: cycle(c, [0.1, 0.25, 0.7]) }],
    })),
    { name: 'specials', attributes: { min: 0, max: 255, zeroPoint: 7 }, inputs: [{ shape: [8], values: specials }, { shape: [], constant: true, values: [0.3] }], seed: 40, tolerance: 0 },
    { name: 'CEIL', attributes: { min: -8, max: 7, roundingMode: 'CEIL' }, inputs: [{ shape: [23], range: [-5, 5] }, { shape: [], constant: true, values: [0.5] }], seed: 7, tolerance: 0 },
  ],
};
