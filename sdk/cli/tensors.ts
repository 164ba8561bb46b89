/**
 * Inputs and outputs of the commands: arrays from .npy and .npz files or drawn at random, checked against what the model
 * takes, cut into calls of the model's batch, and put together again. Not here: the engines that run them.
 */
import path from 'node:path';
import { describe, parseDataType, type DataType } from '../../codegen/ir/datatype.js';
import { fail, suggest } from '../../codegen/ir/diagnostic.js';
import { formatShape } from '../../codegen/ir/graph.js';
import { isNpz, readNpy, readNpz, writeNpy, writeNpz, type NpyArray, type NpySource } from '../data/npy.js';
import type { ManifestTensor } from '../runtime/manifest.js';
import { controlTensors, type Controls } from './controls.js';
import { checkFolder, readBytes } from './files.js';
import { plural } from './text.js';

/** An input or output of a model: its shape is that of one call. */
export type Slot = Pick<ManifestTensor, 'name' | 'shape' | 'dtype' | 'batched' | 'control'>;

export type NumericArray = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** A tensor of logical values, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: NumericArray;
}

/** All inputs of a command: tensors by name, and how many inferences they ask for. */
export interface Inputs {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly count: number;
}

/** An input nobody runs at once on one machine; keeps a mistyped shape from exhausting memory. */
const elementLimit = 2 ** 28;

// ---- Files ----

/**
 * Reads what `--input` names: `X.npy` where the model has one input, `name=X.npy`, and `X.npz` with arrays by input name.
 * Raises run/missing-input, run/unknown-input, run/shape, run/data-type and what reading a file raises.
 */
export function readInputs(given: readonly string[], all: readonly Slot[], controls: Controls = {}): Inputs {
  const slots = all.filter((s) => !s.control);
  const names = slots.map((s) => s.name);
  const arrays = new Map<string, { array: NpyArray; file: string }>();
  const put = (name: string, array: NpyArray, file: string): void => {
    if (!names.includes(name)) fail('run/unknown-input', name, `the model has no input "${name}"`, suggest(name, names, 'input'));
    if (arrays.has(name)) fail('run/unknown-input', name, `the input is given twice, the second time by ${file}`, 'Give each input once.');
    arrays.set(name, { array, file });
  };
  for (const text of given) {
    const { name, file } = splitName(text, names);
    const bytes = readBytes(file);
    if (isNpz(bytes)) {
      const archive = readNpz(bytes, file);
      if (name === undefined) {
        takeFromArchive(archive, file, names, arrays.size > 0 || given.length > 1, put);
      } else {
        if (!Object.hasOwn(archive, name)) fail('run/missing-input', name, `${file} has no array of this name`, suggest(name, Object.keys(archive), 'array'));
        put(name, archive[name], `${file}, ${name}`);
      }
    } else {
      const array = readNpy(bytes, file);
      if (name !== undefined) put(name, array, file);
      else if (names.length === 1) put(names[0], array, file);
      else fail('cli/usage', `--input ${text}`, `the model has ${names.length} inputs: ${names.join(', ')}`, `Say which one it is: --input ${names[0]}=${file}.`);
    }
  }
  const { tensors, count } = check(arrays, slots);
  return { tensors: { ...tensors, ...controlTensors(all, controls) }, count };
}

/** `name=file` where the part before the first = is an input's name or no file has that whole name. */
function splitName(text: string, names: readonly string[]): { name?: string; file: string } {
  for (let cut = text.indexOf('='); cut > 0; cut = text.indexOf('=', cut + 1)) {
    if (names.includes(text.slice(0, cut))) return { name: text.slice(0, cut), file: text.slice(cut + 1) };
  }
  const cut = text.indexOf('=');
  return cut > 0 && !text.slice(0, cut).includes(path.sep) ? { name: text.slice(0, cut), file: text.slice(cut + 1) } : { file: text };
}

function takeFromArchive(archive: Readonly<Record<string, NpyArray>>, file: string, names: readonly string[], partial: boolean, put: (name: string, array: NpyArray, file: string) => void): void {
  const found = names.filter((n) => Object.hasOwn(archive, n));
  const keys = Object.keys(archive);
  if (found.length === 0 || (!partial && found.length < names.length)) {
    const missing = names.find((n) => !Object.hasOwn(archive, n))!;
    fail('run/missing-input', missing, `${file} has no array of this name; it has ${keys.length === 0 ? 'none' : keys.join(', ')}`, 'Save it with numpy.savez under the input\'s name.');
  }
  for (const name of found) put(name, archive[name], `${file}, ${name}`);
}

