/**
 * Uncertainty of a classifier of which the logits are normal variables, each apart (the probabilistic forward pass): by seeded
 * samples of the logits. Not here: samples of weights, which give logits that depend on one another (predictive.ts takes those).
 */
import { checkRows, divergence, entropy, type Uncertainty } from './predictive.js';

export interface LogitSampleOptions {
  readonly classes: number;
  /** Samples of each input's logits, default 100. Few bias the mutual information low: compare at equal numbers only. */
  readonly count?: number;
  /** Default 1. The same seed draws the same numbers for the same inputs, in whatever number they come. */
  readonly seed?: number;
}

/**
 * Probabilities and entropies (nats) of normal logits, mean and variance [N, classes] row-major, in float64. A variance of 0 is a
 * known logit. Input n's draws depend on seed, n and count alone.
 *
 * @throws RangeError where the arrays do not fit, a variance is negative, or a number is not finite.
 */
export function logitUncertainty(mean: ArrayLike<number>, variance: ArrayLike<number>, { classes, count = 100, seed = 1 }: LogitSampleOptions): Uncertainty {
  checkRows('mean', mean.length, classes);
  if (variance.length !== mean.length) throw new RangeError(`variance: ${variance.length} for ${mean.length} means`);
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`count: expected a positive whole number of samples, found ${count}`);
  const inputs = mean.length / classes;
  const probabilities = new Float64Array(mean.length);
  const [predictiveEntropy, softmaxEntropy, mutualInformation] = [0, 1, 2].map(() => new Float64Array(inputs));
  const deviation = new Float64Array(classes);
  const samples = new Float64Array(count * classes);
  for (let n = 0; n < inputs; n++) {
    const from = n * classes;
    for (let c = 0; c < classes; c++) {
      if (!Number.isFinite(mean[from + c])) throw new RangeError(`mean: number ${from + c} is ${mean[from + c]}`);
      if (!(variance[from + c] >= 0 && variance[from + c] < Infinity)) throw new RangeError(`variance: number ${from + c} is ${variance[from + c]}`);
      deviation[c] = Math.sqrt(variance[from + c]);
    }
    const next = normals(seed, n);
    for (let s = 0; s < count; s++) {
      const sample = samples.subarray(s * classes, (s + 1) * classes);
      let greatest = -Infinity;
      for (let c = 0; c < classes; c++) greatest = Math.max(greatest, (sample[c] = mean[from + c] + deviation[c] * next()));
      let total = 0;
      for (let c = 0; c < classes; c++) total += sample[c] = Math.exp(sample[c] - greatest);
      for (let c = 0; c < classes; c++) probabilities[from + c] += (sample[c] /= total) / count;
      softmaxEntropy[n] += entropy(sample) / count;
    }
    for (let s = 0; s < count; s++) mutualInformation[n] += divergence(samples, probabilities, classes, s * classes, from) / count;
    predictiveEntropy[n] = softmaxEntropy[n] + mutualInformation[n];
  }
  return { probabilities, predictiveEntropy, softmaxEntropy, mutualInformation };
}

/** Standard normal numbers of one stream: SplitMix32 through Box and Muller's transform. */
function normals(seed: number, stream: number): () => number {
  let state = mix(mix(seed) ^ stream);
  let kept: number | undefined;
  const uniform = (): number => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) + 0.5) / 2 ** 32;
  };
  return () => {
    if (kept !== undefined) {
      const second = kept;
      kept = undefined;
      return second;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
