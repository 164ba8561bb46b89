/** Steps on loop nests: the loops before and after, and the whole text of every refusal. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, float, int, load, maximum, minimum, mul, ref, select, compare } from '../../codegen/ir/build.js';
import { printIndex } from '../../codegen/ir/print.js';
import type { Expr, Kernel } from '../../codegen/ir/program.js';
import { nestOf, type Nest } from '../../codegen/schedule/nest.js';
import { applySteps, partition, printStep, type Step } from '../../codegen/schedule/steps.js';
import { makeKernel } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

/** y[o, n] = sum over a, b of x[n, a, b] * w[o, a, b] */
function product(type: 'float32' | 'int32', more: Partial<Kernel> = {}): Kernel {
  const term = mul(type, load('x', ['n', 'a', 'b']), load('w', ['o', 'a', 'b']));
  return makeKernel({
    name: 'dense',
    space: [{ name: 'o', extent: 6 }, { name: 'n', extent: 5 }],
    reduce: [{ name: 'a', extent: 3 }, { name: 'b', extent: 4 }],
    accumulators: [{ name: 'acc', type, init: type === 'float32' ? float(0) : int(0), update: add(type, ref('acc'), term) }],
    stores: [{ tensor: 'y', at: [axis('o'), axis('n')], value: ref('acc') }],
    ...more,
  });
}

/** Loops outermost first, then every axis over them. */
function show(nest: Nest): string {
  const loops = nest.loops.map((l) => `${l.name}<${l.extent}${l.mode === 'serial' ? '' : ` ${l.mode}`}${l.initiationInterval ? `(${l.initiationInterval})` : ''}`).join(' ');
  const axes = [...nest.axes].filter(([name, i]) => printIndex(i) !== name).map(([name, i]) => `${name} = ${printIndex(i)}`);
  return [loops, ...axes].join('; ');
}

const after = (kernel: Kernel, ...steps: Step[]): string => show(applySteps(nestOf(kernel), steps));

test('a nest begins in the order of meaning', () => {
  assert.is(after(product('int32')), 'o<6 n<5 a<3 b<4');
  assert.is(after(product('float32', { partials: 4, reduce: [{ name: 'a', extent: 3 }, { name: 'b', extent: 16 }] })), 'o<6 n<5 a<3 b.o<4 b.p<4; b = 4*b.o + b.p');
});

test('split, exact and over the end', () => {
  assert.is(after(product('int32'), { step: 'split', loop: 'o', factor: 2 }), 'o.o<3 o.i<2 n<5 a<3 b<4; o = o.i + 2*o.o');
  assert.is(after(product('int32'), { step: 'split', loop: 'b', factor: 2 }), 'o<6 n<5 a<3 b.o<2 b.i<2; b = b.i + 2*b.o');
  const over = applySteps(nestOf(product('int32')), [{ step: 'split', loop: 'n', factor: 4, overrun: true }]);
  assert.is(show(over), 'o<6 n.o<2 n.i<4 a<3 b<4; n = n.i + 4*n.o');
  assert.equal([...over.overrun], ['n']);
  // what divides overruns nothing
  assert.equal([...applySteps(nestOf(product('int32')), [{ step: 'split', loop: 'o', factor: 3, overrun: true }]).overrun], []);
});

test('join, reorder, unroll, vectorize, dot, pipeline', () => {
  assert.is(after(product('int32'), { step: 'join', outer: 'o', inner: 'n' }), 'o_n<30 a<3 b<4; o = (o_n div 5); n = (o_n rem 5)');
  assert.is(after(product('float32'), { step: 'join', outer: 'a', inner: 'b' }), 'o<6 n<5 a_b<12; a = (a_b div 4); b = (a_b rem 4)');
  assert.is(after(product('float32'), { step: 'reorder', order: ['n', 'a', 'o', 'b'] }), 'n<5 a<3 o<6 b<4');
  assert.is(after(product('float32'), { step: 'unroll', loop: 'b' }), 'o<6 n<5 a<3 b<4 unrolled');
  assert.is(after(product('float32'), { step: 'vectorize', loop: 'n' }), 'o<6 n<5 vector a<3 b<4');
  assert.is(after(product('float32'), { step: 'pipeline', loop: 'a', initiationInterval: 2 }), 'o<6 n<5 a<3 pipeline(2) b<4');
  const nest = applySteps(nestOf(product('int32')), [{ step: 'split', loop: 'b', factor: 2 }, { step: 'dot', loop: 'b.i' }]);
  assert.is(nest.dot, 'b.i');
  assert.equal(nest.steps.map(printStep), ['split b by 2', 'dot b.i']);
});

test('partition: two nests that share a loop', () => {
  const parts = partition(nestOf(product('int32')), 'o', 4);
  assert.equal(parts.map(show), ['o<4 n<5 a<3 b<4', 'o<2 n<5 a<3 b<4; o = o + 4']);
  assert.equal(parts[1].steps.map(printStep), ['partition o from 4 to 6']);
  // nothing on one side: one nest
  assert.is(partition(nestOf(product('int32')), 'o', 6).length, 1);
  refuses(() => partition(nestOf(product('int32')), 'a', 1), 'error [schedule/illegal] dense: "partition a from 0 to 1" is not legal here: it is no space loop');
  refuses(() => partition(nestOf(product('int32')), 'z', 1), 'error [schedule/illegal] dense: "partition z from 0 to 1" is not legal here: there is no loop z; loops: o n a b');
});

