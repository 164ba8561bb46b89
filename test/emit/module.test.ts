/** The container: spliced data is in memory after instantiation, zeros cost nothing, the manifest comes back. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { finishModule, readSections } from '../../codegen/emit/module.js';
import { readManifest } from '../../sdk/runtime/index.js';
import { manifestVersion, type Manifest } from '../../sdk/runtime/manifest.js';

const manifest: Manifest = {
  version: manifestVersion, name: 'tiny', batch: 1, target: 'scalar', features: [], inputs: [], outputs: [], arenaBytes: 65536, constantBytes: 0,
  temporaryBytes: 0, programHash: '', statuses: { 0: 'success' }, entries: ['run'], compiler: 'test ✓',
};

const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const memorySection = [5, 3, 1, 0, 2]; // two pages
const exportSection = [7, 10, 1, 6, 109, 101, 109, 111, 114, 121, 2, 0]; // "memory"
/** Two pages, exported; further sections as given (in order). */
const module = (...after: number[]) => Uint8Array.from([...preamble, ...memorySection, ...exportSection, ...after]);

function memoryOf(binary: Uint8Array): Uint8Array {
  assert.ok(WebAssembly.validate(binary as BufferSource), 'the module is valid');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource));
  return new Uint8Array((instance.exports.memory as WebAssembly.Memory).buffer);
}

test('segments reach memory; zeros are not stored', () => {
  const weights = new Uint8Array(60000);
  for (let i = 0; i < weights.length; i++) weights[i] = i % 64 < 40 ? (i * 7) & 255 : 0;
  weights.fill(0, 1000, 30000);
  const finished = finishModule(module(), { data: [{ offset: 16, bytes: weights }, { offset: 131072 - 3, bytes: Uint8Array.of(1, 2, 3) }] });
  const bytes = memoryOf(finished);
  assert.equal(bytes.slice(16, 60016), weights);
  assert.equal(bytes.slice(-3), Uint8Array.of(1, 2, 3));
  assert.is(bytes.subarray(60016, 131069).findIndex((b) => b !== 0), -1);
  assert.ok(finished.length < 26000, `about 21,000 bytes are not zero; the module has ${finished.length}`);
  assert.is(finishModule(module(), { data: [{ offset: 0, bytes: new Uint8Array(131072) }] }).length, module().length);
});

test('short runs of zeros do not make segments', () => {
  const bytes = Uint8Array.from({ length: 4000 }, (_, i) => (i % 16 === 0 ? 1 : 0));
  const finished = finishModule(module(), { data: [{ offset: 0, bytes }] });
  assert.equal(memoryOf(finished).slice(0, 4000), bytes);
  assert.ok(finished.length < module().length + 4000 + 20);
});

test('there are never too many segments', () => {
  const bytes = new Uint8Array(2 ** 17);
  for (let i = 0; i < bytes.length; i += 4) if (i % 64 === 0 && i < 2 ** 17) bytes[i] = 1; // 2048 pieces at most
  const many = Array.from({ length: 12 }, (_, k) => ({ offset: 0, bytes: bytes.slice(k) }));
  const finished = finishModule(module(), { data: many });
  const data = readSections(finished).find((s) => s.name === 'data')!;
  const count = (finished[data.start] & 127) + (finished[data.start + 1] & 127) * 128;
  assert.ok(count <= 10_000, `${count} segments`);
  assert.ok(WebAssembly.validate(finished as BufferSource));
});

test('the module keeps its own segments, and DataCount agrees', () => {
  const own = [11, 8, 1, 0, 0x41, 4, 0x0b, 2, 9, 9];
  const count = [12, 1, 1];
  const code = [10, 1, 0];
  const type = [1, 1, 0], functions = [3, 1, 0];
  const binary = Uint8Array.from([...preamble, ...type, ...functions, ...memorySection, ...exportSection, ...count, ...code, ...own]);
  const finished = finishModule(binary, { data: [{ offset: 70000, bytes: Uint8Array.of(5) }] });
  const bytes = memoryOf(finished);
  assert.equal([bytes[4], bytes[5], bytes[70000]], [9, 9, 5]);
  assert.equal(readSections(finished).map((s) => s.name), ['type', 'function', 'memory', 'export', 'dataCount', 'code', 'data']);
});

/** Little-endian 16-bit integers. */
const shorts = (values: readonly number[]): Uint8Array => new Uint8Array(Int16Array.from(values).buffer);

