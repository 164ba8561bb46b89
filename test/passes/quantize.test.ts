/**
 * `quantize` on small networks: where quantizers go, what shares scales, that the whole network becomes integers, how near
 * it stays to the float network (by `evaluate`, in float64), and that the result is a graph as any other.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph, Node } from '../../codegen/ir/graph.js';
import { printGraph } from '../../codegen/ir/print.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { infer } from '../../codegen/passes/infer.js';
import { prepareFloat, quantize, restoreBatch, type Quantization, type QuantizeSettings } from '../../codegen/passes/quantize.js';
import { planQuantization } from '../../codegen/passes/quantizePlan.js';
import { countInto, emptyHistogram, widen, type Observed } from '../../codegen/passes/quantizeRanges.js';
import { streamlineWithNotes } from '../../codegen/passes/streamline.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';

const random = new Random(3);
const draw = (count: number, reach = 1): number[] => Array.from({ length: count }, () => random.float(-reach, reach));
const inputsOf = (graph: Graph, batch: number): Record<string, { shape: number[]; data: Float64Array }> =>
  Object.fromEntries(graph.inputs.map((name) => {
    const shape = [batch, ...(graph.values[name].shape as number[]).slice(1)];
    return [name, { shape, data: Float64Array.from(draw(shape.reduce((a, b) => a * b, 1), 2)) }];
  }));
const settings: QuantizeSettings = { activationBits: 8, weightBits: 8, ranges: 'max', percentile: 100 };

/** Plans, observes by `evaluate`, quantizes. */
function quantized(graph: Graph, options: Partial<QuantizeSettings> & { keepFloat?: string[] } = {}): Quantization & { float: Graph; inputs: ReturnType<typeof inputsOf> } {
  const float = prepareFloat(graph);
  const plan = planQuantization(float, options.keepFloat);
  const inputs = inputsOf(graph, 16);
  const values = evaluate(restoreBatch(float, graph), inputs);
  const observed = new Map<string, Observed>();
  for (const name of plan.points.keys()) {
    const seen = { ...widen(undefined, values[name].data), histogram: emptyHistogram() };
    countInto(seen, values[name].data);
    observed.set(name, seen);
  }
  const { graph: result, codes } = quantize(float, plan, observed, { ...settings, ...options });
  return { graph: restoreBatch(result, graph), codes, float, inputs };
}

/** Signal to noise of the first output, in dB. */
function ratio(graph: Graph, other: Graph, inputs: ReturnType<typeof inputsOf>): number {
  const [a, b] = [graph, other].map((g) => evaluate(g, inputs)[graph.outputs[0]].data);
  const power = (f: (i: number) => number): number => a.reduce((sum, _, i) => sum + f(i) ** 2, 0);
  return 10 * Math.log10(power((i) => a[i]) / power((i) => a[i] - b[i]));
}

const integersOnly = (graph: Graph): string[] => streamlineWithNotes(infer(graph)).graph.nodes.filter((n) => ['Conv', 'Gemm', 'MatMul', 'Add', 'Sub', 'AveragePool', 'GlobalAveragePool', 'Concat'].includes(n.op)).map((n) => n.op);
const floats = (graph: Graph): string[] => {
  const { graph: g } = streamlineWithNotes(infer(graph));
  return g.nodes.filter((n) => g.values[n.outputs[0]].dtype === 'float32').map((n) => n.op);
};
const ops = (graph: Graph): string[] => graph.nodes.map((n) => n.op);

class Net extends GraphBuilder {
  private count = 0;
  weights(shape: readonly number[], reach = 1): string {
    return this.constant(`w${this.count++}`, shape, draw(shape.reduce((a, b) => a * b, 1), reach));
  }
  conv(x: string, from: number, to: number, size = 3, more: Record<string, number | readonly number[]> = {}): string {
    const group = (more.group as number | undefined) ?? 1;
    const pad = (size - 1) / 2;
    return this.node('Conv', [x, this.weights([to, from / group, size, size], 1 / Math.sqrt((from / group) * size * size)), this.weights([to], 0.3)], { pads: [pad, pad, pad, pad], ...more });
  }
}

