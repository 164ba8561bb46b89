/**
 * `moments`: the probabilistic forward pass. Every random value becomes a mean with a variance, by the rules of the
 * operators' records (Roth 2021, "Probabilistic forward pass"; Gast and Roth 2018, assumed density filtering).
 *
 * The rules hold for independent inputs. Where inputs are known to depend on one another, the report says so. Not here:
 * what is done with the moments of the output (head.ts).
 */
import { fail } from '../../ir/diagnostic.js';
import { makeConstant, type Constant, type Graph, type Node, type Value } from '../../ir/graph.js';
import { graphContext } from '../../ops/context.js';
import { operator } from '../../ops/index.js';
import type { MomentLabel, MomentPair } from '../../ops/record.js';
import { Fragment } from '../fragment.js';

/** One operator on random values. */
export interface MomentSite {
  readonly node: string;
  readonly op: string;
  /** Given independent inputs: exact, matched (exact for normal inputs, then taken as normal) or approximate. */
  readonly label: MomentLabel;
  /** Where independence is assumed but does not hold: what depends on what. */
  readonly violation?: string;
}

export interface Moments {
  /** Deterministic operators over means and variances; no posteriors. Its outputs are the means, then the variances of random outputs. */
  readonly graph: Graph;
  /** Of the given graph's outputs, in their order; no variance where an output is not random. */
  readonly outputs: readonly MomentPair[];
  /** In the graph's order. */
  readonly sites: readonly MomentSite[];
}

export interface MomentsOptions {
  /** Factor of the variances of all weights, or of single ones by name (others 1); for calibration. Default 1. */
  readonly calibration?: number | Readonly<Record<string, number>>;
}

/** A random value as the pass follows it. */
interface Random {
  readonly pair: MomentPair;
  /** The random weights that it depends on. */
  readonly sources: ReadonlySet<string>;
  /** True where its elements depend on one another. */
  readonly dependent: boolean;
}

/**
 * Mean and variance of every output. Takes an inferred graph, before constants are folded.
 *
 * @throws graph/no-moments for an operator on random values that has no rule, naming the node.
 */
export function moments(graph: Graph, { calibration = 1 }: MomentsOptions = {}): Moments {
  const { posteriors = {}, ...base } = graph;
  const random = new Map<string, Random>();
  const constants: Record<string, Constant> = {};
  const values: Record<string, Value> = {};
  const taken = new Set([...Object.keys(graph.values), ...graph.nodes.map((n) => n.name)]);
  for (const [name, { deviation }] of Object.entries(posteriors)) {
    if (deviation.data.every((s) => s === 0)) continue;
    const factor = typeof calibration === 'number' ? calibration : (calibration[name] ?? 1);
    const variance = unused(`${name}.variance`, taken);
    constants[variance] = makeConstant('float32', deviation.shape, Float64Array.from(deviation.data, (s) => s * s * factor));
    values[variance] = { name: variance, shape: deviation.shape, dtype: 'float32' };
    random.set(name, { pair: { mean: name, variance }, sources: new Set([name]), dependent: false });
  }

  const start: Graph = { ...base, values: { ...base.values, ...values }, constants: { ...base.constants, ...constants } };
  const fragment = new Fragment(start, 'moments');
  const nodes: Node[] = [];
  const sites: MomentSite[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => random.get(name));
    if (inputs.every((input) => input === undefined)) {
      nodes.push(node);
      continue;
    }
    const record = operator(node.op, node.name);
    const rule = record.moments;
    const context = graphContext(graph, node, record);
    if (!rule) {
      fail(
        'graph/no-moments', node.name,
        `${node.op} has no rule for mean and variance, and its input ${node.inputs[inputs.findIndex((i) => i !== undefined)]} is random`,
        'Compile the sampled twin, which needs no rules, or make what comes before it deterministic.',
      );
    }
    fragment.startNames(node.name);
    const first = fragment.added.length;
    const pair = rule.rule(context, node.inputs.map((name) => random.get(name)?.pair ?? { mean: name }), fragment);
    nodes.push(...fragment.added.slice(first));
    const violation = dependence(node, inputs, rule.dependence?.meets ?? []);
    sites.push({ node: node.name, op: node.op, label: rule.label, ...(violation === undefined ? {} : { violation }) });
    random.set(node.outputs[0], {
      pair,
      sources: new Set(inputs.flatMap((input) => [...(input?.sources ?? [])])),
      dependent: violation !== undefined || inputs.some((i) => i?.dependent) || (rule.dependence?.shares(context, inputs.map((i) => i !== undefined)) ?? false),
    });
  }

  const outputs = graph.outputs.map((name) => random.get(name)?.pair ?? { mean: name });
  const names = [...outputs.map((o) => o.mean), ...outputs.flatMap((o) => o.variance ?? [])];
  return {
    graph: { ...start, outputs: names, nodes, values: { ...start.values, ...fragment.values }, constants: { ...start.constants, ...fragment.constants } },
    outputs,
    sites,
  };
}

/** What breaks the independence of a node's inputs, in words; undefined where nothing does. */
function dependence(node: Node, inputs: readonly (Random | undefined)[], meets: readonly number[]): string | undefined {
  for (const i of meets) {
    const input = inputs[i];
    if (input?.dependent) return `elements of ${node.inputs[i]} that meet here depend on one another (${list(input.sources)})`;
  }
  for (let i = 0; i < inputs.length; i++) {
    for (let j = i + 1; j < inputs.length; j++) {
      const [a, b] = [inputs[i], inputs[j]];
      // a rule treats one value given twice as what it is
      if (!a || !b || node.inputs[i] === node.inputs[j]) continue;
      const both = [...a.sources].filter((s) => b.sources.has(s));
      if (both.length > 0) return `${node.inputs[i]} and ${node.inputs[j]} both depend on ${list(new Set(both))}`;
    }
  }
  return undefined;
}

function list(names: ReadonlySet<string>): string {
  const [shown, rest] = [[...names].slice(0, 3), names.size - 3];
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function unused(hint: string, taken: Set<string>): string {
  let name = hint;
  for (let i = 2; taken.has(name); i++) name = `${hint}${i}`;
  taken.add(name);
  return name;
}
