/**
 * How `streamline` knows a float value: as a monotone function, per channel, of an integer value that exists in the new
 * graph. Pure arithmetic on that function, in float64. Not here: nodes, and which operator does what to it.
 */
import type { Constant } from '../ir/graph.js';

/** One number, or one a channel along a dimension. */
export interface Channelled {
  /** -1 for one number. */
  readonly axis: number;
  readonly values: Float64Array;
}

/** Where the integer value came from, as long as the signs of its weights may still be chosen. */
export interface Accumulator {
  /** Name of the node. */
  readonly node: string;
  /** Which input holds the weights, and their output-channel dimension. */
  readonly weights: number;
  readonly weightAxis: number;
}

/**
 * value = clamp(max_i or min_i (scale_i * q + offset_i), low, high), with q an integer value, per channel along `axis`.
 * One piece and infinite bounds: an affine function. Relu and Clip set bounds; LeakyRelu adds pieces.
 */
export interface IntegerValue {
  /** Name of q. */
  readonly q: string;
  /** Dimension of the channels; -1 where all arrays have one element. */
  readonly axis: number;
  readonly pieces: readonly { readonly scale: Float64Array; readonly offset: Float64Array }[];
  readonly combine: 'max' | 'min';
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly source?: Accumulator;
}

export const one = (value: number): Channelled => ({ axis: -1, values: Float64Array.of(value) });

/** scale * q + offset. The two must have one axis, or one of them a single number. */
export function affineValue(q: string, scale: Channelled, offset: Channelled, source?: Accumulator): IntegerValue {
  const channels = Math.max(scale.values.length, offset.values.length);
  return {
    q,
    axis: scale.values.length === channels ? scale.axis : offset.axis,
    pieces: [{ scale: repeat(scale.values, channels), offset: repeat(offset.values, channels) }],
    combine: 'max',
    low: new Float64Array(channels).fill(-Infinity),
    high: new Float64Array(channels).fill(Infinity),
    source,
  };
}

function repeat(values: Float64Array, channels: number): Float64Array {
  return values.length === channels ? values : new Float64Array(channels).fill(values[0]);
}

/** True for scale * q + offset without bounds. */
export function isAffine(v: IntegerValue): boolean {
  return v.pieces.length === 1 && v.low.every((x) => x === -Infinity) && v.high.every((x) => x === Infinity);
}

/** The single scale and offset of a value that has one piece. */
export function scaleOf(v: IntegerValue): Channelled {
  return { axis: v.axis, values: v.pieces[0].scale };
}
export function offsetOf(v: IntegerValue): Channelled {
  return { axis: v.axis, values: v.pieces[0].offset };
}

/** The one number that all channels share, or undefined. */
export function single(c: Channelled): number | undefined {
  return c.values.every((x) => x === c.values[0]) ? c.values[0] : undefined;
}

/** The value with one element a channel along `axis`; undefined where it varies along another one. */
export function spread(v: IntegerValue, axis: number, channels: number): IntegerValue | undefined {
  if (v.axis === axis || channels === 1) return v;
  if (v.axis !== -1) return undefined;
  return { ...rechannel(v, new Int32Array(channels)), axis };
}

/** The value whose channel i is channel `from[i]` of this one. */
export function rechannel(v: IntegerValue, from: Int32Array): IntegerValue {
  const take = (values: Float64Array): Float64Array => Float64Array.from(from, (i) => values[i]);
  return { ...v, pieces: v.pieces.map((p) => ({ scale: take(p.scale), offset: take(p.offset) })), low: take(v.low), high: take(v.high) };
}

/** value * factor + addend; undefined where channels lie along different axes, or signs differ that must not. */
export function applyAffine(value: IntegerValue, factor: Channelled, addend: Channelled): IntegerValue | undefined {
  const wide = factor.values.length >= addend.values.length ? factor : addend;
  const v = spread(value, wide.axis, wide.values.length);
  if (!v || (factor.axis !== addend.axis && factor.axis !== -1 && addend.axis !== -1)) return undefined;
  const channels = v.low.length;
  const f = repeat(factor.values, channels);
  const a = repeat(addend.values, channels);
  const negative = f.some((x) => x < 0);
  if (v.pieces.length > 1 && negative && f.some((x) => x > 0)) return undefined;
  const bound = (from: Float64Array, other: Float64Array, none: number): Float64Array =>
    from.map((b, c) => {
      const x = f[c] < 0 ? other[c] : b;
      return Math.abs(x) === Infinity || f[c] === 0 ? none : x * f[c] + a[c];
    });
  return {
    ...v,
    pieces: v.pieces.map((p) => ({ scale: p.scale.map((x, c) => x * f[c]), offset: p.offset.map((x, c) => x * f[c] + a[c]) })),
    combine: negative ? (v.combine === 'max' ? 'min' : 'max') : v.combine,
    low: bound(v.low, v.high, -Infinity),
    high: bound(v.high, v.low, Infinity),
  };
}

