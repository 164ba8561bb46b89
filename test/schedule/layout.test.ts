/** Layouts of temporaries, halos, views instead of copies, staged interfaces: what is chosen, and that no bit changes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axis, load } from '../../codegen/ir/build.js';
import type { Kernel, Tensor } from '../../codegen/ir/program.js';
import { printKernel, printProgram } from '../../codegen/ir/print.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { verify } from '../../codegen/ir/verify.js';
import { fuseAll } from '../../codegen/schedule/fuse.js';
import { assignLayouts, dropCoveredGuards, makeViews, stageInputs, stageOutputs } from '../../codegen/schedule/layout.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, targets } from '../../codegen/targets/target.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { compareBits, compareScheduled, type Lowered } from '../ops/harness.js';
import { kernelNames, network } from './networks.js';

interface Laid {
  readonly steps: readonly string[];
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly kernels: readonly string[];
  readonly text: string;
}

/** Runs the stages of schedule.ts up to the views; the result must have the bits of what was lowered. */
function laid(lowered: Lowered, target = simd128): Laid {
  const steps: string[] = [];
  let unit = fuseAll(lowered.unit, []);
  unit = stageInputs(stageOutputs(unit, target, steps), steps);
  unit = makeViews(dropCoveredGuards(assignLayouts(unit, target, steps)), steps);
  verify(unit);
  const found = interpret(unit, lowered.inputs);
  for (const [name, values] of lowered.results) compareBits('laid', name, values, found.get(name));
  for (const t of Object.values(targets)) compareScheduled(lowered, t);
  const text = unit.program.blocks.flatMap((b) => printKernel(b as Kernel)).join('\n');
  return { steps, tensors: unit.program.tensors, kernels: kernelNames(unit), text };
}

/** Strides in elements, then what else the layout has. */
function show(t: Tensor): string {
  const { layout } = t;
  const dims = layout.dims.map((ds) => ds.map((d) => `${d.stride / layout.elementBits}${d.divisor > 1 ? ` div ${d.divisor}` : ''}${d.modulus > 0 ? ` rem ${d.modulus}` : ''}`).join(' & ') || '-').join(', ');
  const halo = layout.halo ? `, halo ${layout.halo.map(([a, b]) => `${a}:${b}`).join(' ')}` : '';
  return `${dims}${layout.offset > 0 ? `, from ${layout.offset / layout.elementBits}` : ''}${layout.pad ? `, pad ${layout.pad.join(' ')}` : ''}${halo}`;
}

const pads = (n: number): Record<string, number[]> => ({ pads: [n, n, n, n] });

test('channels last, their pitch rounded up to lanes', () => {
  const pointwise = network([1, 4, 3, 5], (net) => net.node('Conv', [net.node('Conv', ['x', net.weight(6, 4, 1, 1)]), net.weight(4, 6, 1, 1)]));
  assert.is(show(laid(pointwise).tensors.Conv_0_out), '120, 1, 40, 8, pad 0 2 0 0');
  assert.is(show(laid(pointwise, scalar).tensors.Conv_0_out), '90, 1, 30, 6');
  // fewer than four channels stay planar
  const few = network([1, 4, 3, 5], (net) => net.node('Conv', [net.node('Conv', ['x', net.weight(3, 4, 1, 1)]), net.weight(4, 3, 1, 1)]));
  assert.is(show(laid(few).tensors.Conv_0_out), '45, 15, 5, 1');
  // rows of a matrix
  const rows = network([2, 3], (net) => net.node('MatMul', [net.node('MatMul', ['x', net.weight(3, 5)]), net.weight(5, 4)]));
  assert.is(show(laid(rows).tensors.MatMul_0_out), '8, 1, pad 0 3');
});

test('a halo as wide as the widest window, written around before the first writer, and no guards left', () => {
  const net = network([1, 4, 5, 5], (n) => {
    const a = n.node('Conv', ['x', n.weight(4, 4, 1, 1)]);
    return n.node('Add', [n.node('Conv', [a, n.weight(4, 4, 3, 3)], pads(1)), n.node('Conv', [a, n.weight(4, 4, 5, 5)], pads(2))]);
  });
  const { steps, tensors, kernels, text } = laid(net);
  assert.equal(steps, ['stage output Add_3_out', 'halo Conv_0_out 0:0 0:0 2:2 2:2']);
  assert.is(show(tensors.Conv_0_out), '324, 1, 36, 4, from 80, halo 0:0 0:0 2:2 2:2');
  assert.equal(kernels.slice(0, 5), ['Conv_0_out.halo4', 'Conv_0_out.halo5', 'Conv_0_out.halo6', 'Conv_0_out.halo7', 'Conv_0']);
  assert.not.match(text, / if /);
});

