/**
 * The calling thread as a helper: of a run that is shorter than some wake-ups it does one worker's part at once, beside the
 * workers, and its caller has the answer without having slept. Longer runs it leaves to them, and it never keeps its event
 * loop waiting long. Bits and errors are those of a worker.
 *
 * Not here: which runs there are (pool.ts), the words shared with workers (ring.ts).
 */
import { trapped, writeText } from './cell.js';
import { cellTensors, type Runner, type Tensors } from './runner.js';
import type { SharedRing } from './shared.js';

/** A run is short where a worker's part of it takes at most so long. */
const shortMs = 1;
/** Helped so long without a turn of the event loop, the thread leaves the next run to workers, which lets timers and input in. */
const turnMs = 5;
/** Parts take about so long: far more than handing one over, and little to wait for at the end. */
const partMs = 0.02;
/** A worker that has not ended after so much more is not running; the event loop waits for it. */
const patienceMs = 0.2;

/** A run as the helper sees it. */
export interface Helped extends Tensors {
  readonly count: number;
  readonly number: number;
  readonly sent: number;
}

export class Caller {
  /** Milliseconds of an inference, once known. */
  #cost?: number;
  #spent = 0;
  #runner?: Runner;

  constructor(readonly ring: SharedRing, readonly batch: number, readonly makeRunner: () => Runner) {}

  /** A worker, or this thread, took so long for some inferences. */
  learn(inferences: number, milliseconds: number): void {
    const cost = milliseconds / inferences;
    // A thread that had to wait for a processor says little.
    this.#cost = this.#cost === undefined ? cost : 0.7 * this.#cost + 0.3 * Math.min(cost, 2 * this.#cost);
  }

  /** The event loop has turned. */
  turned(): void {
    this.#spent = 0;
  }

  /** Whether to help with so many inferences. */
  wants(count: number): boolean {
    const short = this.#cost !== undefined && (this.#cost * count) / this.ring.threads <= shortMs && this.#spent <= turnMs;
    if (!short) this.ring.rest();
    return short;
  }

  /**
   * Does a part of a run while workers do others. `send` hands the next rows over, where there is a free cell; `done` is told
   * of rows that this thread did, with their status, and answers whether to go on.
   */
  help(run: Helped, send: (rows: number) => boolean, done: (rows: number, status: number, trap: string) => boolean): void {
    const runner = (this.#runner ??= this.makeRunner());
    const { ring, batch } = this;
    const others = ring.threads - 1;
    const start = performance.now();
    const most = Math.max(1, Math.floor(partMs / this.#cost! / batch));
    const next = (): number => Math.min(batch * Math.min(most, Math.ceil((run.count - run.sent) / batch / (2 * ring.threads))), run.count - run.sent);
    let woken = false;
    let own = 0;
    ring.help(true);
    for (let goes = true; goes && run.sent < run.count && performance.now() - start < 2 * shortMs;) {
      while ((run.count - run.sent) * this.#cost! > 2 * partMs && ring.backlog < others && send(next())) {
        if (!woken) ring.wake(others);
        woken = true;
      }
      const rows = next();
      const status = runner.run(run, run.sent, rows);
      own += rows;
      goes = done(rows, status, runner.trap);
    }
    if (own > 0) this.learn(own, performance.now() - start);
    while (performance.now() - start < 2 * shortMs && ring.reclaim((cell, rows) => this.#inCell(runner, cell.bytes, rows)));
    for (const end = performance.now() + patienceMs; !ring.complete(run.number) && performance.now() < end;);
    ring.help(false);
    this.#spent += performance.now() - start;
  }

  #inCell(runner: Runner, cell: Uint8Array, rows: number): number {
    const status = runner.run(cellTensors(runner.plan, cell), 0, rows);
    if (status === trapped) writeText(runner.plan, cell, runner.trap);
    return status;
  }
}
