/**
 * The search: every schedule that it can visit is verified and has the default's bits; it goes on where it stopped, on this
 * machine and with times from elsewhere. No times are judged.
 */
import fs from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import { candidates, defaultCandidate, type SearchSpace } from '../../codegen/schedule/search.js';
import { compile } from '../../sdk/compile.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { planTuning, readTimes, tuningCommand, tuningPage } from '../../sdk/tune/elsewhere.js';
import { spaceOf, tune, type TuneProgress } from '../../sdk/tune/tune.js';
import { compareBits, fillInputs, makeTrial, openTrial, outputsOf } from '../../sdk/tune/trial.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';

const model = (name: string): Uint8Array => new Uint8Array(fs.readFileSync(new URL(`../../examples/models/${name}.onnx`, import.meta.url)));

/** A small float network of every kind of kernel: dense, convolution, depthwise, pool, elementwise. */
function floats() {
  const g = new GraphBuilder();
  const random = new Random(3);
  const weight = (...shape: number[]): string => g.constant(`w${shape.join('x')}`, shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.float(-1, 1)));
  g.input('x', [1, 3, 9, 7]);
  const a = g.node('Relu', [g.node('Conv', ['x', weight(12, 3, 3, 3)], { pads: [1, 1, 1, 1] })]);
  const b = g.node('Conv', [a, weight(12, 1, 3, 3)], { group: 12 });
  const c = g.node('MaxPool', [g.node('Sigmoid', [b])], { kernel_shape: [2, 2] });
  return g.build(g.node('MatMul', [g.node('Flatten', [c]), weight(12 * 6 * 4, 10)]));
}

/** Every candidate of every kernel, in modules of a few. */
async function compareAll(space: SearchSpace): Promise<number> {
  let count = 0;
  for (const site of space.sites) {
    const list = [defaultCandidate(space, site), ...candidates(space, site), ...candidates(space, site, {})];
    for (let i = 1; i < list.length; i += 40) {
      const trial = await makeTrial(space, [list[0], ...list.slice(i, i + 40)].map((c) => ({ site, schedule: c.schedule })));
      compareBits(trial, openTrial(trial), site);
      count += trial.units.length - 1;
    }
  }
  return count;
}

for (const target of ['scalar', 'simd128']) {
  test(`${target}: every schedule of the space verifies and has the default's bits`, async () => {
    const count = (await compareAll(spaceOf(floats(), { target }))) + (await compareAll(spaceOf(model('lenet_w4a4'), { target })));
    if (target === 'simd128') assert.ok((await compareAll(spaceOf(model('lenet_w4a4'), { target, batch: 2 }))) > 20, 'image by image');
    assert.ok(count >= (target === 'scalar' ? 5 : 60), `${count} schedules`);
  });
}

test('the comparison sees a bit that differs', async () => {
  const space = spaceOf(floats(), { target: 'simd128' });
  const site = space.sites.find((s) => s.kernel.op === 'dense')!;
  const one = { site, schedule: defaultCandidate(space, site).schedule };
  const trial = await makeTrial(space, [one, one]);
  const open = openTrial(trial);
  compareBits(trial, open, site);
  fillInputs(trial.units[0], open.memory, 1);
  open.run[0]();
  const first = outputsOf(trial.units[0], open.memory);
  assert.ok(new Set(first).size > 5, 'outputs differ from one another');
  const wrong = { ...open, run: [open.run[0], () => 0] };
  fillInputs(trial.units[1], open.memory, 2);
  open.run[1]();
  refuses(() => compareBits(trial, wrong, site), /^error \[internal\/fault\] .*schedule 1 gives other bits than the default at element \d+/);
});

test('a search stops when it is told, and goes on with what it has not tried', async () => {
  const seen: TuneProgress[] = [];
  const options = { budget: 600, measuredOn: 'a test' };
  const first = await tune(floats(), { ...options, onProgress: (p) => seen.push(p), stopped: () => seen.length >= 2 });
  assert.is(seen.length, 2);
  const tried = (f: typeof first): number => Object.values(f.kernels).reduce((n, r) => n + r.tried.length, 0);
  const again = await tune(floats(), { ...options, previous: first });
  assert.ok(tried(again) > tried(first));
  for (const [key, record] of Object.entries(first.kernels)) assert.ok(record.tried.every((t) => again.kernels[key].tried.includes(t)));
  assert.ok(Object.values(again.kernels).every((r) => r.complete));
  const done = await tune(floats(), { ...options, previous: again, onProgress: () => assert.unreachable('nothing was left to try') });
  assert.equal(done, again);
  // What it found changes no bit of the whole.
  const [plain, tuned] = await Promise.all([compile(floats()), compile(floats(), { tuning: again })]);
  const random = new Random(1);
  const x = Float32Array.from({ length: 3 * 9 * 7 }, () => random.float(-2, 2));
  const bits = async (wasm: Uint8Array): Promise<Int32Array> => new Int32Array((Object.values(loadSync(wasm as Uint8Array<ArrayBuffer>).run({ x }))[0] as { data: Float32Array }).data.slice().buffer);
  assert.equal(await bits(tuned.wasm), await bits(plain.wasm));
});

test('times from a WASI host give records; other times are refused', async () => {
  const space = spaceOf(model('lenet_w4a4'), { target: 'simd128' });
  const plan = planTuning(space, 2);
  const { code, stdout, stderr } = await runWasi(await tuningCommand(plan), new Uint8Array());
  assert.is(code, 0, stderr);
  const text = new TextDecoder().decode(stdout);
  const file = readTimes(plan, text, 'times.json');
  assert.equal(Object.keys(file.kernels), plan.groups.map((g) => g.site.key));
  // Made-up times: the second schedule of the first kernel takes half.
  const times = plan.groups.flatMap((g, i) => g.entrants.map((_, j) => (i === 0 && j === 1 ? 1 : 2)));
  const made = readTimes(plan, JSON.stringify({ plan: plan.hash, times, host: 'made up' }), 'times.json');
  assert.is(made.kernels[plan.groups[0].site.key].ratio, 0.5);
  assert.equal(Object.values(made.kernels).filter((r) => r.schedule).length, 1);
  assert.ok((await compile(importOnnx(model('lenet_w4a4')), { tuning: made })).wasm.length > 0);
  refuses(() => readTimes(plan, '{"plan":"other"}', 't'), 'error [tuning/record] t: these are times of something else\n  Give the model, target and batch that the command or page was made with, and use the same version of sigmaflow.');
  refuses(() => readTimes(plan, JSON.stringify({ plan: plan.hash, times: [1] }), 't'), /^error \[tuning\/record\] t: expected \d+ times, found 1, or some that are no positive numbers\n  Measure again\.$/);
  refuses(() => readTimes(plan, 'no', 't'), 'error [tuning/record] t: these are no times: it is no JSON\n  Give what the tuning command or page wrote.');
  const page = await tuningPage(plan, 'a <model>');
  assert.ok(page.includes('a &#60;model&#62;') && !/(src|href)="/.test(page), 'one page, nothing from outside');
});

test.run();
