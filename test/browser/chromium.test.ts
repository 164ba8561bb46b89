/**
 * The built runtime in headless Chromium, under the content security policy that the documentation promises: module and
 * script-tag builds load every example model and some random networks, and answer with the bits that Node answers with; the
 * compiler runs there too.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import type { Browser } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { kinds, randomCase } from '../random/graphs.js';
import { tinyModule } from '../runtime/tiny.js';
import { answers } from './answers.js';
import { launch, missingBrowser, page, resultOf, serve } from './page.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The page that compiles needs more: binaryen fetches its own code from a data: address. */
const compilerPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' data:";
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

/** The model that the page compiles itself. */
const compiled = 'mlp_w2a2';

const body = (runtime: string) => `
  window.result = (async () => {
    const { load, loadSync, ModelError } = ${runtime};
    const { answers } = await import('/answers.js');
    const results = {};
    for (const name of await (await fetch('/modules.json')).json()) {
      const model = await load(fetch('/' + name));
      results[name] = answers(model, 3);
      const again = answers(model.session(), 3);
      if (JSON.stringify(again) !== JSON.stringify(results[name])) throw new Error('sessions differ');
    }
    const bytes = await (await fetch('/tiny.wasm')).arrayBuffer();
    if (JSON.stringify(answers(loadSync(bytes), 3)) !== JSON.stringify(results['tiny.wasm'])) throw new Error('loadSync differs');
    const missing = await load(fetch('/nothing.wasm')).catch((error) => error instanceof ModelError && error.message);
    return { results, missing };
  })();
`;

let browser: Browser | undefined;
let server: Server | undefined;
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));

test.after(async () => {
  await browser?.close();
  server?.close();
  rmSync(folder, { recursive: true });
});

if (missingBrowser) {
  test('Chromium', () => console.log(missingBrowser));
} else {
  const modules: Record<string, Uint8Array> = { 'tiny.wasm': await tinyModule(2) };
  let address = '';

  test.before(async () => {
    execFileSync(process.execPath, [`${root}scripts/build.mjs`, folder]);
    for (const file of readdirSync(`${root}examples/models`).filter((name) => name.endsWith('.onnx'))) {
      for (const target of ['simd128', 'scalar', 'relaxed'] as const) modules[`${file}.${target}.wasm`] = (await compile(readFileSync(`${root}examples/models/${file}`), { target, batch: 2 })).wasm;
    }
    for (const kind of kinds) {
      for (const seed of [3, 8, 21]) {
        modules[`random-${kind}-${seed}.wasm`] = (await compile(randomCase(kind, seed).graph, { target: seed === 3 ? 'scalar' : 'simd128' })).wasm;
      }
    }
    const bundled = await build({
      entryPoints: { compiler: join(folder, 'index.js') }, nodePaths: [`${root}node_modules`],
      bundle: true, format: 'esm', write: false, outdir: join(folder, 'page'), splitting: true, platform: 'browser', external: ['node:*', 'fs', 'module', 'path', 'url'],
      logLevel: 'error',
    });
    const files: Record<string, string | Uint8Array> = {
      ...modules,
      'modules.json': JSON.stringify(Object.keys(modules)),
      'answers.js': transformSync(readFileSync(new URL('answers.ts', import.meta.url), 'utf8'), { loader: 'ts' }).code,
      'module.html': page('<script type="module" src="/module-page.js"></script>'),
      'module-page.js': body("await import('/runtime.js')"),
      'global.html': page('<script src="/sigmaflow.runtime.global.js"></script><script src="/global-page.js"></script>'),
      'global-page.js': body('sigmaflow'),
      'compile.html': page('<script type="module" src="/compile-page.js"></script>'),
      'model.onnx': readFileSync(`${root}examples/models/${compiled}.onnx`),
      'compile-page.js': `window.result = (async () => {
        const { compile, DiagnosticError } = await import('/compiler.js');
        const { wasm } = await compile(await (await fetch('/model.onnx')).arrayBuffer(), { batch: 2 });
        const refused = await compile(new Uint8Array(100)).catch((error) => error instanceof DiagnosticError && error.message);
        return { wasm: Array.from(wasm), refused };
      })();`,
    };
    for (const name of readdirSync(folder).filter((f) => f.endsWith('.js'))) files[name] = readFileSync(join(folder, name), 'utf8');
    for (const { path, contents } of bundled.outputFiles) files[path.split(/[\\/]/).at(-1)!] = contents;
    ({ server, address } = await serve(files, (path) => ({ 'Content-Security-Policy': path.startsWith('compile') ? compilerPolicy : policy })));
    browser = await launch();
  });

  for (const path of ['module.html', 'global.html']) {
    test(`${path}: the bits of Node`, async () => {
      const { results, missing } = (await resultOf(browser!, `${address}/${path}`)) as { results: Record<string, Record<string, string>>; missing: string };
      assert.ok(Object.keys(modules).length >= 3);
      for (const [name, bytes] of Object.entries(modules)) {
        // Not every Node has relaxed SIMD; the bits are those of simd128.
        const expected = answers(loadSync(modules[name.replace('.relaxed.', '.simd128.')] ?? bytes), 3);
        assert.ok(Object.values(expected).every((hex) => hex.length >= 8));
        assert.equal(results[name], expected, name);
      }
      assert.match(missing, /^error \[module\/not-a-module\] http:.*\/nothing\.wasm: expected a module, the server answered 404/);
    });
  }

  test('the policy is in force: without wasm-unsafe-eval nothing compiles', async () => {
    const tab = await browser!.newPage();
    await tab.route('**/module.html', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy.replace(" 'wasm-unsafe-eval'", '') } });
    });
    await tab.goto(`${address}/module.html`);
    await tab.waitForFunction('window.result !== undefined');
    assert.match(String(await tab.evaluate('window.result.catch(String)')), /Content Security Policy/);
    await tab.close();
  });

  test('the compiler, bundled for the page, makes the module that Node makes', async () => {
    const { wasm, refused } = (await resultOf(browser!, `${address}/compile.html`)) as { wasm: number[]; refused: string };
    assert.ok(Buffer.from(wasm).equals(modules[`${compiled}.onnx.simd128.wasm`]));
    assert.match(refused, /^error \[onnx\/not-a-model\]/);
  });
}

test.run();
