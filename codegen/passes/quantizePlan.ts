/**
 * Where `quantize` puts quantizers: which nodes can work on integers, which values they need as codes, and which of those
 * must share scales. Looks at structure only; ranges and codes come later (quantizeRanges.ts, quantize.ts).
 *
 * A value is quantized where a node that has an integer form reads it. What only moves or picks elements (movement, max
 * pooling) works on codes as they are, so the quantizer goes in front of it, behind the layer and its activation, where it
 * becomes the layer's requantization. Operands of an addition are to share one scale, so that codes add; parts of a
 * concatenation share all.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import type { Graph, Node, Shape } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';

/** Weights of a layer: quantized along `axis`, its output channels. */
export interface LayerWeights {
  readonly name: string;
  readonly axis: number;
  /** Dimension of the output channels in the layer's result. */
  readonly outputAxis: number;
}

/** A node that is to work on integers. */
export interface QuantizedNode {
  readonly node: Node;
  /** Which inputs it reads as codes. */
  readonly inputs: readonly number[];
  readonly weights?: LayerWeights;
}

export interface QuantizationPlan {
  /** In the graph's order. */
  readonly nodes: readonly QuantizedNode[];
  /** Values behind which a quantizer goes, by the group with which they share scale, zero point and sign. */
  readonly points: ReadonlyMap<string, number>;
  /** Groups whose scales are to be equal, for sums. Every group is in one of the lists. */
  readonly ties: readonly (readonly number[])[];
  /** Groups whose codes only sums read. */
  readonly sumsOnly: ReadonlySet<number>;
  /** The quantizer whose codes a value follows from: itself, or what was moved, picked or joined to make it. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  /** Layers that have no integer form, and why. */
  readonly left: readonly { readonly node: Node; readonly reason: string }[];
  /** Names of nodes that read and give floats although others around them do not. */
  readonly kept: ReadonlySet<string>;
}

/** Operators that make a model one that is quantized already. */
const quantizers = new Set(['Quant', 'BipolarQuant', 'Trunc', 'MultiThreshold', 'QuantizeLinear', 'DequantizeLinear', 'Quantize', 'Requantize', 'Dequantize']);

