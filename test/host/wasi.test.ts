/** The WASI command under Node's own WASI and under wasmtime: answers, formats, conversions, errors in words. */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readNpyStream, writeNpy, type NpySource } from '../../sdk/data/npy.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { load } from '../../sdk/runtime/index.js';
import { hasWasmtime, python, runWasmtime } from '../support/wasmtime.js';
import { tinyCommand, tinyManifest, tinyModule, type TinyTypes } from '../runtime/tiny.js';

const command = await tinyCommand(2);
const join_ = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const npy = (shape: number[], data: NpySource['data'], dtype?: NpySource['dtype']) => writeNpy({ shape, data, dtype });
const xs = (n: number) => Float32Array.from({ length: 3 * n }, (_, i) => Math.fround(i + 0.1));
const codes = (n: number) => Int8Array.from({ length: 2 * n }, (_, i) => (i % 16) - 8);
const gain = Float32Array.of(6);
const input = (n: number) => join_(npy([n, 3], xs(n)), npy([n, 2], codes(n)), npy([], gain));
const raw = (n: number) => join_(new Uint8Array(xs(n).buffer), new Uint8Array(codes(n).buffer), new Uint8Array(gain.buffer));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test('it imports WASI alone and exports _start and memory', () => {
  const module = new WebAssembly.Module(command);
  assert.ok(WebAssembly.Module.imports(module).every((i) => i.module === 'wasi_snapshot_preview1'));
  assert.equal(WebAssembly.Module.exports(module).map((e) => e.name).sort(), ['_start', 'memory']);
});

test('the answers of the module, for any number of inferences', async () => {
  const model = await load<TinyTypes>(await tinyModule(2));
  for (const n of [1, 2, 3, 6, 701]) {
    const { y, sum } = model.run({ x: xs(n), code: codes(n), gain });
    for (const stdin of [input(n), raw(n)]) {
      const { code, stdout, stderr } = await runWasi(command, stdin);
      assert.is(stderr, '');
      assert.is(code, 0);
      assert.equal(readNpyStream(stdout), [{ shape: [n, 3], dtype: 'float32', data: y.data.slice() }, { shape: [n], dtype: 'int32', data: sum.data.slice() }]);
      assert.equal(new Uint8Array(stdout), join_(writeNpy(y), writeNpy(sum)));
    }
  }
});

