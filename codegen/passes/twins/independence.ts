/**
 * Which elements of random values depend on one another: for each random weight that a value depends on, the dimensions along which
 * its elements see different parts of that weight. Two elements can only depend on one another through a weight where they agree in
 * all of these; so no dimension means that all may.
 *
 * It errs on the side of dependence: what is reported may be harmless, what is not reported is independent.
 */
import type { Node } from '../../ir/graph.js';
import { elementwiseFlow } from '../../ops/dependence.js';
import type { MomentDependence, MomentFlow, NodeContext } from '../../ops/record.js';

/** By random weight: dimensions in which elements that differ share nothing of it. */
export type Sources = ReadonlyMap<string, ReadonlySet<number>>;

/** The elements of a random weight are independent of one another. */
export function ownSource(name: string, rank: number): Sources {
  return new Map([[name, new Set(Array.from({ length: rank }, (_, d) => d))]]);
}

export interface Dependence {
  /** Of the output. */
  readonly sources: Sources;
  /** What breaks the independence of the inputs, in words; undefined where nothing does. */
  readonly violation?: string;
}

/**
 * How the output of a node depends on random weights. `inputs`: those of each random input; `same(i, j)`: whether two inputs are one
 * value, which rules take as what it is.
 */
export function follow(node: Node, context: NodeContext, to: readonly number[], inputs: readonly (Sources | undefined)[], rule: MomentDependence | undefined, same: (i: number, j: number) => boolean): Dependence {
  const declared = rule?.flows(context, to);
  const shapes = inputs.map((_, i) => context.inputs[i]?.shape ?? []);
  const flow = (i: number): MomentFlow => declared?.[i] ?? elementwiseFlow(shapes[i], to);
  return { sources: merge(inputs, shapes, flow, same), violation: within(node, inputs, shapes, flow) ?? (rule?.apart ? undefined : across(node, inputs, same)) };
}

/** Elements of one input that meet though they depend on one another. */
function within(node: Node, inputs: readonly (Sources | undefined)[], shapes: readonly (readonly number[])[], flow: (i: number) => MomentFlow): string | undefined {
  for (const [i, sources] of inputs.entries()) {
    if (!sources) continue;
    const meeting = flow(i).meets.filter((d) => shapes[i][d] > 1);
    const shared = [...sources].filter(([, apart]) => meeting.some((d) => !apart.has(d))).map(([name]) => name);
    if (shared.length > 0) return `elements of ${node.inputs[i]} that meet here depend on one another (${list(shared)})`;
  }
  return undefined;
}

/** Different inputs that depend on one weight. */
function across(node: Node, inputs: readonly (Sources | undefined)[], same: (i: number, j: number) => boolean): string | undefined {
  for (let i = 0; i < inputs.length; i++) {
    for (let j = i + 1; j < inputs.length; j++) {
      const [a, b] = [inputs[i], inputs[j]];
      if (!a || !b || same(i, j)) continue;
      const both = [...a.keys()].filter((s) => b.has(s));
      if (both.length > 0) return `${node.inputs[i]} and ${node.inputs[j]} both depend on ${list(both)}`;
    }
  }
  return undefined;
}

function merge(inputs: readonly (Sources | undefined)[], shapes: readonly (readonly number[])[], flow: (i: number) => MomentFlow, same: (i: number, j: number) => boolean): Sources {
  const result = new Map<string, ReadonlySet<number>>();
  const from = new Map<string, number>();
  for (const [i, sources] of inputs.entries()) {
    for (const [name, apart] of sources ?? []) {
      const first = from.get(name);
      if (first !== undefined && same(first, i)) continue;
      // through two inputs, which element of the one shares what with which of the other is not followed
      const kept = first === undefined ? flow(i).keeps.flatMap((dims, d) => (dims?.every((k) => apart.has(k) || shapes[i][k] === 1) ? [d] : [])) : [];
      result.set(name, new Set(kept));
      from.set(name, i);
    }
  }
  return result;
}

function list(names: readonly string[]): string {
  const [shown, rest] = [names.slice(0, 3), names.length - 3];
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
