/**
 * `streamline` rule by rule: the streamlined graph against the original by `evaluate`. Scales and weights are dyadic, so
 * the original is exact in float64 and folding rounds nothing: results must be equal, ties included.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import { isInteger } from '../../codegen/ir/datatype.js';
import type { NdArray } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { streamlineWithNotes } from '../../codegen/passes/streamline.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';

const random = new Random(7);

function grid(shape: readonly number[], step = 1 / 16, span = 64): NdArray {
  return { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.integer(-span, span) * step) };
}

function dyadic(count: number, step: number, span: number): number[] {
  return Array.from({ length: count }, () => random.integer(-span, span) * step);
}

interface Expectation {
  /** Operators of the streamlined graph, in order. */
  readonly ops?: readonly string[];
  /** Reasons of the notes. */
  readonly notes?: readonly string[];
  readonly tolerance?: number;
  readonly rounds?: number;
}

/** Streamlines, compares outputs (and integer types with the values that occur), and returns the new graph. */
function same(graph: Graph, { ops, notes = [], tolerance = 0, rounds = 8 }: Expectation = {}): Graph {
  const result = streamlineWithNotes(graph);
  if (ops) assert.equal(result.graph.nodes.map((n) => n.op), ops);
  assert.equal(result.notes.map((n) => n.reason), notes);
  for (let i = 0; i < rounds; i++) {
    const inputs = Object.fromEntries(graph.inputs.map((name) => [name, grid(graph.values[name].shape as number[])]));
    const expected = evaluate(graph, inputs);
    const found = evaluate(result.graph, inputs);
    for (const name of graph.outputs) {
      assert.equal([...found[name].shape], [...expected[name].shape]);
      found[name].data.forEach((x, e) => {
        if (Math.abs(x - expected[name].data[e]) > tolerance) assert.is(x, expected[name].data[e], `${name}[${e}]`);
      });
    }
    for (const value of Object.values(result.graph.values)) {
      if (!value.range || !isInteger(value.dtype!)) continue;
      const outside = found[value.name].data.find((x) => x < value.range![0] || x > value.range![1] || !Number.isInteger(x));
      assert.is(outside, undefined, `${value.name} lies in its range [${value.range}]`);
    }
  }
  return result.graph;
}

/** x -> Quant -> layer with quantized weights; returns the builder and the layer's output. */
function dense(outputs = 5, weightScale: number | readonly number[] = 0.25): { b: GraphBuilder; y: string } {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [3, 6]), 0.125, 4);
  const w = b.constant('w', [6, outputs], dyadic(6 * outputs, 0.125, 16));
  const scale = b.constant('ws', typeof weightScale === 'number' ? [] : [1, outputs], typeof weightScale === 'number' ? [weightScale] : weightScale);
  const q = b.node('Quant', [w, scale, b.scalar(0), b.scalar(3)], { narrow: 1 });
  return { b, y: b.node('MatMul', [x, q]) };
}

for (const mode of ['ROUND', 'CEIL', 'FLOOR', 'UP', 'DOWN', 'HALF_UP', 'HALF_DOWN']) {
  test(`MatMul, Quant by ${mode}: ties meet as in the original`, () => {
    const { b, y } = dense();
    const graph = same(b.build(b.quant(y, 0.125, 4, { rounding_mode: mode })), { ops: ['Quantize', 'MatMul', 'Requantize', 'Dequantize'], rounds: 20 });
    assert.is(graph.constants[graph.nodes[1].inputs[1]].dtype, 'int3');
  });
}

test('bias, batch normalization with negative factors, Relu and Quant become one Requantize, signs go into the weights', () => {
  const { b, y } = dense(4, [0.25, 0.5, 0.125, 1]);
  const biased = b.node('Add', [y, b.constant('bias', [4], [0.5, -1, 0.0625, 3])]);
  const p = (name: string, values: number[]): string => b.constant(name, [4], values);
  const normalized = b.node('BatchNormalization', [biased, p('g', [-1, 0.5, -2, 0]), p('b', [0.25, 0, -1, 1]), p('m', [0, 1, -1, 2]), p('v', [1, 4, 0.25, 1])], { epsilon: 0 });
  const graph = same(b.build(b.quant(b.node('Relu', [normalized]), 0.25, 3, { signed: 0 })), { ops: ['Quantize', 'MatMul', 'Requantize', 'Dequantize'], rounds: 20 });
  assert.is(graph.nodes[2].inputs[2] ?? '', '', 'no directions');
});

