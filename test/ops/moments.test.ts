/**
 * Every record's `moments`: mean and variance of the output against seeded Monte Carlo with independent normal inputs,
 * known values, limits, and float32 cases where the naive forms cancel.
 *
 * A sample mean may be off by 5 of its standard errors, a sample variance by 5 of its own (from the fourth moment).
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elementCount, makeConstant, type Attribute, type Constant, type Graph, type Value } from '../../codegen/ir/graph.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { graphContext } from '../../codegen/ops/context.js';
import { operators } from '../../codegen/ops/index.js';
import type { MomentPair, NdArray } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { append, Fragment } from '../../codegen/passes/fragment.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import { Random } from '../support/random.js';

const DRAWS = 20000;
const ERRORS = 5;

/** One input: shape and whether it is random; integers are constants. */
interface Given {
  readonly shape: readonly number[];
  readonly random?: boolean;
  readonly mean?: readonly number[];
  readonly variance?: readonly number[];
  readonly integers?: readonly number[];
  readonly constant?: readonly number[];
}

interface MomentGraph {
  readonly graph: Graph;
  readonly result: MomentPair;
  /** Values of the inputs `x0`, `v0`, `x1`, ... */
  readonly inputs: Record<string, NdArray>;
  readonly node: Graph;
}

/** The graph of mean and variance of one node; a random input xi has its variance in vi. */
function momentGraph(op: string, given: readonly Given[], attributes: Readonly<Record<string, Attribute>> = {}, seed = 1): MomentGraph {
  const random = new Random(seed);
  const values: Record<string, Value> = {};
  const constants: Record<string, Constant> = {};
  const inputs: Record<string, NdArray> = {};
  const declare = (name: string, shape: readonly number[], numbers: readonly number[] | undefined, lo: number, hi: number): string => {
    values[name] = { name, shape, dtype: 'float32' };
    inputs[name] = { shape, data: Float64Array.from({ length: elementCount(shape) }, (_, i) => (numbers ? numbers[i] : random.float(lo, hi))) };
    return name;
  };
  const pairs = given.map((g, i): MomentPair => {
    if (g.integers) {
      values[`x${i}`] = { name: `x${i}`, shape: g.shape, dtype: 'int32' };
      constants[`x${i}`] = makeConstant('int32', g.shape, g.integers);
      return { mean: `x${i}` };
    }
    if (g.constant) {
      values[`x${i}`] = { name: `x${i}`, shape: g.shape, dtype: 'float32' };
      constants[`x${i}`] = makeConstant('float32', g.shape, g.constant);
      return { mean: `x${i}` };
    }
    const mean = declare(`x${i}`, g.shape, g.mean, -2, 2);
    return g.random ? { mean, variance: declare(`v${i}`, g.shape, g.variance, 0.05, 1.5) } : { mean };
  });
  const outputs = ['y'];
  const node = infer({
    name: 'test', inputs: Object.keys(inputs), outputs, values: { ...values, y: { name: 'y' } }, constants,
    nodes: [{ name: 'node', op, inputs: pairs.map((p) => p.mean), outputs, attributes }],
  });
  const base: Graph = { ...node, nodes: [] };
  const fragment = new Fragment(base, 'moments');
  const record = operators[op];
  const result = record.moments!.rule(graphContext(node, node.nodes[0], record), pairs, fragment);
  const whole = append(base, fragment);
  return { graph: { ...whole, outputs: [result.mean, ...(result.variance === undefined ? [] : [result.variance])] }, result, inputs, node };
}

/** Mean and variance by the reference, float64. */
function byReference(m: MomentGraph): { mean: Float64Array; variance?: Float64Array } {
  const found = evaluate(m.graph, m.inputs);
  return { mean: found[m.result.mean].data, variance: m.result.variance === undefined ? undefined : found[m.result.variance].data };
}

/** Mean and variance by the lowered Program, float32. */
function byInterpreter(m: MomentGraph): { mean: Float32Array; variance: Float32Array } {
  const unit = lower(infer(m.graph));
  const found = interpret(unit, Object.fromEntries(Object.entries(m.inputs).map(([name, { data }]) => [name, data])));
  const [mean, variance] = unit.program.outputs.map((name) => found.get(name) as Float32Array);
  return { mean, variance };
}

