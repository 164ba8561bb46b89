/** The commands on a model with two inputs and two outputs: compile, run on every engine, verify, inspect. */
import fs from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../sdk/data/npy.js';
import { targets } from '../../sdk/cli/models.js';
import { relaxedHost } from '../../sdk/cli/relaxed.js';
import { compile } from '../../sdk/compile.js';
import { readManifest } from '../../sdk/runtime/index.js';
import { command, root, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;

/** total = relu(a W + b), product = a * b, for a and b of shape [N, 3]. */
const graph: Graph = {
  name: 'two',
  inputs: ['a', 'b'],
  outputs: ['total', 'product'],
  values: {
    a: { name: 'a', shape: ['N', 3], dtype: 'float32' },
    b: { name: 'b', shape: ['N', 3], dtype: 'float32' },
    w: { name: 'w', shape: [3, 3], dtype: 'float32' },
    dense: { name: 'dense' },
    added: { name: 'added' },
    total: { name: 'total' },
    product: { name: 'product' },
  },
  constants: { w: makeConstant('float32', [3, 3], [1, 2, 3, 0, -1, 0.5, 4, 0.25, -2]) },
  nodes: [
    { name: 'layer', op: 'MatMul', inputs: ['a', 'w'], outputs: ['dense'], attributes: {} },
    { name: 'plus', op: 'Add', inputs: ['dense', 'b'], outputs: ['added'], attributes: {} },
    { name: 'relu', op: 'Relu', inputs: ['added'], outputs: ['total'], attributes: {} },
    { name: 'times', op: 'Mul', inputs: ['a', 'b'], outputs: ['product'], attributes: {} },
  ],
};
const model = save('two.v1.onnx', exportQonnx(graph));
const a = Float32Array.of(1, 2, 3, -1, 0, 1, 0.5, 0.5, 0.5, 2, 2, 2, 0, 0, 1);
const b = Float32Array.from({ length: 15 }, (_, i) => i / 4 - 1);
const count = 5;
save('a.npy', writeNpy({ shape: [count, 3], data: a }));
save('b.npy', writeNpy({ shape: [count, 3], data: Float64Array.from(b) }));
save('both.npz', writeNpz({ a: { shape: [count, 3], data: a }, b: { shape: [count, 3], data: b } }));
const w = graph.constants.w.data;
const total = Float32Array.from(a, (_, i) => {
  let sum = b[i];
  for (let k = 0; k < 3; k++) sum += a[i - (i % 3) + k] * w[k * 3 + (i % 3)];
  return Math.max(sum, 0);
});
const product = a.map((v, i) => v * b[i]);
const inputs = ['--input', `a=${at('a.npy')}`, '--input', `b=${at('b.npy')}`];

test('compile writes what it says', async () => {
  const { status, out, err } = await command('compile', model, '-o', at('out/deep'), '--target', 'scalar', '--batch', '2', '--wasi', '--emit', 'graph,program,source,wat');
  assert.is(err, '');
  assert.is(status, 0);
  const names = ['d.ts', 'graph.txt', 'program.txt', 'source.ts', 'wasi.wasm', 'wasm', 'wat'].map((e) => `two.v1.${e}`);
  assert.equal(fs.readdirSync(at('out/deep')).sort(), names);
  for (const name of names) assert.ok(fs.statSync(at(`out/deep/${name}`)).size > 50, name);
  const bytes = fs.readFileSync(at('out/deep/two.v1.wasm'));
  assert.equal(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
  assert.match(out, /two\.v1\.wasm: [\d,]+ bytes, weights [\d,]+ bytes, peak [\d,]+ bytes at run time, compiled in [\d.]+ m?s\n$/);
  assert.is(out.split('\n').length, 2);
  assert.match(fs.readFileSync(at('out/deep/two.v1.d.ts'), 'utf8'), 'product');
});

test('a bundle has a module a target, a loader and its types', async () => {
  const { status, out, err } = await command('compile', model, '-o', at('bundle'), '--bundle', '--batch', '2', '--wasi');
  assert.is(err, '');
  assert.is(status, 0);
  const modules = targets.map((target) => `two.v1.${target}.wasm`);
  assert.equal(fs.readdirSync(at('bundle')).sort(), [...modules, 'two.v1.d.mts', 'two.v1.mjs', 'two.v1.wasi.wasm'].sort());
  for (const target of targets) assert.is(readManifest(fs.readFileSync(at(`bundle/two.v1.${target}.wasm`))).target, target);
  assert.ok(fs.readFileSync(at('bundle/two.v1.simd128.wasm')).equals((await compile(fs.readFileSync(model), { name: 'two.v1', batch: 2 })).wasm));
  assert.match(out, new RegExp(`^${modules.map((name) => `.*/${name}: +[\\d,]+  bytes\n`).join('')}.*/two\\.v1\\.mjs: +\\d+  bytes\nweights [\\d,]+ bytes, peak [\\d,]+ bytes at run time, compiled in [\\d.]+ m?s\n$`));
  const refused = await command('compile', model, '-o', at('bundle'), '--bundle', '--target', 'scalar');
  assert.is(refused.err, 'error [cli/usage] --target: a bundle has every target\n  Leave --target away, or --bundle.\n  See `sigmaflow compile --help`.\n');
  assert.is(refused.status, 2);
});

test('fast math is said, held to a tolerance, and kept out of bundles', async () => {
  const { status, err } = await command('compile', model, '-o', at('fast'), '--target', 'relaxed', '--fast-math');
  assert.is(err, '');
  assert.is(status, 0);
  assert.is(readManifest(fs.readFileSync(at('fast/two.v1.wasm'))).fastMath, true);
  assert.match((await command('inspect', at('fast/two.v1.wasm'))).out, 'target relaxed with fast math');
  const refusal = async (...argv: string[]): Promise<string> => (await command('compile', model, '-o', at('fast'), '--fast-math', ...argv)).err;
  assert.is(await refusal(), 'error [cli/usage] --fast-math: fast math is relaxed SIMD\n  Say --target relaxed, or leave --fast-math away.\n  See `sigmaflow compile --help`.\n');
  assert.is(await refusal('--bundle'), 'error [cli/usage] --fast-math: all builds of a bundle give the same bits\n  Leave --fast-math away, or --bundle.\n  See `sigmaflow compile --help`.\n');
  const verified = await command('verify', model, '--fast-math');
  assert.is(verified.status, 0, verified.out);
  assert.match(verified.out, relaxedHost() === undefined ? /SKIP fast math: / : /fast math +apart +largest deviation .*, within 0\.0001 of the largest value/);
  assert.match(verified.out, 'All engines agree in every bit, fast math apart.');
});

test('threads are for modules', async () => {
  for (const engine of ['reference', 'interpret']) {
    const { status, err } = await command('run', model, ...inputs, '--threads', '2', '--engine', engine);
    assert.is(err, `error [cli/usage] --threads: the engine ${engine} has one thread\n  Leave --threads away, or take the engine scalar, simd128, relaxed.\n  See \`sigmaflow run --help\`.\n`);
    assert.is(status, 2);
  }
});

test('every engine and the module answer', async () => {
  for (const engine of [['--engine', 'reference'], ['--engine', 'interpret'], ['--engine', 'scalar', '--batch', '4'], ['--engine', 'simd128'], ['--threads', '2'], ['--threads', '1', '--engine', 'scalar', '--batch', '4'], []]) {
    const { status, err } = await command('run', model, ...inputs, '--output', at('y.npz'), ...engine);
    assert.is(err, '', engine.join(' '));
    assert.is(status, 0);
    const y = readNpz(fs.readFileSync(at('y.npz')));
    assert.equal(Object.keys(y), ['total', 'product'], engine.join(' '));
    assert.equal(y.total.shape, [count, 3]);
    assert.equal([...y.total.data], [...total], engine.join(' '));
    assert.equal([...y.product.data], [...product], engine.join(' '));
  }
  // The batch of the module is 2: the last of three calls is padded.
  for (const threads of [[], ['--threads', '3']]) {
    const { status, err } = await command('run', at('out/deep/two.v1.wasm'), '--input', at('both.npz'), '--output', at('z.npz'), ...threads);
    assert.is(err, '');
    assert.is(status, 0);
    assert.equal([...readNpz(fs.readFileSync(at('z.npz'))).total.data], [...total]);
  }
});

test('without --output the outputs are printed', async () => {
  save('one.npz', writeNpz({ a: { shape: [1, 3], data: a.slice(0, 3) }, b: { shape: [1, 3], data: b.slice(0, 3) } }));
  const { status, out } = await command('run', at('out/deep/two.v1.wasm'), '--input', at('one.npz'));
  assert.is(status, 0);
  assert.is(out, 'total: float32 [1, 3]\n  [0]  12  0  0\nproduct: float32 [1, 3]\n  [0]  -1  -1.5  -1.5\n');
});

test('verify: all engines, drawn and given inputs', async () => {
  const drawn = await command('verify', model, '--random', '3', '--seed', '9', '--batch', '2');
  assert.is(drawn.err, '');
  assert.is(drawn.status, 0, drawn.out);
  assert.match(drawn.out, 'two.v1: 3 inputs drawn with seed 9 (float32 standard normal; integers uniform over their range), batch 2');
  assert.match(drawn.out, 'All engines agree in every bit.');
  for (const engine of ['scalar', 'simd128', 'wasi']) assert.match(drawn.out, new RegExp(`${engine} +[0-9a-f]{16}  equal`));
  assert.match(drawn.out, /reference +float64 +(no deviation|largest deviation \d\.\de-\d, largest value)/);
  assert.not.match(drawn.out, 'differs');
  const given = await command('verify', model, '--input', at('both.npz'));
  assert.is(given.status, 0, given.out);
  assert.match(given.out, 'two.v1: 5 inputs, batch 1');
});

test('inspect: a model, as JSON and for people; a module', async () => {
  const { status, out } = await command('inspect', model, '--json', '--batch', '2');
  assert.is(status, 0);
  const facts = JSON.parse(out);
  assert.equal(facts.inputs.map((i: { name: string; shape: number[] }) => [i.name, i.shape]), [['a', [2, 3]], ['b', [2, 3]]]);
  assert.is(facts.totals.macs, 2 * 3 * 3);
  assert.is(facts.totals.weightBits, 9 * 32);
  assert.ok(facts.memory.every((buffer: { offset: number }) => buffer.offset % 16 === 0));
  const end = Math.max(...facts.memory.map((buffer: { offset: number; bytes: number }) => buffer.offset + buffer.bytes));
  assert.ok(facts.totals.peakBytes >= end && facts.totals.peakBytes < end + 256, `${facts.totals.peakBytes} for ${end}`);
  const people = (await command('inspect', model)).out;
  assert.match(people, /layer +MatMul +float32 +float32 +float32 +\[1, 3\] +9 +288/);
  const manifest = JSON.parse((await command('inspect', at('out/deep/two.v1.wasm'), '--json')).out);
  assert.is(manifest.batch, 2);
  assert.is(manifest.target, 'scalar');
  assert.match((await command('inspect', at('out/deep/two.v1.wasm'))).out, /^two\.v1, a module of [\d,]+ bytes, batch 2, target scalar\n/);
});

test('inspect --bytes: sections add up to the module, constants of steps to those in memory', async () => {
  const lenet = `${root}examples/models/lenet_w4a4.onnx`;
  const facts = JSON.parse((await command('inspect', lenet, '--bytes', '--json')).out);
  const { bytes } = facts;
  assert.is((await command('compile', lenet, '-o', at('lenet'))).status, 0);
  assert.is(bytes.module, fs.statSync(at('lenet/lenet_w4a4.wasm')).size);
  assert.is(bytes.code + bytes.data + bytes.manifest + bytes.rest, bytes.module);
  const sum = (key: string): number => bytes.steps.reduce((n: number, s: Record<string, number>) => n + s[key], 0);
  const constants = facts.memory.filter((b: { role: string }) => b.role === 'constant').reduce((n: number, b: { bytes: number }) => n + b.bytes, 0);
  assert.is(sum('weights') + sum('requantization'), constants);
  // 4-bit weights lie packed, and every layer of the graph is some step's
  assert.ok(sum('weights') * 8 < 1.1 * facts.layers.filter((l: { weights?: string }) => l.weights).reduce((n: number, l: { weightBits: number }) => n + l.weightBits, 0) + 1024 * 8);
  const nodes = new Set(bytes.steps.flatMap((s: { nodes: string[] }) => s.nodes));
  assert.ok(facts.layers.every((l: { name: string; macs: number }) => l.macs === 0 || nodes.has(l.name)));
  assert.ok(bytes.steps.some((s: { code: number }) => s.code > 100));
  const people = (await command('inspect', lenet, '--bytes')).out;
  assert.match(people, /\nmodule [\d,]+ bytes: constants [\d,]+, code [\d,]+, manifest [\d,]+, rest [\d,]+\n {2}step +weights +biases, requantization +code +layers\n/);
  assert.match((await command('inspect', at('lenet/lenet_w4a4.wasm'))).out, /^module +[\d,]+ bytes: constants [\d,]+, code [\d,]+, manifest [\d,]+, rest [\d,]+$/m);
});

test('one output goes to a .npy file, and any input order is taken', async () => {
  const single = save('single.onnx', exportQonnx({ ...graph, outputs: ['product'], nodes: graph.nodes.slice(3), values: { a: graph.values.a, b: graph.values.b, product: graph.values.product }, constants: {} }));
  const { status, err } = await command('run', single, '--input', `b=${at('b.npy')}`, '--input', `a=${at('a.npy')}`, '-o', at('p.npy'));
  assert.is(err, '');
  assert.is(status, 0);
  assert.equal([...readNpy(new Uint8Array(fs.readFileSync(at('p.npy')))).data], [...product]);
});

test('doctor says what is there and what is lacking', async () => {
  const { status, out } = await command('doctor', '--json');
  assert.is(status, 0);
  const { findings } = JSON.parse(out) as { findings: { what: string; found?: string; install: string }[] };
  const found = (what: string): string | undefined => findings.find((f) => f.what === what)!.found;
  assert.is(found('Node.js'), process.versions.node);
  assert.is(found('WebAssembly SIMD'), 'yes');
  assert.ok(findings.every((f) => f.install.length > 5));
});

test('demo: pictures of at most 80 columns, and a good accuracy', async () => {
  const { status, out, err } = await command('demo');
  assert.is(err, '');
  assert.is(status, 0);
  for (const line of out.split('\n')) assert.ok(line.length <= 80, line);
  assert.ok(Number(/accuracy +([\d.]+) %/.exec(out)![1]) > 95, out);
  assert.match(out, /of 600 images\)\ntime +[\d.]+ microseconds an image/);
  assert.is(out.match(/^.*\b9( [█▏▎▍▌▋▊▉]+)?$/gm)!.length, 2, 'two rows of two panels');
  // a digit, an ambiguous one, a piece of clothing: each with its uncertainty and a verdict of its own
  assert.equal(out.match(/(?<= {3})(a digit|an ambiguous digit|clothing), .*$/gm)!.map((line) => line.split(',')[0]), ['a digit', 'an ambiguous digit', 'clothing']);
  assert.equal(out.match(/-> .*/g), ['-> sure', '-> more than one answer fits', '-> may be unlike what it was trained on']);
  assert.is(out.match(/(aleatoric|epistemic) +[\d.]+ nats/g)!.length, 6);
  const aurocs = [...out.matchAll(/AUROC ([\d.]+)/g)].map((m) => Number(m[1]));
  assert.ok(aurocs.length === 2 && aurocs[0] > 0.95 && aurocs[1] > 0.9, out);
});

test.after(folder.remove);
test.run();
