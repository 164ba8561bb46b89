/**
 * The WASI command of a model: inputs from standard input, answers to standard output, errors in words.
 *
 * A generated entry file (codegen/emit/wasi.ts) gives a table (see table.ts) and joins this to the model's `run`:
 *
 *     export function _start(): void { begin(table); while (next()) answer(run()); }
 *
 * Inputs that say how to run (how many samples, with which seed) are options of the command; their defaults are in memory.
 *
 * Memory grows only where answers or inputs must wait: several outputs or inputs with more inferences than one call
 * takes, and raw input. Not here: files and numbers (see stream.ts, npy.ts).
 */
import { element, elementBytes, elementType, float32, isNpy, rank, readHeader, shape, storeElement, writeHeader, writeShape } from './npy';
import { Table, Tensor } from './table';
import { allocate, argument, argumentCount, beginError, exit, flush, peek, peeked, read, write, writeByte, writeBytes, writeFloat, writeInteger, writeNumber } from './stream';

let table: usize = 0;
let json: bool = false;
/** Inferences in all, answered, and in this call. */
let total: u64 = 0;
let answered: u64 = 0;
let current: u32 = 0;
/** Elements that stay in no place: between the input and a tensor. */
let chunk: usize = 0;
const chunkBytes: u32 = 8192;

/** The table, for its fields. */
function head(): Table {
  return changetype<Table>(table);
}

/** An input's entry in the table. */
function inputAt(i: i32): Tensor {
  return changetype<Tensor>(table + head().inputs + i * offsetof<Tensor>());
}

/** An output's entry in the table. */
function outputAt(i: i32): Tensor {
  return changetype<Tensor>(table + head().outputs + i * offsetof<Tensor>());
}

/** Reads arguments and the head of the input; ends the command with a sentence where something does not fit. */
export function begin(start: usize): void {
  table = start;
  readArguments();
  chunk = allocate(chunkBytes);
  if (isNpy()) readArrays();
  else readRaw();
  if (total == 0) total = head().batch;
  if (json || total <= head().batch) return;
  for (let i = 1; i < head().outputCount; i++) {
    const tensor = outputAt(i);
    if (tensor.batched) tensor.waiting = allocate(total * tensor.size * elementBytes(tensor.storage));
  }
}

/** Options: --json, --help, and --samples N and --seed N of models that draw; anything else ends the command. */
function readArguments(): void {
  const count = argumentCount();
  for (let i = 1; i < count; i++) {
    const text = argument(i);
    if (equals(text, '--json')) json = true;
    else if (equals(text, '--help') || equals(text, '-h')) {
      writeBytes(table + head().help, head().helpLength);
      exit(0);
    } else if (equals(text, '--samples') && hasControl(samples)) setControl(samples, text, ++i < count ? argument(i) : 0);
    else if (equals(text, '--seed') && hasControl(seed)) setControl(seed, text, ++i < count ? argument(i) : 0);
    else {
      beginError('cli/usage');
      writeText(text);
      write(': there is no such option. Valid: ');
      if (hasControl(samples)) write('--samples, --seed, ');
      write('--json, --help.\n');
      exit(1);
    }
  }
}

/** What an input says of how to run; see table.ts. */
const samples: i32 = 1;
const seed: i32 = 2;
const batchOffset: i32 = 3;

/** Writes the bytes up to a zero. */
function writeText(text: usize): void {
  for (let at = text; load<u8>(at) != 0; at++) writeByte(load<u8>(at));
}

/** Whether the model has an input of this meaning. */
function hasControl(control: i32): bool {
  for (let i = 0; i < head().inputCount; i++) if (inputAt(i).control == control) return true;
  return false;
}

/** Sets the inputs of this meaning to a number in decimal digits: one of 32 bits, or of 64 in two elements. */
function setControl(control: i32, option: usize, text: usize): void {
  let value: u64 = 0;
  let fits = text != 0 && load<u8>(text) != 0;
  for (let at = text; fits && load<u8>(at) != 0; at++) {
    const digit = <u32>load<u8>(at) - 48;
    fits = digit < 10 && value <= (u64.MAX_VALUE - digit) / 10;
    value = value * 10 + digit;
  }
  for (let i = 0; i < head().inputCount; i++) {
    const tensor = inputAt(i);
    if (tensor.control != control) continue;
    const most = tensor.size == 2 ? f64.MAX_VALUE : tensor.maximum;
    if (!fits || <f64>value < tensor.minimum || <f64>value > most) {
      beginError('cli/usage');
      writeText(option);
      write(': expected a whole number of ');
      writeNumber(tensor.minimum);
      write(' to ');
      if (tensor.size == 2) write('18446744073709551615');
      else writeNumber(most);
      write('.\n');
      exit(1);
    }
    store<u32>(tensor.offset, <u32>value);
    if (tensor.size == 2) store<u32>(tensor.offset + 4, <u32>(value >> 32));
  }
}

