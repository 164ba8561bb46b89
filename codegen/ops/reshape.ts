/**
 * Reshape: the same elements in row-major order, under another shape. Also what Flatten, Squeeze and Unsqueeze share with
 * it, since they differ only in how they find the shape.
 */
import { viewDependence } from './dependence.js';
import { constant, div, rem, sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Index, Kernel } from '../ir/program.js';
import { edgeSamples } from './edges.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import { intVector, strides } from './operands.js';
import type { LowerContext, NdArray, NodeContext, OperatorRecord } from './record.js';

/** The copy of input 0 into the shape of output 0. */
export function reshapeKernels(c: LowerContext): readonly Kernel[] {
  return copyFrom(c, (point) => ({ at: reshapeCoordinates(c.input(0).shape, c.outputs[0].shape, point) }));
}

/**
 * Coordinates in `from` of the element that has coordinates `at` in `to`. The two shapes are cut into the smallest runs of
 * dimensions with equal products, so that dimensions that both have stay plain axes.
 */
export function reshapeCoordinates(from: readonly number[], to: readonly number[], at: readonly Index[]): readonly Index[] {
  const result: Index[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const [i0, j0] = [i, j];
    let [p, q] = [i < from.length ? from[i++] : 1, j < to.length ? to[j++] : 1];
    while (p !== q) {
      if (p < q) p *= from[i++];
      else q *= to[j++];
    }
    const inner = from.slice(i0, i);
    const steps = strides(to.slice(j0, j));
    const flat = sum(...at.slice(j0, j).map((a, d) => times(a, to[j0 + d] === 1 ? 0 : steps[d])));
    let stride = p;
    inner.forEach((extent, d) => {
      stride /= extent;
      if (extent === 1) return result.push(constant(0));
      const quotient = div(flat, stride);
      return result.push(inner.slice(0, d).every((e) => e === 1) ? quotient : rem(quotient, extent));
    });
  }
  return result;
}

/** The cotangent of input 0: the output's, in the input's shape. */
export const reshapeGradient: NonNullable<OperatorRecord['gradient']> = (c, _outputs, [g], build) => [
  build.node('Reshape', [g, build.constant(intVector(c.input(0).shape))]),
  ...c.node.inputs.slice(1).map(() => undefined),
];

/** The same data under a shape. */
export function reshaped(x: NdArray, shape: readonly number[]): NdArray {
  return { shape, data: Float64Array.from(x.data) };
}

/** The shape that input 1 asks for: 0 keeps the input's dimension (unless allowzero), one -1 takes what is left. */
function targetShape(c: NodeContext): readonly number[] {
  const x = c.input(0);
  const wanted = Array.from(c.constant(1).data);
  const allowZero = c.int('allowzero') === 1;
  const at = c.node.name;
  const shape = wanted.map((d, i) => {
    if (d !== 0 || allowZero) return d;
    if (i >= x.shape.length) fail('graph/shape', at, `dimension ${i} of the shape ${formatShape(wanted)} is 0 (keep), but the input ${formatShape(x.shape)} has no such dimension`);
    return x.shape[i];
  });
  const free = shape.indexOf(-1);
  if (shape.some((d, i) => d < -1 || (d === -1 && i !== free))) {
    fail('graph/shape', at, `the shape ${formatShape(wanted)} is not one: dimensions are at least 0, and at most one is -1`);
  }
  const count = elementCount(x.shape);
  if (free >= 0) {
    const rest = shape.reduce((a, b, i) => (i === free ? a : a * b), 1);
    if (rest > 0 && count % rest === 0) shape[free] = count / rest;
  }
  if (shape.includes(-1) || elementCount(shape) !== count) {
    fail(
      'graph/shape',
      at,
      `${count} elements ${formatShape(x.shape)} do not fit the shape ${formatShape(wanted)}`,
      'A shape constant that names the batch fits that batch only: write 0 or -1 there, or compile for that batch.',
    );
  }
  return shape;
}

export const reshape: OperatorRecord = {
  name: 'Reshape',
  doc: 'The same elements in row-major order, under the shape that is given; 0 keeps a dimension, -1 takes what is left.',
  inputs: [{ name: 'data' }, { name: 'shape' }],
  outputs: ['reshaped'],
  attributes: {
    allowzero: { type: 'int', doc: '1: a 0 in the shape is a dimension of 0, not a dimension that is kept', default: 0, values: [0, 1] },
  },
  infer: (c) => [moved(c.input(0), targetShape(c))],
  reference: (c, [x]) => [reshaped(x!, targetShape(c))],
  integer: movesIntegers,
  lower: reshapeKernels,
  gradient: reshapeGradient,
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'to matrix', inputs: [{ shape: [2, 3, 4, 5] }, { shape: [2], dtype: 'int32', constant: true, values: [0, -1] }], seed: 1, tolerance: 0 },
    { name: 'across dimensions', inputs: [{ shape: [4, 6] }, { shape: [3], dtype: 'int32', constant: true, values: [3, 2, 4] }], seed: 2, tolerance: 0 },
    { name: 'ones', inputs: [{ shape: [1, 17, 1] }, { shape: [4], dtype: 'int32', constant: true, values: [1, 1, 17, 1] }], seed: 3, tolerance: 0 },
    { name: 'int4', inputs: [{ shape: [2, 9], dtype: 'int4' }, { shape: [3], dtype: 'int32', constant: true, values: [3, 2, -1] }], seed: 4, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ inputs: [{ shape: [2, c, 3], dtype: i % 2 ? 'uint4' : 'float32' }, { shape: [2], dtype: 'int32', constant: true, values: [3, -1] }] })),
    { name: 'to scalar', inputs: [{ shape: [1, 1] }, { shape: [0], dtype: 'int32', constant: true, values: [] }], seed: 5, tolerance: 0 },
  ],
};