test('weights that keep their sign, since the other needs a wider type, give directions', () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [2, 3]), 0.25, 4);
  const w = b.quant(b.constant('w', [3, 2], [-2, 1, 0, -1, 1, 1]), 1, 2);
  const scaled = b.node('Mul', [b.node('MatMul', [x, w]), b.constant('s', [2], [-1, 0.5])]);
  const graph = same(b.build(b.quant(scaled, 0.5, 2)));
  assert.equal([...graph.constants[graph.nodes[2].inputs[2]].data], [-1, 1]);
});

test('bipolar and binary: BipolarQuant, Quant of one bit, Sign', () => {
  for (const end of ['bipolar', 'quant', 'sign', 'unsigned']) {
    const b = new GraphBuilder();
    const x = b.node('BipolarQuant', [b.input('x', [2, 8]), b.scalar(0.5)]);
    const w = b.node('BipolarQuant', [b.constant('w', [8, 3], dyadic(24, 0.5, 4)), b.scalar(0.25)]);
    const y = b.node('Sub', [b.node('MatMul', [x, w]), b.constant('c', [3], [0.25, 0, -0.5])]);
    const z = end === 'bipolar' ? b.node('BipolarQuant', [y, b.scalar(2)]) : end === 'quant' ? b.quant(y, 0.5, 1) : end === 'sign' ? b.node('Sign', [y]) : b.quant(y, 0.5, 1, { signed: 0 });
    same(b.build(z), { ops: ['Quantize', 'MatMul', 'Requantize', 'Dequantize'] });
  }
});

test('convolution: padding, groups, scales per output channel, bias, MaxPool before and after', () => {
  for (const group of [1, 2]) {
    const b = new GraphBuilder();
    const x = b.quant(b.input('x', [1, 2, 6, 6]), 0.25, 3);
    const w = b.node('Quant', [b.constant('w', [4, 2 / group, 3, 3], dyadic(72 / group, 0.125, 12)), b.constant('ws', [4, 1, 1, 1], [0.5, 0.25, 1, 0.125]), b.scalar(0), b.scalar(3)]);
    const bias = b.node('Quant', [b.constant('bias', [4], [1.3, -2, 0.6, 0]), b.scalar(0.125), b.scalar(0), b.scalar(8)]);
    const y = b.node('Conv', [x, w, bias], { pads: [1, 1, 1, 1], group });
    const scaled = b.node('Mul', [y, b.constant('s', [1, 4, 1, 1], [1, -1, 0.5, -2])]);
    const pooled = b.node('MaxPool', [b.node('Relu', [scaled])], { kernel_shape: [2, 2], strides: [2, 2] });
    const z = b.node('MaxPool', [b.quant(pooled, 0.5, 4)], { kernel_shape: [2, 2] });
    same(b.build(z), { ops: ['Quantize', 'Conv', 'MaxPool', 'Requantize', 'MaxPool', 'Dequantize'] });
  }
});

test('a depthwise convolution takes a scale for each channel', () => {
  const b = new GraphBuilder();
  const x = b.node('Quant', [b.input('x', [1, 3, 5, 5]), b.constant('s', [1, 3, 1, 1], [0.25, 0.5, 0.125]), b.scalar(0), b.scalar(4)]);
  const w = b.quant(b.constant('w', [3, 1, 3, 3], dyadic(27, 0.25, 8)), 0.25, 4);
  same(b.build(b.quant(b.node('Conv', [x, w], { group: 3 }), 0.25, 4)), { ops: ['Quantize', 'Conv', 'Requantize', 'Dequantize'] });
});

test('a scale for each channel of an ordinary layer: float, with a note', () => {
  const b = new GraphBuilder();
  const x = b.node('Quant', [b.input('x', [2, 3]), b.constant('s', [1, 3], [0.25, 0.5, 0.125]), b.scalar(0), b.scalar(4)]);
  const w = b.quant(b.constant('w', [3, 2], dyadic(6, 0.25, 8)), 0.25, 4);
  const name = b.node('MatMul', [x, w]);
  const graph = same(b.build(name), { ops: ['Quantize', 'Dequantize', 'MatMul'], notes: ['its input "Quant_0_out" has a scale for each channel'] });
  assert.is(graph.values[name].dtype, 'float32');
});