/** True where bytes up to a zero are this text. */
function equals(bytes: usize, text: string): bool {
  for (let i = 0; i < text.length; i++) if (load<u8>(bytes + i) != load<u8>(changetype<usize>(text) + 2 * i)) return false;
  return load<u8>(bytes + text.length) == 0;
}

/** Begins a message on an input. */
function beginInputError(code: string, tensor: Tensor): void {
  beginError(code);
  writeBytes(table + tensor.name, tensor.nameLength);
  write(': expected ');
  writeBytes(table + tensor.expected, tensor.expectedLength);
}

// ---- Input ----

/** One .npy an input, in order. Only the last may stay on standard input; the others wait in memory. */
function readArrays(): void {
  let last = head().inputCount - 1;
  while (last > 0 && inputAt(last).control != 0) last--;
  for (let i = 0; i <= last; i++) {
    const tensor = inputAt(i);
    if (tensor.control != 0) continue;
    readHeader();
    const count = inferences(tensor);
    if (tensor.batched) {
      if (total != 0 && count != total) {
        beginInputError('run/shape', tensor);
        write(' with N = ');
        writeInteger(total);
        write(' as in the inputs before it; found N = ');
        writeInteger(count);
        write('.\n');
        exit(1);
      }
      total = count;
    }
    tensor.waitingType = elementType;
    if (i < last || !tensor.batched) {
      const bytes = count * tensor.size * elementBytes(elementType);
      tensor.waiting = allocate(bytes);
      if (read(tensor.waiting, bytes) < bytes) cutOff(tensor);
    }
  }
}

/** The number of inferences of the array whose header was read; its shape is that of the tensor, or of one inference. */
function inferences(tensor: Tensor): u64 {
  const leading = rank - tensor.rank;
  let fits = leading == 0 || (leading == 1 && tensor.batched != 0 && load<u64>(shape) > 0);
  for (let d = 0; fits && d < tensor.rank; d++) fits = load<u64>(shape + 8 * (leading + d)) == load<u64>(table + tensor.shape + 8 * d);
  if (!fits) {
    beginInputError('run/shape', tensor);
    write('; found shape ');
    writeShape();
    write('. Reshape it with numpy.reshape.\n');
    exit(1);
  }
  return leading == 1 ? load<u64>(shape) : 1;
}

/** Ends the command: the input stops inside this tensor. */
function cutOff(tensor: Tensor): void {
  beginInputError('file/not-npy', tensor);
  write('; the input ends too early.\n');
  exit(1);
}

/** Elements as the model stores them, all of one input after the other; their number follows from the bytes. */
function readRaw(): void {
  const start = allocate(0);
  let bytes: u64 = 0;
  for (let got: u64 = 65536; got == 65536; bytes += got) got = read(allocate(65536), 65536);
  let once: u64 = 0;
  let each: u64 = 0;
  for (let i = 0; i < head().inputCount; i++) {
    const size = <u64>inputAt(i).size * elementBytes(inputAt(i).storage);
    if (inputAt(i).control != 0) continue;
    if (inputAt(i).batched) each += size;
    else once += size;
  }
  const count: u64 = each == 0 || bytes < once ? 0 : (bytes - once) / each;
  if ((count == 0 && each > 0) || bytes != once + count * each) {
    beginError('run/shape');
    write('standard input: expected .npy, or raw elements: ');
    if (once > 0) {
      writeInteger(once);
      write(' bytes and ');
    }
    writeInteger(each);
    write(' bytes an inference; found ');
    writeInteger(bytes);
    write(' bytes.\n');
    exit(1);
  }
  total = count;
  let at = start;
  for (let i = 0; i < head().inputCount; i++) {
    const tensor = inputAt(i);
    if (tensor.control != 0) continue;
    tensor.waiting = at;
    tensor.waitingType = tensor.storage;
    at += <usize>(<u64>tensor.size * elementBytes(tensor.storage) * (tensor.batched ? count : 1));
  }
}

/** Puts the next inferences into the inputs, the last of them repeated where the batch is not full; false at the end. */
export function next(): bool {
  if (answered == total) {
    finish();
    return false;
  }
  current = <u32>min<u64>(head().batch, total - answered);
  for (let i = 0; i < head().inputCount; i++) {
    const tensor = inputAt(i);
    if (tensor.control != 0) {
      if (tensor.control == batchOffset) store<u32>(tensor.offset, <u32>answered);
      continue;
    }
    if (!tensor.batched) {
      if (answered == 0) fill(tensor, tensor.size);
      continue;
    }
    fill(tensor, current * tensor.size);
    const bytes = tensor.size * elementBytes(tensor.storage);
    for (let k = current; k < head().batch; k++) memory.copy(tensor.offset + k * bytes, tensor.offset + (current - 1) * bytes, bytes);
  }
  return true;
}

/** The next `count` elements of an input. */
function fill(tensor: Tensor, count: u32): void {
  const bytes = elementBytes(tensor.waitingType);
  if (tensor.waiting != 0) {
    convert(tensor, tensor.waiting, tensor.offset, count);
    tensor.waiting += count * bytes;
    return;
  }
  let to = tensor.offset;
  while (count > 0) {
    const some = min(count, chunkBytes / bytes);
    if (read(chunk, some * bytes) < some * bytes) cutOff(tensor);
    convert(tensor, chunk, to, some);
    to += some * elementBytes(tensor.storage);
    count -= some;
  }
}

