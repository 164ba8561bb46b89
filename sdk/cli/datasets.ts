/**
 * Data sets of the command line: `[NAME=]IMAGES[,LABELS]`, files .npy, .npz and IDX (also .gz), checked against the model's input and
 * taken through its preprocessing. Not here: what is done with them.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import { formatShape } from '../../codegen/ir/graph.js';
import { readIdx } from '../data/idx.js';
import { isNpy, isNpz, readNpy, readNpz } from '../data/npy.js';
import { wrongDistribution } from '../metrics/index.js';
import type { Manifest } from '../runtime/index.js';
import { describeNormalization, isNormalization, normalize, parseNormalization, type Normalization } from '../uncertainty/preprocessing.js';
import { usage, type Arguments, type Option } from './command.js';
import { readBytes } from './files.js';
import { plural } from './text.js';
import type { Slot } from './tensors.js';

/** A set as it is given. */
export interface SetFiles {
  readonly option: string;
  readonly name?: string;
  readonly images: string;
  readonly labels?: string;
}

export interface DataSet {
  readonly name: string;
  /** The file of images. */
  readonly file: string;
  readonly count: number;
  /** As the model takes them. */
  readonly inputs: Float32Array;
  /** As they are, [count, ...shape]. */
  readonly raw: ArrayLike<number>;
  readonly bytes: boolean;
  readonly shape: readonly number[];
  /** [count] classes, or soft: [count, classes] probabilities. */
  readonly labels?: Int32Array | Float64Array;
}

export const normalizeOption: Option = { name: 'normalize', value: 'MEAN,DEVIATION', doc: 'the model\'s preprocessing: (x / 255 - MEAN) / DEVIATION of bytes; means, then deviations, of channels too' };

/** Of `--normalize`. */
export function normalizationOf(args: Arguments): Normalization | undefined {
  const text = args.text('normalize');
  if (text === undefined) return undefined;
  const numbers = text.split(',').map((n) => (n.trim() === '' ? NaN : Number(n)));
  const half = numbers.length / 2;
  const found = { mean: numbers.slice(0, half), deviation: numbers.slice(half) };
  if (isNormalization(found)) return found;
  return usage(args.command, '--normalize', `expected a mean and a deviation above 0, or as many of each as there are channels, found "${text}"`, 'For MNIST: --normalize 0.1307,0.3081');
}

/** The one float32 input that goes with each inference; `only` says what takes no others. */
export function imageInput({ name, inputs }: Manifest, only: string): Manifest['inputs'][number] {
  const batched = inputs.filter((i) => i.batched && !i.control);
  if (batched.length !== 1) fail('run/shape', name, `expected a model with one input of many inferences, found ${batched.length}: ${batched.map((i) => i.name).join(', ') || 'none'}`, only);
  if (batched[0].storage !== 'float32') fail('run/data-type', batched[0].name, `this input is ${batched[0].dtype}, and data sets are read for float32 inputs`, 'Export the model with its input quantizer inside.');
  return batched[0];
}

/** What a model states of itself (its manifest, else `posterior`), or what `--normalize` says; both where they agree. */
export function normalizationFor(args: Arguments, { name, preprocessing }: Pick<Manifest, 'name' | 'preprocessing'>, posterior?: string): Normalization | undefined {
  const asked = normalizationOf(args);
  const stated = preprocessing ?? posterior;
  if (stated === undefined) return asked;
  const known = parseNormalization(stated);
  if (!known && !asked) fail('run/data-type', name, `the model states its preprocessing as "${stated}", which is not (x / 255 - MEAN) / DEVIATION`, 'Prepare the sets yourself, as floats, and say --normalize 0,1.');
  if (known && asked && describeNormalization(known) !== describeNormalization(asked)) usage(args.command, '--normalize', `the model itself says ${describeNormalization(known)}, found ${describeNormalization(asked)}`, 'Leave --normalize away.');
  return known ?? asked;
}

/** What `--normalize` says, for a manifest. */
export function preprocessingOf(args: Arguments): string | undefined {
  const found = normalizationOf(args);
  return found && describeNormalization(found);
}