test('an offset on the input becomes a constant of each output, but not under padding', () => {
  for (const pads of [[0, 0, 0, 0], [1, 1, 1, 1]]) {
    const b = new GraphBuilder();
    const x = b.node('Sub', [b.quant(b.input('x', [1, 2, 4, 4]), 0.25, 4), b.scalar(0.5)]);
    const w = b.quant(b.constant('w', [3, 2, 2, 2], dyadic(24, 0.25, 8)), 0.25, 4);
    const note = 'its input "Sub_1_out" has an offset, and padding';
    same(b.build(b.node('Conv', [x, w], { pads })), pads[0] ? { notes: [note] } : { ops: ['Quantize', 'Conv', 'Dequantize'] });
  }
});

test('Gemm: alpha, beta, transB, bias; Clip between the layer and the quantizer', () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [2, 6]), 0.25, 4);
  const w = b.quant(b.constant('w', [3, 6], dyadic(18, 0.25, 8)), 0.25, 4);
  const y = b.node('Gemm', [x, w, b.constant('c', [3], [1, -0.5, 0.25])], { transB: 1, alpha: 0.5, beta: 2 });
  const clipped = b.node('Clip', [y, b.scalar(-0.75), b.scalar(1.25)]);
  same(b.build(b.quant(clipped, 0.25, 5, { rounding_mode: 'HALF_DOWN' })), { ops: ['Quantize', 'Gemm', 'Requantize', 'Dequantize'] });
});

test('LeakyRelu becomes thresholds; its float value is the old node again', () => {
  const { b, y } = dense();
  const leaky = b.node('LeakyRelu', [y], { alpha: 0.25 });
  same(b.build(b.quant(leaky, 0.125, 4)), { ops: ['Quantize', 'MatMul', 'Requantize', 'Dequantize'] });
  const again = dense();
  same(again.b.build(again.b.node('LeakyRelu', [again.y], { alpha: 0.25 })), { ops: ['Quantize', 'MatMul', 'Dequantize', 'LeakyRelu'] });
});

test('forks: one accumulator for a quantizer, a float consumer and an output', () => {
  const { b, y } = dense();
  const negated = b.node('Mul', [y, b.scalar(-1)]);
  const graph = same(b.build(b.quant(negated, 0.25, 3), b.node('Sigmoid', [y]), negated), { notes: ['Sigmoid has no integer form'] });
  assert.is(graph.nodes.filter((n) => n.op === 'MatMul').length, 1);
});

test('residual: equal scales add as integers, different ones in float32', () => {
  for (const second of [0.25, 0.125]) {
    const b = new GraphBuilder();
    const x = b.input('x', [2, 5]);
    const sum = b.node('Add', [b.quant(x, 0.25, 4), b.quant(b.node('Mul', [x, b.scalar(0.75)]), second, 4)]);
    const note = 'its inputs have different scales (float32 addition, then quantized again)';
    same(b.build(b.quant(sum, 0.5, 4)), second === 0.25 ? {} : { notes: [note] });
  }
});

test('pools and means: integer sums, the division in the scale', () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [1, 3, 4, 4]), 0.25, 4);
  const averaged = b.node('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
  const global = b.node('GlobalAveragePool', [x]);
  const mean = b.node('ReduceMean', [x, b.constant('axes', [2], [2, 3], 'int32')], { keepdims: 0 });
  const graph = same(b.build(b.quant(averaged, 0.25, 4), b.quant(global, 0.25, 4), b.quant(mean, 0.25, 4)));
  assert.is(graph.nodes.filter((n) => n.op === 'SumPool' || n.op === 'ReduceSum').length, 3);
});

