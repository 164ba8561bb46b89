/** Gemm: alpha * A' * B' + beta * C, the dense layer, for float32 and (alpha = beta = 1) integers. */
import { matrixFlows } from './dependence.js';
import { add, axis, float, load, mul, ref } from '../ir/build.js';
import { smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import { broadcastCoordinates, broadcastTo, reduceTo } from './elementwise.js';
import { productMoments } from './productMoments.js';
import {
  accumulatorRange, elementType, floatOutput, given, integerOutput, kernelName, makeKernel, operandKind, partialSums, productRange,
  rangeOf, sumRange, weight, weightSums, zero, type Range,
} from './operands.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';

function parts(context: NodeContext) {
  const [a, b, c] = [context.input(0), context.input(1), context.inputs[2]];
  const [transA, transB] = [context.int('transA') !== 0, context.int('transB') !== 0];
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    fail(
      'graph/shape', context.node.name,
      `Gemm takes matrices, and ${a.name} is ${formatShape(a.shape)} and ${b.name} ${formatShape(b.shape)}`,
      'Put a Flatten or a Reshape in front of it.',
    );
  }
  const [n, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [kB, o] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (k !== kB) {
    fail(
      'graph/shape', context.node.name,
      `Gemm of ${a.name} ${formatShape(a.shape)}${transA ? ' transposed' : ''} and ${b.name} ${formatShape(b.shape)}${transB ? ' transposed' : ''}: the inner dimensions ${k} and ${kB} differ`,
      'Give [N, K] and [K, O], or set transA or transB.',
    );
  }
  if (c) {
    const whole = [n, o];
    const skip = 2 - c.shape.length;
    if (skip < 0 || c.shape.some((extent, d) => extent !== 1 && extent !== whole[d + skip])) {
      fail('graph/shape', context.node.name, `${c.name} ${formatShape(c.shape)} does not broadcast to the result, [${n}, ${o}]`, `Give a bias of shape [${o}].`);
    }
  }
  return { a, b, c, n, k, o, transA, transB, alpha: context.float('alpha'), beta: context.float('beta') };
}

/** Range of the sum over k, before the bias. */
function accumulated(context: NodeContext): Range {
  const { a, b, k, o, transB } = parts(context);
  const sums = b.constant && weightSums(b.constant.data, o, k, (i, j) => (transB ? i * k + j : j * o + i));
  return accumulatorRange(rangeOf(a), rangeOf(b), k, sums);
}

export const gemm: OperatorRecord = {
  name: 'Gemm',
  doc: "Y[n, o] = alpha * sum over k of A'[n, k] * B'[k, o] + beta * C, where ' transposes if transA or transB is set; C broadcasts to [N, O].",
  inputs: [{ name: 'A' }, { name: 'B' }, { name: 'C', optional: true }],
  outputs: ['Y'],
  attributes: {
    alpha: { type: 'float', doc: 'Factor of the product.', default: 1 },
    beta: { type: 'float', doc: 'Factor of C.', default: 1 },
    transA: { type: 'int', doc: 'A is given as [K, N].', default: 0 },
    transB: { type: 'int', doc: 'B is given as [O, K].', default: 0 },
  },
  infer(context) {
    const { n, o, alpha, beta, c } = parts(context);
    if (operandKind(context, [0, 1, 2]) === 'float') return [floatOutput([n, o])];
    if (alpha !== 1 || (c && beta !== 1)) {
      fail('graph/unsupported', context.node.name, `Gemm of integers has alpha ${alpha} and beta ${beta}`, 'With integer operands both must be 1: put the factors into the scales.');
    }
    return [integerOutput(context, [n, o], gemm.integer!.range(context))];
  },
  reference(context, [a, b, c]) {
    const { n, k, o, transA, transB, alpha, beta } = parts(context);
    const data = new Float64Array(n * o);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < o; j++) {
        let total = 0;
        for (let l = 0; l < k; l++) total += a!.data[transA ? l * n + i : i * k + l] * b!.data[transB ? j * k + l : l * o + j];
        total *= alpha;
        if (c) {
          const [rows, columns] = [c.shape.length === 2 ? c.shape[0] : 1, c.shape.length === 0 ? 1 : c.shape[c.shape.length - 1]];
          total += beta * c.data[(rows === 1 ? 0 : i * columns) + (columns === 1 ? 0 : j)];
        }
        data[i * o + j] = total;
      }
    }
    return [{ shape: [n, o], data }];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const sum = accumulated(context);
      return context.inputs[2] ? sumRange(sum, rangeOf(context.inputs[2])) : sum;
    },
  },
  lower(context) {
    const { a, b, c, n, k, o, transA, transB, alpha, beta } = parts(context);
    const y = context.outputs[0];
    const space = [{ name: 'n', extent: n }, { name: 'o', extent: o }];
    const reduce = [{ name: 'k', extent: k }];
    const type = elementType(y);
    const isFloat = type === 'float32';
    const sumType = isFloat ? type : smallestInteger(...accumulated(context));
    const product = isFloat ? type : smallestInteger(...productRange(rangeOf(a), rangeOf(b)));
    const x = load(a.name, transA ? ['k', 'n'] : ['n', 'k']);
    const w = load(b.name, transB ? ['o', 'k'] : ['k', 'o']);
    let value = ref('acc');
    if (alpha !== 1) value = mul(type, value, float(alpha));
    if (c) {
      const bias = load(c.name, broadcastCoordinates(c.shape, space));
      value = add(type, value, beta === 1 ? bias : mul(type, bias, float(beta)));
    }
    return [
      makeKernel({
        name: kernelName(context),
        op: 'dense',
        space,
        reduce,
        partials: partialSums(space, reduce, sumType, transA ? undefined : 'n'),
        accumulators: [{ name: 'acc', type: sumType, init: zero(sumType), update: add(sumType, ref('acc'), mul(product, x, w)) }],
        stores: [{ tensor: y.name, at: [axis('n'), axis('o')], value }],
      }),
    ];
  },
  gradient(context, _outputs, [dy], build) {
    const { a, b, c, transA, transB, alpha, beta } = parts(context);
    const product = (left: string, right: string, tA: boolean, tB: boolean): string =>
      build.node('Gemm', [left, right], { alpha, transA: Number(tA), transB: Number(tB) });
    const dA = transA ? product(b.name, dy, transB, true) : product(dy, b.name, false, !transB);
    const dB = transB ? product(dy, a.name, true, transA) : product(a.name, dy, !transA, false);
    const scaled = beta === 1 ? dy : build.node('Mul', [dy, build.scalar(beta)]);
    return [dA, dB, c && reduceTo(build, scaled, c.shape)];
  },
  moments: {
    label: 'exact',
    rule(context, [a, b, c], build, form) {
      const { alpha, beta, transA, transB } = parts(context);
      const attributes = { transA: Number(transA), transB: Number(transB) };
      const { mean, variance } = productMoments(
        build, form, a, b,
        (x, w) => build.node('Gemm', c ? [x, w, c.mean] : [x, w], { ...attributes, alpha, beta }),
        (x, w) => build.node('Gemm', [x, w], { ...attributes, alpha: alpha * alpha }),
      );
      if (c?.variance === undefined) return { mean, variance };
      const bias = beta === 1 ? c.variance : build.node('Mul', [c.variance, build.scalar(beta * beta)]);
      return { mean, variance: variance === undefined ? broadcastTo(build, bias, build.info(mean).shape) : build.node('Add', [variance, bias]) };
    },
    dependence: {
      flows(context, to) {
        const { transA, transB } = parts(context);
        return matrixFlows(context.input(0).shape, context.input(1).shape, to, { transA, transB });
      },
    },
  },
  samples: gemmSamples(),
};

