/**
 * Module hooks of typescript.mjs: `./x.js` may be `./x.ts`; TypeScript is transformed when it is loaded.
 *
 * A test run (test/run.ts) names a folder of its own in SIGMAFLOW_TEST_CACHE: what one of its processes has transformed, or had
 * assembled (test/support/assembler.ts), the others take from there. Everything lies there by the hash of what it was made from.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = process.env.SIGMAFLOW_TEST_CACHE;
const sharedAssembler = new URL('../test/support/assembler.ts', import.meta.url).href;
/** Who has the assembler itself: its own tests, and what keeps its modules. */
const tellsApart = /\/test\/(host\/|support\/assembler\.ts)/;

export async function resolve(specifier, context, next) {
  if (/^(\.|\/|file:)/.test(specifier) && specifier.endsWith('.js') && context.parentURL && !context.parentURL.includes('/node_modules/')) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (cache && url.pathname.endsWith('/sdk/host/assembler.ts') && !tellsApart.test(context.parentURL)) return { url: sharedAssembler, format: 'module', shortCircuit: true };
    if (fs.existsSync(fileURLToPath(url))) return { url: url.href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!/\.m?ts$/.test(url) || url.includes('/node_modules/')) return next(url, context);
  return { format: 'module', source: await transformed(fileURLToPath(url)), shortCircuit: true };
}

async function transformed(file) {
  const text = fs.readFileSync(file, 'utf8');
  const kept = cache && join(cache, `${createHash('sha256').update(`${file}\n${text}`).digest('hex')}.mjs`);
  if (kept && fs.existsSync(kept)) return fs.readFileSync(kept, 'utf8');
  const { transform } = await import('esbuild');
  const { code } = await transform(text, { loader: 'ts', format: 'esm', target: 'node20', sourcemap: 'inline', sourcefile: file });
  if (kept) {
    const own = `${kept}.${process.pid}`;
    fs.writeFileSync(own, code);
    fs.renameSync(own, kept); // others see it whole or not at all
  }
  return code;
}
