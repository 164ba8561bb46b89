/**
 * The pass `moments` on whole graphs: a published network against its answers in float64, a small one by hand, what the
 * report says of broken independence, and refusals. Rules of single operators: test/ops/moments.test.ts.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { readSafetensors } from '../../../codegen/import/safetensors.js';
import { applyPosterior } from '../../../codegen/import/posterior.js';
import { verifyGraph } from '../../../codegen/ir/verifyGraph.js';
import { evaluate } from '../../../codegen/passes/evaluate.js';
import { infer } from '../../../codegen/passes/infer.js';
import { mean } from '../../../codegen/passes/twins/mean.js';
import { moments } from '../../../codegen/passes/twins/moments.js';
import { compile } from '../../../sdk/compile.js';
import { readNpz } from '../../../sdk/data/npy.js';
import { architectures } from '../../../sdk/model/architectures.js';
import { averagePool, convolution, dense, gaussian, relu, type Layer } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { normals } from '../../ops/momentGraphs.js';
import { GraphBuilder } from '../../support/graphs.js';
import { Random } from '../../support/random.js';
import { refuses } from '../../support/refuses.js';
import { sharedFile } from '../../support/shared.js';

/** A graph with standard deviations for some of its constants. */
function withDeviations(graph: Graph, deviations: Record<string, readonly number[]>): Graph {
  const posteriors = Object.fromEntries(Object.entries(deviations).map(([name, s]) => [name, { deviation: makeConstant('float32', graph.constants[name].shape, s) }]));
  return { ...graph, posteriors };
}

const published = sharedFile('bnn/mlp_posterior.safetensors');
const answers = sharedFile('bnn/mlp_golden_pfp.npz');
if (published && answers) {
  test('the published 784-100-100-10: mean within 1e-4 of the standard deviation, variance within 1e-4, for all 64 inputs', async () => {
    const graph = applyPosterior(architectures.mlp(), readSafetensors(published), { all: true });
    verifyGraph(graph);
    const model = loadSync((await compile(graph)).wasm);
    const golden = readNpz(answers);
    let [worstMean, worstVariance] = [0, 0];
    for (const set of ['mnist', 'fashion']) {
      const found = model.run({ input: golden[`x_${set}`].data as Float32Array });
      const [m, v] = [found.mean, found.variance].map((tensor) => (tensor as { data: Float32Array }).data ?? tensor) as Float32Array[];
      const [wantedMean, wantedVariance] = [golden[`mean_${set}`].data, golden[`variance_${set}`].data];
      assert.is(m.length, 320);
      for (let i = 0; i < 320; i++) {
        worstMean = Math.max(worstMean, Math.abs(m[i] - Number(wantedMean[i])) / Math.sqrt(Number(wantedVariance[i])));
        worstVariance = Math.max(worstVariance, Math.abs(v[i] / Number(wantedVariance[i]) - 1));
      }
    }
    assert.ok(worstMean < 1e-4, `mean ${worstMean}`);
    assert.ok(worstVariance < 1e-4, `variance ${worstVariance}`);
  });
}

test('dense with a random weight and bias, by hand; the calibration factor scales variances', () => {
  const graph = infer(network({
    name: 'small', input: [3],
    layers: [dense(2, { weight: gaussian([1, -0.5, 0.25, 0, 2, -1], [0.1, 0.2, 0.3, 0.5, 0.1, 0.4]), bias: gaussian([0.1, -0.2], [Math.sqrt(0.02), Math.sqrt(0.03)]) })],
  }));
  const at = (calibration?: number | Record<string, number>) => {
    const m = moments(graph, { calibration });
    const found = evaluate(m.graph, { input: { shape: [1, 3], data: Float64Array.of(0.5, -1, 2) } });
    return [found[m.outputs[0].mean].data, found[m.outputs[0].variance!].data].map((d) => [...d]);
  };
  const near = (found: readonly number[], wanted: readonly number[]): void => found.forEach((x, i) => assert.ok(Math.abs(x - wanted[i]) < 1e-6, `${x} and ${wanted[i]}`));
  near(at()[0], [1.6, -4.2]);
  near(at()[1], [0.4225, 0.7425]);
  near(at(0.5)[1], [0.4225 / 2, 0.7425 / 2]);
  near(at({ 'dense1.bias': 0 })[1], [0.4025, 0.7125]);
});

