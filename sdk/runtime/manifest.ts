/**
 * The manifest: what a module says of itself, as JSON in the custom section `sigmaflow`.
 *
 * Written by the compiler, read by the runtime. Types only; this file imports nothing.
 */

/** Raised when a field changes its meaning; a runtime refuses newer ones. */
export const manifestVersion = 1;
/** Name of the custom section. */
export const manifestSection = 'sigmaflow';

/** How elements lie in memory at the interface. */
export type StorageType = 'float32' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32';

export interface ManifestTensor {
  readonly name: string;
  /** For one call: the first dimension is the module's batch where `batched`. */
  readonly shape: readonly number[];
  /** Data type of the values (`float32`, `int4`, `uint8`, `bipolar` ...). */
  readonly dtype: string;
  readonly storage: StorageType;
  /** Byte offset in the module's memory. Interface tensors are dense and row-major. */
  readonly offset: number;
  /** For quantized interfaces: value = (code - zeroPoint) * scale. */
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly batched: boolean;
  /** Of an input that is no data, but says how to run. */
  readonly control?: ManifestControl;
}

/** An input that may be left away. Its default is in the module's memory from the start. */
export interface ManifestControl {
  /**
   * samples: how many are drawn. seed: of the random numbers. batchOffset: the place of a call's first inference among all; the
   * runtime adds to it what is done already.
   */
  readonly meaning: 'samples' | 'seed' | 'batchOffset';
  readonly default: readonly number[];
  /** Least and greatest element. */
  readonly range: readonly [number, number];
}

/** A tensor inside the module, listed by debug builds (no buffer reuse); strides in bytes, for whole elements only. */
export interface ManifestInner {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly storage: StorageType;
  readonly offset: number;
  /** For each dimension, its digits: address adds stride * (floor(i / divisor) % modulus), modulus 0 means none. */
  readonly dims: readonly (readonly { readonly stride: number; readonly divisor: number; readonly modulus: number }[])[];
}

export interface Manifest {
  readonly version: number;
  readonly name: string;
  /** Inferences in one call. */
  readonly batch: number;
  readonly target: 'scalar' | 'simd128' | 'relaxed';
  /** WebAssembly features that the module needs, as WebAssembly names them. */
  readonly features: readonly string[];
  /** Float sums are rounded as the machine likes: results differ between machines. Absent: the same bits everywhere. */
  readonly fastMath?: boolean;
  readonly inputs: readonly ManifestTensor[];
  readonly outputs: readonly ManifestTensor[];
  /** Class labels of the first output, where known. */
  readonly labels?: readonly string[];
  /** What is to be done to raw data before it is an input, in words, where known. */
  readonly preprocessing?: string;
  /** Bytes of memory that the module uses, all told; memory does not grow. */
  readonly arenaBytes: number;
  /** Of these: constants, interface, temporaries. */
  readonly constantBytes: number;
  readonly temporaryBytes: number;
  /** SHA-256 (hex) of the model file, where there was one, and of the printed Program. */
  readonly sourceHash?: string;
  readonly programHash: string;
  /** Texts of the entry points' statuses; 0 is success. */
  readonly statuses: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
  readonly inner?: readonly ManifestInner[];
  readonly compiler: string;
}
