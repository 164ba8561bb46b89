/**
 * Pools in Node, with shared memory and with messages: the bits of one session for any number of inferences, turns between
 * runs, errors that reject one run and leave the rest alone, workers that die, and closing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { createPool } from '../../sdk/host/pool.node.js';
import { planCells } from '../../sdk/pool/cell.js';
import { poolOn } from '../../sdk/pool/pool.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { answers, type Runnable } from '../browser/answers.js';
import { tinyManifest, tinyModule, type TinyTypes } from '../runtime/tiny.js';
import { endlessModule, killable } from './threads.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inputs = (n: number, gain = 6) => ({ x: Float32Array.from({ length: 3 * n }, (_, i) => i / 7), code: Int8Array.from({ length: 2 * n }, (_, i) => (i % 16) - 8), gain: Float32Array.of(gain) });
const modules = { 1: await tinyModule(1), 2: await tinyModule(2), 5: await tinyModule(5) };
const endless = await endlessModule(2);
const ways = [{ shared: true }, { shared: false }];
const wayName = ({ shared }: { shared: boolean }): string => (shared ? 'shared memory' : 'messages');

/** The text of the error that a promise rejects with. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.is((error as Error).name, 'ModelError');
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

/** The outputs of a session, detached. */
const expectedOf = (module: Uint8Array<ArrayBuffer>, given: ReturnType<typeof inputs>) => {
  const { y, sum } = loadSync<TinyTypes>(module).run(given);
  return { y: y.copy(), sum: sum.copy() };
};

