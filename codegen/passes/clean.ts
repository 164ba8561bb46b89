/**
 * `clean`: removes what changes nothing: nodes without effect, Identity, Dropout, unused constants and values.
 *
 * The interface stays as it is, names included.
 */
import type { Graph, Node } from '../ir/graph.js';

/** The graph without dead nodes, Identity and Dropout. Shapes, where known, stay known. */
export function clean(graph: Graph): Graph {
  return dropUnused(bypass(dropUnused(graph)));
}

/** The graph without nodes that no output depends on, and without unused constants and values. Inputs stay. */
export function dropUnused(graph: Graph): Graph {
  const used = new Set(graph.outputs);
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => used.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) if (name !== '') used.add(name);
  }
  nodes.reverse();
  for (const name of graph.inputs) used.add(name);
  for (const node of nodes) for (const name of node.outputs) if (name !== '') used.add(name);
  const keep = <V>(record: Readonly<Record<string, V>>): Record<string, V> => Object.fromEntries(Object.entries(record).filter(([name]) => used.has(name)));
  return { ...graph, nodes, constants: keep(graph.constants), values: keep(graph.values) };
}

/** Takes nodes out that pass their first input on. */
function bypass(graph: Graph): Graph {
  const renamed = new Map<string, string>();
  const resolve = (name: string): string => {
    for (let to = renamed.get(name); to !== undefined; to = renamed.get(name)) name = to;
    return name;
  };
  const produced = new Set(graph.nodes.flatMap((n) => n.outputs));
  const uses = new Set(graph.nodes.flatMap((n) => n.inputs));
  const outputs = new Set(graph.outputs);

  const kept = graph.nodes.filter((node) => {
    const mask = node.outputs[1];
    const isPassing = node.op === 'Identity' || (node.op === 'Dropout' && (!mask || (!uses.has(mask) && !outputs.has(mask))));
    if (!isPassing) return true;
    const [from, to] = [resolve(node.inputs[0]), node.outputs[0]];
    if (!outputs.has(to)) {
      renamed.set(to, from);
      return false;
    }
    // The name of an output of the graph stays: its producer takes it, if there is one and it has no such name itself.
    if (!produced.has(from) || outputs.has(from)) return true;
    renamed.set(from, to);
    return false;
  });
  if (renamed.size === 0) return graph;
  const nodes = kept.map((node) => ({ ...node, inputs: node.inputs.map(resolve), outputs: node.outputs.map(resolve) }));
  return { ...graph, nodes };
}
