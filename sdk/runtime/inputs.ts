/** What is given for a model's inputs, checked against its manifest before anything runs. Sessions and pools share it. */
import { ModelError, suggest } from './error.js';
import type { Manifest, ManifestControl, ManifestTensor } from './manifest.js';
import { elements, product, type TensorData, type TensorInput } from './tensor.js';

/** Inputs by name; where the model has one input, also that input alone. Those that say how to run (samples, seed) may be left away. */
export type Inputs<T extends Record<string, TensorData | undefined>> = { readonly [K in keyof T]: TensorInput<NonNullable<T[K]>> } | TensorInput<NonNullable<T[keyof T]>>;

/** The elements of one input. */
export interface Given {
  readonly tensor: ManifestTensor;
  readonly data: TensorData;
}

/** Inputs by name, checked: names, element types, element counts and shapes. */
export function checkInputs(manifest: Manifest, inputs: Inputs<Record<string, TensorData>>): { count: number; given: Given[] } {
  const { batch, inputs: tensors, preprocessing } = manifest;
  const names = tensors.map((t) => t.name);
  const needed = tensors.filter((t) => !t.control).map((t) => t.name);
  let table = inputs as Record<string, unknown>;
  if (Array.isArray(inputs) || ArrayBuffer.isView(inputs) || (hasData(inputs) && !names.includes('data'))) {
    if (needed.length !== 1) throw new ModelError('run/missing-input', needed[1] ?? manifest.name, `expected ${needed.length} inputs, found one array`, `Give them by name: { ${needed.join(', ')} }.`);
    table = { [needed[0]]: inputs };
  }
  for (const name of Object.keys(table)) {
    if (!names.includes(name)) throw new ModelError('run/unknown-input', name, 'the model has no such input', suggest(name, names));
  }
  let count = 0;
  let first = '';
  const given = tensors.map((tensor): Given => {
    let value = table[tensor.name];
    if (tensor.control) return { tensor, data: controlElements(tensor, tensor.control, value) };
    if (typeof value === 'number' && product(tensor.shape) === 1) value = [value];
    if (value === undefined) throw new ModelError('run/missing-input', tensor.name, `expected ${tensor.dtype} ${formatShape(tensor)}, found nothing`, `Give it by name: { ${needed.join(', ')} }.`);
    const data = elements(tensor, hasData(value) ? value.data : value, preprocessing);
    const n = countOf(tensor, data.length, hasData(value) ? value.shape : undefined, batch);
    if (tensor.batched) {
      if (count && n !== count) throw new ModelError('run/shape', tensor.name, `expected ${count} inferences as in "${first}", found ${n}`, 'Give every input for the same number of inferences.');
      [count, first] = [n, tensor.name];
    }
    return { tensor, data };
  });
  return { count: count || batch, given };
}

/** What is given for an input that says how to run, or its default. A seed may be one number, up to 2^53. */
function controlElements(tensor: ManifestTensor, { meaning, default: usual, range: [lo, hi] }: ManifestControl, given: unknown): TensorData {
  let value = hasData(given) ? given.data : (given ?? usual);
  if (typeof value === 'number') value = meaning === 'seed' && value >= 0 ? [value % 2 ** 32, Math.floor(value / 2 ** 32)] : [value];
  const wrong = (Array.isArray(value) || ArrayBuffer.isView(value) ? [...(value as readonly number[])] : []).find((x) => !(Number.isInteger(x) && x >= lo && x <= hi));
  if (wrong !== undefined) throw new ModelError('run/data-type', tensor.name, `expected a whole number of ${lo} to ${hi}, found ${wrong}`, 'Give such a number, or leave it away.');
  const data = elements(tensor, value);
  if (data.length !== usual.length) throw new ModelError('run/shape', tensor.name, `expected ${usual.length} elements, found ${data.length}`, 'Give a number, or leave it away.');
  return data;
}

/** Elements of one inference. */
export function itemSize(tensor: ManifestTensor, batch: number): number {
  return product(tensor.shape) / (tensor.batched ? batch : 1);
}

function hasData(value: unknown): value is { data: unknown; shape?: readonly number[] } {
  return typeof value === 'object' && value !== null && 'data' in value;
}

/** `[N, 1, 28, 28]` */
function formatShape(tensor: ManifestTensor): string {
  return `[${(tensor.batched ? ['N', ...tensor.shape.slice(1)] : tensor.shape).join(', ')}]`;
}

/** The number of inferences in an input. */
function countOf(tensor: ManifestTensor, length: number, shape: readonly number[] | undefined, batch: number): number {
  const size = itemSize(tensor, batch);
  const inner = tensor.batched ? tensor.shape.slice(1) : tensor.shape;
  const n = length / size;
  const tail = shape && String(shape.slice(shape.length - inner.length)) === String(inner) && product(shape) === length && shape.length <= inner.length + +tensor.batched;
  if (!(n >= 1 && Number.isInteger(n) && (tensor.batched || n === 1)) || (shape && !tail)) {
    throw new ModelError('run/shape', tensor.name, `expected shape ${formatShape(tensor)}, which is ${tensor.batched ? 'N times ' : ''}${size} elements; found ${shape ? `shape [${shape.join(', ')}] with ` : ''}${length}`, 'Give the elements of whole inferences, row by row.');
  }
  return n;
}
