/**
 * Bundles in headless Chromium: every build gives Node's bits, and `load()` fetches one file, that of the build which is
 * picked; the loader as it is (with an import map) and through a bundler.
 */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import type { Browser } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileBundle, type Bundle } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { runs } from '../../sdk/runtime/pick.js';
import { answers } from './answers.js';
import { launch, missingBrowser, page, resultOf, serve } from './page.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = ['mlp_w2a2', 'cnn_w8a8_fashion'];
const bundles: Record<string, Bundle> = {};
for (const name of names) bundles[name] = await compileBundle(readFileSync(`${root}examples/models/${name}.onnx`), { batch: 2, name });
const targets = Object.keys(bundles[names[0]].artifacts);

test('every build gives the same bits in Node; the loader has a few hundred bytes', () => {
  for (const { artifacts, files } of Object.values(bundles)) {
    const [first, ...rest] = Object.values(artifacts).filter(({ manifest }) => manifest.target === 'scalar' || runs(manifest.target)).map(({ wasm }) => answers(loadSync(wasm as Uint8Array<ArrayBuffer>), 5));
    assert.ok(rest.length >= 1 && Object.values(first).every((hex) => hex.length >= 40));
    for (const other of rest) assert.equal(other, first);
    const loader = Object.entries(files).find(([name]) => name.endsWith('.mjs'))![1];
    assert.ok(loader.length < 700, `the loader has ${loader.length} bytes`);
  }
});

if (missingBrowser) {
  test('Chromium', () => console.log(missingBrowser));
} else {
  let browser: Browser;
  let server: Server;
  let address = '';
  let asked: string[];
  const script = `import { answers } from '/answers.js';
    import { pickBuild } from 'sigmaflow/runtime';
    ${names.map((name, i) => `import { load as load${i} } from './${name}.mjs';`).join('\n')}
    window.result = (async () => {
      const builds = location.hash === '' ? [undefined] : location.hash.slice(1).split(',');
      const results = {};
      for (const build of builds) results[build ?? 'best'] = await Promise.all([${names.map((_, i) => `load${i}(build)`).join(', ')}].map(async (model) => answers(await model, 5)));
      return { picked: pickBuild(), results };
    })();`;

  test.before(async () => {
    const runtime = (await build({ entryPoints: [`${root}sdk/runtime/index.ts`], bundle: true, format: 'esm', write: false })).outputFiles[0].text;
    const files: Record<string, Uint8Array | string> = {
      'runtime.js': runtime,
      'answers.js': transformSync(readFileSync(new URL('answers.ts', import.meta.url), 'utf8'), { loader: 'ts' }).code,
      'plain.js': script,
      'plain.html': page('<script type="importmap">{ "imports": { "sigmaflow/runtime": "/runtime.js" } }</script><script type="module" src="/plain.js"></script>'),
      'bundled.html': page('<script type="module" src="/app.js"></script>'),
    };
    for (const bundle of Object.values(bundles)) Object.assign(files, bundle.files);
    const sources = {
      name: 'sources',
      setup({ onResolve, onLoad }: import('esbuild').PluginBuild) {
        onResolve({ filter: /./ }, ({ path }) => (path === '/answers.js' ? { path, external: true } : { path: path.replace(/^\.?\//, '').replace('sigmaflow/runtime', 'runtime.js'), namespace: 'page' }));
        onLoad({ filter: /./, namespace: 'page' }, ({ path }) => ({ contents: files[path] }));
      },
    };
    files['app.js'] = (await build({ entryPoints: ['plain.js'], bundle: true, minify: true, format: 'esm', platform: 'browser', write: false, plugins: [sources], logLevel: 'error' })).outputFiles[0].text;
    ({ server, address, asked } = await serve(files, () => ({})));
    browser = await launch();
  });

  test.after(async () => {
    await browser?.close();
    server?.close();
  });

  const expected = (target: string): unknown => names.map((name) => answers(loadSync(bundles[name].artifacts[target].wasm as Uint8Array<ArrayBuffer>), 5));

  for (const path of ['plain.html', 'bundled.html']) {
    test(`${path}: the build that is picked, and no other file`, async () => {
      asked.length = 0;
      const { picked, results } = (await resultOf(browser, `${address}/${path}`)) as { picked: string; results: unknown };
      assert.is(picked, 'relaxed');
      assert.equal(results, { best: expected('scalar') });
      assert.equal(asked.filter((file) => file.endsWith('.wasm')).sort(), names.map((name) => `${name}.${picked}.wasm`).sort());
    });

    test(`${path}: every build gives the bits of Node`, async () => {
      const { results } = (await resultOf(browser, `${address}/${path}#${targets.join()}`)) as { results: unknown };
      assert.equal(results, Object.fromEntries(targets.map((target) => [target, expected('scalar')])));
    });
  }
}

test.run();
