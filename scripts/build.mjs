/**
 * Builds dist/: the package's entries as ES modules, the runtime as one file for a script tag, and the type
 * declarations. Dependencies stay imports. Run by `npm run build` and before `npm pack`; `build.mjs FOLDER` builds there.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? `${root}dist`);

/** In dist/ the AssemblyScript library is text in the code, so that compiling needs no files (and works in a browser). */
const inlineLibrary = {
  name: 'inline-library',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]sdk[\\/]host[\\/]library\.ts$/ }, () => {
      const names = readdirSync(`${root}assembly`).filter((name) => name.endsWith('.ts')).sort();
      const texts = Object.fromEntries(names.map((name) => [name, readFileSync(`${root}assembly/${name}`, 'utf8')]));
      return { contents: `const texts = ${JSON.stringify(texts)};\nexport const libraryTexts = () => texts;\n` };
    });
  },
};

/** The runtime is one file, which starts faster than chunks; the other entries import it, so that its classes exist once. */
const runtimeApart = {
  name: 'runtime-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/runtime\/(index|error)\.js$/ }, () => ({ path: './runtime.js', external: true }));
  },
};

rmSync(dist, { recursive: true, force: true });
await build({
  entryPoints: [`${root}sdk/runtime/index.ts`],
  outfile: `${dist}/runtime.js`,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
await build({
  entryPoints: { index: `${root}sdk/index.ts`, data: `${root}sdk/data/index.ts`, cli: `${root}sdk/cli/main.ts` },
  outdir: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  packages: 'external',
  external: ['node:*'],
  plugins: [inlineLibrary, runtimeApart],
  logLevel: 'warning',
});
await build({
  entryPoints: [`${root}sdk/runtime/index.ts`],
  outfile: `${dist}/sigmaflow.runtime.global.js`,
  bundle: true,
  minify: true,
  format: 'iife',
  globalName: 'sigmaflow',
  target: 'es2022',
  logLevel: 'warning',
});
emitDeclarations();
for (const name of readdirSync(dist).filter((name) => name.endsWith('.js'))) console.log(`${basename(dist)}/${name}  ${readFileSync(`${dist}/${name}`).length} bytes`);

function emitDeclarations() {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['sdk/index.ts', 'sdk/runtime/index.ts', 'sdk/data/index.ts'] }, ts.sys, root);
  const program = ts.createProgram(
    ['index', 'runtime/index', 'data/index'].map((name) => `${root}sdk/${name}.ts`),
    { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: root, outDir: `${dist}/types` },
  );
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  if (diagnostics.length > 0) {
    console.error(ts.formatDiagnostics(diagnostics, { getCanonicalFileName: (f) => f, getCurrentDirectory: () => root, getNewLine: () => '\n' }));
    process.exitCode = 1;
  }
}
