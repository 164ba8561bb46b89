/** Two outputs in a lane: the same bits in every form, also where sums reach their bounds, and the proof that they stay apart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import { printProgram } from '../../codegen/ir/print.js';
import type { Program } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { emitAssemblyScript } from '../../codegen/emit/assemblyscript.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, runOnEmitters, type Lowered } from '../ops/harness.js';
import { GraphBuilder } from '../support/graphs.js';
import { hostFor } from '../support/hosts.js';
import { convolutionNetwork, denseNetwork, type Widths } from '../support/lowBitNetworks.js';
import { lowered } from './networks.js';

const widths: readonly Widths[] = [
  { weights: 4, activations: 4, narrow: true }, { weights: 4, activations: 4, narrow: true, signed: true },
  { weights: 2, activations: 8, narrow: true, signed: true }, { weights: 2, activations: 8 },
  { weights: 4, activations: 8, signed: true }, { weights: 4, activations: 8, narrow: true },
];

const networks: readonly Lowered[] = widths.flatMap((w) => [
  // Groups of eight, written out, and of more, in a loop; outputs that end within a vector; rows that are left over.
  denseNetwork([40, 24, 16], w),
  denseNetwork([64, 28, 8], w, 5),
  // So few products that sums of bytes fit 12 bits as well.
  denseNetwork([32, 33, 8], w),
  convolutionNetwork({ channels: [16, 24, 8], extent: 6, kernel: 3, padding: 1 }, w),
].map((graph) => lowered(graph, (random) => random.float(-1, 2))));

/** One dense layer of the given inputs whose products are all the greatest or the least; weights of outputs 4 to 7 oppose the others. */
function extreme(inputs: number, bits: 2 | 4, signed: boolean): Graph {
  const b = new GraphBuilder();
  const top = 2 ** (bits - 1) - 1;
  const data = bits === 4 ? 4 : 8;
  const x = b.quant(b.input('x', [1, inputs]), 1, data, { signed: signed ? 1 : 0, narrow: 0, rounding_mode: 'ROUND' });
  const w = b.constant('w', [inputs, 16], Array.from({ length: 16 * inputs }, (_, i) => ((i >> 2) % 2 === Math.floor((i % 16) / 8) ? top : -top)));
  return { ...b.build(b.node('MatMul', [x, b.quant(w, 1, bits, { signed: 1, narrow: 1, rounding_mode: 'ROUND' })])), name: `extreme ${inputs} w${bits}a${data}${signed ? ' signed' : ''}` };
}

const extremes: readonly Lowered[] = ([[64, 4, false], [64, 4, true], [56, 2, true], [56, 2, false]] as const).flatMap(([inputs, bits, signed]) =>
  [-1000, 1000].map((value) => lowered(extreme(inputs, bits, signed), () => value)));

for (const target of Object.values(targets)) {
  test(`scheduled and compiled for ${target.name}`, async () => {
    const all = [...networks, ...extremes];
    for (const n of all) compareScheduled(n, target);
    const host = hostFor(target.name);
    if (!host) return;
    const failures = await runOnEmitters(all, target, toolchain(), host);
    assert.is(failures.length, 0, failures.join('\n'));
  });
}

test('narrow weights under few bits share lanes, and take their bits', () => {
  for (const n of [...networks, ...extremes].filter(({ name }) => !/a8$/.test(name) || /signed/.test(name))) {
    const { program } = schedule(n.unit, simd128);
    assert.match(printProgram(program), /share \w/, n.name);
    const [kernel] = program.blocks.filter((b) => b.kind === 'kernel' && b.scheduled!.steps.some((s) => s.includes('share ')));
    assert.ok(kernel);
    // The text has no lane by lane loads.
    assert.not.match(emitAssemblyScript(program, simd128), /replace_lane/, n.name);
    const weights = Object.values(program.tensors).filter((t) => t.layout.containerBits === 16 && t.layout.code);
    assert.ok(weights.length > 0, n.name);
    for (const t of weights) {
      const outputs = Math.ceil(t.shape[t.shape.length === 4 ? 0 : 1] / 8) * 8;
      const inputs = t.shape.length === 4 ? t.shape.slice(1).reduce((a, b) => a * b, 1) : t.shape[0];
      assert.is(program.buffers[t.buffer].bytes, (outputs * inputs * t.layout.elementBits) / 8 + 1, n.name);
    }
  }
});

test('4-bit weights of one row under 8-bit data share bytes', () => {
  for (const n of networks.filter(({ name }) => /^dense_40.*w4a8/.test(name))) {
    const { program } = schedule(n.unit, simd128);
    assert.match(printProgram(program), /share \w+\.i, bytes/, n.name);
    assert.not.match(emitAssemblyScript(program, simd128), /replace_lane/, n.name);
  }
});

test('a group whose sum leaves 12 bits is refused', () => {
  const { unit } = extremes[0];
  const scheduled = schedule(unit, simd128);
  const wider = JSON.parse(JSON.stringify(scheduled.program).replaceAll('"type":"int12"', '"type":"int11"')) as Program;
  assert.not.equal(wider, scheduled.program);
  assert.throws(() => verify({ program: wider, data: scheduled.data }), (error: Error) => /-1680 .. 1680, and its type int11/.test(error.message));
});

test.run();
