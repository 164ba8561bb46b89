/** A session: one instance of a module, with its own memory. Several run side by side. */
import { ModelError } from './error.js';
import { checkInputs, itemSize, type Inputs } from './inputs.js';
import type { Manifest, ManifestTensor } from './manifest.js';
import { allocate, fits, TensorView, viewOf, type TensorData } from './tensor.js';

/** The names and element types of a model's interface, as the generated .d.ts states them. */
export interface ModelTypes {
  inputs: Record<string, TensorData | undefined>;
  outputs: Record<string, TensorData>;
}

export type Views<T extends Record<string, TensorData | undefined>> = { readonly [K in keyof T]-?: TensorView<NonNullable<T[K]>> };

interface State {
  readonly run: () => number;
  readonly inputs: Record<string, TensorView>;
  readonly outputs: Record<string, TensorView>;
}

export class Session<M extends ModelTypes = ModelTypes> {
  #state?: State;

  constructor(readonly manifest: Manifest, instance: WebAssembly.Instance) {
    const { memory, run } = instance.exports as { memory?: WebAssembly.Memory; run?: () => number };
    const bytes = memory?.buffer.byteLength ?? 0;
    const wrong = [...manifest.inputs, ...manifest.outputs].find((tensor) => !fits(tensor, bytes));
    if (typeof run !== 'function' || wrong) {
      throw new ModelError('module/not-a-module', manifest.name, wrong ? `the tensor "${wrong.name}" does not fit the module's memory` : 'the module exports no function "run"', 'The file is damaged. Compile the model again.');
    }
    const views = (tensors: readonly ManifestTensor[]) => Object.fromEntries(tensors.map((t) => [t.name, viewOf(t, memory!.buffer as ArrayBuffer)]));
    this.#state = { run, inputs: views(manifest.inputs), outputs: views(manifest.outputs) };
  }

  #live(): State {
    if (!this.#state) throw new ModelError('run/disposed', this.manifest.name, 'the session was disposed', 'Make a new one with model.session().');
    return this.#state;
  }

  /** Views of the module's memory, one batch each: write here, call `run()`, and nothing is copied or checked. */
  get inputs(): Views<M['inputs']> {
    return this.#live().inputs as Views<M['inputs']>;
  }

  /** Views of the module's memory, one batch each. The next run overwrites them. */
  get outputs(): Views<M['outputs']> {
    return this.#live().outputs as Views<M['outputs']>;
  }

  /**
   * Runs the model: on what `inputs` holds where nothing is given, else on N inputs in ceil(N / batch) calls, the last
   * padded and trimmed. N is the number of elements given by those of one inference; a shape, where given, is checked.
   *
   * @returns the outputs, each [N, ...]. Up to one batch they are views that the next run overwrites.
   * @throws run/missing-input, run/unknown-input, run/shape, run/data-type before anything runs.
   */
  run(inputs?: Inputs<M['inputs']>): Views<M['outputs']> {
    const state = this.#live();
    if (inputs === undefined) {
      this.#call();
      return this.outputs;
    }
    const { batch } = this.manifest;
    const { count, given } = checkInputs(this.manifest, inputs as Inputs<ModelTypes['inputs']>);
    const gathered = count > batch ? this.manifest.outputs.map((t) => (t.batched ? allocate(t, count * itemSize(t, batch)) : undefined)) : [];
    for (let first = 0; first < count; first += batch) {
      const n = Math.min(batch, count - first);
      for (const { tensor, data } of given) fill(state.inputs[tensor.name].data, data, tensor, batch, first, n);
      this.#call();
      this.manifest.outputs.forEach((t, i) => {
        const size = itemSize(t, batch);
        gathered[i]?.set(state.outputs[t.name].data.subarray(0, n * size), first * size);
      });
    }
    const results = this.manifest.outputs.map((t, i) => {
      const view = state.outputs[t.name];
      if (!t.batched || count === batch) return view;
      return new TensorView(t.name, gathered[i] ?? view.data.subarray(0, count * itemSize(t, batch)), [count, ...t.shape.slice(1)], t.dtype);
    });
    return Object.fromEntries(results.map((view) => [view.name, view])) as unknown as Views<M['outputs']>;
  }

  /** Lets go of the instance and its memory. Any later use is an error; views handed out before stay readable. */
  dispose(): void {
    this.#state = undefined;
  }

  #call(): void {
    let status: number;
    try {
      status = this.#live().run();
    } catch (error) {
      if (error instanceof ModelError) throw error;
      throw statusError(this.manifest, -1, (error as Error).message);
    }
    if (status !== 0) throw statusError(this.manifest, status);
  }
}

/** The error of a run that did not answer 0; `trap` is what the engine said where the module trapped. */
export function statusError({ name, statuses }: Manifest, status: number, trap?: string): ModelError {
  if (trap !== undefined) return new ModelError('run/status', name, `the module trapped (${trap})`, 'This is a fault of the compiler. Report it with the model.');
  return new ModelError('run/status', name, statuses[status] ?? `the module answered with status ${status}`);
}

/** Writes n inferences of an input and repeats the last of them where the batch is not full. */
function fill(view: TensorData, data: TensorData, tensor: ManifestTensor, batch: number, first: number, n: number): void {
  if (tensor.control?.meaning === 'batchOffset') {
    view[0] = data[0] + first;
    return;
  }
  if (!tensor.batched) return view.set(data);
  const size = itemSize(tensor, batch);
  view.set(data.subarray(first * size, (first + n) * size));
  for (let i = n; i < batch; i++) view.copyWithin(i * size, (n - 1) * size, n * size);
}
