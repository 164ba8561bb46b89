/**
 * `streamline`'s rules for what makes integers: quantizers, Trunc, MultiThreshold, Sign. On a float value they become a
 * Quantize; on integers one Requantize, whose meaning is the exact composition of all that lies between.
 */
import type { Node } from '../ir/graph.js';
import { roundHalfEven, roundingMode } from '../functions/rounding.js';
import { codeBounds } from '../ops/quantization.js';
import { affineValue, alongAxis, applyAffine, channelConstant, one, reach, single, type Channelled, type IntegerValue } from './integerValue.js';
import { readQuantizer, type Quantizer } from './quantizers.js';
import { exactSteps, levelBoundary, type Boundary, type MonotoneFunction, type Steps } from './requantization.js';
import { leastShiftForm, scaleForm, shiftForm } from './requantizationForms.js';
import type { Rewrite } from './rewrite.js';

/** More thresholds than this in one layer are not made: the layer stays float. */
const maxThresholds = 2 ** 22;

/** Up to this many thresholds are compared; beyond, the float form is used where it is proved. */
const comparedThresholds = 3;

/** Beyond this many, the integer form where the float form is not proved. */
const shiftedThresholds = 31;

/** And in a circuit: comparators of four bits cost less than a multiplier. */
const circuitThresholds = 15;

/** The levels of a quantizer of u, between u's least and greatest value. */
interface Levels {
  /** The lowest level. */
  readonly base: number;
  /** Boundaries of the levels base + 1, base + 2, ...; the same number for every channel. */
  readonly boundaries: (channel: number) => readonly Boundary[];
}

/** Quant, BipolarQuant and QuantizeLinear. True, or why the node stays float. */
export function quantize(s: Rewrite, node: Node): true | string {
  const [x] = node.inputs;
  const quantizer = readQuantizer(s.old, node);
  if (typeof quantizer === 'string') return quantizer;
  if (quantizer.kind !== 'quantize') throw new TypeError(`${node.op} does not quantize`);
  const valueScale = alongAxis(quantizer.valueScale, s.shape(x));
  if (!valueScale) return 'its scale varies along more than one dimension';
  const v = s.options.without?.includes('merging') ? undefined : s.integer(x);
  if (!v) return quantizeFloat(s, node, narrowed(s, node, quantizer), valueScale);

  const divisor = quantizer.divides ? alongAxis(quantizer.scale, s.shape(x)) : one(1);
  if (!divisor) return 'its scale varies along more than one dimension';
  const { zeroPoint, bipolar, mode } = quantizer;
  const { min, max } = narrowed(s, node, quantizer);
  const levels = ([least, greatest]: readonly [number, number]): Levels => {
    if (bipolar) return { base: -1, boundaries: () => [{ at: 0, strict: false }, { at: 0, strict: false }] };
    const bottom = Math.min(Math.max(Math.floor(least) - 2, min), max - 1);
    const top = Math.max(Math.min(Math.ceil(greatest) + 2, max), bottom + 1);
    const boundaries = Array.from({ length: top - bottom }, (_, i) => levelBoundary(mode, bottom + 1 + i));
    return { base: bottom - zeroPoint, boundaries: () => boundaries };
  };
  return requantize(s, node, { divisor, shift: zeroPoint, levels, valueScale, valueOffset: one(quantizer.valueOffset) });
}

/** The bounds of a Clip of the codes that follows belong to the quantizer (QCDQ). */
function narrowed(s: Rewrite, node: Node, quantizer: Quantizer): Quantizer {
  const next = node.op === 'QuantizeLinear' ? s.onlyConsumer(node.outputs[0]) : undefined;
  if (next?.op !== 'Clip' || next.inputs[0] !== node.outputs[0]) return quantizer;
  const bound = (i: number, absent: number): number => {
    const name = next.inputs[i] ?? '';
    return name === '' ? absent : (s.constant(name)?.data[0] ?? absent) - quantizer.valueOffset;
  };
  const [low, high] = [bound(1, quantizer.min), bound(2, quantizer.max)];
  const isInside = low >= quantizer.min && high <= quantizer.max && low < high;
  return isInside ? { ...quantizer, min: low, max: high } : quantizer;
}

