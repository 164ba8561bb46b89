/**
 * Bytes of a module against what its weights need: logical weights, biases and requantization constants as narrow as their
 * data types, without a byte of padding or packing. Counted from the graph, never from what the compiler packed.
 */
import type { Graph, Node } from '../../codegen/ir/graph.js';
import { elementCount } from '../../codegen/ir/graph.js';
import { describe, type DataType } from '../../codegen/ir/datatype.js';
import { compiled, type Build } from './compiled.js';
import type { Network } from './networks.js';

/** What a module may take beyond its weights. */
export const allowedBytes = 24 * 1024;

export interface Bytes {
  readonly network: string;
  readonly kind: string;
  readonly build: string;
  readonly module: number;
  /** Logical bytes of constants. */
  readonly weights: number;
}

const typeOf = (graph: Graph, name: string): DataType => graph.values[name]?.annotation ?? graph.values[name]?.dtype ?? graph.constants[name].dtype;

/** Bits of one element: of thresholds those of the accumulator that is compared with them. */
function bitsOf(graph: Graph, node: Node, index: number): number {
  const own = describe(typeOf(graph, node.inputs[index])).bits;
  return node.op === 'Requantize' && index === 1 ? Math.min(own, describe(typeOf(graph, node.inputs[0])).bits) : own;
}

/** Logical bytes of all constants of a graph that has been through the passes; each constant once. */
export function logicalBytes(graph: Graph): number {
  const counted = new Set<string>();
  let bytes = 0;
  for (const node of graph.nodes) {
    node.inputs.forEach((name, i) => {
      if (name === '' || !Object.hasOwn(graph.constants, name) || counted.has(name)) return;
      counted.add(name);
      bytes += Math.ceil((elementCount(graph.constants[name].shape) * bitsOf(graph, node, i)) / 8);
    });
  }
  return bytes;
}

export async function measureBytes(network: Network, build: Build): Promise<Bytes> {
  const { artifact } = await compiled(`${network.name.replaceAll(' ', '_')}.${network.kind}`, network.graph, build, 1);
  return { network: network.name, kind: network.kind, build: build.target, module: artifact.wasm.length, weights: logicalBytes(artifact.graph) };
}