test('steps print', () => {
  const steps: Step[] = [
    { step: 'split', loop: 'x', factor: 4, overrun: true }, { step: 'split', loop: 'x', factor: 4 }, { step: 'join', outer: 'a', inner: 'b' },
    { step: 'reorder', order: ['b', 'a'] }, { step: 'unroll', loop: 'a' }, { step: 'vectorize', loop: 'a' }, { step: 'dot', loop: 'a' },
    { step: 'pipeline', loop: 'a', initiationInterval: 3 },
  ];
  assert.equal(steps.map(printStep), ['split x by 4, overrun', 'split x by 4', 'join a b', 'reorder b a', 'unroll a', 'vectorize a', 'dot a', 'pipeline a every 3']);
});

// ---- What is not legal ----

function illegal(kernel: Kernel, steps: readonly Step[], why: string): void {
  refuses(() => applySteps(nestOf(kernel), steps), `error [schedule/illegal] dense: "${printStep(steps[steps.length - 1])}" is not legal here: ${why}`);
}
const partials = (): Kernel => product('float32', { partials: 4, reduce: [{ name: 'a', extent: 3 }, { name: 'b', extent: 16 }] });

test('loops that there are not', () => {
  const why = 'there is no loop z; loops: o n a b';
  const steps: Step[] = [
    { step: 'split', loop: 'z', factor: 2 }, { step: 'join', outer: 'z', inner: 'n' }, { step: 'join', outer: 'o', inner: 'z' }, { step: 'reorder', order: ['o', 'n', 'a', 'z'] },
    { step: 'unroll', loop: 'z' }, { step: 'vectorize', loop: 'z' }, { step: 'dot', loop: 'z' }, { step: 'lookup', loop: 'z' }, { step: 'pipeline', loop: 'z', initiationInterval: 1 },
  ];
  for (const s of steps) illegal(product('int32'), [s], why);
});

test('illegal splits', () => {
  for (const factor of [0, -2, 1.5, NaN]) illegal(product('int32'), [{ step: 'split', loop: 'o', factor }], 'the factor must be a positive integer');
  illegal(product('int32'), [{ step: 'split', loop: 'o', factor: 4 }], '4 does not divide 6');
  illegal(product('int32'), [{ step: 'split', loop: 'a', factor: 2 }], '2 does not divide 3');
  illegal(product('float32'), [{ step: 'split', loop: 'a', factor: 2, overrun: true }], 'this reduction keeps its order, and its loops are whole');
  const uneven: Step = { step: 'split', loop: 'a', factor: 2, overrun: true };
  illegal(product('int32'), [uneven, { step: 'split', loop: 'b', factor: 3, overrun: true }], 'one axis of a reduction can be');
  illegal(product('int32'), [{ step: 'split', loop: 'b', factor: 2 }, { step: 'split', loop: 'b.o', factor: 3, overrun: true }], 'only a whole axis can be overrun');
  illegal(product('int32'), [uneven, { step: 'split', loop: 'a.o', factor: 2 }], 'the last iteration of a.o is shorter');
  illegal(product('int32'), [uneven, { step: 'reorder', order: ['o', 'n', 'a.i', 'a.o', 'b'] }], 'a.i has fewer iterations in the last of a.o');
  illegal(product('int32'), [{ step: 'split', loop: 'o', factor: 2 }, { step: 'split', loop: 'o.o', factor: 2, overrun: true }], 'only a whole axis can be overrun');
  illegal(product('int32'), [{ step: 'join', outer: 'o', inner: 'n' }, { step: 'split', loop: 'o_n', factor: 4, overrun: true }], 'only a whole axis can be overrun');
  illegal(product('int32'), [{ step: 'vectorize', loop: 'o' }, { step: 'split', loop: 'o', factor: 2 }], 'the lanes are over o');
  illegal(partials(), [{ step: 'split', loop: 'b.p', factor: 2 }], 'the partial sums are over b.p');
  illegal(product('int32'), [{ step: 'dot', loop: 'b' }, { step: 'split', loop: 'b', factor: 2 }], 'the products of b are one group');
});

test('a part that ends inside its axis is not overrun; the last one may be', () => {
  const [first, last] = partition(nestOf(product('int32')), 'o', 3);
  refuses(() => applySteps(first, [{ step: 'split', loop: 'o', factor: 2, overrun: true }]), 'error [schedule/illegal] dense: "split o by 2, overrun" is not legal here: only a whole axis can be overrun');
  assert.is(show(applySteps(last, [{ step: 'split', loop: 'o', factor: 2, overrun: true }])), 'o.o<2 o.i<2 n<5 a<3 b<4; o = o.i + 2*o.o + 3');
});

