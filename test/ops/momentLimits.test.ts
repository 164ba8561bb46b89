/**
 * Rules of moments at known values and at their limits: no variance, far tails, equal inputs, huge and tiny numbers, and float32
 * cases where the naive forms cancel.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../support/random.js';
import { byInterpreter, byReference, momentGraph, type Given } from './momentGraphs.js';

const near = (found: ArrayLike<number>, expected: readonly number[], relative: number): void =>
  expected.forEach((y, e) => assert.ok(Math.abs(found[e] - y) <= relative * Math.abs(y), `element ${e} is ${found[e]}, expected ${y}`));

test('dense: known values', () => {
  const given = [
    { shape: [1, 3], random: true, mean: [0.5, -1, 2], variance: [0.1, 0.2, 0.05] },
    { shape: [2, 3], random: true, mean: [1, -0.5, 0.25, 0, 2, -1], variance: [0.01, 0.04, 0.09, 0.25, 0.01, 0.16] },
    { shape: [2], random: true, mean: [0.1, -0.2], variance: [0.02, 0.03] },
  ];
  const both = byReference(momentGraph('Gemm', given, { transB: 1 }));
  near(both.mean, [1.6, -4.2], 1e-6);
  near(both.variance!, [0.589125, 1.6275], 1e-6);
  const first = byReference(momentGraph('Gemm', [{ ...given[0], random: false }, given[1], given[2]], { transB: 1 }));
  near(first.variance!, [0.4225, 0.7425], 1e-6);
});

test('relu: known values, by reference and in float32', () => {
  const m = momentGraph('Relu', [{ shape: [5], random: true, mean: [0, 1, -1, -3, 0.5], variance: [1, 1, 1, 1, 4] }]);
  const expected = { mean: [0.3989423, 1.083315, 0.08331547, 3.821543e-4, 1.072689], variance: [0.3408451, 0.7510878, 0.06839832, 2.03289e-4, 1.780507] };
  near(byReference(m).mean, expected.mean, 1e-6);
  near(byReference(m).variance!, expected.variance, 1e-6);
  near(byInterpreter(m).mean, expected.mean, 1e-5);
  near(byInterpreter(m).variance, expected.variance, 5e-5);
});

test('relu: limits give no NaN, no negative variance, and the deterministic answer', () => {
  const mean = [0, 1, -1, 3e38, -3e38, 40, -40, 1e-30];
  const still = byInterpreter(momentGraph('Relu', [{ shape: [8], random: true, mean, variance: mean.map(() => 0) }]));
  assert.equal([...still.mean], mean.map((m) => Math.fround(Math.max(m, 0))));
  assert.equal([...still.variance], mean.map(() => 0));
  const random = new Random(7);
  const means = Array.from({ length: 2000 }, () => random.float(-1, 1) * 10 ** random.integer(-30, 30));
  const variances = means.map(() => random.next() * 10 ** random.integer(-35, 35));
  const wild = byInterpreter(momentGraph('Relu', [{ shape: [2000], random: true, mean: means, variance: variances }]));
  wild.mean.forEach((v, e) => assert.ok(v >= 0 && Number.isFinite(v), `mean ${v} of N(${means[e]}, ${variances[e]})`));
  wild.variance.forEach((v, e) => assert.ok(v >= 0 && v <= Math.fround(variances[e]) * 1.000001, `variance ${v} of N(${means[e]}, ${variances[e]})`));
});

test('float32: where raw moments cancel, these do not', () => {
  const dense = byInterpreter(momentGraph('MatMul', [{ shape: [1, 1], random: true, mean: [10], variance: [1e-4] }, { shape: [1, 1], random: true, mean: [1], variance: [1e-6] }]));
  near(dense.variance, [2.000001e-4], 1e-6);
  const relu = byInterpreter(momentGraph('Relu', [{ shape: [2], random: true, mean: [100, 30], variance: [1e-4, 1e-6] }]));
  near(relu.variance, [1e-4, 1e-6], 1e-6);
  const tail = byInterpreter(momentGraph('Relu', [{ shape: [1], random: true, mean: [-5], variance: [1] }]));
  near(tail.mean, [5.346165e-8], 1e-4);
});

test('maximum: known values of pairs, and of the tree of four', () => {
  const moments = (mean: readonly number[], variance: readonly number[]) => {
    const m = momentGraph('MaxPool', [{ shape: [1, 1, mean.length / 2, 2], random: true, mean, variance }], { kernel_shape: [mean.length / 2, 2] });
    const found = byInterpreter(m);
    return [found.mean[0], found.variance[0]];
  };
  near(moments([0, 0], [1, 1]), [0.5641896, 0.6816901], 1e-6);
  near(moments([1, 0], [1, 0.25]), [1.113437, 0.7345352], 1e-6);
  near(moments([0, 1], [0.25, 1]), [1.113437, 0.7345352], 1e-6);
  near(moments([-1, 1], [4, 1]), [1.226874, 1.051421], 1e-6);
  near(moments([0, 0, 0, 0], [1, 1, 1, 1]), [1.03001, 0.4647], 1e-5);
  near(moments([1, 0, -1, 0.5], [1, 2, 0.5, 0.1]), [1.4222, 0.61126], 5e-5);
});

test('maximum: equal inputs, no variance, far apart, in the padding: no NaN, no negative variance, symmetric', () => {
  const pair = (m1: number, v1: number, m2: number, v2: number) => {
    const found = byInterpreter(momentGraph('MaxPool', [{ shape: [1, 1, 2], random: true, mean: [m1, m2], variance: [v1, v2] }], { kernel_shape: [2] }));
    return [found.mean[0], found.variance[0]];
  };
  assert.equal(pair(0, 0, 0, 0), [0, 0]);
  assert.equal(pair(3, 0, 3, 0), [3, 0]);
  assert.equal(pair(-1, 0, 2, 0), [2, 0]);
  near(pair(1e6, 1, -1e6, 4), [1e6, 1], 1e-6);
  near(pair(5, 1e-12, 5, 1e-12), [5 + 0.5641896e-6, 0.6816901e-12], 1e-6);
  const random = new Random(5);
  for (let i = 0; i < 200; i++) {
    const [m1, m2] = [random.float(-1, 1) * 10 ** random.float(-3, 4), random.float(-1, 1) * 10 ** random.float(-3, 4)];
    const [v1, v2] = [10 ** random.float(-8, 6), random.float(0, 1) < 0.2 ? 0 : 10 ** random.float(-8, 6)];
    const [one, other] = [pair(m1, v1, m2, v2), pair(m2, v2, m1, v1)];
    assert.equal(one, other, `${m1} ${v1} ${m2} ${v2}`);
    assert.ok(Number.isFinite(one[0]) && one[1] >= 0 && one[0] >= Math.fround(Math.max(m1, m2)), `${m1} ${v1} ${m2} ${v2}: ${one}`);
  }
  const padded = byInterpreter(momentGraph('MaxPool', [{ shape: [1, 1, 1], random: true, mean: [-7], variance: [2] }], { kernel_shape: [2], pads: [1, 0] }));
  assert.equal([padded.mean[0], padded.variance[0]], [-7, 2]);
});

test('without a random input there is no variance', () => {
  for (const op of ['MatMul', 'Mul']) assert.is(momentGraph(op, [{ shape: [2, 2] }, { shape: [2, 2] }]).result.variance, undefined);
  assert.is(momentGraph('Relu', [{ shape: [2] }]).result.variance, undefined);
});

test('the raw form of products loses the digits that the expanded form keeps; in float64 they are equal', () => {
  for (const [mean, variance, truth, raw] of [[[10, 1], [1e-4, 1e-6], 2.000001e-4, 1.984e-4], [[3, 2], [1e-6, 1e-6], 1.3e-5, 1.14e-5]] as const) {
    const product = (products: 'raw' | 'expanded') => momentGraph('MatMul', [{ shape: [1, 1], random: true, mean: [mean[0]], variance: [variance[0]] }, { shape: [1, 1], random: true, mean: [mean[1]], variance: [variance[1]] }], {}, 1, { products });
    near(byInterpreter(product('expanded')).variance, [truth], 1e-6);
    near(byInterpreter(product('raw')).variance, [raw], 5e-3);
    near(byReference(product('raw')).variance!, [byReference(product('expanded')).variance![0]], 1e-9);
  }
  const given = [{ shape: [2, 4], random: true }, { shape: [3, 4], random: true }, { shape: [3], random: true }];
  const [raw, expanded] = (['raw', 'expanded'] as const).map((products) => byReference(momentGraph('Gemm', given, { transB: 1, alpha: 0.5 }, 4, { products })).variance!);
  near(raw, [...expanded], 1e-12);
});

/** Every rule of one random input, with what else it is given. */
const functions: Readonly<Record<string, { attributes?: Parameters<typeof momentGraph>[2]; more?: readonly Given[] }>> = {
  Abs: {}, Clip: { more: [{ shape: [], constant: [-1] }, { shape: [], constant: [3] }] }, Exp: {}, LeakyRelu: { attributes: { alpha: 0.1 } }, Neg: {}, Relu: {}, Sigmoid: {}, Tanh: {},
  Pow: { more: [{ shape: [], constant: [2] }] }, Div: { more: [{ shape: [], constant: [-3] }] }, Mul: { more: [{ shape: [1], random: false, mean: [0.5] }] },
  BipolarQuant: { more: [{ shape: [], constant: [0.5] }] }, MultiThreshold: { attributes: { out_dtype: 'UINT2', data_layout: 'C' }, more: [{ shape: [1, 3], constant: [-1, 0, 2] }] },
  Quant: { more: [{ shape: [], constant: [0.5] }, { shape: [], constant: [0] }, { shape: [], constant: [4] }] },
  QuantizeLinear: { more: [{ shape: [], constant: [0.5] }, { shape: [], constant: [3], dtype: 'int8' }] },
};

