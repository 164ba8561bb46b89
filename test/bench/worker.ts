/** One engine in one process: loads a model, answers with its outputs, then runs rounds when asked. */
import type { Load, Round, Runner } from './engines/engine.js';
import { loaders } from './engines/index.js';

let runner: Runner;
let batch = 1;
/** Calls between two looks at the clock: about a quarter of a millisecond. */
let stride = 1;

async function load(message: Load): Promise<object> {
  ({ batch } = message);
  runner = await loaders[message.engine](message);
  const { examples } = message;
  const outputs: number[][] = [];
  const size = examples[0]?.length ?? 0;
  const values = new Float32Array(size * batch);
  for (let first = 0; first < Math.max(examples.length, 1); first += batch) {
    for (let i = 0; i < batch && size > 0; i++) values.set(examples[(first + i) % examples.length], i * size);
    await runner.feed(values.slice());
    const output = await runner.infer();
    const length = output.length / batch;
    // Every row of the batch is looked at: rows of one example must be equal to its first row but for rounding.
    for (let i = 0; i < batch; i++) {
      const row = Array.from(output.subarray(i * length, (i + 1) * length));
      const e = (first + i) % Math.max(examples.length, 1);
      if (outputs[e] === undefined) outputs[e] = row;
      else {
        const top = Math.max(...row.map(Math.abs), 1e-30);
        const worst = Math.max(...row.map((v, k) => Math.abs(v - outputs[e][k])));
        if (!(worst / top < 1e-4)) throw new Error(`rows ${e} and ${first + i} of the batch have one input and differ by ${worst}`);
      }
    }
  }
  const start = performance.now();
  await runner.infer();
  stride = Math.max(1, Math.floor(0.25 / (performance.now() - start)));
  return { outputs, settings: runner.settings };
}

/** Repeats for about so long; returns microseconds per inference by both clocks. */
async function round(milliseconds: number): Promise<{ wall: number; cpu: number }> {
  let count = 0;
  const before = process.cpuUsage();
  const start = performance.now();
  let now = start;
  while (now - start < milliseconds) {
    for (let i = 0; i < stride; i++) {
      const result = runner.infer();
      if (result instanceof Promise) await result;
    }
    count += stride;
    now = performance.now();
  }
  stride = Math.max(1, Math.floor((0.25 * count) / (now - start)));
  const { user, system } = process.cpuUsage(before);
  return { wall: ((now - start) * 1000) / (count * batch), cpu: (user + system) / (count * batch) };
}

process.on('message', async (message: Load | Round) => {
  try {
    process.send!({ ok: true, ...(message.kind === 'load' ? await load(message) : await round(message.milliseconds)) });
  } catch (error) {
    process.send!({ ok: false, message: error instanceof Error ? error.message : String(error) });
  }
});
