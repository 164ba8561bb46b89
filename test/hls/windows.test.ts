/**
 * Windows in circuits: convolutions and pools of all kinds of size, stride, padding, distance and folding have the bits of the Program
 * before, in every order in which a line buffer can be filled, and take the cycles that closed forms say.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { scheduleFabric, streamName } from '../../codegen/schedule/fabric/index.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { simulateDataflow } from '../../codegen/schedule/fabric/simulate.js';
import { lower } from '../../codegen/schedule/lower.js';
import { lowerCase, type Lowered } from '../ops/harness.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { simulate } from './csim.js';

const signed = { signed: 1, narrow: 0, rounding_mode: 'ROUND' } as const;

/** One kernel that reads windows of a quantized image, and a second that reads its result. */
function network(random: Random): { graph: Graph; text: string } {
  const b = new GraphBuilder();
  const pick = (...list: readonly number[]): number => list[random.integer(0, list.length - 1)];
  const [images, channels, outputs] = [pick(1, 1, 2), pick(2, 4, 6), pick(2, 4, 8)];
  const size = [pick(1, 2, 3, 3, 5), pick(1, 2, 3, 3, 4)];
  const stride = [pick(1, 1, 2, 3), pick(1, 1, 2, 3)];
  const dilations = [pick(1, 1, 1, 2), pick(1, 1, 1, 2)];
  const pads = [0, 1, 2, 3].map((i) => pick(0, 0, 1, Math.min(2, size[i % 2] - 1)));
  const op = ['Conv', 'Conv', 'depthwise', 'MaxPool', 'AveragePool'][random.integer(0, 4)];
  const places = [0, 1].map((d) => Math.max((size[d] - 1) * dilations[d] + 1 + stride[d], pick(4, 5, 7, 9)));
  const attributes = { kernel_shape: size, strides: stride, pads: pads.map((p, i) => Math.min(p, size[i % 2] - 1)), ...(op === 'AveragePool' ? {} : { dilations }) };
  const levels = (name: string, shape: readonly number[]): string => b.quant(b.constant(name, shape, Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.float(-1, 1))), 0.25, 3, signed);
  const x = b.quant(b.input('x', [images, channels, ...places]), 0.125, 4, signed);
  const made =
    op === 'Conv' ? b.node('Conv', [x, levels('w', [outputs, channels, ...size])], { ...attributes, group: 1 })
    : op === 'depthwise' ? b.node('Conv', [x, levels('w', [channels, 1, ...size])], { ...attributes, group: channels })
    : b.node(op, [x], attributes);
  const after = b.node('Conv', [b.quant(made, 0.5, 4, signed), levels('v', [3, op === 'Conv' ? outputs : channels, 1, 1])], { kernel_shape: [1, 1] });
  return { graph: { ...b.build(after), name: 'windows' }, text: `${op} ${images}x${channels}x${places.join('x')}, ${JSON.stringify(attributes)}` };
}

function casesOf(count: number, seed: number): { c: Lowered; unit: ProgramUnit; text: string }[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const { graph, text } = network(random);
    const inferred = runPasses(graph, undefined, { integersOnly: true });
    const elements = (inferred.values.x.shape as readonly number[]).reduce((n, d) => n * d, 1);
    const c = lowerCase({ name: text, graph: inferred, inputs: { x: Array.from({ length: elements }, () => random.float(-1, 1)) } });
    const prepared = prepareFabric(c.unit, []);
    const folding = Object.fromEntries(foldables(prepared).map((f) => [f.name, { pe: f.pe[random.integer(0, f.pe.length - 1)], simd: f.simd[random.integer(0, f.simd.length - 1)] }]));
    const said = `${text}, folded ${JSON.stringify(folding)}`;
    try {
      const unit = scheduleFabric(c.unit, { folding });
      verify(unit);
      return { c, unit, text: said };
    } catch (error) {
      throw new Error(`${said}: ${String(error)}`);
    }
  });
}

const orders = (units: readonly ProgramUnit[]): Set<string> => new Set(units.flatMap(({ program }) => kernelsOf(program.blocks).flatMap((k) => k.scheduled!.steps.flatMap((s) => /^lineBuffer .* filled (.*)$/.exec(s)?.[1] ?? []))));

const seeds = process.argv.slice(2).map(Number);
test('windows of all kinds: the bits of the Program before', () => {
  for (const seed of seeds.length > 0 ? seeds : [1]) {
    const cases = casesOf(100, seed);
    for (const { c, unit, text } of cases) {
      const found = createInterpreter(unit, { tensors: unit.program.outputs }).run(c.inputs);
      unit.program.outputs.forEach((name, o) => assert.equal(Array.from(found.get(name)!), Array.from(c.results.get(c.unit.program.outputs[o])!), text));
    }
    assert.equal([...orders(cases.map((c) => c.unit))].sort(), ['ahead', 'along', 'before']);
  }
});

