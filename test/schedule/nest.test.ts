/** Nests as statements: tiles in registers, partial sums by halves, guards where loops overrun, the last iteration apart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, compare, float, int, load, maximum, mul, ref, select } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { printStmt } from '../../codegen/ir/print.js';
import type { Kernel, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { materialize, nestOf, scheduleKernel, type Nest } from '../../codegen/schedule/nest.js';
import { applySteps, partition, type Step } from '../../codegen/schedule/steps.js';
import { makeKernel, makeUnit, type TensorSpec } from '../support/programs.js';
import { Random } from '../support/random.js';

const text = (nest: Nest): string[] => materialize(nest).body.flatMap(printStmt);

/** y[o] = sum over k of x[k] * w[o, k], and a bias. */
function dense(type: 'float32' | 'int32', outputs: number, inputs: number, more: Partial<Kernel> = {}): Kernel {
  const init = type === 'float32' ? float(0) : int(0);
  return makeKernel({
    name: 'dense', op: 'dense', space: [{ name: 'o', extent: outputs }], reduce: [{ name: 'k', extent: inputs }],
    accumulators: [{ name: 'acc', type, init, update: add(type, ref('acc'), mul(type, load('x', ['k']), load('w', ['o', 'k']))) }],
    stores: [{ tensor: 'y', at: [axis('o')], value: ref('acc') }], ...more,
  });
}

/** The scheduled form has the bits of the declarative one. */
function sameBits(kernel: Kernel, nests: readonly Nest[], outputs: number, inputs: number): void {
  const integer = kernel.accumulators[0].type !== 'float32';
  const spec: TensorSpec = integer ? { dtype: 'int8', range: [-9, 9], shape: [] } : { shape: [] };
  const random = new Random(3);
  const fill = (n: number): number[] => Array.from({ length: n }, () => (integer ? random.integer(-9, 9) : random.float(-1, 1)));
  const tensors: Record<string, TensorSpec> = { x: { ...spec, shape: [inputs], role: 'input' }, w: { ...spec, shape: [outputs, inputs], role: 'input' }, y: { shape: [outputs], dtype: integer ? 'int32' : 'float32', role: 'output' } };
  const unit: ProgramUnit = makeUnit(tensors, [scheduleKernel(kernel, nests)]);
  verify(unit);
  const given = { x: fill(inputs), w: fill(outputs * inputs) };
  assert.equal(interpret(unit, given).get('y'), interpret(unit, given, { scheduled: false }).get('y'));
}

test('a tile: space loops inside the reduction have registers', () => {
  const kernel = dense('float32', 6, 5);
  const nest = applySteps(nestOf(kernel), [
    { step: 'split', loop: 'o', factor: 2 },
    { step: 'reorder', order: ['o.o', 'k', 'o.i'] },
    { step: 'unroll', loop: 'o.i' },
  ]);
  assert.equal(materialize(nest).locals, [{ name: 'acc', type: 'float32', shape: [2] }]);
  assert.equal(text(nest), [
    'loop o.o<3',
    '  loop o.i<2 unrolled',
    '    acc{o.i} := f32:00000000',
    '  loop k<5',
    '    loop o.i<2 unrolled',
    '      acc{o.i} := (acc{o.i} + (x[k] * w[o.i + 2*o.o, k]))',
    '  loop o.i<2 unrolled',
    '    y[o.i + 2*o.o] = acc{o.i}',
  ]);
  sameBits(kernel, [nest], 6, 5);
});

test('partial sums combine by halves', () => {
  const kernel = dense('float32', 3, 16, { partials: 4 });
  const nest = nestOf(kernel);
  assert.equal(text(nest), [
    'loop o<3',
    '  loop k.p<4',
    '    acc{k.p} := f32:00000000',
    '  loop k.o<4',
    '    loop k.p<4',
    '      acc{k.p} := (acc{k.p} + (x[4*k.o + k.p] * w[o, 4*k.o + k.p]))',
    '  acc{0} := (acc{0} + acc{2})',
    '  acc{1} := (acc{1} + acc{3})',
    '  acc{0} := (acc{0} + acc{1})',
    '  y[o] = acc{0}',
  ]);
  sameBits(kernel, [nest], 3, 16);
  sameBits(kernel, [applySteps(nest, [{ step: 'vectorize', loop: 'k.p' }])], 3, 16);
  const eight = dense('float32', 3, 16, { partials: 8 });
  assert.equal(text(nestOf(eight)).filter((l) => /^  acc/.test(l)).length, 4 + 2 + 1);
  sameBits(eight, [nestOf(eight)], 3, 16);
});

test('where a loop overruns, stores are guarded, and the last iteration is apart', () => {
  const kernel = makeKernel({ name: 'copy', space: [{ name: 'i', extent: 10 }], stores: [{ tensor: 'y', at: [axis('i')], value: load('x', ['i']) }] });
  const nest = applySteps(nestOf(kernel), [{ step: 'split', loop: 'i', factor: 4, overrun: true }]);
  // serial loops are parted at every depth, lanes stay together
  assert.equal(text(nest).filter((l) => l.includes('loop')), ['loop i.o<2', '  loop i.i<3', '  loop 3<=i.i<4', 'loop 2<=i.o<3', '  loop i.i<3', '  loop 3<=i.i<4']);
  assert.equal(text(applySteps(nest, [{ step: 'vectorize', loop: 'i.i' }])), [
    'loop i.o<2',
    '  loop i.i<4 vector',
    '    y[i.i + 4*i.o] = x[i.i + 4*i.o] if 0 <= i.i + 4*i.o < 10',
    'loop 2<=i.o<3',
    '  loop i.i<4 vector',
    '    y[i.i + 4*i.o] = x[i.i + 4*i.o] if 0 <= i.i + 4*i.o < 10',
  ]);
  // the values are those of the ten, with room for the lanes past them
  const room = { offset: 0, dims: [[{ stride: 32, divisor: 1, modulus: 0 }]], elementBits: 32, containerBits: 32, pad: [2] };
  const unit = makeUnit({ x: { shape: [10], role: 'input', layout: room, bytes: 48 }, y: { shape: [10], role: 'output' } }, [scheduleKernel(kernel, [nest])]);
  verify(unit);
  const x = Float32Array.from({ length: 10 }, (_, i) => i);
  assert.equal(interpret(unit, { x }).get('y'), x);
});

