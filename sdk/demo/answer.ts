/**
 * From a module's outputs to what the page shows: probabilities with their range, logits, and uncertainty in its parts, which the
 * module itself computes. Runs in the
 * page's worker and in Node alike. Not here: what is said of it in words (verdict.ts).
 */
import { softmax } from '../metrics/index.js';
import type { Session } from '../runtime/index.js';
import { draws, normalLattice } from './lattice.js';

export const classes = 10;

/** How a network answers: one pass of moments, samples of weights, or the means of weights alone. */
export type Method = 'moments' | 'sample' | 'mean';

export interface Answer {
  readonly method: Method;
  /** Expected probabilities of the classes. */
  readonly probabilities: readonly number[];
  /** Of each probability: where 90 % of draws lie. Absent where nothing is random. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  /** Means of the logits, and their standard deviations. */
  readonly logits: readonly number[];
  readonly deviations?: readonly number[];
  /** Predictive entropy, nats: all uncertainty. */
  readonly total: number;
  /** Softmax entropy: that of the picture. Absent where the parts cannot be told apart. */
  readonly aleatoric?: number;
  /** Mutual information: that of the weights. */
  readonly epistemic?: number;
  /** The standard deviation of the greatest logit, in parts of it: a class that all weights agree on can still be one that they hardly know. */
  readonly spread?: number;
}

/** Of all draws of weights: a picture has the same answer whenever it is asked for. */
export const seed = [1, 0];

const lattice = normalLattice(classes);

/** Runs a session on one input and reads its outputs; so many samples where weights are drawn. */
export function answerOf(session: Session, method: Method, input: Float32Array, samples = 0): Answer {
  const given = session.inputs[session.manifest.inputs[0].name];
  (given.data as Float32Array).set(input);
  if (method === 'sample') {
    session.inputs.samples.data[0] = samples;
    session.inputs.seed.data.set(seed);
  }
  session.run();
  return readAnswer(method, Object.fromEntries(Object.entries(session.outputs).map(([name, view]) => [name, view.data as Float32Array])), samples);
}

/** What outputs mean, for one input. */
export function readAnswer(method: Method, outputs: Readonly<Record<string, Float32Array>>, samples: number): Answer {
  if (method === 'mean') {
    const probabilities = Array.from(Object.values(outputs)[0]);
    return { method, probabilities, logits: centred(probabilities), total: entropyOf(probabilities) };
  }
  const logits = Array.from(outputs.mean);
  const deviations = Array.from(outputs.variance, Math.sqrt);
  const leading = logits.indexOf(Math.max(...logits));
  const count = method === 'sample' ? samples : draws;
  const drawn = method === 'sample'
    ? outputs.draws.subarray(0, count * classes)
    : Float64Array.from(lattice, (z, i) => logits[i % classes] + deviations[i % classes] * z);
  const each = softmax(drawn, classes);
  const [low, high] = ranges(each, count);
  return {
    method, low, high, logits, deviations, spread: deviations[leading] / Math.max(logits[leading], 1e-9), probabilities: Array.from(outputs.probabilities),
    total: outputs.predictiveEntropy[0], aleatoric: outputs.softmaxEntropy[0], epistemic: outputs.mutualInformation[0],
  };
}

/** For each class: the 5th and the 95th percentile of its probability over the draws. */
function ranges(probabilities: Float64Array, count: number): [low: number[], high: number[]] {
  const [low, high]: [number[], number[]] = [[], []];
  const column = new Float64Array(count);
  for (let c = 0; c < classes; c++) {
    for (let s = 0; s < count; s++) column[s] = probabilities[s * classes + c];
    column.sort();
    low.push(column[Math.round(0.05 * (count - 1))]);
    high.push(column[Math.round(0.95 * (count - 1))]);
  }
  return [low, high];
}

/** Logits that give these probabilities, up to a constant: their mean is 0. */
function centred(probabilities: readonly number[]): number[] {
  const logs = probabilities.map((p) => Math.log(Math.max(p, 1e-30)));
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  return logs.map((l) => l - mean);
}

function entropyOf(probabilities: readonly number[]): number {
  return probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
}