test('the four slabs of a halo touch every element around once', () => {
  const net = network([1, 4, 2, 3], (n) => n.node('Conv', [n.node('Conv', ['x', n.weight(4, 4, 1, 1)]), n.weight(4, 4, 2, 3)], { pads: [0, 1, 1, 2] }));
  const { text, tensors } = laid(net);
  assert.equal(tensors.Conv_0_out.layout.halo, [[0, 0], [0, 0], [0, 1], [1, 2]]);
  assert.equal(text.split('\n').filter((l) => /halo\d|^  space|Conv_0_out\[.*= f32/.test(l)).slice(0, 9), [
    'kernel Conv_0_out.halo5: halo',
    '  space   d0<1 d1<4 d2<1 d3<6',
    '  out     Conv_0_out[d0, d1, d2 + 2, d3 - 1] = f32:00000000',
    'kernel Conv_0_out.halo6: halo',
    '  space   d0<1 d1<4 d2<2 d3<1',
    '  out     Conv_0_out[d0, d1, d2, d3 - 1] = f32:00000000',
    'kernel Conv_0_out.halo7: halo',
    '  space   d0<1 d1<4 d2<2 d3<2',
    '  out     Conv_0_out[d0, d1, d2, d3 + 3] = f32:00000000',
  ]);
});

test('a pool pads with -infinity: guards stay, beside a halo of zeros too', () => {
  const net = network([1, 4, 5, 5], (n) => {
    const a = n.node('Conv', ['x', n.weight(4, 4, 1, 1)]);
    return [n.node('MaxPool', [a], { kernel_shape: [3, 3], ...pads(1) }), n.node('Conv', [a, n.weight(4, 4, 3, 3)], pads(1))];
  });
  const guarded = laid(net).text.split('\n').filter((l) => l.includes(' if '));
  assert.is(guarded.length, 1);
  assert.match(guarded[0], /max\(.* else f32:ff800000/);
});

test('a halo for a tensor with two writers is written once', () => {
  const net = network([1, 4, 4, 4], (n) => n.node('Conv', [n.node('Concat', ['x', n.node('Relu', ['x'])], { axis: 1 }), n.weight(4, 8, 3, 3)], pads(1)));
  assert.equal(laid(net).kernels.filter((k) => k.includes('halo')), ['Concat_1_out.halo4', 'Concat_1_out.halo5', 'Concat_1_out.halo6', 'Concat_1_out.halo7']);
});

test('an input that windows overrun is staged; one that they do not is read where it is', () => {
  const padded = network([1, 2, 4, 4], (n) => n.node('Conv', ['x', n.weight(3, 2, 3, 3)], pads(1)));
  assert.equal(laid(padded).steps, ['stage input x', 'halo x.inner 0:0 0:0 1:1 1:1']);
  const valid = network([1, 2, 4, 4], (n) => n.node('Conv', ['x', n.weight(3, 2, 3, 3)]));
  assert.equal(laid(valid).steps, []);
});

test('outputs with channels are staged; few channels, vectors and copies are not', () => {
  const net = (channels: number): Lowered => network([1, 2, 4, 4], (n) => n.node('Conv', ['x', n.weight(channels, 2, 1, 1)]));
  assert.equal(laid(net(4)).steps, ['stage output Conv_0_out']);
  assert.equal(laid(net(4)).kernels, ['Conv_0', 'Conv_0_out.stage']);
  assert.equal(laid(net(3)).steps, []);
  assert.equal(laid(network([1, 2, 4, 4], (n) => n.node('Transpose', ['x'], { perm: [0, 2, 3, 1] }))).steps, []);
  assert.equal(laid(network([1, 4, 4, 4], (n) => n.node('GlobalAveragePool', ['x']))).steps, []);
});

test('an output that a padded window reads again', () => {
  for (const channels of [2, 4]) {
    const net = network([1, 2, 4, 4], (n) => {
      const a = n.node('Conv', ['x', n.weight(channels, 2, 1, 1)]);
      return [a, n.node('Conv', [a, n.weight(3, channels, 3, 3)], pads(1))];
    });
    const staged = channels === 4 ? 'stage output Conv_0_out' : 'stage input Conv_0_out';
    assert.equal(laid(net).steps, [staged, 'halo Conv_0_out.inner 0:0 0:0 1:1 1:1']);
  }
});

test('names that users took are not taken again', () => {
  const net = network([1, 2, 4, 4], (n) => {
    n.constant('x.inner', [1], [3]);
    return n.node('Add', [n.node('Conv', ['x', n.weight(3, 2, 3, 3)], pads(1)), 'x.inner']);
  });
  assert.equal(laid(net).steps, ['stage input x', 'halo x.inner2 0:0 0:0 1:1 1:1']);
});

// ---- Views ----

const views = (lowered: Lowered): string[] => laid(lowered).steps.filter((s) => s.startsWith('view'));

test('flatten of channels last is digits', () => {
  const net = network([1, 2, 3, 2], (n) => n.node('MatMul', [n.node('Flatten', [n.node('Conv', ['x', n.weight(4, 2, 1, 1)])]), n.weight(24, 5)]));
  const { steps, tensors } = laid(net);
  assert.equal(steps, ['view Flatten_1_out of Conv_0_out']);
  assert.is(show(tensors.Flatten_1_out), '-, 4 rem 6 & 1 div 6');
  assert.is(tensors.Flatten_1_out.buffer, 'Conv_0_out');
});

test('reshape, transpose, slice and their chains are views', () => {
  const reshape = network([2, 6], (n) => n.node('MatMul', [n.node('Reshape', ['x', n.ints(3, 4)]), n.weight(4, 2)]));
  assert.equal(views(reshape), ['view Reshape_0_out of x']);
  assert.is(show(laid(reshape).tensors.Reshape_0_out), '4, 1');
  const transposed = network([4, 6], (n) => n.node('MatMul', [n.node('Transpose', [n.node('Relu', ['x'])], { perm: [1, 0] }), n.weight(4, 2)]));
  assert.equal(views(transposed), ['view Transpose_1_out of Relu_0_out']);
  assert.is(show(laid(transposed).tensors.Transpose_1_out), '1, 8');
  const sliced = network([4, 6], (n) => n.node('MatMul', [n.node('Slice', ['x', n.ints(1), n.ints(6), n.ints(1), n.ints(2)]), n.weight(3, 2)]));
  assert.equal(views(sliced), ['view Slice_0_out of x']);
  assert.is(show(laid(sliced).tensors.Slice_0_out), '6, 2, from 1');
  const chain = network([4, 6], (n) => n.node('MatMul', [n.node('Reshape', [n.node('Transpose', ['x'], { perm: [1, 0] }), n.ints(12, 2)]), n.weight(2, 3)]));
  assert.equal(views(chain), ['view Transpose_0_out of x', 'view Reshape_1_out of Transpose_0_out']);
});

test('the parts of a concat are made in place', () => {
  const net = network([2, 4], (n) => n.node('MatMul', [n.node('Concat', [n.node('Sigmoid', ['x']), n.node('Tanh', ['x'])], { axis: 1 }), n.weight(8, 3)]));
  const { steps, tensors, kernels } = laid(net);
  assert.equal(steps, ['view Sigmoid_0_out in Concat_2_out', 'view Tanh_1_out in Concat_2_out']);
  assert.equal([show(tensors.Sigmoid_0_out), show(tensors.Tanh_1_out)], ['8, 1', '8, 1, from 4']);
  assert.equal(kernels, ['Sigmoid_0', 'Tanh_1', 'MatMul_3']);
});

test('what stays a copy', () => {
  // one tensor at two places, and an input
  assert.equal(views(network([2, 4], (n) => {
    const a = n.node('Sigmoid', ['x']);
    return n.node('MatMul', [n.node('Concat', [a, 'x', a], { axis: 1 }), n.weight(12, 3)]);
  })), []);
  // the result is an output, which has bytes of its own
  assert.equal(views(network([2, 6], (n) => n.node('Reshape', [n.node('Sigmoid', ['x']), n.ints(3, 4)]))), []);
  // padding other than zero has no source
  assert.equal(views(network([2, 6], (n) => n.node('MatMul', [n.node('Pad', ['x', n.ints(0, 1, 0, 1), n.constant('one', [], [1])]), n.weight(8, 3)]))), []);
});

test('zero padding is a view of the source with its halo', () => {
  const { steps, tensors, kernels } = laid(network([2, 6], (n) => n.node('MatMul', [n.node('Pad', [n.node('Relu', ['x']), n.ints(0, 1, 0, 1)]), n.weight(8, 3)])));
  assert.equal(steps, ['halo Relu_0_out 0:0 1:1', 'view Pad_1_out of Relu_0_out']);
  assert.is(show(tensors.Pad_1_out), '8, 1');
  assert.equal(kernels, ['Relu_0_out.halo2', 'Relu_0_out.halo3', 'Relu_0', 'MatMul_2']);
});

test('copies within a repeat are views too', () => {
  const copy = { ...mapKernel('x', 't', 4, (v) => v, 'copy'), op: 'copy' };
  const take = makeKernel({ space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('r'), axis('i')], value: load('t', ['i']) }] });
  const tensors: Record<string, TensorSpec> = { x: { shape: [4], role: 'input' }, t: { shape: [4], role: 'temporary' }, y: { shape: [2, 4], role: 'output' } };
  const unit = makeUnit(tensors, [{ kind: 'repeat', axis: 'r', count: 2, body: [copy, take] }]);
  for (const target of Object.values(targets)) {
    const scheduled = schedule(unit, target);
    verify(scheduled);
    assert.match(printProgram(scheduled.program), /\nstep view t of x\nrepeat r<2\n  kernel k: elementwise/);
    assert.equal(Array.from(interpret(scheduled, { x: [1, 2, 3, 4] }).get('y')!), [1, 2, 3, 4, 1, 2, 3, 4]);
  }
});

test.run();
