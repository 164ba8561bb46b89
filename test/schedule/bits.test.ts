/** Bipolar layers by counted bits: the same bits in every form, and which tensors are stored as bits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { printProgram } from '../../codegen/ir/print.js';
import { verify } from '../../codegen/ir/verify.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, lowerCase, runOnEmitters, type Lowered } from '../ops/harness.js';
import { GraphBuilder } from '../support/graphs.js';
import { hostFor } from '../support/hosts.js';
import { convolutionNetwork, denseNetwork } from '../support/lowBitNetworks.js';
import { Random } from '../support/random.js';

const bipolar = { weights: 1, activations: 1 } as const;

function lowered(graph: Graph): Lowered {
  const inferred = runPasses(graph);
  const random = new Random(3);
  const count = (inferred.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
  return lowerCase({ name: graph.name, graph: inferred, inputs: { x: Array.from({ length: count }, () => random.float(-1, 1)) } });
}

/** A first layer of more bits, whose outputs are bipolar; convolutions, a pool between them, and an output with places. */
function mixedNetwork(): Graph {
  const b = new GraphBuilder();
  const random = new Random(5);
  const weight = (name: string, shape: readonly number[]): string => b.node('BipolarQuant', [b.constant(name, shape, Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.float(-1, 1))), b.scalar(1)]);
  const bias = b.constant('bias', [64], Array.from({ length: 64 }, () => random.float(-3, 3)));
  const sign = (x: string): string => b.node('BipolarQuant', [x, b.scalar(1)]);
  let x = b.quant(b.input('x', [2, 3, 11, 9]), 0.02, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  x = sign(b.node('Conv', [x, weight('w0', [64, 3, 3, 3]), bias], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1], group: 1 }));
  x = sign(b.node('Conv', [x, weight('w1', [128, 64, 3, 3])], { kernel_shape: [3, 3], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 }));
  x = sign(b.node('Conv', [x, weight('w2', [64, 128, 1, 1]), bias], { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [2, 2], group: 1 }));
  x = b.node('Conv', [x, weight('w3', [5, 64, 2, 3])], { kernel_shape: [2, 3], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 });
  return { ...b.build(x), name: 'mixed' };
}

const networks = [
  // One word, several, more than are written out; outputs that fill no byte, bytes, and an odd number of them.
  denseNetwork([64, 40, 7], bipolar),
  denseNetwork([192, 64, 33], bipolar, 3),
  denseNetwork([2560, 3], bipolar, 2),
  // Words of 32, 16 and 8 bits, which only targets without lookups count.
  denseNetwork([96, 48, 24, 5], bipolar),
  convolutionNetwork({ channels: [64, 128], extent: 5, kernel: 3, padding: 0 }, bipolar),
  // Places that lanes do not divide, and fewer than lanes.
  convolutionNetwork({ channels: [64, 64, 10], extent: 7, kernel: 2, padding: 0 }, bipolar, 2),
  convolutionNetwork({ channels: [64, 3], extent: 1, kernel: 1, padding: 0 }, bipolar, 2),
  mixedNetwork(),
].map(lowered);

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

test('with padding, which has a zero, nothing is bipolar', () => {
  const padded = lowered(convolutionNetwork({ channels: [64, 8], extent: 5, kernel: 3, padding: 1 }, bipolar));
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
