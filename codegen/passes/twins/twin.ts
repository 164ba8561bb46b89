/**
 * `makeTwin`: what a graph with random weights is compiled as. Every twin is a graph of ordinary operators, which takes the
 * same line as any other.
 */
import { fail, suggest } from '../../ir/diagnostic.js';
import type { Graph, Node } from '../../ir/graph.js';
import { intVector } from '../../ops/operands.js';
import { Fragment, append } from '../fragment.js';
import { softmaxWithEntropy } from './entropy.js';
import { hoistScales } from '../hoistScales.js';
import { infer } from '../infer.js';
import { againstZero, classHead, firstClass, peelHead, sampledHead, type ClassHead } from './head.js';
import { mean } from './mean.js';
import { moments, type MomentSite, type MomentsOptions } from './moments.js';
import { poolFirst } from './poolFirst.js';
import { quantizePosterior, type PosteriorQuantization } from './quantizePosterior.js';
import { checkLogitSamples, checkMaxSamples, sample, withControls } from './sample.js';

export type TwinName = 'mean' | 'moments' | 'sample';

export interface TwinOptions extends MomentsOptions {
  /**
   * mean: the deterministic network of the posterior's means. moments: one pass of means and variances (the probabilistic
   * forward pass). sample: as many samples of the weights as a run asks for. Default: moments where a weight is random.
   */
  readonly twin?: TwinName;
  /** Of sample: how many samples of the logits (or the output) are returned each by itself. Default 100; 0 for none. With `logitSamples` default 0. */
  readonly maxSamples?: number;
  /** Of moments, of a classifier: probabilities and entropies by so many samples of the logits, drawn in the module, instead of in closed form. */
  readonly logitSamples?: number;
  /**
   * Of sample: draws the outputs of dense layers instead of their weights, which takes far fewer random numbers and is exact for each
   * inference by itself (Kingma, Salimans and Welling 2015). Default false.
   */
  readonly localReparameterization?: boolean;
  /** Random weights in few bits. */
  readonly quantizePosterior?: PosteriorQuantization;
}

export interface Twin {
  readonly graph: Graph;
  /** Of moments: every operator on random values, and where independence is assumed but does not hold. */
  readonly sites?: readonly MomentSite[];
}

/**
 * The twin of an inferred graph; the graph itself where nothing is random. Outputs of moments: `mean` and `variance` (`NAME.mean`
 * and so on where the graph has several outputs), of the logits where a closing Softmax, LogSoftmax, ArgMax or Sigmoid of one logit was taken off, and
 * then those of `ClassHead`, with `logitSamples` and `maxSamples` also `draws` [N, samples, classes]. Of sample: see `sampleTwin`.
 *
 * @throws graph/no-moments, and graph/posterior for a twin that does not exist or has no posterior.
 */
export function makeTwin(given: Graph, options: TwinOptions = {}): Twin {
  const { twin } = options;
  const names = ['mean', 'moments', 'sample'];
  if (twin !== undefined && !names.includes(twin)) fail('graph/posterior', twin, 'there is no such twin', suggest(twin, names, 'twin'));
  if (options.localReparameterization && twin !== 'sample') fail('graph/posterior', 'localReparameterization', 'it is a way of drawing, and nothing is drawn here', 'Take the twin "sample", or leave it away.');
  const graph = options.quantizePosterior && given.posteriors ? quantizePosterior(given, options.quantizePosterior) : given;
  if (graph.posteriors === undefined) {
    if (twin === 'moments' || twin === 'sample') fail('graph/posterior', graph.name, `no weight of this network is random, so there are no ${twin === 'moments' ? 'moments' : 'samples'}`, 'Give it a posterior: a safetensors file of NAME.mean and NAME.std.');
    if (options.logitSamples !== undefined) fail('graph/posterior', 'logitSamples', 'no weight of this network is random, so there are no moments to draw logits from', 'Give it a posterior, or leave logitSamples out.');
    return { graph };
  }
  if (options.logitSamples !== undefined && (twin ?? 'moments') !== 'moments') {
    fail('graph/posterior', 'logitSamples', `samples of the logits are drawn from their moments, and the twin "${twin}" has none`, 'Leave the twin out, or logitSamples.');
  }
  if (twin === 'mean') return { graph: hoistScales(mean(graph)) };
  if (twin === 'sample') return { graph: sampleTwin(graph, options) };
  const peeled = peelHead(graph);
  const found = moments(poolFirst(peeled?.graph ?? graph), options);
  const outputs: [value: string, name: string][] = found.outputs.flatMap((pair, i) => {
    const prefix = found.outputs.length === 1 ? '' : `${graph.outputs[i]}.`;
    return [[pair.mean, `${prefix}mean`], ...(pair.variance === undefined ? [] : [[pair.variance, `${prefix}variance`]])] as [string, string][];
  });
  let result = hoistScales(found.graph);
  if (peeled) {
    const { logitSamples: count, maxSamples = 0 } = options;
    if (count !== undefined) checkLogitSamples(count);
    checkMaxSamples(maxSamples);
    const isDrawn = count !== undefined && found.outputs[0].variance !== undefined;
    const controls = isDrawn ? withControls(result, ['seed', 'batchOffset']) : undefined;
    result = controls?.graph ?? result;
    const fragment = new Fragment(result, 'head');
    const [m, variance] = [found.outputs[0].mean, found.outputs[0].variance].map((value) => (value !== undefined && peeled.isBinary ? againstZero(fragment, value) : value));
    const own = (value: string): string => (peeled.isBinary ? firstClass(fragment, value) : value);
    const add = (head: ClassHead): void => {
      outputs.push(...Object.entries({ ...head, probabilities: own(head.probabilities) }).map(([name, value]): [string, string] => [value, name]));
    };
    if (controls) {
      const { head, draws } = sampledHead(fragment, m!, variance!, { count: count!, seed: controls.names[0], batchOffset: controls.names[1] });
      add(head);
      const kept = Math.min(maxSamples, count!);
      if (kept > 0) outputs.push([own(kept === count ? draws : firstSamples(fragment, draws, kept)), 'draws']);
    } else add(classHead(fragment, m!, variance));
    result = append(result, fragment);
  } else if (options.logitSamples !== undefined) {
    fail('graph/posterior', 'logitSamples', 'this network does not end in a Softmax, LogSoftmax or ArgMax over classes, or the Sigmoid of one logit, so it has no logits', 'Leave logitSamples out.');
  }
  return { graph: infer(named(result, outputs)), sites: found.sites };
}

