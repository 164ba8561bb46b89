/**
 * Trunc: QONNX's right shift of values that are integer multiples of a scale, on float32 carriers.
 *
 *   version 1  y = round(nearest(x / scale + zeropt) / 2^(in_bitwidth - out_bitwidth));      Y = (y - zeropt) * scale
 *   version 2  t = 2^nearest(log2(out_scale / scale))
 *              y = round(clamp(nearest(x / scale + zeropt) / t, lo, hi));                    Y = (y - zeropt / t) * out_scale
 *
 * Every step is one float32 operation. Version 1 neither rescales nor clamps. Source: qonnx, custom_op/general/trunc.py.
 */
import { add, divide, float, load, maximum, minimum, mul, sub, unary } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { makeConstant } from '../ir/graph.js';
import type { Expr } from '../ir/program.js';
import { roundExpr, roundHalfEven, roundingMode, roundingModes, roundNumber } from '../functions/rounding.js';
import { Scope } from '../functions/scope.js';
import { edgeSamples } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { kernelName, makeKernel } from './operands.js';
import { deterministicParameters, scaledBy } from './quantizermoments.js';
import { mostSteps } from './stepmoments.js';
import { broadcastElement, broadcastParameter, checkBroadcast, checkScale, codeBounds, f32, requireFloat, singleValue } from './quantization.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';

/** The one value of an input that must be known. */
function known(c: NodeContext, i: number, name: string): number {
  c.constant(i);
  const value = singleValue(c.input(i));
  if (value === undefined || !Number.isFinite(value)) {
    fail('graph/unsupported', c.node.name, `the ${name} "${c.input(i).name}" of Trunc must be one finite number, found several values or none`, 'Use one value for the whole tensor.');
  }
  return value;
}

interface Plan {
  /** What the integers are divided by: a power of two. */
  readonly divisor: number;
  readonly outScale: number | undefined;
  readonly bounds: readonly [number, number] | undefined;
}

function planOf(c: NodeContext): Plan {
  const version = c.int('version');
  const expected = version === 2 ? 6 : 5;
  if (c.node.inputs.length !== expected) {
    fail('graph/arity', c.node.name, `Trunc of version ${version} takes ${expected} inputs, found ${c.node.inputs.length}`, 'The version follows from the opset of its domain: set that to the version that the inputs have.');
  }
  const inBits = known(c, 3, 'input bit width');
  if (version === 1) return { divisor: f32(2 ** f32(inBits - known(c, 4, 'output bit width'))), outScale: undefined, bounds: undefined };
  const outScale = known(c, 4, 'output scale');
  const ratio = f32(outScale / known(c, 1, 'scale'));
  if (!(ratio > 0)) fail('graph/unsupported', c.node.name, `output scale over scale is ${ratio}, expected a positive number`, 'Export the model with positive scales.');
  const bounds = codeBounds(c.int('signed') === 1, c.int('narrow') === 1, known(c, 5, 'output bit width'));
  return { divisor: 2 ** roundHalfEven(f32(Math.log2(ratio))), outScale, bounds };
}

/** Where x / scale + zeropt goes from one result to the next. */
function thresholdsOf(c: NodeContext): number[] {
  const { divisor, bounds } = planOf(c);
  const mode = roundingMode(c.text('rounding_mode'), c.node.name);
  if (!bounds) fail('graph/no-moments', c.node.name, 'Trunc of version 1 has no least and greatest result', 'Use version 2, or compile the sampled twin.');
  const code = (n: number): number => roundNumber(mode, Math.min(Math.max(n / divisor, bounds[0]), bounds[1]));
  const [first, last] = [code(-(2 ** 24)), code(2 ** 24)];
  if (last - first > mostSteps) fail('graph/no-moments', c.node.name, `its results have ${last - first + 1} codes, and moments are made for up to ${mostSteps + 1}`, 'Use 4 bits or fewer, or compile the sampled twin.');
  return Array.from({ length: last - first }, (_, i) => {
    // the least whole number of at least this code
    let [below, reached] = [-(2 ** 24), 2 ** 24];
    while (reached - below > 1) {
      const middle = Math.floor((below + reached) / 2);
      if (code(middle) > first + i) reached = middle;
      else below = middle;
    }
    return reached - 0.5;
  });
}

const scalar = (value: number): Sample['inputs'][number] => ({ shape: [], constant: true, values: [value] });
const multiples = Array.from({ length: 34 }, (_, i) => (i * 7 - 120) * 0.125);

