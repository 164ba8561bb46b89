/**
 * The entry file of a model's WASI command: a table of its interface, joined to `run`. What the table's fields mean is
 * in assembly/table.ts, what is done with them in assembly/wasi.ts.
 */
import type { Manifest, ManifestTensor, StorageType } from '../../sdk/runtime/manifest.js';
import { describe, isInteger, type DataType } from '../ir/datatype.js';

/** Bytes past the static data that the command needs where all fits one call; memory grows only beyond that. */
export const wasiWorkBytes = 128 * 1024;

/** Kind (1 float, 2 signed, 3 unsigned) times 16, plus the size in bytes; see assembly/npy.ts. */
const storageCodes: Readonly<Record<StorageType, number>> = {
  float32: 0x14, int8: 0x21, uint8: 0x31, int16: 0x22, uint16: 0x32, int32: 0x24, uint32: 0x34,
};

/**
 * AssemblyScript text of the entry file, which exports `_start` alone.
 *
 * @param modelPath the source, without its suffix, that exports `run(): i32`; ./wasi is assembly/wasi.ts.
 */
export function wasiEntry(manifest: Manifest, modelPath = './model'): string {
  const bytes = [...interfaceTable(manifest)];
  const lines = Array.from({ length: Math.ceil(bytes.length / 32) }, (_, i) => `  ${bytes.slice(32 * i, 32 * i + 32).join(', ')},`);
  return `// The WASI command of the model ${JSON.stringify(manifest.name)}.
import { run } from '${modelPath}';
import { answer, begin, next } from './wasi';

const table = memory.data<u8>([
${lines.join('\n')}
], 8);

export function _start(): void {
  begin(table);
  while (next()) answer(run());
}
`;
}

/** Numbers of what inputs say of how to run; see assembly/table.ts. */
const controlCodes = { samples: 1, seed: 2, batchOffset: 3 } as const;

/** What `--help` prints. */
function wasiHelp(manifest: Manifest): string {
  const list = (tensors: readonly ManifestTensor[]) => tensors.map((t) => `  ${JSON.stringify(t.name)}  ${expected(t)}\n`).join('');
  const data = manifest.inputs.filter((t) => !t.control);
  const controls = manifest.inputs.filter((t) => t.control && t.control.meaning !== 'batchOffset');
  const options = controls.map(({ control }) => `  --${control!.meaning} N  ${control!.meaning === 'samples' ? `${control!.range.join(' to ')}` : 'of the random numbers'} (default ${control!.default[0]})\n`).join('');
  const calls = manifest.batch === 1 ? 'one inference' : `up to ${manifest.batch} inferences`;
  return `${manifest.name}: a model compiled by sigmaflow, as a WASI command

Usage: wasmtime ${manifest.name}.wasi.wasm [--json]${options && ' [options]'} < INPUT.npy > OUTPUT.npy

Standard input: one .npy an input, in this order, or raw elements as the model stores them
${list(data)}Standard output: one .npy an output, in this order; with --json one object a line, for ${calls}
${list(manifest.outputs)}${options && `Options\n${options}`}`;
}

function expected(tensor: ManifestTensor): string {
  const dims = tensor.batched ? ['N', ...tensor.shape.slice(1)] : tensor.shape;
  return `${tensor.dtype} (${dims.join(', ')}${dims.length === 1 ? ',' : ''})`;
}

/** The Table of assembly/table.ts, its Tensors, and the texts behind them. */
function interfaceTable(manifest: Manifest): Uint8Array {
  const headBytes = 48, tensorBytes = 72;
  const tensors = [...manifest.inputs, ...manifest.outputs];
  const statuses = Object.entries(manifest.statuses);
  const statusesAt = headBytes + tensorBytes * tensors.length;
  const out = new Pool(statusesAt + 12 * statuses.length);

  const name = out.text(manifest.name);
  const help = out.text(wasiHelp(manifest));
  out.words(0, [manifest.batch, manifest.inputs.length, manifest.outputs.length, statuses.length, headBytes, headBytes + tensorBytes * manifest.inputs.length, statusesAt, ...name, ...help]);
  tensors.forEach((tensor, i) => {
    const inner = tensor.batched ? tensor.shape.slice(1) : tensor.shape;
    const size = inner.reduce((a, b) => a * b, 1);
    const info = describe(tensor.dtype as DataType);
    const checked = !isInteger(tensor.dtype as DataType) ? 0 : tensor.dtype === 'bipolar' ? 2 : 1;
    const at = headBytes + tensorBytes * i;
    out.words(at, [...out.text(JSON.stringify(tensor.name)), ...out.text(expected(tensor)), storageCodes[tensor.storage], tensor.offset, +tensor.batched, inner.length, out.numbers(inner), size, checked]);
    out.words(at + 52, [tensor.control ? controlCodes[tensor.control.meaning] : 0]);
    out.float64(at + 56, tensor.control?.range[0] ?? info.min);
    out.float64(at + 64, tensor.control?.range[1] ?? info.max);
  });
  statuses.forEach(([status, text], i) => out.words(statusesAt + 12 * i, [Number(status), ...out.text(text)]));
  return out.bytes();
}

/** Fixed fields first, then texts and shapes as they come. */
class Pool {
  #data: number[];
  constructor(fixedBytes: number) {
    this.#data = new Array<number>(Math.ceil(fixedBytes / 8) * 8).fill(0);
  }

  /** Place and length of a text. */
  text(text: string): [number, number] {
    return [this.#append(new TextEncoder().encode(text)), new TextEncoder().encode(text).length];
  }

  /** Place of 64-bit numbers. */
  numbers(values: readonly number[]): number {
    while (this.#data.length % 8 !== 0) this.#data.push(0);
    return this.#append(new Uint8Array(BigUint64Array.from(values, BigInt).buffer));
  }

  words(at: number, values: readonly number[]): void {
    this.#set(at, new Uint8Array(Int32Array.from(values).buffer));
  }

  float64(at: number, value: number): void {
    this.#set(at, new Uint8Array(Float64Array.of(value).buffer));
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#data);
  }

  #append(bytes: Uint8Array): number {
    const at = this.#data.length;
    this.#data.push(...bytes);
    return at;
  }

  #set(at: number, bytes: Uint8Array): void {
    bytes.forEach((b, i) => (this.#data[at + i] = b));
  }
}
