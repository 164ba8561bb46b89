/**
 * A cell: the inputs and outputs of some inferences in one piece of memory, on their way to a worker and back. Main thread
 * and workers share this plan of it. Not here: how cells travel (shared.ts, messages.ts).
 */
import { itemSize } from '../runtime/inputs.js';
import type { Manifest, ManifestTensor } from '../runtime/manifest.js';
import { allocate } from '../runtime/tensor.js';

/** One interface tensor: where its bytes are. */
export interface Region {
  /** Byte offset in the module's memory. */
  readonly memory: number;
  /** Byte offset in a cell. */
  readonly cell: number;
  /** Bytes of one inference; of the whole tensor where it is not batched. */
  readonly bytes: number;
  readonly batched: boolean;
  /** It holds the place of the first inference among all, an int32. */
  readonly counts?: boolean;
}

export interface CellPlan {
  /** Inferences in one call of the module. */
  readonly batch: number;
  /** Inferences that a cell holds: whole calls. */
  readonly rows: number;
  readonly inputs: readonly Region[];
  readonly outputs: readonly Region[];
  /** Byte offset of the text of a trap: one byte of length, then its characters. */
  readonly text: number;
  /** Bytes of a cell. */
  readonly bytes: number;
}

/** Of a call that trapped; statuses of modules are small. */
export const trapped = -(2 ** 31);
const textBytes = 256;
/** A cell holds more than one call where they fit in so many bytes: small enough to share a run out evenly. */
const cellTarget = 65536;

/** Plans the cells of a module. */
export function planCells({ batch, inputs, outputs }: Manifest): CellPlan {
  const bytesOf = (t: ManifestTensor): number => itemSize(t, batch) * allocate(t, 0).BYTES_PER_ELEMENT;
  const callBytes = [...inputs, ...outputs].reduce((sum, t) => sum + bytesOf(t) * (t.batched ? batch : 1), 0);
  const rows = batch * Math.max(1, Math.floor(cellTarget / callBytes));
  let end = 0;
  const place = (t: ManifestTensor): Region => {
    const cell = end;
    end += align(bytesOf(t) * (t.batched ? rows : 1));
    return { memory: t.offset, cell, bytes: bytesOf(t), batched: t.batched, ...(t.control?.meaning === 'batchOffset' ? { counts: true } : {}) };
  };
  const regions = { inputs: inputs.map(place), outputs: outputs.map(place) };
  return { batch, rows, ...regions, text: end, bytes: end + textBytes };
}

/** Where tensors begin in a cell, so that arrays of any type can. Cells are no part of a module's arena and share no rule with it. */
const align = (n: number): number => Math.ceil(n / 16) * 16;

/** Adds to the int32 at a place. */
export function addTo(bytes: Uint8Array, at: number, n: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setInt32(at, view.getInt32(at, true) + n, true);
}

/** Writes the words of an error, as Latin-1 and cut to what fits. */
export function writeText({ text }: CellPlan, cell: Uint8Array, words: string): void {
  cell[text] = Math.min(words.length, textBytes - 1);
  for (let i = 0; i < cell[text]; i++) cell[text + 1 + i] = words.charCodeAt(i);
}

/** Reads what `writeText` wrote. */
export function readText({ text }: CellPlan, cell: Uint8Array): string {
  return String.fromCharCode(...cell.subarray(text + 1, text + 1 + cell[text]));
}
