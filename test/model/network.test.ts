/** Layers and `network`: the graphs that they make, the names of weights, and what they refuse. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyGraph } from '../../codegen/ir/verifyGraph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { infer } from '../../codegen/passes/infer.js';
import { architectures } from '../../sdk/model/architectures.js';
import { averagePool, convolution, dense, flatten, gaussian, globalAveragePool, leakyRelu, maxPool, relu, sigmoid, softmax, tanh } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { refuses } from '../support/refuses.js';

test('layers become nodes, weights are named after their layer', () => {
  const graph = network({
    name: 'net', input: [2, 8, 8],
    layers: [
      convolution(4, 3, { padding: 1, name: 'first' }), relu(), maxPool(2), convolution(4, [1, 3], { groups: 4, bias: false }), leakyRelu(0.1), averagePool(2, 1),
      globalAveragePool(), flatten(), dense(5), sigmoid(), dense(3, { bias: false }), tanh(), softmax(),
    ],
  });
  verifyGraph(graph);
  assert.equal(graph.nodes.map((n) => n.op), ['Conv', 'Relu', 'MaxPool', 'Conv', 'LeakyRelu', 'AveragePool', 'GlobalAveragePool', 'Flatten', 'Gemm', 'Sigmoid', 'Gemm', 'Tanh', 'Softmax']);
  assert.equal(Object.fromEntries(Object.entries(graph.constants).map(([name, c]) => [name, c.shape])), {
    'first.weight': [4, 2, 3, 3], 'first.bias': [4], 'convolution2.weight': [4, 1, 1, 3], 'dense1.weight': [5, 4], 'dense1.bias': [5], 'dense2.weight': [3, 5],
  });
  const { values } = infer(graph, { batch: 3 });
  assert.equal(values.output.shape, [3, 3]);
  assert.equal(values['averagepool1.output'].shape, [3, 4, 3, 1]);
});

test('a dense layer multiplies by rows of its weight', () => {
  const graph = infer(network({ name: 'net', input: [2], layers: [dense(3, { weight: [1, 2, 3, 4, 5, 6], bias: [10, 20, 30] })] }));
  assert.equal([...evaluate(graph, { input: { shape: [1, 2], data: Float64Array.of(1, 10) } }).output.data], [31, 63, 95]);
});

test('a gaussian weight is random, one deviation for all or one each', () => {
  const graph = network({ name: 'net', input: [2], layers: [dense(1, { weight: gaussian([1, 2], 0.5), bias: gaussian([3], [0.25]) })] });
  assert.equal([...graph.constants['dense1.weight'].data], [1, 2]);
  assert.equal(Object.entries(graph.posteriors!).map(([name, p]) => [name, ...p.deviation.data]), [['dense1.weight', 0.5, 0.5], ['dense1.bias', 0.25]]);
  verifyGraph(graph);
});

test('the built-in architectures have as many weights as the published networks', () => {
  const count = (name: string): number => Object.values(architectures[name]().constants).reduce((sum, c) => sum + c.data.length, 0);
  assert.is(count('mlp'), 89610);
  assert.is(count('lenet5'), 61706);
  for (const make of Object.values(architectures)) assert.equal(infer(make()).values.output.shape, [1, 10]);
});

test('what does not fit is refused by the name of the layer', () => {
  const make = (input: readonly number[], ...layers: Parameters<typeof network>[0]['layers']) => () => network({ name: 'net', input, layers });
  refuses(make([1, 4, 4], dense(2)), 'error [graph/shape] dense1: a dense layer takes [N, inputs], and it is given [1, 1, 4, 4]\n  Put flatten() in front of it.');
  refuses(make([4], convolution(2, 3)), 'error [graph/shape] convolution1: a convolution takes [N, channels, height, width], and it is given [1, 4]');
  refuses(make([4], dense(2, { weight: [1, 2, 3] })), 'error [graph/shape] dense1.weight: it is [2, 4], 8 elements, and 3 were given');
  refuses(make([4], dense(1, { weight: gaussian([1, 2, 3, 4], [1]) })), 'error [graph/shape] dense1.weight: it is [1, 4], 4 elements, and 1 were given');
  refuses(make([4], dense(2, { name: 'a' }), dense(2, { name: 'a' })), 'error [graph/doubly-defined] a.weight: two layers have this name\n  Give one of the two another name.');
  refuses(make([3, 4, 4], convolution(2, 3, { groups: 2 })), 'error [graph/shape] convolution1: its input has 3 channels, which 2 groups do not divide');
  refuses(make([4]), 'error [graph/shape] net: a network has at least one layer');
});

test.run();
