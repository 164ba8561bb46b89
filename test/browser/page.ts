/** Pages for the browser tests: a server on this machine, headless Chromium, and what a page leaves in `window.result`. */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser } from 'playwright-core';
import * as assert from 'uvu/assert';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Why there is no browser; empty where there is one. */
export const missingBrowser = existsSync(executablePath) ? '' : `SKIP Chromium: ${executablePath} is missing; apt-get install -y chromium, or name another in CHROMIUM`;

export async function launch(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: flags });
  console.log(`Chromium ${browser.version()}`);
  return browser;
}

export const page = (script: string): string => `<!doctype html><meta charset="utf-8"><title>sigmaflow</title>${script}`;

/** Serves texts and bytes by path, with these further headers. */
export async function serve(files: Record<string, string | Uint8Array>, headersOf: (path: string) => Record<string, string>): Promise<{ server: Server; address: string; asked: string[] }> {
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', json: 'application/json', wasm: 'application/wasm' };
  const asked: string[] = [];
  const server = createServer(({ url }, response) => {
    const path = url!.slice(1).replace(/\?.*/, '');
    asked.push(path);
    response.writeHead(path in files ? 200 : 404, { ...headersOf(path), 'Content-Type': types[path.split('.').at(-1)!] ?? 'text/plain' }).end(files[path] ?? '');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Opens a page and waits for its result; anything that the page complains of is an error, but what `expected` matches. */
export async function resultOf(browser: Browser, address: string, expected = /404/): Promise<unknown> {
  const complaints: string[] = [];
  const tab = await browser.newPage();
  tab.on('console', (message) => message.type() === 'error' && !expected.test(message.text()) && complaints.push(message.text()));
  tab.on('pageerror', (error) => complaints.push(String(error)));
  await tab.goto(address);
  await tab.waitForFunction('window.result !== undefined');
  const result = await tab.evaluate('window.result');
  assert.equal(complaints, []);
  await tab.close();
  return result;
}
