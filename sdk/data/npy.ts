/**
 * NumPy's .npy and .npz files: bytes in, arrays out, and back.
 *
 * Not here: opening files (see sdk/host/node.ts). Format: numpy.lib.format, header versions 1.0, 2.0 and 3.0.
 */
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { fail } from '../../codegen/ir/diagnostic.js';

export type NpyType =
  | 'float16' | 'float32' | 'float64'
  | 'int8' | 'int16' | 'int32' | 'int64'
  | 'uint8' | 'uint16' | 'uint32' | 'uint64'
  | 'bool';

export type NpyData =
  | Float32Array | Float64Array
  | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** An array as NumPy stores it: row-major elements, native byte order. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** The element type in the file. float16 is widened to a Float32Array (exactly), bool is a Uint8Array of 0 and 1. */
  readonly dtype: NpyType;
  readonly data: NpyData;
}

type DataConstructor = { new (buffer: ArrayBuffer): NpyData; readonly BYTES_PER_ELEMENT: number };

interface TypeEntry {
  readonly dtype: NpyType;
  readonly bytes: number;
  readonly make: DataConstructor;
}

/** By NumPy's type character and size, without the byte order. */
const types: Readonly<Record<string, TypeEntry>> = {
  f2: { dtype: 'float16', bytes: 2, make: Uint16Array },
  f4: { dtype: 'float32', bytes: 4, make: Float32Array },
  f8: { dtype: 'float64', bytes: 8, make: Float64Array },
  i1: { dtype: 'int8', bytes: 1, make: Int8Array },
  i2: { dtype: 'int16', bytes: 2, make: Int16Array },
  i4: { dtype: 'int32', bytes: 4, make: Int32Array },
  i8: { dtype: 'int64', bytes: 8, make: BigInt64Array },
  u1: { dtype: 'uint8', bytes: 1, make: Uint8Array },
  u2: { dtype: 'uint16', bytes: 2, make: Uint16Array },
  u4: { dtype: 'uint32', bytes: 4, make: Uint32Array },
  u8: { dtype: 'uint64', bytes: 8, make: BigUint64Array },
  b1: { dtype: 'bool', bytes: 1, make: Uint8Array },
};

const supported = 'Supported: float16, float32, float64, int8 to int64, uint8 to uint64, bool. Convert it with numpy.ndarray.astype.';
const resave = 'Write the file again with numpy.save.';

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** True where the bytes begin as a .npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return magic.every((b, i) => bytes[i] === b);
}

