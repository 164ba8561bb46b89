/** LiteRT's model files: made by tflite.py where they are missing or older than the networks, in a Python that has TensorFlow. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../codegen/ir/hash.js';
import { scratch } from './compiled.js';

const script = fileURLToPath(new URL('tflite.py', import.meta.url));

export const tfliteFolder = path.join(scratch, 'tflite');

/** From what the files of a network are made, as a hash that is kept beside them. */
function sourceOf(models: string, name: string): string {
  return sha256(new Uint8Array(Buffer.concat([script, path.join(models, `${name}.f32.onnx`), path.join(models, `${name}.golden.npz`)].map((file) => readFileSync(file)))));
}

const stampOf = (name: string): string => path.join(tfliteFolder, `${name}.source`);

/** Makes what is missing or old; answers with a sentence where it cannot. */
export function makeTfliteFiles(models: string, names: readonly string[], batches: readonly number[], asked: string | undefined): string | undefined {
  const stale = names.filter((name) => {
    if (!existsSync(path.join(models, `${name}.f32.onnx`))) return false;
    const there = batches.every((b) => ['f32', 'i8'].every((kind) => existsSync(path.join(tfliteFolder, `${name}.${kind}.b${b}.tflite`))));
    return !there || !existsSync(stampOf(name)) || readFileSync(stampOf(name), 'utf8') !== sourceOf(models, name);
  });
  if (stale.length === 0) return undefined;
  const own = path.join(scratch, 'python/bin/python');
  const python = asked ?? process.env.SIGMAFLOW_BENCH_PYTHON ?? (existsSync(own) ? own : 'python3');
  const what = `LiteRT.js on ${stale.join(', ')}: its files are missing or old`;
  if (spawnSync(python, ['-c', 'import tensorflow, onnx'], { stdio: 'ignore' }).status !== 0) {
    return `${what}, and ${path.basename(python)} has no TensorFlow to make them. Install it with\n  python3 -m venv test/bench/.tmp/python && test/bench/.tmp/python/bin/pip install -r test/bench/requirements.txt`;
  }
  const { status, stderr } = spawnSync(python, [script, '--models', models, '--output', tfliteFolder, '--only', stale.join(','), '--batches', batches.join(',')], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) return `${what}, and tflite.py failed: ${stderr.trim().split('\n').pop()}`;
  mkdirSync(tfliteFolder, { recursive: true });
  for (const name of stale) writeFileSync(stampOf(name), sourceOf(models, name));
  return undefined;
}
