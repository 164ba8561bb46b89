/**
 * Two sums over few channels as one over twice the channels: where it is done, and that bits stay those of the lowered Program on every
 * target. What is emitted for it is in test/emit/halves.test.ts.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses } from '../../codegen/compile.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { lower } from '../../codegen/schedule/lower.js';
import { targets } from '../../codegen/targets/target.js';
import { convolution, dense, flatten, gaussian, maxPool, relu } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { Random } from '../support/random.js';

const random = new Random(41);
const weights = (count: number) => gaussian(Array.from({ length: count }, () => random.float(-1, 1)), Array.from({ length: count }, () => random.float(0, 0.5)));

/** A convolution of fixed inputs, of which mean and variance are sums of two data, then what reads both. */
function first(inputs: number, channels: number, padding = 1) {
  const [height, width] = padding === 1 ? [3, 4] : [2, 3];
  return network({
    name: 'first', input: [inputs, 6, 8],
    layers: [
      convolution(channels, 3, { name: 'conv', padding, weight: weights(9 * inputs * channels), bias: weights(channels) }), relu(), maxPool(2), flatten(),
      dense(3, { weight: weights(3 * channels * height * width), bias: weights(3) }),
    ],
  });
}

const stepsOf = (graph: ReturnType<typeof first>, target = targets.simd128): readonly string[] => (build(runPasses(graph), target).program.steps ?? []).filter((s) => s.startsWith('interleave'));

test('of six channels the two sums are three vectors of one accumulator, one load their data', () => {
  const { program } = build(runPasses(first(1, 6)), targets.simd128);
  const kernel = (program.blocks as Kernel[]).find((k) => k.reduce.length === 2 && k.accumulators.length > 0)!;
  assert.is(kernel.accumulators.length, 1);
  assert.equal(kernel.space.find((a) => a.name === 'o')!.extent, 12);
  assert.ok(kernel.scheduled!.steps.includes('split o by 4, overrun') && kernel.scheduled!.steps.includes('split o.o by 3'), kernel.scheduled!.steps.join('; '));
  assert.equal(stepsOf(first(1, 6)).length, 1);
});

test('not of channels that fill their vectors or have planes, of many, of inputs that no kernel copies, and not without lanes', () => {
  assert.equal([stepsOf(first(1, 8)), stepsOf(first(1, 7)), stepsOf(first(1, 2)), stepsOf(first(1, 18)), stepsOf(first(1, 6, 0)), stepsOf(first(1, 6), targets.scalar)].map((s) => s.length), [0, 0, 0, 0, 0, 0]);
});

for (const [inputs, channels] of [[1, 6], [3, 10], [4, 14]] as const) {
  for (const batch of [1, 3]) {
    test(`${inputs} to ${channels} channels, batch ${batch}: the bits of the lowered Program, whatever the target`, () => {
      const graph = first(inputs, channels);
      assert.is(stepsOf(graph).length, 1);
      const passed = runPasses(graph, batch);
      const input = Float32Array.from({ length: batch * inputs * 48 }, () => random.float(-2, 2));
      const lowered = lower(passed);
      const expected = interpret(lowered, { input });
      for (const target of Object.values(targets)) {
        const unit = build(passed, target);
        const found = interpret(unit, { input });
        lowered.program.outputs.forEach((output, i) => assert.equal(found.get(unit.program.outputs[i]), expected.get(output), `${target.name} ${output}`));
      }
    });
  }
}

test.run();
