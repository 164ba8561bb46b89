/**
 * What runs in a worker: one instance of the module, fed with cells, from the shared ring or from messages. Host-neutral: a
 * host's entry (sdk/host) gives it the port to the main thread. Nothing is checked here; the main thread has done so.
 */
import { trapped, writeText, type CellPlan, type Region } from './cell.js';
import { header, headers, state, word, type CellMessage, type RingPart, type Start } from './ring.js';

/** The worker's end of the line to the main thread. */
export interface WorkerPort {
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  listen(receive: (message: Start | CellMessage) => void): void;
}

/** Serves a pool until the worker is ended. */
export function serve(port: WorkerPort): void {
  let run: RunCell;
  port.listen((message) => {
    if (message.kind === 'start') {
      run = cellRunner(message.module, message.plan);
      port.post('ready');
      if (message.ring) turn(message.ring, message.plan, run, () => port.post('signal'));
    } else {
      const { memory, rows } = message;
      const status = run(new Uint8Array(memory), rows);
      port.post({ ...message, status } satisfies CellMessage, [memory]);
    }
  });
}

/** Runs the inferences of a cell; returns 0, or the status that stopped it. */
type RunCell = (cell: Uint8Array, rows: number) => number;

function cellRunner(module: WebAssembly.Module, plan: CellPlan): RunCell {
  const { batch, inputs, outputs } = plan;
  let memory: Uint8Array;
  let call: () => number;
  const instantiate = (): void => {
    const { exports } = new WebAssembly.Instance(module) as { exports: { memory: WebAssembly.Memory; run: () => number } };
    memory = new Uint8Array(exports.memory.buffer);
    call = exports.run;
  };
  const load = ({ memory: to, cell: from, bytes, batched }: Region, cell: Uint8Array, first: number, n: number): void => {
    if (!batched) return memory.set(cell.subarray(from, from + bytes), to);
    memory.set(cell.subarray(from + first * bytes, from + (first + n) * bytes), to);
    for (let i = n; i < batch; i++) memory.copyWithin(to + i * bytes, to + (n - 1) * bytes, to + n * bytes);
  };
  instantiate();
  return (cell, rows) => {
    try {
      for (let first = 0; first < rows; first += batch) {
        const n = Math.min(batch, rows - first);
        for (const region of inputs) load(region, cell, first, n);
        const status = call();
        if (status !== 0) return status;
        for (const { memory: from, cell: to, bytes, batched } of outputs) {
          cell.set(memory.subarray(from, from + bytes * (batched ? n : 1)), batched ? to + first * bytes : to);
        }
      }
      return 0;
    } catch (error) {
      writeText(plan, cell, (error as Error).message);
      instantiate(); // what a trap leaves behind is nobody's input
      return trapped;
    }
  };
}

/** Takes cells from the ring for ever; the thread sleeps while there are none. */
function turn({ control: shared, data, cells, worker, messages }: RingPart, plan: CellPlan, run: RunCell, post: () => void): never {
  const control = new Int32Array(shared);
  const views = Array.from({ length: cells }, (_, i) => new Uint8Array(data, i * plan.bytes, plan.bytes));
  const signal = (): void => {
    Atomics.add(control, word.signal, 1);
    if (messages) post();
    else Atomics.notify(control, word.signal);
  };
  for (;;) {
    const claimed = Atomics.load(control, word.claimed);
    if (claimed === Atomics.load(control, word.published)) {
      Atomics.wait(control, word.published, claimed);
      continue;
    }
    if (Atomics.compareExchange(control, word.claimed, claimed, (claimed + 1) | 0) !== claimed) continue;
    const index = claimed & (cells - 1);
    const at = headers + index * header.words;
    Atomics.store(control, at + header.worker, worker);
    const rows = control[at + header.rows];
    const counter = word.remaining + control[at + header.run];
    const status = run(views[index], rows);
    control[at + header.status] = status;
    Atomics.store(control, at + header.state, state.done);
    const backlog = (Atomics.load(control, word.published) - Atomics.load(control, word.claimed)) | 0;
    const complete = Atomics.sub(control, counter, rows) === rows;
    if ((backlog <= cells / 2 && Atomics.exchange(control, word.hungry, 0) === 1) || complete || status !== 0) signal();
  }
}
