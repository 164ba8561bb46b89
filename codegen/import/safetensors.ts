/**
 * Reader of safetensors files: eight bytes of length, a JSON header of names, types, shapes and places, then the bytes.
 * Files are untrusted. Not here: what tensors are called and what for (posterior.ts).
 */
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape, makeConstant, type Constant } from '../ir/graph.js';

/** Longest header that is parsed, bytes. */
const maxHeader = 16 * 2 ** 20;

const bytesOf: Readonly<Record<string, number>> = { F16: 2, BF16: 2, F32: 4, F64: 8 };

/** Tensors by name as float32 constants: F16, BF16 and F32 exactly, F64 rounded to nearest. Raises file/not-safetensors. */
export function readSafetensors(bytes: Uint8Array): Record<string, Constant> {
  const { header, start } = readHeader(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors: Record<string, Constant> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: place } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    if (typeof dtype !== 'string' || !isCounts(shape) || !isCounts(place) || place.length !== 2) refuse(name, 'its entry in the header lacks dtype, shape or data_offsets');
    const [type, dims, [from, to]] = [dtype as string, shape as number[], place as number[]];
    if (!Object.hasOwn(bytesOf, type)) refuse(name, `its elements are ${type}, and only F16, BF16, F32 and F64 are read`, 'Convert the tensor to float32.');
    const count = elementCount(dims);
    if (to - from !== count * bytesOf[type] || start + to > bytes.length) refuse(name, `${type} ${formatShape(dims)} takes ${count * bytesOf[type]} bytes, and the file has ${Math.max(0, Math.min(to, bytes.length - start) - from)} for it`);
    tensors[name] = makeConstant('float32', dims, readElements(view, start + from, count, type));
  }
  return tensors;
}

/** What the file says of itself: texts by name. Raises file/not-safetensors. */
export function safetensorsMetadata(bytes: Uint8Array): Record<string, string> {
  const { __metadata__: metadata } = readHeader(bytes).header;
  return typeof metadata !== 'object' || metadata === null ? {} : Object.fromEntries(Object.entries(metadata).filter((e): e is [string, string] => typeof e[1] === 'string'));
}

const refuse = (at: string | undefined, message: string, advice = 'Write the file anew with the safetensors package.'): never => fail('file/not-safetensors', at, message, advice);

/** The header, and where the bytes of tensors start. */
function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 8 ? -1 : view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length < 2 || length > maxHeader || 8 + length > bytes.length) refuse(undefined, 'these bytes are no safetensors file: the header has no possible length');
  const start = 8 + length;
  const header = parseHeader(bytes.subarray(8, start)) ?? refuse(undefined, 'these bytes are no safetensors file: the header is not a JSON object');
  return { header, start };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCounts(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function readElements(view: DataView, at: number, count: number, type: string): Float64Array {
  const read: Record<string, (i: number) => number> = {
    F16: (i) => half(view.getUint16(at + 2 * i, true)),
    BF16: (i) => brain(view.getUint16(at + 2 * i, true)),
    F32: (i) => view.getFloat32(at + 4 * i, true),
    F64: (i) => view.getFloat64(at + 8 * i, true),
  };
  return Float64Array.from({ length: count }, (_, i) => read[type](i));
}

/** The number that a binary16 stands for. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const scratch = new DataView(new ArrayBuffer(4));

/** The number of which a bfloat16 is the upper half. */
function brain(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
