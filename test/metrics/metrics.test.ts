/** Metrics against scikit-learn, scipy and numpy on seeded data with ties, and cases that can be counted by hand. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  accuracy, auroc, aupr, brierScore, deferralThreshold, divergence, entropy, expectedCalibrationError, falsePositiveRateAt, histogram, logitUncertainty, meanVariance,
  minimize, negativeLogLikelihood, reliability, riskCoverage, riskCoverageArea, rocCurve, softmax, temperature, truePositiveRateAt, uncertainty,
} from '../../sdk/metrics/index.js';
import { pythonWith } from '../support/python.js';
import { Random } from '../support/random.js';

const random = new Random(31);
const [classes, inputs, count] = [7, 500, 12];
const logits = Float64Array.from({ length: inputs * classes }, () => random.float(-4, 4));
const probabilities = softmax(logits, classes);
const labels = Array.from({ length: inputs }, (_, n) => {
  // mostly the likeliest class
  const row = [...probabilities.subarray(n * classes, (n + 1) * classes)];
  return random.float(0, 1) < 0.7 ? row.indexOf(Math.max(...row)) : Math.floor(random.float(0, classes - 1e-9));
});
const samples = softmax(Float64Array.from({ length: count * inputs * classes }, () => random.float(-3, 3)), classes);
// One decimal: many ties.
const negative = Array.from({ length: 300 }, () => Math.round(random.float(0, 6) * 10) / 10);
const positive = Array.from({ length: 170 }, () => Math.round(random.float(1, 9) * 10) / 10);
// Without ties, for a curve that goes one input at a time.
const distinct = negative.map((x, n) => x + n * 1e-6);
const wrong = distinct.map((x) => random.float(0, 8) < x);

// Normal logits of two classes: mean and variance.
const twoClasses = [[[1, -1], [0.5, 2]], [[0, 0], [9, 4]], [[3, 3.5], [1e-6, 0]], [[-4, 4], [10, 30]]];

const near = (found: number, wanted: number, what: string, tolerance = 1e-12): void => assert.ok(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${what} is ${found}, and ${wanted} is expected`);

const python = pythonWith('sklearn', 'scipy', 'numpy');
if (python) {
  test('every metric as scikit-learn, scipy and numpy have it', () => {
    const script = fileURLToPath(new URL('../python/metrics.py', import.meta.url));
    const given = { classes, count, labels, probabilities: [...probabilities], logits: [...logits], samples: [...samples], negative: distinct, positive, wrong: wrong.map(Number), twoClasses };
    const run = (input: object) => JSON.parse(spawnSync(python, [script], { input: JSON.stringify(input), encoding: 'utf8', maxBuffer: 2 ** 26 }).stdout);
    const wanted = run(given);
    near(accuracy(probabilities, labels, classes), wanted.accuracy, 'accuracy');
    near(negativeLogLikelihood(probabilities, labels, classes), wanted.negativeLogLikelihood, 'negative log likelihood', 1e-10);
    near(brierScore(probabilities, labels, classes), wanted.brierScore, 'Brier score');
    near(expectedCalibrationError(probabilities, labels, classes), wanted.calibrationErrorByWidth, 'calibration error, equal width');
    near(expectedCalibrationError(probabilities, labels, classes, { equal: 'mass' }), wanted.calibrationErrorByMass, 'calibration error, equal mass');
    near(temperature(logits, labels, classes), wanted.temperature, 'temperature', 1e-4);
    const found = uncertainty(samples, { count, classes });
    for (const key of ['predictiveEntropy', 'softmaxEntropy', 'mutualInformation'] as const) found[key].forEach((x, n) => near(x, wanted[key][n], `${key} of ${n}`));
    riskCoverage(distinct, wrong.map((w) => !w)).forEach((c, i) => near(c.risk, wanted.risk[i], `risk at ${i}`));
    near(riskCoverageArea(distinct, wrong.map((w) => !w)), wanted.riskArea, 'area under the risk');
    assert.equal(histogram(distinct.filter((x) => x <= 4), { bins: 13, from: 0, to: 4 }).counts, wanted.histogram);
    twoClasses.forEach(([mean, variance], i) => {
      const found = logitUncertainty(mean, variance, { classes: 2, count: 40_000 });
      // five standard errors at most: probabilities and entropies of two classes deviate by less than 1/2
      near(found.probabilities[0], wanted.twoClasses[i][0], `probability of ${mean} and ${variance}`, 5 * 0.5 / 200);
      near(found.softmaxEntropy[0], wanted.twoClasses[i][1], `softmax entropy of ${mean} and ${variance}`, 5 * 0.35 / 200);
    });
    for (const scores of [distinct, negative]) {
      const tied = scores === distinct ? wanted : run({ ...given, negative });
      near(auroc(scores, positive), tied.auroc, 'AUROC');
      near(tied.auroc, tied.aurocByCurve, 'the area under the curve');
      near(aupr(scores, positive), tied.aupr, 'AUPR');
      near(falsePositiveRateAt(scores, positive).falsePositiveRate, tied.falsePositiveRateAt95, 'FPR at 95 % TPR');
      near(truePositiveRateAt(scores, positive).truePositiveRate, tied.truePositiveRateAt5, 'TPR at 5 % FPR');
    }
  });
}

test('AUROC is the count of pairs, ties one half', () => {
  let pairs = 0;
  for (const n of negative) for (const p of positive) pairs += p > n ? 1 : p === n ? 0.5 : 0;
  near(auroc(negative, positive), pairs / negative.length / positive.length, 'AUROC');
  assert.is(auroc([1, 1], [1, 1, 1]), 0.5);
  assert.is(auroc([0, 1], [2, 3]), 1);
  assert.equal(rocCurve([0, 1], [1, 2]).map((p) => [p.threshold, p.falsePositiveRate, p.truePositiveRate]), [[Infinity, 0, 0], [2, 0, 0.5], [1, 0.5, 1], [0, 1, 1]]);
});

test('entropies: nats, bounds, and no epistemic part where samples agree', () => {
  near(entropy([0.5, 0.5]), Math.LN2, 'entropy of a coin');
  assert.is(entropy([1, 0, 0]), 0);
  const found = uncertainty(samples, { count, classes });
  found.mutualInformation.forEach((i, n) => assert.ok(found.softmaxEntropy[n] >= 0 && found.predictiveEntropy[n] >= found.softmaxEntropy[n] - 1e-12 && i <= Math.log(classes)));
  const same = uncertainty([0.2, 0.8, 0.2, 0.8], { count: 2, classes: 2 });
  assert.equal([...same.probabilities], [0.2, 0.8]);
  assert.ok(same.mutualInformation[0] < 1e-15);
  assert.equal([...meanVariance([1, 3, 0, 4], 2)], [2, 2]);
});

test('logit samples: seeded, each input for itself, standard normal, and known logits are known', () => {
  const [mean, variance] = [logits.subarray(0, 70), Float64Array.from({ length: 70 }, (_, i) => i / 20)];
  const all = logitUncertainty(mean, variance, { classes });
  assert.equal(logitUncertainty(mean.subarray(0, 21), variance.subarray(0, 21), { classes }).probabilities, all.probabilities.subarray(0, 21));
  assert.not.equal(logitUncertainty(mean, variance, { classes, seed: 2 }).probabilities, all.probabilities);
  const known = logitUncertainty(mean, new Float64Array(70), { classes, count: 3 });
  softmax(mean, classes).forEach((p, i) => near(known.probabilities[i], p, `probability ${i}`));
  known.mutualInformation.forEach((i) => assert.ok(i < 1e-14));
  // one class far above: the entropy is next to nothing, whatever is drawn; a variance of 0 beside others
  assert.ok(logitUncertainty([900, 0], [1, 0], { classes: 2 }).predictiveEntropy[0] < 1e-15);
});

test('a histogram counts what lies outside at its ends', () => {
  assert.equal(histogram([-1, 0, 0.5, 1, 1.5, 2, 7], { bins: 2, from: 0, to: 2 }), { edges: [0, 1, 2], counts: [3, 4] });
  assert.throws(() => histogram([NaN], { bins: 2, from: 0, to: 2 }), /values: number 0 is NaN/);
  assert.throws(() => histogram([1], { bins: 2, from: 2, to: 2 }), /to: expected more than 2, found 2/);
});

test('mutual information keeps its digits where the difference of entropies has none', () => {
  // samples q (1 + d) and q (1 - d) of a rare class: q d^2 / 2 to second order, the likely class adds (q d)^2 / 2
  for (const [q, d] of [[1e-3, 0.5], [1e-12, 0.5], [1e-30, 0.1], [1e-9, 1e-5]]) {
    const samples = [q * (1 + d), 1 - q * (1 + d), q * (1 - d), 1 - q * (1 - d)];
    const wanted = (q * ((1 + d) * Math.log1p(d) + (1 - d) * Math.log1p(-d))) / 2 + ((q * d) ** 2) / 2;
    near(uncertainty(samples, { count: 2, classes: 2 }).mutualInformation[0] / wanted, 1, `of ${q}, ${d}`, 2e-4);
  }
  near(divergence([0.2, 0.8], [0.5, 0.5], 2), 0.2 * Math.log(0.4) + 0.8 * Math.log(1.6), 'divergence');
  assert.is(divergence([0, 1], [0, 1], 2), 0);
});

test('a label without probability: infinite, or the floor', () => {
  assert.is(negativeLogLikelihood([0, 1], [0], 2), Infinity);
  near(negativeLogLikelihood([0, 1], [0], 2, { floor: 2 ** -126 }), 126 * Math.LN2, 'floor');
});

test('bins are closed on the right; the first takes 0; empty ones count nothing', () => {
  const bins = reliability([1, 0, 0.6, 0.4, 0.5, 0.5, 0.2, 0.8], [0, 0, 1, 1], 2, { bins: 5 });
  assert.equal(bins.map((b) => b.count), [0, 0, 2, 1, 1]);
  assert.equal(bins.map((b) => b.accuracy).slice(2), [0.5, 1, 1]);
  near(expectedCalibrationError([1, 0, 0.6, 0.4, 0.5, 0.5, 0.2, 0.8], [0, 0, 1, 1], 2, { bins: 5 }), (2 * 0.05 + 0.2 + 0) / 4, 'calibration error');
});

test('deferral: the most coverage at a risk; thresholds take equal uncertainties together', () => {
  assert.equal(riskCoverage([1, 2, 2, 3], [true, true, false, false]).map((c) => [c.threshold, c.coverage, c.risk]), [[1, 0.25, 0], [2, 0.75, 1 / 3], [3, 1, 0.5]]);
  assert.is(deferralThreshold([1, 2, 2, 3], [true, true, false, false], 0.4)!.threshold, 2);
  assert.is(deferralThreshold([1, 2], [false, true], 0.1), undefined);
});

test('softmax is stable; minimize finds a planted minimum', () => {
  assert.equal([...softmax([1e4, 1e4], 2)], [0.5, 0.5]);
  near(minimize((x) => (x - 0.3) ** 2, -4, 5), 0.3, 'minimum', 1e-5);
});

test('arrays that do not fit are refused', () => {
  assert.throws(() => softmax([1, 2, 3], 2), /logits: 3 numbers are no whole rows of 2/);
  assert.throws(() => accuracy([0.5, 0.5], [0, 1, 1], 2), /labels: 3 for 1 rows of probabilities/);
  assert.throws(() => brierScore([0.5, 0.5], [2], 2), /labels: number 0 is 2, and classes are 0 to 1/);
  assert.throws(() => auroc([], [1]), /negative: no scores/);
  assert.throws(() => auroc([1], [NaN]), /positive: score 0 is NaN/);
  assert.throws(() => logitUncertainty([1, 2], [1], { classes: 2 }), /variance: 1 for 2 means/);
  assert.throws(() => logitUncertainty([1, 2], [1, -1], { classes: 2 }), /variance: number 1 is -1/);
  assert.throws(() => logitUncertainty([1, Infinity], [1, 1], { classes: 2 }), /mean: number 1 is Infinity/);
  assert.throws(() => logitUncertainty([1, 2], [1, 1], { classes: 2, count: 0 }), /count: expected a positive whole number of samples, found 0/);
  assert.throws(() => riskCoverage([1], []), /right: 0 for 1 uncertainties/);
});

test.run();
