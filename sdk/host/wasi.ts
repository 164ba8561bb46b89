/** Runs a model's WASI command under Node's own WASI. Not here: other hosts (wasmtime runs the file as it is). */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface WasiResult {
  /** The exit code. */
  readonly code: number;
  readonly stdout: Uint8Array;
  /** Errors in words. */
  readonly stderr: string;
}

/**
 * Runs a WASI command once, with these bytes on standard input.
 *
 * Node's WASI takes files, not streams: the three are temporary files for the time of the call.
 */
export async function runWasi(module: Uint8Array | WebAssembly.Module, stdin: Uint8Array, args: readonly string[] = []): Promise<WasiResult> {
  const { WASI } = await importWasi();
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  const path = (name: string) => join(folder, name);
  writeFileSync(path('in'), stdin);
  const files = [openSync(path('in'), 'r'), openSync(path('out'), 'w'), openSync(path('error'), 'w')];
  try {
    const wasi = new WASI({ version: 'preview1', args: ['model', ...args], stdin: files[0], stdout: files[1], stderr: files[2], returnOnExit: true });
    const compiled = module instanceof WebAssembly.Module ? module : await WebAssembly.compile(module as BufferSource);
    const code = wasi.start(await WebAssembly.instantiate(compiled, { wasi_snapshot_preview1: wasi.wasiImport }));
    return { code: Number(code), stdout: readFileSync(path('out')), stderr: readFileSync(path('error'), 'utf8') };
  } finally {
    files.forEach(closeSync);
    rmSync(folder, { recursive: true });
  }
}

/** Node warns that its WASI is experimental each time it is loaded; a user of a command line has no use for that. */
async function importWasi(): Promise<typeof import('node:wasi')> {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: []) => {
    if (!String(warning).includes('WASI is an experimental feature')) emitWarning.call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    return await import('node:wasi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
