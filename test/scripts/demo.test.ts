/** The server of the demo page gives the files of its folder and nothing else; the command refuses in one line what it cannot do. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serveFolder } from '../../scripts/demo/serve.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-serve-'));
mkdirSync(join(folder, 'page'));
writeFileSync(join(folder, 'secret.txt'), 'secret');
writeFileSync(join(folder, 'page', 'index.html'), '<p>hello');
test.after(() => rmSync(folder, { recursive: true }));

/** Status and text; the path goes out as it is. */
function get(address: string, path: string): Promise<[status: number, text: string]> {
  const { hostname, port } = new URL(address);
  return new Promise((done, failed) => {
    request({ hostname, port, path }, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => done([response.statusCode!, text]));
    }).on('error', failed).end();
  });
}

test('files of the folder, and nothing above it', async () => {
  const { address, close } = await serveFolder(join(folder, 'page'), 0);
  assert.equal(await get(address, '/'), [200, '<p>hello']);
  assert.equal(await get(address, '/index.html?x=1'), [200, '<p>hello']);
  for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/none', '//', '/%']) assert.is((await get(address, path))[0], 404, path);
  close();
});

test('a port that is taken: another one', async () => {
  const first = await serveFolder(join(folder, 'page'), 0);
  const second = await serveFolder(join(folder, 'page'), Number(new URL(first.address).port));
  assert.is.not(first.address, second.address);
  assert.equal(await get(second.address, '/'), [200, '<p>hello']);
  first.close();
  second.close();
});

test('what the command refuses', () => {
  const told = (...args: string[]): string => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', './scripts/typescript.mjs', 'scripts/demo/demo.ts', ...args], { cwd: root, encoding: 'utf8' });
    assert.is(status, 1);
    return stderr.trim();
  };
  assert.is(told('--port', 'high'), '--port: expected a number of 0 to 65535');
  assert.is(told('--posterior', 'none.safetensors'), 'none.safetensors is missing: name a posterior of LeNet-5 with --posterior FILE.safetensors');
  assert.match(told('--prot', '1'), /^Unknown option '--prot'[^\n]*$/);
});

test.run();