/** Box and Muller. */
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

/** Mean and variance of each output element over many draws, with their standard errors. */
function monteCarlo(m: MomentGraph, seed: number) {
  const random = new Random(seed);
  const [node] = m.node.nodes;
  const record = operators[node.op];
  const context = graphContext(m.node, node, record);
  const fixed = node.inputs.map((name) => (m.node.constants[name] ? { shape: m.node.constants[name].shape, data: Float64Array.from(m.node.constants[name].data) } : m.inputs[name]));
  const deviations = node.inputs.map((name) => m.inputs[`v${name.slice(1)}`]?.data.map(Math.sqrt));
  const draws: Float64Array[] = [];
  for (let d = 0; d < DRAWS; d++) {
    const inputs = fixed.map((x, i) => (deviations[i] ? { shape: x.shape, data: x.data.map((mean, e) => mean + deviations[i][e] * normal(random)) } : x));
    draws.push(record.reference(context, inputs)[0].data);
  }
  return Array.from(draws[0], (_, e) => {
    const mean = draws.reduce((t, d) => t + d[e], 0) / DRAWS;
    let [second, fourth] = [0, 0];
    for (const d of draws) {
      const square = (d[e] - mean) ** 2;
      second += square / DRAWS;
      fourth += (square * square) / DRAWS;
    }
    return { mean, variance: second, meanError: Math.sqrt(second / DRAWS), varianceError: Math.sqrt(Math.max(fourth - second * second, 0) / DRAWS) };
  });
}

function check(name: string, m: MomentGraph, seed: number): void {
  const found = byReference(m);
  const narrow = byInterpreter(m);
  assert.ok(found.variance, `${name}: no variance`);
  monteCarlo(m, seed).forEach((truth, e) => {
    const near = (what: string, value: number, expected: number, error: number): void =>
      assert.ok(Math.abs(value - expected) <= ERRORS * error + 1e-9, `${name}: ${what} of element ${e} is ${value}, and ${expected} +- ${error} by Monte Carlo`);
    near('the mean', found.mean[e], truth.mean, truth.meanError);
    near('the variance', found.variance![e], truth.variance, truth.varianceError);
    for (const what of ['mean', 'variance'] as const) {
      const [x, y] = [narrow[what][e], found[what]![e]];
      assert.ok(Math.abs(x - y) <= 2e-5 * Math.max(1, Math.abs(y)), `${name}: the ${what} of element ${e} is ${x} in float32 and ${y} by reference`);
    }
  });
}