test('JSON: one object a call, floats that read back to the same bits', async () => {
  const { stdout } = await runWasi(command, input(3), ['--json']);
  assert.is(
    decode(stdout),
    '{"outputs": {"y": [[0.2, 2.2, 4.2], [6.1999993, 8.2, 10.2]], "sum": [-120, -86]}}\n{"outputs": {"y": [[12.2, 14.2, 16.2]], "sum": [-52]}}\n',
  );
  let state = 1;
  const bits = Uint32Array.from({ length: 3000 }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
  const values = new Float32Array(bits.buffer).map((v, i) => (Number.isNaN(v) ? 0 : i < 3 ? [-0, 1e-45, 3.4028234663852886e38][i] : v));
  const stdin = join_(npy([1000, 3], values), npy([1000, 2], new Int8Array(2000)), npy([], Float32Array.of(3)));
  const expected = readNpyStream((await runWasi(command, stdin)).stdout)[0].data as Float32Array;
  const lines = decode((await runWasi(command, stdin, ['--json'])).stdout).trimEnd().split('\n');
  assert.is(lines.length, 500);
  const read = Float32Array.from(lines.flatMap((line) => JSON.parse(line).outputs.y.flat() as number[]));
  assert.equal(new Uint32Array(read.buffer), new Uint32Array(expected.buffer));
  assert.ok(expected.some((v) => v === Infinity) && expected.some((v) => Object.is(v, -0)));
});

test('element types are converted exactly, or refused', async () => {
  const run = (x: Uint8Array, code: Uint8Array) => runWasi(command, join_(x, code, npy([], gain)));
  const reference = (await run(npy([1, 3], Float32Array.of(1, 2, 200)), npy([1, 2], Int8Array.of(-8, 7)))).stdout;
  for (const data of [Float64Array.of(1, 2, 200), Uint8Array.of(1, 2, 200), Int16Array.of(1, 2, 200), Uint16Array.of(1, 2, 200), Int32Array.of(1, 2, 200), Uint32Array.of(1, 2, 200), BigInt64Array.of(1n, 2n, 200n), BigUint64Array.of(1n, 2n, 200n)]) {
    assert.equal((await run(npy([3], data), npy([2], Float32Array.of(-8, 7)))).stdout, reference);
  }
  const refused = async (x: Uint8Array, code: Uint8Array) => {
    const result = await run(x, code);
    assert.is(result.code, 1);
    assert.is(result.stdout.length, 0);
    return result.stderr;
  };
  const x = npy([1, 3], xs(1));
  assert.is(await refused(x, npy([1, 2], Int8Array.of(1, 8))), 'error [run/data-type] "code": expected int4 (N, 2); found the value 8. Quantize the input first.\n');
  assert.is(await refused(x, npy([1, 2], Float32Array.of(1.5, 1))), 'error [run/data-type] "code": expected int4 (N, 2); found the value 1.5. Quantize the input first.\n');
  assert.is(await refused(x, npy([1, 2], Float64Array.of(NaN, 1))), 'error [run/data-type] "code": expected int4 (N, 2); found the value NaN. Quantize the input first.\n');
});

test('bipolar codes: no zero', async () => {
  const manifest = tinyManifest(1);
  const bipolar = await tinyCommand(1, { inputs: manifest.inputs.map((t) => (t.name === 'code' ? { ...t, dtype: 'bipolar' } : t)) });
  const run = (code: Int8Array) => runWasi(bipolar, join_(npy([1, 3], xs(1)), npy([1, 2], code), npy([], gain)));
  assert.is((await run(Int8Array.of(-1, 1))).code, 0);
  assert.is((await run(Int8Array.of(-1, 0))).stderr, 'error [run/data-type] "code": expected bipolar (N, 2); found the value 0. Quantize the input first.\n');
});

test('bad input: a sentence on standard error, exit code 1, nothing on standard output', async () => {
  const refused = async (stdin: Uint8Array, ...args: string[]) => {
    const { code, stdout, stderr } = await runWasi(command, stdin, args);
    assert.is(code, 1);
    assert.is(stdout.length, 0);
    return stderr;
  };
  const x = npy([1, 3], xs(1)), code = npy([1, 2], codes(1)), g = npy([], gain);
  assert.is(await refused(new Uint8Array()), 'error [run/shape] standard input: expected .npy, or raw elements: 4 bytes and 14 bytes an inference; found 0 bytes.\n');
  assert.is(await refused(new TextEncoder().encode('P5 28 28 255\nx')), 'error [run/shape] standard input: expected .npy, or raw elements: 4 bytes and 14 bytes an inference; found 14 bytes.\n');
  assert.is(await refused(join_(x, code)), 'error [file/not-npy] standard input: expected one more .npy file, which begins with \\x93NUMPY; found the end of the input. Write the file with numpy.save.\n');
  assert.is(await refused(join_(x, code, Uint8Array.of(1, 2))), 'error [file/not-npy] standard input: expected one more .npy file, which begins with \\x93NUMPY; found other bytes. Write the file with numpy.save.\n');
  assert.is(await refused(join_(x, code, g.subarray(0, g.length - 1))), 'error [file/not-npy] "gain": expected float32 (); the input ends too early.\n');
  assert.is(await refused(join_(x, code, g, Uint8Array.of(1))), 'error [file/not-npy] standard input: expected its end after the last input; found more bytes.\n');
  assert.is(await refused(join_(npy([1, 1, 3], xs(1)), code, g)), 'error [run/shape] "x": expected float32 (N, 3); found shape (1, 1, 3). Reshape it with numpy.reshape.\n');
  assert.is(await refused(join_(npy([0, 3], xs(0)), code, g)), 'error [run/shape] "x": expected float32 (N, 3); found shape (0, 3). Reshape it with numpy.reshape.\n');
  assert.is(await refused(join_(npy([4], Float32Array.of(1, 2, 3, 4)), code, g)), 'error [run/shape] "x": expected float32 (N, 3); found shape (4,). Reshape it with numpy.reshape.\n');
  assert.is(await refused(join_(npy([2, 3], xs(2)), code, g)), 'error [run/shape] "code": expected int4 (N, 2) with N = 2 as in the inputs before it; found N = 1.\n');
  assert.is(await refused(join_(x, code, npy([], Float32Array.of(NaN)))), 'error [run/status] tiny: the gain is not finite\n');
  assert.is(await refused(x, '--yaml'), 'error [cli/usage] --yaml: there is no such option. Valid: --json, --help.\n');
  const text = (from: string, to: string) => new TextEncoder().encode(decode(x.subarray(10, 128)).replace(from, to)).subarray(0, 118);
  const header = (from: string, to: string) => join_(x.subarray(0, 10), text(from, to), x.subarray(128), code, g);
  assert.is(await refused(header("'<f4'", "'>f4'")), 'error [file/not-npy] standard input: expected little-endian float32, float64, bool, or integers; found another element type. Write the file with numpy.save.\n');
  assert.is(await refused(header("'<f4'", "'<c8'")), 'error [file/not-npy] standard input: expected little-endian float32, float64, bool, or integers; found another element type. Write the file with numpy.save.\n');
  assert.is(await refused(header('False,', 'True, ')), 'error [file/not-npy] standard input: expected row-major (C) order; found Fortran order, which numpy.ascontiguousarray changes. Write the file with numpy.save.\n');
  assert.is(await refused(header("'shape'", "'shale'")), "error [file/not-npy] standard input: the .npy header does not say 'shape':. Write the file with numpy.save.\n");
  for (let cut = 0; cut < x.length; cut += 5) assert.match(await refused(x.subarray(0, cut)), /^error \[(file\/not-npy|run\/shape)\] .*\.\n$/);
});

test('--help', async () => {
  const { code, stdout } = await runWasi(command, new Uint8Array(), ['--help']);
  assert.is(code, 0);
  assert.is(
    decode(stdout),
    `tiny: a model compiled by sigmaflow, as a WASI command

Usage: wasmtime tiny.wasi.wasm [--json] < INPUT.npy > OUTPUT.npy

Standard input: one .npy an input, in this order, or raw elements as the model stores them
  "x"  float32 (N, 3)
  "code"  int4 (N, 2)
  "gain"  float32 ()
Standard output: one .npy an output, in this order; with --json one object a line, for up to 2 inferences
  "y"  float32 (N, 3)
  "sum"  int32 (N,)
`,
  );
});

test('one input stays a stream, and memory need not grow for it', async () => {
  const manifest = tinyManifest(2);
  const one = await tinyCommand(2, { inputs: manifest.inputs.slice(0, 1), outputs: manifest.outputs.slice(0, 1) }, 3);
  const n = 40_000; // 480,000 bytes over memory of three pages, fixed
  const { code, stdout } = await runWasi(one, npy([n, 3], new Float32Array(3 * n)));
  assert.is(code, 0);
  assert.equal(readNpyStream(stdout)[0].shape, [n, 3]);
  const fixed = await tinyCommand(2, {}, 3);
  assert.is((await runWasi(fixed, input(2))).code, 0);
  assert.is((await runWasi(fixed, input(20_000))).stderr, 'error [run/shape] standard input: memory for so many inferences at a time is not to be had. Give fewer, or use --json.\n');
});

test('wasmtime gives the bytes that Node gives', async () => {
  if (!hasWasmtime) return console.log(`SKIP wasmtime: ${python} has no wasmtime; pip install wasmtime, and name the interpreter in SIGMAFLOW_PYTHON`);
  console.log(execFileSync(python, ['-c', 'from importlib.metadata import version; print("wasmtime", version("wasmtime"))'], { encoding: 'utf8' }).trim());
  for (const [stdin, ...args] of [[input(5)], [raw(3)], [input(5), '--json'], [new Uint8Array(), '--help'], [npy([2, 2], xs(2).slice(0, 4))]] as [Uint8Array, ...string[]][]) {
    const [node, wasmtime] = [await runWasi(command, stdin, args), await runWasmtime(command, stdin, args)];
    assert.equal(new Uint8Array(wasmtime.stdout), new Uint8Array(node.stdout));
    assert.is(wasmtime.stderr, node.stderr);
    assert.is(wasmtime.code, node.code);
  }
});

test.run();
