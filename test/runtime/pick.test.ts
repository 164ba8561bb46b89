/** Which build is picked: on this engine, on engines without an instruction, and on one that gets it wrong in one of its tiers. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pickBuild, runs } from '../../sdk/runtime/pick.js';
import { tinyModule } from './tiny.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const code = transformSync(readFileSync(`${root}sdk/runtime/pick.ts`, 'utf8'), { loader: 'ts' }).code.replace(/^export \{[^}]*\};?$/m, '').replaceAll('export ', '');
const runtime = (await build({ entryPoints: [`${root}sdk/runtime/index.ts`], bundle: true, format: 'esm', write: false })).outputFiles[0].text;
const module = await tinyModule(1, { target: 'relaxed', features: ['simd128', 'relaxed-simd'] });
const [major] = process.versions.node.split('.').map(Number);

/** What a Node with these flags picks; undefined where it does not know a flag. */
function picked(...flags: string[]): string | undefined {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--eval', `${code}; console.log(pickBuild())`], { encoding: 'utf8' });
  return stderr.includes('bad option') ? undefined : stdout.trim() || stderr;
}

test('this engine: what it has', () => {
  const relaxed = major >= 22;
  assert.is(pickBuild(), relaxed ? 'relaxed' : 'simd128');
  assert.equal([runs('simd128'), runs('relaxed')], [true, relaxed]);
  assert.is(picked(), pickBuild());
});

test('of the builds that there are', () => {
  assert.is(pickBuild(['scalar']), 'scalar');
  assert.is(pickBuild(['scalar', 'simd128']), 'simd128');
});

test('an engine without SIMD', () => {
  if (process.arch === 'x64') assert.is(picked('--no-enable-sse4-1'), 'scalar');
  else console.log('SKIP an engine without SIMD: node --no-enable-sse4-1 is one on x64 only');
  assert.is(pickWith(() => { throw new WebAssembly.CompileError('no'); }), 'scalar');
  assert.is(pickWith((bytes) => { if (bytes.includes(0x93)) throw new WebAssembly.CompileError('no'); return new WebAssembly.Module(bytes); }), 'simd128');
});

/** Node 20 with relaxed SIMD switched on: the baseline compiler's dot product is wrong, the optimizing one's is right. */
test('an engine of which one tier is wrong', () => {
  const flag = '--experimental-wasm-relaxed-simd';
  if (major > 20) return assert.is(picked(flag), undefined); // it is on by default, and right
  assert.is(picked(flag), 'simd128');
  assert.is(picked(flag, '--liftoff-only'), 'simd128');
  assert.is(picked(flag, '--no-liftoff'), 'relaxed');
});

/** As an app would load the module: Node 20 would answer wrongly for some minutes, then rightly. */
test('a module is refused by an engine that would compute it wrongly', () => {
  if (major > 20) return assert.is(runs('relaxed'), true);
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  writeFileSync(join(folder, 'load.mjs'), `import { load } from './runtime.mjs';\nawait load(Uint8Array.from(${JSON.stringify([...module])})).then(() => console.log('loaded'), (error) => console.log(error.message));`);
  writeFileSync(join(folder, 'runtime.mjs'), runtime);
  const told = (...flags: string[]): string => spawnSync(process.execPath, ['--experimental-wasm-relaxed-simd', ...flags, join(folder, 'load.mjs')], { encoding: 'utf8' }).stdout;
  assert.is(told(), 'error [module/features] tiny: this engine has relaxed SIMD and computes it wrongly\n  Compile with --target simd128, or with --bundle, whose load() picks what an engine computes rightly.\n');
  assert.is(told('--no-liftoff'), 'loaded\n');
  rmSync(folder, { recursive: true });
});

test('each tier of this engine gives the same answer', () => {
  if (major < 22) return assert.is(picked('--no-liftoff'), 'simd128');
  assert.is(picked('--liftoff-only'), 'relaxed');
  assert.is(picked('--no-liftoff'), 'relaxed');
});

/** What is picked where `new WebAssembly.Module` does this. */
function pickWith(compile: (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module): string {
  const Module = function (bytes: Uint8Array<ArrayBuffer>) { return compile(bytes); };
  return new Function('WebAssembly', `${code}; return pickBuild();`)({ Module, Instance: WebAssembly.Instance }) as string;
}

test.run();
