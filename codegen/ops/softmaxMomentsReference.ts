/** SoftmaxMoments for one input in float64, as naive loops: the same approximations, without what float32 needs. */
import { closure, extent, greatestStretch, greatestVariance, gumbelVariance, leastLog, leastStretch, lineFrom, linearBelow, points, shape, tiny } from '../functions/softmaxMoments.js';

export interface ExpectedSoftmax {
  readonly probabilities: Float64Array;
  readonly predictiveEntropy: number;
  readonly softmaxEntropy: number;
  readonly mutualInformation: number;
}

const power = (row: readonly number[], x: number): number => row.reduce((total, c, i) => total + c * x ** i, 0);
const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** -ln F and f / F at a distance x from the mean of a class. */
function hazard(x: number, variance: number): [cumulative: number, rate: number] {
  const whole = variance + gumbelVariance;
  const inverse = 1 / Math.sqrt(whole);
  const factors = shape.map((row, i) => (variance / whole) * power(row, inverse) + (i === 1 ? Math.sqrt(gumbelVariance) : 0));
  const u = x * inverse;
  const inside = Math.min(u, lineFrom);
  const slope = total(factors.map((factor, i) => (i === 0 ? 0 : factor * i * inside ** (i - 1))));
  const cumulative = Math.exp(-(power(factors, inside) + slope * (u - inside)));
  return [cumulative, slope * inverse * cumulative];
}

export function expectedSoftmax(mean: Float64Array, variance: Float64Array): ExpectedSoftmax {
  const m = [...mean];
  const v = [...variance];
  const low = m.map((x, c) => x - Math.min(extent.below[0] + extent.below[1] * Math.sqrt(v[c]), extent.below[2] * Math.sqrt(v[c] + gumbelVariance)));
  const high = m.map((x, c) => x + Math.max(extent.above[0] + extent.above[1] * Math.min(v[c], extent.above[2]), extent.above[3] * Math.sqrt(v[c])));
  const from = Math.max(...low);
  const length = Math.max(...high) - from;
  const first = Math.max(...high.filter((_, c) => low[c] === from)) - from;
  const stretch = Math.min(Math.max(length / first - 1, leastStretch), greatestStretch);
  const win = m.map(() => 0);
  const spread = m.map(() => 0);
  for (let k = 0; k < points; k++) {
    const growth = stretch ** ((2 * k) / (points - 1));
    const t = from + (length * (growth - 1)) / (stretch ** 2 - 1);
    const found = m.map((x, c) => hazard(t - x, v[c]));
    const survival = Math.exp(-total(found.map(([cumulative]) => cumulative))) * growth;
    if (survival === 0) continue;
    found.forEach(([, rate], c) => {
      win[c] += rate * survival;
      spread[c] += rate * survival * total(found.map(([, r], j) => (j === c ? 0 : r)));
    });
  }
  const sum = total(win.map((w) => Math.max(w, 0)));
  const probabilities = win.map((w) => Math.max(w, 0) / sum);
  const bounded = v.map((x) => Math.min(x, greatestVariance));
  const linear = total(probabilities.map((p, c) => p * p * bounded[c]));
  const widest = Math.max(...bounded) ** 2;
  const trust = widest / (widest + linearBelow ** 2);
  let [predictiveEntropy, mutualInformation] = [0, 0];
  probabilities.forEach((p, c) => {
    if (p < tiny) return;
    const narrow = Math.min(p * (bounded[c] * (1 - 2 * p) + linear), 1 - p);
    const relative = Math.min(Math.max((1 - trust) * narrow + trust * (1 - p - spread[c] / sum / p), 0), 1 - p);
    const share = relative / Math.max(1 - p, tiny);
    const depth = Math.max(Math.log(p), leastLog) / 4;
    const correction = power(closure.map((row) => power(row, share)), depth);
    predictiveEntropy -= p * Math.log(p);
    mutualInformation += p * Math.min(0.5 * Math.log1p(relative / p) * (1 + share * (1 + (1 - share) * correction)), -Math.log(p));
  });
  mutualInformation = Math.min(Math.max(mutualInformation, 0), predictiveEntropy);
  return { probabilities: Float64Array.from(probabilities), predictiveEntropy, softmaxEntropy: predictiveEntropy - mutualInformation, mutualInformation };
}
