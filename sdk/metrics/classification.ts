/** How good predicted probabilities are: accuracy, negative log likelihood, Brier score. Probabilities are [N, classes], row-major. */
import { checkRows } from './predictive.js';

/** Index of the greatest of each row, the first of equal ones. */
export function predictedClasses(probabilities: ArrayLike<number>, classes: number): Int32Array {
  checkRows('probabilities', probabilities.length, classes);
  return Int32Array.from({ length: probabilities.length / classes }, (_, n) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (probabilities[n * classes + c] > probabilities[n * classes + best]) best = c;
    return best;
  });
}

/** The part of inputs of which the greatest probability is that of the label. */
export function accuracy(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  checkLabels(probabilities, labels, classes);
  const predicted = predictedClasses(probabilities, classes);
  return predicted.reduce((hits, c, n) => hits + Number(c === labels[n]), 0) / predicted.length;
}

/**
 * Mean of -ln p(label), nats; infinite where a label has no probability, unless those below `floor` count as that. (Samples of logits
 * that are far apart leave none: 2^-126, the least that float32 holds in full, is 87 nats.)
 */
export function negativeLogLikelihood(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number, { floor = 0 }: { readonly floor?: number } = {}): number {
  checkLabels(probabilities, labels, classes);
  let sum = 0;
  for (let n = 0; n < labels.length; n++) sum -= Math.log(Math.max(floor, probabilities[n * classes + labels[n]]));
  return sum / labels.length;
}

/** Mean over inputs of the squared distance to the label, summed over classes (Brier 1950): 0 to 2. */
export function brierScore(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  checkLabels(probabilities, labels, classes);
  let sum = 0;
  for (let n = 0; n < labels.length; n++) {
    for (let c = 0; c < classes; c++) sum += (probabilities[n * classes + c] - Number(c === labels[n])) ** 2;
  }
  return sum / labels.length;
}

/** @throws RangeError where there is not one label for each row, or a label is no class. */
export function checkLabels(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): void {
  checkRows('probabilities', probabilities.length, classes);
  if (labels.length * classes !== probabilities.length) throw new RangeError(`labels: ${labels.length} for ${probabilities.length / classes} rows of probabilities`);
  for (let n = 0; n < labels.length; n++) {
    if (!(Number.isInteger(labels[n]) && labels[n] >= 0 && labels[n] < classes)) throw new RangeError(`labels: number ${n} is ${labels[n]}, and classes are 0 to ${classes - 1}`);
  }
}
