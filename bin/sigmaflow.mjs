#!/usr/bin/env node
// The command `sigmaflow`: finds the program (TypeScript in a source checkout, dist/ in the installed package) and
// starts it. No command lives here.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
let entry = new URL('../dist/cli.js', import.meta.url);
if (existsSync(new URL('../codegen', import.meta.url))) {
  try {
    await import('esbuild');
    await import(new URL('../scripts/typescript.mjs', import.meta.url).href);
    entry = new URL('../sdk/cli/main.ts', import.meta.url);
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    if (!existsSync(entry)) {
      console.error('error: the packages of this checkout are not installed\n  Run `npm ci` in its root.');
      process.exit(1);
    }
  }
}
// A reader that closes the pipe early (head) is no failure.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
const { main } = await import(entry.href);
process.exitCode = await main(process.argv.slice(2), root);
