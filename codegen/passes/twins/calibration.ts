/** The calibration factors of random weights: one for all, or by the names of weights and layers. */
import { fail, suggest } from '../../ir/diagnostic.js';
import type { Graph } from '../../ir/graph.js';

/**
 * Factor of the variances of all weights, or by name; 1 for those that no name covers. A name is that of a random weight, or of a
 * layer: what its weights' names begin with (`fc1` of `fc1.weight` and `fc1.bias`), or the node that reads them. That of the weight
 * itself goes before that of its layer.
 */
export type Calibration = number | Readonly<Record<string, number>>;

/** Weights, by each name that covers them. */
export function calibrationNames(graph: Graph): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  const cover = (name: string, weight: string): void => void names.set(name, (names.get(name) ?? new Set()).add(weight));
  const weights = Object.keys(graph.posteriors ?? {});
  for (const weight of weights) {
    cover(weight, weight);
    const end = Math.max(weight.lastIndexOf('.'), weight.lastIndexOf('/'));
    if (end > 0) cover(weight.slice(0, end), weight);
  }
  for (const node of graph.nodes) for (const input of node.inputs) if (weights.includes(input)) cover(node.name, input);
  return names;
}

/** The factor of each random weight; raises graph/posterior for a name that covers none, and for a factor below 0. */
export function calibrationFactors(graph: Graph, calibration: Calibration): (weight: string) => number {
  const check = (factor: number, at: string): number =>
    Number.isFinite(factor) && factor >= 0 ? factor : fail('graph/posterior', at, `its calibration factor is ${factor}`, 'A factor of variances is finite and not negative; 1 changes nothing.');
  if (typeof calibration === 'number') {
    check(calibration, graph.name);
    return () => calibration;
  }
  const names = calibrationNames(graph);
  const factors = new Map<string, number>();
  for (const [name, factor] of Object.entries(calibration)) {
    const covered = names.get(name);
    if (!covered) fail('graph/posterior', name, 'a calibration factor is given for this name, and no random weight or layer has it', suggest(name, [...names.keys()], 'layer'));
    check(factor, name);
    for (const weight of covered) if (weight === name || !Object.hasOwn(calibration, weight)) factors.set(weight, factor);
  }
  return (weight) => factors.get(weight) ?? 1;
}
