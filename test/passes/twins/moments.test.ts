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
import { convolution, dense, gaussian, relu } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { GraphBuilder } from '../../support/graphs.js';
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
    'Gemm', 'elements of dense2.output that meet here depend on one another (dense1.weight, dense2.weight)',
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

test('an operator without a rule is refused by name', () => {
  const g = new GraphBuilder();
  const y = g.node('Exp', [g.node('Gemm', [g.input('x', [1, 2]), g.constant('w', [2, 2], [1, 2, 3, 4])])]);
  refuses(
    () => moments(infer(withDeviations(g.build(y), { w: [1, 1, 1, 1] }))),
    'error [graph/no-moments] Exp_1: Exp has no rule for mean and variance, and its input Gemm_0_out is random\n' +
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
