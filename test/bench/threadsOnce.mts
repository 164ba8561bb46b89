/**
 * One session against a pool of worker threads on the same images, over shared memory and over messages, in turns, in the built package; answers must have equal
 * bits. Prints JSON: milliseconds of a run, { session, pool, messages }. Not here: repetition over networks (threads.ts).
 */
import { readFileSync } from 'node:fs';

export interface ThreadsAsked {
  /** The built package's entries. */
  readonly runtime: string;
  readonly pool: string;
  readonly file: string;
  readonly images: number;
  readonly threads: number;
  readonly rounds: number;
  readonly milliseconds: number;
}

interface Outputs {
  readonly [name: string]: { readonly data: Float32Array };
}

const asked = JSON.parse(process.argv[2]) as ThreadsAsked;
const { loadSync } = (await import(asked.runtime)) as typeof import('../../sdk/runtime/index.js');
const { createPool } = (await import(asked.pool)) as { createPool(source: WebAssembly.Module, options: object): Promise<{ run(x: Float32Array): Promise<Outputs>; close(): Promise<void> }> };
const model = loadSync(new Uint8Array(readFileSync(asked.file)));
const pool = await createPool(model.module, { threads: asked.threads });
const messages = await createPool(model.module, { threads: asked.threads, shared: false });
const [input] = model.manifest.inputs;
const x = Float32Array.from({ length: (input.shape.reduce((a, b) => a * b, 1) / model.manifest.batch) * asked.images }, (_, i) => Math.sin(i));

const bits = (outputs: Outputs): string => Object.values(outputs).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')).join();
const expected = bits(model.run(x) as unknown as Outputs);
for (const p of [pool, messages]) if (bits(await p.run(x)) !== expected) throw new Error('the pool gives other bits than the session');

const ways = { session: () => Promise.resolve(model.run(x)), pool: () => pool.run(x), messages: () => messages.run(x) };
const times: Record<string, number[]> = { session: [], pool: [], messages: [] };
for (let round = -5; round < asked.rounds; round++) {
  for (const [name, run] of Object.entries(ways)) {
    let count = 0;
    const start = performance.now();
    while (performance.now() - start < asked.milliseconds) {
      await run();
      count++;
    }
    if (round >= 0) times[name].push((performance.now() - start) / count);
  }
}
await pool.close();
await messages.close();
process.stdout.write(JSON.stringify(times));
