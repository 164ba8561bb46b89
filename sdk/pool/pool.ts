/**
 * A pool: worker threads that share one compiled module, each with an instance of its own. Runs of any number of inferences
 * are cut into cells, which workers take as they come free; the answers are put together in order and have the bits that
 * one session gives.
 *
 * Not here: how cells travel (shared.ts, messages.ts), what a worker does (worker.ts), where workers come from (sdk/host).
 */
import { ModelError } from '../runtime/error.js';
import { checkInputs, itemSize, type Inputs } from '../runtime/inputs.js';
import type { Manifest } from '../runtime/manifest.js';
import { load } from '../runtime/model.js';
import { predictions, scoresOf, type Prediction } from '../runtime/predict.js';
import { statusError, type ModelTypes, type Views } from '../runtime/session.js';
import { allocate, TensorView, type TensorData } from '../runtime/tensor.js';
import { Caller } from './caller.js';
import { addTo, planCells, readText, trapped, type CellPlan } from './cell.js';
import { CellMessages } from './messages.js';
import { Runner, type Tensors } from './runner.js';
import { SharedRing } from './shared.js';
import type { Cell, Host, Thread, Transport } from './transport.js';

/** Nobody has more cores, and every worker costs memory. */
export const mostThreads = 256;

export interface PoolOptions {
  /** Workers; default the number of cores. */
  readonly threads?: number;
  /** False: messages also where memory can be shared, as it can in Node and on pages that are cross-origin isolated. */
  readonly shared?: boolean;
  /**
   * False: the calling thread only hands over. Else, over shared memory and with two workers or more, it does one worker's
   * part of a run that takes less than about a millisecond a worker, and gives its event loop a turn every few milliseconds.
   */
  readonly callerHelps?: boolean;
}

interface Run extends Tensors {
  readonly count: number;
  /** Elements of the outputs, by their place in the manifest; with the bytes of them made when the run begins. */
  elements: TensorData[];
  outputs: readonly Uint8Array[];
  /** The transport's number, once the run has begun. */
  number: number;
  sent: number;
  settled: number;
  failed: boolean;
  resolve(elements: TensorData[]): void;
  reject(error: unknown): void;
}

export class Pool<M extends ModelTypes = ModelTypes> {
  readonly #plan: CellPlan;
  readonly #transport: Transport;
  readonly #threads: (Thread | undefined)[];
  readonly #caller?: Caller;
  /** Runs that have not begun, in order; and runs that have not sent everything, which take turns. */
  readonly #waiting: Run[] = [];
  readonly #active: Run[] = [];
  #next = 0;
  /** What is in each cell that was sent. */
  readonly #cells: ({ readonly run: Run; readonly first: number; readonly rows: number } | undefined)[] = [];
  /** Cells that were sent. */
  #out = 0;
  #pending = 0;
  #turning = false;
  #ended = false;
  /** Why no further run is taken. */
  #closed?: ModelError;
  #closing?: Promise<void>;
  #idle?: () => void;

  /** Made by `createPool`. */
  constructor(readonly module: WebAssembly.Module, readonly manifest: Manifest, private readonly host: Host, options: PoolOptions) {
    const { threads = host.cores, shared = true, callerHelps = true } = options;
    if (!(Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) {
      throw new ModelError('pool/threads', manifest.name, `expected 1 to ${mostThreads} threads, found ${String(threads)}`, 'Leave `threads` away for one a core.');
    }
    this.#plan = planCells(manifest);
    this.#threads = Array.from({ length: threads }, () => undefined);
    const Way = shared && typeof SharedArrayBuffer === 'function' ? SharedRing : CellMessages;
    const transport = new Way(this.#plan, threads, (cell, status, milliseconds) => this.#settle(cell, status, milliseconds), () => {
      this.#caller?.turned();
      this.#turn();
    });
    if (callerHelps && threads > 1 && transport instanceof SharedRing) this.#caller = new Caller(transport, manifest.batch, () => new Runner(module, this.#plan));
    this.#transport = transport;
  }

  /** Workers. */
  get threads(): number {
    return this.#threads.length;
  }

