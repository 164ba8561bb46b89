/**
 * `peelHead`: takes the closing Softmax, LogSoftmax or ArgMax off a classifier, whose logits then get the uncertainty head;
 * `classHead` and `sampledHead`: that head, from the logits' means and variances.
 */
import { makeConstant, type Graph } from '../../ir/graph.js';
import type { FragmentBuilder } from '../../ops/record.js';
import { filled, intVector } from '../../ops/operands.js';
import { dropUnused } from '../clean.js';
import { entropyOf, softmaxWithEntropy } from './entropy.js';

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

/** The stream of the logits' random numbers; those of weights count from 0. */
const stream = 2 ** 32 - 1;

/**
 * The same by samples of the logits: `count` an input, each a function of the seed, its own number and the input's place among all, so
 * that the first of them do not depend on how many there are. `draws` are the samples, [N, count, classes].
 */
export function sampledHead(
  build: FragmentBuilder, mean: string, variance: string, { count, seed, batchOffset }: { readonly count: number; readonly seed: string; readonly batchOffset: string },
): { readonly head: ClassHead; readonly draws: string } {
  const [inputs, classes] = build.info(mean).shape;
  const samples = build.constant(intVector([1]));
  const normal = build.node('RandomNormal', [seed, build.constant(makeConstant('int32', [], [0])), batchOffset], { stream, shape: [inputs, count, classes], perImage: 1 });
  const each = (value: string): string => build.node('Unsqueeze', [value, samples]);
  const draws = build.node('Add', [each(mean), build.node('Mul', [each(build.node('Sqrt', [variance])), normal])]);
  const softmax = softmaxWithEntropy(build, draws);
  const average = (value: string): string => build.node('ReduceMean', [value, samples], { keepdims: 0 });
  const probabilities = average(softmax.probabilities);
  const predictiveEntropy = entropyOf(build, probabilities);
  const difference = build.node('Relu', [build.node('Sub', [predictiveEntropy, average(softmax.entropy)])]);
  // No more than a quarter of the sum of v z^2, and no z^2 reaches 40; so what rounding leaves is 0 where nothing varies.
  const bound = build.node('ReduceSum', [build.node('Mul', [variance, build.scalar(10)]), samples], { keepdims: 0 });
  const mutualInformation = build.node('Sub', [difference, build.node('Relu', [build.node('Sub', [difference, bound])])]);
  return { head: { probabilities, predictiveEntropy, softmaxEntropy: build.node('Sub', [predictiveEntropy, mutualInformation]), mutualInformation }, draws };
}
