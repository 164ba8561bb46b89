/**
 * Words of streams: dense layers and the like take a word in the step that needs it and no cycles besides, whatever the layer ahead
 * makes at once; and what an iteration moves is what a pipeline says of itself.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Stmt } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { processesOf } from '../../codegen/ir/verifyDataflow.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { simulateDataflow } from '../../codegen/schedule/fabric/simulate.js';
import { processCycles } from '../../codegen/schedule/fabric/timetable.js';
import { lower } from '../../codegen/schedule/lower.js';
import { GraphBuilder } from '../support/graphs.js';
import { denseNetwork } from '../support/lowBitNetworks.js';
import { Random } from '../support/random.js';
import { circuitOf, randomCases } from './circuits.js';

test('dense layers: (MH / PE) (MW / SIMD) cycles and the depth of one pipeline, whatever the words before them', () => {
  const network = denseNetwork([64, 32, 16, 10], { weights: 4, activations: 4 });
  const names = kernelsOf(lower(runPasses(network)).program.blocks).filter((k) => k.reduce.length > 0).map((k) => k.name);
  // Words of the layer ahead: as wide as a step, narrower, wider, neither of which divides the other.
  for (const [first, second] of [[[1, 1], [1, 1]], [[4, 8], [2, 4]], [[1, 64], [16, 8]], [[8, 16], [4, 2]], [[32, 4], [1, 1]], [[16, 1], [1, 32]], [[2, 2], [16, 32]], [[32, 64], [8, 4]]] as const) {
    const folding = { [names[0]]: { pe: first[0], simd: first[1] }, [names[1]]: { pe: second[0], simd: second[1] } };
    const unit = scheduleFabric(lower(runPasses(network)), { folding });
    verify(unit);
    const { program } = unit;
    const own = processCycles(program);
    for (const [name, steps] of [[names[0], (32 / first[0]) * (64 / first[1])], [names[1], (16 / second[0]) * (32 / second[1])]] as const) {
      assert.ok(own[name] >= steps && own[name] <= steps + 20, `${JSON.stringify(folding)}: ${name} takes ${own[name]} cycles for ${steps} steps`);
    }
    // From image to image the slowest layer decides, once queues are long enough.
    const endless = Object.fromEntries(program.dataflow!.streams.map((s) => [`${s.tensor} to ${s.to}`, Infinity]));
    assert.is(simulateDataflow(program, { depths: endless, images: 4 }).interval, Math.max(...Object.values(own)));
  }
});

test('vectors of images: all places and channels taken along, or before the sums where words do not fit', () => {
  // A convolution of one window, and a dense layer of its channels.
  const graph = new GraphBuilder();
  const random = new Random(5);
  const weight = (name: string, shape: readonly number[]): string => graph.quant(graph.constant(name, shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.float(-1, 1))), 0.2, 4, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
  const codes = (x: string): string => graph.quant(graph.node('Relu', [x]), 0.5, 4, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  const conv = codes(graph.node('Conv', [codes(graph.input('x', [1, 6, 3, 3])), weight('w1', [8, 6, 3, 3])], { kernel_shape: [3, 3] }));
  const network = graph.build(graph.node('MatMul', [graph.node('Flatten', [conv]), weight('w2', [8, 5])]));
  for (const [first, second, steps] of [[[2, 3], [1, 8], [4 * 18, 5]], [[8, 2], [5, 4], [27, 2]], [[4, 6], [1, 1], [2 * 9, 40]]] as const) {
    const unit = lower(runPasses(network));
    const names = kernelsOf(unit.program.blocks).filter((k) => k.reduce.length > 0).map((k) => k.name);
    const made = scheduleFabric(unit, { folding: { [names[0]]: { pe: first[0], simd: first[1] }, [names[1]]: { pe: second[0], simd: second[1] } } });
    verify(made);
    const own = processCycles(made.program);
    names.forEach((name, i) => assert.ok(own[name] >= steps[i] && own[name] <= steps[i] + 20, `${name}: ${own[name]} cycles for ${steps[i]} steps`));
    assert.not.ok(kernelsOf(made.program.blocks).some((k) => k.op === 'receive'));
  }
});

test('an adder behind two layers: neither is slowed down by what the other sends at once', () => {
  const network = (): Graph => {
    const graph = new GraphBuilder();
    const random = new Random(6);
    const weight = (name: string): string => graph.quant(graph.constant(name, [8, 8, 1, 1], Array.from({ length: 64 }, () => random.float(-1, 1))), 0.2, 4, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
    const codes = (x: string): string => graph.quant(graph.node('Relu', [x]), 0.5, 4, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
    const x = codes(graph.input('x', [1, 8, 4, 4]));
    const a = codes(graph.node('Conv', [x, weight('w1')], { kernel_shape: [1, 1] }));
    return graph.build(graph.node('Add', [codes(graph.node('Conv', [x, weight('w2')], { kernel_shape: [1, 1] })), a]));
  };
  const unit = lower(runPasses(network()));
  const names = kernelsOf(unit.program.blocks).filter((k) => k.reduce.length > 0).map((k) => k.name);
  for (const [a, b] of [[8, 1], [1, 8], [4, 2], [2, 4], [8, 8]]) {
    const made = scheduleFabric(unit, { folding: { [names[0]]: { pe: a, simd: 2 }, [names[1]]: { pe: b, simd: 4 } } });
    verify(made);
    const own = processCycles(made.program);
    for (const [name, steps] of [[names[0], (16 * 8 * 4) / a], [names[1], (16 * 8 * 2) / b]] as const) assert.ok(own[name] >= steps && own[name] <= steps + 60, `PE ${a} and ${b}: ${name} takes ${own[name]} cycles for ${steps} steps`);
  }
});

test('words wider than the tools take are not gathered: the vector comes before the sums', () => {
  const unit = lower(runPasses(denseNetwork([2048, 4], { weights: 2, activations: 2 })));
  const [{ name }] = kernelsOf(unit.program.blocks).filter((k) => k.reduce.length > 0);
  for (const [simd, word, cycles] of [[1024, 1024, 8], [2048, 1, 2048 + 4]] as const) {
    const made = scheduleFabric(unit, { folding: { [name]: { pe: 1, simd } } });
    verify(made);
    assert.is(made.program.dataflow!.streams.find((s) => s.to === name)!.lanes, word);
    const own = processCycles(made.program)[name];
    assert.ok(own >= cycles && own <= cycles + 30, `SIMD ${simd}: ${own} cycles`);
  }
});

test('what an iteration moves through a stream is its interval, printed and simulated', () => {
  const programs = randomCases(4).map((c, i) => circuitOf(c, i + 2).program);
  let most = 1;
  for (const program of programs) {
    for (const [process, kernel] of processesOf(program).flatMap((p) => kernelsOf(p.body).map((k) => [p.name, k] as const))) {
      const visit = (body: readonly Stmt[], interval: number, copies: number): void => {
        for (const s of body) {
          if (s.kind === 'loop') visit(s.body, s.initiationInterval ?? interval, s.mode === 'unrolled' ? copies * s.extent : 1);
          else if (s.kind === 'if') visit(s.body, interval, copies);
          else {
            const tensor = s.kind === 'store' ? s.tensor : s.value.op === 'load' ? s.value.tensor : undefined;
            for (const { lanes } of program.dataflow!.streams.filter((x) => x.tensor === tensor && (s.kind === 'store' || x.to === process))) {
              assert.ok(interval >= copies / lanes, `${kernel.name}: ${copies} elements of ${tensor} in words of ${lanes} every ${interval} cycles`);
              most = Math.max(most, copies / lanes);
            }
          }
        }
      };
      visit(kernel.scheduled!.body, Infinity, 1);
    }
  }
  assert.ok(most > 1);
});

test.run();
