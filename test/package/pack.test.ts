/** The package: packed, installed into an empty folder, it runs, compiles, type-checks and has the command line. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { targets } from '../../sdk/cli/models.js';
import { writeNpy } from '../../sdk/data/npy.js';
import { pickBuild, runs } from '../../sdk/runtime/pick.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
const model = 'mlp_w2a2';
const npm = (cwd: string, ...args: string[]) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const node = (script: string, ...args: string[]) => execFileSync(process.execPath, [join(folder, script), ...args], { cwd: folder, encoding: 'utf8' });
const sigmaflow = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'sigmaflow', ...args], { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr: stderr.replace(/^npm .*\n/gm, '') }; // npm's own remarks on its configuration
};

test.before(() => {
  npm(root, 'pack', '--silent', '--pack-destination', folder);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  assert.ok(tarball, 'npm pack wrote a package');
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  npm(folder, 'install', '--silent', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`);
  copyFileSync(join(root, 'examples/models', `${model}.onnx`), join(folder, `${model}.onnx`));
});

test.after(() => rmSync(folder, { recursive: true }));

test('it holds what it needs, and no more', () => {
  const files = readdirSync(join(folder, 'node_modules/sigmaflow'), { recursive: true, encoding: 'utf8' });
  for (const file of ['dist/index.js', 'dist/runtime.js', 'dist/data.js', 'dist/pool.node.js', 'dist/pool.browser.js', 'dist/pool.worker.js', 'dist/cli.js', 'dist/sigmaflow.runtime.global.js', 'dist/types/sdk/index.d.ts', 'bin/sigmaflow.mjs', 'assembly/wasi.ts', 'boards/board.schema.json', 'boards/pynq-z2/board.json', 'boards/pynq-z2/README.md', 'boards/simulation/ap_int.h', 'boards/simulation/sigmaflow_hls.h']) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  assert.equal(files.filter((file) => /^(test|codegen|sdk|scripts)/.test(file)), []);
});

test('the entries run in Node; the runtime loads nothing but itself', () => {
  writeFileSync(join(folder, 'app.mjs'), `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { load } from 'sigmaflow/runtime';
    import { compile } from 'sigmaflow';
    const { wasm, manifest, declaration } = await compile(readFileSync('${model}.onnx'), { name: '${model}' });
    writeFileSync('typed.d.ts', declaration);
    const model = await load(wasm);
    const [{ name, shape }] = manifest.inputs;
    const [answer] = Object.values(model.run({ [name]: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5) }));
    writeFileSync('model.wasm', wasm);
    console.log(JSON.stringify([...answer.data]));
  `);
  writeFileSync(join(folder, 'light.mjs'), `
    import { readFileSync } from 'node:fs';
    import { load } from 'sigmaflow/runtime';
    const model = await load(readFileSync('model.wasm'));
    const [{ name, shape }] = model.manifest.inputs;
    console.log(JSON.stringify([...Object.values(model.run({ [name]: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5) }))[0].data]));
  `);
  const answer = node('app.mjs');
  assert.ok(JSON.parse(answer).length > 1);
  const [modules, aside] = [join(folder, 'node_modules'), join(folder, 'aside')];
  const move = (from: string, to: string) => readdirSync(from).filter((name) => name !== 'sigmaflow').forEach((name) => renameSync(join(from, name), join(to, name)));
  mkdirSync(aside);
  move(modules, aside);
  try {
    assert.is(node('light.mjs'), answer);
  } finally {
    move(aside, modules);
  }
});

test('a pool runs from the installed package, bundled or not, with the bits of one session', () => {
  writeFileSync(join(folder, 'pool.mjs'), `
    import { readFileSync } from 'node:fs';
    import { createPool } from 'sigmaflow/pool';
    import { loadSync } from 'sigmaflow/runtime';
    const bytes = readFileSync('model.wasm');
    const pool = await createPool(bytes, { threads: 2 });
    const [{ name, shape }] = pool.manifest.inputs;
    const images = { [name]: Float32Array.from({ length: 33 * shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)) };
    const text = (outputs) => JSON.stringify(Object.values(outputs).map(({ data, shape }) => [shape, [...data]]));
    const expected = text(loadSync(bytes).run(images));
    console.log(text(await pool.run(images)) === expected, expected.length > 400);
  `);
  assert.is(node('pool.mjs'), 'true true\n');
  mkdirSync(join(folder, 'app'));
  execFileSync(join(root, 'node_modules/.bin/esbuild'), ['pool.mjs', '--bundle', '--minify', '--platform=node', '--format=esm', '--outfile=app/pool.mjs', '--log-level=error'], { cwd: folder });
  assert.is(node('app/pool.mjs'), 'true true\n');
});

test('a bundle loads the build that the engine runs best', () => {
  const { status, stdout, stderr } = sigmaflow('compile', `${model}.onnx`, '-o', 'bundle', '--bundle');
  assert.is(stderr, '');
  assert.is(status, 0);
  assert.match(stdout, /mlp_w2a2\.scalar\.wasm: +[\d,]+ {2}bytes\n.*mlp_w2a2\.simd128\.wasm: +[\d,]+ {2}bytes\n/);
  const loader = readFileSync(join(folder, `bundle/${model}.mjs`));
  assert.ok(loader.length < 700, `the loader has ${loader.length} bytes`);
  writeFileSync(join(folder, 'best.mjs'), `
    import { readFileSync } from 'node:fs';
    import { load } from './bundle/${model}.mjs';
    const images = Float32Array.from({ length: 784 * 5 }, (_, i) => Math.sin(i));
    const text = (model) => JSON.stringify(Object.values(model.run(images)).map(({ data }) => [...data]));
    const best = await load();
    const all = await Promise.all(process.argv.slice(2).map(load));
    console.log(best.manifest.target, text(best).length > 100, all.map((model) => model.manifest.target).join(), all.every((model) => text(model) === text(best)));
  `);
  const runnable = targets.filter((target) => target === 'scalar' || runs(target));
  assert.is(node('best.mjs', ...runnable), `${pickBuild()} true ${runnable.join()} true\n`);
  if (process.arch !== 'x64') console.log('SKIP an engine without SIMD: node --no-enable-sse4-1 is one on x64 only');
  else assert.is(execFileSync(process.execPath, ['--no-enable-sse4-1', join(folder, 'best.mjs'), 'scalar'], { encoding: 'utf8' }), 'scalar true scalar true\n');
});

test('three lines of TypeScript are typed', () => {
  const name = /export interface (\w+)/.exec(readFileSync(join(folder, 'typed.d.ts'), 'utf8'))![1];
  const source = (output: string) => `import { load } from 'sigmaflow/runtime';
import type { ${name} } from './typed.js';
export const answer = async (bytes: Uint8Array, pixels: Float32Array): Promise<Float32Array> => (await load<${name}>(bytes)).run(pixels).${output}.data;
`;
  const output = /outputs: \{\s*\/\*\*.*\*\/\s*"?(\w+)"?: Float32Array;/.exec(readFileSync(join(folder, 'typed.d.ts'), 'utf8'))![1];
  const check = (texts: Readonly<Record<string, string>>, resolution: string): string => {
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text);
    const compilerOptions = { noEmit: true, strict: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], module: resolution === 'bundler' ? 'esnext' : 'nodenext', moduleResolution: resolution };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: Object.keys(texts) }));
    return spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd: folder, encoding: 'utf8' }).stdout;
  };
  const pooled = `import { createPool } from 'sigmaflow/pool';
import { load } from './bundle/${model}.mjs';
export const answer = async (pixels: Float32Array): Promise<Float32Array> => (await load()).run(pixels).${output}.data;
export const many = async (pixels: Float32Array): Promise<Float32Array> => (await (await createPool<${name}>((await load()).module, { threads: 2 })).run(pixels)).${output}.data;
import type { ${name} } from './bundle/${model}.mjs';
`;
  const right = { 'use.ts': source(output), 'pooled.ts': pooled };
  assert.is(check(right, 'bundler'), '');
  const told = check({ ...right, 'wrong.ts': source('nothing') }, 'nodenext');
  assert.match(told, /^wrong\.ts\(.*Property 'nothing' does not exist/);
  assert.is(told.match(/error TS/g)!.length, 1, told);
});

test('the command line compiles, runs and reports', () => {
  assert.match(sigmaflow('compile', `${model}.onnx`, '-o', 'board', '--board', 'raspberry-pi-5').stdout, /\nfor Raspberry Pi 5: target relaxed, tiles for arm64\n$/);
  const compiled = sigmaflow('compile', `${model}.onnx`, '-o', 'out', '--wasi');
  assert.is(compiled.stderr, '');
  assert.is(compiled.status, 0);
  for (const suffix of ['.wasm', '.d.ts', '.wasi.wasm']) assert.ok(existsSync(join(folder, 'out', model + suffix)), model + suffix);
  assert.ok(readFileSync(join(folder, 'out', `${model}.wasm`)).equals(readFileSync(join(folder, 'model.wasm'))), 'the module that compile() makes');
  const shape: number[] = JSON.parse(sigmaflow('inspect', `out/${model}.wasm`, '--json').stdout).inputs[0].shape;
  writeFileSync(join(folder, 'x.npy'), writeNpy({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5) }));
  for (const file of [`${model}.onnx`, `out/${model}.wasm`]) {
    const run = sigmaflow('run', file, '--input', 'x.npy', '--output', 'y.npy');
    assert.is(run.stderr, '');
    assert.is(run.status, 0);
    assert.ok(existsSync(join(folder, 'y.npy')));
    rmSync(join(folder, 'y.npy'));
  }
  const refused = sigmaflow('compile', 'x.npy', '-o', 'nowhere');
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /^error \[onnx\/not-a-model\] /);
  assert.not(existsSync(join(folder, 'nowhere')));
});

test('a circuit: the project of the installed package passes its C simulation', () => {
  writeFileSync(join(folder, 'none.json'), '{}');
  const made = sigmaflow('hls', `${model}.onnx`, '--board', 'arty-a7-100t', '-o', 'circuit', '--random', '1', '--folding', 'none.json');
  assert.is(made.stderr, '');
  assert.is(made.status, 0);
  if (spawnSync('g++', ['--version']).status !== 0) return console.log('SKIP its C simulation: g++ is missing; apt-get install -y g++');
  const { stdout, stderr } = spawnSync('make', ['-s', '-C', 'circuit', 'csim', 'CXXFLAGS=-O0'], { cwd: folder, encoding: 'utf8' });
  assert.is(stdout, `PASS: ${model}, 1 calls, 10 values equal in every bit\n`, stderr);
});

test.run();
