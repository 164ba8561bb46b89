/**
 * `peelHead`: takes the closing Softmax, LogSoftmax or ArgMax off a classifier, whose logits then get the uncertainty head;
 * `classHead`: that head, from the logits' means and variances.
 */
import type { Graph } from '../../ir/graph.js';
import type { FragmentBuilder } from '../../ops/record.js';
import { filled } from '../../ops/operands.js';
import { dropUnused } from '../clean.js';

const closing: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'ArgMax', 'Identity', 'Dropout']);

/**
 * The graph that gives its logits where it gave probabilities or a class of [N, classes] logits; undefined where it has several
 * outputs, or ends in anything else. Takes an inferred graph.
 */
export function peelHead(graph: Graph): Graph | undefined {
  if (graph.outputs.length !== 1) return undefined;
  let [logits] = graph.outputs;
  let peeled = false;
  for (;;) {
    const node = graph.nodes.find((n) => n.outputs.includes(logits));
    if (!node || !closing.has(node.op)) break;
    const rank = graph.values[node.inputs[0]].shape!.length;
    const axis = node.op === 'ArgMax' ? (node.attributes.axis ?? 0) : (node.attributes.axis ?? -1);
    if (node.op !== 'Identity' && node.op !== 'Dropout') {
      if (rank !== 2 || (axis !== 1 && axis !== -1)) break;
      peeled = true;
    }
    logits = node.inputs[0];
  }
  return peeled ? dropUnused({ ...graph, outputs: [logits] }) : undefined;
}

/** What the head says of a classifier: names of values, probabilities [N, classes] and entropies [N] in nats. */
export interface ClassHead {
  readonly probabilities: string;
  /** Of the expected probabilities: the whole uncertainty. */
  readonly predictiveEntropy: string;
  /** The expected entropy of the probabilities: what the data leave open (aleatoric). */
  readonly softmaxEntropy: string;
  /** The difference: what the weights leave open (epistemic). */
  readonly mutualInformation: string;
}

/**
 * The head of logits [N, classes], taken as independent and normal with a mean and a variance (none: known logits), without
 * sampling: see ops/softmaxmoments.ts.
 */
export function classHead(build: FragmentBuilder, mean: string, variance: string | undefined): ClassHead {
  const [probabilities, predictiveEntropy, softmaxEntropy, mutualInformation] =
    build.nodes('SoftmaxMoments', [mean, variance ?? build.constant(filled(build.info(mean).shape, 0))], 4);
  return { probabilities, predictiveEntropy, softmaxEntropy, mutualInformation };
}
