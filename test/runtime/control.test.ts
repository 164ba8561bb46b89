/** Inputs that say how to run: defaults, ranges, and the batch offset, which sessions, pools and the WASI command count on. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declaration } from '../../codegen/emit/declaration.js';
import { finishModule } from '../../codegen/emit/module.js';
import { wasiEntry, wasiWorkBytes } from '../../codegen/emit/wasi.js';
import { readNpyStream, writeNpy } from '../../sdk/data/npy.js';
import { assemble, toolchain } from '../../sdk/host/assembler.js';
import { createPool } from '../../sdk/host/pool.node.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { manifestVersion, type Manifest, type ManifestControl } from '../../sdk/runtime/manifest.js';
import { refuses } from '../support/refuses.js';

const batch = 2;
const control = (meaning: ManifestControl['meaning'], usual: number[], range: [number, number]) => ({ batched: false, control: { meaning, default: usual, range } });
const manifest: Manifest = {
  version: manifestVersion, name: 'controlled', batch, target: 'scalar', features: [],
  inputs: [
    { name: 'x', shape: [batch], dtype: 'float32', storage: 'float32', offset: 1024, batched: true },
    { name: 'count', shape: [], dtype: 'int32', storage: 'int32', offset: 1040, ...control('samples', [30], [1, 100]) },
    { name: 'seed', shape: [2], dtype: 'uint32', storage: 'uint32', offset: 1056, ...control('seed', [7, 0], [0, 2 ** 32 - 1]) },
    { name: 'place', shape: [], dtype: 'int32', storage: 'int32', offset: 1072, ...control('batchOffset', [0], [0, 2 ** 31 - 1]) },
  ],
  outputs: [{ name: 'y', shape: [batch, 4], dtype: 'float32', storage: 'float32', offset: 2048, batched: true }],
  arenaBytes: 4096, constantBytes: 0, temporaryBytes: 0, programHash: '00', statuses: { 0: 'success' }, entries: ['run'], compiler: 'sigmaflow test',
};
/** y[n] = the place of inference n among all, the count, the two words of the seed. */
const source = `export function run(): i32 {
  for (let n: usize = 0; n < ${batch}; n++) {
    store<f32>(2048 + 16 * n, <f32>(load<i32>(1072) + <i32>n));
    store<f32>(2052 + 16 * n, <f32>load<i32>(1040));
    store<f32>(2056 + 16 * n, <f32>load<u32>(1056));
    store<f32>(2060 + 16 * n, <f32>load<u32>(1060));
  }
  return 0;
}
`;
const data = manifest.inputs.slice(1).map((t) => ({ offset: t.offset, bytes: new Uint8Array(Uint32Array.from(t.control!.default).buffer) }));
const options = { features: [], memoryBase: 4096, optimizeLevel: 1, shrinkLevel: 0 };
const wasm = finishModule((await assemble({ 'entry.ts': source }, { ...options, entry: 'entry.ts', pages: 1 })).binary, { data, manifest });
const entry = { ...toolchain().library, 'model.ts': source, 'entry.ts': wasiEntry(manifest) };
const command = finishModule((await assemble(entry, { ...options, entry: 'entry.ts', pages: Math.ceil((4096 + wasiWorkBytes) / 65536), maximumPages: 100 })).binary, { data, manifest });

const x = (n: number): Float32Array => new Float32Array(n);
/** What y is for n inferences. */
const expected = (n: number, count = 30, low = 7, high = 0, first = 0): number[] => Array.from({ length: n }, (_, i) => [first + i, count, low, high]).flat();

test('what is left away has its default, also after a call that gave it; the offset counts on', () => {
  const model = loadSync(wasm);
  const run = (n: number, more: object = {}): number[] => [...model.run({ x: x(n), ...more }).y.data as Float32Array];
  assert.equal(run(5), expected(5));
  assert.equal([...model.run(x(3)).y.data as Float32Array], expected(3));
  assert.equal(run(3, { count: 4, seed: 3 * 2 ** 32 + 9 }), expected(3, 4, 9, 3));
  assert.equal(run(1, { seed: [1, 2], count: Int32Array.of(5), place: 100 }), expected(1, 5, 1, 2, 100));
  assert.equal(run(5, { place: { data: [100] } }), expected(5, 30, 7, 0, 100));
  assert.equal(run(2), expected(2));
  // written by hand, or not at all
  const session = model.session();
  session.run();
  assert.equal([...session.outputs.y.data as Float32Array], expected(2));
});

test('what does not fit is refused by name', () => {
  const run = (more: object) => () => loadSync(wasm).run({ x: x(1), ...more });
  refuses(run({ count: 0 }), 'error [run/data-type] count: expected a whole number of 1 to 100, found 0\n  Give such a number, or leave it away.');
  refuses(run({ count: 2.5 }), /count: expected a whole number of 1 to 100, found 2.5/);
  refuses(run({ seed: [1] }), 'error [run/shape] seed: expected 2 elements, found 1\n  Give a number, or leave it away.');
  refuses(run({ count: 'many' }), /^error \[run\/data-type\] count: expected int32 elements in a Int32Array, found string/);
  refuses(() => loadSync(wasm).run({ count: 3 }), 'error [run/missing-input] x: expected float32 [N], found nothing\n  Give it by name: { x }.');
});

for (const shared of [true, false]) {
  test(`a pool counts on ${shared ? 'over shared memory' : 'in messages'}`, async () => {
    const pool = await createPool(wasm, { threads: 2, shared });
    for (const n of [1, 7, 20000]) assert.equal([...(await pool.run({ x: x(n), place: 3, count: 2 })).y.data as Float32Array], expected(n, 2, 7, 0, 3));
    assert.equal([...(await pool.run(x(3))).y.data as Float32Array], expected(3));
    await pool.close();
  });
}

test('the WASI command takes them as options, and counts on', async () => {
  const run = async (n: number, ...args: string[]) => {
    const { code, stdout, stderr } = await runWasi(command, writeNpy({ shape: [n], data: x(n) }), args);
    return code === 0 ? [...readNpyStream(stdout)[0].data as Float32Array] : stderr;
  };
  assert.equal(await run(5), expected(5));
  assert.equal(await run(3, '--samples', '100', '--seed', '4294967298'), expected(3, 100, 2, 1));
  assert.is(await run(1, '--samples', '101'), 'error [cli/usage] --samples: expected a whole number of 1 to 100.\n');
  assert.is(await run(1, '--samples'), 'error [cli/usage] --samples: expected a whole number of 1 to 100.\n');
  assert.is(await run(1, '--seed', '18446744073709551616'), 'error [cli/usage] --seed: expected a whole number of 0 to 18446744073709551615.\n');
  assert.is(await run(1, '--sample', '3'), 'error [cli/usage] --sample: there is no such option. Valid: --samples, --seed, --json, --help.\n');
  const help = new TextDecoder().decode((await runWasi(command, x(0) as unknown as Uint8Array, ['--help'])).stdout);
  assert.match(help, '  "x"  float32 (N,)\nStandard output');
  assert.match(help, '  --samples N  1 to 100 (default 30)\n  --seed N  of the random numbers (default 7)\n');
});

test('the declaration lets them be left away', () => {
  assert.match(declaration(manifest), '    /** int32 scalar; 30 where it is not given */\n    count?: Int32Array;\n    /** uint32 [2]; 7, 0 where it is not given */\n    seed?: Uint32Array;\n');
  assert.match(declaration(manifest), '// inputs: { x: Float32Array }');
});

test.run();
