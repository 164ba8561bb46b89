/**
 * `streamline`'s rules for what changes or moves elements: constants added and multiplied, activations, batch
 * normalization, movement, choice. Most only change how a value follows from its integers; no node is made.
 */
import type { Constant, Node } from '../ir/graph.js';
import { operator } from '../ops/index.js';
import { normalizeAxis } from '../ops/operands.js';
import type { NdArray } from '../ops/record.js';
import { affineValue, alongAxis, applyAffine, applyClamp, applyLeaky, isAffine, normalizationFactors, offsetOf, one, rechannel, scaleOf, single, type Channelled, type IntegerValue } from './integerValue.js';
import type { Rewrite } from './rewrite.js';
import { addIntegers } from './streamlineLayers.js';

const sameScale = 'its constant varies along another dimension than the scales of its input';

/** Add, Sub, Mul, Div with one operand that is constant. */
export function arithmetic(s: Rewrite, node: Node): true | string {
  const [a, b] = node.inputs;
  if (s.integer(a) && s.integer(b)) return node.op === 'Add' || node.op === 'Sub' ? addIntegers(s, node) : `${node.op} of two computed values has no integer form`;
  const [x, name] = s.integer(a) ? [a, b] : [b, a];
  const constant = s.constant(name);
  if (!constant) return `its input "${name}" is not quantized`;
  const k = alongAxis(constant, s.shape(x));
  if (!k) return `its constant "${name}" varies along more than one dimension`;
  const map = (f: (value: number) => number): Channelled => ({ axis: k.axis, values: k.values.map(f) });
  const v = s.integer(x)!;
  const isFirst = x === a;
  let result: IntegerValue | undefined;
  if (node.op === 'Add') result = applyAffine(v, one(1), k);
  else if (node.op === 'Sub') result = isFirst ? applyAffine(v, one(1), map((y) => -y)) : applyAffine(v, one(-1), k);
  else if (node.op === 'Mul') result = applyAffine(v, k, one(0));
  else if (isFirst) result = applyAffine(v, map((y) => 1 / y), one(0));
  else return 'it divides a constant by a computed value';
  return commit(s, node, x, result);
}

function commit(s: Rewrite, node: Node, x: string, result: IntegerValue | undefined): true | string {
  if (!result) return sameScale;
  if (!result.pieces.every((p) => p.scale.every(Number.isFinite) && p.offset.every(Number.isFinite))) return 'its constant is not finite';
  s.represent(node.outputs[0], result, x);
  return true;
}

/** Inference: scale * (x - mean) / sqrt(variance + epsilon) + bias. */
export function batchNormalization(s: Rewrite, node: Node): true | string {
  const constants = node.inputs.slice(1).map((name) => s.constant(name));
  const missing = constants.findIndex((c) => !c);
  if (missing >= 0) return `its parameter "${node.inputs[missing + 1]}" is computed at run time`;
  const { factor, addend } = normalizationFactors(constants as Constant[], s.context(node).float('epsilon'));
  const axis = s.shape(node.inputs[0]).length > 1 ? 1 : 0;
  return commit(s, node, node.inputs[0], applyAffine(s.integer(node.inputs[0])!, { axis, values: factor }, { axis, values: addend }));
}

/** Relu and Clip: bounds. LeakyRelu: a second piece. */
export function activation(s: Rewrite, node: Node): true | string {
  const [x] = node.inputs;
  const v = s.integer(x)!;
  const range = s.range(v.q);
  if (node.op === 'LeakyRelu') {
    const result = applyLeaky(v, Math.fround(s.context(node).float('alpha')));
    if (!result) return 'its slope is negative, or follows another of the other kind';
    s.represent(node.outputs[0], result, x);
    return true;
  }
  let [low, high] = [0, Infinity];
  if (node.op === 'Clip') {
    const bounds = [1, 2].map((i) => {
      const name = node.inputs[i] ?? '';
      return name === '' ? [-Infinity, Infinity][i - 1] : s.constant(name)?.data[0];
    });
    if (bounds.includes(undefined)) return 'its bounds are computed at run time';
    [low, high] = bounds as [number, number];
  }
  s.represent(node.outputs[0], applyClamp(v, low, high, range), x);
  return true;
}

export function pass(s: Rewrite, node: Node): true | string {
  if (node.outputs.slice(1).some((name) => name !== '')) return 'its second output is used';
  s.represent(node.outputs[0], s.integer(node.inputs[0])!, node.inputs[0]);
  return true;
}

