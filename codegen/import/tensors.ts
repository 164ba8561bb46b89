/**
 * TensorProto -> Constant: raw bytes, typed fields and external data, every count checked before anything is allocated.
 *
 * float16, bfloat16 and double become float32 (rounded once), int64 and uint64 become int32 and uint32 (clamped: ONNX
 * marks "to the end" with the largest int64), bool becomes uint1.
 */
import type { DataType } from '../ir/datatype.js';
import { describe } from '../ir/datatype.js';
import { DiagnosticError, fail } from '../ir/diagnostic.js';
import { constantData, formatShape, type Constant } from '../ir/graph.js';
import { maxElements, maxRank } from '../passes/infer.js';
import { TensorProto_DataLocation, TensorProto_DataType as T, type TensorProto } from './onnx_pb.js';

/** Reads a file beside the model; `location` is relative and stays inside the model's folder. */
export type ReadExternal = (location: string) => Uint8Array;

interface ElementFormat {
  readonly dtype: DataType;
  /** Bits of one element in raw data. */
  readonly bits: number;
  /** The typed field that holds elements where raw data does not. */
  readonly field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';
  /** Element i of the raw bytes. */
  read(view: DataView, i: number): number;
  /** For 16-bit floats, whose typed field holds bit patterns. */
  readonly fromBits?: (bits: number) => number;
}

const clamp = (x: bigint, lo: number, hi: number): number => (x < BigInt(lo) ? lo : x > BigInt(hi) ? hi : Number(x));
const int64 = (x: bigint): number => clamp(x, -(2 ** 31), 2 ** 31 - 1);
const uint64 = (x: bigint): number => clamp(x, 0, 2 ** 32 - 1);

const formats: Partial<Record<T, ElementFormat>> = {
  [T.FLOAT]: { dtype: 'float32', bits: 32, field: 'floatData', read: (v, i) => v.getFloat32(4 * i, true) },
  [T.DOUBLE]: { dtype: 'float32', bits: 64, field: 'doubleData', read: (v, i) => v.getFloat64(8 * i, true) },
  [T.FLOAT16]: { dtype: 'float32', bits: 16, field: 'int32Data', read: (v, i) => fromFloat16(v.getUint16(2 * i, true)), fromBits: fromFloat16 },
  [T.BFLOAT16]: { dtype: 'float32', bits: 16, field: 'int32Data', read: (v, i) => fromBfloat16(v.getUint16(2 * i, true)), fromBits: fromBfloat16 },
  [T.INT8]: { dtype: 'int8', bits: 8, field: 'int32Data', read: (v, i) => v.getInt8(i) },
  [T.UINT8]: { dtype: 'uint8', bits: 8, field: 'int32Data', read: (v, i) => v.getUint8(i) },
  [T.INT16]: { dtype: 'int16', bits: 16, field: 'int32Data', read: (v, i) => v.getInt16(2 * i, true) },
  [T.UINT16]: { dtype: 'uint16', bits: 16, field: 'int32Data', read: (v, i) => v.getUint16(2 * i, true) },
  [T.INT32]: { dtype: 'int32', bits: 32, field: 'int32Data', read: (v, i) => v.getInt32(4 * i, true) },
  [T.UINT32]: { dtype: 'uint32', bits: 32, field: 'uint64Data', read: (v, i) => v.getUint32(4 * i, true) },
  [T.INT64]: { dtype: 'int32', bits: 64, field: 'int64Data', read: (v, i) => int64(v.getBigInt64(8 * i, true)) },
  [T.UINT64]: { dtype: 'uint32', bits: 64, field: 'uint64Data', read: (v, i) => uint64(v.getBigUint64(8 * i, true)) },
  [T.BOOL]: { dtype: 'uint1', bits: 8, field: 'int32Data', read: (v, i) => (v.getUint8(i) === 0 ? 0 : 1) },
  [T.INT4]: { dtype: 'int4', bits: 4, field: 'int32Data', read: (v, i) => ((v.getUint8(i >> 1) >> (4 * (i & 1))) << 28) >> 28 },
  [T.UINT4]: { dtype: 'uint4', bits: 4, field: 'int32Data', read: (v, i) => (v.getUint8(i >> 1) >> (4 * (i & 1))) & 15 },
  [T.INT2]: { dtype: 'int2', bits: 2, field: 'int32Data', read: (v, i) => ((v.getUint8(i >> 2) >> (2 * (i & 3))) << 30) >> 30 },
  [T.UINT2]: { dtype: 'uint2', bits: 2, field: 'int32Data', read: (v, i) => (v.getUint8(i >> 2) >> (2 * (i & 3))) & 3 },
};

/** ONNX's name of an element type, as in `FLOAT16`. */
export function elementTypeName(type: number): string {
  return T[type] ?? `number ${type}`;
}

/** The data type that carries an ONNX element type, or undefined where it is not supported. */
export function carrier(type: number): DataType | undefined {
  return formats[type as T]?.dtype;
}