  /** Runs that are not settled. Whoever makes inputs faster than they are answered waits while this grows. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Runs N inferences, given as to `Session.run`. The inputs are read until the promise settles: leave them alone. The
   * outputs are [N, ...] in memory of their own. Runs that are made side by side take turns.
   *
   * @throws what `Session.run` throws; pool/worker-lost where a worker ended over this run; pool/closed.
   */
  async run(inputs: Inputs<M['inputs']>): Promise<Views<M['outputs']>> {
    if (this.#closed) throw this.#closed;
    const { count, given } = checkInputs(this.manifest, inputs as Inputs<ModelTypes['inputs']>);
    if (this.#pending++ === 0) this.#hold(true);
    try {
      const settled = new Promise<TensorData[]>((resolve, reject) => {
        const inputs = given.map(({ data }) => bytesOf(data));
        this.#waiting.push({ inputs, count, elements: [], outputs: [], number: -1, sent: 0, settled: 0, failed: false, resolve, reject });
      });
      this.#turn();
      const outputs = await settled;
      const views = this.manifest.outputs.map((t, i) => new TensorView(t.name, outputs[i], t.batched ? [count, ...t.shape.slice(1)] : t.shape, t.dtype));
      return Object.fromEntries(views.map((view) => [view.name, view])) as unknown as Views<M['outputs']>;
    } finally {
      this.#leave();
    }
  }

  /** Runs, and reads scores of classes as `Model.predict` does: one prediction an inference. */
  async predict(inputs: Inputs<M['inputs']>): Promise<Prediction[]> {
    return predictions(this.manifest, scoresOf(this.manifest, await this.run(inputs)));
  }

  /** Takes no further runs, waits for those that are pending, and ends the workers. */
  close(): Promise<void> {
    this.#closed ??= new ModelError('pool/closed', this.manifest.name, 'the pool was closed', 'Make a new one with createPool().');
    this.#closing ??= new Promise<void>((resolve) => {
      this.#idle = resolve;
      if (this.#pending === 0) resolve();
    }).then(() => this.#end());
    return this.#closing;
  }

  /** Starts every worker; rejects, and ends them, where one does not start. */
  async start(): Promise<this> {
    try {
      await Promise.all(this.#threads.map((_, worker) => this.#startWorker(worker)));
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#hold(false);
    return this;
  }

  #startWorker(worker: number): Promise<void> {
    const { name } = this.manifest;
    const refusal = (why: string): ModelError => new ModelError('pool/worker', name, `a worker did not start: ${why}`, this.host.advice);
    return new Promise((resolve, reject) => {
      let ready = false;
      let thread: Thread;
      try {
        thread = this.host.start();
      } catch (error) {
        return reject(refusal((error as Error).message));
      }
      this.#threads[worker] = thread;
      thread.listen((message) => {
        if (message !== 'ready') return this.#transport.receive(worker, message);
        ready = true;
        resolve();
      }, (why) => (ready ? this.#lost(worker, why) : reject(refusal(why))));
      thread.post({ kind: 'start', module: this.module, plan: this.#plan, ring: this.#transport.join(worker, thread) });
    });
  }

  /** A worker ended. The runs that it was at are lost; another takes its place, unless it ended over nothing. */
  #lost(worker: number, why: string): void {
    if (this.#ended) return;
    const error = new ModelError('pool/worker-lost', this.manifest.name, `a worker ended: ${why}`, 'Its runs are lost, others are not. Run this one again if it was not at fault.');
    const held = this.#transport.lose(worker);
    if (held.length === 0) return this.#abort(error);
    this.#startWorker(worker).then(() => this.#hold(this.#pending > 0), (refusal: ModelError) => this.#abort(refusal));
    for (const { index } of held) this.#fail(this.#take(index).run, error);
    this.#turn();
  }

  /** Sends and settles until there is nothing to do but wait. */
  #turn(): void {
    if (this.#turning || this.#ended) return;
    this.#turning = true;
    do {
      this.#begin();
      this.#help();
      while (this.#active.length > 0) {
        const cell = this.#transport.take();
        if (!cell) break;
        this.#send(cell);
        this.#begin();
      }
    } while (this.#transport.collect(this.#active.length > 0));
    this.#turning = false;
  }

  #begin(): void {
    while (this.#waiting.length > 0) {
      const number = this.#transport.open(this.#waiting[0].count);
      if (number === undefined) return;
      const run = this.#waiting.shift()!;
      run.number = number;
      run.elements = this.manifest.outputs.map((t) => allocate(t, itemSize(t, this.manifest.batch) * (t.batched ? run.count : 1)));
      run.outputs = run.elements.map(bytesOf);
      this.#active.push(run);
    }
  }

  /** A short run that nothing competes with: this thread takes part. */
  #help(): void {
    const [run] = this.#active;
    if (!this.#caller || this.#active.length !== 1 || this.#out > 0 || run.sent > 0 || this.#waiting.length > 0 || !this.#caller.wants(run.count)) return;
    const send = (rows: number): boolean => {
      const cell = this.#transport.take();
      if (cell) this.#sendRows(cell, run, rows);
      return cell !== undefined;
    };
    this.#caller.help(run, send, (rows, status, trap) => {
      run.sent += rows;
      this.#transport.abandon(run.number, rows);
      if (status === 0) this.#advance(run, rows);
      else this.#fail(run, statusError(this.manifest, status, status === trapped ? trap : undefined));
      return status === 0;
    });
    if (run.sent === run.count && !run.failed) this.#active.length = 0;
  }

  /** The next part of the next run: half an even share of what is left, so that workers end together. */
  #send(cell: Cell): void {
    const { batch } = this.manifest;
    this.#next %= this.#active.length;
    const run = this.#active[this.#next++];
    const calls = Math.ceil((run.count - run.sent) / batch / (2 * this.threads));
    this.#sendRows(cell, run, Math.min(calls * batch, run.count - run.sent));
    if (run.sent === run.count) this.#active.splice(--this.#next, 1);
  }

  /** Sends rows of a run, as many as the cell holds. */
  #sendRows(cell: Cell, run: Run, wanted: number): void {
    const { sent: first, inputs } = run;
    const rows = Math.min(wanted, this.#plan.rows);
    this.#plan.inputs.forEach(({ cell: at, bytes, batched, counts }, i) => {
      cell.bytes.set(batched ? inputs[i].subarray(first * bytes, (first + rows) * bytes) : inputs[i], at);
      if (counts) addTo(cell.bytes, at, first);
    });
    this.#cells[cell.index] = { run, first, rows };
    this.#out++;
    run.sent += rows;
    this.#transport.send(cell, run.number, rows);
  }

  #settle({ index, bytes }: Cell, status: number, milliseconds = 0): void {
    const { run, first, rows } = this.#take(index);
    if (milliseconds > 0) this.#caller?.learn(rows, milliseconds);
    if (run.failed) return;
    if (status !== 0) return this.#fail(run, statusError(this.manifest, status, status === trapped ? readText(this.#plan, bytes) : undefined));
    run.outputs.forEach((output, i) => {
      const { cell, bytes: size, batched } = this.#plan.outputs[i];
      if (batched) output.set(bytes.subarray(cell, cell + rows * size), first * size);
      else if (first + rows === run.count) output.set(bytes.subarray(cell, cell + size));
    });
    this.#advance(run, rows);
  }

  /** What was in a cell, which is free now. */
  #take(index: number): { readonly run: Run; readonly first: number; readonly rows: number } {
    const sent = this.#cells[index]!;
    this.#cells[index] = undefined;
    this.#out--;
    return sent;
  }

