/**
 * Default schedules: for each kind of kernel the steps that are chosen, as text, so that a change is seen; and that the
 * scheduled form has the bits of the declarative one. Not whether the steps are fast.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describe } from '../../codegen/ir/datatype.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, type Target } from '../../codegen/targets/target.js';
import { compareScheduled, lowerCase, type Lowered } from '../ops/harness.js';
import { Random } from '../support/random.js';
import { network } from './networks.js';

/** The steps of every kernel that is neither a halo nor staging, and the containers of packed constants. */
function chosen(lowered: Lowered, target: Target): string[] {
  compareScheduled(lowered, target);
  const { program } = schedule(lowered.unit, target);
  const steps = program.blocks.flatMap((b) => (b.kind === 'kernel' && b.op !== 'halo' && b.op !== 'stage' ? [b.scheduled!.steps.join('; ')] : []));
  const packed = Object.values(program.tensors).filter((t) => t.name.includes('@'));
  return [...steps, ...packed.map((t) => `packed ${t.layout.elementBits} of ${t.layout.containerBits}${t.layout.pad ? `, pad ${t.layout.pad.join(' ')}` : ''}`)];
}

/** An integer MatMul or Conv with constant weights of a type. */
function integers(op: 'MatMul' | 'Conv', shape: readonly number[], weights: readonly number[], dtype: 'int2' | 'int4' | 'int8'): Lowered {
  const random = new Random(9);
  const { min, max } = describe(dtype);
  const count = (s: readonly number[]): number => s.reduce((a, b) => a * b, 1);
  const w = makeConstant(dtype, weights, Array.from({ length: count(weights) }, () => random.integer(min, max)));
  const graph: Graph = {
    name: 'integers', inputs: ['x'], outputs: ['y'], constants: { w }, values: { x: { name: 'x', shape, dtype: 'int8' }, h: { name: 'h' }, w: { name: 'w' }, y: { name: 'y' } },
    nodes: [{ name: 'r', op: 'Relu', inputs: ['x'], outputs: ['h'], attributes: {} }, { name: 'n', op, inputs: ['h', 'w'], outputs: ['y'], attributes: {} }],
  };
  return lowerCase({ name: op, graph, inputs: { x: Array.from({ length: count(shape) }, () => random.integer(-128, 127)) } });
}

test('dense, 1 x 100', () => {
  const one = (outputs: number): Lowered => network([1, 100], (n) => n.node('MatMul', ['x', n.weight(100, outputs)]));
  assert.equal([chosen(one(10), simd128), chosen(one(16), simd128), chosen(one(1), simd128)], [
    [
      'split o by 4, overrun; split o.o by 3; reorder m o.o.o k o.o.i o.i; unroll o.o.i; vectorize o.i',
      'packed 32 of 32, pad 0 2',
    ],
    [
      'split o by 4, overrun; split o.o by 4; reorder m o.o.o k o.o.i o.i; unroll o.o.i; vectorize o.i',
      'packed 32 of 32',
    ],
    ['vectorize k.p', 'packed 32 of 32'],
  ]);
  assert.equal([chosen(one(10), scalar), chosen(one(1), scalar)], [
    ['split o by 5; reorder m o.o k o.i; unroll o.i', 'packed 32 of 32'],
    ['unroll k.p', 'packed 32 of 32'],
  ]);
});

test('dense, integers: pairs of products, fields as narrow as the weights', () => {
  assert.equal([chosen(integers('MatMul', [1, 64], [64, 10], 'int8'), simd128), chosen(integers('MatMul', [1, 64], [64, 10], 'int4'), simd128), chosen(integers('MatMul', [1, 63], [63, 8], 'int2'), simd128)], [
    [
      'split c by 4; split c.o by 4; unroll c.o.i; vectorize c.i',
      'split o by 4, overrun; split o.o by 3; split k by 2; reorder m o.o.o k.o o.o.i o.i k.i; unroll o.o.i; vectorize o.i; dot k.i',
      'packed 8 of 8, pad 0 2',
    ],
    [
      'split c by 4; split c.o by 4; unroll c.o.i; vectorize c.i',
      'split o by 4, overrun; split o.o by 3; split k by 2; split k.o by 4; reorder m o.o.o k.o.o k.o.i o.o.i o.i k.i; unroll o.o.i; unroll k.o.i; vectorize o.i; dot k.i',
      'packed 4 of 16, pad 0 2',
    ],
    [
      'part 0: partition c from 0 to 60; part 0: split c by 4; part 0: split c.o by 3; part 0: unroll c.o.i; part 0: vectorize c.i; part 1: partition c from 60 to 63; part 1: unroll c',
      'split o by 4, overrun; split o.o by 2; split k by 2, overrun; reorder m o.o.o k.o o.o.i o.i k.i; unroll o.o.i; vectorize o.i; dot k.i',
      'packed 8 of 8, pad 1 0',
    ],
  ]);
  assert.equal(chosen(integers('MatMul', [1, 64], [64, 8], 'int2'), scalar), ['', 'split o by 4; reorder m o.o k o.i; unroll o.i', 'packed 2 of 8']);
});

