/**
 * Pad: a border of a constant around a tensor; negative widths cut. Integers are padded by a value that their type holds.
 * The modes edge, reflect and wrap are refused.
 */
import { dependenceOf } from './dependence.js';
import { float, int, sum, within } from '../ir/build.js';
import { describe, plainInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import { cycle, edgeSamples } from './edges.js';
import { copyFrom } from './movement.js';
import { elementType, intVector, normalizeAxis, rangeOf, type Range } from './operands.js';
import type { Inferred, NodeContext, OperatorRecord } from './record.js';

interface Border {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
  /** True where some element of the border is there. */
  readonly filled: boolean;
}

function borderOf(c: NodeContext): Border {
  const rank = c.input(0).shape.length;
  const pads = c.constant(1).data;
  const axes = c.inputs[3] ? Array.from(c.constant(3).data, (a) => normalizeAxis(c, a, rank)) : c.input(0).shape.map((_, d) => d);
  if (pads.length !== 2 * axes.length || new Set(axes).size !== axes.length) {
    fail('graph/shape', c.node.name, `${pads.length} pads for ${axes.length} axes, expected two for each, and each axis once`, 'Give all widths before, then all widths after.');
  }
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  axes.forEach((a, i) => [before[a], after[a]] = [pads[i], pads[i + axes.length]]);
  const value = c.inputs[2] ? c.constant(2).data[0] ?? 0 : 0;
  return { before, after, value, filled: [...before, ...after].some((p) => p > 0) };
}

function paddedShape(c: NodeContext): readonly number[] {
  const { before, after } = borderOf(c);
  const shape = c.input(0).shape.map((d, i) => d + before[i] + after[i]);
  if (shape.some((d) => d < 1)) fail('graph/shape', c.node.name, `the pads leave nothing of ${formatShape(c.input(0).shape)}: ${formatShape(shape)}`, 'Cut less.');
  return shape;
}

function paddedRange(c: NodeContext): Range {
  const [lo, hi] = rangeOf(c.input(0));
  const { value, filled } = borderOf(c);
  return filled ? [Math.min(lo, value), Math.max(hi, value)] : [lo, hi];
}

/** The annotation, where the border's value is one of its values. */
function keptAnnotation(c: NodeContext): DataType | undefined {
  const { annotation } = c.input(0);
  const { value, filled } = borderOf(c);
  if (!annotation || !filled) return annotation;
  const { min, max, step } = describe(annotation);
  const among = step === 0 ? annotation === 'float32' || value === 0 : value >= min && value <= max && Number.isInteger((value - min) / step);
  return among ? annotation : undefined;
}

function padded(c: NodeContext): Inferred {
  const x = c.input(0);
  const mode = c.text('mode');
  if (mode !== 'constant') fail('graph/unsupported', c.node.name, `Pad with mode "${mode}" is not supported`, 'Use the mode "constant".');
  const shape = paddedShape(c);
  const annotation = keptAnnotation(c);
  if (x.dtype === 'float32') return { shape, dtype: 'float32', annotation };
  const { value, filled } = borderOf(c);
  const dtype = filled ? plainInteger(x.dtype) : x.dtype;
  const { min, max } = describe(dtype);
  if (filled && !(Number.isInteger(value) && value >= min && value <= max)) {
    fail('graph/data-type', c.node.name, `"${x.name}" is ${x.dtype} and cannot be padded with ${value}`, `Pad with an integer from ${min} to ${max}.`);
  }
  return { shape, dtype, annotation, range: paddedRange(c) };
}

export const pad: OperatorRecord = {
  name: 'Pad',
  doc: 'A border of a constant around the input: pads are the widths before each axis, then those after; negative widths cut.',
  inputs: [{ name: 'data' }, { name: 'pads' }, { name: 'constant_value', optional: true }, { name: 'axes', optional: true }],
  outputs: ['output'],
  attributes: { mode: { type: 'string', doc: 'only constant is supported', default: 'constant', values: ['constant', 'edge', 'reflect', 'wrap'] } },
  infer: (c) => [padded(c)],
  reference(c, [x]) {
    const { before, value } = borderOf(c);
    const shape = paddedShape(c);
    const data = new Float64Array(elementCount(shape));
    for (let i = 0; i < data.length; i++) {
      let rest = i;
      let flat = 0;
      let stride = 1;
      let inside = true;
      for (let d = shape.length - 1; d >= 0; d--) {
        const from = (rest % shape[d]) - before[d];
        rest = Math.floor(rest / shape[d]);
        inside &&= from >= 0 && from < x!.shape[d];
        flat += from * stride;
        stride *= x!.shape[d];
      }
      data[i] = inside ? x!.data[flat] : value;
    }
    return [{ shape, data }];
  },
  integer: { maxBits: 32, range: paddedRange },
  lower(c) {
    const x = c.input(0);
    const { before, after, value } = borderOf(c);
    const otherwise = x.dtype === 'float32' ? float(value) : int(value, elementType(x));
    return copyFrom(c, (point) => {
      const at = point.map((index, d) => sum(index, -before[d]));
      const guard = at.flatMap((index, d) => (before[d] > 0 || after[d] > 0 ? [within(index, 0, x.shape[d])] : []));
      return { at, guard, otherwise };
    });
  },
  gradient(c, _outputs, [g], build) {
    // What was added is cut, what was cut gets zeros.
    const { before, after } = borderOf(c);
    const pads = build.constant(intVector([...before, ...after].map((p) => 0 - p)));
    return [build.node('Pad', [g, pads]), ...c.node.inputs.slice(1).map(() => undefined)];
  },
  moments: {
    label: 'exact',
    rule(c, [x], build) {
      const [, pads, value = '', axes = ''] = c.node.inputs;
      const mean = build.node('Pad', [x.mean, pads, value, axes], c.node.attributes);
      return x.variance === undefined ? { mean } : { mean, variance: build.node('Pad', [x.variance, pads, '', axes], c.node.attributes) };
    },
    dependence: dependenceOf((_c, to) => ({ meets: [], keeps: to.map((_, d) => [d]) })),
  },
  samples: [
    { name: 'images', inputs: [{ shape: [1, 2, 3, 4] }, { shape: [8], dtype: 'int32', constant: true, values: [0, 0, 1, 2, 0, 0, 1, 0] }], seed: 1, tolerance: 0 },
    { name: 'value and cut', inputs: [{ shape: [5, 6], values: cycle(30, [1, -2, 3, 0.25, 7]) }, { shape: [4], dtype: 'int32', constant: true, values: [-1, 2, 3, -2] }, { shape: [], constant: true, values: [0.5] }], seed: 2, tolerance: 0 },
    { name: 'cut', inputs: [{ shape: [5, 6] }, { shape: [4], dtype: 'int32', constant: true, values: [-1, 2, 3, -2] }], seed: 5, tolerance: 0 },
    { name: 'axes', inputs: [{ shape: [2, 3, 5], dtype: 'int4' }, { shape: [2], dtype: 'int32', constant: true, values: [1, 1] }, { shape: [], absent: true }, { shape: [1], dtype: 'int32', constant: true, values: [-1] }], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ inputs: [{ shape: [2, c], dtype: i % 2 ? 'int4' : 'float32' }, { shape: [4], dtype: 'int32', constant: true, values: [0, i % 3, 1, i % 5] }] })),
    { name: 'nothing', inputs: [{ shape: [3], dtype: 'uint8' }, { shape: [2], dtype: 'int32', constant: true, values: [0, 0] }], seed: 4, tolerance: 0 },
  ],
};