test('dense: quantizers at the input and behind activations, none at the output; all integers', () => {
  const b = new Net();
  const h = b.node('Relu', [b.node('Gemm', [b.input('x', [1, 20]), b.weights([20, 30]), b.weights([30])])]);
  const graph = b.build(b.node('Gemm', [h, b.weights([7, 30]), b.weights([7])], { transB: 1 }));
  const q = quantized(graph);
  assert.equal(ops(q.graph), ['Quant', 'Quant', 'Gemm', 'Relu', 'Quant', 'Quant', 'Gemm']);
  assert.equal([...q.codes].map(([name, c]) => [name, c.signed, c.zeroPoint]), [['x', true, 0], [h, false, 0]]);
  assert.equal(floats(q.graph), ['Dequantize']);
  assert.ok(ratio(graph, q.graph, q.inputs) > 35);
  const scales = q.graph.nodes.filter((n) => n.op === 'Quant').map((n) => q.graph.constants[n.inputs[1]].shape);
  assert.equal(scales, [[], [1, 30], [], [7, 1]]);
});

test('7-bit activations that are not negative are codes of 0..127', () => {
  const b = new Net();
  const graph = b.build(b.conv(b.node('Relu', [b.conv(b.input('x', [1, 3, 6, 6]), 3, 8)]), 8, 4));
  const { graph: g } = streamlineWithNotes(infer(quantized(graph, { activationBits: 7 }).graph));
  const second = g.nodes.filter((n) => n.op === 'Conv')[1];
  assert.equal(g.values[second.inputs[0]].range, [0, 127]);
  assert.is(g.values[second.inputs[1]].dtype, 'int8');
});

/** Residual additions with and without Relu, a concatenation, depthwise, pools, batch normalization, a leaky activation. */
function mixed(): Graph {
  const b = new Net();
  const first = b.conv(b.input('x', [1, 3, 8, 8]), 3, 8);
  const normalized = b.node('BatchNormalization', [first, b.constant('g', [8], draw(8).map((x) => 1 + x / 4)), b.weights([8]), b.weights([8]), b.constant('v', [8], draw(8).map((x) => 1.5 + x))]);
  const clipped = b.node('Clip', [normalized, b.scalar(0), b.scalar(1.5)]);
  const deep = b.node('LeakyRelu', [b.conv(clipped, 8, 8, 3, { group: 8 })], { alpha: 0.125 });
  const residual = b.node('Add', [b.conv(deep, 8, 8, 1), normalized]);
  const other = b.node('Relu', [b.conv(residual, 8, 4, 1)]);
  const joined = b.node('MaxPool', [b.node('Concat', [other, residual, clipped], { axis: 1 })], { kernel_shape: [2, 2], strides: [2, 2] });
  const averaged = b.node('GlobalAveragePool', [b.node('Relu', [b.conv(joined, 20, 12)])]);
  const flat = b.node('Flatten', [averaged]);
  return b.build(b.node('Softmax', [b.node('Add', [b.node('MatMul', [flat, b.weights([12, 5], 0.5)]), b.weights([5])])], { axis: -1 }));
}

test('residual additions, concatenations, pools and depthwise layers: integers throughout, the closing Softmax float', () => {
  const graph = mixed();
  const { graph: q, codes, inputs, float } = quantized(graph);
  const { notes } = streamlineWithNotes(infer(q));
  assert.equal(notes.map((n) => n.reason), ['Softmax has no integer form']);
  assert.equal(floats(q), ['Dequantize', 'Softmax']);
  assert.equal(integersOnly(q), ['Conv', 'Conv', 'Conv', 'Add', 'Conv', 'Concat', 'Conv', 'MatMul']);
  assert.ok(ratio(graph, q, inputs) > 30);
  // operands of the sum: one scale; parts of the concatenation: one scale, zero point and sign
  const node = (op: string, nth = 0): Node => float.nodes.filter((n) => n.op === op)[nth];
  const [left, right] = node('Add').inputs.map((name) => codes.get(name)!);
  assert.is(left.scale, right.scale);
  const parts = node('Concat').inputs.map((name) => codes.get(name)!);
  assert.equal(parts[1], parts[0]);
  assert.equal(parts[2], parts[0]);
});

