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

const { values } = parseArgs({
  options: {
    build: { type: 'boolean', default: false },
    port: { type: 'string', default: '8080' },
    out: { type: 'string', default: fileURLToPath(new URL('../../build/demo', import.meta.url)) },
    posterior: { type: 'string', default: defaultSources.posterior },
    data: { type: 'string', default: defaultSources.data },
  },
});

if (!existsSync(values.posterior)) {
  console.error(`${values.posterior} is missing: name a posterior of LeNet-5 with --posterior FILE.safetensors`);
  process.exit(1);
}
const files = await buildDemo(values.out, { posterior: values.posterior, data: values.data });
const total = Object.values(files).reduce((a, b) => a + b, 0);
for (const [name, bytes] of Object.entries(files)) console.log(`${String(bytes).padStart(9)}  ${name}`);
console.log(`${String(total).padStart(9)}  bytes in ${values.out}`);
if (total > mostBytes) {
  console.error(`the page has more than ${mostBytes} bytes`);
  process.exitCode = 1;
}
if (!values.build) console.log(`\nThe page: ${(await serveFolder(values.out, Number(values.port))).address}\nStop with Ctrl+C.`);
