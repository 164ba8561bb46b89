/**
 * Cells in shared memory: workers take them from the ring as they come to need them, and the main thread wakes once a run, not
 * once a cell. The fast way, where the host has SharedArrayBuffer (Node; pages that are cross-origin isolated).
 */
import type { CellPlan } from './cell.js';
import { activeRuns, header, headers, state, word, type RingPart } from './ring.js';
import type { Cell, Settle, Transport } from './transport.js';

type WaitAsync = (words: Int32Array, index: number, value: number) => { readonly async: false } | { readonly async: true; readonly value: Promise<string> };
const { waitAsync } = Atomics as { waitAsync?: WaitAsync };

/** The ring has at least so many cells, and so many for each worker, as long as they are not larger than this. */
const leastCells = 16;
const cellsAWorker = 4;
const ringTarget = 4 * 1024 * 1024;

/** Counters begin shortly before they wrap, so that wrapping is nothing that happens only after days. */
const firstCell = 2 ** 31 - 5;

export class SharedRing implements Transport {
  readonly #control: Int32Array;
  readonly #data: SharedArrayBuffer;
  readonly #cells: readonly Cell[];
  /** Cells that were sent and are not settled, by index. */
  readonly #sent: boolean[];
  /** Every cell before this one is settled; counts as `published` does. */
  #settled = firstCell;
  #asleep = false;
  #closed = false;

  constructor(plan: CellPlan, readonly threads: number, readonly settle: Settle, readonly woken: () => void) {
    let count = 2;
    while (count < 2 * threads || ((count < leastCells || count < cellsAWorker * threads) && 2 * count * plan.bytes <= ringTarget)) count *= 2;
    this.#control = new Int32Array(new SharedArrayBuffer(4 * (headers + count * header.words)));
    this.#control[word.published] = this.#control[word.claimed] = firstCell;
    this.#data = new SharedArrayBuffer(count * plan.bytes);
    this.#cells = Array.from({ length: count }, (_, index) => ({ index, bytes: new Uint8Array(this.#data, index * plan.bytes, plan.bytes) }));
    this.#sent = this.#cells.map(() => false);
  }

  join(worker: number): RingPart {
    return { control: this.#control.buffer as SharedArrayBuffer, data: this.#data, cells: this.#cells.length, worker, threads: this.threads, messages: !waitAsync };
  }

  receive(): void {
    this.woken();
  }

  open(inferences: number): number | undefined {
    for (let run = 0; run < activeRuns; run++) {
      if (Atomics.compareExchange(this.#control, word.remaining + run, 0, inferences) === 0) return run;
    }
    return undefined;
  }

  abandon(run: number, inferences: number): void {
    Atomics.sub(this.#control, word.remaining + run, inferences);
  }

  take(): Cell | undefined {
    const published = this.#control[word.published];
    const count = this.#cells.length;
    return ((published - this.#settled) | 0) === count ? undefined : this.#cells[published & (count - 1)];
  }

  send({ index }: Cell, run: number, rows: number): void {
    const control = this.#control;
    const at = headers + index * header.words;
    control[at + header.state] = state.open;
    control[at + header.rows] = rows;
    control[at + header.run] = run;
    control[at + header.worker] = -1;
    this.#sent[index] = true;
    Atomics.add(control, word.published, 1);
    if (control[word.helping] === 0) Atomics.notify(control, word.published, 1);
  }

  /** The main thread begins, or ceases, to do cells itself: meanwhile `send` wakes nobody. */
  help(on: boolean): void {
    Atomics.store(this.#control, word.helping, +on);
    Atomics.store(this.#control, word.brisk, 1);
    if (!on && this.backlog > 0) Atomics.notify(this.#control, word.published);
  }

  /** Runs are long again: workers without a cell sleep. */
  rest(): void {
    if (this.#control[word.brisk] === 1) Atomics.store(this.#control, word.brisk, 0);
  }

  /** Wakes workers, up to so many that look for cells; those that do so already are counted after the cell was published. */
  wake(workers: number): void {
    const asleep = workers - Atomics.load(this.#control, word.awake);
    if (asleep > 0) Atomics.notify(this.#control, word.published, asleep);
  }

  /** Cells that nobody has begun. */
  get backlog(): number {
    return (Atomics.load(this.#control, word.published) - Atomics.load(this.#control, word.claimed)) | 0;
  }

  /** Takes back a cell that nobody has begun and runs it: `run` answers with a status. False where there is none. */
  reclaim(run: (cell: Cell, rows: number) => number): boolean {
    const control = this.#control;
    const claimed = Atomics.load(control, word.claimed);
    if (claimed === Atomics.load(control, word.published)) return false;
    if (Atomics.compareExchange(control, word.claimed, claimed, (claimed + 1) | 0) !== claimed) return true;
    const cell = this.#cells[claimed & (this.#cells.length - 1)];
    const at = headers + cell.index * header.words;
    const rows = control[at + header.rows];
    control[at + header.nanoseconds] = 0;
    control[at + header.status] = run(cell, rows);
    Atomics.store(control, at + header.state, state.done);
    Atomics.sub(control, word.remaining + control[at + header.run], rows);
    return true;
  }

  /** Every inference of an open run is done, sent or abandoned. */
  complete(run: number): boolean {
    return Atomics.load(this.#control, word.remaining + run) === 0;
  }

  collect(hungry: boolean): boolean {
    const signal = Atomics.load(this.#control, word.signal);
    Atomics.store(this.#control, word.hungry, +hungry); // before the cells are looked at: who finishes one later, sees it
    let any = false;
    for (const cell of this.#cells) {
      const at = headers + cell.index * header.words;
      if (!this.#sent[cell.index] || Atomics.load(this.#control, at + header.state) === state.open) continue;
      this.#free(cell);
      this.settle(cell, this.#control[at + header.status], this.#control[at + header.nanoseconds] / 1e6);
      any = true;
    }
    if (!any) this.#sleep(signal);
    return any;
  }

  lose(worker: number): readonly Cell[] {
    const held = this.#cells.filter(({ index }) => {
      const at = headers + index * header.words;
      return this.#sent[index] && this.#control[at + header.state] === state.open && Atomics.load(this.#control, at + header.worker) === worker;
    });
    for (const cell of held) {
      const at = headers + cell.index * header.words;
      Atomics.sub(this.#control, word.remaining + this.#control[at + header.run], this.#control[at + header.rows]);
      this.#free(cell);
    }
    return held;
  }

  close(): void {
    this.#closed = true;
    Atomics.notify(this.#control, word.signal);
  }

  #free({ index }: Cell): void {
    const count = this.#cells.length;
    this.#sent[index] = false;
    while (this.#settled !== this.#control[word.published] && !this.#sent[this.#settled & (count - 1)]) this.#settled = (this.#settled + 1) | 0;
  }

  #sleep(signal: number): void {
    if (this.#asleep || !waitAsync || !this.#sent.includes(true)) return;
    const wait = waitAsync(this.#control, word.signal, signal);
    const wake = (): void => {
      this.#asleep = false;
      if (!this.#closed) this.woken();
    };
    this.#asleep = true;
    if (wait.async) void wait.value.then(wake);
    else queueMicrotask(wake);
  }
}