/** Operators that rearrange the elements of their first input, by parameters that are constant. */
export function movement(s: Rewrite, node: Node): true | string {
  const [x, ...rest] = node.inputs;
  const v = s.integer(x)!;
  const parameters = rest.map((name) => (name === '' ? undefined : s.constant(name)));
  if (parameters.some((c, i) => !c && rest[i] !== '')) return 'one of its parameters is computed at run time';
  let moved: IntegerValue | undefined = { ...v, source: undefined };
  if (v.axis >= 0) {
    const record = operator(node.op, node.name);
    const arrays = parameters.map((c) => c && { shape: c.shape, data: Float64Array.from(c.data) });
    const [channels] = record.reference(s.context(node), [channelNumbers(s.shape(x), v.axis), ...arrays]);
    const from = alongAxis(channels, channels.shape);
    const isSame = from?.values.length === v.low.length && from.values.every((c, i) => c === i);
    moved = from && { ...rechannel(v, Int32Array.from(from.values)), axis: from.axis, source: isSame ? v.source : undefined };
  }
  if (!moved) return 'its output mixes channels that have different scales';
  const [q] = s.emit(node.op, node.name, [v.q, ...rest.map((name) => (name === '' ? '' : s.plain(name)))], [`${node.outputs[0]}_codes`], node.attributes);
  s.represent(node.outputs[0], { ...moved, q }, x);
  return true;
}

/** At every element of a shape, its coordinate along `axis`. */
function channelNumbers(shape: readonly number[], axis: number): NdArray {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const count = inner * shape.slice(0, axis + 1).reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: count }, (_, i) => Math.floor(i / inner) % shape[axis]) };
}

/** Pad with zeros, which must be the integer 0. */
export function pad(s: Rewrite, node: Node): true | string {
  const [x, pads, fill, axes] = node.inputs;
  const v = s.integer(x)!;
  if (s.context(node).text('mode') !== 'constant') return `it pads by "${s.context(node).text('mode')}"`;
  if (fill && s.constant(fill)?.data[0] !== 0) return 'it pads with another value than 0';
  const isZero = v.pieces.every((p) => p.offset.every((c) => c === 0)) && v.low.every((l) => l <= 0) && v.high.every((h) => h >= 0);
  if (!isZero) return 'the integer 0 does not stand for 0 in its input';
  const inputs = [s.plain(pads), ...(axes ? ['', s.plain(axes)] : [])];
  const [q] = s.emit('Pad', node.name, [v.q, ...inputs], [`${node.outputs[0]}_codes`], node.attributes);
  s.represent(node.outputs[0], { ...v, q, source: undefined });
  return true;
}

/** Concat: equal scales stay one scale; others become one for each channel along the axis. */
export function concat(s: Rewrite, node: Node): true | string {
  const parts = node.inputs.map((name) => s.integer(name));
  const missing = parts.findIndex((v) => !v);
  if (missing >= 0) return `its input "${node.inputs[missing]}" is not quantized`;
  const context = s.context(node);
  const axis = normalizeAxis(context, context.int('axis'), s.shape(node.inputs[0]).length);
  const values = parts as IntegerValue[];
  if (!values.every(isAffine)) return 'an activation lies between one of its inputs and the integers';
  const odd = values.find((v) => v.axis >= 0 && v.axis !== axis);
  if (odd) return 'one of its inputs has a scale for each channel of another dimension';
  const gather = (of: (v: IntegerValue) => Channelled): Channelled => {
    const all = values.map((v, i) => {
      const { values: own } = of(v);
      return own.length === 1 ? new Float64Array(s.shape(node.inputs[i])[axis]).fill(own[0]) : own;
    });
    const joined = { axis, values: Float64Array.from(all.flatMap((a) => [...a])) };
    const same = single(joined);
    return same === undefined ? joined : one(same);
  };
  const [q] = s.emit('Concat', node.name, values.map((v) => v.q), [`${node.outputs[0]}_codes`], node.attributes);
  s.represent(node.outputs[0], affineValue(q, gather(scaleOf), gather(offsetOf)));
  return true;
}

/** ArgMax and TopK: the order of values is the order of their integers. */
export function choose(s: Rewrite, node: Node): true | string {
  const [x, ...rest] = node.inputs;
  const v = s.integer(x)!;
  const scale = single(scaleOf(v));
  const offset = single(offsetOf(v));
  if (!isAffine(v) || scale === undefined || offset === undefined || scale <= 0) return 'the order of its input is not that of the integers';
  const record = operator(node.op, node.name);
  const indices = record.name === 'TopK' ? 1 : 0;
  const outputs = node.outputs.map((name, i) => (i === indices ? name : name === '' ? '' : `${name}_codes`));
  s.emitAs(node, [v.q, ...rest.map((name) => s.plain(name))], outputs);
  if (indices === 1 && node.outputs[0] !== '') s.represent(node.outputs[0], affineValue(outputs[0], one(scale), one(offset)));
  return true;
}
