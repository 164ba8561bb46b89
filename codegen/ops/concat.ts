/**
 * Concat: tensors one after the other along an axis. Integers of different types become the narrowest type that holds all
 * of them; float32 and integers do not mix.
 */
import { convert, load, sum } from '../ir/build.js';
import { isInteger, smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import { edgeSamples } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { elementType, filled, intVector, kernelName, makeKernel, normalizeAxis, rangeOf, type Range } from './operands.js';
import type { Inferred, NodeContext, OperatorRecord, ValueInfo } from './record.js';

const partsOf = (c: NodeContext): readonly ValueInfo[] => c.inputs.map((_, i) => c.input(i));

function axisOf(c: NodeContext): number {
  return normalizeAxis(c, c.int('axis'), c.input(0).shape.length);
}

function joinedShape(c: NodeContext): readonly number[] {
  const along = axisOf(c);
  const parts = partsOf(c);
  const first = parts[0];
  for (const p of parts) {
    if (p.shape.length !== first.shape.length || p.shape.some((d, i) => i !== along && d !== first.shape[i])) {
      fail('graph/shape', c.node.name, `"${p.name}" ${formatShape(p.shape)} does not fit "${first.name}" ${formatShape(first.shape)}: all dimensions but ${along} must be equal`, 'Give parts of equal shape outside the axis.');
    }
  }
  return first.shape.map((d, i) => (i === along ? parts.reduce((n, p) => n + p.shape[along], 0) : d));
}

function joinedRange(c: NodeContext): Range {
  const ranges = partsOf(c).map(rangeOf);
  return [Math.min(...ranges.map((r) => r[0])), Math.max(...ranges.map((r) => r[1]))];
}

function joined(c: NodeContext): Inferred {
  const parts = partsOf(c);
  const shape = joinedShape(c);
  const { dtype, annotation } = parts[0];
  const same = parts.every((p) => p.annotation === annotation) ? { annotation } : {};
  const odd = parts.find((p) => (p.dtype === 'float32') !== (dtype === 'float32') || (p.dtype !== dtype && !isInteger(p.dtype)));
  if (odd) {
    fail('graph/data-type', c.node.name, `Concat takes parts of one kind, and "${parts[0].name}" is ${dtype} while "${odd.name}" is ${odd.dtype}`, 'There is no implicit conversion: quantize or dequantize one of them.');
  }
  if (dtype === 'float32') return { shape, dtype, ...same };
  const range = joinedRange(c);
  return { shape, dtype: parts.every((p) => p.dtype === dtype) ? dtype : smallestInteger(...range), range, ...same };
}

export const concat: OperatorRecord = {
  name: 'Concat',
  doc: 'The inputs one after the other along axis; all other dimensions are equal.',
  inputs: [{ name: 'inputs', variadic: true }],
  outputs: ['concat_result'],
  attributes: { axis: { type: 'int', doc: 'the dimension along which; negative counts from the end', required: true } },
  infer: (c) => [joined(c)],
  reference(c, inputs) {
    const shape = joinedShape(c);
    const along = axisOf(c);
    const data = new Float64Array(elementCount(shape));
    const outer = elementCount(shape.slice(0, along));
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const part of inputs) {
        const run = part!.data.length / outer;
        data.set(part!.data.subarray(o * run, (o + 1) * run), at);
        at += run;
      }
    }
    return [{ shape, data }];
  },
  integer: { maxBits: 32, range: joinedRange },
  lower(c) {
    const out = c.outputs[0];
    const along = axisOf(c);
    let start = 0;
    return partsOf(c).map((part, i) => {
      const space = spaceAxes(part.shape);
      const point = pointOf(space);
      const from = load(part.name, point);
      const value = elementType(part) === elementType(out) ? from : convert(elementType(out), from, false);
      const at = point.map((index, d) => (d === along ? sum(index, start) : index));
      start += part.shape[along];
      return makeKernel({ name: kernelName(c, String(i)), op: 'copy', space, stores: [{ tensor: out.name, at, value }] });
    });
  },
  gradient(c, _outputs, [g], build) {
    const along = axisOf(c);
    let start = 0;
    return partsOf(c).map((part) => {
      const end = start + part.shape[along];
      const slice = build.node('Slice', [g, ...[start, end, along].map((v) => build.constant(intVector([v])))]);
      start = end;
      return slice;
    });
  },
  moments: {
    label: 'exact',
    rule(c, parts, build) {
      const join = (values: readonly string[]): string => build.node('Concat', values, c.node.attributes);
      const mean = join(parts.map((p) => p.mean));
      if (parts.every((p) => p.variance === undefined)) return { mean };
      return { mean, variance: join(parts.map((p, i) => p.variance ?? build.constant(filled(c.input(i).shape, 0)))) };
    },
    dependence: { apart: true, flows: (c, to) => c.inputs.map(() => ({ meets: [], keeps: to.map((_, d) => [d]) })) },
  },
  samples: [
    { name: 'channels', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 4, 4] }, { shape: [2, 5, 4, 4] }], seed: 1, tolerance: 0 },
    { name: 'last axis, three parts', attributes: { axis: -1 }, inputs: [{ shape: [3, 1] }, { shape: [3, 7] }, { shape: [3, 2], constant: true }], seed: 2, tolerance: 0 },
    { name: 'integers of different types', attributes: { axis: 0 }, inputs: [{ shape: [2, 5], dtype: 'uint8' }, { shape: [3, 5], dtype: 'int4' }], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ attributes: { axis: 1 }, inputs: [{ shape: [2, c], dtype: i % 2 ? 'uint4' : 'float32' }, { shape: [2, 3], dtype: i % 2 ? 'uint4' : 'float32' }] })),
    { name: 'one part', attributes: { axis: 0 }, inputs: [{ shape: [9], dtype: 'int4' }], seed: 4, tolerance: 0 },
  ],
};
