/**
 * `expand`: replaces every node whose record is a composite by the nodes that it stands for, until none is left, and
 * infers the result. What it is made of is in the records; `lower` sees only operators that have kernels.
 */
import type { Graph, Node } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { Fragment } from './fragment.js';
import { infer } from './infer.js';

/** The graph without composites. Takes an inferred graph, and gives one. */
export function expand(graph: Graph): Graph {
  let result = graph;
  while (result.nodes.some(isComposite)) result = infer(expandOnce(result));
  return result;
}

function isComposite(node: Node): boolean {
  return operator(node.op, node.name).expand !== undefined;
}

function expandOnce(graph: Graph): Graph {
  const values = { ...graph.values };
  const constants = { ...graph.constants };
  const nodes = graph.nodes.flatMap((node) => {
    const record = operator(node.op, node.name);
    if (!record.expand) return [node];
    const fragment = new Fragment(graph, node.name);
    const results = record.expand(graphContext(graph, node, record), fragment);
    // the last value of the fragment takes the name of the output that it stands for
    const renamed = new Map<string, string>();
    const copies: Node[] = [];
    node.outputs.forEach((output, i) => {
      if (output === '') return;
      const own = fragment.added.some((n) => n.outputs.includes(results[i]));
      if (own && !renamed.has(results[i])) renamed.set(results[i], output);
      else copies.push({ name: `${node.name}.copy${i}`, op: 'Identity', inputs: [results[i]], outputs: [output], attributes: {} });
    });
    const rename = (name: string): string => renamed.get(name) ?? name;
    for (const value of Object.values(fragment.values)) if (!renamed.has(value.name)) values[value.name] = value;
    Object.assign(constants, fragment.constants);
    return [...fragment.added, ...copies].map((n) => ({ ...n, inputs: n.inputs.map(rename), outputs: n.outputs.map(rename) }));
  });
  return { ...graph, values, constants, nodes };
}