test('illegal joins', () => {
  illegal(product('int32'), [{ step: 'join', outer: 'n', inner: 'o' }], 'the loops must be neighbours');
  illegal(product('int32'), [{ step: 'join', outer: 'o', inner: 'a' }], 'the loops must be neighbours');
  illegal(product('int32'), [{ step: 'join', outer: 'n', inner: 'a' }], 'one is of the space, one of the reduction');
  illegal(product('int32'), [{ step: 'vectorize', loop: 'n' }, { step: 'join', outer: 'o', inner: 'n' }], 'the lanes are over n');
  illegal(product('int32'), [{ step: 'dot', loop: 'b' }, { step: 'join', outer: 'a', inner: 'b' }], 'the products of b are one group');
  illegal(partials(), [{ step: 'join', outer: 'b.o', inner: 'b.p' }], 'one is of the space, one of the reduction');
  const named = product('int32', { space: [{ name: 'o', extent: 6 }, { name: 'n', extent: 5 }, { name: 'o_n', extent: 2 }] });
  illegal(named, [{ step: 'join', outer: 'o', inner: 'n' }], 'there is a loop o_n');
});

test('illegal lanes and groups', () => {
  illegal(product('int32'), [{ step: 'vectorize', loop: 'a' }], 'lanes run over outputs or partial sums, never over a reduction');
  illegal(product('int32'), [{ step: 'vectorize', loop: 'o' }, { step: 'vectorize', loop: 'n' }], 'a nest has one vector loop');
  illegal(product('int32'), [{ step: 'dot', loop: 'a' }], 'it must be the innermost loop, and of the reduction');
  illegal(product('int32'), [{ step: 'lookup', loop: 'a' }], 'it must be the innermost loop, and of the reduction');
  illegal(product('float32'), [{ step: 'lookup', loop: 'b' }], 'only integer sums of products have it');
  illegal(product('int32', { reduce: [] }), [{ step: 'dot', loop: 'n' }], 'it must be the innermost loop, and of the reduction');
  illegal(product('float32'), [{ step: 'dot', loop: 'b' }], 'only integer sums of products have it');
  const largest = maximum('int32', ref('acc'), load('x', ['n', 'a', 'b']));
  illegal(product('int32', { accumulators: [{ name: 'acc', type: 'int32', init: int(0), update: largest }] }), [{ step: 'dot', loop: 'b' }], 'only integer sums of products have it');
  illegal(product('int32', { body: [{ name: 'v', type: 'int32', value: int(1) }] }), [{ step: 'dot', loop: 'b' }], 'values are bound inside the reduction');
});

// ---- The order of reductions ----

const swapped: Step = { step: 'reorder', order: ['o', 'n', 'b', 'a'] };
const x = load('x', ['n', 'a', 'b']);

test('reorder names every loop once', () => {
  illegal(product('int32'), [{ step: 'reorder', order: ['o', 'n', 'a'] }], 'it must name every loop once');
  illegal(product('int32'), [{ step: 'reorder', order: ['o', 'n', 'a', 'a'] }], 'it must name every loop once');
});

test('float sums keep their order, also of the parts of a split; space loops may go anywhere', () => {
  illegal(product('float32'), [swapped], 'this reduction keeps its order a b');
  illegal(product('float32'), [{ step: 'split', loop: 'b', factor: 2 }, { step: 'reorder', order: ['o', 'n', 'a', 'b.i', 'b.o'] }], 'this reduction keeps its order a b.o b.i');
  assert.is(after(product('float32'), { step: 'reorder', order: ['a', 'b', 'n', 'o'] }), 'a<3 b<4 n<5 o<6');
});

test('integer sums, minimum and maximum may be reordered', () => {
  assert.is(after(product('int32'), swapped), 'o<6 n<5 b<4 a<3');
  for (const update of [minimum('float32', ref('acc'), x), maximum('float32', x, ref('acc'))]) {
    assert.is(after(product('float32', { accumulators: [{ name: 'acc', type: 'float32', init: float(0), update }] }), swapped), 'o<6 n<5 b<4 a<3');
  }
});

test('integer updates that are no sum of terms keep their order', () => {
  const keeps = (update: Expr, more: Partial<Kernel> = {}): void =>
    illegal(product('int32', { accumulators: [{ name: 'acc', type: 'int32', init: int(0), update }], ...more }), [swapped], 'this reduction keeps its order a b');
  keeps(add('int32', mul('int32', ref('acc'), int(2)), x)); // Horner's rule
  keeps(add('int32', ref('acc'), mul('int32', ref('acc'), x)));
  keeps(maximum('int32', add('int32', ref('acc'), int(1)), x));
  keeps(select('int32', compare('gt', x, ref('acc')), x, ref('acc')));
  // through a bound value
  keeps(add('int32', ref('acc'), ref('v')), { body: [{ name: 'v', type: 'int32', value: ref('acc') }] });
  // the running maximum of another accumulator
  const two = product('int32', { accumulators: [
    { name: 'acc', type: 'int32', init: int(0), update: add('int32', ref('acc'), x) },
    { name: 'top', type: 'int32', init: int(0), update: maximum('int32', ref('top'), ref('acc')) },
  ] });
  illegal(two, [swapped], 'this reduction keeps its order a b');
});

test.run();
