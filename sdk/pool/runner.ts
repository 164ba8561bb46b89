/**
 * One instance of a module and rows of bytes to run through it: what workers do, and the calling thread where it helps.
 * Nothing is checked here; the pool has done so. Not here: where rows come from (worker.ts, caller.ts).
 */
import { addTo, trapped, type CellPlan, type Region } from './cell.js';

/** The bytes of interface tensors, by their place in the manifest: all rows of batched ones, the others once. */
export interface Tensors {
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** The tensors of a cell, as views. */
export function cellTensors({ rows, inputs, outputs }: CellPlan, cell: Uint8Array): Tensors {
  const view = ({ cell: at, bytes, batched }: Region): Uint8Array => cell.subarray(at, at + bytes * (batched ? rows : 1));
  return { inputs: inputs.map(view), outputs: outputs.map(view) };
}

export class Runner {
  #memory!: Uint8Array;
  #call!: () => number;
  /** The engine's words for the last trap. */
  trap = '';

  constructor(readonly module: WebAssembly.Module, readonly plan: CellPlan) {
    this.#instantiate();
  }

  /** Runs rows of tensors; returns 0, the status that stopped it, or `trapped`. */
  run({ inputs, outputs }: Tensors, from: number, rows: number): number {
    const { batch, inputs: into, outputs: outOf } = this.plan;
    try {
      for (let first = from; first < from + rows; first += batch) {
        const n = Math.min(batch, from + rows - first);
        for (let i = 0; i < into.length; i++) this.#load(into[i], inputs[i], first, n);
        const status = this.#call();
        if (status !== 0) return status;
        for (let i = 0; i < outOf.length; i++) {
          const { memory, bytes, batched } = outOf[i];
          outputs[i].set(this.#memory.subarray(memory, memory + bytes * (batched ? n : 1)), batched ? first * bytes : 0);
        }
      }
      return 0;
    } catch (error) {
      this.trap = (error as Error).message;
      this.#instantiate(); // what a trap leaves behind is nobody's input
      return trapped;
    }
  }

  /** Writes n rows of an input and repeats the last of them where the batch is not full. */
  #load({ memory: to, bytes, batched, counts }: Region, input: Uint8Array, first: number, n: number): void {
    const memory = this.#memory;
    memory.set(batched ? input.subarray(first * bytes, (first + n) * bytes) : input, to);
    if (counts) addTo(memory, to, first);
    if (batched) for (let i = n; i < this.plan.batch; i++) memory.copyWithin(to + i * bytes, to + (n - 1) * bytes, to + n * bytes);
  }

  #instantiate(): void {
    const { exports } = new WebAssembly.Instance(this.module) as { exports: { memory: WebAssembly.Memory; run: () => number } };
    this.#memory = new Uint8Array(exports.memory.buffer);
    this.#call = exports.run;
  }
}