/** True where the bytes begin as a zip archive (.npz) does. */
export function isNpz(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/**
 * Reads one .npy file.
 *
 * @param name what diagnostics call the file.
 * @throws file/not-npy where the bytes are not exactly one array of a supported type.
 */
export function readNpy(bytes: Uint8Array, name = 'array'): NpyArray {
  const { array, end } = readOne(bytes, 0, name);
  if (end !== bytes.length) {
    fail('file/not-npy', name, `expected ${end} bytes by its header, found ${bytes.length}`, 'Several arrays in one stream are read by readNpyStream.');
  }
  return array;
}

/** Reads .npy files that follow one another without a gap, as WASI commands write several outputs. */
export function readNpyStream(bytes: Uint8Array, name = 'stream'): NpyArray[] {
  const arrays: NpyArray[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { array, end } = readOne(bytes, at, `${name}, array ${arrays.length + 1}`);
    arrays.push(array);
    at = end;
  }
  return arrays;
}

function readOne(bytes: Uint8Array, start: number, name: string): { array: NpyArray; end: number } {
  if (!isNpy(bytes.subarray(start))) {
    const kind = isNpz(bytes.subarray(start)) ? 'a zip archive (.npz)' : bytes.length === start ? 'no bytes' : 'other bytes';
    fail('file/not-npy', name, `expected a .npy file, which begins with \\x93NUMPY; found ${kind}`, resave);
  }
  const version = bytes[start + 6];
  const wide = version >= 2;
  if (!(version >= 1 && version <= 3)) {
    fail('file/not-npy', name, `expected .npy header version 1, 2 or 3; found ${version ?? 'the end of the file'}`, resave);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerStart = start + (wide ? 12 : 10);
  if (bytes.length < headerStart) truncatedHeader(name);
  const dataStart = headerStart + (wide ? view.getUint32(start + 8, true) : view.getUint16(start + 8, true));
  if (bytes.length < dataStart) truncatedHeader(name);
  const header = strFromU8(bytes.subarray(headerStart, dataStart), version < 3);
  const { descr, fortran, shape } = parseHeader(header, name);

  const match = /^([<>|=])([a-zA-Z])(\d+)$/.exec(descr);
  const entry = match ? types[match[2] + match[3]] : undefined;
  if (!match || !entry) fail('file/not-npy', name, `element type "${descr}" is not supported`, supported);
  const count = shape.reduce((a, b) => a * b, 1);
  const byteLength = count * entry.bytes;
  if (byteLength > bytes.length - dataStart) {
    fail('file/not-npy', name, `expected ${byteLength} bytes of data for shape (${shape.join(', ')}) of ${entry.dtype}, found ${bytes.length - dataStart}`, `The file is cut off. ${resave}`);
  }
  const raw = new Uint8Array(byteLength); // not slice: Node's Buffer would share its memory
  raw.set(bytes.subarray(dataStart, dataStart + byteLength));
  if (match[1] === '>') swapBytes(raw, entry.bytes);
  let data: NpyData = new entry.make(raw.buffer);
  if (entry.dtype === 'float16') data = Float32Array.from(data as Uint16Array, widenHalf);
  if (fortran && shape.length > 1) data = rowMajorFromFortran(data, shape);
  return { array: { shape, dtype: entry.dtype, data }, end: dataStart + byteLength };
}

function truncatedHeader(name: string): never {
  fail('file/not-npy', name, 'the file ends inside its header', resave);
}

/** The header is a Python dict literal of three known keys. */
function parseHeader(header: string, name: string): { descr: string; fortran: boolean; shape: number[] } {
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(header);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const shape = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header);
  if (descr?.[2]) fail('file/not-npy', name, 'a structured array (several fields an element) is not supported', 'Save each field as an array of its own.');
  for (const [key, found] of [['descr', descr], ['fortran_order', fortran], ['shape', shape]] as const) {
    if (!found) fail('file/not-npy', name, `the header does not say '${key}'`, resave);
  }
  const dims = shape![1].split(',').map((d) => d.replace('L', '').trim()).filter((d) => d !== '').map(Number);
  return { descr: descr![1], fortran: fortran![1] === 'True', shape: dims };
}

function swapBytes(raw: Uint8Array, size: number): void {
  for (let i = 0; i < raw.length; i += size) raw.subarray(i, i + size).reverse();
}

/** binary16 bits to the same number. */
function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

function rowMajorFromFortran(data: NpyData, shape: readonly number[]): NpyData {
  const out = data.slice() as NpyData;
  const index = shape.map(() => 0);
  const strides = shape.map((_, d) => shape.slice(0, d).reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    out[i] = data[index.reduce((sum, x, d) => sum + x * strides[d], 0)];
    for (let d = shape.length - 1; d >= 0 && ++index[d] === shape[d]; d--) index[d] = 0;
  }
  return out;
}

/** An array to write, as the type of its data; of `dtype` only `bool` counts (for a Uint8Array), so that a model's tensors fit. */
export interface NpySource {
  readonly shape: readonly number[];
  readonly data: NpyData;
  readonly dtype?: string;
}

/** The bytes of a .npy file, version 1.0 (as numpy.save writes it), little endian, row-major. float16 data is written as float32. */
export function writeNpy(array: NpySource): Uint8Array {
  const { shape, data } = array;
  const count = shape.reduce((a, b) => a * b, 1);
  if (count !== data.length) throw new RangeError(`shape (${shape.join(', ')}) holds ${count} elements, the data has ${data.length}`);
  const code = array.dtype === 'bool' && data instanceof Uint8Array ? 'b1' : Object.keys(types).find((t) => t !== 'f2' && data instanceof types[t].make)!;
  const order = types[code].bytes === 1 ? '|' : '<';
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${dims}), }`;
  const start = Math.ceil((10 + text.length + 1) / 64) * 64; // NumPy aligns the data to 64 bytes
  const out = new Uint8Array(start + data.byteLength);
  out.set([...magic, 1, 0, (start - 10) & 255, (start - 10) >> 8]);
  out.set(strToU8(`${text.padEnd(start - 11)}\n`), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return out;
}

/** An archive that claims to unpack to more than this is refused. */
const npzLimit = 2 ** 31;

/** Reads a .npz archive: arrays by name, without their `.npy`. */
export function readNpz(bytes: Uint8Array, name = 'archive'): Record<string, NpyArray> {
  let total = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter: (file) => {
        total += file.originalSize;
        if (total > npzLimit) throw new Error(`it unpacks to more than ${npzLimit} bytes`);
        return true;
      },
    });
  } catch (error) {
    fail('file/not-npy', name, `expected a .npz archive: ${(error as Error).message}`, 'Write the file again with numpy.savez.');
  }
  const arrays: Record<string, NpyArray> = {};
  for (const [path, content] of Object.entries(files)) {
    const key = path.replace(/\.npy$/, '');
    arrays[key] = readNpy(content, `${name}, ${key}`);
  }
  return arrays;
}

/** The bytes of a .npz archive, stored without compression as numpy.savez does, and the same bytes every time. */
export function writeNpz(arrays: Readonly<Record<string, NpySource>>): Uint8Array {
  const files = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, writeNpy(array)]));
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) });
}