/** Elements of the type that was given to the one that is stored; integers must be in the range of the data type. */
function convert(tensor: Tensor, from: usize, to: usize, count: u32): void {
  const type = tensor.waitingType;
  const storage = tensor.storage;
  if (type == storage && !tensor.checked) return memory.copy(to, from, count * elementBytes(storage));
  for (let i: u32 = 0; i < count; i++) {
    const value = element(from + i * elementBytes(type), type);
    const fits = storage == float32 || (value >= tensor.minimum && value <= tensor.maximum && value == trunc(value) && !(tensor.checked == 2 && value == 0));
    if (!fits) {
      beginInputError('run/data-type', tensor);
      write('; found the value ');
      writeNumber(value);
      write('. Quantize the input first.\n');
      exit(1);
    }
    storeElement(to + i * elementBytes(storage), storage, value);
  }
}

// ---- Output ----

/** Takes the answers of a call: writes them, or keeps them until their turn. */
export function answer(status: i32): void {
  if (status != 0) refuseStatus(status);
  const first = answered == 0;
  if (json) writeObject();
  else for (let i = 0; i < head().outputCount; i++) {
    const tensor = outputAt(i);
    const bytes = current * tensor.size * elementBytes(tensor.storage);
    if (total <= head().batch || (i == 0 && tensor.batched)) {
      if (first) writeTensorHeader(tensor);
      writeBytes(tensor.offset, tensor.batched ? bytes : bytes / current);
    } else if (tensor.batched) {
      memory.copy(tensor.waiting + <usize>answered * tensor.size * elementBytes(tensor.storage), tensor.offset, bytes);
    }
  }
  answered += current;
}

/** Ends the command with the words for a status. */
function refuseStatus(status: i32): void {
  beginError('run/status');
  writeBytes(table + head().name, head().nameLength);
  write(': ');
  for (let i = 0; i < head().statusCount; i++) {
    const entry = table + head().statuses + 12 * i;
    if (load<i32>(entry) == status) {
      writeBytes(table + load<usize>(entry, 4), load<u32>(entry, 8));
      write('\n');
      exit(1);
    }
  }
  write('the model answered with status ');
  writeInteger(status);
  write('\n');
  exit(1);
}

/** The .npy header of an output, for all inferences. */
function writeTensorHeader(tensor: Tensor): void {
  const leading: i32 = tensor.batched ? 1 : 0;
  const sizes = chunk;
  store<u64>(sizes, total);
  memory.copy(sizes + 8 * leading, table + tensor.shape, 8 * tensor.rank);
  writeHeader(tensor.storage, tensor.rank + leading, sizes);
}

/** Writes the outputs that waited, and makes sure that the input has ended too. */
function finish(): void {
  if (peek(1) != 0 && peeked() > 0) {
    beginError('file/not-npy');
    write('standard input: expected its end after the last input; found more bytes.\n');
    exit(1);
  }
  if (!json && total > head().batch) {
    for (let i = 0; i < head().outputCount; i++) {
      const tensor = outputAt(i);
      if (i == 0 && tensor.batched) continue; // written as it came
      writeTensorHeader(tensor);
      const bytes = tensor.size * elementBytes(tensor.storage);
      if (tensor.batched) writeBytes(tensor.waiting, <u32>total * bytes);
      else writeBytes(tensor.offset, bytes);
    }
  }
  flush();
}

/** {"outputs": {"name": nested arrays, ...}}: one line a call. */
function writeObject(): void {
  write('{"outputs": {');
  for (let i = 0; i < head().outputCount; i++) {
    const tensor = outputAt(i);
    if (i > 0) write(', ');
    writeBytes(table + tensor.name, tensor.nameLength);
    write(': ');
    if (tensor.batched) {
      const bytes = tensor.size * elementBytes(tensor.storage);
      write('[');
      for (let n: u32 = 0; n < current; n++) {
        if (n > 0) write(', ');
        writeNested(tensor, 0, tensor.offset + n * bytes, tensor.size);
      }
      write(']');
    } else writeNested(tensor, 0, tensor.offset, tensor.size);
  }
  write('}}\n');
  flush();
}

/** `size` elements from dimension `d` on. */
function writeNested(tensor: Tensor, d: i32, at: usize, size: u32): void {
  if (d == tensor.rank) {
    if (tensor.storage == float32) writeFloat(load<f32>(at));
    else writeInteger(<i64>element(at, tensor.storage));
    return;
  }
  const extent = <u32>load<u64>(table + tensor.shape + 8 * d);
  const inner = size / extent;
  write('[');
  for (let i: u32 = 0; i < extent; i++) {
    if (i > 0) write(', ');
    writeNested(tensor, d + 1, at + i * inner * elementBytes(tensor.storage), inner);
  }
  write(']');
}