for (const way of ways) {
  test(`${wayName(way)}: the outputs of one session, whatever the batch, the threads and the number of inferences`, async () => {
    for (const [batch, threads] of [[1, 2], [2, 1], [2, 3], [5, 2]] as const) {
      const module = modules[batch];
      const pool = await createPool<TinyTypes>(module, { threads, ...way });
      for (const n of [1, 2, 3, 9, 10, 64, 1000]) {
        const given = inputs(n);
        const { y, sum } = await pool.run(given);
        assert.equal({ y, sum }, expectedOf(module, given), `${n} inferences`);
      }
      await pool.close();
    }
  });

  test(`${wayName(way)}: a real network gives the session's bits`, async () => {
    const { wasm } = await compile(readFileSync(`${root}examples/models/lenet_w4a4.onnx`), { batch: 3 });
    const module = wasm as Uint8Array<ArrayBuffer>;
    const pool = await createPool(module, { threads: 2, ...way });
    const given: unknown[] = [];
    // `answers` draws the inputs; the pool's answer comes later than it can wait for.
    const record: Runnable = { manifest: pool.manifest, run: (x: never) => { given.push(x); return {}; } };
    answers(record, 50);
    const [images] = given as [Record<string, Float32Array>];
    const expected = loadSync(module).run(images);
    const outputs = await pool.run(images);
    assert.equal(outputs, Object.fromEntries(Object.entries(expected).map(([name, view]) => [name, view.copy()])));
    assert.equal(await pool.predict(images), loadSync(module).predict(images));
    await pool.close();
  });

  test(`${wayName(way)}: many runs at a time, each with its own answer; a short one does not wait for a long one`, async () => {
    const module = modules[2];
    const pool = await createPool<TinyTypes>(module, { threads: 2, ...way });
    const order: string[] = [];
    const long = pool.run(inputs(60_000)).then((outputs) => { order.push('long'); return outputs; });
    const short = Array.from({ length: 200 }, (_, i) => pool.run(inputs(1 + (i % 5), 20 + i)).then((outputs) => { order.push('short'); return outputs; }));
    assert.is(pool.pending, 201);
    for (const [i, outputs] of (await Promise.all(short)).entries()) assert.equal(outputs, expectedOf(module, inputs(1 + (i % 5), 20 + i)));
    assert.equal(await long, expectedOf(module, inputs(60_000)));
    assert.is(order.indexOf('long') >= 100, true, `the long run ended after ${order.indexOf('long')} of 200 short ones`);
    assert.is(pool.pending, 0);
    await pool.close();
  });

  test(`${wayName(way)}: an error rejects its run alone, with the session's words`, async () => {
    const module = modules[2];
    const session = loadSync<TinyTypes>(module);
    const pool = await createPool<TinyTypes>(module, { threads: 2, ...way });
    const before = pool.run(inputs(9_000));
    const told = (gain: number): string => {
      try {
        session.run(inputs(3, gain));
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    for (const gain of [NaN, 13]) {
      assert.match(told(gain), 'error [run/status] tiny:');
      const failed = pool.run(inputs(9_000, gain));
      assert.is(await refusal(failed), told(gain));
      assert.equal(await pool.run(inputs(7)), expectedOf(module, inputs(7)));
    }
    assert.equal(await before, expectedOf(module, inputs(9_000)));
    assert.match(await refusal(pool.run({ ...inputs(2), code: new Int8Array(3) })), /^error \[run\/shape\] code: /);
    assert.is(pool.pending, 0);
    await pool.close();
  });

  test(`${wayName(way)}: a worker that ends takes its run with it; another takes its place`, async () => {
    const module = endless;
    const host = killable();
    const pool = await poolOn<TinyTypes>(host, module, { threads: 1, ...way });
    const never = pool.run(inputs(1, 99));
    setTimeout(() => void host.workers[0].terminate(), 50);
    assert.is(await refusal(never), 'error [pool/worker-lost] tiny: a worker ended: it exited with code 1\n  Its runs are lost, others are not. Run this one again if it was not at fault.');
    assert.equal(await pool.run(inputs(500)), expectedOf(module, inputs(500)));
    assert.is(host.workers.length, 2);
    // A worker that ends over nothing would do so again: the pool is closed.
    // An idle worker does not keep the process, not even while it is waited for.
    const alive = setInterval(() => undefined, 1000);
    await host.workers[1].terminate();
    clearInterval(alive);
    assert.match(await refusal(pool.run(inputs(1))), 'error [pool/worker-lost] tiny: a worker ended: it exited with code 1');
    await pool.close();
  });

  test(`${wayName(way)}: closing waits for what is pending and takes no more`, async () => {
    const module = modules[2];
    const pool = await createPool<TinyTypes>(module, { threads: 2, ...way });
    const last = pool.run(inputs(5_000));
    const closed = pool.close();
    assert.match(await refusal(pool.run(inputs(1))), 'error [pool/closed] tiny: the pool was closed\n  Make a new one with createPool().');
    let ended = false;
    void closed.then(() => (ended = true));
    assert.equal(await last, expectedOf(module, inputs(5_000)));
    assert.is(ended, false);
    await Promise.all([closed, pool.close()]);
  });
}

test('the calling thread helps with short runs: same bits, same errors, and its event loop turns', async () => {
  for (const [batch, threads] of [[1, 2], [2, 3], [5, 2]] as const) {
    const module = modules[batch];
    const session = loadSync<TinyTypes>(module);
    const pool = await createPool<TinyTypes>(module, { threads });
    for (const n of [1, 7, 100, 1000]) {
      for (let i = 0; i < 50; i++) assert.equal(await pool.run(inputs(n)), expectedOf(module, inputs(n)), `${n} inferences`);
    }
    for (const gain of [NaN, 13]) {
      for (let i = 0; i < 30; i++) {
        let told = '';
        try {
          session.run(inputs(300, gain));
        } catch (error) {
          told = (error as Error).message;
        }
        assert.is(await refusal(pool.run(inputs(300, gain))), told);
        assert.equal(await pool.run(inputs(11)), expectedOf(module, inputs(11)));
      }
    }
    let turned = false;
    setTimeout(() => (turned = true), 0);
    for (let i = 0; i < 1e6 && !turned; i++) await pool.run(inputs(3));
    assert.is(turned, true);
    assert.is(pool.pending, 0);
    await pool.close();
  }
});

test('a short run that no worker takes is done by the calling thread', async () => {
  const module = modules[2];
  const answered = async (): Promise<boolean> => {
    const host = killable();
    const pool = await poolOn<TinyTypes>({ ...host, start: () => ({ ...host.start(), hold: () => undefined }) }, module, { threads: 2 });
    for (let i = 0; i < 20; i++) await pool.run(inputs(40)); // now it knows that runs are short
    host.deaf = true;
    await Promise.all(host.workers.map((worker) => worker.terminate()));
    // Where the system takes the processor away from this thread, it waits for workers, and here for ever.
    const outputs = await Promise.race([pool.run(inputs(40)), new Promise<void>((resolve) => setTimeout(resolve, 2000))]);
    if (outputs) assert.equal(outputs, expectedOf(module, inputs(40)));
    return outputs !== undefined;
  };
  let found = false;
  for (let i = 0; i < 10 && !found; i++) found = await answered();
  assert.is(found, true);
});

test('callerHelps: false, and a pool of one worker: the calling thread does no work, however short runs are', async () => {
  for (const options of [{ threads: 2, callerHelps: false }, { threads: 1 }]) {
    const host = killable();
    const pool = await poolOn<TinyTypes>(host, endless, options);
    for (let i = 0; i < 20; i++) assert.equal(await pool.run(inputs(40)), expectedOf(endless, inputs(40)));
    const never = pool.run(inputs(1, 99)); // would not return here
    setTimeout(() => host.workers.forEach((worker) => void worker.terminate()), 50);
    assert.match(await refusal(never), '[pool/worker-lost]');
    await pool.close();
  }
});

test('what cannot be is refused before anything starts', async () => {
  const module = modules[1];
  for (const threads of [0, 1.5, -1, 257, NaN]) {
    assert.is(await refusal(createPool(module, { threads })), `error [pool/threads] tiny: expected 1 to 256 threads, found ${threads}\n  Leave \`threads\` away for one a core.`);
  }
  assert.match(await refusal(createPool(new Uint8Array(8))), /^error \[module\/not-a-module\]/);
});

test('a worker that does not start is told, and the others are ended', async () => {
  const host = killable('throw new Error("no such luck")');
  assert.is(await refusal(poolOn(host, modules[1], { threads: 2 })), 'error [pool/worker] tiny: a worker did not start: no such luck\n  Start none.');
  const refusing = { ...host, start: () => { throw new Error('workers are forbidden'); } };
  assert.is(await refusal(poolOn(refusing, modules[1], { threads: 2 })), 'error [pool/worker] tiny: a worker did not start: workers are forbidden\n  Start none.');
});

test('the default is one worker a core; an idle pool does not keep the process', () => {
  const script = `
    import { availableParallelism } from 'node:os';
    import { createPool } from '${root}sdk/host/pool.node.js';
    import { tinyModule } from '${root}test/runtime/tiny.js';
    const pool = await createPool(await tinyModule(1));
    if (pool.threads !== availableParallelism()) throw new Error(String(pool.threads));
    const { y } = await pool.run({ x: new Float32Array(3), code: new Int8Array(2), gain: new Float32Array(1) });
    console.log(y.shape.join());
  `;
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  writeFileSync(join(folder, 'idle.ts'), script);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', './scripts/typescript.mjs', join(folder, 'idle.ts')], { cwd: root, encoding: 'utf8', timeout: 30_000 });
  rmSync(folder, { recursive: true });
  assert.is(stderr, '');
  assert.is(stdout, '1,3\n');
  assert.is(status, 0);
});

test('memory: cells are bounded, whatever the model', () => {
  const wide = tinyManifest(1000);
  const plan = planCells({ ...wide, inputs: wide.inputs.map((t) => ({ ...t, shape: t.batched ? [1000, 30_000] : t.shape })) });
  assert.is(plan.rows, 1000);
  assert.ok(plan.bytes >= 1000 * 30_000 * 5 && plan.bytes < 1000 * 30_000 * 5 + 20_000);
  assert.is(planCells(tinyManifest(4)).rows % 4, 0);
  assert.ok(planCells(tinyManifest(4)).bytes <= 65536 + 1024);
});

test.run();