function quantizeFloat(s: Rewrite, node: Node, quantizer: Quantizer, valueScale: Channelled): true {
  const { scale, zeroPoint, min, max, mode, bipolar } = quantizer;
  const x = s.plain(node.inputs[0]);
  const name = s.addConstant(`${node.outputs[0]}_scale`, { dtype: 'float32', shape: scale.shape, data: Float32Array.from(scale.data) });
  const attributes: Node['attributes'] = bipolar ? { bipolar: 1, min: -1, max: 1 } : { min, max, zeroPoint, roundingMode: mode };
  const [q] = s.emit('Quantize', node.name, [x, name], [`${node.outputs[0]}_codes`], attributes);
  s.represent(node.outputs[0], affineValue(q, valueScale, one(quantizer.valueOffset)));
  return true;
}

/** DequantizeLinear. */
export function dequantizeLinear(s: Rewrite, node: Node): true | string {
  const [x] = node.inputs;
  const quantizer = readQuantizer(s.old, node);
  if (typeof quantizer === 'string') return quantizer;
  if (quantizer.kind !== 'dequantize') throw new TypeError(`${node.op} does not dequantize`);
  const scale = alongAxis(quantizer.scale, s.shape(x));
  if (!scale) return 'its scale varies along more than one dimension';
  const v = s.integer(x) ?? affineValue(s.plain(x), one(1), one(0));
  const centred = applyAffine(v, one(1), one(-quantizer.zeroPoint));
  const value = centred && applyAffine(centred, scale, one(0));
  if (!value) return 'its scale varies along another dimension than its input';
  s.represent(node.outputs[0], value, x);
  return true;
}

/** MultiThreshold: its thresholds are the boundaries. */
export function multiThreshold(s: Rewrite, node: Node): true | string {
  const context = s.context(node);
  const x = context.input(0);
  const table = s.constant(node.inputs[1]);
  if (!table) return 'its thresholds are computed at run time';
  const layout = context.text('data_layout');
  const axis = layout === '' ? (x.shape.length === 3 ? 2 : 1) : Math.max(layout.indexOf('C'), 0) || 1;
  const [rows, columns] = table.shape;
  const { base, step, scale, offset } = countLevels(Math.fround(context.float('out_scale')), Math.fround(context.float('out_bias')));
  const v = s.integer(x.name);
  if (!v) return thresholdFloat(s, node, base, step, columns, scale, offset);
  if (rows > 1 && v.axis >= 0 && v.axis !== axis) return 'its thresholds vary along another dimension than its input';
  const sorted = Array.from({ length: rows }, (_, r) => {
    const row = Array.from(table.data.slice(r * columns, (r + 1) * columns)).sort((a, b) => a - b);
    return row.flatMap((at) => new Array<Boundary>(step).fill({ at, strict: false }));
  });
  const levels = (): Levels => ({ base, boundaries: (c) => sorted[rows === 1 ? 0 : c] });
  const divisor = rows === 1 ? one(1) : { axis, values: new Float64Array(rows).fill(1) };
  return requantize(s, node, { divisor, shift: 0, levels, valueScale: one(scale), valueOffset: one(offset) });
}

/** out_scale * count + out_bias as (base + step * count) * scale + offset, with offset 0 where that is possible. */
function countLevels(outScale: number, outBias: number): { base: number; step: number; scale: number; offset: number } {
  const ratio = outBias / outScale;
  for (const step of [1, 2]) {
    if (outScale > 0 && Number.isInteger(ratio * step) && Math.abs(ratio) < 2 ** 16) return { base: ratio * step, step, scale: outScale / step, offset: 0 };
  }
  return { base: 0, step: 1, scale: outScale, offset: outBias };
}

/** On a float value it stays, but gives the integers themselves, which a Quantize of scale 1 then stores as such. */
function thresholdFloat(s: Rewrite, node: Node, base: number, step: number, columns: number, scale: number, offset: number): true {
  const [counted] = s.emit(node.op, node.name, node.inputs.map((name) => s.plain(name)), [`${node.outputs[0]}_count`], { ...node.attributes, out_scale: step, out_bias: base });
  const one32 = s.addConstant(`${node.outputs[0]}_scale`, channelConstant(one(1)));
  const [q] = s.emit('Quantize', `${node.name}_codes`, [counted, one32], [`${node.outputs[0]}_codes`], { min: base, max: base + step * columns });
  s.represent(node.outputs[0], affineValue(q, one(scale), one(offset)));
  return true;
}