/** min(max(value, low), high); bounds that the integers of `range` never meet are left out. */
export function applyClamp(v: IntegerValue, low: number, high: number, range: readonly [number, number]): IntegerValue {
  const inside = (x: number): number => Math.min(Math.max(x, low), high);
  const [least, greatest] = extent(v, range);
  return {
    ...v,
    low: v.low.map((x, c) => (inside(x) <= least[c] ? -Infinity : inside(x))),
    high: v.high.map((x, c) => (inside(x) >= greatest[c] ? Infinity : inside(x))),
  };
}

/** x where x >= 0, else slope * x (slope >= 0); undefined where convex and concave pieces would meet. */
export function applyLeaky(v: IntegerValue, slope: number): IntegerValue | undefined {
  const combine = slope <= 1 ? 'max' : 'min';
  if (!(slope >= 0) || (v.pieces.length > 1 && v.combine !== combine)) return undefined;
  const leaky = (x: number): number => (x >= 0 ? x : slope === 0 ? 0 : x * slope);
  return {
    ...v,
    combine,
    pieces: [...v.pieces, ...v.pieces.map((p) => ({ scale: p.scale.map((x) => x * slope), offset: p.offset.map((x) => x * slope) }))],
    low: v.low.map(leaky).map((x, c) => (v.low[c] === -Infinity && slope === 0 ? 0 : x)),
    high: v.high.map(leaky),
  };
}

/** Least and greatest unbounded value, per channel, over integers in `range`. */
function extent(v: IntegerValue, range: readonly [number, number]): readonly [Float64Array, Float64Array] {
  const pick = v.combine === 'max' ? Math.max : Math.min;
  const at = (q: number, c: number): number => v.pieces.map((p) => p.scale[c] * q + p.offset[c]).reduce((a, b) => pick(a, b));
  const ends = v.low.map((_, c) => at(range[0], c));
  const others = v.low.map((_, c) => at(range[1], c));
  return [ends.map((x, c) => Math.min(x, others[c])), ends.map((x, c) => Math.max(x, others[c]))];
}

/** Least and greatest value over all channels and integers in `range`. */
export function reach(v: IntegerValue, range: readonly [number, number]): readonly [number, number] {
  const [least, greatest] = extent(v, range);
  const clamp = (x: number, c: number): number => Math.min(Math.max(x, v.low[c]), v.high[c]);
  return [least.map(clamp).reduce((a, b) => Math.min(a, b)), greatest.map(clamp).reduce((a, b) => Math.max(a, b))];
}

/**
 * A tensor that broadcasts to `shape` as one number or as one a channel; undefined where it varies along more than one
 * dimension, or would make the shape larger.
 */
export function alongAxis(tensor: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }, shape: readonly number[]): Channelled | undefined {
  const skip = shape.length - tensor.shape.length;
  if (skip < 0 || tensor.data.length === 0 || tensor.shape.some((d, i) => d !== 1 && d !== shape[i + skip])) return undefined;
  let varying = -1;
  let stride = tensor.data.length;
  for (let d = 0; d < tensor.shape.length; d++) {
    stride /= tensor.shape[d];
    const step = stride;
    const extentHere = tensor.shape[d];
    let varies = false;
    for (let i = 0; i < tensor.data.length && !varies; i++) {
      if (Math.floor(i / step) % extentHere > 0) varies = tensor.data[i] !== tensor.data[i - step];
    }
    if (!varies) continue;
    if (varying >= 0) return undefined;
    varying = d;
  }
  if (varying < 0) return one(tensor.data[0]);
  const inner = tensor.shape.slice(varying + 1).reduce((a, b) => a * b, 1);
  return { axis: varying + skip, values: Float64Array.from({ length: tensor.shape[varying] }, (_, i) => tensor.data[i * inner]) };
}

/** A channelled float64 array as a float32 constant: rank 0, or one a channel. */
export function channelConstant(c: Channelled): Constant {
  return { dtype: 'float32', shape: c.axis < 0 ? [] : [c.values.length], data: Float32Array.from(c.values) };
}

/** Batch normalization with constant parameters (scale, bias, mean, variance) as factor * x + addend, in float64. */
export function normalizationFactors([scale, bias, mean, variance]: readonly Constant[], epsilon: number): { factor: Float64Array; addend: Float64Array } {
  const factor = Float64Array.from(scale.data, (x, c) => x / Math.sqrt(variance.data[c] + Math.fround(epsilon)));
  return { factor, addend: Float64Array.from(bias.data, (x, c) => x - mean.data[c] * factor[c]) };
}