/** Means and variances over the whole range of float32: zeros, denormal, ordinary and huge numbers. */
function extremes(count: number, seed: number): { mean: number[]; variance: number[] } {
  const random = new Random(seed);
  const number = (): number => random.pick([0, 1e-45, 1e-40, 1.2e-38, 1, 1e30, 10 ** random.integer(-44, 30) * random.next(), 10 * random.next()]);
  return { mean: Array.from({ length: count }, () => Math.fround(number() * random.pick([1, -1]))), variance: Array.from({ length: count }, () => Math.fround(number())) };
}

test('every function of one variable: no NaN, no negative variance, from denormal numbers to 1e30; without variance the operator itself', () => {
  for (const [op, { attributes, more = [] }] of Object.entries(functions)) {
    const { mean, variance } = extremes(600, 11);
    const wild = byInterpreter(momentGraph(op, [{ shape: [600], random: true, mean, variance }, ...more], attributes));
    wild.mean.forEach((m, e) => assert.not(Number.isNaN(m), `${op}: mean of N(${mean[e]}, ${variance[e]})`));
    wild.variance.forEach((v, e) => assert.ok(v >= 0, `${op}: variance ${v} of N(${mean[e]}, ${variance[e]})`));
    const still = byInterpreter(momentGraph(op, [{ shape: [600], random: true, mean, variance: mean.map(() => 0) }, ...more], attributes));
    const plain = byInterpreter(momentGraph(op, [{ shape: [600], mean }, ...more], attributes));
    // but for infinity, where the operator overflows and its moments stop at the greatest number
    still.mean.forEach((m, e) => assert.ok(m === plain.mean[e] || Math.abs(m - plain.mean[e]) <= 3e-7 * Math.abs(plain.mean[e]) + 1e-34 || !Number.isFinite(plain.mean[e]), `${op}: ${m} and ${plain.mean[e]} of ${mean[e]}`));
    assert.ok(still.variance.every((v) => v === 0), `${op}: variance of what is not random`);
  }
});

