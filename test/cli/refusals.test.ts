/** Bad input on the command line: one diagnostic on standard error, the right exit status, nothing left behind. */
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { writeNpy, writeNpz } from '../../sdk/data/npy.js';
import { bin, command, example, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;
const model = fs.readFileSync(example);
const digits = save('digits.npy', writeNpy({ shape: [2, 1, 28, 28], data: Float32Array.from({ length: 2 * 784 }, (_, i) => (i % 7) / 7) }));

/** The diagnostic, with the test's folder taken out; checks that it is alone, has no stack trace and nothing else is printed. */
async function refusal(status: number, ...argv: string[]): Promise<string> {
  const before = list();
  const result = await command(...argv);
  assert.is(result.status, status, result.err);
  assert.is(result.out, '');
  assert.not.match(result.err, /^\s+at .*:\d+:\d+\)?$/m);
  assert.equal(list(), before, 'files were left behind');
  return result.err.replaceAll(path.dirname(at('x')), 'DIR').replaceAll(path.dirname(example), 'EXAMPLES').trimEnd();
}
const list = (): string[] => (fs.readdirSync(path.dirname(at('x')), { recursive: true }) as string[]).sort();

test('through the bin: help, version, an unknown command', () => {
  const version = bin(['--version']);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
  assert.is(version.status, 0);
  const help = bin(['--help']);
  assert.is(help.status, 0);
  for (const name of ['compile', 'run', 'hls', 'quantize', 'verify', 'profile', 'inspect', 'doctor', 'uncertainty', 'demo']) assert.match(help.out, new RegExp(`^  ${name} `, 'm'));
  const unknown = bin(['compiel', 'x.onnx']);
  assert.is(unknown.status, 2);
  assert.is(unknown.out, '');
  assert.is(unknown.err, 'error [cli/usage] compiel: there is no command "compiel"\n  Did you mean "compile"?\n  See `sigmaflow --help`.\n');
});

test('no command, and the help of each', async () => {
  assert.is((await command()).status, 2);
  for (const name of ['compile', 'run', 'hls', 'quantize', 'verify', 'profile', 'inspect', 'doctor', 'uncertainty', 'demo']) {
    const { status, out } = await command(name, '--help');
    assert.is(status, 0);
    assert.match(out, new RegExp(`^usage: sigmaflow ${name}`));
    assert.match(out, /\nexamples?:\n  sigmaflow /);
    for (const line of out.split('\n')) assert.ok(line.length <= 150, line);
  }
});

test('unknown options, engines, targets, batches', async () => {
  assert.is(await refusal(2, 'compile', example, '-o', at('out'), '--traget', 'scalar'), 'error [cli/usage] --traget: "compile" has no option --traget\n  Did you mean "--target"?\n  See `sigmaflow compile --help`.');
  assert.is(await refusal(2, 'compile', example, '-o', at('out'), '--target', 'simd'), 'error [cli/usage] --target: expected scalar, simd128, relaxed, found "simd"\n  Valid: scalar, simd128, relaxed.\n  See `sigmaflow compile --help`.');
  assert.is(await refusal(2, 'run', example, '--input', digits, '--engine', 'interpreter'), 'error [cli/usage] --engine: expected reference, interpret, scalar, simd128, relaxed, found "interpreter"\n  Did you mean "interpret"?\n  See `sigmaflow run --help`.');
  for (const batch of ['0', '-1', 'four', '1.5', '1e9']) {
    assert.is(await refusal(2, 'compile', example, '-o', at('out'), '--batch', batch), `error [cli/usage] --batch: expected a whole number of 1 to 65536, found "${batch}"\n  See \`sigmaflow compile --help\`.`);
  }
  assert.is(await refusal(2, 'compile', example), 'error [cli/usage] -o: "compile" needs -o DIR\n  See `sigmaflow compile --help`.');
  assert.is(await refusal(2, 'compile'), 'error [cli/usage] MODEL.onnx: "compile" needs MODEL.onnx\n  See `sigmaflow compile --help`.');
  assert.is(await refusal(2, 'run', example), 'error [cli/usage] --input: "run" needs --input FILE.npy\n  See `sigmaflow run --help`.');
  assert.is(await refusal(2, 'compile', example, '-o', at('out'), '--emit', 'graph,sorce'), 'error [cli/usage] --emit: expected some of graph, program, source, wat, found "sorce"\n  Did you mean "source"?\n  See `sigmaflow compile --help`.');
  assert.is(await refusal(2, 'verify', example, '--input', digits, '--random', '3'), 'error [cli/usage] --input: inputs are either given or drawn\n  Leave --random and --seed away, or --input.\n  See `sigmaflow verify --help`.');
});