test('convolution 3 x 3', () => {
  const net = network([1, 3, 7, 9], (n) => n.node('Conv', ['x', n.weight(10, 3, 3, 3)], { pads: [1, 1, 1, 1] }));
  assert.equal([chosen(net, simd128), chosen(net, scalar)], [
    [
      'part 0: partition x from 0 to 8; part 0: split o by 4, overrun; part 0: split o.o by 3; part 0: split x by 2; part 0: reorder n o.o.o y x.o ky kx c x.i o.o.i o.i; part 0: unroll o.o.i; part 0: unroll x.i; part 0: vectorize o.i; part 1: partition x from 8 to 9; part 1: split o by 4, overrun; part 1: split o.o by 3; part 1: split x by 1; part 1: reorder n o.o.o y x.o ky kx c x.i o.o.i o.i; part 1: unroll o.o.i; part 1: unroll x.i; part 1: vectorize o.i',
      'packed 32 of 32, pad 2 0 0 0',
    ],
    ['split o by 5; reorder n o.o y x ky kx c o.i; unroll o.i', 'packed 32 of 32'],
  ]);
  assert.equal(chosen(integers('Conv', [1, 4, 5, 6], [8, 4, 3, 3], 'int4'), simd128), [
    'reorder n y x c; join y x',
    'split o by 4, overrun; split o.o by 2; split x by 4; split c by 2; split c.o by 1; reorder n o.o.o y x.o c.o.o ky kx c.o.i x.i o.o.i o.i c.i; unroll o.o.i; unroll x.i; unroll c.o.o; vectorize o.i; dot c.i',
    'packed 4 of 16',
  ]);
});

test('depthwise convolution', () => {
  const net = network([1, 6, 6, 6], (n) => n.node('Conv', ['x', n.weight(6, 1, 3, 3)], { pads: [1, 1, 1, 1], group: 6 }));
  assert.equal([chosen(net, simd128), chosen(net, scalar)], [
    [
      'split o by 4, overrun; split o.o by 2; split x by 3; reorder n o.o.o y x.o ky kx x.i o.o.i o.i; unroll o.o.i; unroll x.i; vectorize o.i',
      'packed 32 of 32, pad 2 0 0 0',
    ],
    ['', 'packed 32 of 32'],
  ]);
});

test('pools', () => {
  const net = network([1, 5, 6, 6], (n) => n.node('MaxPool', [n.node('AveragePool', ['x'], { kernel_shape: [2, 2] })], { kernel_shape: [3, 3], strides: [2, 2] }));
  assert.equal([chosen(net, simd128), chosen(net, scalar)], [
    [
      '',
      'split c by 4, overrun; split c.o by 1; split x by 2; reorder n c.o.o y x.o ky kx x.i c.o.i c.i; unroll c.o.i; unroll x.i; vectorize c.i',
    ],
    ['', ''],
  ]);
});

test('elementwise of odd sizes', () => {
  const sizes = [[3], [7], [3, 5], [2, 3, 5]].map((shape) => network(shape, (n) => n.node('Sigmoid', ['x'])));
  assert.equal(sizes.map((net) => chosen(net, simd128)), [
    [''],
    [
      'part 0: partition c from 0 to 4; part 0: split c by 4; part 0: split c.o by 1; part 0: unroll c.o.i; part 0: vectorize c.i; part 1: partition c from 4 to 7; part 1: unroll c',
    ],
    [
      'part 0: join n c; part 0: partition n_c from 0 to 12; part 0: split n_c by 4; part 0: split n_c.o by 1; part 0: unroll n_c.o.i; part 0: vectorize n_c.i; part 1: join n c; part 1: partition n_c from 12 to 15; part 1: unroll n_c',
    ],
    [
      'part 0: join c x; part 0: join n c_x; part 0: partition n_c_x from 0 to 28; part 0: split n_c_x by 4; part 0: split n_c_x.o by 1; part 0: unroll n_c_x.o.i; part 0: vectorize n_c_x.i; part 1: join c x; part 1: join n c_x; part 1: partition n_c_x from 28 to 30; part 1: unroll n_c_x',
    ],
  ]);
  assert.equal(sizes.map((net) => chosen(net, scalar)), [
    [''],
    [''],
    ['join n c'],
    ['join c x; join n c_x'],
  ]);
});

test('reductions: partial sums are lanes', () => {
  const net = network([1, 32], (n) => n.node('ReduceSum', ['x']));
  assert.equal([chosen(net, simd128), chosen(net, scalar)], [
    ['vectorize c.p'],
    ['unroll c.p'],
  ]);
});

test('digits of a view are loops; partial sums are never split', () => {
  const net = network([1, 4, 3, 4], (n) => n.node('MatMul', [n.node('Flatten', [n.node('Conv', ['x', n.weight(8, 4, 3, 3)])]), n.weight(16, 3)]));
  assert.equal([chosen(net, simd128), chosen(net, scalar)], [
    [
      'split o by 4, overrun; split o.o by 2; split x by 2; reorder n y o.o.o x.o ky kx c x.i o.o.i o.i; unroll o.o.i; unroll x.i; vectorize o.i',
      'unroll k.p',
      'packed 32 of 32',
      'packed 32 of 32',
    ],
    [
      'split o by 4; reorder n o.o y x ky kx c o.i; unroll o.i',
      'split o by 3; reorder m o.o k.o k.p o.i; unroll o.i; unroll k.p',
      'packed 32 of 32',
      'packed 32 of 32',
    ],
  ]);
});

test.run();
