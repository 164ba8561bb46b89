/** Batches image by image: which kernels go into the repeat, what their tensors hold, and that no bit changes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Repeat } from '../../codegen/ir/program.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, runOnEmitters } from '../ops/harness.js';
import { hostFor } from '../support/hosts.js';
import { network, type Net } from './networks.js';

const window = { pads: [1, 1, 1, 1] };

/** Two convolutions, a residual, a pool, and two dense layers. */
function classifier(net: Net): string {
  const a = net.node('Relu', [net.node('Conv', ['x', net.weight(8, 3, 3, 3), net.weight(8)], window)]);
  const b = net.node('Add', [net.node('Conv', [a, net.weight(8, 8, 3, 3)], window), a]);
  const pooled = net.node('MaxPool', [b], { kernel_shape: [2, 2], strides: [2, 2] });
  const dense = net.node('Relu', [net.node('Gemm', [net.node('Flatten', [pooled]), net.weight(72, 12), net.weight(12)])]);
  return net.node('Softmax', [net.node('MatMul', [dense, net.weight(12, 5)])]);
}

const repeats = (lowered: ReturnType<typeof network>, keepAll = false): Repeat[] => schedule(lowered.unit, simd128, { keepAll }).program.blocks.filter((b): b is Repeat => b.kind === 'repeat');

test('the convolutional part is one repeat, whose tensors hold one image; dense layers see the whole batch', () => {
  const batch = network([5, 3, 6, 7], classifier);
  const [repeat, ...others] = repeats(batch);
  assert.is(others.length, 0);
  assert.is(repeat.count, 5);
  const names = repeat.body.map((b) => (b.kind === 'kernel' && b.op !== 'halo' ? b.op : '')).filter(Boolean);
  assert.equal(names, ['stage', 'convolution', 'convolution', 'pool']);
  const { program } = schedule(batch.unit, simd128);
  const inner = Object.values(program.tensors).filter((t) => t.shape[0] === 1 && program.buffers[t.buffer].role === 'temporary').map((t) => t.name);
  assert.is(inner.length, 3, inner.join(' '));
  assert.ok(schedule(batch.unit, simd128).program.arenaBytes! < schedule(batch.unit, simd128, { keepAll: true }).program.arenaBytes! / 2);
});

test('no repeat for one image, for dense layers alone, and where all tensors are to be kept', () => {
  assert.is(repeats(network([1, 3, 6, 7], classifier)).length, 0);
  assert.is(repeats(network([5, 3, 6, 7], classifier), true).length, 0);
  assert.is(repeats(network([6, 20], (net) => net.node('MatMul', [net.node('MatMul', ['x', net.weight(20, 9)]), net.weight(9, 4)]))).length, 0);
});

test('what mixes images stays outside', () => {
  // the mean over all images divides two repeats
  const mixed = network([3, 4, 5, 5], (net) => {
    const a = net.node('Conv', ['x', net.weight(4, 4, 3, 3)], window);
    const mean = net.node('ReduceMean', [a, net.ints(0)], { keepdims: 1 });
    return net.node('Conv', [net.node('Sub', [a, mean]), net.weight(4, 4, 3, 3)], window);
  });
  assert.is(repeats(mixed).length, 2);
  for (const target of Object.values(targets)) compareScheduled(mixed, target);
});

for (const target of Object.values(targets)) {
  test(`${target.name}: the bits of the lowered Program`, async () => {
    const cases = [2, 5].map((n) => network([n, 3, 6, 7], classifier));
    for (const c of cases) compareScheduled(c, target);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters(cases, target, toolchain(), host), []);
  });
}

test.run();
