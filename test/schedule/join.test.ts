/**
 * Layers of means and variances: one kernel each, by joining, fusing and inlining; sums apart inside a tile. Bits are those of the
 * Program that was lowered, on every target.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses } from '../../codegen/compile.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Kernel, Stmt } from '../../codegen/ir/program.js';
import { lower } from '../../codegen/schedule/lower.js';
import { nestOf } from '../../codegen/schedule/nest.js';
import { applySteps } from '../../codegen/schedule/steps.js';
import { targets } from '../../codegen/targets/target.js';
import { averagePool, convolution, dense, flatten, gaussian, maxPool, relu } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';

const random = new Random(11);
const weights = (count: number) => {
  const list = (lo: number, hi: number): number[] => Array.from({ length: count }, () => random.float(lo, hi));
  return gaussian(list(-1, 1), list(0, 0.5));
};
const layer = (outputs: number, inputs: number, name?: string) => dense(outputs, { name, weight: weights(outputs * inputs), bias: weights(outputs) });

const perceptron = network({ name: 'perceptron', input: [7], layers: [layer(20, 7), relu(), layer(12, 20), relu(), layer(3, 12)] });
const convolutional = network({
  name: 'convolutional', input: [2, 9, 8],
  layers: [
    convolution(8, 3, { padding: 1, weight: weights(144), bias: weights(8) }), relu(), maxPool(2), convolution(12, 3, { weight: weights(864), bias: weights(12) }), relu(),
    averagePool([1, 2]), flatten(), layer(5, 24),
  ],
});

const sixChannels = network({
  name: 'six_channels', input: [1, 12, 12],
  layers: [convolution(6, 3, { weight: weights(54), bias: weights(6) }), relu(), maxPool(2), convolution(4, 2, { name: 'second', weight: weights(96), bias: weights(4) }), relu(), flatten(), layer(8, 64), layer(3, 8)],
});

const kernelsOf = (graph: Graph, batch = 1): readonly Kernel[] => build(runPasses(graph, batch), targets.simd128).program.blocks.flatMap((b) => (b.kind === 'kernel' ? [b] : (b.body as Kernel[])));

test('one kernel a layer: mean, variance and what follows', () => {
  const kernels = kernelsOf(perceptron).filter((k) => k.reduce.length > 0);
  assert.is(kernels.length, 3);
  assert.equal(kernels.map((k) => k.accumulators.length), [2, 3, 3]);
  // the second moment for the next layer is written with mean and variance
  assert.equal(kernels.map((k) => k.stores.length), [3, 3, 2]);
});

test('squares of weights are computed where they are read: the module has mean and variance of each weight, and no more', () => {
  const { program, data } = build(runPasses(perceptron), targets.simd128);
  const bytes = [...data.values()].reduce((sum, b) => sum + b.length, 0);
  const counts = 20 * 7 + 20 + 20 * 12 + 12 + 12 * 3 + 3;
  assert.ok(bytes >= 8 * counts && bytes < 8 * counts + 8 * 4 * 20, `${bytes} bytes for ${counts} weights`);
  assert.ok(program.steps!.some((s) => s.startsWith('inline')));
});

test('small squares that many places read are a constant', () => {
  const { program } = build(runPasses(sixChannels), targets.simd128);
  assert.is(program.steps!.filter((s) => s.startsWith('fold second')).length, 1);
  assert.is(program.steps!.filter((s) => s.startsWith('inline')).length, 2);
  assert.not.ok(program.steps!.some((s) => s.startsWith('inline second')));
});

test('means that nothing follows are stored before the sums of variances run', () => {
  const kernel = kernelsOf(sixChannels).find((k) => k.accumulators.length === 2)!;
  const kinds: string[] = [];
  const visit = (s: Stmt): void => {
    if (s.kind === 'store') kinds.push('store');
    if (s.kind === 'set' && s.value.op !== 'float') kinds.push(s.name);
    if (s.kind === 'loop' || s.kind === 'if') s.body.forEach(visit);
  };
  kernel.scheduled!.body.forEach(visit);
  assert.match(kinds.join(' '), /^(part0\.)?acc store (part0\.)?acc_2 store/);
});

test('sums that share weights share their loops where the registers hold two columns of all', () => {
  const dense = kernelsOf(sixChannels).filter((k) => k.op === 'dense');
  assert.equal(dense.map((k) => k.scheduled!.steps.includes('apart')), [false, true]);
});

for (const [name, graph] of Object.entries({ perceptron, convolutional, sixChannels })) {
  for (const batch of [1, 3]) {
    test(`${name}, batch ${batch}: the bits of the lowered Program, whatever the target`, () => {
      const passed = runPasses(graph, batch);
      const input = Float32Array.from({ length: batch * (graph === perceptron ? 7 : 144) }, () => random.float(-2, 2));
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

test('sums apart: legal where no accumulator needs another', () => {
  const [kernel] = kernelsOf(perceptron).filter((k) => k.accumulators.length === 3);
  const bare: Kernel = { ...kernel, scheduled: undefined };
  assert.ok(applySteps(nestOf(bare), [{ step: 'apart' }]).apart);
  refuses(() => applySteps(nestOf({ ...bare, accumulators: bare.accumulators.slice(0, 1) }), [{ step: 'apart' }]), /"apart" is not legal here/);
  const [first, second] = bare.accumulators;
  const entangled = { ...bare, accumulators: [first, { ...second, update: first.update }] };
  refuses(() => applySteps(nestOf(entangled), [{ step: 'apart' }]), /its accumulators refer to one another/);
});

test.run();
