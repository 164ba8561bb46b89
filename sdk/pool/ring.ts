/**
 * The words that main thread and workers share where memory can be shared: a ring of cells with one writer and many readers.
 *
 * The main thread fills cell `published % cells` and adds one to `published`; a worker that adds one to `claimed` has that
 * cell for itself. Counters wrap at 32 bits; the number of cells is a power of two. Workers sleep on `published`, the main
 * thread on `signal`.
 */
import type { CellPlan } from './cell.js';

/** Words of the control memory. */
export const word = {
  published: 0,
  claimed: 1,
  /** Added to when the main thread has something to do: a run is complete or failed, or it is hungry and may fill again. */
  signal: 2,
  /** 1 where runs wait for cells: whoever finishes a cell while the ring is half empty sets it to 0 and signals. */
  hungry: 3,
  /** 1 where runs are short: workers without a cell look for another one for a moment before they sleep. */
  brisk: 4,
  /** Workers that do so now. */
  awake: 5,
  /** 1 while the main thread is at cells too: it looks by itself whether a run is complete, and nobody signals. */
  helping: 6,
  /**
   * From here on one word an active run: its inferences that are not done, sent or not. A worker subtracts after it has
   * marked the cell as done, so 0 means that all cells are, and that the word is free.
   */
  remaining: 7,
} as const;

/** Runs of which cells are in the ring at one time. */
export const activeRuns = 60;

/** Words of one cell's header, which follow one another from `headers` on. */
export const header = { state: 0, rows: 1, run: 2, worker: 3, status: 4, nanoseconds: 5, words: 8 } as const;
export const headers = word.remaining + activeRuns;
export const state = { open: 0, done: 1 } as const;

/** Waking a thread takes up to a tenth of a millisecond: so long is worth looking for the next run. */
export const lingerMs = 0.1;

/** The ring as a worker gets it. */
export interface RingPart {
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
  readonly cells: number;
  /** The worker's own number. */
  readonly worker: number;
  /** Workers of the pool. */
  readonly threads: number;
  /** Signals are messages too: the main thread cannot wait for words. */
  readonly messages: boolean;
}

/** What the main thread tells a worker first. */
export interface Start {
  readonly kind: 'start';
  readonly module: WebAssembly.Module;
  readonly plan: CellPlan;
  /** Absent where cells come as messages. */
  readonly ring?: RingPart;
}

/** A cell as a message, there and back; its memory is transferred. */
export interface CellMessage {
  readonly kind: 'cell';
  readonly index: number;
  readonly rows: number;
  readonly memory: ArrayBuffer;
  /** On the way back. */
  readonly status: number;
}
