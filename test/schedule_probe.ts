import { lowerCase, compareScheduled } from './ops/harness.js';
import { GraphBuilder } from './support/graphs.js';
import { targets, simd128, scalar } from '../codegen/targets/target.js';
import { schedule } from '../codegen/schedule/schedule.js';
import { verify } from '../codegen/ir/verify.js';
import { Random } from './support/random.js';
import { printProgram } from '../codegen/ir/print.js';

function go(name: string, build: (g: GraphBuilder) => string[], shape: number[]): void {
  const g = new GraphBuilder();
  const x = g.input('x', shape);
  void x;
  const graph = g; const outs = build(g);
  try {
    const r = new Random(3);
    const l = lowerCase({ name, graph: graph.build(...outs), inputs: { x: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => r.float(-2, 2)) } });
    for (const t of Object.values(targets)) { compareScheduled(l, t); if (process.argv[2] === name) console.log(printProgram(schedule(l.unit, t).program)); }
    console.log('ok', name, schedule(l.unit, simd128).program.arenaBytes);
  } catch (e) { console.log('FAIL', name, (e as Error).message); }
}
const k = (g: GraphBuilder, shape: number[], f = 0.1) => g.constant(`w${Math.floor(Math.random() * 1e9)}`, shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i) * f));
go('concat-conv', (g) => [g.node('Conv', [g.node('Concat', ['x', g.node('Relu', ['x'])], { axis: 1 }), k(g, [5, 8, 3, 3])], { pads: [1, 1, 1, 1] })], [1, 4, 6, 6]);
go('reduce-noop', (g) => [g.node('ReduceSum', [g.node('Sqrt', [g.node('Relu', ['x'])])], { noop_with_empty_axes: 1 })], [2, 6]);
go('reduce-one', (g) => [g.node('ReduceSum', [g.node('Sqrt', [g.node('Relu', ['x'])]), g.constant('ax', [1], [0], 'int32')], { keepdims: 1 })], [1, 6]);
go('two-conv-one', (g) => [g.node('Add', [g.node('Conv', ['x', k(g, [4, 4, 3, 3])], { pads: [1, 1, 1, 1] }), g.node('Conv', ['x', k(g, [4, 4, 5, 5])], { pads: [2, 2, 2, 2] })])], [1, 4, 6, 6]);
go('flatten-dense', (g) => [g.node('MatMul', [g.node('Flatten', [g.node('Conv', ['x', k(g, [6, 4, 3, 3])], { pads: [1, 1, 1, 1] })]), k(g, [216, 10])])], [1, 4, 6, 6]);
go('concat3', (g) => { const a = g.node('Relu', ['x']); return [g.node('Tanh', [g.node('Concat', [a, g.node('Sigmoid', ['x']), a], { axis: 1 })])]; }, [1, 4, 6, 6]);
go('concat-pad-conv', (g) => { const a = g.node('Relu', ['x']); const c = g.node('Concat', [a, g.node('Sigmoid', ['x'])], { axis: 1 }); return [g.node('Conv', [c, k(g, [5, 8, 3, 3])], { pads: [1, 1, 1, 1] }), g.node('Conv', [c, k(g, [5, 8, 1, 1])])]; }, [1, 4, 6, 6]);
go('out-and-inner', (g) => { const a = g.node('Conv', ['x', k(g, [8, 4, 3, 3])], { pads: [1, 1, 1, 1] }); return [a, g.node('Conv', [a, k(g, [5, 8, 3, 3])], { pads: [1, 1, 1, 1] })]; }, [1, 4, 6, 6]);
go('transpose-slice', (g) => [g.node('Relu', [g.node('Slice', [g.node('Transpose', [g.node('Relu', ['x'])], { perm: [0, 2, 3, 1] }), g.constant('s', [1], [1], 'int32'), g.constant('e', [1], [4], 'int32'), g.constant('a', [1], [1], 'int32')])])], [1, 4, 6, 6]);
go('same-twice', (g) => { const a = g.node('Relu', ['x']); return [g.node('Add', [a, a])]; }, [1, 4, 6, 6]);
go('maxpool-avgpool', (g) => { const a = g.node('Conv', ['x', k(g, [8, 4, 3, 3])], { pads: [1, 1, 1, 1] }); return [g.node('MaxPool', [a], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] }), g.node('AveragePool', [a], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })]; }, [1, 4, 7, 7]);
