/**
 * Puts nodes into topological order, and finds what has no order: missing tensors, cycles. Stable: sorted nodes stay.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import type { Node } from '../ir/graph.js';

/**
 * Nodes so ordered that each comes after those that it depends on; nodes that already are keep their order. `known` names
 * the graph's inputs and constants. Raises graph/missing-tensor and graph/cycle.
 */
export function sortNodes(nodes: readonly Node[], known: ReadonlySet<string>): readonly Node[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, i) => node.outputs.forEach((name) => name !== '' && producer.set(name, i)));

  const sorted: Node[] = [];
  const state = new Uint8Array(nodes.length); // 0 not seen, 1 on the path, 2 placed
  // A path of its own instead of recursion: chains of a hundred thousand nodes are no reason to fail.
  const path: { index: number; next: number }[] = [];
  for (let root = 0; root < nodes.length; root++) {
    if (state[root] !== 0) continue;
    path.push({ index: root, next: 0 });
    state[root] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1];
      const node = nodes[top.index];
      if (top.next === node.inputs.length) {
        sorted.push(node);
        state[top.index] = 2;
        path.pop();
        continue;
      }
      const name = node.inputs[top.next++];
      if (name === '' || known.has(name)) continue;
      const from = producer.get(name);
      if (from === undefined) {
        const valid = [...known, ...producer.keys()];
        fail('graph/missing-tensor', node.name, `${node.op} takes "${name}", which nothing in the model defines`, suggest(name, valid, 'tensor'));
      }
      if (state[from] === 1) {
        const start = path.findIndex((p) => p.index === from);
        const circle = path.slice(start).map((p) => p.index).reverse(); // the path goes from a node to what it depends on
        const first = circle.indexOf(circle.reduce((a, b) => Math.min(a, b)));
        const order = [...circle.slice(first), ...circle.slice(0, first)].map((i) => nodes[i].name);
        const shown = order.length > 8 ? [...order.slice(0, 4), '...', ...order.slice(-3)] : order;
        fail(
          'graph/cycle',
          order[0],
          `these nodes depend on one another in a circle: ${[...shown, order[0]].join(' -> ')}`,
          'A network must be acyclic: unroll loops before export.',
        );
      }
      if (state[from] === 0) {
        state[from] = 1;
        path.push({ index: from, next: 0 });
      }
    }
  }
  return sorted;
}
