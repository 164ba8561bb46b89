/**
 * Ports of memories: a pipeline that starts an iteration every cycle asks no bank for more than it can give, whatever the folding; and
 * windows that are read side by side come from registers.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { operators } from '../../codegen/ops/index.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { circuitOf, exampleCases, randomCases, sampleCases } from './circuits.js';
import { portConflicts } from './ports.js';

test('every cycle, no bank is asked for more than its ports: operators that move or sum, examples and random graphs, folded at random', () => {
  const cases = [...exampleCases(), ...randomCases(3), ...Object.values(operators).filter(({ name }) => /Conv|Pool|MatMul|Gemm|Concat|Transpose|Reshape|Threshold|Moments/.test(name)).flatMap(sampleCases)];
  const conflicts = cases.flatMap((c) => portConflicts(circuitOf(c, 5).program).map((k) => `${c.name}: ${JSON.stringify(k)}`));
  assert.equal(conflicts, []);
  assert.ok(cases.length > 300, `${cases.length} circuits`);
});

test('the first convolution of LeNet: five places at once from registers, one from the line buffer', () => {
  const lenet = exampleCases().find((c) => /lenet/.test(c.name))!;
  const { program } = scheduleFabric(lenet.unit, { folding: { _1_Conv: { pe: 8, simd: 5 } } });
  const { scheduled } = kernelsOf(program.blocks).find((k) => k.name === '_1_Conv')!;
  const registers = scheduled!.locals.find((l) => l.name.endsWith('.window.places'))!;
  assert.equal(registers.shape, [5, 5, 1]);
  assert.is(scheduled!.banks![registers.name], 5);
  assert.is(scheduled!.banks![registers.name.replace('.places', '')], undefined);
  assert.ok(scheduled!.steps.includes('pipeline ky every 1'));
});

test.run();
