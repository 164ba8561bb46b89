/**
 * What threads bring: a run of N images through one session against the same run through pools, in interleaved rounds of so
 * many milliseconds each, as ratios of medians. A pool's time is from the call to the answer, copies and wake-ups included;
 * with `--runs 4` four runs are under way at a time. Outputs are compared first. Say on how quiet a machine it ran: where
 * other programs take the second core, threads bring nothing.
 *
 *     node --import ./scripts/typescript.mjs test/bench/threads.mts [--images 100 --threads 2 --batch 1,10 --only mlp,lenet5]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from '../../sdk/compile.js';
import { createPool, type Pool } from '../../sdk/host/pool.node.js';
import { loadSync, type TensorView } from '../../sdk/runtime/index.js';

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../shared/data/bench') },
    kind: { type: 'string', default: 'f32' },
    only: { type: 'string', default: 'mlp,lenet5,kws_dscnn,ic_resnet8' },
    images: { type: 'string', default: '100' },
    threads: { type: 'string', default: '2' },
    batch: { type: 'string', default: '1,10' },
    runs: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '9' },
    milliseconds: { type: 'string', default: '40' },
  },
});
const images = Number(options.images);
const threads = Number(options.threads);
const runs = Number(options.runs);
const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1];

console.log(`${os.cpus()[0].model}, ${os.availableParallelism()} processors, Node ${process.version}; ${images} images a run, ${runs} at a time; ${options.rounds} interleaved rounds of ${options.milliseconds} ms; load ${os.loadavg()[0].toFixed(1)}`);
for (const net of options.only!.split(',')) {
  for (const batch of options.batch!.split(',').map(Number)) {
    const { wasm } = await compile(fs.readFileSync(path.join(options.models!, `${net}.${options.kind}.onnx`)), { batch });
    const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
    const [input] = model.manifest.inputs;
    const length = (input.shape.reduce((a, b) => a * b, 1) / batch) * images;
    const x = Float32Array.from({ length }, (_, i) => Math.sin(i));
    const bits = (outputs: object): string => Object.values(outputs as Record<string, TensorView>).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')).join();
    const ways: { name: string; run: () => unknown; times: number[]; pool?: Pool }[] = [{ name: 'session', run: () => model.run(x), times: [] }];
    for (const [name, count, shared] of [['pool 1', 1, true], [`pool ${threads}`, threads, true], [`messages ${threads}`, threads, false]] as const) {
      const pool = await createPool(model.module, { threads: count, shared });
      ways.push({ name, pool, run: () => pool.run(x), times: [] });
    }
    const expected = bits(model.run(x));
    for (const { name, run } of ways) if (bits((await run()) as object) !== expected) throw new Error(`${net}: ${name} gives other bits`);
    for (let round = 0; round <= Number(options.rounds); round++) {
      for (const { run, times } of ways) {
        const end = performance.now() + Number(options.milliseconds);
        for (let start = performance.now(); start < end; start = performance.now()) {
          await Promise.all(Array.from({ length: runs }, run));
          if (round > 0) times.push(((performance.now() - start) * 1000) / runs);
        }
      }
    }
    const alone = median(ways[0].times);
    console.log(`${net.padEnd(12)} batch ${String(batch).padStart(3)}  ${ways.map(({ name, times }) => `${name} ${median(times).toFixed(0)} us (x${(alone / median(times)).toFixed(2)})`).join('  ')}`);
    for (const { pool } of ways) await pool?.close();
  }
}
