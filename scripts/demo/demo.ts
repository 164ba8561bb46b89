/**
 * `npm run demo`: builds the demo page into build/demo and serves it on this machine. The folder is all that a static host needs.
 *
 *   npm run demo                          builds, serves, prints the address
 *   npm run demo -- --build               builds only
 *   npm run demo -- --port 8000 --out DIR --posterior FILE --data DIR
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildDemo, defaultSources, mostBytes } from './build.js';
import { serveFolder } from './serve.js';

const defaults = { out: fileURLToPath(new URL('../../build/demo', import.meta.url)), ...defaultSources };

/** Ends with one line that says what to do. */
function refuse(message: string): never {
  console.error(message);
  process.exit(1);
}

function readOptions(): { build: boolean; port: number; out: string; posterior: string; data: string } {
  try {
    const { values } = parseArgs({ options: { build: { type: 'boolean' }, port: { type: 'string' }, out: { type: 'string' }, posterior: { type: 'string' }, data: { type: 'string' } } });
    return { ...defaults, ...values, build: values.build ?? false, port: Number(values.port ?? 8080) };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const values = readOptions();
if (!(Number.isInteger(values.port) && values.port >= 0 && values.port < 65536)) refuse('--port: expected a number of 0 to 65535');
if (!existsSync(values.posterior)) refuse(`${values.posterior} is missing: name a posterior of LeNet-5 with --posterior FILE.safetensors`);
console.log('Compiling the networks of the page and measuring them on test images ...');
const files = await buildDemo(values.out, values);
const total = Object.values(files).reduce((a, b) => a + b, 0);
for (const [name, bytes] of Object.entries(files)) console.log(`${String(bytes).padStart(9)}  ${name}`);
console.log(`${String(total).padStart(9)}  bytes in ${values.out}`);
if (total > mostBytes) refuse(`the page has more than ${mostBytes} bytes`);
if (!values.build) console.log(`\nThe page: ${(await serveFolder(values.out, values.port)).address}\nStop with Ctrl+C.`);
