/** `mean`: the deterministic twin of a Bayesian graph. Every random weight is its mean, and nothing is random any more. */
import type { Graph } from '../../ir/graph.js';
import { Fragment } from '../fragment.js';
import { decodeMean } from './decodePosterior.js';

/** The graph without its posteriors. */
export function mean(graph: Graph): Graph {
  const { posteriors = {}, ...rest } = graph;
  const fragment = new Fragment(rest, 'mean');
  const means = new Map(Object.keys(posteriors).map((name) => [name, decodeMean(graph, name, fragment)]));
  if (fragment.added.length === 0) return rest;
  const nodes = rest.nodes.map((n) => ({ ...n, inputs: n.inputs.map((i) => means.get(i) ?? i) }));
  return { ...rest, nodes: [...fragment.added, ...nodes], values: { ...rest.values, ...fragment.values }, constants: { ...rest.constants, ...fragment.constants } };
}