function check(arrays: ReadonlyMap<string, { array: NpyArray; file: string }>, slots: readonly Slot[]): Inputs {
  const tensors: Record<string, Tensor> = {};
  let count: number | undefined;
  let first = '';
  for (const slot of slots) {
    const given = arrays.get(slot.name);
    if (!given) return fail('run/missing-input', slot.name, `this input of the model was not given (${expected(slot)})`, `Give it with --input ${slots.length > 1 ? `${slot.name}=` : ''}FILE.npy.`);
    const { shape } = given.array;
    const item = slot.batched ? slot.shape.slice(1) : slot.shape;
    const rest = slot.batched ? shape.slice(1) : shape;
    if ((slot.batched && (shape.length === 0 || shape[0] === 0)) || rest.length !== item.length || rest.some((d, i) => d !== item[i])) {
      fail('run/shape', slot.name, `expected ${expected(slot)}, found shape ${formatShape(shape)} in ${given.file}`, slot.batched ? `Reshape it: N inputs are ${formatShape(['N', ...item])}.` : 'Reshape it.');
    }
    if (slot.batched) {
      if (count !== undefined && shape[0] !== count) {
        fail('run/shape', slot.name, `expected ${count} inputs as in "${first}", found ${shape[0]} in ${given.file}`, 'Give every input the same first dimension.');
      }
      [count, first] = [shape[0], slot.name];
    }
    tensors[slot.name] = { shape, data: convert(given.array, slot, given.file) };
  }
  return { tensors, count: count ?? 1 };
}

/** `float32 of shape [N, 1, 28, 28]` */
export function expected(slot: Slot): string {
  return `${slot.dtype} of shape ${formatShape(slot.batched ? ['N', ...slot.shape.slice(1)] : slot.shape)}`;
}

/** Any number type becomes the input's own, where that loses nothing but float64's digits. */
function convert(array: NpyArray, slot: Slot, file: string): NumericArray {
  const type = describe(slot.dtype as DataType);
  const refuse = (i: number, why: string): never =>
    fail('run/data-type', slot.name, `element ${i} of ${file} is ${array.data[i]}, ${why}`, `The input takes ${slot.dtype}${type.integer ? ` (${type.min} to ${type.max})` : ''}: scale or round the data first.`);
  if (slot.dtype === 'float32') {
    if (array.data instanceof Float32Array) return array.data;
    const out = Float32Array.from(array.data as ArrayLike<number | bigint>, Number);
    const floats = array.dtype === 'float64';
    for (let i = 0; i < out.length; i++) {
      const value = Number(array.data[i]);
      if (floats ? Number.isFinite(value) && !Number.isFinite(out[i]) : out[i] !== value || (typeof array.data[i] === 'bigint' && BigInt(out[i]) !== array.data[i])) {
        refuse(i, floats ? 'beyond the range of float32' : 'which float32 does not hold exactly');
      }
    }
    return out;
  }
  const out = integerArray(slot.dtype, array.data.length);
  for (let i = 0; i < out.length; i++) {
    const value = Number(array.data[i]);
    if (!Number.isInteger(value)) refuse(i, 'which is no whole number');
    if (value < type.min || value > type.max || (slot.dtype === 'bipolar' && value === 0)) refuse(i, `outside the values of ${slot.dtype}`);
    out[i] = value;
  }
  return out;
}

/** Elements of an integer tensor, as the commands hold them. */
export function integerArray(dtype: string, length: number): NumericArray {
  return parseDataType(dtype)?.min === 0 ? new Uint32Array(length) : new Int32Array(length);
}

// ---- Random inputs ----

/** How random inputs are drawn, for people. */
export const drawnFrom = 'float32 standard normal; integers uniform over their range';

/** Draws `count` inferences; the same seed gives the same values everywhere. */
export function randomInputs(slots: readonly Slot[], count: number, seed: number, controls: Controls = {}): Inputs {
  const next = generator(seed);
  const tensors: Record<string, Tensor> = controlTensors(slots, controls);
  for (const slot of slots) {
    if (slot.control) continue;
    const shape = slot.batched ? [count, ...slot.shape.slice(1)] : slot.shape;
    const size = shape.reduce((a, b) => a * b, 1);
    if (size > elementLimit) fail('graph/too-large', slot.name, `${plural(count, 'input')} of this size have ${size} elements; at most ${elementLimit} are drawn`, 'Ask for fewer with --random.');
    if (slot.dtype === 'float32') {
      tensors[slot.name] = { shape, data: Float32Array.from({ length: size }, () => normal(next)) };
    } else {
      const { min, max, step } = describe(slot.dtype as DataType);
      const data = integerArray(slot.dtype, size);
      for (let i = 0; i < size; i++) data[i] = min + Math.floor(next() * ((max - min) / step + 1)) * step;
      tensors[slot.name] = { shape, data };
    }
  }
  return { tensors, count };
}

