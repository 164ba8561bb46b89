/**
 * Quant: QONNX's uniform quantizer, on float32 carriers ("fake quantization"). IntQuant is another name of it.
 *
 *   q = x / scale + zeropt;  bipolar (signed, 1 bit): +1 where q >= 0 else -1;  otherwise q = round(clamp(q, lo, hi))
 *   y = (q - zeropt) * scale
 *
 * Every step is one float32 operation, clamp before round. Source: qonnx, custom_op/general/intquant.py. NaN stays NaN
 * (bipolar: -1 quantized); infinities clamp. Unlike there, bit widths may vary by channel; 1 bit signed then may not.
 */
import { add, compare, divide, float, load, maximum, minimum, mul, select, sub } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { makeConstant } from '../ir/graph.js';
import type { DataType } from '../ir/datatype.js';
import type { Axis, Expr } from '../ir/program.js';
import { roundExpr, roundingMode, roundNumber } from '../functions/rounding.js';
import { Scope } from '../functions/scope.js';
import { cycle, edgeSamples, specials } from './edges.js';
import { broadcastCoordinates, spaceAxes } from './elementwise.js';
import { kernelName, makeKernel } from './operands.js';
import { pointOf } from './movement.js';
import { codeMoments, deterministicParameters, labelOfCodes, scaledBy, signMoments } from './quantizermoments.js';
import { broadcastElement, broadcastParameter, checkBroadcast, checkScale, codeBounds, f32, requireFloat, singleValue } from './quantization.js';
import type { LowerContext, NodeContext, OperatorRecord, Sample } from './record.js';

/** The one bit width, or undefined where it varies. Raises diagnostics for what is no bit width. */
function bitWidth(c: NodeContext): number | undefined {
  const { data } = c.constant(3);
  const bad = data.find((b) => !(b > 0 && b <= 32));
  if (bad !== undefined || data.length === 0) {
    fail('graph/unsupported', c.node.name, `the bit width "${c.input(3).name}" holds ${bad ?? 'nothing'}, expected more than 0 and at most 32`, 'Quantize to 1 to 32 bits.');
  }
  const single = singleValue(c.input(3));
  if (single === undefined && c.int('signed') === 1 && data.some((b) => b === 1)) {
    fail('graph/unsupported', c.node.name, 'signed bit widths that vary by channel and hold a 1 (bipolar)', 'Give all channels one bit width, or at least 2 bits each.');
  }
  return single;
}

function isBipolar(c: NodeContext): boolean {
  return c.int('signed') === 1 && bitWidth(c) === 1;
}

/** QONNX's data type inference: undefined stands for its FLOAT32. */
function annotationOf(c: NodeContext): DataType | undefined {
  const bits = bitWidth(c);
  const scale = c.input(1).constant;
  if (!scale || singleValue(c.input(2)) !== 0 || bits === undefined || !Number.isInteger(bits)) return undefined;
  if (!scale.data.every((v) => v === 1)) return `scaledint<${bits}>`;
  if (c.int('signed') === 0) return `uint${bits}`;
  return bits === 1 ? 'bipolar' : `int${bits}`;
}

/** lo and hi as expressions: numbers, or tables where the bit width varies. */
function boundExprs(c: LowerContext, space: readonly Axis[]): readonly [Expr, Expr] {
  const [signed, narrow] = [c.int('signed') === 1, c.int('narrow') === 1];
  const bits = bitWidth(c);
  if (bits !== undefined) {
    const [lo, hi] = codeBounds(signed, narrow, bits);
    return [float(lo), float(hi)];
  }
  const { shape, data } = c.constant(3);
  const bounds = Array.from(data, (b) => codeBounds(signed, narrow, b));
  const at = broadcastCoordinates(shape, space);
  const table = (hint: string, i: 0 | 1): Expr => load(c.addConstant(hint, makeConstant('float32', shape, bounds.map((b) => b[i]))), at);
  return [table('lo', 0), table('hi', 1)];
}

const scalar = (value: number): Sample['inputs'][number] => ({ shape: [], constant: true, values: [value] });
const sample = (name: string, shape: readonly number[], scale: number, zero: number, bits: number, attributes: Sample['attributes'], seed: number): Sample => ({
  name, attributes, inputs: [{ shape, range: [-9, 9] }, scalar(scale), scalar(zero), scalar(bits)], seed, tolerance: 0,
});

