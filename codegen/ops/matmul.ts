/** MatMul: matrix products over leading batch dimensions (numpy's matmul), for float32 and integers. */
import { matrixFlows } from './dependence.js';
import { add, axis, constant, load, mul, ref } from '../ir/build.js';
import { smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Index } from '../ir/program.js';
import { reduceTo } from './elementwise.js';
import {
  accumulatorRange, arithmeticOutput, elementType, given, intVector, kernelName, makeKernel, partialSums, productRange, rangeOf,
  strides, weight, weightSums, zero, type WeightSums,
} from './operands.js';
import { productMoments } from './productMoments.js';
import type { FragmentBuilder, NodeContext, OperatorRecord } from './record.js';

/** The parts of the two shapes: batch dimensions (broadcast), rows, inner length, columns. */
function parts(context: NodeContext) {
  const [a, b] = [context.input(0), context.input(1)];
  const refuse = (why: string): never =>
    fail(
      'graph/shape', context.node.name,
      `MatMul of ${a.name} ${formatShape(a.shape)} and ${b.name} ${formatShape(b.shape)}: ${why}`,
      'Give [.., M, K] and [.., K, N]; the leading dimensions broadcast.',
    );
  if (a.shape.length === 0 || b.shape.length === 0) refuse('a scalar has no inner dimension');
  const [aVector, bVector] = [a.shape.length === 1, b.shape.length === 1];
  const k = a.shape[a.shape.length - 1];
  const kB = bVector ? b.shape[0] : b.shape[b.shape.length - 2];
  if (k !== kB) refuse(`the inner dimensions ${k} and ${kB} differ`);
  const [aBatch, bBatch] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const rank = Math.max(aBatch.length, bBatch.length);
  const batch = Array.from({ length: rank }, (_, d) => {
    const x = aBatch[d - rank + aBatch.length] ?? 1;
    const y = bBatch[d - rank + bBatch.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) refuse(`the batch dimensions ${x} and ${y} do not broadcast`);
    return x === 1 ? y : x;
  });
  const m = aVector ? undefined : a.shape[a.shape.length - 2];
  const n = bVector ? undefined : b.shape[b.shape.length - 1];
  return { aBatch, bBatch, batch, m, k, n, shape: [...batch, ...(m === undefined ? [] : [m]), ...(n === undefined ? [] : [n])] };
}

/** Sums of the known weights of each output: of the second operand, else of the first. */
function knownSums(context: NodeContext): { sums?: WeightSums; swapped: boolean } {
  const [a, b] = [context.input(0), context.input(1)];
  if (b.constant) {
    const n = b.shape.length === 1 ? 1 : b.shape[b.shape.length - 1];
    const k = b.shape.length === 1 ? b.shape[0] : b.shape[b.shape.length - 2];
    const outputs = elementCount(b.shape) / k;
    return { sums: weightSums(b.constant.data, outputs, k, (o, j) => Math.floor(o / n) * k * n + j * n + (o % n)), swapped: false };
  }
  if (a.constant) {
    const k = a.shape[a.shape.length - 1];
    return { sums: weightSums(a.constant.data, elementCount(a.shape) / k, k, (o, j) => o * k + j), swapped: true };
  }
  return { swapped: false };
}

