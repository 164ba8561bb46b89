/**
 * `peelHead`: takes the closing Softmax, LogSoftmax, ArgMax or Sigmoid off a classifier, whose logits then get the uncertainty head;
 * `classHead` and `sampledHead`: that head, from the logits' means and variances.
 */
import { makeConstant, type Graph } from '../../ir/graph.js';
import type { FragmentBuilder } from '../../ops/record.js';
import { filled, intVector } from '../../ops/operands.js';
import { dropUnused } from '../clean.js';
import { softmaxWithEntropy } from './entropy.js';

const closing: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'ArgMax', 'Sigmoid', 'Identity', 'Dropout']);

export interface Peeled {
  /** Its output are the logits. */
  readonly graph: Graph;
  /** One logit an input, of which the Sigmoid was taken off: that of the first of two classes, against 0. */
  readonly isBinary: boolean;
}

/**
 * The graph that gives its logits where it gave probabilities or a class of [N, classes] logits, or the Sigmoid of one logit; undefined
 * where it has several outputs, or ends in anything else. Takes an inferred graph.
 */
export function peelHead(graph: Graph): Peeled | undefined {
  if (graph.outputs.length !== 1) return undefined;
  let [logits] = graph.outputs;
  let head: string | undefined;
  for (;;) {
    const node = graph.nodes.find((n) => n.outputs.includes(logits));
    if (!node || !closing.has(node.op)) break;
    if (node.op !== 'Identity' && node.op !== 'Dropout') {
      const shape = graph.values[node.inputs[0]].shape!;
      const axis = node.op === 'ArgMax' ? (node.attributes.axis ?? 0) : (node.attributes.axis ?? -1);
      const fits = node.op === 'Sigmoid' ? head === undefined && shape[1] === 1 : head !== 'Sigmoid' && (axis === 1 || axis === -1);
      if (shape.length !== 2 || !fits) break;
      head = node.op;
    }
    logits = node.inputs[0];
  }
  return head === undefined ? undefined : { graph: dropUnused({ ...graph, outputs: [logits] }), isBinary: head === 'Sigmoid' };
}

/** [N, 2] of the logits of the first of two classes: the other's are 0. */
export function againstZero(build: FragmentBuilder, logits: string): string {
  return build.node('Concat', [logits, build.constant(filled(build.info(logits).shape, 0))], { axis: 1 });
}

/** The first class of [.., classes]. */
export function firstClass(build: FragmentBuilder, value: string): string {
  const of = (x: number): string => build.constant(intVector([x]));
  return build.node('Slice', [value, of(0), of(1), of(build.info(value).shape.length - 1)]);
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
  const parts = build.node('Divergence', [softmax.probabilities, each(probabilities)]);
  const divergence = average(build.node('ReduceSum', [parts, build.constant(intVector([2]))], { keepdims: 0 }));
  // No more than a quarter of the sum of v z^2, and no z^2 reaches 40; so what rounding of the mean leaves is 0 where nothing varies.
  const bound = build.node('ReduceSum', [build.node('Mul', [variance, build.scalar(10)]), samples], { keepdims: 0 });
  const mutualInformation = build.node('Sub', [divergence, build.node('Relu', [build.node('Sub', [divergence, bound])])]);
  const softmaxEntropy = average(softmax.entropy);
  const predictiveEntropy = build.node('Add', [softmaxEntropy, mutualInformation]);
  return { head: { probabilities, predictiveEntropy, softmaxEntropy, mutualInformation }, draws };
}
