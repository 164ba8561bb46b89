/** LiteRT's model files: made by tflite.py where they are missing or older than the networks, in a Python that has TensorFlow. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { scratch } from './compiled.js';

const script = new URL('tflite.py', import.meta.url).pathname;

export const tfliteFolder = path.join(scratch, 'tflite');

/** Makes what is missing; answers with a sentence where it cannot. */
export function makeTfliteFiles(models: string, names: readonly string[], batches: readonly number[], asked: string | undefined): string | undefined {
  const stale = names.filter((name) => {
    const source = path.join(models, `${name}.f32.onnx`);
    return existsSync(source) && batches.some((b) => ['f32', 'i8'].some((kind) => {
      const file = path.join(tfliteFolder, `${name}.${kind}.b${b}.tflite`);
      return !existsSync(file) || statSync(file).mtimeMs < Math.max(statSync(source).mtimeMs, statSync(script).mtimeMs);
    }));
  });
  if (stale.length === 0) return undefined;
  const own = path.join(scratch, 'python/bin/python');
  const python = asked ?? process.env.SIGMAFLOW_BENCH_PYTHON ?? (existsSync(own) ? own : 'python3');
  if (spawnSync(python, ['-c', 'import tensorflow, onnx'], { stdio: 'ignore' }).status !== 0) {
    return `LiteRT is not measured on ${stale.join(', ')}: its files are made by tflite.py, and ${python} has no TensorFlow. Install it with\n  python3 -m venv test/bench/.tmp/python && test/bench/.tmp/python/bin/pip install -r test/bench/requirements.txt`;
  }
  const { status, stderr } = spawnSync(python, [script, '--models', models, '--output', tfliteFolder, '--only', stale.join(','), '--batches', batches.join(',')], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) return `LiteRT is not measured on ${stale.join(', ')}: tflite.py failed: ${stderr.trim().split('\n').pop()}`;
  return undefined;
}