test('16-bit integers that fit 8 bits are stored as bytes, and widened before anything runs', () => {
  const values = Array.from({ length: 4096 }, (_, i) => ((i * 37) % 256) - 128);
  const [first, second] = [shorts(values), shorts([-128, 127, -1, 0, 1, 2, 3, 4])];
  const data = [{ offset: 64, bytes: first, narrow: true }, { offset: 120000, bytes: second, narrow: true }, { offset: 130000, bytes: Uint8Array.of(7) }];
  const finished = finishModule(module(), { data });
  const bytes = memoryOf(finished);
  assert.equal(bytes.slice(64, 64 + first.length), first);
  assert.equal(bytes.slice(120000, 120016), second);
  assert.is(bytes[130000], 7);
  assert.is(bytes.reduce((n, b) => n + (b === 0 ? 0 : 1), 0), [...first, ...second, 7].filter((b) => b !== 0).length, 'nothing else is left');
  assert.ok(finished.length < module().length + values.length + 160, `${finished.length} bytes`);
  assert.equal(readSections(finished).map((s) => s.name), ['type', 'function', 'memory', 'export', 'start', 'code', 'data']);
});

test('what does not fit 8 bits, or no whole vectors, stays as it is', () => {
  for (const values of [[0, 1, 2, 3, 4, 5, 6, 128], [0, 1, 2, 3, 4, 5, 6, -129], [1, 2, 3, 4]]) {
    const finished = finishModule(module(), { data: [{ offset: 32, bytes: shorts(values), narrow: true }] });
    assert.equal(memoryOf(finished).slice(32, 32 + 2 * values.length), shorts(values));
    assert.not.ok(readSections(finished).some((s) => s.name === 'start'));
  }
});

test("a module's own functions keep their numbers, and its start function runs after constants were widened", () => {
  const type = [1, 4, 1, 0x60, 0, 0], functions = [3, 2, 1, 0], own = [8, 1, 0];
  // Doubles the byte at 64.
  const code = [10, 17, 1, 15, 0, 0x41, 0xc0, 0, 0x41, 0xc0, 0, 0x2d, 0, 0, 0x41, 1, 0x74, 0x3a, 0, 0, 0x0b];
  code[1] = code.length - 2;
  code[3] = code.length - 4;
  const binary = Uint8Array.from([...preamble, ...type, ...functions, ...memorySection, ...exportSection, ...own, ...code]);
  const bytes = memoryOf(finishModule(binary, { data: [{ offset: 64, bytes: shorts([21, 1, 2, 3, 4, 5, 6, 7]), narrow: true }] }));
  assert.equal([bytes[64], bytes[66]], [42, 1]);
});

test('the manifest comes back; other custom sections go, names on demand', () => {
  const binary = module(0, 6, 4, 110, 97, 109, 101, 0, 0, 9, 8, 112, 114, 111, 100, 117, 99, 101, 114); // name, producer
  const finished = finishModule(binary, { data: [], manifest });
  assert.equal(readManifest(finished), manifest);
  assert.equal(readSections(finished).map((s) => s.name), ['memory', 'export', 'sigmaflow']);
  const named = readSections(finishModule(binary, { data: [], manifest, names: true })).map((s) => s.name);
  assert.equal(named, ['memory', 'export', 'name', 'sigmaflow']);
  assert.is(WebAssembly.Module.customSections(new WebAssembly.Module(finished as BufferSource), 'sigmaflow').length, 1);
  assert.equal(finishModule(finished, { data: [], manifest }), finished);
});

function text(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

test('bytes that are no module, and data outside memory', () => {
  assert.is(
    text(() => readSections(new TextEncoder().encode('<!doctype html>'), 'net.wasm')),
    'error [module/not-a-module] net.wasm: expected a WebAssembly module, which begins with 00 61 73 6d 01 00 00 00; found 3c 21 64 6f 63 74 79 70\n  Give the .wasm file that `sigmaflow compile` wrote.',
  );
  assert.is(
    text(() => readSections(module().subarray(0, 20), 'net.wasm')),
    'error [module/not-a-module] net.wasm: the section at byte 13 ends at byte 25 of 20\n  The file is damaged or cut off. Compile the model again.',
  );
  assert.match(text(() => readSections(module(14, 0))), 'has the unknown id 14');
  assert.match(text(() => finishModule(module(), { data: [{ offset: 131071, bytes: Uint8Array.of(1, 2) }] })), "error [program/invalid]: constant bytes 131071 to 131073 lie outside the module's memory of 2 pages");
});

test.run();
