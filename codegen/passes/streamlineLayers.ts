/**
 * `streamline`'s rules for layers: MatMul, Gemm, Conv, pools and reductions, and the sum of two values. The same operator
 * on integers; scales multiply, biases become offsets. Each rule answers true, or why the node stays float.
 */
import type { Attribute, Node } from '../ir/graph.js';
import { operator } from '../ops/index.js';
import { poolParts, windowCounts } from '../ops/pool.js';
import { readsPadding, windows } from '../ops/window.js';
import { affineValue, alongAxis, applyAffine, isAffine, offsetOf, one, scaleOf, single, spread, type Channelled, type IntegerValue } from './integerValue.js';
import { integerConstant, type QuantizedConstant } from './quantizedConstants.js';
import type { Rewrite } from './rewrite.js';

/** A value as scale * q + offset; a value with bounds gets its q clamped where the bounds are integers in q's units. */
function affine(s: Rewrite, node: Node, name: string): IntegerValue | string {
  const v = s.integer(name);
  if (!v) return `its input "${name}" is not quantized`;
  if (isAffine(v)) return v;
  const scale = single(scaleOf(v));
  const [low, high] = [single({ axis: v.axis, values: v.low }), single({ axis: v.axis, values: v.high })];
  const isPlain = v.pieces.length === 1 && scale !== undefined && scale > 0 && single(offsetOf(v)) === 0 && low !== undefined && high !== undefined;
  if (!isPlain) return `its input "${name}" is not quantized after the activation`;
  const range = s.range(v.q);
  const [least, greatest] = [Math.max(low / scale, range[0]), Math.min(high / scale, range[1])];
  if (!Number.isInteger(least) || !Number.isInteger(greatest) || greatest <= least) return `its input "${name}" is clipped between its levels`;
  if (Math.max(-range[0], range[1]) > 2 ** 24) return `its input "${name}" has integers of more than 24 bits behind a clip`;
  const levels = greatest - least;
  const none = s.addConstant(`${name}_thresholds`, { dtype: 'int32', shape: [1, 0], data: new Int32Array(0) });
  const [q] = s.emit('Requantize', `${node.name}_clip`, [v.q, none], [`${name}_codes`], { form: 'scale', base: least, levels });
  const clipped = affineValue(q, one(scale), one(0));
  s.represent(name, clipped);
  return clipped;
}

/** Weights as integers: behind a quantizer, or a float constant that holds integers. */
function weightsOf(s: Rewrite, name: string): QuantizedConstant | string {
  const constant = s.constant(name);
  return s.quantized(name) ?? (constant && integerConstant(constant)) ?? (constant ? `its weights "${name}" are not quantized` : `its weights "${name}" are computed at run time`);
}

/** scale * q + offset into sums over weights: `outputOf` gives the output channel of a weight, `inputOf` its input channel. */
interface Reduction {
  readonly op: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly x: string;
  readonly weights: string;
  /** Output channels, where they lie in the output, and where in the weights. */
  readonly outputs: number;
  readonly axis: number;
  readonly weightAxis: number;
  /** Channels of the input along its axis, and the one that a weight (by flat index) meets. */
  readonly inputAxis: number;
  readonly inputOf: (weight: number) => number;
  /** True where an output channel meets one input channel only. */
  readonly isDepthwise: boolean;
  readonly hasPadding: boolean;
  /** Added per output channel. */
  readonly bias: Channelled | undefined;
  readonly factor: number;
}

function reduction(s: Rewrite, node: Node, r: Reduction): true | string {
  const x = affine(s, node, r.x);
  if (typeof x === 'string') return x;
  const weights = weightsOf(s, r.weights);
  if (typeof weights === 'string') return weights;
  const weightScale = alongAxis(weights.scale, weights.codes.shape);
  if (!weightScale || (weightScale.axis >= 0 && weightScale.axis !== r.weightAxis)) return 'the scale of its weights does not belong to the output channels';

  const inner = weights.codes.shape.slice(r.weightAxis + 1).reduce((a, b) => a * b, 1);
  const outputOf = (weight: number): number => Math.floor(weight / inner) % r.outputs;
  const scales = new Float64Array(r.outputs);
  const xScale = single(scaleOf(x));
  if (xScale === undefined) {
    if (!r.isDepthwise || x.axis !== r.inputAxis) return `its input "${r.x}" has a scale for each channel`;
    for (let i = 0; i < weights.codes.data.length; i++) scales[outputOf(i)] = x.pieces[0].scale[r.inputOf(i)];
  } else {
    scales.fill(xScale);
  }
  for (let o = 0; o < r.outputs; o++) scales[o] *= r.factor * weightScale.values[weightScale.axis < 0 ? 0 : o];

  const offsets = new Float64Array(r.outputs);
  const xOffset = offsetOf(x);
  if (xOffset.values.some((c) => c !== 0)) {
    // sum of w * (scale * q + offset): the offset's part is a constant, except under padding, where values are 0
    if (r.hasPadding) return `its input "${r.x}" has an offset, and padding`;
    if (x.axis >= 0 && single(xOffset) === undefined && x.axis !== r.inputAxis) return `its input "${r.x}" has an offset for each channel`;
    for (let i = 0; i < weights.codes.data.length; i++) {
      const o = outputOf(i);
      offsets[o] += r.factor * weights.codes.data[i] * weightScale.values[weightScale.axis < 0 ? 0 : o] * xOffset.values[xOffset.values.length === 1 ? 0 : r.inputOf(i)];
    }
  }
  if (r.bias) for (let o = 0; o < r.outputs; o++) offsets[o] += r.bias.values[r.bias.axis < 0 ? 0 : o];

  const w = s.addConstant(`${r.weights}_codes`, weights.codes);
  if (!s.fits(r.op, [x.q, w], r.attributes)) return 'its accumulator would need more than 32 bits';
  const [q] = s.emit(r.op, node.name, [x.q, w], [`${node.outputs[0]}_accumulator`], r.attributes);
  const channelled = (values: Float64Array): Channelled => (single({ axis: 0, values }) === undefined ? { axis: r.axis, values } : one(values[0]));
  const source = { node: s.lastNode(), weights: 1, weightAxis: r.weightAxis };
  const value = affineValue(q, channelled(scales), channelled(offsets), source);
  s.represent(node.outputs[0], spread(value, r.axis, r.outputs)!);
  return true;
}

