/** onnxruntime-web and onnxruntime-node, one thread, all graph optimizations. Types of what is used, so that types check where they are not installed. */
import { sideBySide, type Load, type Read, type Runner } from './engine.js';

interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => object;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
}

async function runner(ort: OnnxRuntime, message: Load, read: Read, options: object, settings: string): Promise<Runner> {
  const session = await ort.InferenceSession.create(await read(message.file), { graphOptimizationLevel: 'all', ...options });
  const outputs = message.outputs ? session.outputNames : session.outputNames.slice(0, 1);
  let feeds: Record<string, object> = {};
  return {
    settings,
    feed: (values) => void (feeds = { [session.inputNames[0]]: new ort.Tensor('float32', values, [message.batch, ...message.shape]) }),
    infer: async () => {
      const found = await session.run(feeds);
      return outputs.length === 1 ? found[outputs[0]].data : sideBySide(outputs.map((name) => found[name].data), message.batch);
    },
  };
}

/** WebAssembly with SIMD (its only build; it has no relaxed one). */
export async function onnxruntimeWeb(message: Load, read: Read): Promise<Runner> {
  const name = 'onnxruntime-web';
  const ort = (await import(name)) as OnnxRuntime;
  ort.env.wasm.numThreads = 1;
  return runner(ort, message, read, { executionProviders: ['wasm'] }, 'simd128, numThreads 1, graphOptimizationLevel all');
}

/** Native code. */
export async function onnxruntimeNode(message: Load, read: Read): Promise<Runner> {
  const name = 'onnxruntime-node';
  const module = (await import(name)) as OnnxRuntime & { readonly default?: OnnxRuntime };
  return runner(module.default ?? module, message, read, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 }, 'native, intraOpNumThreads 1, graphOptimizationLevel all');
}
