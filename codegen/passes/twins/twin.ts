/**
 * `makeTwin`: what a graph with random weights is compiled as. Every twin is a graph of ordinary operators, which takes the
 * same line as any other.
 */
import { fail, suggest } from '../../ir/diagnostic.js';
import type { Graph, Node } from '../../ir/graph.js';
import { Fragment, append } from '../fragment.js';
import { infer } from '../infer.js';
import { expectedProbabilities, peelHead } from './head.js';
import { mean } from './mean.js';
import { moments, type MomentSite, type MomentsOptions } from './moments.js';
import { poolFirst } from './poolFirst.js';

export type TwinName = 'mean' | 'moments';

export interface TwinOptions extends MomentsOptions {
  /**
   * mean: the deterministic network of the posterior's means. moments: one pass of means and variances (the probabilistic
   * forward pass). Default: moments where a weight is random.
   */
  readonly twin?: TwinName;
}

export interface Twin {
  readonly graph: Graph;
  /** Of moments: every operator on random values, and where independence is assumed but does not hold. */
  readonly sites?: readonly MomentSite[];
}

/**
 * The twin of an inferred graph; the graph itself where nothing is random. Outputs of moments: `mean` and `variance` (`NAME.mean`
 * and so on where the graph has several outputs), of the logits where a closing Softmax, LogSoftmax or ArgMax was taken off, and
 * then `probabilities`, those expected.
 *
 * @throws graph/no-moments, and graph/posterior for a twin that does not exist or has no posterior.
 */
export function makeTwin(graph: Graph, options: TwinOptions = {}): Twin {
  const { twin } = options;
  const names = ['mean', 'moments'];
  if (twin !== undefined && !names.includes(twin)) fail('graph/posterior', twin, 'there is no such twin', suggest(twin, names, 'twin'));
  if (graph.posteriors === undefined) {
    if (twin === 'moments') fail('graph/posterior', graph.name, 'no weight of this network is random, so there are no moments', 'Give it a posterior: a safetensors file of NAME.mean and NAME.std.');
    return { graph };
  }
  if (twin === 'mean') return { graph: mean(graph) };
  const logits = peelHead(graph);
  const found = moments(poolFirst(logits ?? graph), options);
  const outputs: [value: string, name: string][] = found.outputs.flatMap((pair, i) => {
    const prefix = found.outputs.length === 1 ? '' : `${graph.outputs[i]}.`;
    return [[pair.mean, `${prefix}mean`], ...(pair.variance === undefined ? [] : [[pair.variance, `${prefix}variance`]])] as [string, string][];
  });
  let result = found.graph;
  if (logits) {
    const fragment = new Fragment(result, 'head');
    outputs.push([expectedProbabilities(fragment, found.outputs[0].mean, found.outputs[0].variance), 'probabilities']);
    result = append(result, fragment);
  }
  return { graph: infer(named(result, outputs)), sites: found.sites };
}

/** The graph with these values as its outputs, under these names. */
function named(graph: Graph, outputs: readonly (readonly [value: string, name: string])[]): Graph {
  const values = { ...graph.values };
  const nodes: Node[] = [...graph.nodes];
  const names = outputs.map(([value, wanted]) => {
    let name = wanted;
    while (Object.hasOwn(values, name)) name = `${name}_`;
    values[name] = { name };
    nodes.push({ name: `${name}.output`, op: 'Identity', inputs: [value], outputs: [name], attributes: {} });
    return name;
  });
  return { ...graph, values, nodes, outputs: names };
}
