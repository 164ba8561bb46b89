/**
 * What runs in a worker: one instance of the module, fed with cells, from the shared ring or from messages. Host-neutral: a
 * host's entry (sdk/host) gives it the port to the main thread. Nothing is checked here; the main thread has done so.
 */
import { trapped, writeText } from './cell.js';
import { header, headers, lingerMs, state, word, type CellMessage, type RingPart, type Start } from './ring.js';
import { cellTensors, Runner } from './runner.js';

/** The worker's end of the line to the main thread. */
export interface WorkerPort {
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  listen(receive: (message: Start | CellMessage) => void): void;
}

/** Serves a pool until the worker is ended. */
export function serve(port: WorkerPort): void {
  let runner: Runner;
  port.listen((message) => {
    if (message.kind === 'start') {
      runner = new Runner(message.module, message.plan);
      port.post('ready');
      if (message.ring) turn(message.ring, runner, () => port.post('signal'));
    } else {
      const { memory, rows } = message;
      const cell = new Uint8Array(memory);
      const status = runner.run(cellTensors(runner.plan, cell), 0, rows);
      if (status === trapped) writeText(runner.plan, cell, runner.trap);
      port.post({ ...message, status } satisfies CellMessage, [memory]);
    }
  });
}

/** Takes cells from the ring for ever; the thread sleeps while there are none. */
function turn({ control: shared, data, cells, worker, threads, messages }: RingPart, runner: Runner, post: () => void): never {
  const { plan } = runner;
  const control = new Int32Array(shared);
  const views = Array.from({ length: cells }, (_, i) => new Uint8Array(data, i * plan.bytes, plan.bytes));
  const tensors = views.map((cell) => cellTensors(plan, cell));
  const signal = (): void => {
    Atomics.add(control, word.signal, 1);
    if (messages) post();
    else Atomics.notify(control, word.signal);
  };
  for (;;) {
    const claimed = Atomics.load(control, word.claimed);
    if (claimed === Atomics.load(control, word.published)) {
      if (!linger(control, claimed, threads)) Atomics.wait(control, word.published, claimed);
      continue;
    }
    if (Atomics.compareExchange(control, word.claimed, claimed, (claimed + 1) | 0) !== claimed) continue;
    const index = claimed & (cells - 1);
    const at = headers + index * header.words;
    Atomics.store(control, at + header.worker, worker);
    const rows = control[at + header.rows];
    const counter = word.remaining + control[at + header.run];
    const start = performance.now();
    const status = runner.run(tensors[index], 0, rows);
    if (status === trapped) writeText(plan, views[index], runner.trap);
    control[at + header.nanoseconds] = 1e6 * Math.min(2000, performance.now() - start);
    control[at + header.status] = status;
    Atomics.store(control, at + header.state, state.done);
    const backlog = (Atomics.load(control, word.published) - Atomics.load(control, word.claimed)) | 0;
    const complete = Atomics.sub(control, counter, rows) === rows;
    if ((backlog <= cells / 2 && Atomics.exchange(control, word.hungry, 0) === 1) || ((complete || status !== 0) && Atomics.load(control, word.helping) === 0)) signal();
  }
}

/** Looks for another cell for a moment where runs are short and the calling thread helps; false where there was none. */
function linger(control: Int32Array, claimed: number, threads: number): boolean {
  if (Atomics.load(control, word.brisk) === 0) return false;
  const turns = 50; // between looks at the clock
  let found = false;
  if (Atomics.add(control, word.awake, 1) < threads - 1) { // the calling thread has the last one's place
    for (const end = performance.now() + lingerMs; !found && performance.now() < end;) {
      for (let i = 0; i < turns && !found; i++) found = Atomics.load(control, word.published) !== claimed;
    }
  }
  Atomics.sub(control, word.awake, 1);
  return found;
}
