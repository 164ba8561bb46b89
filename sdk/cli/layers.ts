/** What a graph's nodes cost: the facts that `inspect` prints. Not here: how they print. */
import { describe, type DataType } from '../../codegen/ir/datatype.js';
import { elementCount, type Graph, type Node } from '../../codegen/ir/graph.js';

export interface Layer {
  readonly name: string;
  readonly op: string;
  /** Data type of the first input, of the weights, and of the result (for dense and convolution: the accumulator). */
  readonly input: string;
  readonly weights?: string;
  readonly result: string;
  /** Shape of the result, batch included. */
  readonly shape: readonly number[];
  /** Multiply-accumulate operations of one call. */
  readonly macs: number;
  /** Bits of the constants, as narrow as their data type allows. */
  readonly weightBits: number;
}

/** One layer a node, in the graph's order; the graph must be inferred. Constants that two nodes share count once. */
export function layers(graph: Graph): Layer[] {
  const counted = new Set<string>();
  return graph.nodes.map((node) => {
    const constants = node.inputs.filter((name) => name !== '' && Object.hasOwn(graph.constants, name));
    const fresh = constants.filter((name) => !counted.has(name));
    fresh.forEach((name) => counted.add(name));
    const data = node.inputs.find((name) => name !== '' && !constants.includes(name)) ?? node.inputs[0];
    const weights = isProduct(node) && constants.includes(node.inputs[1]) ? node.inputs[1] : undefined;
    return {
      name: node.name,
      op: node.op,
      input: data ? typeOf(graph, data) : '',
      ...(weights ? { weights: typeOf(graph, weights) } : {}),
      result: typeOf(graph, node.outputs[0]),
      shape: shapeOf(graph, node.outputs[0]),
      macs: macs(graph, node),
      weightBits: fresh.reduce((sum, name) => sum + elementCount(graph.constants[name].shape) * bits(graph, name), 0),
    };
  });
}

const isProduct = (node: Node): boolean => ['MatMul', 'Gemm', 'Conv'].includes(node.op);
const shapeOf = (graph: Graph, name: string): readonly number[] => (graph.values[name]?.shape ?? []) as readonly number[];

/** To what the values are restricted: the annotation where there is one. */
const typeOf = (graph: Graph, name: string): DataType => graph.values[name]?.annotation ?? graph.values[name]?.dtype ?? 'float32';

function bits(graph: Graph, name: string): number {
  return describe(typeOf(graph, name)).bits;
}

function macs(graph: Graph, node: Node): number {
  if (!isProduct(node)) return 0;
  const out = elementCount(shapeOf(graph, node.outputs[0]));
  const [a, b] = node.inputs.map((name) => shapeOf(graph, name));
  if (node.op === 'Conv') return (out * elementCount(b)) / b[0];
  if (node.op === 'Gemm') return out * a[node.attributes.transA === 1 ? 0 : 1];
  return out * a[a.length - 1];
}
