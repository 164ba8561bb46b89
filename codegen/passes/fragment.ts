/**
 * A graph under construction: the FragmentBuilder that `expand`, `gradient` and `moments` rules are given. Every node is
 * checked and inferred as it is added. Not a pass: passes decide what to add where.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import { makeConstant, type Attribute, type Constant, type Graph, type Node, type Value } from '../ir/graph.js';
import { nodeContext, valueInfo } from '../ops/context.js';
import { operator } from '../ops/index.js';
import type { FragmentBuilder, ValueInfo } from '../ops/record.js';

export class Fragment implements FragmentBuilder {
  /** Nodes added so far, in topological order. */
  readonly added: Node[] = [];
  readonly values: Record<string, Value> = {};
  readonly constants: Record<string, Constant> = {};
  private readonly infos = new Map<string, ValueInfo>();
  private readonly names: Set<string>;

  /** `prefix` begins the names of what is added; `graph` is inferred, and its values may be inputs of the nodes. */
  constructor(private readonly graph: Graph, private prefix: string) {
    this.names = new Set([...Object.keys(graph.values), ...graph.nodes.map((n) => n.name)]);
  }

  /** What is added from now on has names that begin so. */
  startNames(prefix: string): void {
    this.prefix = prefix;
  }

  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodes(op, inputs, 1, attributes)[0];
  }

  nodes(op: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, Attribute>> = {}): readonly string[] {
    const name = this.unique(op);
    const results = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? this.unique(`${op}.out`) : this.unique(`${op}.out${i}`)));
    const node: Node = { name, op, inputs, outputs: results, attributes };
    const record = operator(op, name);
    const context = nodeContext(node, record, inputs.map((input) => (input === '' ? undefined : this.info(input))));
    const inferred = record.infer(context);
    results.forEach((result, i) => {
      const { shape, dtype, annotation, range } = inferred[i];
      this.values[result] = { name: result, shape, dtype, ...(annotation ? { annotation } : {}), ...(range ? { range } : {}) };
      this.infos.set(result, { name: result, ...inferred[i] });
    });
    this.added.push(node);
    return results;
  }

  constant(value: Constant): string {
    const name = this.unique('constant');
    this.constants[name] = value;
    this.values[name] = { name, shape: value.shape, dtype: value.dtype };
    this.infos.set(name, { name, shape: value.shape, dtype: value.dtype, constant: value });
    return name;
  }

  scalar(value: number): string {
    return this.constant(makeConstant('float32', [], [value]));
  }

  info(name: string): ValueInfo {
    const own = this.infos.get(name);
    if (own) return own;
    if (!Object.hasOwn(this.graph.values, name)) fail('graph/missing-tensor', name, 'nothing defines this tensor', suggest(name, Object.keys(this.graph.values), 'tensor'));
    return valueInfo(this.graph, name);
  }

  private unique(hint: string): string {
    let name = `${this.prefix}.${hint}`;
    for (let i = 2; this.names.has(name); i++) name = `${this.prefix}.${hint}${i}`;
    this.names.add(name);
    return name;
  }
}

/** The graph with what a fragment added, after its own nodes. */
export function append(graph: Graph, fragment: Fragment): Graph {
  return {
    ...graph,
    values: { ...graph.values, ...fragment.values },
    constants: { ...graph.constants, ...fragment.constants },
    nodes: [...graph.nodes, ...fragment.added],
  };
}