test('without deviations the graph stays as it is, and the mean twin has none', () => {
  const graph = infer(network({ name: 'plain', input: [3], layers: [dense(2, { weight: gaussian([1, 2, 3, 4, 5, 6], 0) }), relu()] }));
  const m = moments(graph);
  assert.equal(m.graph.nodes, graph.nodes);
  assert.equal(m.outputs, [{ mean: 'output' }]);
  assert.is(mean(graph).posteriors, undefined);
});

test('independence: what breaks it is reported, where it holds nothing is', () => {
  const random = (count: number) => gaussian(new Float32Array(count).fill(0.5), 0.1);
  const violations = (graph: Graph) => moments(infer(graph)).sites.map((s) => [s.op, s.violation ?? '']);
  // One hidden layer: outputs of a dense layer with deterministic data are independent.
  assert.equal(violations(network({ name: 'a', input: [2], layers: [dense(3, { weight: random(6) }), relu(), dense(2, { weight: random(6) })] })), [['Gemm', ''], ['Relu', ''], ['Gemm', '']]);
  // Two: those of the second share the first's.
  assert.equal(violations(network({ name: 'b', input: [2], layers: [dense(2, { weight: random(4) }), dense(2, { weight: random(4) }), dense(1, { weight: random(2) })] }))[2], [
    'Gemm', 'elements of dense2.output that meet here depend on one another (dense1.weight)',
  ]);
  // Positions of a convolution share its weights; a kernel that covers all positions leaves one.
  const second = (kernel: number) => violations(network({ name: 'c', input: [1, 4, 4], layers: [convolution(2, kernel, { weight: random(2 * kernel * kernel) }), convolution(1, 5 - kernel)] }))[1][1];
  assert.match(second(3), 'elements of convolution1.output that meet here depend on one another');
  assert.is(second(4), '');
});

test('a residual addition shares ancestors; a value added to itself is treated as what it is', () => {
  const g = new GraphBuilder();
  const w = g.constant('w', [2, 2], [1, 2, 3, 4]);
  const y = g.node('Gemm', [g.input('x', [1, 2]), w]);
  const graph = withDeviations(g.build(g.node('Add', [g.node('Relu', [y]), y]), g.node('Add', [y, y])), { w: [0.1, 0.2, 0.3, 0.4] });
  const m = moments(infer(graph));
  assert.equal(m.sites.map((s) => s.violation), [undefined, undefined, 'Relu_1_out and Gemm_0_out both depend on w', undefined]);
  const found = evaluate(m.graph, { x: { shape: [1, 2], data: Float64Array.of(1, 1) } });
  assert.ok(Math.abs(found[m.outputs[1].variance!].data[0] - 4 * (0.01 + 0.09)) < 1e-7);
});

test('independence, dimension by dimension: channels of one position are apart, positions are not', () => {
  const random = (count: number) => gaussian(new Float32Array(count).fill(0.5), 0.1);
  const reported = (...more: Layer[]) => moments(infer(network({ name: 'c', input: [2, 4, 4], layers: [convolution(3, 3, { weight: random(54), padding: 1 }), ...more] }))).sites.map((s) => s.violation !== undefined);
  assert.equal(reported(convolution(3, 1, { weight: random(9) })), [false, false]);
  assert.equal(reported(convolution(3, 1, { weight: random(9) }), convolution(3, 1, { weight: random(9) })), [false, false, true]);
  assert.equal(reported(convolution(3, 3, { weight: random(81) })), [false, true]);
  assert.equal(reported(relu(), averagePool(2)), [false, false, true]);
  // Depthwise: a channel of its own, but positions meet.
  const g = new GraphBuilder();
  const one = g.node('Conv', [g.input('x', [1, 1, 4, 4]), g.constant('a', [2, 1, 1, 1], [1, 2])]);
  const two = g.node('Conv', [one, g.constant('b', [2, 1, 1, 1], [1, 2])], { group: 2 });
  const three = g.node('Conv', [two, g.constant('c', [1, 2, 1, 1], [1, 2])]);
  const depthwise = infer(withDeviations(g.build(three), { a: [0.1, 0.1], b: [0.2, 0.2], c: [0.1, 0.1] }));
  assert.equal(moments(depthwise).sites.map((s) => s.violation), [undefined, undefined, undefined]);
});

