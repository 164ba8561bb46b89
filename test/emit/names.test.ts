/** Names of nodes become names of functions: words of AssemblyScript and its built-in functions are no obstacle. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import type { Graph } from '../../codegen/ir/graph.js';

test('nodes called class, load, f32, memory, select and run', async () => {
  const names = ['class', 'load', 'f32', 'memory', 'select', 'run', 'v128', 'Math', 'sqrt'];
  const nodes = names.map((name, i) => ({ name, op: i % 2 ? 'Neg' : 'Softmax', inputs: [i === 0 ? 'x' : `t${i - 1}`], outputs: [`t${i}`], attributes: {} }));
  const outputs = [`t${names.length - 1}`];
  const values = Object.fromEntries([['x', { name: 'x', shape: [1, 5], dtype: 'float32' as const }], ...names.map((_, i) => [`t${i}`, { name: `t${i}` }] as const)]);
  const graph = (renamed: (name: string) => string): Graph => ({ name: 'words', inputs: ['x'], outputs, values, constants: {}, nodes: nodes.map((n) => ({ ...n, name: renamed(n.name) })) });
  const answer = async (g: Graph): Promise<number[]> => Array.from((loadSync((await compile(g)).wasm as Uint8Array<ArrayBuffer>).run({ x: Float32Array.of(1, 2, 3, 4, 5) }) as Record<string, { data: Float32Array }>)[outputs[0]].data);
  assert.equal(await answer(graph((name) => name)), await answer(graph((name) => `node_${name}`)));
});

test.run();
