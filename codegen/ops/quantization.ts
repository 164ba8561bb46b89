/**
 * What the quantizers share: bounds of codes, parameters as expressions (a number where it is one constant, else a load),
 * parameters along a channel axis, checks. Not here: rounding (functions/rounding.ts) and what each operator computes.
 */
import { axis, constant, float, int, load } from '../ir/build.js';
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import type { Axis, Expr, Index } from '../ir/program.js';
import { broadcastCoordinates } from './elementwise.js';
import { elementType } from './operands.js';
import type { NdArray, NodeContext, ValueInfo } from './record.js';

export const f32 = Math.fround;

/** Least and greatest code of QONNX's Quant and Trunc, in float32 steps (the bit width may be a fraction). */
export function codeBounds(signed: boolean, narrow: boolean, bitWidth: number): readonly [number, number] {
  if (signed) {
    const half = f32(2 ** f32(bitWidth - 1));
    return [narrow ? f32(-half + 1) : -half, f32(half - 1)];
  }
  return [0, f32(f32(2 ** bitWidth) - (narrow ? 2 : 1))];
}

/** The value of all elements of a constant where they are equal (scalars, and tensors of one repeated value). */
export function singleValue(info: ValueInfo): number | undefined {
  const data = info.constant?.data;
  return data && data.length > 0 && data.every((v) => v === data[0]) ? data[0] : undefined;
}

/** A parameter at coordinates `at` of its tensor: a number where all its elements are one constant, else a load. */
export function parameterAt(info: ValueInfo, at: readonly Index[]): Expr {
  const single = singleValue(info);
  if (single === undefined) return load(info.name, at);
  return info.dtype === 'float32' ? float(single) : int(single, elementType(info));
}

/** A parameter that broadcasts to a kernel's space as numpy does. */
export function broadcastParameter(info: ValueInfo, space: readonly Axis[]): Expr {
  return parameterAt(info, broadcastCoordinates(info.shape, space));
}

/** A parameter of one element, or of one for each channel along dimension `channel` of the space. */
export function channelParameter(info: ValueInfo, channel: number, space: readonly Axis[]): Expr {
  return parameterAt(info, info.shape.map(() => channelCoordinate(info.shape[0], channel, space)));
}

/** The coordinate of a channel in a table of `rows` rows: the channel's own, or 0 where all channels share one row. */
export function channelCoordinate(rows: number, channel: number, space: readonly Axis[]): Index {
  return rows === 1 ? constant(0) : axis(space[channel].name);
}

/** Element `i` (flat, row-major) of `shape`: its coordinate along `dimension`. */
export function coordinateOf(shape: readonly number[], i: number, dimension: number): number {
  for (let d = shape.length - 1; d > dimension; d--) i = Math.floor(i / shape[d]);
  return shape.length === 0 ? 0 : i % shape[dimension];
}

/** The element of a reference tensor that broadcasts to element `i` (flat, row-major) of `shape`. */
export function broadcastElement(a: NdArray, shape: readonly number[], i: number): number {
  let flat = 0;
  let stride = 1;
  for (let d = shape.length - 1, e = a.shape.length - 1; e >= 0; d--, e--) {
    if (a.shape[e] !== 1) flat += (i % shape[d]) * stride;
    stride *= a.shape[e];
    i = Math.floor(i / shape[d]);
  }
  return a.data[flat];
}

/** The element of a reference parameter for element `i` of `shape`, by its coordinate along `channel`. */
export function channelElement(a: NdArray, shape: readonly number[], channel: number, i: number): number {
  return a.data.length === 1 ? a.data[0] : a.data[coordinateOf(shape, i, channel)];
}

// ---- Checks ---------------------------------------------------------------------------------------------------------

/** Raises graph/shape unless input `i` broadcasts to the shape of input 0 without making it larger. */
export function checkBroadcast(c: NodeContext, i: number, name: string): void {
  const x = c.input(0);
  const p = c.input(i);
  const skip = x.shape.length - p.shape.length;
  // A parameter of one element may have any rank: exporters write [1] for scalars.
  if (skip >= 0 && p.shape.every((extent, d) => extent === 1 || extent === x.shape[d + skip])) return;
  fail(
    'graph/shape', c.node.name,
    `the ${name} "${p.name}" of shape ${formatShape(p.shape)} does not broadcast to the input "${x.name}" of shape ${formatShape(x.shape)}`,
    `Give the ${name} one element, or the input's rank with 1 where it does not vary.`,
  );
}

/** Raises graph/shape unless input `i` has one element, or is a vector with one for each coordinate of `channel`. */
export function checkChannel(c: NodeContext, i: number, name: string, channel: number): void {
  const x = c.input(0);
  const p = c.input(i);
  if (p.shape.length === 0 || (p.shape.length === 1 && (p.shape[0] === 1 || p.shape[0] === x.shape[channel]))) return;
  fail(
    'graph/shape', c.node.name,
    `the ${name} "${p.name}" has shape ${formatShape(p.shape)}, expected one element or one for each of the ${x.shape[channel] ?? 'missing'} coordinates of dimension ${channel} of "${x.name}" ${formatShape(x.shape)}`,
    'Give one value for the whole tensor, or one for each channel.',
  );
}

/** Raises graph/data-type unless input `i` is float32. */
export function requireFloat(c: NodeContext, i: number, name: string): void {
  const { dtype, name: value } = c.input(i);
  if (dtype === 'float32') return;
  fail('graph/data-type', c.node.name, `${c.node.op} takes a float32 ${name}, and "${value}" is ${dtype}`, 'Put a Dequantize in front of it.');
}

/** Raises graph/data-type unless input `i` is an integer of at most 32 bits. */
export function requireInteger(c: NodeContext, i: number, name: string): void {
  const { dtype, name: value } = c.input(i);
  const { integer, bits } = describe(dtype);
  if (integer && bits <= 32 && !dtype.startsWith('fixed')) return;
  fail('graph/data-type', c.node.name, `${c.node.op} takes an integer ${name} of at most 32 bits, and "${value}" is ${dtype}`, 'Put a Quantize in front of it.');
}

/** Raises graph/unsupported where a constant scale holds a zero, an infinity or NaN. */
export function checkScale(c: NodeContext, i: number, name = 'scale'): void {
  const info = c.input(i);
  const bad = info.constant?.data.find((v) => v === 0 || !Number.isFinite(v));
  if (bad === undefined) return;
  fail('graph/unsupported', c.node.name, `the ${name} "${info.name}" holds ${bad}, expected finite numbers other than 0`, 'Export the model with valid scales.');
}
