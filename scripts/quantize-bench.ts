/**
 * Quantizes the float networks of the bench (../shared/data/bench), for measurements of few-bit variants. Their own inputs
 * serve as calibration data: speed and bytes are what is measured with these files, not accuracy.
 *
 *   node --import ./scripts/typescript.mjs scripts/quantize-bench.ts FOLDER [--activation-bits 7] [--weight-bits 8] [NAME ...]
 *
 * writes FOLDER/NAME.a7w8.onnx (QONNX) for every network, or for those named. With 7 bits activations lie in 0..127, where
 * the relaxed 8-bit dot product is exact.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exportQonnx } from '../codegen/export/qonnx.js';
import { readNpz } from '../sdk/data/npy.js';
import { quantize } from '../sdk/quantize.js';

const bench = fileURLToPath(new URL('../../shared/data/bench/', import.meta.url));
const networks = ['mlp', 'lenet5', 'kws_dscnn', 'ad_ae', 'ic_resnet8', 'vww_mbv1'];

/** Quantizes one network of the bench; returns the bytes of its QONNX file. */
export async function quantizeBench(name: string, activationBits: number, weightBits: number): Promise<Uint8Array> {
  const { x } = readNpz(new Uint8Array(readFileSync(path.join(bench, `${name}.golden.npz`))));
  const float = new Uint8Array(readFileSync(path.join(bench, `${name}.f32.onnx`)));
  const { graph } = await quantize(float, { data: x.data as Float32Array, shape: x.shape }, { name, activationBits, weightBits });
  return exportQonnx(graph);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'activation-bits': { type: 'string', default: '7' }, 'weight-bits': { type: 'string', default: '8' } } });
  const [folder, ...names] = positionals;
  if (!folder) throw new Error('usage: quantize-bench.ts FOLDER [--activation-bits 7] [--weight-bits 8] [NAME ...]');
  const [a, w] = [Number(values['activation-bits']), Number(values['weight-bits'])];
  mkdirSync(folder, { recursive: true });
  for (const name of names.length > 0 ? names : networks) {
    const file = path.join(folder, `${name}.a${a}w${w}.onnx`);
    writeFileSync(file, await quantizeBench(name, a, w));
    console.log(file);
  }
}