export function matMul(s: Rewrite, node: Node): true | string {
  const [x, w] = node.inputs;
  if (s.integer(x) && s.integer(w)) return dynamicMatMul(s, node);
  const shape = s.shape(w);
  if (!s.constant(w)) return s.constant(x) ? `its first input "${x}" is constant` : `its input "${s.integer(x) ? w : x}" is not quantized`;
  if (shape.length !== 2 || s.shape(x).length < 2) return `its weights "${w}" have ${shape.length} dimensions`;
  const rank = s.shape(x).length;
  return reduction(s, node, {
    op: 'MatMul', attributes: {}, x, weights: w, outputs: shape[1], axis: rank - 1, weightAxis: 1,
    inputAxis: rank - 1, inputOf: (i) => Math.floor(i / shape[1]), isDepthwise: false, hasPadding: false, bias: undefined, factor: 1,
  });
}

/** Two values computed at run time: both need one scale and no offset. */
function dynamicMatMul(s: Rewrite, node: Node): true | string {
  const operands = node.inputs.map((name) => affine(s, node, name));
  const scales: number[] = [];
  for (const v of operands) {
    if (typeof v === 'string') return v;
    const scale = single(scaleOf(v));
    if (scale === undefined || single(offsetOf(v)) !== 0) return 'one of its inputs has a scale for each channel, or an offset';
    scales.push(scale);
  }
  const inputs = operands.map((v) => (v as IntegerValue).q);
  if (!s.fits('MatMul', inputs)) return 'its accumulator would need more than 32 bits';
  const [q] = s.emit('MatMul', node.name, inputs, [`${node.outputs[0]}_accumulator`]);
  s.represent(node.outputs[0], affineValue(q, one(scales[0] * scales[1]), one(0)));
  return true;
}

export function gemm(s: Rewrite, node: Node): true | string {
  const context = s.context(node);
  const [x, w, c] = node.inputs;
  if (!s.constant(w)) return `its weights "${w}" are computed at run time`;
  const [transA, transB] = [context.int('transA'), context.int('transB')];
  if (transA !== 0) return 'its input is transposed';
  const shape = s.shape(w);
  const outputs = shape[transB ? 0 : 1];
  const bias = c ? biasOf(s, c, s.shape(node.outputs[0]), 1, context.float('beta')) : undefined;
  if (typeof bias === 'string') return bias;
  return reduction(s, node, {
    op: 'Gemm', attributes: { transB }, x, weights: w, outputs, axis: 1, weightAxis: transB ? 0 : 1,
    inputAxis: 1, inputOf: (i) => (transB ? i % shape[1] : Math.floor(i / shape[1])), isDepthwise: false, hasPadding: false, bias, factor: context.float('alpha'),
  });
}

export function conv(s: Rewrite, node: Node): true | string {
  const context = s.context(node);
  const [x, w, c] = node.inputs;
  if (!s.constant(w)) return `its weights "${w}" are computed at run time`;
  const shape = s.shape(w);
  const group = context.int('group');
  const [outputs, perGroup] = shape;
  const inner = shape.slice(2).reduce((a, b) => a * b, 1);
  const outputsPerGroup = outputs / group;
  const inputOf = (i: number): number => Math.floor(Math.floor(i / (inner * perGroup)) / outputsPerGroup) * perGroup + (Math.floor(i / inner) % perGroup);
  const bias = c ? biasOf(s, c, [outputs], 0, 1) : undefined;
  if (typeof bias === 'string') return bias;
  return reduction(s, node, {
    op: 'Conv', attributes: node.attributes, x, weights: w, outputs, axis: 1, weightAxis: 0,
    inputAxis: 1, inputOf, isDepthwise: perGroup === 1, hasPadding: windows(context, shape.slice(2)).some(readsPadding), bias, factor: 1,
  });
}

