/**
 * The float networks quantized by `sigmaflow quantize` to 8-bit weights and 7-bit activations, of which the relaxed dot
 * product is exact. Made once a run; where the command cannot, the run says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { importOnnx } from '../../codegen/import/onnx.js';
import { writeNpy } from '../../sdk/data/npy.js';
import { Random } from '../support/random.js';
import { scratch } from './compiled.js';
import { macsOf, quantizedKind, type Network } from './networks.js';

const command = fileURLToPath(new URL('../../bin/sigmaflow.mjs', import.meta.url));

/** Whether this tree has the command. */
export function hasQuantize(): boolean {
  return spawnSync(process.execPath, [command, 'quantize', '--help'], { stdio: 'ignore' }).status === 0;
}

/** Golden inputs and seeded mixtures of two of them. */
function calibration(network: Network, count: number): Float32Array {
  const random = new Random(5);
  const { examples } = network;
  const size = examples[0].length;
  const data = new Float32Array(count * size);
  for (let n = 0; n < count; n++) {
    const [a, b, t] = n < examples.length ? [examples[n], examples[n], 0] : [random.pick(examples), random.pick(examples), random.next()];
    for (let i = 0; i < size; i++) data[n * size + i] = t * a[i] + (1 - t) * b[i];
  }
  return data;
}

/** A network's 7-bit variant, or why there is none. */
export function quantizedNetwork(network: Network): Network | string {
  const folder = path.join(scratch, 'quantized');
  mkdirSync(folder, { recursive: true });
  const [inputs, file] = [path.join(folder, `${network.name}.npy`), path.join(folder, `${network.name}.${quantizedKind}.onnx`)];
  rmSync(file, { force: true });
  const count = 64;
  writeFileSync(inputs, writeNpy({ shape: [count, ...network.shape], data: calibration(network, count) }));
  const { status, stderr } = spawnSync(process.execPath, [command, 'quantize', network.file, '--calibrate', inputs, '--bits', '8', '--activation-bits', '7', '-o', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) return stderr.trim().split('\n')[0];
  const graph = importOnnx(new Uint8Array(readFileSync(file)), { name: network.name });
  return { ...network, kind: quantizedKind, file, graph, golden: network.goldenFloat, macs: macsOf(graph) };
}
