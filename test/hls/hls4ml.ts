/**
 * Where the simulation headers of hls4ml lie (Apache-2.0, from PyPI, fetched by .ci/run; never in this repository): a second
 * opinion on what ap_int and ap_fixed mean. Not a test itself.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.env.SIGMAFLOW_HLS4ML ?? fileURLToPath(new URL('../../.tmp/hls4ml', import.meta.url));

/** The folder of ap_int.h, or undefined after saying that the test is skipped. */
export function hls4mlHeaders(): string | undefined {
  const headers = join(folder, 'hls4ml/templates/vivado/ap_types');
  if (existsSync(join(headers, 'ap_int.h'))) return headers;
  console.log(`SKIP headers of hls4ml: ${headers} is missing; pip install --no-deps --target .tmp/hls4ml -r test/python/requirements-hls4ml.txt, or name another folder of packages in SIGMAFLOW_HLS4ML`);
  return undefined;
}
