/**
 * sdk/host/assembler.ts for the files of one test run, which compile many models alike: what it made of the same texts and options
 * is kept in the run's folder (scripts/typescript-hooks.mjs puts this file in its place). Its own tests, and the package's, do without.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Toolchain } from '../../codegen/compile.js';
import * as real from '../../sdk/host/assembler.js';

const folder = process.env.SIGMAFLOW_TEST_CACHE!;
/** What decides beside texts and options. */
const assembler = ['../../sdk/host/assembler.ts', '../../node_modules/assemblyscript/package.json'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'));

/** As the assembler's own; a fault is never kept. */
export const assemble: Toolchain['assemble'] = async (sources, options) => {
  const named = Object.keys(sources).sort().map((name) => [name, sources[name]]);
  const file = join(folder, `${createHash('sha256').update(JSON.stringify([assembler, options, named])).digest('hex')}.wasm`);
  if (!options.wat && existsSync(file)) return { binary: new Uint8Array(readFileSync(file)) };
  const made = await real.assemble(sources, options);
  if (!options.wat) {
    const own = `${file}.${process.pid}`;
    writeFileSync(own, made.binary);
    renameSync(own, file); // others see it whole or not at all
  }
  return made;
};

/** As the assembler's own, but that it keeps. */
export function toolchain(): Toolchain {
  return { ...real.toolchain(), assemble };
}
