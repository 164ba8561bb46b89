/** Random graphs as WASI commands: the bytes of the module's answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { writeNpy } from '../../sdk/data/npy.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { hasWasmtime, python, runWasmtime } from '../support/wasmtime.js';
import { kinds, randomCase } from './graphs.js';

for (const kind of kinds) {
  for (const seed of [4, 9, 17]) {
    test(`${kind} ${seed}`, async () => {
      const { graph, inputs } = randomCase(kind, seed);
      const { wasm, wasi, manifest } = await compile(graph, { target: seed === 4 ? 'scalar' : 'simd128', wasi: true });
      const types = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array };
      const given = manifest.inputs.map((t) => ({ name: t.name, shape: t.shape, data: types[t.storage].from(inputs[t.name]) }));
      const answers = loadSync(wasm).run(Object.fromEntries(given.map((t) => [t.name, t.data])));
      const expected = Buffer.concat(manifest.outputs.map((t) => writeNpy(answers[t.name])));
      const stdin = new Uint8Array(Buffer.concat(given.map(writeNpy)));
      const node = await runWasi(wasi!, stdin);
      assert.is(node.stderr, '');
      assert.equal(new Uint8Array(node.stdout), new Uint8Array(expected));
      if (!hasWasmtime) return console.log(`SKIP wasmtime: ${python} has no wasmtime; pip install wasmtime, and name the interpreter in SIGMAFLOW_PYTHON`);
      const wasmtime = await runWasmtime(wasi!, stdin);
      assert.is(wasmtime.stderr, '');
      assert.equal(new Uint8Array(wasmtime.stdout), new Uint8Array(expected));
      const relaxed = await runWasmtime((await compile(graph, { target: 'relaxed', wasi: true })).wasi!, stdin);
      assert.is(relaxed.stderr, '');
      assert.equal(new Uint8Array(relaxed.stdout), new Uint8Array(expected));
    });
  }
}

test.run();
