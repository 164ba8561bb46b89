/** Minima and maxima with constants keep NaN, infinities and the signs of zeros, whichever instruction does them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/index.js';
import { loadSync } from '../../sdk/runtime/index.js';
import type { CompileOptions } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { GraphBuilder } from '../support/graphs.js';

const values = [-0, 0, NaN, Infinity, -Infinity, 1e-45, -1e-45, 3, -3, 2.5, -2.5, 6, 7, -7, 3.4e38, -3.4e38];

/** A number's bits, NaN all alike. */
const bitsOf = (x: number): number => (Number.isNaN(x) ? 0x7fc00000 : new Int32Array(Float32Array.of(x).buffer)[0]);

async function run(graph: Graph, options: CompileOptions): Promise<{ bits: number[]; source: string }> {
  const { wasm, stages } = await compile(graph, options);
  const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
  const { data } = model.run(Float32Array.from(values))[model.manifest.outputs[0].name];
  return { bits: Array.from(data as Float32Array, bitsOf), source: stages.source };
}

const input = (b: GraphBuilder): string => b.input('x', [1, values.length]);
const scalar = (b: GraphBuilder, name: string, value: number): string => b.constant(name, [], [value]);

for (const c of [0, -0, 2.5, -2.5]) {
  for (const op of ['min', 'max'] as const) {
    test(`${op} of x and ${Object.is(c, -0) ? '-0' : c}`, async () => {
      const b = new GraphBuilder();
      const bounds = op === 'max' ? [scalar(b, 'c', c)] : ['', scalar(b, 'c', c)];
      const graph = b.build(b.node('Clip', [input(b), ...bounds]));
      // JavaScript's Math.min and Math.max have WebAssembly's meaning.
      const expected = values.map((x) => bitsOf(Math[op](Math.fround(x), c)));
      for (const options of [{}, { target: 'scalar' }, { processor: 'arm64' }] as const) assert.equal((await run(graph, options)).bits, expected, JSON.stringify(options));
    });
  }
}

test('a Relu after a sum is one instruction; x86 gets no exact maximum', async () => {
  const b = new GraphBuilder();
  const identity = b.constant('w', [16, 16], Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0)));
  const bias = b.constant('b', [16], new Array<number>(16).fill(-0));
  const x = b.node('Clip', [input(b), scalar(b, 'low', -100), scalar(b, 'high', 100)]);
  const graph = b.build(b.node('Relu', [b.node('Gemm', [x, identity, bias])]));
  const found = await run(graph, {});
  assert.match(found.source, /f32x4\.pmax\(/);
  assert.not.match(found.source, /f32x4\.max\(|f32x4\.add\(f32x4\.pmax/);
  assert.equal(found.bits, (await run(graph, { target: 'scalar' })).bits);
  const arm = await run(graph, { processor: 'arm64' });
  assert.match(arm.source, /f32x4\.max\(/);
  assert.equal(arm.bits, found.bits);
});

test.run();
