/** Quantized posteriors as nodes that decode what is stored. Not here: how codes are chosen (quantizePosterior.ts). */
import { describe, type DataType } from '../../ir/datatype.js';
import { bestFields } from '../../ir/fields.js';
import { makeConstant, type Constant, type Graph, type Posterior } from '../../ir/graph.js';
import { roundedMoments } from '../../functions/roundedNormal.js';
import { coordinateOf } from '../../ops/quantization.js';
import type { FragmentBuilder, MomentPair } from '../../ops/record.js';
import { powerValue } from './posteriorCodes.js';

/** The mean of a random weight, decoded where it is stored in codes. */
export function decodeMean(graph: Graph, name: string, build: FragmentBuilder): string {
  const { axis = 0, codes } = graph.posteriors![name].quantized ?? {};
  if (!codes) return name;
  const { high, low, lowBits } = inParts(codes.mean, axis, build);
  return build.node('DecodeUniform', [high, build.constant(codes.meanScale), ...low], { axis, lowBits });
}

/** Deviations that are stored in codes, to a power. */
function decodePower(codes: Codes, axis: number, exponent: number, scale: Constant, build: FragmentBuilder): string {
  const { high, low, lowBits } = inParts(codes.deviation, axis, build);
  return build.node('DecodePower', [high, build.constant(scale), ...low], { axis, exponent, greatest: codes.greatest, hasZero: Number(codes.hasZero), lowBits });
}

type Codes = NonNullable<NonNullable<Posterior['quantized']>['codes']>;

/** Low bits of codes of 3, 5 and 6 bits: what is left, and they, fill containers. Codes of 7 would not gain. */
const splitAt = new Map([[3, 1], [5, 1], [6, 2]]);

/** Codes of weights in two parts where that takes fewer bits. */
function inParts(codes: Constant, axis: number, build: FragmentBuilder): { readonly high: string; readonly low: readonly string[]; readonly lowBits: number } {
  const { bits, signed } = describe(codes.dtype);
  const used = signed ? bits : Math.max(1, Math.ceil(Math.log2([...codes.data].reduce((a, b) => Math.max(a, b), 0) + 1)));
  const lowBits = splitAt.get(used) ?? 0;
  const extents = codes.shape.filter((_, d) => d !== axis);
  const bitsOf = (parts: readonly number[]): number => bestFields(extents, parts)?.cost ?? 8 * parts.length;
  if (lowBits === 0 || bitsOf([used - lowBits, lowBits]) >= bitsOf([used])) return { high: build.constant(codes), low: [], lowBits: 0 };
  const part = (dtype: DataType, of: (c: number) => number): string => build.constant(makeConstant(dtype, codes.shape, Int32Array.from(codes.data, of)));
  return {
    high: part(`${signed ? 'int' : 'uint'}${used - lowBits}` as DataType, (c) => Math.floor(c / 2 ** lowBits)),
    low: [part(`uint${lowBits}` as DataType, (c) => c & (2 ** lowBits - 1))],
    lowBits,
  };
}

/** Mean and variance of a random weight as it is drawn; `factor` multiplies the variance of its posterior. */
export function decodeMoments(graph: Graph, name: string, factor: number, build: FragmentBuilder): MomentPair {
  const { axis = 0, codes, rounding } = graph.posteriors![name].quantized ?? {};
  const table = pairTable(graph, name, factor);
  if (table) {
    const found = build.constant(table.codes);
    const moment = (values: Constant, scale: Constant): string => build.node('DecodeTable', [found, build.constant(values), build.constant(scale)], { axis });
    const { step } = rounding!;
    return { mean: moment(table.mean, step), variance: moment(table.variance, makeConstant('float32', step.shape, Float64Array.from(step.data, (u) => u * u))) };
  }
  if (rounding || !codes) {
    const { mean, variance } = weightMoments(graph, name, factor);
    return { mean: rounding ? build.constant(mean) : name, variance: build.constant(variance) };
  }
  const { deviationScale } = codes;
  const scale = makeConstant('float32', deviationScale.shape, Float64Array.from(deviationScale.data, (s) => s * s * factor));
  return { mean: decodeMean(graph, name, build), variance: decodePower(codes, axis, 2, scale, build) };
}