/**
 * Makes a Constant. `at` is the tensor's or node's name. Raises onnx/data-type, onnx/truncated, onnx/external-data,
 * graph/shape and graph/too-large.
 */
export function importTensor(proto: TensorProto, at: string, readExternal: ReadExternal | undefined): Constant {
  const format = formats[proto.dataType as T];
  if (!format) {
    fail('onnx/data-type', at, `the element type ${elementTypeName(proto.dataType)} is not supported`, 'Export the model in float32, or with integers of at most 64 bits.');
  }
  const shape = importShape(proto, at);
  const count = shape.reduce((a, b) => a * b, 1);
  const external = proto.dataLocation === TensorProto_DataLocation.EXTERNAL;
  const raw = external ? externalBytes(proto, at, readExternal) : proto.rawData;
  const typed = proto[format.field] as readonly (number | bigint)[];
  if (external || raw.length > 0 || typed.length === 0) return { dtype: format.dtype, shape, data: readRaw(raw, count, shape, format, proto, at) };
  return { dtype: format.dtype, shape, data: readTyped(typed, count, shape, format, proto, at) };
}

function importShape(proto: TensorProto, at: string): number[] {
  if (proto.dims.length > maxRank) fail('graph/too-large', at, `this tensor has ${proto.dims.length} dimensions; at most ${maxRank} are supported`, 'Reshape it.');
  const shape: number[] = [];
  let count = 1;
  for (const d of proto.dims) {
    if (d < 0n) fail('graph/shape', at, `a dimension of this tensor is negative: ${formatShape(proto.dims.map(String))}`);
    count *= Number(d);
    if (count > maxElements || d > BigInt(maxElements)) {
      fail('graph/too-large', at, `a tensor of shape ${formatShape(proto.dims.map(String))} has more than 2^28 elements`, 'Use a smaller model.');
    }
    shape.push(Number(d));
  }
  return shape;
}

function readRaw(bytes: Uint8Array, count: number, shape: readonly number[], format: ElementFormat, proto: TensorProto, at: string): Constant['data'] {
  const expected = Math.ceil((count * format.bits) / 8);
  if (bytes.length !== expected) {
    fail(
      'onnx/truncated',
      at,
      `shape ${formatShape(shape)} of ${elementTypeName(proto.dataType)} needs ${expected} bytes, found ${bytes.length}`,
      'The file is damaged: export or download it again.',
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = constantData(format.dtype, count);
  for (let i = 0; i < count; i++) data[i] = format.read(view, i);
  return data;
}

function readTyped(values: readonly (number | bigint)[], count: number, shape: readonly number[], format: ElementFormat, proto: TensorProto, at: string): Constant['data'] {
  // Below 8 bits, the field holds the bytes of the raw form.
  if (format.bits < 8) return readRaw(Uint8Array.from(values as number[]), count, shape, format, proto, at);
  if (values.length !== count) {
    fail(
      'onnx/truncated',
      at,
      `shape ${formatShape(shape)} of ${elementTypeName(proto.dataType)} needs ${count} elements, found ${values.length}`,
      'The file is damaged: export or download it again.',
    );
  }
  const data = constantData(format.dtype, count);
  const { min, max, integer } = describe(format.dtype);
  for (let i = 0; i < count; i++) {
    const v = values[i];
    const x = typeof v === 'bigint' ? (format.field === 'int64Data' ? int64(v) : uint64(v)) : (format.fromBits?.(v) ?? v);
    if (integer && (x < min || x > max)) {
      fail('onnx/data-type', at, `element ${i} is ${x}, which ${elementTypeName(proto.dataType)} does not hold`, 'The file is damaged: export or download it again.');
    }
    data[i] = x;
  }
  return data;
}

function externalBytes(proto: TensorProto, at: string, readExternal: ReadExternal | undefined): Uint8Array {
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]));
  const location = entries.get('location') ?? '';
  const shown = JSON.stringify(location);
  if (location === '' || /^[/\\]|^[A-Za-z][\w+.-]*:|\0/.test(location) || location.split(/[/\\]/).includes('..')) {
    fail(
      'onnx/external-data',
      at,
      `the data of this tensor lie in ${shown}, which is not a file in the model's folder`,
      'Only relative paths without ".." are read.',
      'Export the model with its data inside, or beside it.',
    );
  }
  if (!readExternal) {
    fail('onnx/external-data', at, `the data of this tensor lie in another file, ${shown}, which cannot be read here`, 'Export the model with its data inside.');
  }
  let file: Uint8Array;
  try {
    file = readExternal(location);
  } catch (error) {
    if (error instanceof DiagnosticError) throw error;
    fail('onnx/external-data', at, `the data of this tensor lie in ${shown}, which cannot be read: ${(error as Error).message}`, "Put the file into the model's folder.");
  }
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.length - offset);
  if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > file.length) {
    fail('onnx/external-data', at, `bytes ${offset} to ${offset + length} of ${shown} are wanted, but it has ${file.length}`, 'Export or download both files again.');
  }
  return file.subarray(offset, offset + length);
}

function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

function fromBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0];
}
