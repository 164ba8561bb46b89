/** `mean`: the deterministic twin of a Bayesian graph. Every random weight is its mean, and nothing is random any more. */
import type { Graph } from '../../ir/graph.js';

/** The graph without its posteriors. */
export function mean(graph: Graph): Graph {
  const { posteriors: _, ...rest } = graph;
  return rest;
}
