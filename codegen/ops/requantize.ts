/**
 * Requantize: an integer accumulator to the next layer's integer levels; internal, made by the streamline pass.
 *
 *   form "thresholds"  level = base + the number of thresholds T[c, j] with acc * direction[c] >= T[c, j]
 *   form "scale"       level = clamp(nearest((acc + bias[c]) * multiplier[c] + offset[c]) + centre[c], base, base + levels), in float32 steps
 *   form "shift"       level = clamp(((acc + offset[c]) * multiplier[c] + remainder[c]) >> shift, base, base + levels), in 64 bits
 *
 * The first is the meaning (Umuroglu and Jahre, arXiv:1709.04060); the others are admitted only where they were proved equal.
 */
import { add, binary, compare, convert, float, int, load, maximum, minimum, mul, ref, select, unary } from '../ir/build.js';
import { describe, smallestInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import type { Axis, Expr, Kernel } from '../ir/program.js';
import { nearestInteger, roundHalfEven, roundingBits } from '../functions/rounding.js';
import { cycle, edgeSamples } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { elementType, kernelName, makeKernel, normalizeAxis, productRange, rangeOf, sumRange, type Range } from './operands.js';
import { channelCoordinate, channelElement, channelParameter, checkChannel, coordinateOf, f32, requireFloat, requireInteger } from './quantization.js';
import type { LowerContext, NdArray, NodeContext, OperatorRecord } from './record.js';

/** Up to this many thresholds are compared one by one; more are counted by a reduction. */
const unrolledThresholds = 15;

/** The channel's dimension; 0 where the input has too few, which is right for tables of one row only. */
function channelOf(c: NodeContext): number {
  const rank = c.input(0).shape.length;
  const given = c.int('axis');
  return given >= rank && c.input(1).shape[0] === 1 ? 0 : normalizeAxis(c, given, rank);
}

/** Levels above `base`. */
function levelCount(c: NodeContext): number {
  return c.has('levels') ? c.int('levels') : c.input(1).shape[1];
}

function levelRange(c: NodeContext): Range {
  return [c.int('base'), c.int('base') + levelCount(c)];
}

/** The range as it can be proved: a float32 clamp does not exclude NaN, which converts to 0. */
function outputRange(c: NodeContext): readonly [number, number] {
  const [lo, hi] = levelRange(c);
  return c.text('form') === 'scale' ? [Math.min(lo, 0), Math.max(hi, 0)] : [lo, hi];
}

function check(c: NodeContext): void {
  requireInteger(c, 0, 'accumulator');
  const thresholds = c.input(1);
  if (thresholds.dtype !== 'int32' || thresholds.shape.length !== 2) {
    fail('graph/shape', c.node.name, `the thresholds "${thresholds.name}" are ${thresholds.dtype} ${formatShape(thresholds.shape)}, expected int32 [channels or 1, levels]`, 'Give one row of thresholds for each channel, or one for all.');
  }
  const channel = channelOf(c);
  const [rows, columns] = thresholds.shape;
  const channels = c.input(0).shape[channel];
  if (rows !== 1 && rows !== channels) {
    fail('graph/shape', c.node.name, `${rows} rows of thresholds for ${channels} channels of ${formatShape(c.input(0).shape)}`, 'Give one row of thresholds for each channel, or one for all.');
  }
  if (c.text('form') === 'thresholds' && columns !== levelCount(c)) {
    fail('graph/shape', c.node.name, `${columns} thresholds a row for ${levelCount(c)} levels`, 'Leave out the attribute levels, which is for the form "scale".');
  }
  if (c.inputs[2]) checkChannel(c, 2, 'directions', channel);
  for (const [i, name] of [[3, 'multiplier'], [4, 'offset']] as const) {
    if (!c.inputs[i]) continue;
    if (c.text('form') === 'scale') requireFloat(c, i, name);
    else requireInteger(c, i, name);
    checkChannel(c, i, name, channel);
  }
  for (const [i, name] of [[6, 'bias'], [7, 'centre']] as const) {
    if (!c.inputs[i]) continue;
    c.constant(i);
    requireInteger(c, i, name);
    checkChannel(c, i, name, channel);
  }
  if (c.text('form') === 'shift') {
    for (const i of [3, 4, 5]) c.constant(i); // the widths of the intermediate integers follow from them
    requireInteger(c, 5, 'remainder');
    checkChannel(c, 5, 'remainder', channel);
  }
}

/** Columns of a constant table of thresholds that are equal in every row, as [first column, how many]. */
function columnRuns(c: NodeContext): readonly (readonly [number, number])[] {
  const { shape: [rows, columns] } = c.input(1);
  const data = c.input(1).constant?.data;
  const runs: [number, number][] = [];
  for (let j = 0; j < columns; j++) {
    const last = runs[runs.length - 1];
    const same = last && data && Array.from({ length: rows }, (_, r) => data[r * columns + j] === data[r * columns + last[0]]).every(Boolean);
    if (same) last[1]++;
    else runs.push([j, 1]);
  }
  return runs;
}

/** Threshold j of the channel: a number where one row serves all channels and is known. */
function threshold(c: NodeContext, space: readonly Axis[], j: number): Expr {
  const t = c.input(1);
  if (t.shape[0] === 1 && t.constant) return int(t.constant.data[j]);
  return load(t.name, [channelCoordinate(t.shape[0], channelOf(c), space), j]);
}

/** The accumulator, turned where its channel's direction is -1, and its type then. */
function directed(c: LowerContext, space: readonly Axis[]): { readonly type: DataType; readonly value: Expr } {
  const loaded = load(c.input(0).name, pointOf(space));
  if (!c.inputs[2]) return { type: elementType(c.input(0)), value: loaded };
  const [lo, hi] = rangeOf(c.input(0));
  const type = smallestInteger(Math.min(lo, -hi), Math.max(hi, -lo));
  const direction = channelParameter(c.input(2), channelOf(c), space);
  return { type, value: select(type, compare('lt', direction, int(0)), unary('neg', type, loaded), loaded) };
}

function byThresholds(c: LowerContext, space: readonly Axis[], type: DataType): Kernel {
  const out = c.outputs[0];
  const base = int(c.int('base'), type);
  const acc = directed(c, space);
  const common = { name: kernelName(c), op: 'requantize', space };
  const stores = (value: Expr): Kernel['stores'] => [{ tensor: out.name, at: pointOf(space), value }];
  const runs = columnRuns(c);
  if (runs.length <= unrolledThresholds) {
    // Each sum is a level, so it fits the type of levels.
    const level = runs.reduce((sum: Expr, [j, count]) => {
      const reached = compare('ge', ref('acc'), threshold(c, space, j));
      const steps = smallestInteger(0, count);
      return add(type, sum, count === 1 ? reached : select(steps, reached, int(count, steps), int(0, steps)));
    }, base);
    return makeKernel({ ...common, epilogue: [{ name: 'acc', ...acc }], stores: stores(level) });
  }
  const t = c.input(1);
  const reached = compare('ge', acc.value, load(t.name, [channelCoordinate(t.shape[0], channelOf(c), space), 'j']));
  return makeKernel({
    ...common,
    reduce: [{ name: 'j', extent: t.shape[1] }],
    accumulators: [{ name: 'level', type, init: base, update: add(type, ref('level'), reached) }],
    stores: stores(ref('level')),
  });
}

function byScale(c: LowerContext, space: readonly Axis[], type: DataType): Kernel {
  const out = c.outputs[0];
  const channel = channelOf(c);
  const [lo, hi] = levelRange(c);
  let acc: Expr = load(c.input(0).name, pointOf(space));
  let reach: Range | undefined = rangeOf(c.input(0));
  if (c.inputs[6]) {
    reach = sumRange(reach, rangeOf(c.input(6)));
    acc = add(smallestInteger(...reach), acc, channelParameter(c.input(6), channel, space));
  }
  let value = convert('float32', acc);
  reach = [f32(reach[0]), f32(reach[1])];
  for (const [i, operation, combine] of [[3, mul, productRange], [4, add, sumRange]] as const) {
    if (!c.inputs[i]) continue;
    value = operation('float32', value, channelParameter(c.input(i), channel, space));
    reach = reach && c.input(i).constant ? roundRange(combine(reach, rangeOf(c.input(i)))) : undefined;
  }
  let level: Expr;
  if (reach && Math.max(-reach[0], reach[1]) < 2 ** 21) {
    level = convert(type, maximum('int32', minimum('int32', nearestInteger(value, unraised(c, channel, space)), int(hi)), int(lo)), false);
  } else {
    const rounded = unary('nearest', 'float32', value);
    const centred = c.inputs[7] ? add('float32', rounded, convert('float32', channelParameter(c.input(7), channel, space))) : rounded;
    level = convert(type, maximum('float32', minimum('float32', centred, float(hi)), float(lo)));
  }
  return makeKernel({ name: kernelName(c), op: 'requantize', space, stores: [{ tensor: out.name, at: pointOf(space), value: level }] });
}

/** What is taken off the bits of a rounded value: those of the constant added, less the centre. */
function unraised(c: LowerContext, channel: number, space: readonly Axis[]): Expr {
  if (!c.inputs[7]) return int(roundingBits, 'int32');
  const { data } = c.constant(7);
  const bits = Int32Array.from(data as ArrayLike<number>, (l) => roundingBits - l);
  if (bits.every((b) => b === bits[0])) return int(bits[0], 'int32');
  return load(c.addConstant('centre', { dtype: 'int32', shape: [bits.length], data: bits }), [channelCoordinate(bits.length, channel, space)]);
}

const roundRange = ([lo, hi]: Range): Range => [f32(lo), f32(hi)];

/** The widths follow from the ranges of the constants, so no more than 64 bits are proved, and taken. */
function byShift(c: LowerContext, space: readonly Axis[], type: DataType): Kernel {
  const out = c.outputs[0];
  const channel = channelOf(c);
  const [multiplier, offset, remainder] = [c.input(3), c.input(4), c.input(5)];
  const sum = sumRange(rangeOf(c.input(0)), rangeOf(offset));
  const product = productRange(sum, rangeOf(multiplier));
  const total = sumRange(product, rangeOf(remainder));
  const wide = smallestInteger(Math.min(total[0], product[0]), Math.max(total[1], product[1]));
  const [lo, hi] = levelRange(c);
  const shifted = add(smallestInteger(...sum), load(c.input(0).name, pointOf(space)), channelParameter(offset, channel, space));
  const scaled = add(wide, mul(wide, shifted, channelParameter(multiplier, channel, space)), channelParameter(remainder, channel, space));
  // After the shift 32 bits do, as a rule: the clamp runs in those.
  const step = 2 ** c.int('shift');
  const reach: Range = [Math.floor(total[0] / step), Math.floor(total[1] / step)];
  const short = describe(smallestInteger(...reach)).bits <= 32 ? smallestInteger(...reach) : wide;
  const level = convert(short, binary('shr', wide, scaled, int(c.int('shift'))), false);
  const clamped = maximum(short, minimum(short, level, int(hi)), int(lo));
  return makeKernel({ name: kernelName(c), op: 'requantize', space, stores: [{ tensor: out.name, at: pointOf(space), value: convert(type, clamped) }] });
}

const vector = (values: readonly number[], dtype: DataType = 'float32') => ({ shape: [values.length], dtype, constant: true, values });

export const requantize: OperatorRecord = {
  name: 'Requantize',
  doc: 'An integer accumulator to integer levels, per channel: base plus the number of thresholds that it reaches (form "thresholds"), or a float32 multiply, add, round and clamp (form "scale"). Internal.',
  inputs: [{ name: 'acc' }, { name: 'thresholds' }, { name: 'directions', optional: true }, { name: 'multiplier', optional: true }, { name: 'offset', optional: true }, { name: 'remainder', optional: true }, { name: 'bias', optional: true }, { name: 'centre', optional: true }],
  outputs: ['level'],
  attributes: {
    axis: { type: 'int', doc: 'the channel dimension', default: 1 },
    base: { type: 'int', doc: 'the lowest level', default: 0 },
    form: { type: 'string', doc: 'how it is computed', default: 'thresholds', values: ['thresholds', 'scale', 'shift'] },
    shift: { type: 'int', doc: 'form "shift": how many bits are dropped', default: 0 },
    levels: { type: 'int', doc: 'levels above base, where the thresholds are not given' },
  },
  infer(c) {
    check(c);
    const range = outputRange(c);
    return [{ shape: c.input(0).shape, dtype: smallestInteger(...range), range }];
  },
  reference(c, [acc, thresholds, directions, multiplier, offset, remainder, bias, centre]) {
    const { shape } = acc!;
    const channel = channelOf(c);
    const [lo, hi] = levelRange(c);
    const [rows, columns] = thresholds!.shape;
    const data = new Float64Array(acc!.data.length);
    for (let i = 0; i < data.length; i++) {
      if (c.text('form') === 'scale') {
        let v = f32(acc!.data[i] + (bias ? channelElement(bias, shape, channel, i) : 0));
        if (multiplier) v = f32(v * channelElement(multiplier, shape, channel, i));
        if (offset) v = f32(v + channelElement(offset, shape, channel, i));
        data[i] = Math.min(Math.max(roundHalfEven(v) + (centre ? channelElement(centre, shape, channel, i) : 0), lo), hi);
        continue;
      }
      if (c.text('form') === 'shift') {
        const at = (p: NdArray): bigint => BigInt(channelElement(p, shape, channel, i));
        const sum = (BigInt(acc!.data[i]) + at(offset!)) * at(multiplier!) + at(remainder!);
        data[i] = Math.min(Math.max(Number(sum >> BigInt(c.int('shift'))), lo), hi);
        continue;
      }
      const v = acc!.data[i] * (directions ? channelElement(directions, shape, channel, i) : 1);
      const row = rows === 1 ? 0 : coordinateOf(shape, i, channel);
      data[i] = lo;
      for (let j = 0; j < columns; j++) if (v >= thresholds!.data[row * columns + j]) data[i]++;
    }
    return [{ shape, data }];
  },
  integer: { maxBits: 32, range: outputRange },
  lower(c) {
    const space = spaceAxes(c.outputs[0].shape);
    const type = elementType(c.outputs[0]);
    const forms = { thresholds: byThresholds, scale: byScale, shift: byShift };
    return [forms[c.text('form') as keyof typeof forms](c, space, type)];
  },
  samples: [
    { name: '2 bit, per channel', attributes: { base: -2 }, inputs: [{ shape: [2, 3], dtype: 'int12', range: [-60, 60] }, { shape: [3, 3], dtype: 'int32', constant: true, values: [-20, 0, 20, -3, 1, 5, -50, -49, 40] }], seed: 1, tolerance: 0 },
    { name: 'uint32', inputs: [{ shape: [2, 8], dtype: 'uint32' }, { shape: [1, 3], dtype: 'int32', constant: true, values: [-5, 1000000000, 2000000000] }], seed: 12, tolerance: 0 },
    { name: '1 row for all', inputs: [{ shape: [2, 5, 3, 3], dtype: 'int10', range: [-90, 90] }, { shape: [1, 4], dtype: 'int32', constant: true, values: [-40, -10, 10, 40] }], seed: 2, tolerance: 0 },
    { name: 'bipolar', attributes: { base: -1 }, inputs: [{ shape: [1, 17], dtype: 'int8', range: [-9, 9] }, { shape: [1, 2], dtype: 'int32', constant: true, values: [0, 0] }], seed: 3, tolerance: 0 },
    { name: 'directions', inputs: [{ shape: [3, 2, 5], dtype: 'int8', range: [-30, 30] }, { shape: [2, 3], dtype: 'int32', constant: true, values: [-10, 0, 10, -12, 1, 12] }, vector([1, -1], 'int32')], seed: 4, tolerance: 0 },
    { name: '4 bit, one level more than unrolled', attributes: { base: -8 }, inputs: [{ shape: [2, 2, 4], dtype: 'int16', range: [-99, 99] }, { shape: [2, 16], dtype: 'int32', constant: true, values: Array.from({ length: 32 }, (_, i) => (i % 16) * 10 - 80 + (i >> 4)) }], seed: 5, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({
      attributes: { base: -1 },
      inputs: [{ shape: [1 + 2 * (i % 2), c], dtype: 'int9', range: [-40, 40] }, { shape: [c, 3], dtype: 'int32', constant: true, values: cycle(3 * c, [-20, 1, 15, -3, -2, -1]) }],
    })),
    ...edgeSamples(40, (c, i) => ({
      attributes: { form: 'scale', base: -8, levels: 15 },
      inputs: [{ shape: [1 + 2 * (i % 2), c], dtype: 'int14' }, { shape: [1, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector(cycle(c, [0.01, -0.002, 0.1])), vector(cycle(c, [0, 0.5, -3]))],
    })),
    { name: 'reduction with directions', attributes: { axis: 0 }, inputs: [{ shape: [2, 7], dtype: 'int8' }, { shape: [1, 255], dtype: 'int32', constant: true, values: Array.from({ length: 255 }, (_, i) => i - 127) }, vector([-1, 1], 'int32')], seed: 6, tolerance: 0 },
    { name: 'scale', attributes: { form: 'scale', base: -128, levels: 255 }, inputs: [{ shape: [1, 3, 9], dtype: 'int20' }, { shape: [3, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector([0.001, 0.0002, -0.01]), vector([0, 3.5, -4])], seed: 7, tolerance: 0 },
    { name: 'scale about a centre', attributes: { form: 'scale', base: -3, levels: 255 }, inputs: [{ shape: [2, 3, 9], dtype: 'int18' }, { shape: [1, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector([0.003, 0.0002, -0.01]), vector([0.25, -0.5, 0.125]), { shape: [], absent: true }, vector([1000, -77, 20000], 'int32'), vector([124], 'int32')], seed: 10, tolerance: 0 },
    { name: 'scale about a centre of each channel', attributes: { form: 'scale', base: 0, levels: 255 }, inputs: [{ shape: [2, 3, 9], dtype: 'int18' }, { shape: [1, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector([0.003, 0.0002, -0.01]), vector([0.25, -0.5, 0.125]), { shape: [], absent: true }, vector([1000, -77, 20000], 'int32'), vector([124, 12, 200], 'int32')], seed: 11, tolerance: 0 },
    { name: 'scale without offset', attributes: { form: 'scale', levels: 15 }, inputs: [{ shape: [4, 6], dtype: 'int16', range: [-300, 300] }, { shape: [1, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector([0.125])], seed: 8, tolerance: 0 },
    { name: 'shift', attributes: { form: 'shift', base: -8, levels: 15, shift: 38 }, inputs: [{ shape: [2, 3, 5], dtype: 'int20' }, { shape: [1, 0], dtype: 'int32', constant: true, values: [] }, { shape: [], absent: true }, vector([4_000_001, -3_999_999, 1 << 20], 'int32'), vector([1000, -1000, 0], 'int32'), vector([5, 77, 0], 'int32')], seed: 9, tolerance: 0 },
  ],
};
