/**
 * Uncertainty of a classifier from samples of its output: the predictive entropy and its two parts, in nats. For any model: samples of
 * weights, of logits, members of an ensemble, passes with dropout.
 *
 * Depeweg et al. 2018, "Decomposition of uncertainty": total H[E p] = aleatoric E H[p] + epistemic (mutual information). At few
 * samples the mutual information is biased low: compare at equal numbers only. Not here: how samples are made.
 */

/** Of N inputs and C classes. */
export interface Uncertainty {
  /** [N, C]: the mean of the samples' probabilities. */
  readonly probabilities: Float64Array;
  /** [N]: H of the mean probabilities, the total: the sum of the two parts. */
  readonly predictiveEntropy: Float64Array;
  /** [N]: the mean of the samples' entropies, aleatoric. */
  readonly softmaxEntropy: Float64Array;
  /** [N]: epistemic, the mean divergence of the samples from their mean (see `divergence`); not negative. */
  readonly mutualInformation: Float64Array;
}

/**
 * sum p ln(p / q) of two distributions, nats: what KL(p | q) is, without cancellation. The mutual information is its mean over samples
 * p about their mean q, and so keeps its digits where it is tiny: the difference of two entropies is rounding there (in float32 below
 * 1e-7, where half of all inputs may lie), and a ranking by it is noise. Where q is 0, p must be.
 */
export function divergence(p: ArrayLike<number>, q: ArrayLike<number>, count: number, fromP = 0, fromQ = 0): number {
  let sum = 0;
  for (let c = 0; c < count; c++) {
    const [a, b] = [p[fromP + c], q[fromQ + c]];
    if (b === 0) continue;
    // b ((1 + r) ln(1 + r) - r), which is never negative; the sum of a - b is 0
    const r = (a - b) / b;
    sum += a === 0 ? b : Math.abs(r) < 1e-3 ? b * r * r * (1 / 2 + r * (-1 / 6 + r / 12)) : a * Math.log(a / b) - (a - b);
  }
  return sum;
}

/** -sum p ln p, nats; terms with p = 0 are 0. */
export function entropy(probabilities: ArrayLike<number>, from = 0, to = probabilities.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) if (probabilities[i] > 0) sum -= probabilities[i] * Math.log(probabilities[i]);
  return sum;
}

/** Probabilities of rows of logits [.., classes], each row apart; stable for any finite logits. */
export function softmax(logits: ArrayLike<number>, classes: number): Float64Array {
  checkRows('logits', logits.length, classes);
  const result = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    let greatest = -Infinity;
    for (let c = 0; c < classes; c++) greatest = Math.max(greatest, logits[row + c]);
    let total = 0;
    for (let c = 0; c < classes; c++) total += result[row + c] = Math.exp(logits[row + c] - greatest);
    for (let c = 0; c < classes; c++) result[row + c] /= total;
  }
  return result;
}

/**
 * Uncertainty from samples of probabilities, [S, N, C] row-major.
 *
 * @throws RangeError where the length is no multiple of samples times classes.
 */
export function uncertainty(samples: ArrayLike<number>, { count, classes }: { readonly count: number; readonly classes: number }): Uncertainty {
  checkRows('samples', samples.length, count * classes);
  const inputs = samples.length / count / classes;
  const probabilities = new Float64Array(inputs * classes);
  const softmaxEntropy = new Float64Array(inputs);
  for (let s = 0; s < count; s++) {
    for (let n = 0; n < inputs; n++) {
      const from = (s * inputs + n) * classes;
      softmaxEntropy[n] += entropy(samples, from, from + classes) / count;
      for (let c = 0; c < classes; c++) probabilities[n * classes + c] += samples[from + c] / count;
    }
  }
  const mutualInformation = new Float64Array(inputs);
  for (let s = 0; s < count; s++) {
    for (let n = 0; n < inputs; n++) mutualInformation[n] += divergence(samples, probabilities, classes, (s * inputs + n) * classes, n * classes) / count;
  }
  return { probabilities, predictiveEntropy: softmaxEntropy.map((h, n) => h + mutualInformation[n]), softmaxEntropy, mutualInformation };
}

/** The mean over classes of the variance of logits, [N] of [N, C]: another epistemic score. */
export function meanVariance(variance: ArrayLike<number>, classes: number): Float64Array {
  checkRows('variance', variance.length, classes);
  return Float64Array.from({ length: variance.length / classes }, (_, n) => {
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += variance[n * classes + c];
    return sum / classes;
  });
}

/** @throws RangeError naming what has no whole rows. */
export function checkRows(what: string, length: number, row: number): void {
  if (!Number.isInteger(row) || row < 1 || length === 0 || length % row !== 0) throw new RangeError(`${what}: ${length} numbers are no whole rows of ${row}`);
}