test('independence through shapes: flattened positions meet, transposed and sliced channels stay apart', () => {
  const sites = (...steps: ((g: GraphBuilder, x: string) => string)[]) => {
    const g = new GraphBuilder();
    let value = g.node('Conv', [g.input('x', [1, 1, 2, 2]), g.constant('w', [4, 1, 1, 1], [1, 2, 3, 4])]);
    for (const step of steps) value = step(g, value);
    return moments(infer(withDeviations(g.build(value), { w: [0.1, 0.1, 0.1, 0.1] }))).sites.map((s) => s.violation !== undefined);
  };
  const sum = (axis: number) => (g: GraphBuilder, x: string) => g.node('ReduceSum', [x, g.constant(`axis${axis}`, [1], [axis], 'int32')]);
  assert.equal(sites(sum(1)), [false, false]);
  assert.equal(sites(sum(2)), [false, true]);
  assert.equal(sites((g, x) => g.node('Flatten', [x]), sum(1)), [false, false, true]);
  assert.equal(sites((g, x) => g.node('Transpose', [x], { perm: [0, 2, 3, 1] }), sum(3)), [false, false, false]);
  assert.equal(sites((g, x) => g.node('Gather', [x, g.constant('twice', [2], [0, 0], 'int32')], { axis: 1 }), sum(1)), [false, false, true]);
  assert.equal(sites((g, x) => g.node('Gather', [x, g.constant('two', [2], [3, 0], 'int32')], { axis: 1 }), sum(1)), [false, false, false]);
  assert.equal(sites((g, x) => g.node('Concat', [x, g.node('Relu', [x])], { axis: 1 }), sum(1)), [false, false, false, true]);
});

test('one value by two ways is one value: through Identity, Reshape and an operator repeated', () => {
  const g = new GraphBuilder();
  const y = g.node('Gemm', [g.input('x', [1, 2]), g.constant('w', [2, 2], [1, 2, 3, 4])]);
  const there = g.node('Reshape', [y, g.constant('there', [1], [2], 'int32')]);
  const back = g.node('Reshape', [there, g.constant('back', [2], [1, 2], 'int32')]);
  const same = [g.node('Add', [g.node('Identity', [y]), y]), g.node('Add', [back, y]), g.node('Sub', [g.node('Neg', [y]), g.node('Neg', [y])])];
  const m = moments(infer(withDeviations(g.build(...same), { w: [0.1, 0.2, 0.3, 0.4] })));
  assert.equal(m.sites.filter((s) => s.violation !== undefined), []);
  const found = evaluate(m.graph, { x: { shape: [1, 2], data: Float64Array.of(1, 1) } });
  for (const i of [0, 1]) assert.ok(Math.abs(found[m.outputs[i].variance!].data[0] - 4 * (0.01 + 0.09)) < 1e-7);
  assert.is(m.outputs[2].variance, undefined);
});

test('calibration by layer: weight and bias together, the weight before its layer, a name that is none is refused', () => {
  const graph = infer(network({ name: 'two', input: [1], layers: [dense(1, { weight: gaussian([1], 1), bias: gaussian([0], 1) }), dense(1, { weight: gaussian([1], 1) })] }));
  const at = (calibration: number | Record<string, number>): number => {
    const m = moments(graph, { calibration });
    return evaluate(m.graph, { input: { shape: [1, 1], data: Float64Array.of(1) } })[m.outputs[0].variance!].data[0];
  };
  // hidden: mean 1, variance a + b; output: (1 + a + b) c + a + b
  const wanted = (a: number, b: number, c: number): number => (1 + a + b) * c + a + b;
  assert.is(at(1), wanted(1, 1, 1));
  assert.is(at({ dense1: 0.5 }), wanted(0.5, 0.5, 1));
  assert.is(at({ dense1: 0.5, 'dense1.bias': 2, dense2: 0.25 }), wanted(0.5, 2, 0.25));
  refuses(() => at({ dnse1: 0.5 }), 'error [graph/posterior] dnse1: a calibration factor is given for this name, and no random weight or layer has it\n  Did you mean "dense1"?');
  refuses(() => at({ dense1: -1 }), 'error [graph/posterior] dense1: its calibration factor is -1\n  A factor of variances is finite and not negative; 1 changes nothing.');
});

