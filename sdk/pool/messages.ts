/**
 * Cells as messages whose memory is transferred: two a worker, one at work and one waiting. For hosts without shared memory
 * (pages that are not cross-origin isolated); the main thread wakes for every cell.
 */
import type { CellPlan } from './cell.js';
import type { CellMessage } from './ring.js';
import type { Cell, Settle, Thread, Transport } from './transport.js';

const cellsAWorker = 2;

export class CellMessages implements Transport {
  readonly #threads: Thread[] = [];
  /** By index; worker w has the cells w, w + threads, ... */
  readonly #cells: Cell[];
  readonly #sent: boolean[];
  readonly #back: CellMessage[] = [];
  #runs = 0;

  constructor(readonly plan: CellPlan, readonly threads: number, readonly settle: Settle, readonly woken: () => void) {
    this.#cells = Array.from({ length: cellsAWorker * threads }, (_, index) => ({ index, bytes: new Uint8Array(plan.bytes) }));
    this.#sent = this.#cells.map(() => false);
  }

  join(worker: number, thread: Thread): undefined {
    this.#threads[worker] = thread;
  }

  receive(_: number, message: unknown): void {
    this.#back.push(message as CellMessage);
    this.woken();
  }

  open(): number {
    return this.#runs++;
  }

  abandon(): void {} // nothing counts here

  take(): Cell | undefined {
    const load = (cell: Cell): number => this.#cells.filter(({ index }) => index % this.threads === cell.index % this.threads && this.#sent[index]).length;
    return this.#cells.filter(({ index }) => !this.#sent[index]).sort((a, b) => load(a) - load(b))[0];
  }

  send({ index, bytes }: Cell, _: number, rows: number): void {
    const memory = bytes.buffer as ArrayBuffer;
    this.#sent[index] = true;
    this.#threads[index % this.threads].post({ kind: 'cell', index, rows, memory, status: 0 }, [memory]);
  }

  collect(): boolean {
    const back = this.#back.splice(0);
    for (const { index, memory, status } of back) this.settle(this.#free(index, memory), status);
    return back.length > 0;
  }

  lose(worker: number): readonly Cell[] {
    return this.#cells.filter(({ index }) => this.#sent[index] && index % this.threads === worker).map(({ index }) => this.#free(index, new ArrayBuffer(this.plan.bytes)));
  }

  close(): void {
    this.#back.length = 0;
  }

  #free(index: number, memory: ArrayBuffer): Cell {
    this.#sent[index] = false;
    return (this.#cells[index] = { index, bytes: new Uint8Array(memory) });
  }
}