test('model files that are none', async () => {
  const none = 'Give an .onnx file; if it is one, it is truncated or damaged: export or download it again.';
  const cut = save('cut.onnx', model.subarray(0, 1000));
  const noise = save('noise.onnx', Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3)) & 255));
  const empty = save('empty.onnx', '');
  const text = save('text.onnx', 'not a model\n');
  for (const [file, bytes] of [[cut, 1000], [noise, 5000], [empty, 0], [text, 12]] as const) {
    const expected = `error [onnx/not-a-model] ${file.replace(path.dirname(at('x')), 'DIR')}: expected an ONNX model, found ${bytes} bytes that are not one\n  ${none}`;
    for (const argv of [['compile', file, '-o', at('out')], ['run', file, '--input', digits, '--output', at('y.npy')], ['verify', file], ['inspect', file]]) {
      assert.is(await refusal(1, ...argv), expected, argv[0]);
    }
  }
  assert.is(await refusal(1, 'run', at('nowhere.onnx'), '--input', digits), 'error [file/unreadable] DIR/nowhere.onnx: there is no such file\n  Check the path.');
  assert.is(await refusal(1, 'run', at('digit.npy'), '--input', digits), 'error [file/unreadable] DIR/digit.npy: there is no such file\n  Did you mean "digits.npy"?');
  assert.is(await refusal(1, 'compile', path.dirname(at('x')), '-o', at('out')), 'error [file/unreadable] DIR: expected a file, found a folder\n  Name a file in it.');
  assert.match(await refusal(1, 'compile', save('m.onnx', model.subarray(0, model.length - 10)), '-o', at('out')), /^error \[(onnx|graph)\//);
});

test('places where nothing can be written', async () => {
  const file = save('file', 'x');
  assert.match(await refusal(1, 'compile', example, '-o', file), /^error \[file\/unwritable\] DIR\/file: expected a folder, found that .* is a file\n  Choose another place with -o or --output\.$/);
  assert.is(await refusal(1, 'run', example, '--engine', 'reference', '--input', digits, '--output', path.dirname(at('x'))), 'error [file/unwritable] DIR: expected the name of a file, found a folder\n  Name a file in it.');
  assert.match(await refusal(1, 'run', example, '--input', digits, '--output', path.join(file, 'y.npy')), /^error \[file\/unwritable\] DIR\/file: expected a folder, found that .* is a file\n/);
});

test('inputs that do not fit', async () => {
  const run = (file: string, ...rest: string[]): Promise<string> => refusal(1, 'run', example, '--output', at('y.npy'), '--input', file, ...rest);
  const flat = save('flat.npy', writeNpy({ shape: [2, 15], data: new Float32Array(30) }));
  assert.is(await run(flat), 'error [run/shape] input: expected float32 of shape [N, 1, 28, 28], found shape [2, 15] in DIR/flat.npy\n  Reshape it: N inputs are [N, 1, 28, 28].');
  const big = save('big.npy', writeNpy({ shape: [1, 1, 28, 28], data: new Float64Array(784).fill(1e39) }));
  assert.is(await run(big), 'error [run/data-type] input: element 0 of DIR/big.npy is 1e+39, beyond the range of float32\n  The input takes float32: scale or round the data first.');
  const archive = save('other.npz', writeNpz({ image: { shape: [1], data: Float32Array.of(1) } }));
  assert.is(await run(archive), "error [run/missing-input] input: DIR/other.npz has no array of this name; it has image\n  Save it with numpy.savez under the input's name.");
  assert.is(await run(`imput=${digits}`), 'error [run/unknown-input] imput: the model has no input "imput"\n  Did you mean "input"?');
  assert.match(await run(save('no.npy', 'text')), /^error \[file\/not-npy\] DIR\/no\.npy: expected a \.npy file/);
  assert.is(await run(at('flatt.npy')), 'error [file/unreadable] DIR/flatt.npy: there is no such file\n  Did you mean "flat.npy"?');
  assert.match(await refusal(1, 'verify', example, '--input', flat), /^error \[run\/shape\] input: expected float32 of shape \[N, 1, 28, 28\]/);
});

test('modules: damaged, foreign, of a newer version, asked for what they cannot do', async () => {
  const { wasm, manifest } = await compile(new Uint8Array(model), { name: 'digits', target: 'scalar' });
  const good = save('good.wasm', wasm);
  assert.is(await refusal(2, 'run', good, '--input', digits, '--engine', 'scalar'), 'error [cli/usage] --engine: a module runs as it was compiled\n  Leave --engine away, or give the .onnx file.\n  See `sigmaflow run --help`.');
  assert.is(await refusal(1, 'compile', good, '-o', at('out')), 'error [onnx/not-a-model] DIR/good.wasm: expected an ONNX model, found a WebAssembly module\n  Give the .onnx file that it was made from.');
  const foreign = save('foreign.wasm', Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  assert.match(await refusal(1, 'run', foreign, '--input', digits), /^error \[module\/not-a-module\]/);
  assert.match(await refusal(1, 'inspect', foreign), /^error \[module\/not-a-module\]/);
  for (const length of [4, 9, wasm.length >> 1, wasm.length - 1]) {
    assert.match(await refusal(1, 'run', save('short.wasm', wasm.subarray(0, length)), '--input', digits), /^error \[module\/not-a-module\]/);
  }
  const later = new TextDecoder('latin1').decode(wasm).replace(`"version":${manifest.version}`, `"version":${manifest.version + 8}`);
  assert.match(await refusal(1, 'run', save('later.wasm', Uint8Array.from(later, (c) => c.charCodeAt(0))), '--input', digits), /^error \[module\/version\] digits: expected format version 1 or older, found 9\n  Install a newer sigmaflow/);
});

test('NaN and infinity in the input of a quantized network run, the same on every engine', async () => {
  const odd = Float32Array.from({ length: 3 * 784 }, (_, i) => [NaN, Infinity, -Infinity, 0.5][(i * 7) % 4]);
  const file = save('odd.npy', writeNpy({ shape: [3, 1, 28, 28], data: odd }));
  const { status, out, err } = await command('verify', example, '--input', file);
  assert.is(err, '');
  assert.is(status, 0, out);
  assert.match(out, 'All engines agree in every bit.');
});

test.after(folder.remove);
test.run();