/** Takes `[NAME=]IMAGES[,LABELS]` apart; a file of that whole name is a file. */
export function splitSet(option: string, text: string): SetFiles {
  const cut = text.indexOf('=');
  const named = cut > 0 && !existsSync(text) && !/[/\\,]/.test(text.slice(0, cut));
  const [name, files] = named ? [text.slice(0, cut), text.slice(cut + 1)] : [undefined, text];
  const comma = files.lastIndexOf(',');
  const two = comma >= 0 && !existsSync(files);
  const [images, labels] = two ? [files.slice(0, comma), files.slice(comma + 1)] : [files, undefined];
  if (images === '' || labels === '') fail('cli/usage', option, `expected [NAME=]IMAGES[,LABELS], found "${text}"`, 'Name a file of images, and after a comma one of labels.');
  return { option, ...(named ? { name } : {}), images, ...(two ? { labels } : {}) };
}

/** Names of sets, each its own: as given, else the file's, with its folder's where two would be the same. */
export function nameSets(sets: readonly SetFiles[]): string[] {
  const own = (s: SetFiles): string => s.name ?? path.basename(s.images).replace(/(\.gz|\.npy|\.npz|-ubyte|-idx\d)+$/i, '');
  const names = sets.map((s, i) => {
    const twice = sets.some((o, j) => j !== i && own(o) === own(s));
    return twice && s.name === undefined ? `${path.basename(path.dirname(path.resolve(s.images)))}/${own(s)}` : own(s);
  });
  const again = names.findIndex((name, i) => names.indexOf(name) < i);
  if (again >= 0) fail('cli/usage', sets[again].option, `two sets are called "${names[again]}"`, `Name them: ${sets[again].option} NAME=${sets[again].images}.`);
  return names;
}

export interface ReadOptions {
  /** Of the model. */
  readonly input: Slot;
  readonly classes: number;
  readonly normalization?: Normalization;
  /** At most so many, the first ones. */
  readonly limit?: number;
}

/** Reads a set. Raises file/*, run/shape, run/data-type, each naming the file. */
export function readSet(name: string, { images: file, labels: labelFile }: SetFiles, { input, classes, normalization, limit = Infinity }: ReadOptions): DataSet {
  const files = readArrays(file);
  const images = pick(files, [input.name, 'images', 'x'], file, 'images');
  const labels = labelFile === undefined ? files.labels ?? files.y : pick(readArrays(labelFile), ['labels', 'y'], labelFile, 'labels');
  const count = Math.min(images.shape[0] ?? 0, limit);
  if (count === 0) fail('run/shape', file, `expected images [N, ...], found ${images.shape.length === 0 ? 'a single number' : formatShape(images.shape)}`, 'A set has at least one input.');
  const item = input.shape.slice(1);
  const shape = images.shape.slice(1);
  const size = item.reduce((a, b) => a * b, 1);
  if (!sameButOnes(shape, item)) fail('run/shape', file, `the model takes ${formatShape(['N', ...item])}, found ${formatShape(images.shape)}`, 'Give inputs of the model\'s own size.');
  const raw = images.data.subarray(0, count * size);
  const { bytes } = images;
  const inputs = normalize({ name: file, data: raw, bytes, shape: item.length > 1 ? item : shape }, normalization);
  return { name, file, count, inputs, raw, bytes, shape: item.length > 1 ? item : shape, ...(labels ? { labels: checkLabels(labels, labelFile ?? file, images.shape[0], count, classes) } : {}) };
}

interface NumberArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float64Array | Float32Array;
  /** Whole numbers by type: of images, bytes. */
  readonly bytes: boolean;
}

/** Arrays of a file by name; one alone has the name ''. */
function readArrays(file: string): Record<string, NumberArray> {
  const bytes = readBytes(file);
  if (isNpz(bytes)) return Object.fromEntries(Object.entries(readNpz(bytes, file)).map(([name, a]) => [name, numbers(a)]));
  if (isNpy(bytes)) return { '': numbers(readNpy(bytes, file)) };
  if (bytes[0] === 0x1f || (bytes[0] === 0 && bytes[1] === 0)) return { '': numbers(readIdx(bytes, file)) };
  return fail('file/unreadable', file, 'expected .npy, .npz or IDX (also gzipped), found other bytes', 'Save the array with numpy.save.');
}

