/** Networks of 1, 2 and 4 bits: the same bits in every form, and the scheduled forms that they should have. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { printProgram } from '../../codegen/ir/print.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, runOnEmitters, type Lowered } from '../ops/harness.js';
import { hostFor } from '../support/hosts.js';
import { convolutionNetwork, denseNetwork, type Widths } from '../support/lowBitNetworks.js';
import { lowered } from './networks.js';

const widths: readonly Widths[] = [
  { weights: 2, activations: 2 }, { weights: 1, activations: 1 }, { weights: 1, activations: 2 }, { weights: 2, activations: 4 },
  { weights: 2, activations: 1 }, { weights: 4, activations: 4 },
];

const networks: Lowered[] = widths.flatMap((w, i) => [
  // Outputs that fill no vector, one vector, several; a batch that leaves a row over.
  denseNetwork([32, [40, 16, 33][i % 3], 10], w),
  denseNetwork([48, 24], w, 3),
  convolutionNetwork({ channels: [8, 24], extent: 5, kernel: [3, 2][i % 2], padding: (i + 1) % 2 }, w),
].map((graph) => lowered(graph, (random) => random.float(-1, 2))));

for (const target of Object.values(targets)) {
  test(`scheduled and compiled for ${target.name}`, async () => {
    for (const n of networks) compareScheduled(n, target);
    const host = hostFor(target.name);
    if (!host) return;
    const failures = await runOnEmitters(networks, target, toolchain(), host);
    assert.is(failures.length, 0, failures.join('\n'));
  });
}

test('products of up to 2 bits are looked up, and their weights take their bits', () => {
  for (const n of networks.filter(({ name }) => !name.endsWith('w4a4'))) {
    const { program } = schedule(n.unit, simd128);
    assert.match(printProgram(program), / by lookup/, n.name);
  }
});

test.run();
