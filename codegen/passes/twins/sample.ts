/**
 * `sample`: the twin that draws. In each iteration of a loop every random weight takes a value, for the whole batch at once, and the
 * network runs on these (Blundell et al. 2015, "Weight uncertainty in neural networks").
 *
 * A weight's random numbers are a stream of their own: they depend on the seed, the sample and the element, on nothing else. What
 * the samples of the output are made into is in twin.ts.
 */
import type { Control, Graph, Node, Value } from '../../ir/graph.js';
import { fail } from '../../ir/diagnostic.js';
import { Fragment } from '../fragment.js';
import { calibrationFactors, type Calibration } from './calibration.js';
import { decodeDraw } from './decodePosterior.js';
import { localDraw, localLayers } from './local.js';

/** The most samples of one run. */
export const mostSamples = 2 ** 16;
/** How many are drawn where nothing is said. */
export const defaultSamples = 30;

export interface SampleOptions {
  /** Factor of the variances of all weights, or by the names of weights and layers (others 1). Default 1. */
  readonly calibration?: Calibration;
  /** Draws the outputs of dense layers instead of their weights (local.ts). Default false. */
  readonly localReparameterization?: boolean;
}

export interface Sampled {
  /** The network inside a loop, with the inputs `samples`, `seed` and `batchOffset` behind its own; no posteriors. Its outputs are those of one iteration. */
  readonly graph: Graph;
  /** The loop's index. */
  readonly index: string;
}

/** Takes an inferred graph, before constants are folded. */
export function sample(graph: Graph, { calibration = 1, localReparameterization = false }: SampleOptions = {}): Sampled {
  const { posteriors = {}, ...base } = graph;
  const { graph: start, names: [count, seed, offset] } = withControls(base, ['samples', 'seed', 'batchOffset']);
  const fragment = new Fragment(start, 'sample');
  const index = fragment.node('LoopIndex', [], { max: mostSamples });
  const nodes: Node[] = fragment.added.slice();

  // The streams are counted over all weights that are random, so that none takes another's where one becomes certain.
  const streams = new Map(Object.keys(posteriors).sort().map((name, stream) => [name, stream]));
  const drawn = new Map<string, string>();
  const factorOf = calibrationFactors(graph, calibration);
  const draw = (name: string): string => {
    const stream = streams.get(name);
    if (stream === undefined || posteriors[name].deviation.data.every((s) => s === 0)) return name;
    const old = drawn.get(name);
    if (old !== undefined) return old;
    fragment.startNames(name);
    const first = fragment.added.length;
    const normal = fragment.node('RandomNormal', [seed, index], { stream, shape: posteriors[name].deviation.shape });
    const value = decodeDraw(graph, name, factorOf(name), normal, fragment);
    nodes.push(...fragment.added.slice(first));
    drawn.set(name, value);
    return value;
  };
  // Each where it is first needed, so that what was drawn for one layer makes room for the next.
  const layers = localReparameterization ? localLayers(graph) : new Map<string, readonly string[]>();
  if (localReparameterization && layers.size === 0) {
    fail('graph/posterior', graph.name, 'no dense layer has random weights of its own, so none can be drawn by its outputs', 'Leave localReparameterization away.');
  }
  for (const node of graph.nodes) {
    const operands = layers.get(node.name);
    if (!operands) {
      nodes.push({ ...node, inputs: node.inputs.map(draw) });
      continue;
    }
    const given = node.inputs.map((name) => (operands.includes(name) ? name : draw(name)));
    const factors = Object.fromEntries(operands.map((name) => [name, factorOf(name)]));
    fragment.startNames(node.name);
    const first = fragment.added.length;
    const last = localDraw(graph, node, { inputs: given, factors, randomInputs: [seed, index, offset], stream: streams.get(operands[0])! }, fragment);
    nodes.push(...fragment.added.slice(first), last);
  }
  const outputs = graph.outputs.map(draw);
  return {
    graph: {
      ...start, nodes, outputs,
      values: { ...start.values, ...fragment.values },
      constants: { ...start.constants, ...fragment.constants },
      loop: { index, count, max: mostSamples },
    },
    index,
  };
}

/** Raises graph/posterior where no such number of samples of logits can be drawn. */
export function checkLogitSamples(logitSamples: number): void {
  if (!Number.isInteger(logitSamples) || logitSamples < 1 || logitSamples > mostSamples) {
    fail('graph/posterior', 'logitSamples', `${logitSamples} samples of the logits are to be drawn`, `Give a whole number of 1 to ${mostSamples}, or leave it out: the head then needs no samples.`);
  }
}

/** Raises graph/posterior where no such number of samples can be kept. */
export function checkMaxSamples(maxSamples: number): void {
  if (!Number.isInteger(maxSamples) || maxSamples < 0 || maxSamples > mostSamples) {
    fail('graph/posterior', 'maxSamples', `${maxSamples} samples are to be returned`, `Give a whole number of 0 (none) to ${mostSamples}.`);
  }
}

/** A graph with such inputs behind its own, and their names. */
export function withControls(graph: Graph, meanings: readonly Control['meaning'][]): { readonly graph: Graph; readonly names: readonly string[] } {
  const taken = new Set([...Object.keys(graph.values), ...graph.nodes.map((n) => n.name)]);
  const made: Record<Control['meaning'], Pick<Value, 'shape' | 'dtype' | 'range'> & { readonly usual: readonly number[] }> = {
    samples: { shape: [], dtype: 'int32', range: [1, mostSamples], usual: [defaultSamples] },
    seed: { shape: [2], dtype: 'uint32', usual: [0, 0] },
    batchOffset: { shape: [], dtype: 'int32', range: [0, 2 ** 31 - 1], usual: [0] },
  };
  const inputs = meanings.map((meaning): Value => {
    const { usual, ...rest } = made[meaning];
    return { name: unused(meaning, taken), ...rest, control: { meaning, default: usual } };
  });
  const names = inputs.map((v) => v.name);
  return { graph: { ...graph, inputs: [...graph.inputs, ...names], values: { ...graph.values, ...Object.fromEntries(inputs.map((v) => [v.name, v])) } }, names };
}

/** The control inputs of a graph, by what they mean. */
export function controlInput(graph: Graph, meaning: Control['meaning']): Value | undefined {
  return graph.inputs.map((name) => graph.values[name]).find((v) => v.control?.meaning === meaning);
}

function unused(hint: string, taken: Set<string>): string {
  let name = hint;
  while (taken.has(name)) name = `${name}_`;
  taken.add(name);
  return name;
}