export const matmul: OperatorRecord = {
  name: 'MatMul',
  doc: 'Y[.., m, o] = sum over k of A[.., m, k] * B[.., k, o]; leading dimensions broadcast, a vector counts as one row or column.',
  inputs: [{ name: 'A' }, { name: 'B' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const { shape } = parts(context);
    return arithmeticOutput(context, [0, 1], shape, matmul);
  },
  reference(context, [a, b]) {
    const { aBatch, bBatch, batch, m = 1, k, n = 1, shape } = parts(context);
    const data = new Float64Array(elementCount(shape));
    const batchStrides = strides(batch);
    const offset = (own: readonly number[], matrix: number, at: number): number => {
      const ownStrides = strides(own);
      let position = 0;
      own.forEach((extent, d) => {
        const whole = d + batch.length - own.length;
        if (extent > 1) position += (Math.floor(at / batchStrides[whole]) % batch[whole]) * ownStrides[d];
      });
      return position * matrix;
    };
    for (let at = 0; at < elementCount(batch); at++) {
      const [aStart, bStart] = [offset(aBatch, m * k, at), offset(bBatch, k * n, at)];
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let total = 0;
          for (let j = 0; j < k; j++) total += a!.data[aStart + row * k + j] * b!.data[bStart + j * n + column];
          data[(at * m + row) * n + column] = total;
        }
      }
    }
    return [{ shape, data }];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [a, b] = [rangeOf(context.input(0)), rangeOf(context.input(1))];
      const { sums, swapped } = knownSums(context);
      return accumulatorRange(swapped ? b : a, swapped ? a : b, parts(context).k, sums);
    },
  },
  lower(context) {
    const [a, b, y] = [context.input(0), context.input(1), context.outputs[0]];
    const { aBatch, bBatch, batch, m, k, n } = parts(context);
    const batchAxes = batch.map((extent, d) => ({ name: `b${d}`, extent }));
    const space = [...batchAxes, ...(m === undefined ? [] : [{ name: 'm', extent: m }]), ...(n === undefined ? [] : [{ name: 'o', extent: n }])];
    const reduce = [{ name: 'k', extent: k }];
    const batchAt = (own: readonly number[]): Index[] =>
      own.map((extent, d) => (extent === 1 ? constant(0) : axis(batchAxes[d + batch.length - own.length].name)));
    const x = load(a.name, [...batchAt(aBatch), ...(m === undefined ? [] : ['m']), 'k']);
    const w = load(b.name, [...batchAt(bBatch), 'k', ...(n === undefined ? [] : ['o'])]);
    const type = elementType(y);
    const product = type === 'float32' ? type : smallestInteger(...productRange(rangeOf(a), rangeOf(b)));
    return [
      makeKernel({
        name: kernelName(context),
        op: 'dense',
        space,
        reduce,
        partials: partialSums(space, reduce, type, a.constant ? undefined : space[0]?.name),
        accumulators: [{ name: 'acc', type, init: zero(type), update: add(type, ref('acc'), mul(product, x, w)) }],
        stores: [{ tensor: y.name, at: space.map((s) => axis(s.name)), value: ref('acc') }],
      }),
    ];
  },
  gradient(context, _outputs, [dy], build) {
    const { m, k, n, aBatch, bBatch, batch } = parts(context);
    const [a, b] = [context.input(0), context.input(1)];
    // vectors become matrices, so that one rule serves all
    const asMatrix = (name: string, shape: readonly number[]): string =>
      formatShape(build.info(name).shape) === formatShape(shape) ? name : build.node('Reshape', [name, build.constant(intVector(shape))]);
    const left = asMatrix(a.name, [...aBatch, m ?? 1, k]);
    const right = asMatrix(b.name, [...bBatch, k, n ?? 1]);
    const cotangent = asMatrix(dy, [...batch, m ?? 1, n ?? 1]);
    const dLeft = reduceTo(build, build.node('MatMul', [cotangent, transposed(build, right)]), [...aBatch, m ?? 1, k]);
    const dRight = reduceTo(build, build.node('MatMul', [transposed(build, left), cotangent]), [...bBatch, k, n ?? 1]);
    return [asMatrix(dLeft, a.shape), asMatrix(dRight, b.shape)];
  },
  moments: {
    label: 'exact',
    rule: (_context, [a, b], build, form) => productMoments(build, form, a, b, (x, w) => build.node('MatMul', [x, w])),
    dependence: { flows: (context, to) => matrixFlows(context.input(0).shape, context.input(1).shape, to) },
  },
  samples: [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((o, i) => ({
      name: `columns ${o}`, inputs: [given([1 + 2 * (i % 2), 7 + i]), weight([7 + i, o])], seed: 300 + i, tolerance: 2e-6,
    })),
    { name: 'one output, partial sums', inputs: [given([1, 64]), weight([64, 1])], seed: 320, tolerance: 2e-6 },
    { name: 'three outputs, partial sums', inputs: [given([3, 20]), weight([20, 1])], seed: 321, tolerance: 2e-6 },
    { name: 'batched, shared weight', inputs: [given([2, 3, 5]), weight([5, 9])], seed: 322, tolerance: 2e-6 },
    { name: 'batched both', inputs: [given([2, 1, 3, 5]), given([4, 5, 6])], seed: 323, tolerance: 2e-6 },
    { name: 'row vector', inputs: [given([6]), weight([6, 4])], seed: 324, tolerance: 2e-6 },
    { name: 'column vector', inputs: [given([3, 6]), weight([6])], seed: 325, tolerance: 2e-6 },
    { name: 'two vectors', inputs: [given([19]), given([19])], seed: 326, tolerance: 2e-6 },
    { name: 'constant on the left', inputs: [weight([8, 8]), given([3, 8, 5])], seed: 327, tolerance: 2e-6 },
    { name: 'int8 and int8', inputs: [given([3, 33], { dtype: 'int8' }), weight([33, 17], { dtype: 'int8' })], seed: 330, tolerance: 0 },
    { name: 'uint8 and int4', inputs: [given([1, 20], { dtype: 'uint8' }), weight([20, 16], { dtype: 'int4' })], seed: 331, tolerance: 0 },
    { name: 'int2 and int2', inputs: [given([3, 64], { dtype: 'int2' }), weight([64, 10], { dtype: 'int2' })], seed: 332, tolerance: 0 },
    { name: 'bipolar weights', inputs: [given([2, 15], { dtype: 'uint2' }), weight([15, 9], { dtype: 'int2', range: [-1, 1] })], seed: 333, tolerance: 0 },
    { name: 'int8 both at run time', inputs: [given([2, 9], { dtype: 'int8' }), given([9, 5], { dtype: 'int8' })], seed: 334, tolerance: 0 },
    { name: 'uint8 of a narrower range', inputs: [given([3, 12], { dtype: 'uint8', range: [5, 17] }), weight([12, 9], { dtype: 'int4' })], seed: 336, tolerance: 0 },
    { name: 'int12 and int8', inputs: [given([2, 16], { dtype: 'int12' }), weight([16, 8], { dtype: 'int8' })], seed: 335, tolerance: 0 },
  ],
};

/** The last two dimensions exchanged. */
function transposed(build: FragmentBuilder, value: string): string {
  const rank = build.info(value).shape.length;
  const perm = Array.from({ length: rank }, (_, d) => (d < rank - 2 ? d : 2 * rank - 3 - d));
  return build.node('Transpose', [value], { perm });
}