function biasOf(s: Rewrite, name: string, shape: readonly number[], axis: number, factor: number): Channelled | string {
  const constant = s.constant(name);
  if (!constant) return `its bias "${name}" is computed at run time`;
  const bias = alongAxis(constant, shape);
  if (!bias || (bias.axis >= 0 && bias.axis !== axis)) return `its bias "${name}" does not belong to the output channels`;
  return { axis: bias.axis, values: bias.values.map((b) => b * factor) };
}

/** MaxPool of the integers, where the value does not fall as they rise. */
export function maxPool(s: Rewrite, node: Node): true | string {
  const v = s.withoutNegativeScales(node.inputs[0], true);
  if (v.pieces.some((p) => p.scale.some((x) => x < 0))) return 'the value falls where the integers rise, in some channels';
  const [q] = s.emit('MaxPool', node.name, [v.q], [`${node.outputs[0]}_codes`], node.attributes);
  s.represent(node.outputs[0], { ...v, q, source: undefined });
  return true;
}

/** Sums of a window; the division goes into the scale. */
export function averagePool(s: Rewrite, node: Node): true | string {
  const v = affine(s, node, node.inputs[0]);
  if (typeof v === 'string') return v;
  let attributes = node.attributes;
  let count: number | Float32Array;
  if (node.op === 'GlobalAveragePool') {
    const kernel = s.shape(node.inputs[0]).slice(2);
    attributes = { kernel_shape: kernel };
    count = kernel.reduce((a, b) => a * b, 1);
  } else {
    const context = s.context(node);
    const { dims } = poolParts(context);
    const includePad = context.int('count_include_pad') !== 0;
    count = windowCounts(dims, includePad);
    if (includePad && dims.some(readsPadding) && single(offsetOf(v)) !== 0) return 'its input has an offset, and padding';
  }
  if (typeof count !== 'number') return 'its windows differ in size';
  if (!s.fits('SumPool', [v.q], attributes)) return 'its sum would need more than 32 bits';
  const [q] = s.emit('SumPool', node.name, [v.q], [`${node.outputs[0]}_accumulator`], attributes);
  s.represent(node.outputs[0], meanOf(v, q, count));
  return true;
}

function meanOf(v: IntegerValue, q: string, count: number): IntegerValue {
  return affineValue(q, { axis: v.axis, values: scaleOf(v).values.map((x) => x / count) }, offsetOf(v));
}

/** ReduceMean and ReduceSum: a ReduceSum of integers. */
export function reduce(s: Rewrite, node: Node): true | string {
  const v = affine(s, node, node.inputs[0]);
  if (typeof v === 'string') return v;
  const [from, to] = [s.shape(node.inputs[0]), s.shape(node.outputs[0])];
  const [scale, offset] = [single(scaleOf(v)), single(offsetOf(v))];
  if (scale === undefined || offset === undefined) return 'its input has a scale for each channel';
  const count = from.reduce((a, b) => a * b, 1) / to.reduce((a, b) => a * b, 1);
  const inputs = [v.q, ...node.inputs.slice(1).map((name) => (name === '' ? '' : s.plain(name)))];
  const known = operator('ReduceSum', node.name).attributes;
  const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name in known));
  if (!s.fits('ReduceSum', inputs, attributes)) return 'its sum would need more than 32 bits';
  const [q] = s.emit('ReduceSum', node.name, inputs, [`${node.outputs[0]}_accumulator`], attributes);
  const isMean = node.op === 'ReduceMean';
  s.represent(node.outputs[0], affineValue(q, one(isMean ? scale / count : scale), one(isMean ? offset : offset * count)));
  return true;
}

/** The sum or difference of two values with one scale; offsets add. Other scales: float, then quantized again. */
export function addIntegers(s: Rewrite, node: Node): true | string {
  const [a, b] = node.inputs.map((name) => s.integer(name)!);
  if (!isAffine(a) || !isAffine(b)) return 'an activation lies between its input and the integers';
  const aligned = a.axis < 0 && b.axis >= 0 ? [spread(a, b.axis, b.low.length), b] : [a, b.axis < 0 && a.axis >= 0 ? spread(b, a.axis, a.low.length) : b];
  const [left, right] = aligned;
  if (!left || !right || left.axis !== right.axis || !left.pieces[0].scale.every((x, c) => x === right.pieces[0].scale[c])) {
    return 'its inputs have different scales (float32 addition, then quantized again)';
  }
  const [from, to] = [s.shape(node.inputs[0]), s.shape(node.inputs[1])];
  if (left.axis >= 0 && (from.length !== to.length || from.some((d, i) => d !== to[i]))) return 'its inputs have different shapes, and a scale for each channel';
  if (!s.fits(node.op, [left.q, right.q])) return 'its sum would need more than 32 bits';
  const [q] = s.emit(node.op, node.name, [left.q, right.q], [`${node.outputs[0]}_codes`]);
  const sign = node.op === 'Sub' ? -1 : 1;
  const value = applyAffine(affineValue(q, scaleOf(left), offsetOf(left)), one(1), { axis: right.axis, values: offsetOf(right).values.map((x) => x * sign) });
  s.represent(node.outputs[0], value!);
  return true;
}