/** Sign: -1, 0 and +1. */
export function sign(s: Rewrite, node: Node): true | string {
  const boundaries: readonly Boundary[] = [{ at: 0, strict: false }, { at: 0, strict: true }];
  const levels = (): Levels => ({ base: -1, boundaries: () => boundaries });
  return requantize(s, node, { divisor: one(1), shift: 0, levels, valueScale: one(1), valueOffset: one(0) });
}

/**
 * Trunc: nearest of x / scale + zero point, then round(that / step), so a boundary of the result is one of the integer.
 * Version 2 clamps, and its result has the scale out_scale; version 1 does not, and keeps the scale.
 */
export function trunc(s: Rewrite, node: Node): true | string {
  const context = s.context(node);
  const constants = node.inputs.map((name) => s.constant(name));
  if (constants.slice(1).some((c) => !c)) return 'one of its parameters is computed at run time';
  const scale = alongAxis(constants[1]!, s.shape(node.inputs[0]));
  const [zeroPoint, inBits, fourth, fifth] = constants.slice(2).map((c) => single(alongAxis(c!, c!.shape) ?? one(NaN)) ?? NaN);
  if (!scale || !Number.isInteger(zeroPoint)) return 'its scale or zero point varies along more than one dimension';
  const isSecond = context.int('version') === 2;
  const ratio = Math.fround(fourth / scale.values[0]);
  if (isSecond && single(scale) === undefined) return 'its scale differs between channels';
  const step = isSecond ? 2 ** roundHalfEven(Math.fround(Math.log2(ratio))) : 2 ** (inBits - fourth);
  const [min, max] = isSecond ? codeBounds(context.int('signed') === 1, context.int('narrow') === 1, fifth) : [-(2 ** 31), 2 ** 31 - 1];
  if (![step, min, max].every(Number.isFinite) || !Number.isInteger(min) || !Number.isInteger(max) || min >= max) return 'its bit widths are not integers';
  const mode = roundingMode(context.text('rounding_mode'), node.name);
  // (y - zero) * scale: a whole zero goes into the levels.
  const zero = isSecond ? zeroPoint / step : zeroPoint;
  const shift = Number.isInteger(zero) ? zero : 0;
  const valueScale = isSecond ? one(fourth) : scale;
  const valueOffset = { axis: valueScale.axis, values: valueScale.values.map((x) => (shift - zero) * x) };
  const levels = ([least, greatest]: readonly [number, number]): Levels => {
    const bottom = Math.min(Math.max(Math.floor(least / step) - 2, min), max - 1);
    const top = Math.max(Math.min(Math.ceil(greatest / step) + 2, max), bottom + 1);
    const boundaries = Array.from({ length: Math.min(top - bottom, maxThresholds + 1) }, (_, i) => {
      const outer = levelBoundary(mode, bottom + 1 + i);
      return levelBoundary('ROUND', outer.strict ? Math.floor(outer.at * step) + 1 : Math.ceil(outer.at * step));
    });
    return { base: bottom - shift, boundaries: () => boundaries };
  };
  return requantize(s, node, { divisor: scale, shift: zeroPoint, levels, valueScale, valueOffset });
}

// ---- The Requantize itself -----------------------------------------------------------------------------------------

interface Request {
  /** u = value / divisor + shift */
  readonly divisor: Channelled;
  readonly shift: number;
  /** The levels of u, which lies in this range. */
  readonly levels: (range: readonly [number, number]) => Levels;
  /** A level stands for level * valueScale + valueOffset. */
  readonly valueScale: Channelled;
  readonly valueOffset: Channelled;
}

function requantize(s: Rewrite, node: Node, request: Request): true | string {
  const [x, y] = [node.inputs[0], node.outputs[0]];
  const { divisor, valueScale, valueOffset } = request;
  if (valueScale.axis >= 0 && valueOffset.axis >= 0 && valueScale.axis !== valueOffset.axis) return 'its scale and offset vary along different dimensions';
  const original = s.integer(x)!;
  if (!fitsThresholds(s.range(original.q))) return 'its accumulator needs all of 32 bits';
  const v = s.withoutNegativeScales(x);
  const range = s.range(v.q);
  const u = applyAffine(v, { axis: divisor.axis, values: divisor.values.map((d) => 1 / d) }, one(request.shift));
  if (!u) return 'its scale varies along another dimension than its input';
  const f = roundOnce(u);
  if (!f) return 'its scales are beyond float32';
  const levels = request.levels(reach(u, range));
  const count = levels.boundaries(0).length;
  if (count * f.channels > maxThresholds) return `it has ${count} levels for each of ${f.channels} channels`;
  const steps = exactSteps(f, levels.boundaries, levels.base, range);
  const q = isIdentity(steps, range) ? v.q : emitSteps(s, node, u, f, steps, levels, range);
  s.represent(y, affineValue(q, valueScale, valueOffset));
  return true;
}