test('products and sums: no NaN in a variance, none negative, from denormal numbers to 1e30', () => {
  const { mean, variance } = extremes(48, 12);
  const operand = (from: number, shape: readonly number[], count: number) => ({ shape, random: true, mean: mean.slice(from, from + count), variance: variance.slice(from, from + count) });
  const graphs = {
    Mul: momentGraph('Mul', [operand(0, [24], 24), operand(24, [24], 24)]),
    Add: momentGraph('Add', [operand(0, [24], 24), operand(24, [24], 24)]),
    MatMul: momentGraph('MatMul', [operand(0, [4, 6], 24), operand(24, [6, 4], 24)]),
    Conv: momentGraph('Conv', [operand(0, [1, 2, 3, 4], 24), operand(24, [2, 2, 2, 3], 24)]),
    AveragePool: momentGraph('AveragePool', [operand(0, [1, 2, 3, 4], 24)], { kernel_shape: [2, 2] }),
    MaxPool: momentGraph('MaxPool', [operand(0, [1, 2, 3, 4], 24)], { kernel_shape: [2, 2] }),
    ReduceMean: momentGraph('ReduceMean', [operand(0, [4, 6], 24)]),
  };
  for (const [op, graph] of Object.entries(graphs)) byInterpreter(graph).variance.forEach((v, e) => assert.ok(v >= 0, `${op}: variance ${e} is ${v}`));
});

test.run();