test('no guard where nothing overruns', () => {
  const kernel = dense('float32', 8, 5);
  const nest = applySteps(nestOf(kernel), [{ step: 'split', loop: 'o', factor: 4, overrun: true }]);
  assert.not.ok(text(nest).some((line) => line.includes(' if ')));
});

test('a group of products is one term', () => {
  const kernel = dense('int32', 2, 6);
  const steps: Step[] = [{ step: 'split', loop: 'k', factor: 2 }, { step: 'dot', loop: 'k.i' }];
  const nest = applySteps(nestOf(kernel), steps);
  assert.equal(text(nest), [
    'loop o<2',
    '  acc{} := 0:int32',
    '  loop k.o<3',
    '    acc{} := (acc{} + dot(k.i<2: x[k.i + 2*k.o] * w[o, k.i + 2*k.o]):int32):int32',
    '  y[o] = acc{}',
  ]);
  sameBits(kernel, [nest], 2, 6);
});

test('the last group of an uneven reduction is apart, and shorter', () => {
  const kernel = dense('int32', 2, 7);
  const nest = applySteps(nestOf(kernel), [{ step: 'split', loop: 'k', factor: 3, overrun: true }, { step: 'dot', loop: 'k.i' }]);
  assert.equal(text(nest), [
    'loop o<2',
    '  acc{} := 0:int32',
    '  loop k.o<2',
    '    acc{} := (acc{} + dot(k.i<3: x[k.i + 3*k.o] * w[o, k.i + 3*k.o]):int32):int32',
    '  loop 2<=k.o<3',
    '    acc{} := (acc{} + dot(k.i<1: x[k.i + 3*k.o] * w[o, k.i + 3*k.o]):int32):int32',
    '  y[o] = acc{}',
  ]);
  sameBits(kernel, [nest], 2, 7);
});

test('accumulators of a tuple take their values at once', () => {
  const better = compare('gt', load('x', ['k']), ref('best'));
  const kernel = makeKernel({
    name: 'argmax', reduce: [{ name: 'k', extent: 4 }],
    accumulators: [
      { name: 'best', type: 'float32', init: float(-Infinity), update: maximum('float32', ref('best'), load('x', ['k'])) },
      { name: 'at', type: 'int32', init: int(0), update: select('int32', better, { op: 'index', type: 'int32', index: axis('k') }, ref('at')) },
    ],
    stores: [{ tensor: 'y', at: [], value: ref('at') }],
  });
  assert.equal(text(nestOf(kernel)), [
    'best{} := f32:ff800000',
    'at{} := 0:int32',
    'loop k<4',
    '  let best.next: float32 = max(best{}, x[k])',
    '  let at.next: int32 = select((x[k] > best{}), index(k):int32, at{}):int32',
    '  best{} := best.next',
    '  at{} := at.next',
    'y[] = at{}',
  ]);
});

test('parts have names of their own and run one after the other', () => {
  const kernel = dense('int32', 6, 4);
  const parts = partition(nestOf(kernel), 'o', 4).map((n) => applySteps(n, [{ step: 'unroll', loop: 'o' }]));
  const { scheduled } = scheduleKernel(kernel, parts);
  assert.equal(scheduled!.steps, ['part 0: partition o from 0 to 4', 'part 0: unroll o', 'part 1: partition o from 4 to 6', 'part 1: unroll o']);
  assert.equal(scheduled!.locals.map((l) => l.name), ['part0.acc', 'part1.acc']);
  assert.equal(scheduled!.body.flatMap(printStmt).filter((l) => l.startsWith('loop')), ['loop o<4 unrolled', 'loop o<2 unrolled']);
  sameBits(kernel, parts, 6, 4);
});

test('random steps on random nests keep every bit', () => {
  const random = new Random(23);
  let applied = 0;
  for (let i = 0; i < 300; i++) {
    const type = random.pick(['float32', 'int32'] as const);
    const [outputs, inputs] = [random.pick([2, 6, 8, 12]), random.pick([4, 8, 12, 16, 7])];
    const kernel = dense(type, outputs, inputs, { partials: inputs === 7 ? 1 : random.pick([1, 1, 4]) });
    let nest = nestOf(kernel);
    for (let n = random.integer(1, 6); n > 0; n--) {
      const names = nest.loops.map((l) => l.name);
      const loop = random.pick(names);
      const shuffled = [...names].sort(() => random.next() - 0.5);
      const step = random.pick<Step>([
        { step: 'split', loop, factor: random.pick([2, 3, 4]), overrun: loop === 'k' }, { step: 'join', outer: loop, inner: random.pick(names) }, { step: 'reorder', order: shuffled },
        { step: 'unroll', loop }, { step: 'vectorize', loop }, { step: 'dot', loop: names[names.length - 1] },
      ]);
      try {
        nest = applySteps(nest, [step]);
        applied++;
      } catch (error) {
        // most random steps are not legal
        assert.match((error as Error).message, /^error \[schedule\/illegal\] dense: /);
      }
    }
    sameBits(kernel, [nest], outputs, inputs);
  }
  assert.ok(applied > 300, `only ${applied} steps were legal`);
});

test.run();
