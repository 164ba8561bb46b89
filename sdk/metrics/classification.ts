/**
 * How good predicted probabilities are: accuracy, negative log likelihood, Brier score. Probabilities are [N, classes], row-major.
 *
 * Labels are [N] classes, or soft: [N, classes] probabilities, row-major, such as the shares of several annotators. A class as a label
 * and all of the probability on that class give the same figures.
 */
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

/** The part of inputs of which the greatest probability is that of the label (see `rightAnswers`). */
export function accuracy(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  const right = rightAnswers(probabilities, labels, classes);
  return right.filter((r) => r).length / right.length;
}

/** Whether each input's likeliest class is that of its label: of a soft one, a class that none is more probable than. */
export function rightAnswers(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): boolean[] {
  checkLabels(probabilities, labels, classes);
  const predicted = predictedClasses(probabilities, classes);
  if (!areSoft(labels, predicted.length, classes)) return Array.from(predicted, (c, n) => c === labels[n]);
  return Array.from(predictedClasses(labels, classes), (best, n) => labels[n * classes + predicted[n]] === labels[n * classes + best]);
}

/** Whether labels of so many inputs are probabilities of classes. */
export function areSoft(labels: ArrayLike<number>, inputs: number, classes: number): boolean {
  return labels.length !== inputs && labels.length === inputs * classes;
}

/** What the label of input n gives to class c. */
export function labelProbability(labels: ArrayLike<number>, soft: boolean, classes: number): (n: number, c: number) => number {
  return soft ? (n, c) => labels[n * classes + c] : (n, c) => Number(c === labels[n]);
}

/**
 * Mean of -ln p(label), nats, of soft labels q the cross entropy -sum q ln p (at least their own entropy); infinite where a label has no probability, unless those below `floor` count as that. (Samples of logits
 * that are far apart leave none: 2^-126, the least that float32 holds in full, is 87 nats.)
 */
export function negativeLogLikelihood(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number, { floor = 0 }: { readonly floor?: number } = {}): number {
  checkLabels(probabilities, labels, classes);
  const inputs = probabilities.length / classes;
  let sum = 0;
  if (areSoft(labels, inputs, classes)) {
    for (let i = 0; i < labels.length; i++) if (labels[i] > 0) sum -= labels[i] * Math.log(Math.max(floor, probabilities[i]));
  } else {
    for (let n = 0; n < inputs; n++) sum -= Math.log(Math.max(floor, probabilities[n * classes + labels[n]]));
  }
  return sum / inputs;
}

/** Mean over inputs of the squared distance to the label, summed over classes (Brier 1950): 0 to 2. */
export function brierScore(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  checkLabels(probabilities, labels, classes);
  const inputs = probabilities.length / classes;
  const given = labelProbability(labels, areSoft(labels, inputs, classes), classes);
  let sum = 0;
  for (let n = 0; n < inputs; n++) {
    for (let c = 0; c < classes; c++) sum += (probabilities[n * classes + c] - given(n, c)) ** 2;
  }
  return sum / inputs;
}

/** @throws RangeError where there is not one label for each row, a label is no class, or a soft one is no distribution (sum 1 within 0.001). */
export function checkLabels(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): void {
  checkRows('probabilities', probabilities.length, classes);
  const inputs = probabilities.length / classes;
  if (areSoft(labels, inputs, classes)) {
    const bad = wrongDistribution(labels, classes);
    if (bad) throw new RangeError(`labels: ${bad}`);
    return;
  }
  if (labels.length !== inputs) throw new RangeError(`labels: ${labels.length} for ${inputs} rows of probabilities`);
  for (let n = 0; n < labels.length; n++) {
    if (!(Number.isInteger(labels[n]) && labels[n] >= 0 && labels[n] < classes)) throw new RangeError(`labels: number ${n} is ${labels[n]}, and classes are 0 to ${classes - 1}`);
  }
}

/** What is wrong with the first row that is no distribution; undefined where all are. */
export function wrongDistribution(rows: ArrayLike<number>, classes: number): string | undefined {
  for (let row = 0; row * classes < rows.length; row++) {
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      const p = rows[row * classes + c];
      if (!(p >= 0 && p < Infinity)) return `row ${row} has ${p} for class ${c}, and a probability is 0 to 1`;
      sum += p;
    }
    if (!(Math.abs(sum - 1) <= 1e-3)) return `row ${row} sums to ${Number(sum.toPrecision(6))}, and the probabilities of classes sum to 1`;
  }
  return undefined;
}
