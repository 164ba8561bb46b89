/**
 * `poolFirst`: max pools before the ReLU that they follow, so that moments of ReLU are made of the windows' greatest elements only.
 *
 * relu(max(x)) = max(relu(x)), since ReLU never falls, so the network stays the same. Its moments come nearer: those of the greatest
 * of normal variables are matched (functions/greater.ts), and sums are closer to normal ones than what ReLU leaves of them.
 */
import type { Graph, Node } from '../../ir/graph.js';

/** ReLU and LeakyReLU of a slope that is not negative. */
const neverFalls = (node: Node): boolean => node.op === 'Relu' || (node.op === 'LeakyRelu' && Number(node.attributes.alpha ?? 0.01) >= 0);

/** Takes an inferred graph. A ReLU that others read too, or whose values are an output, stays before its pool. */
export function poolFirst(graph: Graph): Graph {
  const nodes = [...graph.nodes];
  const values = { ...graph.values };
  for (let i = 0; i < nodes.length; i++) {
    const pool = nodes[i];
    const r = nodes.findIndex((n) => neverFalls(n) && n.outputs[0] === pool.inputs[0]);
    if (pool.op !== 'MaxPool' || pool.outputs.length > 1 || r < 0) continue;
    const relu = nodes[r];
    const [between] = relu.outputs;
    const [pooled] = pool.outputs;
    if (graph.outputs.includes(between) || nodes.some((n) => n !== pool && n.inputs.includes(between))) continue;
    // What lay between them lies there still, with the shape of the pool.
    values[between] = { ...values[pooled], name: between };
    nodes[i] = { ...relu, inputs: [between], outputs: [pooled] };
    nodes.splice(i, 0, { ...pool, inputs: relu.inputs, outputs: [between] });
    nodes.splice(r, 1);
  }
  return { ...graph, nodes, values };
}
