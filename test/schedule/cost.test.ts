/** The cost model: instruction counts of kernels that can be counted by hand, and that it ranks as it must. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Kernel } from '../../codegen/ir/program.js';
import type { Choices } from '../../codegen/schedule/choice.js';
import { costOf, type Cost } from '../../codegen/schedule/cost.js';
import { defaultSchedule } from '../../codegen/schedule/defaults/index.js';
import { isolate, prepare } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, type Target } from '../../codegen/targets/target.js';
import { network } from './networks.js';

function cost(target: Target, inputs: number, outputs: number, choices: Choices = {}, rows = 1): Cost {
  const { unit } = network([rows, inputs], (n) => n.node('MatMul', ['x', n.weight(inputs, outputs)]));
  const prepared = prepare(unit, target, []);
  const kernel = prepared.program.blocks[0] as Kernel;
  const alone = isolate(prepared, { kernel }, target, defaultSchedule(kernel, prepared.program, target, choices))!;
  return costOf(alone.program.blocks[0] as Kernel, alone.program, target);
}

test('dense 1 x 1000 -> 20: the loop of five vectors is counted', () => {
  // A turn: 5 loads of weights and one of x, 5 products and 5 sums: 16 instructions at 4 a cycle beat the 10 / 2 of
  // arithmetic only with the loop's own 1.5; the chain of 4 cycles hides behind. max(6 / 2, 10 / 2, 16 / 4, 4) = 5.
  const { cycles } = cost(simd128, 1000, 20);
  assert.ok(cycles >= 6500 && cycles < 6500 + 100, String(cycles));
});

test('one vector of outputs waits for its own sums', () => {
  const { cycles } = cost(simd128, 1000, 20, { columns: 1 });
  // 5 turns of the outer loop; each of the 1000 inside takes the chain of 4.5 and the loop's 1.5.
  assert.ok(cycles >= 30000 && cycles < 30000 + 100, String(cycles));
});

test('what must rank above what', () => {
  assert.ok(cost(scalar, 256, 64).cycles > 2 * cost(simd128, 256, 64).cycles, 'lanes pay');
  assert.ok(cost(simd128, 256, 64, { rows: 1, columns: 1 }, 16).cycles > cost(simd128, 256, 64, { rows: 4, columns: 2 }, 16).cycles, 'tiles pay');
  assert.ok(cost(simd128, 256, 64, { rows: 8, columns: 8 }, 16).cycles > cost(simd128, 256, 64, { rows: 4, columns: 2 }, 16).cycles, 'registers are limited');
  assert.ok(cost(simd128, 256, 64, { rows: 8, columns: 8 }, 16).codeBytes > cost(simd128, 256, 64, { rows: 4, columns: 2 }, 16).codeBytes, 'code is counted');
});

test.run();
