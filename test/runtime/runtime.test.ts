/** The runtime on a hand-written module: batches, views, sessions, and the whole text of every error. */
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { suggest as compilerSuggest } from '../../codegen/ir/diagnostic.js';
import { suggest } from '../../sdk/runtime/error.js';
import { load, loadSync, readManifest } from '../../sdk/runtime/index.js';
import { predictions } from '../../sdk/runtime/predict.js';
import { TensorView } from '../../sdk/runtime/tensor.js';
import { tinyManifest, tinyModule, type TinyTypes } from './tiny.js';

const two = await tinyModule(2);
const x = (n: number) => Float32Array.from({ length: 3 * n }, (_, i) => i + 1);
const code = (n: number) => Int8Array.from({ length: 2 * n }, (_, i) => (i % 16) - 8);
const gain = Float32Array.of(6);
const expectedY = (n: number) => Array.from(x(n), (v) => 2 * v);
const expectedSum = (n: number) => Array.from({ length: n }, (_, i) => code(n)[2 * i] + 16 * code(n)[2 * i + 1]);

function text(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.is((error as Error).name, 'ModelError');
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

test('any number of inputs runs in calls of one batch', async () => {
  const model = await load<TinyTypes>(two);
  for (const n of [1, 2, 3, 4, 7]) {
    const { y, sum } = model.run({ x: x(n), code: code(n), gain });
    assert.equal([y.shape, sum.shape], [[n, 3], [n]]);
    assert.equal([...y.data], expectedY(n));
    assert.equal([...sum.data], expectedSum(n));
    assert.equal([y.dtype, sum.dtype, y.name], ['float32', 'int32', 'y']);
  }
});

test('outputs are views that the next run overwrites; copy detaches', () => {
  const model = loadSync<TinyTypes>(two);
  const { y } = model.run({ x: x(2), code: code(2), gain });
  const kept = y.copy();
  model.run({ x: new Float32Array(6), code: code(2), gain });
  assert.equal([...y.data], [0, 0, 0, 0, 0, 0]);
  assert.equal([...kept.data], expectedY(2));
  assert.equal(kept.shape, [2, 3]);
});

test('sessions have memory of their own; views are written in place', () => {
  const model = loadSync<TinyTypes>(new WebAssembly.Module(two));
  const [a, b] = [model.session(), model.session()];
  for (const [session, value] of [[a, 3], [b, 30]] as const) {
    session.inputs.x.data.fill(value);
    session.inputs.gain.data[0] = 1;
  }
  assert.is(a.run().y.data[5], 1);
  assert.is(b.run().y.data[5], 10);
  assert.is(a.outputs.y.data[5], 1);
  assert.is(a.outputs.y.data.buffer, a.inputs.x.data.buffer);
  a.dispose();
  const disposed = 'error [run/disposed] tiny: the session was disposed\n  Make a new one with model.session().';
  assert.is(text(() => a.run()), disposed);
  assert.is(text(() => a.inputs), disposed);
  assert.is(text(() => a.outputs), disposed);
  assert.is(b.run().y.data[5], 10);
  model.dispose();
  assert.is(text(() => model.run({ x: x(1), code: code(1), gain })), disposed);
});

test('every source: bytes, views into larger buffers, Response, promises', async () => {
  const shifted = new Uint8Array(two.length + 8);
  shifted.set(two, 8);
  const response = () => new Response(two, { headers: { 'content-type': 'text/plain' } });
  for (const source of [two, two.buffer, shifted.subarray(8), response(), Promise.resolve(response()), await WebAssembly.compile(two), Buffer.from(two)]) {
    const model = await load<TinyTypes>(source);
    assert.equal([...model.run({ x: x(1), code: code(1), gain }).y.data], expectedY(1));
  }
  assert.equal(readManifest(two), tinyManifest(2));
});

test('shapes and plain numbers may be given; the last inference fills the batch', () => {
  const model = loadSync<TinyTypes>(two);
  const { y } = model.run({ x: { data: x(3), shape: [3, 3] }, code: { data: code(3), shape: [3, 2] }, gain: [6] });
  assert.equal([...y.data], expectedY(3));
  assert.equal(model.run({ x: { data: [1, 2, 3], shape: [3] }, code: [-8, 7], gain }).sum.data[0], -8 + 16 * 7);
  const session = model.session();
  session.run({ x: x(1), code: code(1), gain });
  assert.equal([...session.inputs.x.data], [1, 2, 3, 1, 2, 3]);
});

test('a model with one input takes the array itself', async () => {
  const manifest = tinyManifest(2);
  const model = loadSync(await tinyModule(2, { inputs: manifest.inputs.slice(0, 1) }));
  const run = (given: Parameters<typeof model.run>[0]) => model.run(given).y.shape[0];
  assert.equal([run(x(3)), run([...x(3)]), run({ data: x(3), shape: [3, 3] }), run({ x: x(3) })], [3, 3, 3, 3]);
});

test('predictions', () => {
  const manifest = tinyManifest(1);
  const view = (data: Float32Array | Int32Array, shape: number[]) => new TensorView('y', data, shape, 'float32');
  const [first, second] = predictions(manifest, view(Float32Array.of(0, 2, 2, 0.25, 0.5, 0.25), [2, 3]));
  assert.equal([first.index, first.label, first.score], [1, 'one', 2]);
  assert.ok(Math.abs(first.probability! - Math.exp(2) / (2 * Math.exp(2) + 1)) < 1e-12);
  assert.equal(second, { index: 1, label: 'one', score: 0.5, probability: 0.5 });
  assert.equal(predictions(manifest, view(Int32Array.of(2, 0), [2, 1])), [{ index: 2, label: 'two' }, { index: 0, label: 'zero' }]);
  assert.equal(predictions({ ...manifest, labels: undefined }, view(Int32Array.of(5, 9), [1, 2])), [{ index: 1, label: undefined, score: 9, probability: undefined }]);
  const model = loadSync<TinyTypes>(two);
  assert.equal(model.predict({ x: x(3), code: code(3), gain }).map((p) => p.label), ['two', 'two', 'two']);
});

test('inputs that do not fit are refused before anything runs', () => {
  const model = loadSync<TinyTypes>(two);
  const run = (inputs: object) => text(() => model.run(inputs as never));
  const good = { x: x(1), code: code(1), gain };
  assert.is(run({ code: code(1), gain }), 'error [run/missing-input] x: expected float32 [N, 3], found nothing\n  Give it by name: { x, code, gain }.');
  assert.is(run(x(1)), 'error [run/missing-input] code: expected 3 inputs, found one array\n  Give them by name: { x, code, gain }.');
  assert.is(run({ ...good, gian: gain }), 'error [run/unknown-input] gian: the model has no such input\n  Did you mean "gain"?');
  assert.is(run({ ...good, picture: gain }), 'error [run/unknown-input] picture: the model has no such input\n  Valid: x, code, gain.');
  assert.is(run({ ...good, x: x(1).subarray(1) }), 'error [run/shape] x: expected shape [N, 3], which is N times 3 elements; found 2\n  Give the elements of whole inferences, row by row.');
  assert.is(run({ ...good, x: new Float32Array() }), 'error [run/shape] x: expected shape [N, 3], which is N times 3 elements; found 0\n  Give the elements of whole inferences, row by row.');
  assert.is(run({ ...good, x: { data: x(1), shape: [3, 1] } }), 'error [run/shape] x: expected shape [N, 3], which is N times 3 elements; found shape [3, 1] with 3\n  Give the elements of whole inferences, row by row.');
  assert.is(run({ ...good, gain: [1, 2] }), 'error [run/shape] gain: expected shape [], which is 1 elements; found 2\n  Give the elements of whole inferences, row by row.');
  assert.is(run({ ...good, code: code(2) }), 'error [run/shape] code: expected 1 inferences as in "x", found 2\n  Give every input for the same number of inferences.');
  assert.is(run({ ...good, x: Uint8Array.of(1, 2, 3) }), 'error [run/data-type] x: expected float32 elements in a Float32Array, found Uint8Array\n  Scale the data as in training, for example Float32Array.from(pixels, (p) => p / 255).');
  assert.is(run({ ...good, x: 'digits' }), 'error [run/data-type] x: expected float32 elements in a Float32Array, found string\n  Scale the data as in training, for example Float32Array.from(pixels, (p) => p / 255).');
  assert.is(run({ ...good, x: [[1, 2, 3]] }), 'error [run/data-type] x: expected float32 elements in a Float32Array, found a nested array at element 0\n  Give the elements as one flat Float32Array, row by row.');
  assert.is(run({ ...good, code: Float32Array.of(1, 2) }), 'error [run/data-type] code: expected int4 elements in a Int8Array, found Float32Array\n  Give a Int8Array.');
  assert.is(run({ ...good, code: Int8Array.of(0, 8) }), 'error [run/data-type] code: expected int4 elements in a Int8Array, found 8 at element 1\n  Quantize the input: code = round(value / scale) + zeroPoint, within the range of int4.');
  assert.match(run({ ...good, code: [0.5, 1] }), 'found 0.5 at element 0');
  assert.match(run({ ...good, code: [300, 1] }), 'found 300 at element 0');
});

test('statuses and traps in words', () => {
  const model = loadSync<TinyTypes>(two);
  assert.is(text(() => model.run({ x: x(1), code: code(1), gain: [NaN] })), 'error [run/status] tiny: the gain is not finite');
  assert.match(text(() => model.run({ x: x(1), code: code(1), gain: [13] })), 'error [run/status] tiny: the module trapped (unreachable)\n  This is a fault of the compiler. Report it with the model.');
  assert.equal([...model.run({ x: x(1), code: code(1), gain }).y.data], expectedY(1));
});

test('modules that are none, damaged, newer, or WASI commands', async () => {
  const bytes = (value: string) => new TextEncoder().encode(value);
  const refused = async (source: never) => {
    const message = text(() => loadSync(source));
    let asynchronous = '';
    await load(source).catch((error) => (asynchronous = error.message));
    assert.is(asynchronous, message);
    return message;
  };
  assert.is(await refused(bytes('<!doctype html>') as never), 'error [module/not-a-module] module: expected a WebAssembly module, which begins with 00 61 73 6d 01 00 00 00; found 3c 21 64 6f 63 74 79 70\n  Give the .wasm file that `sigmaflow compile` wrote.');
  assert.match(await refused(new Uint8Array() as never), 'found no bytes');
  assert.match(await refused(undefined as never), 'found no bytes');
  const without = 'error [module/not-a-module] module: expected a custom section "sigmaflow", found none\n  This module is cut off or was not made by sigmaflow. Compile a model with `sigmaflow compile`.';
  assert.is(await refused(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) as never), without);
  for (let cut = 8; cut < two.length; cut += 7) assert.is(await refused(two.slice(0, cut) as never), without);
  assert.is(await refused((await tinyModule(2, { version: 99 })) as never), 'error [module/version] tiny: expected format version 1 or older, found 99\n  Install a newer sigmaflow, or compile the model again with this one.');
  assert.match(await refused((await tinyModule(2, { inputs: undefined })) as never), 'the custom section "sigmaflow" is not a manifest');
  const outside = tinyManifest(2).inputs.map((t) => ({ ...t, offset: 65536 }));
  assert.is(await refused((await tinyModule(2, { inputs: outside })) as never), 'error [module/not-a-module] tiny: the tensor "x" does not fit the module\'s memory\n  The file is damaged. Compile the model again.');
  const corrupt = two.slice();
  corrupt[9] = 127;
  assert.match(text(() => loadSync(corrupt)), /^error \[module\/features\] tiny: this engine refused the module: .*\n  It needs WebAssembly with: simd128\. Where/);
  let answered = '';
  await load(new Response('', { status: 404, statusText: 'Not Found' })).catch((error) => (answered = error.message));
  assert.is(answered, 'error [module/not-a-module] response: expected a module, the server answered 404 Not Found\n  Correct the address.');
});

