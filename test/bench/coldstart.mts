/**
 * One cold start: a fresh process, from before the import of an engine to its first answer. Prints JSON: milliseconds of
 * import and model (`loadMs`), of the first inference (`firstMs`), their sum, and the sum as processor time. The model's bytes are read within the
 * time; the glue of this benchmark is loaded before it. Not here: repetition (cold.ts).
 *
 *     node coldstart.mjs '{"engine":"sigmaflow","file":"x.wasm","runtime":"dist/runtime.js","batch":1,"shape":[784]}'
 */
import { readFileSync } from 'node:fs';
import type { EngineName, Load } from './engines/engine.js';

export interface ColdStart extends Pick<Load, 'file' | 'batch' | 'shape' | 'build'> {
  readonly engine: EngineName;
  /** The product's built runtime. */
  readonly runtime: string;
}

const start = JSON.parse(process.argv[2]) as ColdStart;
const values = new Float32Array(start.shape.reduce((a, d) => a * d, start.batch)).fill(0.5);

let used = process.cpuUsage();

function begin(): number {
  used = process.cpuUsage();
  return performance.now();
}

async function sigmaflow(): Promise<number[]> {
  const t0 = begin();
  const { load } = (await import(start.runtime)) as typeof import('../../sdk/runtime/index.js');
  const model = await load(readFileSync(start.file));
  const t1 = performance.now();
  Object.values(model.run(values))[0].data.slice();
  return [t0, t1, performance.now()];
}

async function peer(): Promise<number[]> {
  const { loaders } = await import('./engines/index.js');
  const { tfjsOf, readNetwork } = await import('./engines/tfjs.js');
  const message: Load = { kind: 'load', examples: [], ...start };
  // A hand-written network is code of its application: reading it from an ONNX file is not counted.
  const network = start.engine === 'tfjs' ? readNetwork(start.file) : undefined;
  const t0 = begin();
  const runner = network ? await tfjsOf(network, message) : await loaders[start.engine as keyof typeof loaders](message, async (file) => new Uint8Array(readFileSync(file)));
  await runner.feed(values);
  const t1 = performance.now();
  await runner.infer();
  return [t0, t1, performance.now()];
}

const [t0, t1, t2] = start.engine === 'sigmaflow' ? await sigmaflow() : await peer();
used = process.cpuUsage(used);
process.stdout.write(JSON.stringify({ loadMs: t1 - t0, firstMs: t2 - t1, totalMs: t2 - t0, cpuMs: (used.user + used.system) / 1000 }));
process.exit(0);