test('moments of a quantized graph: quantized random weights and activations, and without deviations the quantized network', () => {
  const g = new GraphBuilder();
  const quant = (x: string, scale: number, bits: number) => g.node('Quant', [x, g.scalar(scale), g.scalar(0), g.scalar(bits)]);
  const hidden = g.node('Relu', [g.node('MatMul', [g.input('x', [1, 3]), quant(g.constant('w', [3, 4], Array.from({ length: 12 }, (_, i) => Math.sin(i * 3))), 0.25, 4)])]);
  const graph = g.build(g.node('MatMul', [quant(hidden, 0.05, 8), quant(g.constant('v', [4, 2], Array.from({ length: 8 }, (_, i) => Math.cos(i * 5))), 0.25, 4)]));
  const labels = moments(infer(withDeviations(graph, { w: new Array<number>(12).fill(1) }))).sites.map((s) => `${s.op} ${s.label}`);
  assert.equal(labels, ['Quant matched', 'MatMul exact', 'Relu matched', 'Quant approximate', 'MatMul exact']);
  const x = { x: { shape: [1, 3], data: Float64Array.of(0.5, -1, 2) } };
  const still = evaluate(graph, x)[graph.outputs[0]].data;
  const results = [1e-12, 0.3].map((s) => {
    const m = moments(infer(withDeviations(graph, { w: new Array<number>(12).fill(s), v: new Array<number>(8).fill(s) })));
    const found = evaluate(m.graph, x);
    return [found[m.outputs[0].mean].data, found[m.outputs[0].variance!].data];
  });
  assert.ok(results[0][0].every((y, i) => Math.abs(y - still[i]) < 1e-5) && results[0][1].every((v) => v >= 0 && v < 1e-9));
  // Against sampling: w and v drawn, all else as it is. Independent of the rules, but for 20,000 draws.
  const normal = normals(new Random(3));
  let [sum, square] = [0, 0];
  const draws = 20000;
  const q = (x: number, scale: number, most: number): number => scale * Math.min(Math.max(Math.round(x / scale), -most - 1), most);
  for (let d = 0; d < draws; d++) {
    let y = 0;
    for (let j = 0; j < 4; j++) {
      let h = 0;
      for (let i = 0; i < 3; i++) h += x.x.data[i] * q(Math.sin((i * 4 + j) * 3) + 0.3 * normal(), 0.25, 7);
      y += q(Math.max(h, 0), 0.05, 127) * q(Math.cos(j * 2 * 5) + 0.3 * normal(), 0.25, 7);
    }
    sum += y;
    square += y * y;
  }
  const [mean, variance] = [sum / draws, square / draws - (sum / draws) ** 2];
  assert.ok(Math.abs(results[1][0][0] - mean) < 0.05 * Math.sqrt(variance), `${results[1][0][0]} and ${mean}`);
  assert.ok(Math.abs(results[1][1][0] / variance - 1) < 0.06, `${results[1][1][0]} and ${variance}`);
});

test('an operator without a rule is refused by name', () => {
  const g = new GraphBuilder();
  const y = g.node('Log', [g.node('Gemm', [g.input('x', [1, 2]), g.constant('w', [2, 2], [1, 2, 3, 4])])]);
  refuses(
    () => moments(infer(withDeviations(g.build(y), { w: [1, 1, 1, 1] }))),
    'error [graph/no-moments] Log_1: Log has no rule for mean and variance, and its input Gemm_0_out is random\n' +
    '  Compile the sampled twin, which needs no rules, or make what comes before it deterministic.',
  );
});

test('posteriors that are none are refused by the name of the weight', () => {
  const g = new GraphBuilder();
  const graph = g.build(g.node('Gemm', [g.input('x', [1, 2]), g.constant('w', [2, 1], [1, 2])]));
  const refused = (deviation: readonly number[], text: string, shape = [2, 1], name = 'w') =>
    refuses(() => verifyGraph({ ...graph, posteriors: { [name]: { deviation: makeConstant('float32', shape, deviation) } } }), text);
  const convert = '\n  Standard deviations are finite and not negative; a network that stores something else (log variances, values before softplus) must be converted.';
  refused([1, -0.5], `error [graph/posterior] w: the standard deviation of element 1 is -0.5${convert}`);
  refused([NaN, 1], `error [graph/posterior] w: the standard deviation of element 0 is NaN${convert}`);
  refused([1, 1e20], `error [graph/posterior] w: the standard deviation of element 1 is 100000002004087730000${convert}`);
  refused([1, 1], 'error [graph/posterior] w: the mean is float32 [2, 1] and the standard deviation float32 [2]\n  Give one standard deviation for each mean.', [2]);
  refused([1, 1], 'error [graph/posterior] v: this tensor has a standard deviation, and is no constant of the graph\n  Did you mean "w"?', [2, 1], 'v');
});

test.run();