/** Both moments of a rounded weight in steps, and the place of each weight's in these lists. */
interface PairTable {
  readonly codes: Constant;
  readonly mean: Constant;
  readonly variance: Constant;
}

/** The moments of every pair of codes that occurs; undefined where draws are not rounded or the means not coded, and where the moments themselves are fewer bytes. */
function pairTable(graph: Graph, name: string, factor: number): PairTable | undefined {
  const { codes, rounding } = graph.posteriors![name].quantized ?? {};
  if (!codes || !rounding) return undefined;
  const { mean, deviation, meanScale, deviationScale, greatest, hasZero } = codes;
  const places = new Map<number, number>();
  const powers = greatest + 1;
  const pairs = [...mean.data].map((c, i) => (c + rounding.greatest) * powers + deviation.data[i]);
  for (const pair of [...new Set(pairs)].sort((a, b) => a - b)) places.set(pair, places.size);
  const bits = Math.max(1, Math.ceil(Math.log2(places.size)));
  const bytes = 2 * 4 * 2 ** bits + pairs.length * (bits <= 8 ? 1 : 2);
  if (bytes >= 2 * 4 * pairs.length) return undefined;
  const [meanSteps, deviationSteps] = [meanScale, deviationScale].map((s) => s.data[0] / rounding.step.data[0]);
  const [means, variances] = [new Float64Array(2 ** bits), new Float64Array(2 ** bits)];
  for (const [pair, place] of places) {
    const deviationOf = powerValue(pair % powers, deviationSteps, greatest, hasZero) * Math.sqrt(factor);
    const rounded = roundedMoments((Math.floor(pair / powers) - rounding.greatest) * meanSteps, deviationOf, rounding.greatest);
    means[place] = rounded.mean;
    variances[place] = rounded.variance;
  }
  return {
    codes: makeConstant(`uint${bits}`, mean.shape, Int32Array.from(pairs, (pair) => places.get(pair)!)),
    mean: makeConstant('float32', [means.length], means),
    variance: makeConstant('float32', [variances.length], variances),
  };
}

/** A random weight as one draw gives it, of standard normal numbers; `factor` multiplies the variance of its posterior. */
export function decodeDraw(graph: Graph, name: string, factor: number, normal: string, build: FragmentBuilder): string {
  const { deviation, quantized } = graph.posteriors![name];
  const { axis = 0, codes, rounding } = quantized ?? {};
  const root = Math.sqrt(factor);
  const times = ({ shape, data }: Constant): Constant => makeConstant('float32', shape, Float64Array.from(data, (s) => s * root));
  const spread = codes
    ? decodePower(codes, axis, 1, times(codes.deviationScale), build)
    : build.constant(times(deviation));
  const drawn = build.node('Add', [decodeMean(graph, name, build), build.node('Mul', [spread, normal])]);
  if (!rounding) return drawn;
  const { step, greatest } = rounding;
  const scale = makeConstant('float32', step.data.length === 1 ? [] : deviation.shape.map((n, d) => (d === axis ? n : 1)), step.data);
  return build.node('Quant', [drawn, build.constant(scale), build.scalar(0), build.scalar(Math.log2(greatest + 1) + 1)], { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
}

/** Mean and variance of a random weight as it is drawn, as numbers. */
export function weightMoments(graph: Graph, name: string, factor = 1): { readonly mean: Constant; readonly variance: Constant } {
  const { deviation, quantized } = graph.posteriors![name];
  const mean = graph.constants[name];
  if (!quantized?.rounding) return { mean, variance: makeConstant('float32', mean.shape, Float64Array.from(deviation.data, (s) => s * s * factor)) };
  const { axis, rounding: { step, greatest } } = quantized;
  const [means, variances] = [new Float64Array(mean.data.length), new Float64Array(mean.data.length)];
  for (let i = 0; i < means.length; i++) {
    const unit = step.data[step.data.length === 1 ? 0 : coordinateOf(mean.shape, i, axis)];
    const rounded = roundedMoments(mean.data[i] / unit, (deviation.data[i] / unit) * Math.sqrt(factor), greatest);
    means[i] = rounded.mean * unit;
    variances[i] = rounded.variance * unit * unit;
  }
  return { mean: makeConstant('float32', mean.shape, means), variance: makeConstant('float32', mean.shape, variances) };
}