test('an engine that lacks a feature says which', () => {
  const custom = [...two];
  const at = custom.findIndex((b, i) => b === 0xfd && custom[i + 1] === 0x0b); // v128.store
  custom[at + 1] = 0xff;
  assert.match(text(() => loadSync(Uint8Array.from(custom))), /^error \[module\/features\] tiny: this engine refused the module: [^]*It needs WebAssembly with: simd128\. Where the engine lacks one, compile with --target scalar; else the file is damaged: compile again\.$/);
});

test('suggestions read as the compiler\'s', () => {
  const names = ['input', 'output', 'logits', 'a', 'global_in'];
  for (const given of ['inptu', 'INPUT', 'ouput', 'zzz', 'b', 'global_out', 'x'.repeat(30)]) assert.is(suggest(given, names), compilerSuggest(given, names));
});

test('under 6 KB minified and gzipped, without imports', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../sdk/runtime/index.ts', import.meta.url))],
    bundle: true, minify: true, write: false, metafile: true, format: 'esm', outfile: 'runtime.js',
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(`runtime: ${outputFiles[0].contents.length} bytes minified, ${bytes} gzipped`);
  assert.ok(bytes < 6 * 1024, `${bytes} bytes`);
  assert.ok(Object.keys(metafile.inputs).every((path) => path.includes('sdk/runtime/')), 'imports only its own files');
  assert.equal(metafile.outputs['runtime.js'].imports, []);
});

test.run();
