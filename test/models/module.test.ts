/**
 * Facts of the modules of whole networks: size, imports, exports, memory, and that they use no WebAssembly feature but
 * those that their manifest states. Not their answers, and not the container's format (test/emit/module.test.ts).
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSections } from '../../codegen/emit/module.js';
import { compile } from '../../sdk/compile.js';
import { exampleNetworks, sharedNetworks } from './networks.js';

/** A data count belongs to the feature bulk-memory. */
const forbiddenSections: Readonly<Record<number, string>> = { 12: 'data count' };

/** The feature that an instruction of the text format needs: '' is WebAssembly 1.0, undefined one that no module may use. */
function featureOf(instruction: string): string | undefined {
  if (/^i(32|64)\.extend(8|16|32)_s$/.test(instruction)) return 'sign-extension';
  if (/\.trunc_sat_/.test(instruction)) return 'nontrapping-f2i';
  if (/relaxed/.test(instruction)) return undefined;
  if (/^(v128|i8x16|i16x8|i32x4|i64x2|f32x4|f64x2)\./.test(instruction)) return 'simd128';
  if (/^([if](32|64)\.[a-z]|(local|global)\.(get|set|tee)$|(block|loop|if|else|end|br|br_if|br_table|return|call|drop|select|unreachable|nop)$)/.test(instruction)) {
    return /\.atomic|\.add128|\.mul_wide/.test(instruction) ? undefined : '';
  }
  return undefined;
}

/** The instructions in a text of asc's, which has one a line. */
function instructions(wat: string): Set<string> {
  const lines = wat.split('\n').map((line) => line.trim());
  return new Set(lines.filter((line) => /^[a-z]/.test(line)).map((line) => /^[a-z0-9_.]+/.exec(line)![0]));
}

const networks = [...exampleNetworks(), ...sharedNetworks().filter(({ name }) => /TFC|kws_dscnn/.test(name))];

for (const network of networks) {
  for (const target of ['scalar', 'simd128'] as const) {
    test(`${network.name}, ${target}: imports nothing, exports memory and run, and uses what its manifest states`, async () => {
      const { wasm, manifest, stages, unit } = await compile(network.bytes, { target, wat: true });
      const module = new WebAssembly.Module(wasm as BufferSource);
      assert.equal(WebAssembly.Module.imports(module), []);
      assert.equal(WebAssembly.Module.exports(module).map((e) => `${e.kind} ${e.name}`).sort(), ['function run', 'memory memory']);
      for (const { id } of readSections(wasm)) assert.not.ok(forbiddenSections[id], `it has a section "${forbiddenSections[id]}"`);

      const pages = /\(memory \$\d+ (\d+) (\d+)\)/.exec(stages.wat!)!;
      assert.is(pages[1], pages[2], 'memory is fixed');
      const { memory } = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory };
      assert.is(memory.buffer.byteLength, Number(pages[1]) * 65536);
      assert.throws(() => memory.grow(1));
      for (const { name, hash, offset } of Object.values(unit.program.buffers)) {
        const bytes = hash === undefined ? undefined : unit.data.get(hash)!;
        if (bytes) assert.equal(new Uint8Array(memory.buffer, offset!, bytes.length), bytes, `${name} is in memory before anything runs`);
      }
      assert.ok(manifest.arenaBytes <= memory.buffer.byteLength && memory.buffer.byteLength - manifest.arenaBytes < 2 * 65536, `${manifest.arenaBytes} of ${memory.buffer.byteLength} bytes`);

      const used = instructions(stages.wat!);
      assert.ok(used.size > 10, 'the text was read');
      for (const instruction of used) {
        const feature = featureOf(instruction);
        assert.ok(feature === '' || (feature !== undefined && manifest.features.includes(feature)), `${instruction} is not of ${manifest.features.join(', ')}`);
      }
      assert.is(stages.wat!.includes('v128'), target === 'simd128');
    });
  }
}

test('a module of the 2-bit network is small', async () => {
  const network = networks.find(({ name }) => name.endsWith('TFC_2W2A.onnx'));
  if (!network) return;
  const { wasm } = await compile(network.bytes);
  console.log(`TFC_2W2A: ${wasm.length} bytes`);
  assert.ok(wasm.length <= 14_752 + 24_576, `packed weights and 24 KB; the module has ${wasm.length} bytes`);
});

test('a WASI command exports memory and _start, and imports WASI alone', async () => {
  const { wasi } = await compile(exampleNetworks()[0].bytes, { wasi: true });
  const module = new WebAssembly.Module(wasi as BufferSource);
  assert.equal(WebAssembly.Module.exports(module).map((e) => e.name).sort(), ['_start', 'memory']);
  assert.ok(WebAssembly.Module.imports(module).every((i) => i.module === 'wasi_snapshot_preview1'));
});

test.run();