test('a sum takes the scale of what products read; what only sums read has more bits, and no product does', () => {
  const b = new Net();
  const first = b.node('Relu', [b.conv(b.input('x', [1, 3, 6, 6]), 3, 8)]);
  const wide = b.node('Mul', [b.conv(b.node('Relu', [b.conv(first, 8, 8)]), 8, 8), b.scalar(9)]);
  const graph = b.build(b.conv(b.node('Relu', [b.node('Add', [first, wide])]), 8, 4));
  const q = quantized(graph, { activationBits: 7 });
  const [narrow, codes] = [q.codes.get(first)!, q.codes.get(wide)!];
  assert.is(codes.scale, narrow.scale);
  assert.is(narrow.bits, 7);
  assert.ok(codes.bits > 7 && codes.bits <= 11, `${codes.bits}`);
  assert.is(narrow.scale, Math.fround(evaluate(restoreBatch(q.float, graph), q.inputs)[first].data.reduce((m, v) => Math.max(m, v), 0) / 127));
  const { graph: g, notes } = streamlineWithNotes(infer(q.graph));
  assert.equal(notes, []);
  for (const n of g.nodes.filter((node) => node.op === 'Conv')) assert.ok(g.values[n.inputs[0]].range![1] <= 127, n.name);
  assert.equal(floats(q.graph), ['Dequantize']);
});

test('a sum of values whose scales are far apart, both read by products, keeps both scales', () => {
  const b = new Net();
  const first = b.node('Relu', [b.conv(b.input('x', [1, 3, 6, 6]), 3, 8)]);
  const second = b.node('Mul', [b.node('Relu', [b.conv(first, 8, 8)]), b.scalar(40)]);
  const graph = b.build(b.node('Add', [b.conv(second, 8, 8), b.node('Add', [first, second])]));
  const q = quantized(graph);
  assert.ok(q.codes.get(second)!.scale > 10 * q.codes.get(first)!.scale);
  assert.ok(ratio(graph, q.graph, q.inputs) > 30);
});

test('fewer bits, more noise: about 6 dB a bit', () => {
  const graph = mixed();
  const [eight, six, four] = [8, 6, 4].map((bits) => {
    const q = quantized(graph, { activationBits: bits, weightBits: bits, ranges: 'mse' });
    return ratio(graph, q.graph, q.inputs);
  });
  assert.ok(eight - six > 7 && eight - six < 17 && six - four > 7 && six - four < 17, `${eight} ${six} ${four}`);
});

test('the result is a graph as any other: QONNX and back, and other batches', () => {
  const { graph } = quantized(mixed());
  const again = importOnnx(exportQonnx(graph), { name: graph.name });
  assert.is(printGraph(infer(again)), printGraph(infer(graph)));
  const symbolic = { ...mixed(), values: { ...mixed().values, x: { name: 'x', shape: ['N', 3, 8, 8], dtype: 'float32' as const } } };
  const free = quantized({ ...symbolic }, {}).graph;
  assert.equal(free.values.x.shape, ['N', 3, 8, 8]);
  assert.is(infer(free, { batch: 5 }).values[free.outputs[0]].shape![0], 5);
});

test('a shape that is computed from the batch stays free', () => {
  const b = new Net();
  const x = b.node('Relu', [b.conv(b.input('x', [1, 2, 4, 4]), 2, 3)]);
  const first = b.node('Gather', [b.node('Shape', [x]), b.constant('i', [1], [0], 'int32')], { axis: 0 });
  const flat = b.node('Reshape', [x, b.node('Concat', [first, b.constant('rest', [1], [-1], 'int32')], { axis: 0 })]);
  const graph = b.build(b.node('Gemm', [flat, b.weights([48, 5])]));
  const q = quantized(graph);
  assert.ok(ratio(graph, q.graph, q.inputs) > 35);
  assert.equal([...infer(q.graph, { batch: 3 }).values[graph.outputs[0]].shape!], [3, 5]);
});

