/** The assembler: no imports, fixed memory, only the features asked for, errors in words, nothing loaded before use. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSections } from '../../codegen/emit/module.js';
import { assemble, toolchain } from '../../sdk/host/assembler.js';

const options = { entry: 'entry.ts', features: ['simd128'], memoryBase: 2048, pages: 1, optimizeLevel: 2, shrinkLevel: 0 };
const library = 'export function twice(v: v128): v128 { return f32x4.add(v, v); }\n';
const entry = `import { twice } from './library';
export function run(): i32 {
  v128.store(1024, twice(v128.load(1024)));
  store<i32>(1040, <i32>nearest<f32>(load<f32>(1024)));
  return 0;
}
`;

test('a module without imports, over fixed memory', async () => {
  const { binary, wat } = await assemble({ 'entry.ts': entry, 'library.ts': library }, { ...options, wat: true });
  const module = new WebAssembly.Module(binary as BufferSource);
  assert.equal(WebAssembly.Module.imports(module), []);
  assert.equal(WebAssembly.Module.exports(module).map((e) => e.name).sort(), ['memory', 'run']);
  assert.equal(readSections(binary).filter((s) => s.name === 'dataCount'), []);
  assert.match(wat!, 'f32x4.add');
  const { memory, run } = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory; run: () => number };
  new Float32Array(memory.buffer, 1024, 4).set([1.25, 2, 3, 4]);
  assert.is(run(), 0);
  assert.equal([...new Float32Array(memory.buffer, 1024, 4)], [2.5, 4, 6, 8]);
  assert.throws(() => memory.grow(1), /grow/);
});

test('static data lies from memoryBase on', async () => {
  const { binary } = await assemble({ 'entry.ts': "const text = '∑';\nexport function at(): usize { return changetype<usize>(text); }\n" }, { ...options, features: [] });
  const { at, memory } = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource)).exports as { at: () => number; memory: WebAssembly.Memory };
  assert.ok(at() >= 2048);
  assert.is(new Uint16Array(memory.buffer)[at() / 2], 0x2211);
});

test('bulk-memory only on demand; SIMD is refused where the target lacks it', async () => {
  const copy = 'export function run(): void { memory.copy(1024, 2048, 512); }\n';
  const [plain, bulk] = await Promise.all([[], ['bulk-memory']].map((features) => assemble({ 'entry.ts': copy }, { ...options, features, wat: true })));
  assert.not.match(plain.wat!, 'memory.copy');
  assert.match(bulk.wat!, 'memory.copy');
  let message = '';
  await assemble({ 'entry.ts': entry, 'library.ts': library }, { ...options, features: [] }).catch((error) => (message = error.message));
  assert.match(message, "error [compile/assembler] entry.ts: ERROR AS103: Feature 'simd' is not enabled.");
});

test('errors of the assembler in words', async () => {
  let message = '';
  await assemble({ 'entry.ts': 'export function run(): i32 { return nothing; }\n' }, options).catch((error) => (message = error.message));
  assert.is(
    message,
    `error [compile/assembler] entry.ts: ERROR TS2304: Cannot find name 'nothing'.
     :
   1 │ export function run(): i32 { return nothing; }
     │                                     ~~~~~~~
     └─ in entry.ts(1,37)
  FAILURE 1 compile error(s)
  This is a fault of the compiler. Report it with the model, or with what \`--emit source\` wrote.`,
  );
});

test('the toolchain has the library, and loads the assembler on first use only', async () => {
  assert.match(toolchain().library['stream.ts'], 'wasi_snapshot_preview1');
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../sdk/host/assembler.ts', import.meta.url))],
    bundle: true, write: false, metafile: true, outfile: 'assembler.js', format: 'esm', platform: 'node', external: ['assemblyscript'],
  });
  const imports = metafile.outputs['assembler.js'].imports.filter((i) => i.path.startsWith('assemblyscript'));
  assert.equal(imports.map((i) => [i.path, i.kind]), [['assemblyscript/asc', 'dynamic-import']]);
});

test.run();
