/** Reassociation: where fast math adds float sums up in more partial sums, that they are the interpreter's, and where it leaves them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses, targetOf } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import { compile } from '../../sdk/compile.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';

const fast = targetOf('relaxed', { fastMath: true });

function reduceSum(shape: readonly number[], axis: number): Graph {
  const g = new GraphBuilder();
  return g.build(g.node('ReduceSum', [g.input('x', [...shape]), g.constant('axes', [1], [axis], 'int32')], { keepdims: 0 }));
}

const stepsOf = (graph: Graph): readonly string[] => (build(runPasses(graph), fast).program.steps ?? []).filter((s) => s.startsWith('reassociate'));

test('sums without lanes, and one vector of partial sums, become as many as divide the reduction', () => {
  assert.equal(stepsOf(reduceSum([1, 64, 128], 2)), ['reassociate ReduceSum_0: 16 partial sums']);
  assert.equal(stepsOf(reduceSum([1, 6, 40], 2)), ['reassociate ReduceSum_0: 8 partial sums']);
  assert.equal(stepsOf(reduceSum([1, 4096], 1)), ['reassociate ReduceSum_0: 16 partial sums']);
});

test('left alone: an odd reduction, lanes over outputs, another target, no fast math', () => {
  assert.equal(stepsOf(reduceSum([1, 64, 127], 2)), []);
  assert.equal(stepsOf(reduceSum([1, 64, 128], 1)), []);
  for (const name of ['scalar', 'simd128', 'relaxed']) {
    const { program } = build(runPasses(reduceSum([1, 64, 128], 2)), targetOf(name));
    assert.equal((program.steps ?? []).filter((s) => s.startsWith('reassociate')), [], name);
  }
});

for (const [rows, columns] of [[64, 128], [5, 40], [1, 1024]]) {
  test(`${rows} sums of ${columns}: the module has the interpreter's bits, and is near the sum in float64`, async () => {
    const graph = reduceSum([1, rows, columns], 2);
    const random = new Random(9);
    const x = Float32Array.from({ length: rows * columns }, () => random.float(-1, 1));
    const unit = build(runPasses(graph), fast);
    const bits = (values: ArrayLike<number>): number[] => [...new Int32Array(Float32Array.from(values).buffer)];
    const interpreted = [false, true].map((scheduled) => bits(createInterpreter(unit, { scheduled, tensors: unit.program.outputs }).run({ x }).get(unit.program.outputs[0])! as Float32Array));
    // No products, so no instruction of relaxed SIMD: any engine runs it.
    const { wasm, manifest } = await compile(graph, { target: 'relaxed', fastMath: true });
    const exports = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource)).exports as { memory: WebAssembly.Memory; run(): number };
    new Float32Array(exports.memory.buffer, manifest.inputs[0].offset, x.length).set(x);
    assert.is(exports.run(), 0);
    const found = new Float32Array(exports.memory.buffer, manifest.outputs[0].offset, rows);
    const reference = Array.from({ length: rows }, (_, r) => x.slice(r * columns, (r + 1) * columns).reduce((sum, v) => sum + v, 0));
    for (const expected of interpreted) assert.equal(bits(found), expected);
    found.forEach((v, r) => assert.ok(Math.abs(v - reference[r]) <= 1e-5 * columns ** 0.5, `${v} against ${reference[r]}`));
  });
}

test.run();
