/**
 * What a worker and its parent say to each other, and what every engine offers. Types and layout only.
 *
 * One engine runs in one process. The time of an inference: the input lies in the engine's own tensor already; the output
 * ends as numbers in an array of the host.
 */
import type { RateName } from '../../../sdk/profile/peaks.js';

export type EngineName = 'sigmaflow' | 'onnxruntime-web' | 'onnxruntime-node' | 'tfjs' | 'litert' | 'torch' | 'peak';

export interface Load {
  readonly kind: 'load';
  readonly engine: EngineName;
  /** The model's file in the engine's own format: .wasm, .onnx, .tflite. */
  readonly file: string;
  readonly batch: number;
  /** One inference's input shape, as the ONNX file has it without its batch. */
  readonly shape: readonly number[];
  /** Inputs of single inferences; the batch repeats them in turn. */
  readonly examples: readonly (readonly number[])[];
  /** litert: which of its builds. */
  readonly build?: 'compat' | 'relaxed';
  readonly peak?: PeakCall;
  /** Names of outputs, side by side in a row; the first output where absent. */
  readonly outputs?: readonly string[];
  /** torch: how it samples. */
  readonly variant?: string;
  /** Every row draws random numbers of its own: rows of one input differ. */
  readonly drawsByRow?: true;
  /** sigmaflow: values of other inputs by name. */
  readonly given?: Readonly<Record<string, readonly number[]>>;
}

/** One call of a micro-kernel. */
export interface PeakCall {
  readonly name: PeakName;
  /** How often it runs. */
  readonly times: number;
  /** For `read`: the block; else 0. */
  readonly bytes: number;
  /** Multiply-adds of the call; bytes for `read`. */
  readonly work: number;
}

/** Ways of multiplying, or reading a block in order. */
export type PeakName = RateName | 'read';

export interface Round {
  readonly kind: 'round';
  readonly milliseconds: number;
}

/** Outputs of the first inferences, one row an example. */
export interface Loaded {
  readonly ok: true;
  readonly outputs: readonly (readonly number[])[];
  /** Version and settings, as reported by the engine where it reports them. */
  readonly settings: string;
}

export interface Timed {
  readonly ok: true;
  /** Microseconds per inference, call time / batch, by the clock on the wall and by the processor time of the process. */
  readonly wall: number;
  readonly cpu: number;
}

export interface Failed {
  readonly ok: false;
  readonly message: string;
}

export interface Runner {
  readonly settings: string;
  /** Puts a whole batch, in the ONNX file's layout, into the engine's tensor. */
  feed(values: Float32Array): void | Promise<void>;
  /** One call; the outputs of the whole batch. */
  infer(): Float32Array | Promise<Float32Array>;
}

/** A file's bytes, wherever the host has them from. */
export type Read = (file: string) => Promise<Uint8Array>;

export type Loader = (message: Load, read: Read) => Promise<Runner>;

/** Several outputs of a batch, those of one inference side by side. A copy. */
export function sideBySide(outputs: readonly Float32Array[], batch: number): Float32Array {
  if (outputs.length === 1) return outputs[0].slice();
  const widths = outputs.map((o) => o.length / batch);
  const width = widths.reduce((a, b) => a + b, 0);
  const result = new Float32Array(width * batch);
  let from = 0;
  outputs.forEach((output, k) => {
    for (let i = 0; i < batch; i++) result.set(output.subarray(i * widths[k], (i + 1) * widths[k]), i * width + from);
    from += widths[k];
  });
  return result;
}

/** [N, C, H, W] to [N, H, W, C]; other ranks as they are. */
export function channelsLast(values: Float32Array, shape: readonly number[]): Float32Array {
  if (shape.length !== 4) return values;
  const [n, c, h, w] = shape;
  const result = new Float32Array(values.length);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < c; i++) {
      for (let p = 0; p < h * w; p++) result[(b * h * w + p) * c + i] = values[(b * c + i) * h * w + p];
    }
  }
  return result;
}

/** The shape of a channels-last tensor whose channels-first shape this is. */
export function channelsLastShape(shape: readonly number[]): readonly number[] {
  return shape.length === 4 ? [shape[0], shape[2], shape[3], shape[1]] : shape;
}
