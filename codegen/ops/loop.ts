/**
 * `loopParts`: which nodes of a graph run before its loop, in each iteration, and behind it. What an iteration is, is said with
 * `Loop` (ir/graph.ts); what is carried from one to the next, by the records (`carries`).
 */
import { fail } from '../ir/diagnostic.js';
import type { Graph, Node } from '../ir/graph.js';
import { operator } from './index.js';

export interface LoopParts {
  readonly before: readonly Node[];
  readonly inside: readonly Node[];
  readonly behind: readonly Node[];
}

/**
 * The nodes of a graph by part, in their order; all are `before` where it has no loop.
 *
 * @throws graph/loop for a node or output that needs a value of a single iteration behind the loop.
 */
export function loopParts(graph: Graph): LoopParts {
  const parts = { before: [] as Node[], inside: [] as Node[], behind: [] as Node[] };
  const inner = new Set<string>();
  const carried = new Set<string>();
  for (const node of graph.nodes) {
    const moves = node.op === 'LoopIndex' || node.inputs.some((name) => inner.has(name));
    const last = node.inputs.find((name) => carried.has(name));
    if (moves && last !== undefined) {
      fail(
        'graph/loop', node.name,
        `${node.op} takes ${node.inputs.find((name) => inner.has(name))}, which each iteration of the graph's loop makes anew, and ${last}, which is there behind the loop`,
        'Only SampleMean, SampleMoments, SampleInformation and SampleCollect carry values out of the loop.',
      );
    }
    parts[moves ? 'inside' : last === undefined ? 'before' : 'behind'].push(node);
    const results = moves && !operator(node.op, node.name).carries ? inner : moves || last !== undefined ? carried : undefined;
    for (const name of node.outputs) if (name !== '') results?.add(name);
  }
  for (const name of graph.outputs) {
    if (inner.has(name)) fail('graph/loop', name, 'this output is made anew in each iteration of the graph\'s loop', 'Give it to SampleMean, SampleMoments, SampleInformation or SampleCollect, whose results are there behind the loop.');
  }
  return parts;
}
