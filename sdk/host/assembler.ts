/**
 * The assembler: AssemblyScript text in, a WebAssembly module out. The only file that names asc and binaryen.
 *
 * Host-neutral: asc is plain JavaScript. It is loaded on first use, so that importing sigmaflow stays cheap.
 * Not here: what the text says (codegen/emit).
 */
import type { AssembleOptions, Toolchain } from '../../codegen/compile.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import { sha256 } from '../../codegen/ir/hash.js';
import { libraryTexts } from './library.js';

/**
 * What asc would enable by itself. All four are in every engine that has SIMD; mutable-globals and bulk-memory are
 * still left off unless asked for, so that a module uses nothing that its manifest does not state.
 */
const defaultFeatures = ['sign-extension', 'nontrapping-f2i'];
const ascDefaults = ['mutable-globals', 'sign-extension', 'nontrapping-f2i', 'bulk-memory'];
const optionalFeatures = ['simd', 'relaxed-simd'];

/** The compiler's tools on this host. */
export function toolchain(): Toolchain {
  return { assemble, library: libraryTexts(), sha256 };
}

/**
 * Assembles AssemblyScript sources (by file name, `options.entry` among them) in this process.
 *
 * The module exports `memory` and what the entry file exports, imports only what the sources declare (no `env.abort`),
 * has no runtime and no garbage collector, and static data from `memoryBase` on. Names in `features` are asc's or
 * `simd128`; sign-extension and nontrapping-f2i are always on.
 * @throws compile/assembler with asc's first messages.
 */
export async function assemble(sources: Record<string, string>, options: AssembleOptions): Promise<{ binary: Uint8Array; wat?: string }> {
  const { default: asc } = await import('assemblyscript/asc');
  const outputs: Record<string, string | Uint8Array> = {};
  let messages = '';
  const { error } = await asc.main(commandLine(options), {
    stdout: { write: () => undefined },
    stderr: { write: (chunk: string | Uint8Array) => void (messages += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk)) },
    readFile: (path) => sources[path.replace(/^\.\//, '')] ?? null,
    writeFile: (path, contents) => void (outputs[path] = contents),
    listFiles: () => null,
  });
  const binary = outputs['module.wasm'];
  if (error || !(binary instanceof Uint8Array)) {
    const text = messages.slice(Math.max(0, messages.indexOf('ERROR'))) || error?.message || 'no message';
    const lines = text.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '');
    fail('compile/assembler', options.entry, lines[0], ...lines.slice(1, 12), 'This is a fault of the compiler. Report it with the model, or with what `--emit source` wrote.');
  }
  return { binary, wat: options.wat ? String(outputs['module.wat']) : undefined };
}

function commandLine(options: AssembleOptions): string[] {
  const asked = options.features.map((f) => (f === 'simd128' ? 'simd' : f));
  const enable = asked.filter((f) => optionalFeatures.includes(f));
  const disable = ascDefaults.filter((f) => !defaultFeatures.includes(f) && !asked.includes(f));
  return [
    options.entry,
    '--outFile', 'module.wasm',
    ...(options.wat ? ['--textFile', 'module.wat'] : []),
    '--optimizeLevel', String(options.optimizeLevel),
    '--shrinkLevel', String(options.shrinkLevel),
    '--memoryBase', String(options.memoryBase),
    '--initialMemory', String(options.pages),
    '--maximumMemory', String(options.maximumPages ?? options.pages),
    '--runtime', 'stub',
    '--use', 'abort=',
    '--noAssert',
    '--noColors',
    ...enable.flatMap((f) => ['--enable', f]),
    ...disable.flatMap((f) => ['--disable', f]),
  ];
}
