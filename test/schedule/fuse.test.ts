/** Fusing: what moves into the kernel before it, and what may not. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, constant, factor, float, load, mul, ref, unary } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { printKernel } from '../../codegen/ir/print.js';
import type { Kernel, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { fuseAll } from '../../codegen/schedule/fuse.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { kernelNames, network } from './networks.js';

function fused(unit: ProgramUnit): { steps: string[]; unit: ProgramUnit } {
  const steps: string[] = [];
  const result = fuseAll(unit, steps);
  verify(result);
  return { steps, unit: result };
}

const float4: TensorSpec = { shape: [4] };
const tensors = (temporaries: Record<string, TensorSpec> = {}): Record<string, TensorSpec> => ({
  x: { ...float4, role: 'input' }, ...Object.fromEntries(Object.entries(temporaries).map(([n, t]) => [n, { role: 'temporary' as const, ...t }])), y: { ...float4, role: 'output' },
});
const negate = (from: string, to: string, name: string): Kernel => mapKernel(from, to, 4, (v) => unary('neg', 'float32', v), name);
const unchanged = (unit: ProgramUnit): void => {
  verify(unit);
  const { steps, unit: after } = fused(unit);
  assert.equal(steps, []);
  assert.equal(kernelNames(after), kernelNames(unit));
};

test('an activation moves into the epilogue of a reduction; the tensor between is gone', () => {
  const { unit } = network([2, 3], (net) => net.node('Sigmoid', [net.node('MatMul', ['x', net.weight(3, 4)])]));
  const result = fused(unit);
  assert.equal(result.steps, ['fuse Sigmoid_1 into MatMul_0']);
  assert.equal(kernelNames(result.unit), ['MatMul_0']);
  assert.not.ok('MatMul_0_out' in result.unit.program.tensors);
});

test('a chain of elementwise kernels becomes one, at the last one\'s place', () => {
  const unit = makeUnit(tensors({ a: float4, b: float4 }), [negate('x', 'a', 'first'), negate('a', 'b', 'second'), negate('b', 'y', 'third')]);
  const result = fused(unit);
  assert.equal(result.steps, ['fuse second into first', 'fuse third into first']);
  assert.equal(printKernel(result.unit.program.blocks[0] as Kernel), [
    'kernel first: elementwise',
    '  space   i<4',
    '  out     let value: float32 = neg(x[i])',
    '  out     let value_2: float32 = neg(value)',
    '  out     y[i] = neg(value_2)',
  ]);
});

test('names that both kernels bind stay apart', () => {
  const bind = (kernel: Kernel): Kernel => ({ ...kernel, epilogue: [{ name: 'v', type: 'float32', value: kernel.stores[0].value }], stores: [{ ...kernel.stores[0], value: mul('float32', ref('v'), ref('v')) }] });
  const unit = makeUnit(tensors({ a: float4 }), [bind(negate('x', 'a', 'first')), bind(negate('a', 'y', 'second'))]);
  const result = fused(unit);
  assert.equal(printKernel(result.unit.program.blocks[0] as Kernel).slice(2), [
    '  out     let v: float32 = neg(x[i])',
    '  out     let value: float32 = (v * v)',
    '  out     let v_2: float32 = neg(value)',
    '  out     y[i] = (v_2 * v_2)',
  ]);
  const x = [1, -2, 3, 0.5];
  assert.equal(interpret(result.unit, { x }).get('y'), interpret(unit, { x }).get('y'));
});

test('a value read twice at one place is one value', () => {
  const unit = makeUnit(tensors({ a: float4 }), [negate('x', 'a', 'first'), mapKernel('a', 'y', 4, (v) => mul('float32', v, v), 'square')]);
  assert.equal(fused(unit).steps, ['fuse square into first']);
});

test('not with two readers', () => {
  const both = makeKernel({ name: 'both', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'z', at: [axis('i')], value: add('float32', load('a', ['i']), load('x', ['i'])) }] });
  unchanged(makeUnit({ ...tensors({ a: float4 }), z: { ...float4, role: 'output' } }, [negate('x', 'a', 'first'), negate('a', 'y', 'second'), both]));
});

test('not with a reader that only asks where to read', () => {
  const where: TensorSpec = { shape: [4], dtype: 'int32', range: [0, 3] };
  const index = makeKernel({ name: 'first', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'a', at: [axis('i')], value: { op: 'index', type: 'int32', index: axis('i') } }] });
  const gather = makeKernel({ name: 'gather', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('i')], value: load('x', [factor({ value: load('a', ['i']), lo: 0, hi: 3 })]) }] });
  const copied = mapKernel('a', 'z', 4, (v) => add('int32', v, { op: 'int', type: 'int32', value: 0 }), 'next');
  unchanged(makeUnit({ ...tensors({ a: where }), z: { ...where, role: 'output' } }, [index, gather, copied]));
});

test('not across an output: users read it', () => {
  unchanged(makeUnit({ ...tensors(), z: { ...float4, role: 'output' } }, [negate('x', 'z', 'first'), negate('z', 'y', 'second')]));
});

test('not where the spaces differ', () => {
  const broadcast = makeKernel({ name: 'second', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('i')], value: load('a', [constant(0)]) }] });
  const one = makeKernel({ name: 'first', space: [{ name: 'i', extent: 1 }], stores: [{ tensor: 'a', at: [axis('i')], value: float(2) }] });
  unchanged(makeUnit(tensors({ a: { shape: [1] } }), [one, broadcast]));
  // in another order, and partly
  const square: TensorSpec = { shape: [4, 4] };
  const space = [{ name: 'i', extent: 4 }, { name: 'j', extent: 4 }];
  const first = makeKernel({ name: 'first', space, stores: [{ tensor: 'a', at: [axis('i'), axis('j')], value: load('x', ['i', 'j']) }] });
  const turned = makeKernel({ name: 'second', space, stores: [{ tensor: 'y', at: [axis('i'), axis('j')], value: add('float32', load('a', ['i', 'j']), load('a', ['j', 'i'])) }] });
  const diagonal = makeKernel({ name: 'second', space: [space[0]], stores: [{ tensor: 'y', at: [axis('i')], value: load('a', ['i', 'i']) }] });
  const shifted = makeKernel({ name: 'second', space: [{ name: 'i', extent: 3 }, space[1]], stores: [{ tensor: 'y', at: [axis('i'), axis('j')], value: load('a', [axis('i', 1, 1), 'j']) }] });
  const io = (shape: number[]): Record<string, TensorSpec> => ({ x: { ...square, role: 'input' }, a: { ...square, role: 'temporary' }, y: { shape, role: 'output' } });
  unchanged(makeUnit(io([4, 4]), [first, turned]));
  unchanged(makeUnit(io([4]), [first, diagonal]));
  unchanged(makeUnit(io([3, 4]), [first, shifted]));
});

test('a transposed reader fuses: every point is there once', () => {
  const space = [{ name: 'i', extent: 4 }, { name: 'j', extent: 3 }];
  const first = makeKernel({ name: 'first', space, stores: [{ tensor: 'a', at: [axis('i'), axis('j')], value: load('x', ['i', 'j']) }] });
  const second = makeKernel({ name: 'second', space: [{ name: 'p', extent: 3 }, { name: 'q', extent: 4 }], stores: [{ tensor: 'y', at: [axis('p'), axis('q')], value: unary('neg', 'float32', load('a', ['q', 'p'])) }] });
  const unit = makeUnit({ x: { shape: [4, 3], role: 'input' }, a: { shape: [4, 3], role: 'temporary' }, y: { shape: [3, 4], role: 'output' } }, [first, second]);
  const result = fused(unit);
  assert.equal(result.steps, ['fuse second into first']);
  const x = Array.from({ length: 12 }, (_, i) => i);
  assert.equal(interpret(result.unit, { x }).get('y'), interpret(unit, { x }).get('y'));
});

test('not with guards, copies, reductions or accumulators', () => {
  const guarded = makeKernel({ name: 'second', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('i')], value: load('a', ['i'], [{ index: axis('i'), lo: 1, hi: 4 }], float(0)) }] });
  unchanged(makeUnit(tensors({ a: float4 }), [negate('x', 'a', 'first'), guarded]));
  unchanged(makeUnit(tensors({ a: float4 }), [negate('x', 'a', 'first'), { ...mapKernel('a', 'y', 4, (v) => v, 'second'), op: 'copy' }]));
  unchanged(makeUnit(tensors({ a: float4 }), [{ ...mapKernel('x', 'a', 4, (v) => v, 'first'), op: 'copy' }, negate('a', 'y', 'second')]));
  const accumulators = [{ name: 'acc', type: 'float32' as const, init: float(0), update: add('float32', ref('acc'), load('a', ['i'])) }];
  const own = makeKernel({ name: 'second', space: [{ name: 'i', extent: 4 }], accumulators, stores: [{ tensor: 'y', at: [axis('i')], value: ref('acc') }] });
  unchanged(makeUnit(tensors({ a: float4 }), [negate('x', 'a', 'first'), own]));
  const sums = makeKernel({ name: 'second', space: [], reduce: [{ name: 'i', extent: 4 }], accumulators, stores: [{ tensor: 'y', at: [constant(0)], value: ref('acc') }] });
  unchanged(makeUnit({ ...tensors({ a: float4 }), y: { shape: [1], role: 'output' } }, [negate('x', 'a', 'first'), sums]));
});

test('a target keeps apart what it asks to', () => {
  const unit = makeUnit(tensors({ a: float4 }), [negate('x', 'a', 'first'), negate('a', 'y', 'second')]);
  const asked: string[] = [];
  fuseAll(unit, [], (producer, consumer) => asked.push(`${producer.name} ${consumer.name}`) > 0);
  assert.equal(asked, ['first second']);
});

test.run();