/**
 * The twin that draws weights: `mean` and `variance` (divided by the number of samples) of the logits or outputs, and `draws`, the
 * first of the samples themselves, [N, maxSamples, classes]. Of a classifier also the mean `probabilities`, the mean entropy of the
 * samples `softmaxEntropy`, their mean divergence from `probabilities`, `mutualInformation`, and the sum of both, which is the entropy of
 * `probabilities`, `predictiveEntropy`; in nats.
 */
function sampleTwin(graph: Graph, { calibration, localReparameterization, maxSamples = 100 }: TwinOptions): Graph {
  checkMaxSamples(maxSamples);
  const peeled = peelHead(graph);
  const { graph: sampled, index } = sample(peeled?.graph ?? graph, { calibration, localReparameterization });
  const fragment = new Fragment(sampled, 'head');
  const outputs: [value: string, name: string][] = [];
  const draws: [value: string, name: string][] = [];
  sampled.outputs.forEach((value, i) => {
    const name = (peeled?.graph ?? graph).outputs[i];
    if (fragment.info(value).dtype !== 'float32') {
      fail('graph/unsupported', name, `the twin "sample" takes means of its outputs, and this one is ${fragment.info(value).dtype}`, 'Make an output of the float32 value that it comes from.');
    }
    const prefix = sampled.outputs.length === 1 ? '' : `${name}.`;
    const [average, variance] = fragment.nodes('SampleMoments', [value, index], 2);
    outputs.push([average, `${prefix}mean`], [variance, `${prefix}variance`]);
    if (maxSamples > 0) draws.push([fragment.node('SampleCollect', [value, index], { max: maxSamples }), `${prefix}draws`]);
  });
  if (peeled) {
    const each = softmaxWithEntropy(fragment, peeled.isBinary ? againstZero(fragment, sampled.outputs[0]) : sampled.outputs[0]);
    const [probabilities, information] = fragment.nodes('SampleInformation', [each.probabilities, index], 2);
    const aleatoric = fragment.node('SampleMean', [each.entropy, index]);
    const epistemic = fragment.node('ReduceSum', [information, fragment.constant(intVector([1]))], { keepdims: 0 });
    const total = fragment.node('Add', [aleatoric, epistemic]);
    outputs.push([peeled.isBinary ? firstClass(fragment, probabilities) : probabilities, 'probabilities'], [total, 'predictiveEntropy'], [aleatoric, 'softmaxEntropy'], [epistemic, 'mutualInformation']);
  }
  return infer(named(append(sampled, fragment), [...outputs, ...draws]));
}

/** [N, count, classes] of samples. */
function firstSamples(fragment: Fragment, draws: string, count: number): string {
  const of = (value: number): string => fragment.constant(intVector([value]));
  return fragment.node('Slice', [draws, of(0), of(count), of(1)]);
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
