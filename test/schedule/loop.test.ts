/** Loops of graphs: what runs where, that a body is scheduled as any other part, and that no bit changes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Kernel, Program, Repeat } from '../../codegen/ir/program.js';
import { verifyGraph } from '../../codegen/ir/verifyGraph.js';
import { infer } from '../../codegen/passes/infer.js';
import { loopParts } from '../../codegen/ops/loop.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { simd128, targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, compareWithReference, lowerCase, runOnEmitters, type Lowered } from '../ops/harness.js';
import { hostFor } from '../support/hosts.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';
import { Net } from './networks.js';

const window = { pads: [1, 1, 1, 1] };

/** The factor of an iteration, (s + 1) / 2, as float32. */
function factor(net: Net): string {
  return net.node('Dequantize', [net.node('LoopIndex', [], { max: 20 }), net.scalar(0.5), net.scalar(0.5)]);
}

/** A graph of input x with a loop; `build` gives the outputs. */
function loop(shape: readonly number[], build: (net: Net) => string[]): Graph {
  const net = new Net();
  net.input('x', shape);
  const graph = net.build(...build(net));
  const index = graph.nodes.find((n) => n.op === 'LoopIndex')!.outputs[0];
  const whole: Graph = { ...graph, inputs: ['x', 'times'], values: { ...graph.values, times: { name: 'times', shape: [], dtype: 'int32' } }, loop: { index, count: 'times', max: 20 } };
  verifyGraph(whole);
  return whole;
}

function lowered(graph: Graph, times: number): Lowered {
  const random = new Random(5);
  const count = (graph.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
  return lowerCase({ name: 'loop', graph, inputs: { x: Array.from({ length: count }, () => random.float(-2, 2)), times: [times] } });
}

/** Convolutions, a concat, a pool and dense layers of x times a factor; a part of x that is the same in each iteration. */
function network(net: Net): string[] {
  const same = net.node('Relu', [net.node('Conv', ['x', net.weight(8, 3, 3, 3), net.weight(8)], window)]);
  const scaled = net.node('Mul', ['x', factor(net)]);
  const a = net.node('Relu', [net.node('Conv', [scaled, net.weight(8, 3, 3, 3), net.weight(8)], window)]);
  const b = net.node('Conv', [net.node('Add', [a, same]), net.weight(8, 8, 3, 3)], window);
  const pooled = net.node('MaxPool', [net.node('Concat', [a, b], { axis: 1 })], { kernel_shape: [2, 2], strides: [2, 2] });
  const logits = net.node('Gemm', [net.node('Flatten', [pooled]), net.weight(144, 10), net.weight(10)]);
  const index = 'LoopIndex_2_out';
  return [
    net.node('Relu', [net.node('SampleMean', [net.node('Softmax', [logits]), index])]),
    net.node('SampleMoments', [logits, index], {}, 2),
    net.node('SampleCollect', [logits, index], { max: 3 }),
    net.node('SampleMean', [b, index]),
  ];
}

const repeatOf = (program: Program): Repeat => program.blocks.find((b): b is Repeat => b.kind === 'repeat')!;

test('what knows nothing of the index runs once; what takes carried values, behind', () => {
  const parts = loopParts(infer(loop([1, 3, 6, 7], network)));
  assert.equal(parts.before.map((n) => n.op), ['Conv', 'Relu']);
  assert.equal(parts.behind.map((n) => n.op), ['Relu']);
  assert.is(parts.inside.filter((n) => n.op.startsWith('Sample')).length, 4);
});

test('a value of one iteration does not leave the loop', () => {
  refuses(() => loopParts(infer(loop([1, 4], (net) => [net.node('Mul', ['x', factor(net)])]))), /^error \[graph\/loop\] Mul_2_out: this output is made anew/);
  const mixed = loop([1, 4], (net) => {
    const x = net.node('Mul', ['x', factor(net)]);
    return [net.node('Add', [x, net.node('SampleMean', [x, 'LoopIndex_0_out'])])];
  });
  refuses(() => loopParts(infer(mixed)), /^error \[graph\/loop\] Add_4: Add takes Mul_2_out, which each iteration of the graph's loop makes anew, and SampleMean_3_out, which is there behind the loop/);
});

test('a body is fused, has its halos within and views in place of copies; its tensors share bytes', () => {
  const { unit } = lowered(loop([1, 3, 6, 7], network), 2);
  const { program } = schedule(unit, simd128);
  const body = repeatOf(program).body as Kernel[];
  assert.ok(body.every((k) => k.op !== 'copy'), body.map((k) => k.name).join(' '));
  assert.ok(body.some((k) => k.op === 'halo'));
  assert.ok(program.steps!.some((s) => /^fuse Relu_\d+ into Conv/.test(s)) && program.steps!.some((s) => /^fuse SampleMean_\d+ into Softmax/.test(s)), program.steps!.join('\n'));
  assert.ok(program.arenaBytes! < schedule(unit, simd128, { keepAll: true }).program.arenaBytes!);
});

test('the interpreter and the reference agree, at any count', () => {
  for (const times of [1, 2, 7]) compareWithReference(lowered(loop([2, 3, 6, 7], network), times), 1e-5);
});

test('means of what never changes are that, and variances are 0', () => {
  const c = lowered(loop([2, 5], (net) => [net.node('SampleMoments', [net.node('Add', ['x', net.node('Mul', [factor(net), net.scalar(0)])]), 'LoopIndex_0_out'], {}, 2), 'SampleMoments_4_out1']), 13);
  const [mean, variance] = c.unit.program.outputs.map((name) => [...c.results.get(name)!]);
  assert.equal(mean, [...Float32Array.from(c.inputs.x)]);
  assert.equal(variance, new Array(10).fill(0));
});

for (const target of Object.values(targets)) {
  test(`${target.name}: the bits of the lowered Program`, async () => {
    const cases = [[1, 5], [3, 4]].map(([batch, times]) => lowered(loop([batch, 3, 6, 7], network), times));
    for (const c of cases) compareScheduled(c, target);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters(cases, target, toolchain(), host), []);
  });
}

test.run();
