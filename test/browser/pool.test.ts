/**
 * Pools in headless Chromium: with shared memory on a page that is cross-origin isolated, with messages on one that is not,
 * and under a policy that forbids workers from blob: addresses. The bits are those of one session in Node.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { tinyModule, type TinyTypes } from '../runtime/tiny.js';
import { launch, missingBrowser, page, resultOf, serve } from './page.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
let browser: Browser | undefined;
let server: Server | undefined;

test.after(async () => {
  await browser?.close();
  server?.close();
  rmSync(folder, { recursive: true });
});

/** Runs many images at once and one after the other, an error between them. */
const script = `import { createPool } from '/pool.js';
window.result = (async () => {
  const options = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const hex = (outputs) => Object.values(outputs).map(({ data }) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), (b) => b.toString(16).padStart(2, '0')).join('')).join();
  try {
    const pool = await createPool(fetch('/lenet.wasm'), { threads: 2, ...options });
    const images = (n) => Float32Array.from({ length: 784 * n }, (_, i) => (i * 7919 % 256) / 255);
    const counts = [1, 2, 3, 40, 7];
    const answers = (await Promise.all(counts.map((n) => pool.run(images(n))))).map(hex);
    const again = hex(await pool.run(images(40)));
    const tiny = await createPool(fetch('/tiny.wasm'), { threads: 2, ...options });
    const inputs = (gain) => ({ x: new Float32Array(30).fill(0.5), code: new Int8Array(20), gain: Float32Array.of(gain) });
    const failed = await tiny.run(inputs(13)).catch((error) => error.message);
    const after = hex(await tiny.run(inputs(3)));
    await Promise.all([pool.close(), tiny.close()]);
    return { isolated: crossOriginIsolated, counts, answers, again, failed, after };
  } catch (error) {
    return { error: error.message };
  }
})();
`;

if (missingBrowser) {
  test('Chromium', () => console.log(missingBrowser));
} else {
  let address = '';
  let lenet: Uint8Array<ArrayBuffer>;
  let tiny: Uint8Array<ArrayBuffer>;

  test.before(async () => {
    execFileSync(process.execPath, [`${root}scripts/build.mjs`, folder]);
    lenet = (await compile(readFileSync(`${root}examples/models/lenet_w4a4.onnx`), { batch: 2 })).wasm as Uint8Array<ArrayBuffer>;
    tiny = await tinyModule(2);
    // As an app's bundler makes it: one file.
    const bundled = await build({ entryPoints: [join(folder, 'pool.browser.js')], bundle: true, minify: true, format: 'esm', platform: 'browser', write: false, logLevel: 'error' });
    const html = page('<script type="module" src="/page.js"></script>');
    const files = {
      'lenet.wasm': lenet, 'tiny.wasm': tiny, 'page.js': script, 'pool.js': bundled.outputFiles[0].contents,
      'isolated.html': html, 'plain.html': html, 'strict.html': html, 'pool.worker.js': readFileSync(join(folder, 'pool.worker.js'), 'utf8'),
    };
    const policy = "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
    ({ server, address } = await serve(files, (path) => ({
      'Content-Security-Policy': path === 'strict.html' ? policy : `${policy}; worker-src 'self' blob:`,
      ...(path === 'isolated.html' ? { 'Cross-Origin-Opener-Policy': 'same-origin' } : {}),
      'Cross-Origin-Embedder-Policy': 'require-corp',
    })));
    browser = await launch();
  });

  const check = (result: unknown, isolated: boolean): void => {
    const hex = (outputs: object): string => Object.values(outputs as Record<string, { data: Float32Array }>).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')).join();
    const model = loadSync(lenet);
    const images = (n: number): Float32Array => Float32Array.from({ length: 784 * n }, (_, i) => ((i * 7919) % 256) / 255);
    const counts = [1, 2, 3, 40, 7];
    const answers = counts.map((n) => hex(model.run(images(n))));
    const after = hex(loadSync<TinyTypes>(tiny).run({ x: new Float32Array(30).fill(0.5), code: new Int8Array(20), gain: Float32Array.of(3) }));
    const failed = 'error [run/status] tiny: the module trapped (unreachable)\n  This is a fault of the compiler. Report it with the model.';
    assert.equal(result, { isolated, counts, answers, again: answers[3], failed, after });
  };
  const at = (path: string, options: object = {}): string => `${address}/${path}#${encodeURIComponent(JSON.stringify(options))}`;

  test('a page that is cross-origin isolated: shared memory', async () => check(await resultOf(browser!, at('isolated.html')), true));

  test('and messages, where they are asked for', async () => check(await resultOf(browser!, at('isolated.html', { shared: false })), true));

  test('a page that is not: messages', async () => check(await resultOf(browser!, at('plain.html')), false));

  test('a policy that forbids blob: workers is told, and served by an address', async () => {
    const { error } = (await resultOf(browser!, at('strict.html'), /404|Content Security Policy/)) as { error: string };
    assert.match(error, /^error \[pool\/worker\] lenet_w4a4|^error \[pool\/worker\] /);
    assert.match(error, /allow `worker-src blob:`, or serve sigmaflow\/pool\.worker\.js and pass its address: createPool\(source, \{ worker \}\)\.$/);
    check(await resultOf(browser!, at('strict.html', { worker: '/pool.worker.js' })), false);
  });
}

test.run();
