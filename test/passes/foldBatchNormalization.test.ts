/** `foldBatchNormalization`: same answers, and no normalization left where it can go. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { foldBatchNormalization } from '../../codegen/passes/foldBatchNormalization.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';

const random = new Random(11);
const floats = (count: number, lo = -2, hi = 2): number[] => Array.from({ length: count }, () => random.float(lo, hi));

function normalize(b: GraphBuilder, x: string, channels: number): string {
  const p = (name: string, values: number[]): string => b.constant(`${name}_${x}`, [channels], values);
  return b.node('BatchNormalization', [x, p('g', floats(channels)), p('b', floats(channels)), p('m', floats(channels)), p('v', floats(channels, 0.1, 3))], { epsilon: 1e-3 });
}

function same(graph: Graph, ops: readonly string[]): void {
  const folded = foldBatchNormalization(graph);
  assert.equal(folded.nodes.map((n) => n.op), ops);
  const inputs = Object.fromEntries(
    graph.inputs.map((name) => {
      const shape = graph.values[name].shape as number[];
      return [name, { shape, data: Float64Array.from(floats(shape.reduce((a, c) => a * c, 1))) }];
    }),
  );
  const [expected, found] = [evaluate(graph, inputs), evaluate(folded, inputs)];
  for (const name of graph.outputs) {
    const scale = expected[name].data.reduce((a, x) => Math.max(a, Math.abs(x)), 1);
    const error = found[name].data.reduce((a, x, i) => Math.max(a, Math.abs(x - expected[name].data[i])), 0);
    assert.ok(error < 1e-6 * scale, `${name}: ${error} of ${scale}`);
  }
}

test('Conv with and without bias, grouped', () => {
  for (const [group, bias] of [[1, true], [1, false], [3, true]] as const) {
    const b = new GraphBuilder();
    const x = b.input('x', [2, 3, 5, 5]);
    const inputs = [x, b.constant('w', [6, 3 / group, 3, 3], floats(162 / group)), ...(bias ? [b.constant('c', [6], floats(6))] : [])];
    same(b.build(b.node('Relu', [normalize(b, b.node('Conv', inputs, { group, pads: [1, 0, 1, 0] }), 6)])), ['Conv', 'Relu']);
  }
});

test('Gemm: transB, alpha and beta', () => {
  for (const transB of [0, 1]) {
    const b = new GraphBuilder();
    const inputs = [b.input('x', [3, 4]), b.constant('w', transB ? [5, 4] : [4, 5], floats(20)), b.constant('c', [1, 5], floats(5))];
    same(b.build(normalize(b, b.node('Gemm', inputs, { transB, alpha: 0.5, beta: -1.5 }), 5)), ['Gemm']);
  }
});

test('MatMul gets an Add; of rank 3 it stays, since dimension 1 is not its columns', () => {
  const b = new GraphBuilder();
  same(b.build(normalize(b, b.node('MatMul', [b.input('x', [3, 4]), b.constant('w', [4, 5], floats(20))]), 5)), ['MatMul', 'Add']);
  const c = new GraphBuilder();
  same(c.build(normalize(c, c.node('MatMul', [c.input('x', [2, 5, 4]), c.constant('w', [4, 5], floats(20))]), 5)), ['MatMul', 'BatchNormalization']);
});

test('stays: two consumers, an output of the graph, quantized weights, a computed bias', () => {
  const b = new GraphBuilder();
  const y = b.node('MatMul', [b.input('x', [3, 4]), b.constant('w', [4, 5], floats(20))]);
  same(b.build(normalize(b, y, 5), b.node('Relu', [y])), ['MatMul', 'BatchNormalization', 'Relu']);
  same(b.build(normalize(b, y, 5), y), ['MatMul', 'BatchNormalization']);
  const c = new GraphBuilder();
  const q = c.quant(c.constant('w', [4, 5], floats(20)), 0.25, 4);
  same(c.build(normalize(c, c.node('MatMul', [c.input('x', [3, 4]), q]), 5)), ['Quant', 'MatMul', 'BatchNormalization']);
  const d = new GraphBuilder();
  const inputs = [d.input('x', [3, 4]), d.constant('w', [4, 5], floats(20)), d.input('bias', [5])];
  same(d.build(normalize(d, d.node('Gemm', inputs), 5)), ['Gemm', 'BatchNormalization']);
});

test('shared weights: each layer gets its own', () => {
  const b = new GraphBuilder();
  const x = b.input('x', [3, 4]);
  const w = b.constant('w', [4, 4], floats(16));
  const y = b.node('Relu', [normalize(b, b.node('MatMul', [x, w]), 4)]);
  same(b.build(normalize(b, b.node('MatMul', [y, w]), 4)), ['MatMul', 'Add', 'Relu', 'MatMul', 'Add']);
});

test.run();