export const quant: OperatorRecord = {
  name: 'Quant',
  doc: 'Rounds to the multiples of a scale that a bit width can count, carried in float32: y = (round(clamp(x / scale + zeropt)) - zeropt) * scale, all shapes that of x.',
  inputs: [{ name: 'X' }, { name: 'scale' }, { name: 'zeropt' }, { name: 'bitwidth' }],
  outputs: ['Y'],
  attributes: {
    signed: { type: 'int', doc: '1: codes from -2^(b-1); 0: codes from 0', default: 1, values: [0, 1] },
    narrow: { type: 'int', doc: '1: without the lowest code (signed) or the highest (unsigned)', default: 0, values: [0, 1] },
    rounding_mode: { type: 'string', doc: 'ROUND (= HALF_EVEN), CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN, in any case', default: 'ROUND' },
  },
  infer(c) {
    requireFloat(c, 0, 'input');
    requireFloat(c, 1, 'scale');
    requireFloat(c, 2, 'zero point');
    checkBroadcast(c, 1, 'scale');
    checkBroadcast(c, 2, 'zero point');
    checkBroadcast(c, 3, 'bit width');
    checkScale(c, 1);
    roundingMode(c.text('rounding_mode'), c.node.name);
    return [{ shape: c.input(0).shape, dtype: 'float32', annotation: annotationOf(c) }];
  },
  reference(c, [x, scale, zeroPoint, bits]) {
    const mode = roundingMode(c.text('rounding_mode'), c.node.name);
    const [signed, narrow] = [c.int('signed') === 1, c.int('narrow') === 1];
    const data = new Float64Array(x!.data.length);
    for (let i = 0; i < data.length; i++) {
      const s = broadcastElement(scale!, x!.shape, i);
      const z = broadcastElement(zeroPoint!, x!.shape, i);
      const b = broadcastElement(bits!, x!.shape, i);
      let q = f32(f32(f32(x!.data[i]) / s) + z);
      if (signed && b === 1) {
        q = q >= 0 ? 1 : -1;
      } else {
        const [lo, hi] = codeBounds(signed, narrow, b);
        if (q > hi) q = hi;
        if (q < lo) q = lo;
        q = roundNumber(mode, q);
      }
      data[i] = f32(f32(q - z) * s);
    }
    return [{ shape: x!.shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const scope = new Scope(space.map((a) => a.name));
    const x = load(c.input(0).name, pointOf(space));
    const scale = singleValue(c.input(1)) === 1 ? undefined : scope.float('scale', broadcastParameter(c.input(1), space));
    const zero = singleValue(c.input(2)) === 0 ? undefined : scope.float('zero', broadcastParameter(c.input(2), space));
    const scaled = scale ? divide(x, scale) : x;
    const shifted = zero ? add('float32', scaled, zero) : scaled;
    let code: Expr;
    if (isBipolar(c)) {
      code = select('float32', compare('ge', shifted, float(0)), float(1), float(-1));
    } else {
      const [lo, hi] = boundExprs(c, space);
      const clamped = scope.float('clamped', maximum('float32', minimum('float32', shifted, hi), lo));
      code = roundExpr(roundingMode(c.text('rounding_mode'), c.node.name), clamped);
    }
    const centred = zero ? sub('float32', code, zero) : code;
    const value = scale ? mul('float32', centred, scale) : centred;
    return [makeKernel({ name: kernelName(c), op: 'elementwise', space, epilogue: scope.lets, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  moments: {
    label: 'approximate',
    labelOf: (c) => labelOfCodes(isBipolar(c) ? 1 : Math.round(2 ** (bitWidth(c) ?? 32)) - 1),
    rule(c, inputs, build) {
      const [x, scale, zero, bits] = inputs;
      deterministicParameters(c, inputs);
      if (x.variance === undefined) return { mean: build.node('Quant', inputs.map((p) => p.mean), c.node.attributes) };
      const width = bitWidth(c);
      if (width === undefined) fail('graph/no-moments', c.node.name, `its bit widths "${c.input(3).name}" vary`, 'Give all channels one bit width, or compile the sampled twin.');
      const isPlain = singleValue(c.input(2)) === 0;
      const inSteps = scaledBy(build, { mean: x.mean, variance: x.variance }, 'Div', scale.mean);
      const shifted = { mean: isPlain ? inSteps.mean : build.node('Add', [inSteps.mean, zero.mean]), variance: inSteps.variance };
      const code = build.node('Quant', [shifted.mean, build.scalar(1), build.scalar(0), bits.mean], c.node.attributes);
      const rounding = roundingMode(c.text('rounding_mode'), c.node.name);
      const [min, max] = codeBounds(c.int('signed') === 1, c.int('narrow') === 1, width).map((bound) => roundNumber(rounding, bound));
      const codes = isBipolar(c) ? signMoments(build, shifted, code) : codeMoments(c, build, shifted, code, { min, max, rounding });
      return scaledBy(build, isPlain ? codes : { ...codes, mean: build.node('Sub', [codes.mean, zero.mean]) }, 'Mul', scale.mean);
    },
  },
  samples: [
    sample('signed 4 bit', [3, 17], 0.25, 0, 4, {}, 1),
    sample('unsigned 2 bit narrow', [2, 3, 5, 4], 0.3, 0, 2, { signed: 0, narrow: 1 }, 2),
    sample('bipolar', [1, 33], 0.5, 0, 1, {}, 3),
    sample('zero point', [2, 9], 0.1, 2, 8, { rounding_mode: 'HALF_UP' }, 4),
    sample('fractional bits', [19], 0.5, 0, 2.3, { rounding_mode: 'half_down' }, 5),
    ...(['CEIL', 'FLOOR', 'UP', 'DOWN', 'HALF_EVEN'] as const).map((mode, i) => sample(mode, [4, 5], 0.5, 0, 5, { rounding_mode: mode }, 6 + i)),
    {
      name: 'per channel',
      inputs: [{ shape: [2, 3, 5], range: [-9, 9] }, { shape: [1, 3, 1], constant: true, values: [0.1, 0.25, 0.5] }, { shape: [1, 3, 1], constant: true, values: [0, 1, -2] }, { shape: [1, 3, 1], constant: true, values: [2, 4, 8] }],
      seed: 12, tolerance: 0,
    },
    ...edgeSamples(20, (c, i) => ({
      attributes: { signed: i % 2, narrow: i % 3 === 0 ? 1 : 0 },
      inputs: [{ shape: [1 + 2 * (i % 2), c], range: [-5, 5] }, { shape: [1, c], constant: true, values: cycle(c, [0.1, 0.25, 0.7]) }, scalar(0), scalar(2 + (i % 7))],
    })),
    { name: 'specials', inputs: [{ shape: [8], values: specials }, scalar(0.3), scalar(0), scalar(4)], seed: 40, tolerance: 0 },
    { name: 'scale at run time', inputs: [{ shape: [4, 3] }, { shape: [3], range: [0.1, 1] }, scalar(0), scalar(4)], seed: 13, tolerance: 0 },
  ],
};
