/**
 * IDX files, in which MNIST and Fashion-MNIST come, plain or gzipped: bytes in, arrays out.
 *
 * Format: two zero bytes, a type code, the rank, each dimension as a big-endian 32-bit number, then row-major elements,
 * also big endian (Y. LeCun, "The MNIST database of handwritten digits").
 */
import { gunzipSync } from 'fflate';
import { fail } from '../../codegen/ir/diagnostic.js';

export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: IdxData;
}

type Reader = readonly [bytes: number, make: (count: number) => IdxData, get: (view: DataView, at: number) => number];

const types: Readonly<Record<number, Reader>> = {
  0x08: [1, (n) => new Uint8Array(n), (v, at) => v.getUint8(at)],
  0x09: [1, (n) => new Int8Array(n), (v, at) => v.getInt8(at)],
  0x0b: [2, (n) => new Int16Array(n), (v, at) => v.getInt16(at)],
  0x0c: [4, (n) => new Int32Array(n), (v, at) => v.getInt32(at)],
  0x0d: [4, (n) => new Float32Array(n), (v, at) => v.getFloat32(at)],
  0x0e: [8, (n) => new Float64Array(n), (v, at) => v.getFloat64(at)],
};

/** A gzipped file that claims to unpack to more than this is refused. */
const unpackedLimit = 2 ** 30;

/**
 * Reads an IDX file. MNIST's images have shape [N, 28, 28] and its labels [N], both of bytes.
 *
 * @param name what diagnostics call the file.
 * @throws file/unreadable where the bytes are not exactly one IDX array.
 */
export function readIdx(bytes: Uint8Array, name = 'array'): IdxArray {
  const refuse = (found: string): never => fail('file/unreadable', name, `expected an IDX file (idx1-ubyte, idx3-ubyte, plain or .gz): ${found}`, 'Get the file again: it is not the one that was published.');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    if (bytes.length < 18) refuse('its gzip layer is cut off');
    const size = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
    if (size > unpackedLimit) refuse(`it unpacks to ${size} bytes`);
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      refuse(`its gzip layer is damaged (${(error as Error).message})`);
    }
  }
  const type = types[bytes[2]];
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || !type) return refuse('it does not begin with 0, 0 and an element type');
  const rank = bytes[3];
  const start = 4 + 4 * rank;
  if (bytes.length < start) return refuse('it ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  const count = shape.reduce((a, b) => a * b, 1);
  const [size, make, get] = type;
  if (start + count * size !== bytes.length) return refuse(`shape [${shape.join(', ')}] takes ${count * size} bytes, found ${bytes.length - start}`);
  const data = make(count);
  for (let i = 0; i < count; i++) data[i] = get(view, start + i * size);
  return { shape, data };
}