  #advance(run: Run, rows: number): void {
    run.settled += rows;
    if (run.settled === run.count) run.resolve(run.elements);
  }

  #fail(run: Run, error: ModelError): void {
    if (run.failed) return;
    run.failed = true;
    const place = this.#active.indexOf(run);
    if (place >= 0) {
      this.#active.splice(place, 1);
      this.#transport.abandon(run.number, run.count - run.sent);
    }
    run.reject(error);
  }

  /** A run is settled. */
  #leave(): void {
    if (--this.#pending > 0) return;
    this.#hold(false);
    this.#idle?.();
  }

  /** The pool cannot go on: every run fails. */
  #abort(error: ModelError): void {
    this.#closed = error;
    this.#end();
    for (const run of [...this.#waiting.splice(0), ...this.#active, ...this.#cells.flatMap((cell) => cell?.run ?? [])]) {
      if (run.settled < run.count) this.#fail(run, error);
    }
  }

  #hold(held: boolean): void {
    for (const thread of this.#threads) thread?.hold(held);
  }

  #end(): void {
    this.#ended = true;
    this.#transport.close();
    for (const thread of this.#threads) thread?.end();
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * Starts a pool on this host. For the hosts' entries.
 *
 * @throws what `load` throws; pool/threads; pool/worker where a worker does not start.
 */
export async function poolOn<M extends ModelTypes>(host: Host, source: Parameters<typeof load>[0], options: PoolOptions): Promise<Pool<M>> {
  const { module, manifest } = await load<M>(source);
  return new Pool<M>(module, manifest, host, options).start();
}