const cases: Readonly<Record<string, { given: readonly Given[]; attributes?: Readonly<Record<string, Attribute>> }[]>> = {
  MatMul: [
    { given: [{ shape: [2, 5], random: true }, { shape: [5, 3], random: true }] },
    { given: [{ shape: [2, 5], random: true }, { shape: [5, 3] }] },
    { given: [{ shape: [2, 5] }, { shape: [5, 3], random: true }] },
  ],
  Gemm: [
    { attributes: { transB: 1 }, given: [{ shape: [2, 4], random: true }, { shape: [3, 4], random: true }, { shape: [3], random: true }] },
    { attributes: { alpha: 0.5, beta: -2 }, given: [{ shape: [2, 4], random: true }, { shape: [4, 3] }, { shape: [3], random: true }] },
    { attributes: { transA: 1, beta: 3 }, given: [{ shape: [4, 2] }, { shape: [4, 3], random: true }, { shape: [2, 1] }] },
    { given: [{ shape: [2, 4] }, { shape: [4, 3] }, { shape: [3], random: true }] },
  ],
  Conv: [
    { attributes: { pads: [1, 1, 0, 0], strides: [2, 1] }, given: [{ shape: [1, 2, 3, 3], random: true }, { shape: [2, 2, 2, 2], random: true }, { shape: [2], random: true }] },
    { attributes: { group: 2 }, given: [{ shape: [1, 4, 4], random: true }, { shape: [2, 2, 3] }] },
    { given: [{ shape: [1, 2, 3, 3] }, { shape: [2, 2, 2, 2], random: true }, { shape: [2] }] },
    { given: [{ shape: [1, 1, 3, 3] }, { shape: [2, 1, 2, 2] }, { shape: [2], random: true }] },
  ],
  Add: [
    { given: [{ shape: [2, 3], random: true }, { shape: [3], random: true }] },
    { given: [{ shape: [2, 3] }, { shape: [3], random: true }] },
  ],
  Sub: [{ given: [{ shape: [2, 3], random: true }, { shape: [3], random: true }] }, { given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
  Mul: [{ given: [{ shape: [2, 3], random: true }, { shape: [3], random: true }] }, { given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
  Relu: [{ given: [{ shape: [3, 5], random: true }] }],
  LeakyRelu: [{ attributes: { alpha: 0.3 }, given: [{ shape: [3, 5], random: true }] }, { attributes: { alpha: -0.5 }, given: [{ shape: [3, 5], random: true }] }],
  // Of pairs the moments are exact; of larger windows approximate (tested below).
  MaxPool: [{ attributes: { kernel_shape: [1, 2], strides: [1, 2] }, given: [{ shape: [1, 2, 3, 4], random: true }] }],
  AveragePool: [
    { attributes: { kernel_shape: [2, 2], strides: [2, 2] }, given: [{ shape: [1, 2, 4, 4], random: true }] },
    { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, given: [{ shape: [1, 1, 3, 4], random: true }] },
  ],
  GlobalAveragePool: [{ given: [{ shape: [2, 3, 2, 3], random: true }] }],
  BatchNormalization: [{ given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [2], constant: [0.5, -2] }, { shape: [2], constant: [1, 3] }, { shape: [2], constant: [-1, 0.5] }, { shape: [2], constant: [0.25, 2] }] }],
  Neg: [{ given: [{ shape: [2, 3], random: true }] }],
  Concat: [{ attributes: { axis: 1 }, given: [{ shape: [2, 3], random: true }, { shape: [2, 1], random: true }] }, { attributes: { axis: 0 }, given: [{ shape: [1, 3] }, { shape: [2, 3], random: true }] }],
  Dropout: [{ given: [{ shape: [2, 3], random: true }] }],
  Flatten: [{ given: [{ shape: [2, 3, 2], random: true }] }],
  Gather: [{ given: [{ shape: [4, 2], random: true }, { shape: [3], integers: [2, 0, 2] }] }],
  Identity: [{ given: [{ shape: [2, 3], random: true }] }],
  Pad: [{ given: [{ shape: [2, 3], random: true }, { shape: [4], integers: [0, 1, 1, 0] }] }],
  Reshape: [{ given: [{ shape: [2, 3], random: true }, { shape: [2], integers: [3, 2] }] }],
  Slice: [{ given: [{ shape: [2, 5], random: true }, { shape: [2], integers: [0, 1] }, { shape: [2], integers: [1, 4] }] }],
  Squeeze: [{ given: [{ shape: [2, 1, 3], random: true }, { shape: [1], integers: [1] }] }],
  Transpose: [{ attributes: { perm: [1, 0] }, given: [{ shape: [2, 3], random: true }] }],
  Unsqueeze: [{ given: [{ shape: [2, 3], random: true }, { shape: [1], integers: [1] }] }],
};

test('dense, convolution, relu and add have moments', () => {
  for (const name of ['MatMul', 'Gemm', 'Conv', 'Relu', 'Add']) assert.ok(operators[name].moments, name);
});

test('every record with moments has a case here', () => {
  const without = Object.values(operators).filter((r) => r.moments && !cases[r.name]).map((r) => r.name);
  assert.equal(without, [], 'add what each is given to `cases`');
});

for (const [op, list] of Object.entries(cases)) {
  test(`${op}: moments against Monte Carlo`, () => {
    list.forEach(({ given, attributes }, i) => check(`${op} ${i}`, momentGraph(op, given, attributes, 10 + i), 100 + i));
  });
}

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

test.run();
