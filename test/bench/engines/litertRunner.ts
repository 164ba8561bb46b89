/** LiteRT.js once it has started: the same in Node and in a page. */
import { channelsLast, channelsLastShape, type Load, type Runner } from './engine.js';

export interface Tensor {
  toTypedArray(): Float32Array;
  delete(): void;
}

/** What is used of it. */
export interface LiteRt {
  loadLiteRt(file: string): Promise<unknown>;
  loadAndCompile(model: Uint8Array, options: object): Promise<{ run(input: Tensor): Promise<Tensor[]> }>;
  readonly Tensor: new (data: Float32Array, shape: readonly number[]) => Tensor;
}

/** Its loader would take the relaxed build wherever the engine has relaxed SIMD: naming the file picks the build. */
export const litertFiles = { compat: 'litert_wasm_compat_internal.js', relaxed: 'litert_wasm_internal.js' };

export async function litertRunner({ loadAndCompile, Tensor }: LiteRt, message: Load, bytes: Uint8Array): Promise<Runner> {
  const model = await loadAndCompile(bytes, { accelerator: 'wasm' });
  const shape = [message.batch, ...message.shape];
  let input: Tensor | undefined;
  return {
    settings: `${message.build === 'relaxed' ? 'relaxed' : 'compatible'} build, XNNPACK, one thread, channels-last input`,
    feed(values) {
      input?.delete();
      input = new Tensor(channelsLast(values, shape), channelsLastShape(shape));
    },
    async infer() {
      const [output] = await model.run(input!);
      const values = output.toTypedArray();
      output.delete();
      return values;
    },
  };
}