/** Operators that only move or pick elements of their first input. */
const movements = new Set(['MaxPool', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity', 'Dropout', 'Pad']);

const additions = new Set(['Add', 'Sub']);
const pools = new Set(['AveragePool', 'GlobalAveragePool', 'ReduceMean', 'ReduceSum']);
const layers = new Set(['Conv', 'Gemm', 'MatMul', 'ConvTranspose']);

/**
 * Plans a float graph that is inferred and folded.
 * @param keepFloat names of nodes that are to stay float
 * @throws quantize/model where it is quantized already or has nothing to quantize, quantize/options for a name that no node has.
 */
export function planQuantization(graph: Graph, keepFloat: readonly string[] = []): QuantizationPlan {
  const quantized = graph.nodes.find((n) => quantizers.has(n.op));
  if (quantized) fail('quantize/model', quantized.name, `the model is quantized already: this node is a ${quantized.op}`, 'Quantize the float model that it was made from.');
  const candidates: QuantizedNode[] = [];
  const left: { node: Node; reason: string }[] = [];
  for (const node of graph.nodes) {
    const found = quantizable(graph, node);
    if (typeof found === 'string') left.push({ node, reason: found });
    else if (found) candidates.push(found);
  }
  const names = candidates.map((n) => n.node.name);
  for (const name of keepFloat) {
    if (!names.includes(name)) fail('quantize/options', name, 'no layer of this name is quantized, so none can be kept in float', suggest(name, names, 'layer'));
  }
  if (!candidates.some((n) => n.weights)) {
    fail('quantize/model', graph.name, 'the model has no layer that can be quantized', ...left.slice(0, 3).map((l) => `${l.node.name} (${l.node.op}): ${l.reason}.`), 'Layers are Conv, Gemm and MatMul with constant weights.');
  }
  const nodes = candidates.filter((n) => !keepFloat.includes(n.node.name));
  return { nodes, left, kept: new Set([...keepFloat, ...left.map((l) => l.node.name)]), ...placeQuantizers(graph, nodes) };
}

const isComputed = (graph: Graph, name: string): boolean => name !== '' && !Object.hasOwn(graph.constants, name) && graph.values[name]?.dtype === 'float32';

/** The node as one that works on integers; undefined where it is none of the kind, a reason where it is but cannot. */
function quantizable(graph: Graph, node: Node): QuantizedNode | string | undefined {
  const [a, b] = node.inputs;
  if (additions.has(node.op)) return isComputed(graph, a) && isComputed(graph, b) ? { node, inputs: [0, 1] } : undefined;
  if (pools.has(node.op)) return isComputed(graph, a) ? { node, inputs: [0] } : undefined;
  if (!layers.has(node.op)) return undefined;
  if (node.op === 'ConvTranspose') return 'ConvTranspose has no integer form';
  if (!isComputed(graph, a)) return `its first input "${a}" is constant`;
  if (node.op === 'MatMul' && isComputed(graph, b)) return { node, inputs: [0, 1] };
  if (graph.constants[b]?.dtype !== 'float32') return `its weights "${b}" are computed at run time`;
  const context = graphContext(graph, node, operator(node.op, node.name));
  if (node.op === 'Conv') return { node, inputs: [0], weights: { name: b, axis: 0, outputAxis: 1 } };
  if (node.op === 'Gemm') {
    if (context.int('transA') !== 0) return 'its input is transposed';
    return { node, inputs: [0], weights: { name: b, axis: context.int('transB') ? 0 : 1, outputAxis: 1 } };
  }
  const rank = context.input(0).shape.length;
  const dimensions = context.input(1).shape.length;
  if (dimensions !== 2 || rank < 2) return `its weights "${b}" have ${dimensions} dimensions`;
  return { node, inputs: [0], weights: { name: b, axis: 1, outputAxis: rank - 1 } };
}

// ---- Places --------------------------------------------------------------------------------------------------------

function placeQuantizers(graph: Graph, nodes: readonly QuantizedNode[]): Pick<QuantizationPlan, 'points' | 'ties' | 'sumsOnly' | 'sources'> {
  const producers = new Map(graph.nodes.flatMap((n) => n.outputs.map((name): [string, Node] => [name, n])));
  const sources = new Map<string, readonly string[]>();
  const parameters = new UnionFind();
  const trace = (name: string): readonly string[] => {
    const known = sources.get(name);
    if (known) return known;
    const producer = producers.get(name);
    const from = producer ? movedInputs(graph, producer, name) : undefined;
    const found = from ? [...new Set(from.flatMap(trace))] : [name];
    found.forEach((other) => parameters.join(found[0], other));
    sources.set(name, found);
    return found;
  };
  const reads = nodes.map(({ node, inputs }) => ({ node, read: inputs.map((i) => trace(node.inputs[i])) }));

  const groups = new Map<string, number>();
  const points = new Map<string, number>();
  for (const name of reads.flatMap(({ read }) => read.flat())) {
    const root = parameters.root(name);
    if (!groups.has(root)) groups.set(root, groups.size);
    points.set(name, groups.get(root)!);
  }
  const tied = new UnionFind();
  const sumsOnly = new Set(points.values());
  for (const { node, read } of reads) {
    const all = read.flat().map((name) => points.get(name)!);
    if (additions.has(node.op)) all.forEach((group) => tied.join(String(all[0]), String(group)));
    else all.forEach((group) => sumsOnly.delete(group));
  }
  const ties = new Map<string, number[]>();
  for (const group of new Set(points.values())) {
    const root = tied.root(String(group));
    ties.set(root, [...(ties.get(root) ?? []), group]);
  }
  return { points, ties: [...ties.values()], sumsOnly, sources };
}

/** The inputs whose elements `name` consists of; undefined where the node computes. */
function movedInputs(graph: Graph, node: Node, name: string): readonly string[] | undefined {
  if (name !== node.outputs[0] || node.outputs.slice(1).some((other) => other !== '')) return undefined;
  const [x] = node.inputs;
  if (node.op === 'Concat') return node.inputs.every((input) => isComputed(graph, input)) ? node.inputs : undefined;
  if (!movements.has(node.op) || !isComputed(graph, x)) return undefined;
  if (node.op === 'Pad') {
    const context = graphContext(graph, node, operator('Pad', node.name));
    const fill = context.inputs[2];
    if (context.text('mode') !== 'constant' || (fill && fill.constant?.data[0] !== 0)) return undefined;
  }
  return [x];
}

class UnionFind {
  private readonly parents = new Map<string, string>();

  root(name: string): string {
    let at = name;
    for (let up = this.parents.get(at); up !== undefined; up = this.parents.get(at)) at = up;
    return at;
  }

  join(a: string, b: string): void {
    const [from, to] = [this.root(b), this.root(a)];
    if (from !== to) this.parents.set(from, to);
  }
}

/** All dimensions of a value but the one at `axis`. */
export function otherAxes(shape: Shape, axis: number): number[] {
  return shape.map((_, d) => d).filter((d) => d !== axis);
}
