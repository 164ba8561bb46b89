/** Runs WASI commands under wasmtime (PyPI's package), from the interpreter that SIGMAFLOW_PYTHON names. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WasiResult } from '../../sdk/host/wasi.js';

const wasmtimeScript = `
import sys, wasmtime
folder, arguments = sys.argv[1], sys.argv[2:]
engine = wasmtime.Engine()
store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
linker.define_wasi()
wasi = wasmtime.WasiConfig()
wasi.argv = ["model"] + arguments
wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = (folder + n for n in ("/in", "/out", "/error"))
store.set_wasi(wasi)
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, folder + "/model.wasm"))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap as trap:
    sys.exit(trap.code)
`;

export const python = process.env.SIGMAFLOW_PYTHON ?? 'python3';
export const hasWasmtime = spawnSync(python, ['-c', 'import wasmtime']).status === 0;

export async function runWasmtime(module: Uint8Array, stdin: Uint8Array, args: readonly string[] = []): Promise<WasiResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  try {
    for (const [name, bytes] of [['model.wasm', module], ['in', stdin], ['out', ''], ['error', '']] as const) writeFileSync(join(folder, name), bytes);
    const { status } = spawnSync(python, ['-c', wasmtimeScript, folder, ...args]);
    return { code: status ?? -1, stdout: readFileSync(join(folder, 'out')), stderr: readFileSync(join(folder, 'error'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
