/** Bipolar layers by counted bits: the same bits in every form, and which tensors are stored as bits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { targetOf } from '../../codegen/compile.js';
import { printProgram } from '../../codegen/ir/print.js';
import { verify } from '../../codegen/ir/verify.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, runOnEmitters, type Lowered } from '../ops/harness.js';
import { bipolar, bipolarNetworks } from '../support/bipolarNetworks.js';
import { hostFor } from '../support/hosts.js';
import { convolutionNetwork } from '../support/lowBitNetworks.js';
import type { Random } from '../support/random.js';
import { lowered } from './networks.js';

const signs = (random: Random): number => random.float(-1, 1);
const networks = bipolarNetworks().map((graph) => lowered(graph, signs));

for (const target of Object.values(targets)) {
  test(`scheduled and compiled for ${target.name}`, async () => {
    for (const n of networks) compareScheduled(n, target);
    const host = hostFor(target.name);
    if (!host) return;
    const failures = await runOnEmitters(networks, target, toolchain(), host);
    assert.is(failures.length, 0, failures.join('\n'));
  });
}

const packed = (n: Lowered, target = simd128): string[] => Object.values(schedule(n.unit, target).program.tensors).filter((t) => t.layout.elementBits === 1 && t.layout.code && !t.name.includes('@')).map((t) => t.name);

test('data between bipolar layers are bits where their channels fill words', () => {
  assert.is(packed(networks[0]).length, 1, 'the 40 of the second layer fill no word of 64');
  assert.is(packed(networks[0], scalar).length, 2, 'words of 8 bits');
  assert.is(packed(networks[1]).length, 2);
  assert.is(packed(networks[3]).length, 0);
  assert.is(packed(networks[3], scalar).length, 3);
  assert.is(packed(networks[7]).length, 3);
});

test('where counting takes several instructions, lookups stay', () => {
  assert.is(packed(networks[1], targetOf('simd128', { processor: 'arm64' })).length, 0);
});

test('with padding, which has a zero, nothing is bipolar', () => {
  const padded = lowered(convolutionNetwork({ channels: [64, 8], extent: 5, kernel: 3, padding: 1 }, bipolar), signs);
  assert.is(packed(padded).length, 0);
});

test('every tensor keeps its bytes where all are kept', () => {
  const { program } = schedule(networks[1].unit, simd128, { keepAll: true });
  assert.ok(Object.values(program.tensors).every((t) => t.layout.elementBits !== 1 || t.name.includes('@')));
});

test('a store that is not proved to have a code is refused', () => {
  const unit = schedule(networks[0].unit, simd128);
  const [first, ...rest] = unit.program.blocks;
  assert.match(printProgram(unit.program), /store .* as bits/);
  if (first.kind !== 'kernel') return assert.unreachable();
  const zero = { op: 'int', type: 'int2', value: 0 } as const;
  const broken = { ...unit, program: { ...unit.program, blocks: [{ ...first, stores: [{ ...first.stores[0], value: zero }] }, ...rest] } };
  assert.throws(() => verify(broken), /is not proved to be -1 plus a multiple of 2/);
});

test.run();
