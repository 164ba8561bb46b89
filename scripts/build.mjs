/**
 * Builds dist/: the package's entries as ES modules, the runtime as one file for a script tag, and the type
 * declarations. Dependencies stay imports. Run by `npm run build` and before `npm pack`; `build.mjs FOLDER` builds there what
 * runs, without the declarations.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

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

/** One script, for workers and script tags. */
const script = async (entry, more = {}) => {
  const { outputFiles } = await build({ entryPoints: [`${root}${entry}`], write: false, bundle: true, minify: true, format: 'iife', target: 'es2022', logLevel: 'warning', ...more });
  return outputFiles[0].text;
};
const workers = {
  nodeCode: await script('sdk/host/poolWorker.node.ts', { platform: 'node', format: 'cjs' }),
  browserCode: await script('sdk/host/poolWorker.browser.ts'),
};

/** In dist/ a pool's workers are text in the code: no file to be found beside it, whatever bundles the app. */
const inlineWorkers = {
  name: 'inline-workers',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]sdk[\\/]host[\\/]poolCode\.ts$/ }, () => ({
      contents: Object.entries(workers).map(([name, text]) => `export const ${name} = { text: ${JSON.stringify(text.trim())} };\n`).join(''),
    }));
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
  entryPoints: {
    index: `${root}sdk/index.ts`, data: `${root}sdk/data/index.ts`, metrics: `${root}sdk/metrics/index.ts`, cli: `${root}sdk/cli/main.ts`,
    'pool.node': `${root}sdk/host/pool.node.ts`, 'pool.browser': `${root}sdk/host/pool.browser.ts`,
  },
  outdir: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  packages: 'external',
  external: ['node:*'],
  plugins: [inlineLibrary, inlineWorkers, runtimeApart],
  logLevel: 'warning',
});
writeFileSync(`${dist}/sigmaflow.runtime.global.js`, await script('sdk/runtime/index.ts', { globalName: 'sigmaflow' }));
writeFileSync(`${dist}/pool.worker.js`, workers.browserCode);
if (process.argv[2] === undefined) await emitDeclarations();
for (const name of readdirSync(dist).filter((name) => name.endsWith('.js'))) console.log(`${basename(dist)}/${name}  ${readFileSync(`${dist}/${name}`).length} bytes`);

async function emitDeclarations() {
  const { default: ts } = await import('typescript');
  const entries = ['index', 'runtime/index', 'data/index', 'metrics/index', 'host/pool.node', 'host/pool.browser'].map((name) => `sdk/${name}.ts`);
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: entries }, ts.sys, root);
  const program = ts.createProgram(
    entries.map((name) => `${root}${name}`),
    { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: root, outDir: `${dist}/types` },
  );
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  if (diagnostics.length > 0) {
    console.error(ts.formatDiagnostics(diagnostics, { getCanonicalFileName: (f) => f, getCurrentDirectory: () => root, getNewLine: () => '\n' }));
    process.exitCode = 1;
  }
}
