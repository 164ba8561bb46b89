/**
 * Local reparameterization (Kingma, Salimans and Welling 2015, "Variational dropout and the local reparameterization trick"): a dense
 * layer of independent normal weights has independent normal outputs, x m + m_b with variance x^2 v + v_b, so that an output is
 * drawn instead of its weights: one number each, not one a weight.
 *
 * Exact for each inference by itself, whatever x is. Inferences of one batch no longer share their weights, as they do where weights
 * are drawn; positions of a convolution must share theirs, so only dense layers are drawn in this way.
 */
import type { Graph, Node } from '../../ir/graph.js';
import { graphContext } from '../../ops/context.js';
import { operator } from '../../ops/index.js';
import type { MomentPair } from '../../ops/record.js';
import type { Fragment } from '../fragment.js';
import { decodeMoments } from './decodePosterior.js';

const isRandom = (graph: Graph, name: string | undefined): boolean =>
  name !== undefined && graph.posteriors !== undefined && Object.hasOwn(graph.posteriors, name) && graph.posteriors[name].deviation.data.some((s) => s !== 0);

/** The operands of dense layers that can be drawn by their outputs, by the name of the node: a random weight, maybe a random bias. */
export function localLayers(graph: Graph): ReadonlyMap<string, readonly string[]> {
  const reads = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs]) reads.set(name, (reads.get(name) ?? 0) + 1);
  const shape = (name: string): readonly number[] => graph.values[name].shape as readonly number[];
  const batch = graph.inputs.length > 0 ? shape(graph.inputs[0])[0] : undefined;
  const isLocal = (node: Node): boolean => {
    const [x, w] = node.inputs;
    if (node.op !== 'Gemm' && node.op !== 'MatMul') return false;
    // What is rounded once it is drawn is not normal.
    if (graph.posteriors?.[w]?.quantized?.rounding) return false;
    if (!isRandom(graph, w) || reads.get(w) !== 1 || isRandom(graph, x) || Object.hasOwn(graph.constants, x)) return false;
    // Rows of one inference would share their weights.
    return shape(x).length === 2 && shape(w).length === 2 && shape(x)[0] === batch && !node.attributes.transA;
  };
  return new Map(graph.nodes.filter(isLocal).map((node) => {
    const [, w, bias] = node.inputs;
    const outputs = shape(node.outputs[0])[1];
    const own = isRandom(graph, bias) && !graph.posteriors![bias].quantized?.rounding && reads.get(bias) === 1 && shape(bias)[shape(bias).length - 1] === outputs;
    return [node.name, own ? [w, bias] : [w]];
  }));
}

export interface LocalDraw {
  /** Of the layer's inputs: those that were drawn have other names. */
  readonly inputs: readonly string[];
  /** The random operands, and the factors of their variances. */
  readonly factors: Readonly<Record<string, number>>;
  /** Values of the loop: seed, sample, batchOffset. */
  readonly randomInputs: readonly string[];
  readonly stream: number;
}

/** Adds mean and deviation of a dense layer's outputs, and the numbers drawn for them; the node that takes the layer's place. */
export function localDraw(graph: Graph, node: Node, { inputs, factors, randomInputs, stream }: LocalDraw, fragment: Fragment): Node {
  const record = operator(node.op, node.name);
  const pairs = node.inputs.map((name, i): MomentPair => {
    if (!Object.hasOwn(factors, name)) return { mean: inputs[i] };
    return decodeMoments(graph, name, factors[name], fragment);
  });
  const { mean, variance } = record.moments!.rule(graphContext(graph, node, record), pairs, fragment, { products: 'expanded' });
  const normal = fragment.node('RandomNormal', randomInputs, { stream, shape: graph.values[node.outputs[0]].shape as readonly number[], perImage: 1 });
  const spread = fragment.node('Mul', [fragment.node('Sqrt', [variance!]), normal]);
  return { name: node.name, op: 'Add', inputs: [mean, spread], outputs: node.outputs, attributes: {} };
}
