/**
 * Standard input, output and error of a WASI command, with numbers and text, and memory for them.
 *
 * Raw pointers; memory is only ever added at the end. Imports wasi_snapshot_preview1 and nothing else. Not here: .npy and
 * the model (see npy.ts, wasi.ts).
 */
import { dtoa_buffered, itoa_buffered } from 'util/number';

/** The host's five functions; all but proc_exit answer 0 or an errno. Vectors are pairs of a pointer and a length. */
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'fd_read')
declare function fd_read(file: i32, vectors: usize, count: i32, done: usize): i32;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'fd_write')
declare function fd_write(file: i32, vectors: usize, count: i32, done: usize): i32;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'proc_exit')
declare function proc_exit(code: i32): void;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'args_get')
declare function args_get(pointers: usize, bytes: usize): i32;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'args_sizes_get')
declare function args_sizes_get(count: usize, bytes: usize): i32;

const bufferBytes: u32 = 16384;
/** One iovec (pointer, length), then the host's answer. */
const vector = memory.data(16, 8);
/** A number as UTF-16 before it is written. */
const digits = memory.data(80, 8);

let heap: usize = 0;

/** Bytes that stay: memory past the static data, grown where it is too small. Aligned to 16, and one after the other. */
export function allocate(bytes: u64): usize {
  if (heap == 0) heap = (__heap_base + 15) & ~15;
  const end = <u64>heap + ((bytes + 15) & ~15);
  const have = <u64>memory.size() << 16;
  if (end > have && (end > 0xffff0000 || memory.grow(<i32>((end - have + 65535) >> 16)) < 0)) {
    beginError('run/shape');
    write('standard input: memory for so many inferences at a time is not to be had. Give fewer, or use --json.\n');
    exit(1);
  }
  const at = heap;
  heap = <usize>end;
  return at;
}

// ---- Arguments ----

let argumentPointers: usize = 0;

/** The number of arguments, the program's name among them. */
export function argumentCount(): i32 {
  args_sizes_get(vector, vector + 4);
  const count = load<i32>(vector);
  argumentPointers = allocate(4 * count);
  args_get(argumentPointers, allocate(load<u32>(vector, 4)));
  return count;
}

/** The bytes of an argument, ended by zero. */
export function argument(i: i32): usize {
  return load<u32>(argumentPointers + 4 * i);
}

// ---- Input ----

let input: usize = 0;
let inputAt: u32 = 0;
let inputEnd: u32 = 0;

/** Reads up to `bytes` from the host; 0 at the end of the input. */
function receive(to: usize, bytes: u32): u32 {
  store<usize>(vector, to);
  store<u32>(vector, bytes, 4);
  const failed = fd_read(0, vector, 1, vector + 8);
  if (failed != 0) {
    beginError('file/unreadable');
    write('standard input: the host cannot read it (errno ');
    writeInteger(failed);
    write(').\n');
    exit(1);
  }
  return load<u32>(vector, 8);
}

/** Where the next bytes of the input are; fewer than `bytes` of them only where the input ends (see `peeked`). */
export function peek(bytes: u32): usize {
  if (input == 0) input = allocate(bufferBytes);
  if (inputEnd - inputAt < bytes) {
    memory.copy(input, input + inputAt, inputEnd - inputAt);
    inputEnd -= inputAt;
    inputAt = 0;
    while (inputEnd < bytes) {
      const got = receive(input + inputEnd, bufferBytes - inputEnd);
      if (got == 0) break;
      inputEnd += got;
    }
  }
  return input + inputAt;
}

/** How many bytes of the input are at hand without asking the host. */
export function peeked(): u32 {
  return inputEnd - inputAt;
}

/** Reads `bytes` of the input, or fewer where it ends; returns how many. */
export function read(to: usize, bytes: u64): u64 {
  let done: u64 = min<u64>(bytes, inputEnd - inputAt);
  memory.copy(to, input + inputAt, <usize>done);
  inputAt += <u32>done;
  while (done < bytes) {
    const got = receive(to + <usize>done, <u32>min<u64>(bytes - done, 1 << 20));
    if (got == 0) break;
    done += got;
  }
  return done;
}

// ---- Output ----

let output: usize = 0;
let outputEnd: u32 = 0;
let file: i32 = 1;

/** Hands what is buffered to the host. */
export function flush(): void {
  send(output, outputEnd);
  outputEnd = 0;
}

/** Hands bytes to the host, in as many pieces as it takes. */
function send(from: usize, bytes: u32): void {
  while (bytes > 0) {
    store<usize>(vector, from);
    store<u32>(vector, bytes, 4);
    if (fd_write(file, vector, 1, vector + 8) != 0) proc_exit(1); // Nobody reads: there is no one to tell either.
    from += load<u32>(vector, 8);
    bytes -= load<u32>(vector, 8);
  }
}

/** Writes bytes. */
export function writeBytes(from: usize, bytes: u32): void {
  if (output == 0) output = allocate(bufferBytes);
  if (outputEnd + bytes > bufferBytes) flush();
  if (bytes > bufferBytes) return send(from, bytes);
  memory.copy(output + outputEnd, from, bytes);
  outputEnd += bytes;
}

/** Writes one byte. */
export function writeByte(byte: u32): void {
  store<u8>(vector, byte);
  writeBytes(vector, 1);
}

/** Writes a text of ASCII characters, which AssemblyScript keeps as UTF-16. */
export function write(text: string): void {
  writeWide(changetype<usize>(text), text.length);
}

/** Writes ASCII characters that are kept as UTF-16. */
function writeWide(from: usize, length: i32): void {
  for (let i = 0; i < length; i++) writeByte(load<u16>(from + 2 * i));
}

/** Writes an integer in decimal. */
export function writeInteger(value: i64): void {
  writeWide(digits, itoa_buffered<i64>(digits, value));
}

/**
 * Writes a float32 as JSON: a short decimal that reads back to the same float32. JSON has no infinities and no NaN: 1e999
 * reads as infinity, and NaN is null.
 */
export function writeFloat(value: f32): void {
  if (value != value) write('null');
  else if (abs(value) == Infinity) write(value < 0 ? '-1e999' : '1e999');
  else if (value == 0) write(reinterpret<u32>(value) == 0 ? '0.0' : '-0.0');
  else writeWide(digits, dtoa_buffered<f32>(digits, value));
}

/** Writes any number as people read it in a message. */
export function writeNumber(value: f64): void {
  if (value == trunc(value) && abs(value) < 9007199254740992) writeInteger(<i64>value);
  else if (value - value == 0) writeWide(digits, dtoa_buffered<f64>(digits, value));
  else write(value != value ? 'NaN' : value < 0 ? '-Infinity' : 'Infinity');
}

/** From here on everything goes to standard error; what was buffered for standard output is dropped. */
export function beginError(code: string): void {
  outputEnd = 0;
  file = 2;
  write('error [');
  write(code);
  write('] ');
}

/** Writes what is buffered and ends the command. */
export function exit(code: i32): void {
  flush();
  proc_exit(code);
  unreachable(); // proc_exit does not return
}