function numbers({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> }): NumberArray {
  const kept = data instanceof Uint8Array || data instanceof Float32Array || data instanceof Float64Array;
  return { shape, data: kept ? data : Float64Array.from(data, Number), bytes: !(data instanceof Float32Array || data instanceof Float64Array) };
}

function pick(arrays: Readonly<Record<string, NumberArray>>, wanted: readonly string[], file: string, what: string): NumberArray {
  const names = Object.keys(arrays);
  const name = ['', ...wanted].find((n) => names.includes(n)) ?? (names.length === 1 ? names[0] : undefined);
  if (name !== undefined) return arrays[name];
  return fail('run/missing-input', file, `which array holds the ${what}? It has ${names.join(', ') || 'none'}`, `Call it ${wanted.join(' or ')}.`);
}

/** Equal shapes but for extents of 1, or one of both flat. */
function sameButOnes(a: readonly number[], b: readonly number[]): boolean {
  const [p, q] = [a, b].map((shape) => shape.filter((d) => d !== 1));
  const size = (shape: readonly number[]): number => shape.reduce((x, y) => x * y, 1);
  return String(p) === String(q) || ((p.length <= 1 || q.length <= 1) && size(p) === size(q));
}

/**
 * One class an image, [N]; several, [N, K] in whole numbers, as those of K annotators; or probabilities, [N, classes] in floats. Of the
 * last two, soft labels.
 */
function checkLabels({ shape, data, bytes }: NumberArray, file: string, images: number, count: number, classes: number): Int32Array | Float64Array {
  const each = shape.slice(1).reduce((a, b) => a * b, 1);
  const isMatrix = shape.length === 2 && each > 1;
  if (shape[0] !== images || (each !== 1 && !isMatrix)) fail('run/shape', file, `expected labels of ${plural(images, 'image')}, [N], [N, annotators] or [N, ${classes}], found ${formatShape(shape)}`, 'Give the labels that belong to these images.');
  if (isMatrix && !bytes) {
    if (each !== classes) fail('run/shape', file, `expected a probability for each of the ${classes} classes, found ${formatShape(shape)} floats`, 'Give probabilities [N, classes], or classes as whole numbers.');
    const soft = Float64Array.from(data.subarray(0, count * classes));
    const wrong = wrongDistribution(soft, classes);
    if (wrong) fail('run/data-type', file, wrong, 'Divide each row by its sum, or save classes as whole numbers.');
    return soft;
  }
  const labels = Int32Array.from(data.subarray(0, count * each), (label, i) =>
    Number.isInteger(label) && label >= 0 && label < classes ? label : fail('run/data-type', file, `label ${isMatrix ? `${i % each} of image ${Math.floor(i / each)}` : i} is ${label}, and the model's classes are 0 to ${classes - 1}`, 'Give labels of the model\'s classes, or no labels.'));
  if (!isMatrix) return labels;
  if (each === classes && areCounts(labels, count, classes)) fail('run/data-type', file, 'every row has the same sum: these look like counts of classes, and whole numbers are taken for classes, one an annotator', 'Save counts as floats, each row divided by its sum.');
  const soft = new Float64Array(count * classes);
  labels.forEach((label, i) => (soft[Math.floor(i / each) * classes + label] += 1 / each));
  return soft;
}

/** Whether rows that are not each of one number all have the same sum, as one-hot rows and counts of votes do. */
function areCounts(rows: Int32Array, count: number, classes: number): boolean {
  const list = Array.from({ length: count }, (_, n) => Array.from(rows.subarray(n * classes, (n + 1) * classes)));
  const sums = list.map((row) => row.reduce((a, b) => a + b, 0));
  return count > 1 && sums.every((sum) => sum === sums[0]) && list.some((row) => row.some((x) => x !== row[0]));
}

/** How many inputs of `a` are also in `b`, byte for byte. */
export function sharedInputs(a: DataSet, b: DataSet): number {
  const keys = ({ count, inputs }: DataSet): string[] => {
    const size = inputs.length / count;
    return Array.from({ length: count }, (_, n) => createHash('sha256').update(new Uint8Array(inputs.buffer, inputs.byteOffset + 4 * n * size, 4 * size)).digest('hex'));
  };
  const known = new Set(keys(b));
  return keys(a).filter((key) => known.has(key)).length;
}
