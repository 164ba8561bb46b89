/** Real networks under wasmtime: the bytes of the module's answers, as a device would get them. */
import fs from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { writeNpy } from '../../sdk/data/npy.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { hasWasmtime, python, runWasmtime } from '../support/wasmtime.js';

const folder = new URL('../../examples/models/', import.meta.url);

for (const file of fs.readdirSync(folder).filter((f) => f.endsWith('.onnx'))) {
  for (const target of ['scalar', 'simd128', 'relaxed'] as const) {
    test(`${file}, ${target}`, async () => {
      if (!hasWasmtime) return console.log(`SKIP wasmtime: ${python} has no wasmtime; pip install wasmtime, and name the interpreter in SIGMAFLOW_PYTHON`);
      const bytes = fs.readFileSync(new URL(file, folder));
      const { wasi } = await compile(bytes, { target, batch: 2, wasi: true });
      // Relaxed SIMD does not run in every Node; the bits are those of simd128.
      const { wasm } = await compile(bytes, { target: target === 'relaxed' ? 'simd128' : target, batch: 2 });
      const pixels = Float32Array.from({ length: 3 * 784 }, (_, i) => Math.fround(((i * 37) % 256) / 255));
      const { logits } = loadSync(wasm).run({ input: pixels });
      const { code, stdout, stderr } = await runWasmtime(wasi!, writeNpy({ shape: [3, 1, 28, 28], data: pixels }));
      assert.is(stderr, '');
      assert.is(code, 0);
      assert.equal(new Uint8Array(stdout), new Uint8Array(writeNpy(logits)));
    });
  }
}

test.run();
