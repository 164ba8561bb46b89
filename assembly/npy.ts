/**
 * Headers of .npy on standard input and output, and elements of any NumPy type as a model stores them.
 *
 * Not here: big-endian and Fortran-ordered arrays, which are refused (the command line and sdk/data read those).
 * Element types are a kind and a size in bytes: 1 float, 2 signed, 3 unsigned, times 16, plus the size.
 */
import { allocate, beginError, exit, peek, peeked, read, write, writeByte, writeInteger } from './stream';

export const float32: i32 = 0x14;

/** What `readHeader` found: the element type, and the shape as `rank` numbers from `shape` on. */
export let elementType: i32 = 0;
export let rank: i32 = 0;
/** The most dimensions that NumPy has. */
const mostDimensions: i32 = 64;
export const shape = memory.data(512, 8);

/** Bytes of one element. */
export function elementBytes(type: i32): u32 {
  return type & 15;
}

/** True where the input goes on with a .npy file. */
export function isNpy(): bool {
  const at = peek(6);
  return peeked() >= 6 && load<u32>(at) == 0x4d554e93 && load<u16>(at, 4) == 0x5950; // \x93NUMPY
}

/** Reads a .npy header from the input into `elementType`, `rank` and `shape`. */
export function readHeader(): void {
  if (!isNpy()) refuse('expected one more .npy file, which begins with \\x93NUMPY; found ', peeked() == 0 ? 'the end of the input' : 'other bytes');
  const start = peek(12);
  const version = load<u8>(start, 6);
  if (peeked() < 12 || version < 1 || version > 3) refuse('expected .npy header version 1, 2 or 3; found ', peeked() < 12 ? 'the end of the input' : 'another');
  const length: u32 = version == 1 ? load<u16>(start, 8) : load<u32>(start, 8);
  const first = allocate(12);
  read(first, version == 1 ? 10 : 12);
  if (length > 1 << 20) refuse('the .npy header is longer than a megabyte', '');
  const header = allocate(length);
  if (read(header, length) < length) refuse('the input ends inside a .npy header', '');
  parseHeader(header, header + length);
}

/** Ends the command: the input is no .npy that is read here. */
function refuse(message: string, found: string): void {
  beginError('file/not-npy');
  write('standard input: ');
  write(message);
  write(found);
  write('. Write the file with numpy.save.\n');
  exit(1);
}

/** The header is a Python dict of three known keys. */
function parseHeader(header: usize, end: usize): void {
  let at = find("'descr':", header, end);
  while (at < end && load<u8>(at) != 0x27) at++;
  const order = load<u8>(at, 1);
  const kind = load<u8>(at, 2);
  const size = load<u8>(at, 3) - 0x30;
  elementType = ((kind == 0x66 ? 1 : kind == 0x69 ? 2 : kind == 0x75 || kind == 0x62 ? 3 : 0) << 4) | size; // f, i, u, b
  const known = (elementType >> 4 == 1 && (size == 4 || size == 8)) || (elementType >> 4 > 1 && (size == 1 || size == 2 || size == 4 || size == 8));
  if (at + 4 >= end || load<u8>(at, 4) != 0x27 || !known || (order == 0x3e && size > 1)) {
    refuse('expected little-endian float32, float64, bool, or integers; found another element type', '');
  }
  at = find("'fortran_order':", header, end);
  while (at < end && load<u8>(at) == 0x20) at++;
  const fortran = load<u8>(at) == 0x54; // True
  at = find("'shape':", header, end);
  rank = 0;
  let digits: i32 = 0;
  let value: u64 = 0;
  for (; at < end && load<u8>(at) != 0x29; at++) {
    const c = load<u8>(at);
    if (c >= 0x30 && c <= 0x39 && value < <u64>1 << 40) {
      value = value * 10 + (c - 0x30);
      digits++;
    } else if (digits > 0) {
      pushDimension(value);
      value = 0;
      digits = 0;
    }
  }
  if (digits > 0) pushDimension(value);
  if (fortran && rank > 1) refuse('expected row-major (C) order; found Fortran order, which numpy.ascontiguousarray changes', '');
}

/** Adds a dimension to `shape`. */
function pushDimension(value: u64): void {
  if (rank == mostDimensions) refuse('expected at most 64 dimensions; found more', '');
  store<u64>(shape + 8 * rank, value);
  rank++;
}

/** The position after a text in the header. */
function find(text: string, start: usize, end: usize): usize {
  for (let at = start; at + text.length <= end; at++) {
    let i = 0;
    while (i < text.length && load<u8>(at + i) == load<u8>(changetype<usize>(text) + 2 * i)) i++;
    if (i == text.length) return at + i;
  }
  refuse('the .npy header does not say ', text);
  return end;
}

/** Writes the shape that was read as Python does: (2, 3). */
export function writeShape(): void {
  write('(');
  for (let d = 0; d < rank; d++) {
    writeInteger(load<i64>(shape + 8 * d));
    if (d + 1 < rank || rank == 1) write(d + 1 < rank ? ', ' : ',');
  }
  write(')');
}

/** Writes a .npy header, version 1.0, padded so that the elements begin at a multiple of 64, as NumPy does. */
export function writeHeader(type: i32, dimensions: i32, sizes: usize): void {
  let length: u32 = 10 + 55; // magic, version and length; the text below without its sizes
  for (let d = 0; d < dimensions; d++) length += decimals(load<u64>(sizes + 8 * d)) + (d + 1 < dimensions ? 2 : dimensions == 1 ? 1 : 0);
  const padded: u32 = (length + 1 + 63) & ~63;
  writeByte(0x93);
  write('NUMPY');
  writeByte(1);
  writeByte(0);
  writeByte((padded - 10) & 255);
  writeByte((padded - 10) >> 8);
  write("{'descr': '");
  write(elementBytes(type) == 1 ? '|' : '<');
  write(type >> 4 == 1 ? 'f' : type >> 4 == 2 ? 'i' : 'u');
  writeInteger(elementBytes(type));
  write("', 'fortran_order': False, 'shape': (");
  for (let d = 0; d < dimensions; d++) {
    writeInteger(load<i64>(sizes + 8 * d));
    if (d + 1 < dimensions) write(', ');
    else if (dimensions == 1) write(',');
  }
  write('), }');
  for (let i = length + 1; i < padded; i++) write(' ');
  write('\n');
}

/** How many digits a number has. */
function decimals(value: u64): u32 {
  let count: u32 = 1;
  for (; value >= 10; value /= 10) count++;
  return count;
}

/** One element of any type, as a float64 (integers beyond 2^53 are rounded). */
export function element(at: usize, type: i32): f64 {
  switch (type) {
    case 0x14: return load<f32>(at);
    case 0x18: return load<f64>(at);
    case 0x21: return load<i8>(at);
    case 0x22: return load<i16>(at);
    case 0x24: return load<i32>(at);
    case 0x28: return <f64>load<i64>(at);
    case 0x31: return load<u8>(at);
    case 0x32: return load<u16>(at);
    case 0x34: return load<u32>(at);
    default: return <f64>load<u64>(at);
  }
}

/** Stores an element that is known to fit its type (float64 is rounded to float32). */
export function storeElement(at: usize, type: i32, value: f64): void {
  if (type == float32) store<f32>(at, <f32>value);
  else if (elementBytes(type) == 1) store<i8>(at, <i32>value);
  else if (elementBytes(type) == 2) store<i16>(at, <i32>value);
  else store<i32>(at, <i32><i64>value);
}
