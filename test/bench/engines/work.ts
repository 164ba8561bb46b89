/** What a worker does, in a Node process or a page: loads a model, answers with its outputs, then runs rounds when asked. */
import type { EngineName, Failed, Load, Loaded, Loader, Read, Round, Runner, Timed } from './engine.js';

export class Work {
  private runner!: Runner;
  private batch = 1;
  /** Calls between two looks at the clock: about a quarter of a millisecond. */
  private stride = 1;

  /** `cpu`: microseconds of processor time that the process has used, where the host tells. */
  constructor(private readonly loaders: Readonly<Partial<Record<EngineName, Loader>>>, private readonly read: Read, private readonly cpu: () => number) {}

  async answer(message: Load | Round): Promise<Loaded | Timed | Failed> {
    try {
      return { ok: true, ...(message.kind === 'load' ? await this.load(message) : await this.round(message.milliseconds)) } as Loaded | Timed;
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  private async load(message: Load): Promise<Omit<Loaded, 'ok'>> {
    const { batch, engine, examples } = message;
    const loader = this.loaders[engine];
    if (!loader) throw new Error('this host has no such engine');
    this.batch = batch;
    this.runner = await loader(message, this.read);
    const outputs: number[][] = [];
    const size = examples[0]?.length ?? 0;
    const values = new Float32Array(size * batch);
    for (let first = 0; first < Math.max(examples.length, 1); first += batch) {
      for (let i = 0; i < batch && size > 0; i++) values.set(examples[(first + i) % examples.length], i * size);
      await this.runner.feed(values.slice());
      const output = await this.runner.infer();
      const length = output.length / batch;
      // Every row of the batch is looked at: rows of one example equal its first row but for rounding, unless each draws.
      for (let i = 0; i < batch; i++) {
        const row = Array.from(output.subarray(i * length, (i + 1) * length));
        const example = (first + i) % Math.max(examples.length, 1);
        if (outputs[example] === undefined) outputs[example] = row;
        else if (!message.drawsByRow) compareRows(row, outputs[example], `rows ${example} and ${first + i} of the batch`);
      }
    }
    const start = performance.now();
    await this.runner.infer();
    this.stride = strideOf(performance.now() - start);
    return { outputs, settings: this.runner.settings };
  }

  /** Repeats for about so long; microseconds per inference by both clocks. */
  private async round(milliseconds: number): Promise<Omit<Timed, 'ok'>> {
    let count = 0;
    const before = this.cpu();
    const start = performance.now();
    let now = start;
    while (now - start < milliseconds) {
      for (let i = 0; i < this.stride; i++) {
        const result = this.runner.infer();
        if (result instanceof Promise) await result;
      }
      count += this.stride;
      now = performance.now();
    }
    this.stride = strideOf((now - start) / count);
    return { wall: ((now - start) * 1000) / (count * this.batch), cpu: (this.cpu() - before) / (count * this.batch) };
  }
}

const strideOf = (milliseconds: number): number => Math.min(10000, Math.max(1, Math.floor(0.25 / Math.max(milliseconds, 1e-5))));

function compareRows(row: readonly number[], first: readonly number[], what: string): void {
  const top = Math.max(...row.map(Math.abs), 1e-30);
  const worst = Math.max(0, ...row.map((v, k) => Math.abs(v - first[k])));
  if (!(worst / top < 1e-4)) throw new Error(`${what} have one input and differ by ${worst}`);
}
