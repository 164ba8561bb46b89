/** Tensors at the interface of a module: typed-array views with a shape. */
import type { ManifestTensor, StorageType } from './manifest.js';
import { ModelError } from './error.js';

export type TensorData = Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

const constructors = {
  float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
} satisfies Record<StorageType, new (length: number) => TensorData>;

/**
 * A tensor: dense, row-major elements. A session's tensors are views of the module's memory (nothing is copied), which the
 * next run overwrites; `copy` detaches.
 */
export class TensorView<D extends TensorData = TensorData> {
  constructor(readonly name: string, readonly data: D, readonly shape: readonly number[], readonly dtype: string) {}

  /** The same tensor in memory of its own. */
  copy(): TensorView<D> {
    return new TensorView(this.name, this.data.slice() as D, this.shape, this.dtype);
  }
}

/** What may be given for an input: its elements (row-major), or elements with a shape that is then checked; a number, where it has one. */
export type TensorInput<D extends TensorData = TensorData> = D | number | readonly number[] | { readonly data: D | readonly number[]; readonly shape?: readonly number[] };

export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The view of an interface tensor in the module's memory. */
export function viewOf(tensor: ManifestTensor, memory: ArrayBuffer): TensorView {
  return new TensorView(tensor.name, new constructors[tensor.storage](memory, tensor.offset, product(tensor.shape)), tensor.shape, tensor.dtype);
}

/** New elements of the type that a tensor is stored in. */
export function allocate(tensor: ManifestTensor, length: number): TensorData {
  return new constructors[tensor.storage](length);
}

/** True where a tensor of the manifest can be viewed in so much memory. */
export function fits(tensor: ManifestTensor, memoryBytes: number): boolean {
  const Type = constructors[tensor.storage];
  return !!Type && Array.isArray(tensor.shape) && tensor.offset % Type.BYTES_PER_ELEMENT === 0
    && tensor.offset + product(tensor.shape) * Type.BYTES_PER_ELEMENT <= memoryBytes;
}

/**
 * The elements given for an input, as the module stores them.
 *
 * @throws run/data-type where they are of another type, or outside the range of the tensor's data type.
 */
export function elements(tensor: ManifestTensor, given: unknown, preprocessing?: string): TensorData {
  const Type = constructors[tensor.storage];
  const refuse = (found: string, ...notes: string[]): never => {
    throw new ModelError('run/data-type', tensor.name, `expected ${tensor.dtype} elements in a ${Type.name}, found ${found}`, ...notes);
  };
  const tag: string | undefined = ArrayBuffer.isView(given) ? (given as unknown as Uint8Array)[Symbol.toStringTag] : undefined; // not instanceof: other realms
  let data = given as TensorData;
  if (Array.isArray(given)) {
    const wrong = given.findIndex((x) => typeof x !== 'number');
    if (wrong >= 0) refuse(`${Array.isArray(given[wrong]) ? 'a nested array' : typeof given[wrong]} at element ${wrong}`, `Give the elements as one flat ${Type.name}, row by row.`);
    data = Type.from(given);
    if (tensor.storage !== 'float32') wrongElement(given, (x, i) => x !== data[i]);
  } else if (tag !== Type.name && !(tag === 'Uint8ClampedArray' && tensor.storage === 'uint8')) {
    const notes = tensor.storage === 'float32' ? [preprocessing ? `The model wants: ${preprocessing}.` : 'Scale the data as in training, for example Float32Array.from(pixels, (p) => p / 255).'] : [`Give a ${Type.name}.`];
    refuse(tag ?? (given === null ? 'null' : typeof given), ...notes);
  }
  const range = integerRange(tensor.dtype);
  if (range) wrongElement(data, (x) => x < range[0] || x > range[1] || (tensor.dtype === 'bipolar' && x === 0));
  return data;

  function wrongElement(values: ArrayLike<number>, isWrong: (x: number, i: number) => boolean): void {
    for (let i = 0; i < values.length; i++) if (isWrong(values[i], i)) refuse(`${values[i]} at element ${i}`, `Quantize the input: code = round(value / scale) + zeroPoint, within the range of ${tensor.dtype}.`);
  }
}

/** Least and greatest value of a type that is narrower than its storage. */
function integerRange(dtype: string): readonly [number, number] | undefined {
  if (dtype === 'bipolar' || dtype === 'ternary') return [-1, 1];
  const match = /^(u?)int(\d+)$/.exec(dtype);
  const bits = match ? +match[2] : 8;
  if (bits === 8 || bits === 16 || bits === 32) return undefined;
  return match![1] ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}