/** Quantized values of 8 channels, sent `lanes` at once, then a kernel that reads windows of them. */
function single(node: (b: GraphBuilder, x: string, w: string) => string): ProgramUnit {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [1, 8, 12, 12]), 0.125, 4, signed);
  const w = b.quant(b.constant('w', [4, 8, 3, 3], Array.from({ length: 288 }, (_, i) => Math.sin(i))), 0.25, 3, signed);
  return lower(runPasses(b.build(node(b, x, w)), undefined, { integersOnly: true }));
}

test('cycles of windows in closed form', () => {
  const conv = (stride: number, pad: number) => single((b, x, w) => b.node('Conv', [x, w], { kernel_shape: [3, 3], strides: [stride, stride], pads: [pad, pad, pad, pad], group: 1 }));
  const pool = (size: number, stride: number, pad: number) => single((b, x) => b.node('MaxPool', [x], { kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad] }));
  const first = (size: number, row: number): number => (size - 1) * row + size;
  for (const [name, unit, lanes, { pe, simd }, order, steps] of [
    // Filled ahead: what the first window needs, then all windows.
    ['3x3', conv(1, 1), 8, { pe: 2, simd: 8 }, 'ahead', first(3, 14) + 144 * 2 * 9],
    ['3x3, words of 2', conv(1, 0), 2, { pe: 1, simd: 8 }, 'ahead', first(3, 12) * 4 + 100 * 4 * 9],
    ['3x3 by 2', conv(2, 1), 8, { pe: 2, simd: 8 }, 'ahead', first(3, 13) + 36 * 2 * 9],
    ['3x3 by 3', conv(3, 0), 8, { pe: 1, simd: 8 }, 'ahead', first(3, 12) + 16 * 4 * 9],
    ['pool 2x2', pool(2, 2, 0), 8, { pe: 1, simd: 1 }, 'ahead', first(2, 12) + 36 * 8 * 4],
    ['pool 2x2, all channels', pool(2, 2, 0), 8, { pe: 8, simd: 1 }, 'ahead', first(2, 12) + 36 * 4],
    ['pool 2x2, words of 4', pool(2, 2, 0), 4, { pe: 4, simd: 1 }, 'ahead', first(2, 12) * 2 + 36 * 2 * 4],
    ['pool 3x3 by 2', pool(3, 2, 1), 8, { pe: 1, simd: 1 }, 'ahead', first(3, 13) + 36 * 8 * 9],
    // Places side by side come from registers, which move on with every place.
    ['pool 3x3 by 1', pool(3, 1, 1), 4, { pe: 4, simd: 3 }, 'along', 196 * 2 * 3],
    // Fewer steps than words.
    ['3x3, a channel a word', conv(1, 0), 1, { pe: 4, simd: 8 }, 'before', 144 * 8 + 100 * 9],
  ] as const) {
    const kernels = foldables(prepareFabric(unit, [])).map((f) => f.name);
    const own = kernels[kernels.length - 1];
    const { program } = scheduleFabric(unit, { folding: { [kernels[0]]: { pe: lanes, simd: 1 }, [own]: { pe, simd } } });
    const { work, cycles } = processCycles(program).find((p) => p.name === own)!;
    assert.equal([...orders([{ program, data: new Map() }])], [order], name);
    assert.is(work, steps, name);
    assert.ok(order === 'before' || cycles < work + 30, name);
  }
});

test('a chain with a pool: an image in the cycles of its slowest process', () => {
  const unit = single((b, x, w) => b.node('MaxPool', [b.quant(b.node('Conv', [x, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 1 }), 1, 4, signed)], { kernel_shape: [2, 2], strides: [2, 2] }));
  const [quantize, convolution, pool] = foldables(prepareFabric(unit, [])).map((f) => f.name);
  for (const [pe, simd, own] of [[1, 1, { pe: 1, simd: 1 }], [4, 8, { pe: 1, simd: 1 }], [4, 8, { pe: 1, simd: 2 }], [4, 8, { pe: 4, simd: 2 }]] as const) {
    const { program } = scheduleFabric(unit, { folding: { [quantize]: { pe: 8, simd: 1 }, [convolution]: { pe, simd }, [pool]: own } });
    const depths = Object.fromEntries(program.dataflow!.streams.map((s) => [streamName(s), Infinity]));
    assert.is(simulateDataflow(program, { depths, images: 3 }).interval, Math.max(...processCycles(program).map((c) => c.cycles)));
  }
});

const hasCompiler = spawnSync('g++', ['--version']).status === 0;
if (!hasCompiler) test('C simulation', () => console.log('SKIP C simulation: g++ is missing; apt-get install -y g++'));
else {
  test('windows of all kinds: C simulation has these bits', async () => {
    const cases = casesOf(24, 7);
    assert.equal(await simulate(cases.map((c) => c.c), cases.map((c) => c.unit)), []);
  });
}

test.run();
