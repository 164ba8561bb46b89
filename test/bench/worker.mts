/**
 * One engine in one process: loads a model, then runs rounds when asked and answers with microseconds per inference.
 *
 * Messages in: { kind: 'load', engine, model, batch, input } and { kind: 'round', milliseconds }.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { assemble } from '../../sdk/host/assembler.js';
import { compile } from '../../sdk/index.js';
import { microKernel, microKernelMacs } from './peak.js';

type Run = () => Promise<void> | void;
let run: Run = () => undefined;
let batch = 1;

interface Load {
  readonly kind: 'load';
  readonly engine: 'sigmaflow' | 'onnxruntime-web' | 'peak';
  readonly target: 'scalar' | 'simd128';
  readonly model: string;
  readonly batch: number;
  readonly input: { readonly name: string; readonly shape: number[]; readonly values: number[] };
}

/** What is used of the peer, so that types check where it is not installed. */
interface OnnxRuntimeWeb {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => object;
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{
      readonly outputNames: readonly string[];
      run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
    }>;
  };
}

async function load(m: Load): Promise<Float32Array | undefined> {
  batch = m.batch;
  const values = Float32Array.from(m.input.values);
  if (m.engine === 'peak') {
    const { binary } = await assemble({ 'peak.ts': microKernel }, { entry: 'peak.ts', features: ['simd'], memoryBase: 65536, pages: 4, optimizeLevel: 3, shrinkLevel: 0 });
    const { run: kernel } = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource)).exports as { run: () => void };
    batch = microKernelMacs;
    run = kernel;
    return undefined;
  }
  if (m.engine === 'sigmaflow') {
    const artifact = await compile(new Uint8Array(fs.readFileSync(m.model)), { target: m.target, batch: m.batch });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(artifact.wasm as BufferSource));
    const { memory, run: entry } = instance.exports as { memory: WebAssembly.Memory; run: () => number };
    const [input] = artifact.manifest.inputs;
    const [output] = artifact.manifest.outputs;
    new Float32Array(memory.buffer, input.offset, values.length).set(values);
    run = entry as unknown as Run;
    run();
    return new Float32Array(memory.buffer, output.offset, output.shape.reduce((a, b) => a * b, 1)).slice();
  }
  const ort = (await import(createRequire(import.meta.url).resolve('onnxruntime-web'))) as OnnxRuntimeWeb;
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(m.model)), { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
  const feeds = { [m.input.name]: new ort.Tensor('float32', values, [m.batch, ...m.input.shape.slice(1)]) };
  run = async () => void (await session.run(feeds));
  const first = await session.run(feeds);
  return first[session.outputNames[0]].data;
}

/** Repeats for about so long; returns microseconds per inference. */
async function round(milliseconds: number): Promise<number> {
  let count = 0;
  const start = performance.now();
  let now = start;
  while (now - start < milliseconds) {
    for (let i = 0; i < 4; i++) {
      const p = run();
      if (p) await p;
    }
    count += 4;
    now = performance.now();
  }
  return ((now - start) * 1000) / (count * batch);
}

process.on('message', async (m: Load | { kind: 'round'; milliseconds: number }) => {
  try {
    if (m.kind === 'load') process.send!({ ok: true, output: Array.from((await load(m)) ?? []) });
    else process.send!({ ok: true, microseconds: await round(m.milliseconds) });
  } catch (error) {
    process.send!({ ok: false, message: (error as Error).message });
  }
});