/** Thresholds reach one beyond either end, in both directions. */
function fitsThresholds([least, greatest]: readonly [number, number]): boolean {
  return least > -(2 ** 31) + 1 && greatest < 2 ** 31 - 1;
}

/** Constants are folded in float64 so far, and are rounded here, once; undefined where float32 cannot hold them. */
function roundOnce(u: IntegerValue): MonotoneFunction | undefined {
  const pieces = u.pieces.map((p) => ({ scale: Float32Array.from(p.scale), offset: Float32Array.from(p.offset) }));
  if (!pieces.every((p) => p.scale.every(Number.isFinite) && p.offset.every(Number.isFinite))) return undefined;
  return { channels: u.low.length, pieces, combine: u.combine, low: Float32Array.from(u.low), high: Float32Array.from(u.high) };
}

/** True where the level is the integer itself over the whole range. */
function isIdentity(steps: Steps, range: readonly [number, number]): boolean {
  return steps.base === range[0] && steps.base + steps.levels === range[1] && steps.directions.every((d) => d === 1)
    && steps.thresholds.every((t, i) => t === steps.base + 1 + (i % steps.levels));
}

function emitSteps(s: Rewrite, node: Node, u: IntegerValue, f: MonotoneFunction, steps: Steps, levels: Levels, range: readonly [number, number]): string {
  const y = node.outputs[0];
  const attributes = { base: steps.base, ...(u.axis < 0 ? {} : { axis: u.axis }) };
  const form = steps.levels > comparedThresholds && !s.options.integersOnly ? scaleForm(f, steps, levels.boundaries, levels.base + 1, range) : undefined;
  const none = (): string => s.addConstant(`${y}_thresholds`, { dtype: 'int32', shape: [1, 0], data: new Int32Array(0) });
  const floats = (hint: string, data: Float32Array): string => s.addConstant(`${y}_${hint}`, { dtype: 'float32', shape: [data.length], data });
  const integers = (hint: string, data: Int32Array): string => s.addConstant(`${y}_${hint}`, { dtype: 'int32', shape: [data.length], data });
  if (form) {
    const offset = form.offset.every((o) => o === 0) ? '' : floats('offset', form.offset);
    const inputs = [u.q, none(), '', floats('multiplier', form.multiplier), offset];
    const isCentred = form.centre.some((l) => l !== 0);
    const isShared = form.centre.every((l) => l === form.centre[0]);
    if (isCentred) inputs.push('', integers('bias', form.bias), integers('centre', isShared ? form.centre.slice(0, 1) : form.centre));
    return s.emit('Requantize', node.name, inputs, [`${y}_codes`], { ...attributes, form: 'scale', levels: steps.levels })[0];
  }
  const shifted = s.options.integersOnly ? (steps.levels > circuitThresholds ? leastShiftForm(f, steps, range) : undefined) : steps.levels > shiftedThresholds ? shiftForm(f, steps, range) : undefined;
  if (shifted) {
    const inputs = [u.q, none(), '', integers('multiplier', shifted.multiplier), integers('offset', shifted.bias), integers('remainder', shifted.remainder)];
    return s.emit('Requantize', node.name, inputs, [`${y}_codes`], { ...attributes, form: 'shift', shift: shifted.shift, levels: steps.levels })[0];
  }
  const isShared = steps.directions.every((d) => d === steps.directions[0]) && steps.thresholds.every((t, i) => t === steps.thresholds[i % steps.levels]);
  const rows = isShared ? 1 : steps.channels;
  const inputs = [u.q, s.addConstant(`${y}_thresholds`, { dtype: 'int32', shape: [rows, steps.levels], data: steps.thresholds.slice(0, rows * steps.levels) })];
  if (steps.directions.includes(-1)) inputs.push(s.addConstant(`${y}_directions`, { dtype: 'int32', shape: [rows], data: steps.directions.slice(0, rows) }));
  return s.emit('Requantize', node.name, inputs, [`${y}_codes`], attributes)[0];
}