export const trunc: OperatorRecord = {
  name: 'Trunc',
  doc: 'Drops low bits of integer multiples of a scale, carried in float32, all shapes that of x (version 1: inputs X, scale, zeropt, in_bitwidth, out_bitwidth; version 2: X, scale, zeropt, in_bitwidth, out_scale, out_bitwidth).',
  inputs: [{ name: 'X' }, { name: 'scale' }, { name: 'zeropt' }, { name: 'in_bitwidth' }, { name: 'out_bitwidth (2: out_scale)' }, { name: 'out_bitwidth', optional: true }],
  outputs: ['Y'],
  attributes: {
    version: { type: 'int', doc: 'of the operator, from the opset of its domain', default: 1, values: [1, 2] },
    rounding_mode: { type: 'string', doc: 'ROUND (= HALF_EVEN), CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN, in any case', default: 'FLOOR' },
    signed: { type: 'int', doc: 'version 2: 1 for codes from -2^(b-1), 0 for codes from 0', default: 1, values: [0, 1] },
    narrow: { type: 'int', doc: 'version 2: 1 for no lowest code (signed) or no highest (unsigned)', default: 0, values: [0, 1] },
  },
  infer(c) {
    for (const [i, name] of [[0, 'input'], [1, 'scale'], [2, 'zero point']] as const) requireFloat(c, i, name);
    checkBroadcast(c, 1, 'scale');
    checkBroadcast(c, 2, 'zero point');
    checkScale(c, 1);
    roundingMode(c.text('rounding_mode'), c.node.name);
    planOf(c);
    return [{ shape: c.input(0).shape, dtype: 'float32' }];
  },
  reference(c, [x, scale, zeroPoint]) {
    const { divisor, outScale, bounds } = planOf(c);
    const mode = roundingMode(c.text('rounding_mode'), c.node.name);
    const data = new Float64Array(x!.data.length);
    for (let i = 0; i < data.length; i++) {
      const s = broadcastElement(scale!, x!.shape, i);
      const z = broadcastElement(zeroPoint!, x!.shape, i);
      let y = f32(roundHalfEven(f32(f32(f32(x!.data[i]) / s) + z)) / divisor);
      if (bounds) {
        if (y > bounds[1]) y = bounds[1];
        if (y < bounds[0]) y = bounds[0];
      }
      y = roundNumber(mode, y);
      data[i] = outScale === undefined ? f32(f32(y - z) * s) : f32(f32(y - f32(z / divisor)) * outScale);
    }
    return [{ shape: x!.shape, data }];
  },
  lower(c) {
    const { divisor, outScale, bounds } = planOf(c);
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const scope = new Scope(space.map((a) => a.name));
    const scale = scope.float('scale', broadcastParameter(c.input(1), space));
    const singleZero = singleValue(c.input(2));
    const zero = singleZero === 0 ? undefined : scope.float('zero', broadcastParameter(c.input(2), space));
    const scaled = divide(load(c.input(0).name, pointOf(space)), scale);
    const whole = unary('nearest', 'float32', zero ? add('float32', scaled, zero) : scaled);
    let shifted: Expr = divisor === 1 ? whole : divide(whole, float(divisor));
    if (bounds) shifted = maximum('float32', minimum('float32', shifted, float(bounds[1])), float(bounds[0]));
    const rounded = roundExpr(roundingMode(c.text('rounding_mode'), c.node.name), scope.float('shifted', shifted));
    const outZero = zero && (outScale === undefined ? zero : divide(zero, float(divisor)));
    const centred = outZero ? sub('float32', rounded, outZero) : rounded;
    const value = mul('float32', centred, outScale === undefined ? scale : float(outScale));
    return [makeKernel({ name: kernelName(c), op: 'elementwise', space, epilogue: scope.lets, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  moments: {
    label: 'matched',
    rule(c, inputs, build) {
      const [x, scale, zero] = inputs;
      deterministicParameters(c, inputs);
      const mean = build.node('Trunc', inputs.map((p) => p.mean), c.node.attributes);
      if (x.variance === undefined) return { mean };
      const table = build.constant(makeConstant('float32', [1, thresholdsOf(c).length], thresholdsOf(c)));
      const inSteps = scaledBy(build, { mean: x.mean, variance: x.variance }, 'Div', scale.mean);
      const shifted = build.node('Add', [inSteps.mean, zero.mean]);
      const level = build.node('MultiThreshold', [shifted, table], { out_dtype: 'UINT4', data_layout: 'C' });
      const [offset, variance] = build.nodes('StepMoments', [shifted, inSteps.variance, level, table], 2);
      const step = planOf(c).outScale!;
      return { mean: build.node('Add', [mean, build.node('Mul', [offset, build.scalar(step)])]), variance: build.node('Mul', [variance, build.scalar(step * step)]) };
    },
  },
  samples: [
    { name: 'version 1', inputs: [{ shape: [2, 17], values: multiples }, scalar(0.125), scalar(0), scalar(10), scalar(8)], seed: 1, tolerance: 0 },
    { name: 'version 1, zero point', attributes: { rounding_mode: 'round' }, inputs: [{ shape: [34], values: multiples }, scalar(0.125), scalar(8), scalar(10), scalar(4)], seed: 2, tolerance: 0 },
    { name: 'version 2', attributes: { version: 2 }, inputs: [{ shape: [2, 17], values: multiples }, scalar(0.125), scalar(0), scalar(10), scalar(0.5), scalar(4)], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      attributes: { version: 1 + (i % 2), rounding_mode: roundingModes[i % roundingModes.length] },
      inputs: [{ shape: [c], range: [-99, 99] }, scalar(0.5), scalar(i % 3), scalar(9), ...(i % 2 === 1 ? [scalar(2)] : []), scalar(6)],
    })),
    { name: 'version 2, unsigned narrow', attributes: { version: 2, signed: 0, narrow: 1, rounding_mode: 'HALF_UP' }, inputs: [{ shape: [34], values: multiples }, scalar(0.125), scalar(8), scalar(10), scalar(1), scalar(4)], seed: 4, tolerance: 0 },
  ],
};
