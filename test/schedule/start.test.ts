/** A bias that is added to an integer sum becomes its start; floats, and sums that are used twice, stay as they are. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, convert, float, int, load, mul, ref } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { printExpr } from '../../codegen/ir/print.js';
import type { Kernel, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { startAtBias } from '../../codegen/schedule/start.js';
import { makeKernel, makeUnit, type TensorSpec } from '../support/programs.js';

/** y[o] = sum over k of x[k] * w[o, k], and what `stored` makes of it. */
function dense(stored: Kernel['stores'][number]['value'], more: Partial<Kernel> = {}): ProgramUnit {
  const kernel = makeKernel({
    name: 'dense', op: 'dense', space: [{ name: 'o', extent: 3 }], reduce: [{ name: 'k', extent: 4 }],
    accumulators: [{ name: 'acc', type: 'int10', init: int(0), update: add('int10', ref('acc'), mul('int8', load('x', ['k']), load('w', ['o', 'k']))) }],
    epilogue: [{ name: 'value', type: 'int10', value: ref('acc') }],
    stores: [{ tensor: 'y', at: [axis('o')], value: stored }], ...more,
  });
  const narrow = { dtype: 'int8', range: [-9, 9] } as const;
  const tensors: Record<string, TensorSpec> = {
    x: { ...narrow, shape: [4], role: 'input' }, w: { ...narrow, shape: [3, 4], role: 'input' },
    b: { shape: [3], dtype: 'int32', role: 'constant', range: [-200, 300], data: Int32Array.of(300, -200, 7) },
    y: { shape: [3], dtype: 'int32', role: 'output' },
  };
  return makeUnit(tensors, [kernel]);
}

const given = { x: [1, -2, 3, 9], w: [1, 2, 3, 4, 5, 6, 7, 8, 9, -9, 8, -8] };

test('a bias of the output is where the sum starts', () => {
  const unit = dense(add('int11', ref('value'), load('b', ['o'])));
  verify(unit);
  const steps: string[] = [];
  const started = { ...unit, program: startAtBias(unit.program, steps) };
  verify(started);
  assert.equal(steps, ['start dense at its bias']);
  const [kernel] = started.program.blocks as Kernel[];
  assert.is(kernel.accumulators[0].type, 'int11');
  assert.equal([printExpr(kernel.accumulators[0].init), printExpr(kernel.stores[0].value)], ['b[o]', 'value']);
  assert.equal(interpret(started, given).get('y'), interpret(unit, given).get('y'));
});

test('a sum that is used twice keeps its start', () => {
  const twice = dense(add('int12', add('int11', ref('value'), load('b', ['o'])), ref('value')));
  const steps: string[] = [];
  assert.is(JSON.stringify(startAtBias(twice.program, steps)), JSON.stringify(twice.program));
  assert.equal(steps, []);
});

test('float sums keep theirs: their order is meaning', () => {
  const product = mul('float32', convert('float32', load('x', ['k'])), convert('float32', load('w', ['o', 'k'])));
  const unit = dense(convert('int32', add('float32', ref('value'), convert('float32', load('b', ['o'])))), {
    accumulators: [{ name: 'acc', type: 'float32', init: float(0), update: add('float32', ref('acc'), product) }],
    epilogue: [{ name: 'value', type: 'float32', value: ref('acc') }],
  });
  verify(unit);
  assert.is(JSON.stringify(startAtBias(unit.program, [])), JSON.stringify(unit.program));
});

test.run();
