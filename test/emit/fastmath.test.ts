/**
 * Fast math: float sums of products by relaxed multiply-add, where it is asked for and nowhere else; near the float64
 * reference, and the bits of integer networks untouched.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import { makeConstant } from '../../codegen/ir/graph.js';
import { compile } from '../../sdk/compile.js';
import { relaxedNode } from '../support/hosts.js';
import { Random } from '../support/random.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [inputs, hidden] = [203, 37];
const random = new Random(5);
const draw = (n: number): number[] => Array.from({ length: n }, () => random.float(-1, 1));
const [first, second] = [draw(inputs * hidden), draw(hidden * 10)];
const graph: Graph = {
  name: 'dense', inputs: ['x'], outputs: ['y'],
  values: { x: { name: 'x', shape: [1, inputs], dtype: 'float32' }, a: { name: 'a', shape: [inputs, hidden], dtype: 'float32' }, b: { name: 'b', shape: [hidden, 10], dtype: 'float32' }, h: { name: 'h' }, r: { name: 'r' }, y: { name: 'y' } },
  constants: { a: makeConstant('float32', [inputs, hidden], first), b: makeConstant('float32', [hidden, 10], second) },
  nodes: [
    { name: 'one', op: 'MatMul', inputs: ['x', 'a'], outputs: ['h'], attributes: {} },
    { name: 'relu', op: 'Relu', inputs: ['h'], outputs: ['r'], attributes: {} },
    { name: 'two', op: 'MatMul', inputs: ['r', 'b'], outputs: ['y'], attributes: {} },
  ],
};
const fused = (source: string): number => source.split('relaxed_madd').length - 1;

test('only where it is asked for, and said so', async () => {
  const [fast, relaxed] = [await compile(graph, { target: 'relaxed', fastMath: true }), await compile(graph, { target: 'relaxed' })];
  assert.ok(fused(fast.stages.source) > 0);
  assert.is(fused(relaxed.stages.source), 0);
  assert.equal([fast.manifest.fastMath, relaxed.manifest.fastMath], [true, undefined]);
  assert.ok(fast.manifest.features.includes('relaxed-simd'));
  assert.is(relaxed.manifest.features.includes('relaxed-simd'), false);
  assert.is(fast.stages.program, relaxed.stages.program);
  assert.match(fast.declaration, 'for relaxed with fast math.');
  for (const target of ['scalar', 'simd128', undefined] as const) {
    let told = '';
    await compile(graph, { target, fastMath: true }).catch((error: Error) => (told = error.message));
    assert.is(told, `error [target/unsupported] ${target ?? 'simd128'}: fast math is relaxed SIMD, which this target does not have\n  Compile with target relaxed, or without fastMath.`);
  }
});

test('an integer network keeps its exact roundings', async () => {
  const { stages } = await compile(readFileSync(`${root}examples/models/mlp_w2a2.onnx`), { target: 'relaxed', fastMath: true });
  assert.is(fused(stages.source), 0);
});

test('near the sum in float64', async () => {
  if (!relaxedNode) return console.log('SKIP fast math: no Node with relaxed SIMD; name one in SIGMAFLOW_NODE');
  const { wasm, manifest } = await compile(graph, { target: 'relaxed', fastMath: true });
  const x = Float32Array.from(draw(inputs));
  const { statuses, memory } = relaxedNode.run(wasm, [{ offset: manifest.inputs[0].offset, bytes: new Uint8Array(x.buffer) }], ['run']);
  assert.equal(statuses, [0]);
  const found = new Float32Array(memory, manifest.outputs[0].offset, 10);
  const middle = Array.from({ length: hidden }, (_, o) => Math.max(0, x.reduce((sum, v, i) => sum + v * first[i * hidden + o], 0)));
  const expected = Array.from({ length: 10 }, (_, o) => middle.reduce((sum, v, i) => sum + v * second[i * 10 + o], 0));
  const largest = Math.max(...expected.map(Math.abs));
  assert.ok(largest > 1);
  found.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) <= 1e-6 * largest, `${v} against ${expected[i]}`));
});

test.run();
