/** Quantized posteriors as nodes that decode what is stored. Not here: how codes are chosen (quantizePosterior.ts). */
import { makeConstant, type Constant, type Graph } from '../../ir/graph.js';
import { roundedMoments } from '../../functions/roundedNormal.js';
import { coordinateOf } from '../../ops/quantization.js';
import type { FragmentBuilder, MomentPair } from '../../ops/record.js';

/** The mean of a random weight, decoded where it is stored in codes. */
export function decodeMean(graph: Graph, name: string, build: FragmentBuilder): string {
  const { axis = 0, codes } = graph.posteriors![name].quantized ?? {};
  return codes ? build.node('DecodeUniform', [build.constant(codes.mean), build.constant(codes.meanScale)], { axis }) : name;
}

/** Mean and variance of a random weight as it is drawn; `factor` multiplies the variance of its posterior. */
export function decodeMoments(graph: Graph, name: string, factor: number, build: FragmentBuilder): MomentPair {
  const { axis = 0, codes, rounding } = graph.posteriors![name].quantized ?? {};
  if (rounding || !codes) {
    const { mean, variance } = weightMoments(graph, name, factor);
    return { mean: rounding ? build.constant(mean) : name, variance: build.constant(variance) };
  }
  const { deviationScale, greatest, hasZero } = codes;
  const scale = makeConstant('float32', deviationScale.shape, Float64Array.from(deviationScale.data, (s) => s * s * factor));
  const variance = build.node('DecodePower', [build.constant(codes.deviation), build.constant(scale)], { axis, exponent: 2, greatest, hasZero: Number(hasZero) });
  return { mean: decodeMean(graph, name, build), variance };
}

/** A random weight as one draw gives it, of standard normal numbers; `factor` multiplies the variance of its posterior. */
export function decodeDraw(graph: Graph, name: string, factor: number, normal: string, build: FragmentBuilder): string {
  const { deviation, quantized } = graph.posteriors![name];
  const { axis = 0, codes, rounding } = quantized ?? {};
  const root = Math.sqrt(factor);
  const times = ({ shape, data }: Constant): string => build.constant(makeConstant('float32', shape, Float64Array.from(data, (s) => s * root)));
  const spread = codes
    ? build.node('DecodePower', [build.constant(codes.deviation), times(codes.deviationScale)], { axis, exponent: 1, greatest: codes.greatest, hasZero: Number(codes.hasZero) })
    : times(deviation);
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