test('movement: Transpose, Reshape, Slice, Pad, Concat and Flatten carry integers and their channels', () => {
  const b = new GraphBuilder();
  const ints = (name: string, values: number[]): string => b.constant(name, [values.length], values, 'int32');
  const x = b.node('Quant', [b.input('x', [1, 3, 4, 2]), b.constant('s', [1, 3, 1, 1], [0.25, 0.5, 1]), b.scalar(0), b.scalar(4)]);
  const padded = b.node('Pad', [x, ints('pads', [0, 0, 1, 0, 0, 0, 0, 1])]);
  const turned = b.node('Transpose', [padded], { perm: [0, 2, 1, 3] });
  const sliced = b.node('Slice', [turned, ints('starts', [1]), ints('ends', [3]), ints('sliceAxes', [1])]);
  const flat = b.node('Flatten', [sliced]);
  const joined = b.node('Concat', [flat, flat], { axis: 1 });
  same(b.build(b.quant(joined, 0.5, 3)), { ops: ['Quantize', 'Pad', 'Transpose', 'Slice', 'Flatten', 'Concat', 'Requantize', 'Dequantize'] });
});

test('Trunc of both versions: two exact roundings in one Requantize', () => {
  for (const mode of ['FLOOR', 'ROUND', 'HALF_UP', 'CEIL']) {
    const b = new GraphBuilder();
    const sum = b.node('AveragePool', [b.quant(b.input('x', [1, 2, 4, 4]), 0.25, 4)], { kernel_shape: [2, 2], strides: [2, 2] });
    const scaled = b.node('Mul', [sum, b.scalar(4)]);
    const first = b.node('Trunc', [scaled, b.scalar(0.25), b.scalar(0), b.scalar(6), b.scalar(4)], { rounding_mode: mode });
    const second = b.node('Trunc', [scaled, b.scalar(0.25), b.scalar(8), b.scalar(6), b.scalar(1), b.scalar(4)], { version: 2, rounding_mode: mode });
    same(b.build(first, second));
  }
});

test('MultiThreshold: on integers with unsorted rows for each channel, and on a float value', () => {
  const { b, y } = dense(2);
  const table = b.constant('t', [2, 3], [1, -0.5, 0.25, 0, 0, -3]);
  const on = b.node('MultiThreshold', [y, table], { out_dtype: 'INT3', out_scale: 2, out_bias: -3 });
  const x = b.input('z', [2, 2]);
  const float = b.node('MultiThreshold', [x, table], { out_dtype: 'UINT2' });
  const w = b.constant('binary', [2, 3], [1, -1, 1, 1, -1, -1]); // integers without a quantizer
  const graph = same(b.build(b.quant(on, 1, 3), b.node('MatMul', [float, w])));
  assert.equal(graph.nodes.filter((n) => n.op === 'MatMul').map((n) => isInteger(graph.values[n.outputs[0]].dtype!)), [true, true]);
});

test('QuantizeLinear, Clip and DequantizeLinear: zero points are gone, bounds belong to the quantizer', () => {
  const b = new GraphBuilder();
  const zero = b.constant('zero', [], [3], 'uint8');
  const q = b.node('QuantizeLinear', [b.input('x', [2, 4]), b.scalar(0.25), zero]);
  const clipped = b.node('Clip', [q, b.constant('lo', [], [0], 'uint8'), b.constant('hi', [], [7], 'uint8')]);
  const x = b.node('DequantizeLinear', [clipped, b.scalar(0.25), zero]);
  const w = b.node('DequantizeLinear', [b.constant('w', [4, 3], [1, -2, 3, 4, -5, 6, -7, 8, 0, 1, 2, -3], 'int8'), b.scalar(0.125), b.constant('wz', [], [1], 'int8')]);
  const y = b.node('MatMul', [x, w]);
  const again = b.node('DequantizeLinear', [b.node('QuantizeLinear', [y, b.scalar(0.5), zero]), b.scalar(0.5), zero]);
  const graph = same(b.build(again), { ops: ['Quantize', 'MatMul', 'Requantize', 'Dequantize'], rounds: 20 });
  assert.equal(graph.values[graph.nodes[0].outputs[0]].range, [-3, 4]);
});

