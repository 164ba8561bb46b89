/** `fold` and `clean`: what becomes a constant, what stays, and that the interface keeps its names. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { clean } from '../../codegen/passes/clean.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { fold } from '../../codegen/passes/fold.js';
import { infer } from '../../codegen/passes/infer.js';
import { floats, intAttribute, intsAttribute, modelBytes, node, tensorInput, textAttribute, type ModelInit } from '../support/onnxModels.js';
import { sharedFile } from '../support/shared.js';

const graphOf = (m: ModelInit): Graph => importOnnx(modelBytes(m));
const opsOf = (g: Graph): string[] => g.nodes.map((n) => n.op);

test('nodes on constants become constants, each result rounded to float32', () => {
  const g = graphOf({
    initializers: [floats('a', [1], [0.1]), floats('b', [1], [0.2]), floats('c', [1], [3])],
    nodes: [node('Add', ['a', 'b'], ['s']), node('Mul', ['s', 'c'], ['p']), node('Add', ['x', 'p'], ['y'])],
  });
  const folded = fold(g);
  assert.equal(opsOf(folded), ['Add']);
  assert.equal(Object.keys(folded.constants), ['p']);
  assert.is(folded.constants.p.data[0], Math.fround(Math.fround(Math.fround(0.1) + Math.fround(0.2)) * 3));
});

test('quantizers of constants stay, and what depends on them, unless asked for', () => {
  const g = graphOf({
    initializers: [floats('w', [4, 2], [0.6, -0.6, 1.2, 9, -9, 0, 0.2, 0.3]), floats('s', [], [0.5]), floats('z', [], [0]), floats('b', [], [2])],
    nodes: [
      node('Quant', ['w', 's', 'z', 'b'], ['q'], [intAttribute('signed', 1), intAttribute('narrow', 0), textAttribute('rounding_mode', 'ROUND')], { domain: 'qonnx.custom_op.general' }),
      node('Transpose', ['q'], ['t'], [intsAttribute('perm', [0, 1])]),
      node('MatMul', ['x', 't'], ['y']),
    ],
  });
  assert.equal(opsOf(fold(g)), ['Quant', 'Transpose', 'MatMul']);
  const folded = fold(g, { quantizers: true });
  assert.equal(opsOf(folded), ['MatMul']);
  assert.equal([...folded.constants.t.data], [0.5, -0.5, 0.5, 0.5, -1, 0, 0, 0.5]);
});

test('a graph output that becomes a constant is still an output', () => {
  const g = graphOf({ initializers: [floats('a', [1], [4])], nodes: [node('Sqrt', ['a'], ['r']), node('Relu', ['x'], ['y'])], outputs: ['y', 'r'] });
  const folded = fold(g);
  assert.equal(folded.outputs, ['y', 'r']);
  assert.equal([...folded.constants.r.data], [2]);
  assert.equal([...evaluate(folded, { x: { shape: [1, 4], data: new Float64Array(4) } }).r.data], [2]);
});

test('few bytes that would make a long computation are left in the graph', () => {
  const g = graphOf({
    initializers: [floats('a', [4096, 1], new Array<number>(4096).fill(1)), floats('b', [1, 4096], new Array<number>(4096).fill(1))],
    nodes: [node('MatMul', ['a', 'b'], ['big']), node('MatMul', ['x', 'big'], ['y'])],
    inputs: [tensorInput('x', [1, 4096])],
  });
  assert.equal(opsOf(fold(g)), ['MatMul', 'MatMul']);
});

test('clean removes dead nodes, Identity and Dropout, and unused constants', () => {
  const g = graphOf({
    initializers: [floats('unused', [1], [1]), floats('used', [1], [2])],
    nodes: [node('Identity', ['x'], ['a']), node('Dropout', ['a'], ['b']), node('Relu', ['b'], ['dead']), node('Add', ['b', 'used'], ['c']), node('Identity', ['c'], ['y'])],
  });
  const cleaned = clean(g);
  assert.equal(cleaned.nodes.map((n) => [n.op, ...n.inputs, ...n.outputs]), [['Add', 'x', 'used', 'y']]);
  assert.equal(Object.keys(cleaned.constants), ['used']);
  assert.equal(Object.keys(cleaned.values).sort(), ['used', 'x', 'y']);
  assert.equal(infer(cleaned).values.y.shape, [1, 4]);
});

test('clean keeps what the interface needs', () => {
  const passing = clean(graphOf({ nodes: [node('Identity', ['x'], ['y'])] }));
  assert.equal(opsOf(passing), ['Identity']);
  const twice = clean(graphOf({ nodes: [node('Relu', ['x'], ['y']), node('Identity', ['y'], ['z'])], outputs: ['y', 'z'] }));
  assert.equal(opsOf(twice), ['Relu', 'Identity']);
  const fork = clean(graphOf({ nodes: [node('Relu', ['x'], ['r']), node('Identity', ['r'], ['y']), node('Identity', ['r'], ['z']), node('Relu', ['r'], ['w'])], outputs: ['y', 'z', 'w'] }));
  assert.equal(fork.nodes.map((n) => [n.op, ...n.inputs, ...n.outputs]), [
    ['Relu', 'x', 'y'],
    ['Identity', 'y', 'z'],
    ['Relu', 'y', 'w'],
  ]);
  const unused = clean(graphOf({ inputs: [tensorInput('x', [1, 4]), tensorInput('extra', [1, 2])], nodes: [node('Relu', ['x'], ['y'])] }));
  assert.equal(unused.inputs, ['x', 'extra']);
  assert.ok(unused.values.extra);
});

test('a network of the field: weights stay with their quantizers, scales fold', () => {
  const bytes = sharedFile('qonnx/models/TFC_2W2A.onnx');
  if (!bytes) return;
  const ops = opsOf(clean(fold(importOnnx(bytes))));
  assert.is(ops.filter((op) => op === 'Quant').length, 8);
  assert.is(ops.filter((op) => op === 'MatMul').length, 4);
  assert.not(ops.some((op) => ['Shape', 'Gather', 'Concat', 'Unsqueeze', 'Pow'].includes(op)), ops.join());
});

test.run();
