/**
 * Whether confidence is what it says: reliability diagram and expected calibration error of the predicted class (Guo et al. 2017),
 * and the temperature that mends it. Fit on validation data, never on what is reported.
 */
import { areSoft, checkLabels, labelProbability, negativeLogLikelihood, predictedClasses } from './classification.js';
import { softmax } from './predictive.js';

export interface ReliabilityBin {
  /** Confidences c with from < c <= to; of equal mass: the least and the greatest in the bin. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence, and part that is right (of soft labels, the mean of what they give to the predicted class); NaN where the bin is empty. */
  readonly confidence: number;
  readonly accuracy: number;
}

export interface BinOptions {
  /** Default 15. */
  readonly bins?: number;
  /** Bins of equal width (default), or of equal numbers of inputs. */
  readonly equal?: 'width' | 'mass';
}

/** Bins of the greatest probability of each input, and how often it was right. */
export function reliability(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number, { bins = 15, equal = 'width' }: BinOptions = {}): ReliabilityBin[] {
  checkLabels(probabilities, labels, classes);
  if (!Number.isInteger(bins) || bins < 1) throw new RangeError(`bins: expected a positive whole number, found ${bins}`);
  const given = labelProbability(labels, areSoft(labels, probabilities.length / classes, classes), classes);
  const points = Array.from(predictedClasses(probabilities, classes), (best, n) => ({ confidence: probabilities[n * classes + best], right: given(n, best) }));
  const summary = (from: number, to: number, list: typeof points): ReliabilityBin => ({
    from, to, count: list.length,
    confidence: list.reduce((sum, p) => sum + p.confidence, 0) / list.length,
    accuracy: list.reduce((sum, p) => sum + p.right, 0) / list.length,
  });
  if (equal === 'width') {
    const filled = Array.from({ length: bins }, (): typeof points => []);
    for (const p of points) filled[Math.min(bins - 1, Math.max(0, Math.ceil(p.confidence * bins) - 1))].push(p);
    return filled.map((list, i) => summary(i / bins, (i + 1) / bins, list));
  }
  points.sort((a, b) => a.confidence - b.confidence);
  // as even as can be, the first bins one larger
  const size = Math.floor(points.length / bins);
  let start = 0;
  return Array.from({ length: bins }, (_, i) => {
    const list = points.slice(start, (start += size + Number(i < points.length % bins)));
    return summary(list[0]?.confidence ?? NaN, list[list.length - 1]?.confidence ?? NaN, list);
  });
}

/** Mean distance of confidence and accuracy over bins, weighted by their counts. */
export function expectedCalibrationError(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number, options: BinOptions = {}): number {
  return reliability(probabilities, labels, classes, options).reduce((sum, b) => (b.count === 0 ? sum : sum + (b.count / (probabilities.length / classes)) * Math.abs(b.accuracy - b.confidence)), 0);
}

/** The temperature T > 0 for which softmax(logits / T) has the least negative log likelihood; logits [N, classes]. */
export function temperature(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  checkLabels(logits, labels, classes);
  return Math.exp(minimize((x) => negativeLogLikelihood(softmax(Float64Array.from(logits, (l) => l / Math.exp(x)), classes), labels, classes), Math.log(0.01), Math.log(100)));
}

/** Where a function with one minimum in [from, to] has it, to `tolerance`, default 1e-6 of the interval (golden section). */
export function minimize(f: (x: number) => number, from: number, to: number, tolerance = (to - from) * 1e-6): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [to - ratio * (to - from), from + ratio * (to - from)];
  let [atLow, atHigh] = [f(low), f(high)];
  while (to - from > tolerance) {
    if (atLow <= atHigh) {
      [to, high, atHigh] = [high, low, atLow];
      low = to - ratio * (to - from);
      atLow = f(low);
    } else {
      [from, low, atLow] = [low, high, atHigh];
      high = from + ratio * (to - from);
      atHigh = f(high);
    }
  }
  return (from + to) / 2;
}