test('codes that are an output keep their type; what the quantizer cannot do stays, with a note', () => {
  const b = new GraphBuilder();
  const q = b.node('QuantizeLinear', [b.input('x', [2, 4]), b.scalar(0.25), b.constant('zero', [], [3], 'uint8')]);
  const graph = same(b.build(q, b.node('DequantizeLinear', [q, b.scalar(0.25), 'zero'])));
  assert.is(graph.values[q].dtype, 'uint8');
  const c = new GraphBuilder();
  const wide = c.quant(c.input('x', [2, 4]), 0.25, 32);
  const shifted = c.quant(c.node('Relu', [wide]), 0.25, 4, {}, 0.5);
  same(c.build(shifted), { ops: ['Quant', 'Relu', 'Quant'], notes: ['it has 32 bits, more than 24', 'its zero point is not one integer'] });
});

test('float networks pass through without a note; a streamlined graph stays as it is', () => {
  const b = new GraphBuilder();
  same(b.build(b.node('Relu', [b.node('MatMul', [b.input('x', [2, 3]), b.constant('w', [3, 2], dyadic(6, 0.25, 8))])])), { ops: ['MatMul', 'Relu'] });
  const { b: c, y } = dense();
  const once = same(c.build(c.quant(y, 0.25, 4)));
  assert.equal(streamlineWithNotes(once).graph.nodes, once.nodes);
});

test('quantized again with the same scale: no node', () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [2, 4]), 0.3, 4);
  same(b.build(b.quant(b.node('Relu', [b.quant(x, 0.3, 4)]), 0.3, 5)), { tolerance: 1e-6, ops: ['Quantize', 'Requantize', 'Dequantize'] });
  const plain = new GraphBuilder();
  same(plain.build(plain.quant(plain.quant(plain.input('x', [2, 4]), 0.3, 4), 0.3, 5)), { tolerance: 1e-6, ops: ['Quantize', 'Dequantize'] });
});

test('ArgMax and TopK on integers with one scale; dequantized before where scales differ', () => {
  const { b, y } = dense(5);
  same(b.build(b.node('ArgMax', [y], { axis: 1 })), { ops: ['Quantize', 'MatMul', 'ArgMax'] });
  const other = dense(5, [0.25, 0.5, 1, 0.125, 2]);
  same(other.b.build(other.b.node('ArgMax', [other.y], { axis: 1 })), {
    ops: ['Quantize', 'MatMul', 'Dequantize', 'ArgMax'], notes: ['the order of its input is not that of the integers'],
  });
});

test('partly quantized: float weights, float input, and two computed operands', () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [2, 3]), 0.25, 4);
  const y = b.node('MatMul', [x, b.constant('w', [3, 3], [0.3, 1, 2, -0.5, 0.75, 1, 0, 2, 3])]);
  const z = b.node('MatMul', [y, b.quant(b.constant('v', [3, 2], dyadic(6, 0.25, 8)), 0.25, 4)]);
  same(b.build(z), {
    tolerance: 1e-5, ops: ['Quantize', 'Dequantize', 'MatMul', 'MatMul'],
    notes: ['its weights "w" are not quantized', 'its input "MatMul_1_out" is not quantized'],
  });
  const c = new GraphBuilder();
  same(c.build(c.node('MatMul', [c.quant(c.input('p', [2, 3]), 0.25, 4), c.quant(c.input('q', [3, 2]), 0.5, 4)])), { ops: ['Quantize', 'Quantize', 'MatMul', 'Dequantize'] });
});

test('the accumulator has the type of its exact range', () => {
  const { b, y } = dense(5);
  const graph = same(b.build(y));
  const [layer] = graph.nodes.filter((n) => n.op === 'MatMul');
  const w = graph.constants[layer.inputs[1]];
  let [least, greatest] = [0, 0];
  for (let o = 0; o < 5; o++) {
    const column = Array.from({ length: 6 }, (_, k) => w.data[k * 5 + o]);
    least = Math.min(least, column.reduce((sum, v) => sum + Math.min(v * -8, v * 7), 0));
    greatest = Math.max(greatest, column.reduce((sum, v) => sum + Math.max(v * -8, v * 7), 0));
  }
  assert.equal(graph.values[layer.outputs[0]].range, [least, greatest]);
  const bits = [...Array(32).keys()].find((n) => -(2 ** (n - 1)) <= least && greatest < 2 ** (n - 1));
  assert.is(graph.values[layer.outputs[0]].dtype, `int${bits}`);
});

test.run();