/** Uniform numbers of [0, 1) with 32 random bits: SplitMix32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A sum of 12 uniform numbers less 6: near enough to a normal one, and free of functions that engines round differently. */
function normal(next: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += next();
  return sum;
}

// ---- Calls of one batch ----

/** One call: tensors of the slots' shapes in, arrays by output name out. */
export type Call = (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, ArrayLike<number>>>;

/**
 * Runs N inferences in ceil(N / batch) calls; the last is padded with zeros and trimmed. `seen` gets every call's inputs.
 */
export function runInBatches(inputs: Inputs, inputSlots: readonly Slot[], outputSlots: readonly Slot[], batch: number, call: Call): Record<string, Tensor> {
  const { count } = inputs;
  checkCount(inputs, inputSlots, outputSlots, batch);
  const outputs: Record<string, Tensor> = {};
  for (const slot of outputSlots) {
    const shape = slot.batched ? [count, ...slot.shape.slice(1)] : slot.shape;
    const size = shape.reduce((a, b) => a * b, 1);
    outputs[slot.name] = { shape, data: slot.dtype === 'float32' ? new Float32Array(size) : integerArray(slot.dtype, size) };
  }
  const calls = inputSlots.some((s) => s.batched) ? Math.ceil(count / batch) : 1;
  for (let c = 0; c < calls; c++) {
    const results = call(slice(inputs, inputSlots, batch, c));
    for (const slot of outputSlots) {
      const { data } = outputs[slot.name];
      const size = slot.shape.reduce((a, b) => a * b, 1);
      const start = slot.batched ? c * size : 0;
      const result = results[slot.name];
      for (let i = 0; i < size && start + i < data.length; i++) data[start + i] = result[i];
    }
  }
  return outputs;
}

/** Refuses any other number of inputs than the batch where an output belongs to the whole batch. Raises run/shape. */
export function checkCount({ count }: Inputs, inputSlots: readonly Slot[], outputSlots: readonly Slot[], batch: number): void {
  const whole = outputSlots.find((s) => !s.batched);
  if (!whole || !inputSlots.some((s) => s.batched) || count === batch) return;
  fail('run/shape', whole.name, `this output belongs to a whole batch of ${batch}, but ${plural(count, 'input')} were given`, `Give ${batch}, or compile with --batch ${count}.`);
}

/** The inputs of call `c`. */
export function slice(inputs: Inputs, slots: readonly Slot[], batch: number, c: number): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const slot of slots) {
    const { data } = inputs.tensors[slot.name];
    if (slot.control?.meaning === 'batchOffset') {
      out[slot.name] = { shape: slot.shape, data: Int32Array.of(data[0] + c * batch) };
      continue;
    }
    if (!slot.batched) {
      out[slot.name] = inputs.tensors[slot.name];
      continue;
    }
    const size = slot.shape.reduce((a, b) => a * b, 1);
    const part = data.subarray(c * size, (c + 1) * size) as NumericArray;
    if (part.length === size) {
      out[slot.name] = { shape: slot.shape, data: part };
    } else {
      const padded = new (data.constructor as new (length: number) => NumericArray)(size);
      padded.set(part);
      out[slot.name] = { shape: slot.shape, data: padded };
    }
  }
  return out;
}

// ---- Outputs ----

const isArchive = (file: string): boolean => path.extname(file).toLowerCase() === '.npz';

/** Refuses an output file that cannot be, before there is anything to write. Raises cli/usage and file/unwritable. */
export function checkOutput(file: string, slots: readonly Slot[]): void {
  if (slots.length > 1 && !isArchive(file)) {
    fail('cli/usage', `--output ${file}`, `the model has ${slots.length} outputs (${slots.map((s) => s.name).join(', ')}), which a .npy file cannot hold`, 'Name a .npz file.');
  }
  checkFolder(path.dirname(file));
}

/** The bytes of the file that `--output` names: .npz where it says so, else .npy. */
export function outputBytes(file: string, outputs: Readonly<Record<string, Tensor>>): Uint8Array {
  const sources = Object.entries(outputs).map(([name, { shape, data }]): [string, NpySource] => [name, { shape, data: data as NpySource['data'] }]);
  return isArchive(file) ? writeNpz(Object.fromEntries(sources)) : writeNpy(sources[0][1]);
}