function gemmSamples(): Sample[] {
  const tolerance = 2e-6;
  return [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((o, i) => ({
      name: `outputs ${o}`, attributes: { transB: 1 }, inputs: [given([1 + 2 * (i % 2), 6 + i]), weight([o, 6 + i]), weight([o])], seed: 400 + i, tolerance,
    })),
    { name: 'no bias', inputs: [given([3, 9]), weight([9, 5])], seed: 420, tolerance },
    { name: 'transA', attributes: { transA: 1 }, inputs: [given([9, 3]), weight([9, 5]), weight([3, 1])], seed: 421, tolerance },
    { name: 'both transposed', attributes: { transA: 1, transB: 1 }, inputs: [given([9, 3]), weight([5, 9]), weight([3, 5])], seed: 422, tolerance },
    { name: 'alpha and beta', attributes: { alpha: 0.3, beta: -1.7 }, inputs: [given([2, 9]), weight([9, 8]), weight([])], seed: 423, tolerance },
    { name: 'one output, partial sums', attributes: { transB: 1 }, inputs: [given([1, 48]), weight([1, 48]), weight([1])], seed: 424, tolerance },
    { name: 'weights at run time', inputs: [given([3, 4]), given([4, 5]), given([1, 5])], seed: 425, tolerance },
    { name: 'int8', attributes: { transB: 1 }, inputs: [given([3, 33], { dtype: 'int8' }), weight([17, 33], { dtype: 'int8' }), weight([17], { dtype: 'int16' })], seed: 430, tolerance: 0 },
    { name: 'uint4 and int4', inputs: [given([1, 20], { dtype: 'uint4' }), weight([20, 16], { dtype: 'int4' }), weight([16], { dtype: 'int8' })], seed: 431, tolerance: 0 },
    { name: 'uint2 and int2', inputs: [given([3, 15], { dtype: 'uint2' }), weight([15, 9], { dtype: 'int2' })], seed: 432, tolerance: 0 },
    { name: 'int16 and int8', inputs: [given([2, 8], { dtype: 'int16' }), weight([8, 5], { dtype: 'int8' }), weight([5], { dtype: 'int20' })], seed: 433, tolerance: 0 },
  ];
}
