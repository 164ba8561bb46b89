/** Node's module hooks behind typescript.mjs. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

const root = new URL('..', import.meta.url).href;
const own = (url) => url.startsWith(root) && !url.includes('/node_modules/');

/** `./x.js` in a TypeScript file means x.ts where there is one. */
export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL && own(context.parentURL)) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

/** Strips the types of the project's own files. */
export async function load(url, context, next) {
  if (!/\.m?ts$/.test(url) || !own(url)) return next(url, context);
  const sourcefile = fileURLToPath(url);
  const { code } = await transform(readFileSync(sourcefile, 'utf8'), { loader: 'ts', format: 'esm', target: 'es2022', sourcemap: 'inline', sourcefile });
  return { format: 'module', source: code, shortCircuit: true };
}
