/** `poolFirst`: which ReLUs change places with their pools, that the network stays the same, and that moments come nearer to samples. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { evaluate } from '../../../codegen/passes/evaluate.js';
import { infer } from '../../../codegen/passes/infer.js';
import { moments } from '../../../codegen/passes/twins/moments.js';
import { poolFirst } from '../../../codegen/passes/twins/poolFirst.js';
import { makeTwin } from '../../../codegen/passes/twins/twin.js';
import { GraphBuilder } from '../../support/graphs.js';
import { Random } from '../../support/random.js';

const window = { kernel_shape: [2, 2], strides: [2, 2] };

/** A convolution, a ReLU, a pool; `more` adds what else reads the ReLU. */
function net(op: string, attributes: Record<string, number> = {}, more: (g: GraphBuilder, relu: string, pool: string) => string[] = (_g, _r, pool) => [pool]): Graph {
  const g = new GraphBuilder();
  const random = new Random(5);
  const w = g.constant('w', [2, 1, 3, 3], Array.from({ length: 18 }, () => random.float(-1, 1)));
  const relu = g.node(op, [g.node('Conv', [g.input('x', [1, 1, 8, 8]), w], { kernel_shape: [3, 3] })], attributes);
  return infer(g.build(...more(g, relu, g.node('MaxPool', [relu], window))));
}

const ops = (graph: Graph): string[] => poolFirst(graph).nodes.map((n) => n.op);

test('ReLU changes places with the pool that alone reads it', () => {
  assert.equal(ops(net('Relu')), ['Conv', 'MaxPool', 'Relu']);
  assert.equal(ops(net('LeakyRelu', { alpha: 0.1 })), ['Conv', 'MaxPool', 'LeakyRelu']);
  assert.equal(ops(net('LeakyRelu', { alpha: -0.1 })), ['Conv', 'LeakyRelu', 'MaxPool']);
  assert.equal(ops(net('Sigmoid')), ['Conv', 'Sigmoid', 'MaxPool']);
  assert.equal(ops(net('Relu', {}, (g, relu, pool) => [pool, g.node('Neg', [relu])])), ['Conv', 'Relu', 'MaxPool', 'Neg']);
  assert.equal(ops(net('Relu', {}, (_g, relu, pool) => [pool, relu])), ['Conv', 'Relu', 'MaxPool']);
});

test('the network stays the same', () => {
  const random = new Random(6);
  for (const graph of [net('Relu'), net('LeakyRelu', { alpha: 0.25 })]) {
    const x = { shape: [1, 1, 8, 8], data: Float64Array.from({ length: 64 }, () => random.float(-2, 2)) };
    const turned = poolFirst(graph);
    assert.equal(turned.outputs, graph.outputs);
    assert.equal([...evaluate(infer(turned), { x })[graph.outputs[0]].data], [...evaluate(graph, { x })[graph.outputs[0]].data]);
  }
});

test('moments of it are nearer to those of samples', () => {
  const g = new GraphBuilder();
  const means = [0.2, -0.4, 0.1, -1];
  const relu = g.node('Relu', [g.node('Add', [g.input('x', [1, 1, 2, 2]), g.constant('b', [1, 1, 2, 2], means)])]);
  const plain = infer(g.build(g.node('MaxPool', [relu], window)));
  const graph: Graph = { ...plain, posteriors: { b: { deviation: makeConstant('float32', [1, 1, 2, 2], [1, 1, 1, 1]) } } };
  const x = { shape: [1, 1, 2, 2], data: new Float64Array(4) };
  const random = new Random(7);
  const count = 200000;
  let [first, second] = [0, 0];
  for (let s = 0; s < count; s++) {
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.float(0, 1))) * Math.cos(2 * Math.PI * random.float(0, 1));
    const y = Math.max(0, ...means.map((m) => m + normal()));
    first += y / count;
    second += (y * y) / count;
  }
  const sampled = [first, second - first * first];
  const late = moments(graph);
  const found = evaluate(late.graph, { x });
  const soon = evaluate(makeTwin(graph).graph, { x });
  const errors = (mean: number, variance: number): number[] => [Math.abs(mean - sampled[0]), Math.abs(variance - sampled[1])];
  const before = errors(found[late.outputs[0].mean].data[0], found[late.outputs[0].variance!].data[0]);
  const after = errors(soon.mean.data[0], soon.variance.data[0]);
  assert.ok(after[0] < before[0] / 2 && after[1] < before[1] / 2, `${before} and ${after}`);
  assert.ok(after[0] < 0.01 && after[1] < 0.06, `${after}`);
});

test.run();
