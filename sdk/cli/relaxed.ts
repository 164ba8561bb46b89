/**
 * Where the commands run modules that use relaxed SIMD: in this process, where its dot product is right, else in the Node
 * that SIGMAFLOW_NODE names. What the SDK's own hosts pick is not decided here.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import type { Manifest } from '../runtime/index.js';

/** A module that exports f: () -> i32 with this body. */
export function moduleOf(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, 0x0b];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    1, 5, 1, 0x60, 0, 1, 0x7f, // type: () -> i32
    3, 2, 1, 0, // function 0 has type 0
    7, 5, 1, 1, 0x66, 0, 0, // export "f"
    10, code.length + 2, 1, code.length, ...code,
  ]);
}

/** One lane of i32x4.relaxed_dot_i8x16_i7x16_add_s of 1s, 2s and 3s: 11. Node 20's baseline compiler gets it wrong. */
export const relaxedModule = moduleOf([0x41, 1, 0xfd, 15, 0x41, 2, 0xfd, 15, 0x41, 3, 0xfd, 17, 0xfd, 0x93, 2, 0xfd, 27, 0]);

/** True where this process executes a module of `moduleOf` and gets the expected answer. */
export function answers(bytes: Uint8Array<ArrayBuffer>, expected: number): boolean {
  try {
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as { f(): number };
    return f() === expected;
  } catch {
    return false; // engines validate what they then do not compile
  }
}

const testScript = `
const m = new Uint8Array(${JSON.stringify([...relaxedModule])});
process.exit(WebAssembly.validate(m) && new WebAssembly.Instance(new WebAssembly.Module(m)).exports.f() === 11 ? 0 : 1);
`;

const runScript = `
const fs = require('fs');
const folder = process.argv[1];
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(folder + '/module.wasm')));
const memory = new Uint8Array(exports.memory.buffer);
for (const { offset, file } of JSON.parse(fs.readFileSync(folder + '/inputs.json'))) memory.set(fs.readFileSync(folder + '/' + file), offset);
const status = exports.run();
fs.writeFileSync(folder + '/memory', memory);
process.stdout.write(String(status));
`;

let other: string | undefined;

/** How modules with relaxed SIMD are run: `here`, the path of another Node, or undefined where nothing can. */
export function relaxedHost(): string | undefined {
  if (answers(relaxedModule, 11)) return 'here';
  const named = process.env.SIGMAFLOW_NODE;
  if (named && other !== named && spawnSync(named, ['-e', testScript]).status === 0) other = named;
  return named ? other : undefined;
}

/** What to do where nothing can run them. */
export const relaxedHint = 'Use Node 22 or later, or name one in SIGMAFLOW_NODE.';

/** An instance of a module: in this process, or one of which `run` runs in the other Node and brings its memory back. */
export function instantiate(wasm: Uint8Array, manifest: Manifest): WebAssembly.Instance {
  const host = manifest.features.includes('relaxed-simd') ? relaxedHost() : 'here';
  if (host === undefined) fail('target/unsupported', manifest.name, `Node ${process.versions.node} has no relaxed SIMD that computes rightly`, relaxedHint);
  if (host === 'here') return new WebAssembly.Instance(new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>));
  const memory = new WebAssembly.Memory({ initial: Math.ceil((manifest.arenaBytes + 16) / 65536) });
  return { exports: { memory, run: () => runIn(host, wasm, manifest, memory) } };
}

function runIn(node: string, wasm: Uint8Array, manifest: Manifest, memory: WebAssembly.Memory): number {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  try {
    writeFileSync(join(folder, 'module.wasm'), wasm);
    const inputs = manifest.inputs.map((t, i) => {
      const bytes = t.shape.reduce((a, b) => a * b, 1) * (Number(/\d+$/.exec(t.storage)![0]) / 8);
      writeFileSync(join(folder, `input${i}`), new Uint8Array(memory.buffer, t.offset, bytes));
      return { offset: t.offset, file: `input${i}` };
    });
    writeFileSync(join(folder, 'inputs.json'), JSON.stringify(inputs));
    const { status, stdout, stderr } = spawnSync(node, ['-e', runScript, folder], { encoding: 'utf8' });
    if (status !== 0) fail('compile/assembler', manifest.name, `the module ended ${node} with status ${status}: ${stderr.trim().slice(0, 500)}`, 'This is a fault of the compiler. Report it with the model.');
    const left = readFileSync(join(folder, 'memory'));
    new Uint8Array(memory.buffer).set(left.subarray(0, memory.buffer.byteLength));
    return Number(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
