/**
 * `moments`: the probabilistic forward pass. Every random value becomes a mean with a variance, by the rules of the
 * operators' records (Roth 2021, "Probabilistic forward pass"; Gast and Roth 2018, assumed density filtering).
 *
 * The rules hold for independent inputs. Where inputs are known to depend on one another, the report says so. Not here:
 * what is done with the moments of the output (head.ts).
 */
import { fail } from '../../ir/diagnostic.js';
import type { Graph, Node } from '../../ir/graph.js';
import { graphContext } from '../../ops/context.js';
import { operator } from '../../ops/index.js';
import type { MomentForm, MomentLabel, MomentPair } from '../../ops/record.js';
import { Fragment } from '../fragment.js';
import { calibrationFactors, type Calibration } from './calibration.js';
import { decodeMoments } from './decodePosterior.js';
import { follow, ownSource, type Sources } from './independence.js';

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
  /** Factor of the variances of all weights, or by the names of weights and layers (others 1). Default 1. */
  readonly calibration?: Calibration;
  /** How the variance of products is written: 'expanded' (default), or 'raw', which loses digits; to compare the two. */
  readonly products?: MomentForm['products'];
}

/** A random value as the pass follows it. */
interface Random {
  readonly pair: MomentPair;
  readonly sources: Sources;
}

/**
 * Mean and variance of every output. Takes an inferred graph, before constants are folded.
 *
 * @throws graph/no-moments for an operator on random values that has no rule, naming the node; graph/posterior for a calibration
 * factor of a name that no random weight or layer has.
 */
export function moments(graph: Graph, { calibration = 1, products = 'expanded' }: MomentsOptions = {}): Moments {
  const { posteriors = {}, ...base } = graph;
  const random = new Map<string, Random>();
  const fragment = new Fragment(base, 'moments');
  const factorOf = calibrationFactors(graph, calibration);
  for (const [name, { deviation }] of Object.entries(posteriors)) {
    if (deviation.data.every((s) => s === 0)) continue;
    const factor = factorOf(name);
    fragment.startNames(name);
    random.set(name, { pair: decodeMoments(graph, name, factor, fragment), sources: ownSource(name, deviation.shape.length) });
  }

  const nodes: Node[] = [...fragment.added];
  const sites: MomentSite[] = [];
  const same = new SameValues(graph);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => random.get(name));
    const record = operator(node.op, node.name);
    const rule = record.moments;
    const earlier = same.add(node, rule?.dependence?.isView === true);
    if (inputs.every((input) => input === undefined)) {
      nodes.push(node);
      continue;
    }
    // what was computed before is the same random variable, not another of its distribution
    if (earlier !== undefined) {
      random.set(node.outputs[0], random.get(earlier)!);
      continue;
    }
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
    const pair = rule.rule(context, node.inputs.map((name) => random.get(name)?.pair ?? { mean: name }), fragment, { products });
    nodes.push(...fragment.added.slice(first));
    const isSame = (i: number, j: number): boolean => same.of(node.inputs[i]) === same.of(node.inputs[j]);
    const { sources, violation } = follow(node, context, graph.values[node.outputs[0]].shape as readonly number[], inputs.map((i) => i?.sources), rule.dependence, isSame);
    sites.push({ node: node.name, op: node.op, label: rule.labelOf?.(context) ?? rule.label, ...(violation === undefined ? {} : { violation }) });
    random.set(node.outputs[0], { pair, sources });
  }

  const outputs = graph.outputs.map((name) => random.get(name)?.pair ?? { mean: name });
  const names = [...outputs.map((o) => o.mean), ...outputs.flatMap((o) => o.variance ?? [])];
  return {
    graph: { ...base, outputs: names, nodes, values: { ...base.values, ...fragment.values }, constants: { ...base.constants, ...fragment.constants } },
    outputs,
    sites,
  };
}

/** Values that are one and the same: made by the same operator of the same inputs, or the same elements under the same shape. */
class SameValues {
  private readonly first = new Map<string, string>();
  private readonly root = new Map<string, string>();
  /** Of views: the value whose elements they have. */
  private readonly elements = new Map<string, string>();

  constructor(private readonly graph: Graph) {}

  /** The first value that is what this one is. */
  of(name: string): string {
    return this.root.get(name) ?? name;
  }

  /** Notes the node's value; the earlier value that it is, where there is one. */
  add(node: Node, isView: boolean): string | undefined {
    const [output] = node.outputs;
    let key = `${node.op} ${JSON.stringify(node.attributes)} ${JSON.stringify(node.inputs.map((name) => this.of(name)))}`;
    if (isView) {
      const elements = this.elements.get(this.of(node.inputs[0])) ?? this.of(node.inputs[0]);
      this.elements.set(output, elements);
      const shape = (name: string): string => this.graph.values[name].shape!.join();
      key = `view ${JSON.stringify(elements)} ${shape(output)}`;
      if (shape(elements) === shape(output)) this.first.set(key, elements);
    }
    const earlier = this.first.get(key);
    if (earlier === undefined) this.first.set(key, output);
    else this.root.set(output, earlier);
    return earlier;
  }
}
