/**
 * Softmax before opset 13 flattens its input to two dimensions at `axis` and normalizes over all of the second; the record
 * has the newer meaning, one axis. Where the two differ, the flattening becomes nodes.
 */
import type { Graph, Node, Value } from '../ir/graph.js';
import { infer } from '../passes/infer.js';

/** Gives every Softmax of a graph of an older opset the newer form. May raise what `infer` raises: ranks are needed. */
export function modernizeSoftmax(graph: Graph): Graph {
  const axisOf = (node: Node): number => (typeof node.attributes.axis === 'number' ? node.attributes.axis : 1);
  if (!graph.nodes.some((n) => n.op === 'Softmax' && axisOf(n) !== -1)) return graph;
  const shapes = infer({ ...graph, nodes: graph.nodes.map((n) => (n.op === 'Softmax' ? { ...n, attributes: { axis: -1 } } : n)) }).values;

  const values: Record<string, Value> = { ...graph.values };
  const add = (name: string): string => {
    while (Object.hasOwn(values, name)) name += '_';
    values[name] = { name };
    return name;
  };
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'Softmax') return [node];
    const rank = shapes[node.inputs[0]].shape!.length;
    const axis = axisOf(node) < 0 ? axisOf(node) + rank : axisOf(node);
    if (axis === rank - 1) return [{ ...node, attributes: { axis: -1 } }];
    const { name, inputs, outputs } = node;
    const [flat, soft, shape] = ['flat', 'soft', 'shape'].map((part) => add(`${outputs[0]}_${part}`));
    return [
      { name: `${name}_flatten`, op: 'Flatten', inputs, outputs: [flat], attributes: { axis } },
      { name, op: 'Softmax', inputs: [flat], outputs: [soft], attributes: { axis: -1 } },
      { name: `${name}_shape`, op: 'Shape', inputs, outputs: [shape], attributes: {} },
      { name: `${name}_reshape`, op: 'Reshape', inputs: [soft, shape], outputs, attributes: {} },
    ];
  });
  return { ...graph, values, nodes };
}
