/**
 * The probabilistic forward pass of a Bayesian network as an ONNX graph, for engines that know ordinary operators only: what our
 * own module computes, in the form in which onnxruntime-web is fastest (measured: two thirds of the time of a graph that was exported
 * from torch operators).
 *
 * Means and variances in the expanded form. ReLU and the greater of two by Erf and Exp: with P = Phi(a), mean = m P + s phi(a),
 * variance = v P - mean (mean - m). Pools are 2 x 2: SpaceToDepth and Split, so that the pairs of both rows are one tensor.
 */
import type { Constant, Graph, Node } from '../../../codegen/ir/graph.js';
import { OnnxWriter } from './onnx.js';

interface Pair {
  readonly mean: string;
  /** Undefined of the input, which is not random. */
  readonly variance?: string;
}

/** A graph of Flatten, Gemm, Conv, Relu and MaxPool (2 x 2) with a posterior for every weight; Relu stands behind the pools. */
export function pfpOnnx(graph: Graph, batch: number): Uint8Array {
  const w = new OnnxWriter();
  const values = new Map<string, Pair>([[graph.inputs[0], { mean: 'x' }]]);
  for (const node of graph.nodes) values.set(node.outputs[0], pairOf(w, graph, node, values.get(node.inputs[0])!, batch));
  const { mean, variance } = values.get(graph.outputs[0])!;
  return w.file([batch, ...(graph.values[graph.inputs[0]].shape!.slice(1) as number[])], [mean, variance!]);
}

function pairOf(w: OnnxWriter, graph: Graph, node: Node, x: Pair, batch: number): Pair {
  switch (node.op) {
    case 'Flatten':
      return { mean: w.node('Flatten', [x.mean], { axis: 1 }), ...(x.variance ? { variance: w.node('Flatten', [x.variance], { axis: 1 }) } : {}) };
    case 'Relu':
      return rectified(w, x.mean, x.variance!);
    case 'MaxPool':
      return pooled(w, x.mean, x.variance!, graph.values[node.outputs[0]].shape as number[], batch);
    case 'Gemm':
    case 'Conv':
      return product(w, graph, node, x);
    default:
      throw new Error(`the benchmark's ONNX graph has no ${node.op}`);
  }
}

function product(w: OnnxWriter, graph: Graph, node: Node, x: Pair): Pair {
  const constant = (name: string, f: (mean: number, deviation: number) => number): string => {
    const [{ shape, data }, { deviation }] = [graph.constants[name] as Constant, graph.posteriors![name]];
    return w.floats(shape, Array.from(data, (m, i) => f(m, deviation.data[i])));
  };
  const attributes: Record<string, number | readonly number[]> = node.op === 'Gemm' ? { transB: 1 } : { kernel_shape: node.attributes.kernel_shape as readonly number[], pads: node.attributes.pads as readonly number[] };
  const form = (input: string, f: (mean: number, deviation: number) => number, bias?: string): string =>
    w.node(node.op, [input, constant(node.inputs[1], f), ...(bias === undefined ? [] : [bias])], attributes);
  const spread = (_m: number, s: number): number => s * s;
  const mean = form(x.mean, (m) => m, constant(node.inputs[2], (m) => m));
  const square = w.node('Mul', [x.mean, x.mean]);
  const bias = constant(node.inputs[2], spread);
  if (!x.variance) return { mean, variance: form(square, spread, bias) };
  const ofWeights = form(w.node('Add', [square, x.variance]), spread, bias);
  const ofData = (sum?: string): string => form(x.variance!, (m) => m * m, sum);
  return { mean, variance: node.op === 'Gemm' ? ofData(ofWeights) : w.node('Add', [ofWeights, ofData()]) };
}

/** P = Phi(distance / deviation), and deviation * phi of it. */
function normal(w: OnnxWriter, distance: string, variance: string): { readonly below: string; readonly spread: string } {
  // s sqrt(2): the quotient by it is what Erf and Exp take. No variance is 1e-18 of one.
  const wide = w.node('Sqrt', [w.node('Add', [w.node('Mul', [variance, w.scalar(2)]), w.scalar(1e-18)])]);
  const u = w.node('Div', [distance, wide]);
  const below = w.node('Add', [w.node('Mul', [w.node('Erf', [u]), w.scalar(0.5)]), w.scalar(0.5)]);
  const bell = w.node('Exp', [w.node('Sub', [w.scalar(Math.log(0.5 / Math.sqrt(Math.PI))), w.node('Mul', [u, u])])]);
  return { below, spread: w.node('Mul', [wide, bell]) };
}

function rectified(w: OnnxWriter, m: string, v: string): Required<Pair> {
  const { below, spread } = normal(w, m, v);
  const mean = w.node('Add', [w.node('Mul', [m, below]), spread]);
  const lost = w.node('Mul', [mean, w.node('Sub', [mean, m])]);
  return { mean, variance: w.node('Relu', [w.node('Sub', [w.node('Mul', [v, below]), lost])]) };
}

/** max(a, b) = b + max(a - b, 0): variance = v_b + P (v_a - v_b) + (m_a - mean) (mean - m_b). */
function greater(w: OnnxWriter, [ma, mb]: readonly string[], [va, vb]: readonly string[]): Required<Pair> {
  const distance = w.node('Sub', [ma, mb]);
  const { below, spread } = normal(w, distance, w.node('Add', [va, vb]));
  const gain = w.node('Add', [w.node('Mul', [distance, below]), spread]);
  const mixed = w.node('Add', [vb, w.node('Mul', [below, w.node('Sub', [va, vb])])]);
  const lost = w.node('Mul', [w.node('Sub', [distance, gain]), gain]);
  return { mean: w.node('Add', [mb, gain]), variance: w.node('Relu', [w.node('Add', [mixed, lost])]) };
}

function pooled(w: OnnxWriter, m: string, v: string, shape: readonly number[], batch: number): Pair {
  const [, c, h, width] = shape;
  const windows = w.integers([batch, 2, 2, c, h, width]);
  const halves = (x: string, axis: number): string[] => w.nodesOf('Split', [x], 2, { axis });
  const blocks = (x: string): string[] => halves(w.node('Reshape', [w.node('SpaceToDepth', [x], { blocksize: 2 }), windows]), 2);
  const rows = greater(w, blocks(m), blocks(v));
  const all = greater(w, halves(rows.mean, 1), halves(rows.variance, 1));
  const whole = w.integers([batch, c, h, width]);
  return { mean: w.node('Reshape', [all.mean, whole]), variance: w.node('Reshape', [all.variance, whole]) };
}