test('a layer that stays float reads and gives floats, and its neighbours are integers', () => {
  const b = new Net();
  const names = { x: b.input('x', [1, 3, 6, 6]) };
  const a = b.node('Relu', [b.conv(names.x, 3, 8)]);
  const c = b.node('Relu', [b.conv(a, 8, 8)]);
  const graph = b.build(b.conv(c, 8, 4));
  const kept = graph.nodes.filter((n) => n.op === 'Conv')[1];
  const q = quantized(graph, { keepFloat: [kept.name] });
  const after = streamlineWithNotes(infer(q.graph)).graph;
  assert.equal(after.nodes.filter((n) => n.op === 'Conv').map((n) => after.values[n.outputs[0]].dtype === 'float32'), [false, true, false]);
  assert.equal(q.graph.nodes.find((n) => n.name === kept.name)!.inputs, kept.inputs);
  assert.ok(ratio(graph, q.graph, q.inputs) > ratio(graph, quantized(graph).graph, q.inputs));
});

test('what cannot be quantized is refused, or stays as it is', () => {
  const b = new Net();
  const x = b.input('x', [1, 4]);
  refuses(() => planQuantization(prepareFloat(b.build(b.node('Relu', [x])))), 'error [quantize/model] test: the model has no layer that can be quantized\n  Layers are Conv, Gemm and MatMul with constant weights.');
  const c = new Net();
  const turned = c.build(c.node('Gemm', [c.input('x', [4, 1]), c.weights([4, 3])], { transA: 1 }));
  refuses(() => planQuantization(prepareFloat(turned)), 'error [quantize/model] test: the model has no layer that can be quantized\n  Gemm_0 (Gemm): its input is transposed.\n  Layers are Conv, Gemm and MatMul with constant weights.');
  const d = new Net();
  const already = d.build(d.node('Gemm', [d.quant(d.input('x', [1, 4]), 0.5, 4), d.weights([4, 3])]));
  refuses(() => planQuantization(prepareFloat(already)), 'error [quantize/model] Quant_0: the model is quantized already: this node is a Quant\n  Quantize the float model that it was made from.');
  const graph = mixed();
  refuses(() => planQuantization(prepareFloat(graph), ['Conv_00']), 'error [quantize/options] Conv_00: no layer of this name is quantized, so none can be kept in float\n  Did you mean "Conv_0"?');
  const float = prepareFloat(graph);
  refuses(() => quantize(float, planQuantization(float), new Map(), settings), 'error [quantize/calibration] x: calibration has not seen this tensor\n  Calibrate with inputs on which the float model works.');
  refuses(() => quantize(float, planQuantization(float), new Map([['x', { min: 0, max: Infinity }]]), settings), 'error [quantize/calibration] x: with the calibration data this tensor becomes NaN or infinite\n  Calibrate with inputs on which the float model works.');
});

test('corrections go into biases, or into an addition where a layer has no place for one', () => {
  const b = new Net();
  const h = b.node('Relu', [b.conv(b.input('x', [1, 2, 4, 4]), 2, 3)]);
  const noBias = b.node('Conv', [h, b.weights([3, 3, 1, 1])]);
  const graph = b.build(b.node('MatMul', [b.node('Flatten', [noBias]), b.weights([48, 2])]));
  const float = prepareFloat(graph);
  const plan = planQuantization(float);
  const values = evaluate(float, inputsOf(graph, 1));
  const observed = new Map([...plan.points.keys()].map((name) => [name, widen(undefined, values[name].data)]));
  const layers = float.nodes.filter((n) => ['Conv', 'MatMul'].includes(n.op));
  const added = (n: Node): Float64Array => Float64Array.from({ length: n.op === 'Conv' ? 3 : 2 }, (_, c) => 0.25 * (c + 1));
  const plain = quantize(float, plan, observed, settings).graph;
  const inputs = inputsOf(graph, 1);
  const before = evaluate(plain, inputs);
  for (const layer of layers) {
    const after = evaluate(quantize(float, plan, observed, settings, new Map([[layer.name, added(layer)]])).graph, inputs);
    const [y] = layer.outputs;
    const inner = after[y].data.length / added(layer).length;
    after[y].data.forEach((v, i) => assert.ok(Math.abs(v - before[y].data[i] - added(layer)[layer.op === 'Conv' ? Math.floor(i / inner) : i]) < 1e-5));
  }
});

test.run();
