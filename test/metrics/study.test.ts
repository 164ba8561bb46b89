/** The study of uncertainty: against scikit-learn on random samples, on sets of which every figure can be counted by hand, and for an ensemble's samples. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { auroc, deterministicScores, riskCoverage, sampleScores, softmax, uncertaintyStudy, type ScoredSet } from '../../sdk/metrics/index.js';
import { pythonWith } from '../support/python.js';
import { Random } from '../support/random.js';

/** Of two classes: the probability of the first, the scores, and labels. */
function set(name: string, role: ScoredSet['role'], first: readonly number[], softmaxEntropy: readonly number[], mutualInformation: readonly number[], labels?: readonly number[]): ScoredSet {
  return {
    name, role, labels, probabilities: first.flatMap((p) => [p, 1 - p]),
    scores: { predictiveEntropy: softmaxEntropy.map((a, n) => a + mutualInformation[n]), softmaxEntropy, mutualInformation },
  };
}

const clean = set('clean', 'in-domain', [0.9, 0.2, 0.8, 0.4], [0.1, 0.2, 0.15, 0.5], [0.01, 0.02, 0.03, 0.04], [0, 1, 1, 0]);
const ambiguous = set('ambiguous', 'ambiguous', [0.5, 0.6], [0.6, 0.65], [0.02, 0.05]);
const clothing = set('clothing', 'out-of-domain', [0.7, 0.5, 0.6], [0.3, 0.4, 0.02], [0.4, 0.3, 0.02]);
const study = uncertaintyStudy([clean, ambiguous, clothing], 2);

const python = pythonWith('sklearn', 'scipy', 'numpy');
if (python) {
  test('every figure of a study as scikit-learn, scipy and numpy have it; labels are classes, or shares of annotators', () => {
    const random = new Random(41);
    const [classes, count] = [5, 9];
    /** Samples about logits of one class, as sure as `height`; labels as often right. */
    const drawn = (name: string, role: ScoredSet['role'], inputs: number, height: number, spread: number, kind?: 'classes' | 'shares') => {
      const truth = Array.from({ length: inputs }, () => random.integer(0, classes - 1));
      const heights = truth.map(() => height * random.next());
      const samples = softmax(Float64Array.from({ length: count * inputs * classes }, (_, i) => {
        const [n, c] = [Math.floor(i / classes) % inputs, i % classes];
        return (c === truth[n] ? heights[n] : 0) + spread * random.float(-1, 1);
      }), classes);
      const voted = (n: number): number => (random.chance(0.5 + heights[n] / height / 2) ? truth[n] : random.integer(0, classes - 1));
      // of ten votes, so that there are ties
      const shares = truth.flatMap((_, n) => {
        const votes = Array.from({ length: 10 }, () => voted(n));
        return Array.from({ length: classes }, (_, c) => votes.filter((v) => v === c).length / 10);
      });
      return { name, role, samples, ...(kind === 'classes' ? { labels: truth.map((_, n) => voted(n)) } : kind === 'shares' ? { labels: shares } : {}) };
    };
    const rows = (labels: readonly number[], inputs: number): unknown => (labels.length === inputs ? labels : Array.from({ length: inputs }, (_, n) => labels.slice(n * classes, (n + 1) * classes)));
    const near = (found: number | undefined, wanted: number, what: string): void => assert.ok(Math.abs(found! - wanted) <= 1e-10 * Math.max(1, Math.abs(wanted)), `${what} is ${found}, and ${wanted} is expected`);
    for (const kind of ['classes', 'shares'] as const) {
      const sets = [drawn('clean', 'in-domain', 400, 6, 1, kind), drawn('between', 'ambiguous', 150, 1.5, 1, 'shares'), drawn('strange', 'out-of-domain', 250, 4, 4)];
      const { status, stdout, stderr } = spawnSync(python, [fileURLToPath(new URL('../python/study.py', import.meta.url))], {
        input: JSON.stringify({ classes, count, sets: sets.map(({ samples, labels, ...set }) => ({ ...set, samples: [...samples], ...(labels ? { labels: rows(labels, samples.length / count / classes) } : {}) })) }),
        encoding: 'utf8', maxBuffer: 2 ** 26,
      });
      assert.is(status, 0, stderr);
      const wanted = JSON.parse(stdout);
      const found = uncertaintyStudy(sets.map(({ samples, ...set }) => ({ ...set, ...sampleScores(samples, { count, classes }) })), classes);
      found.sets.forEach(({ name, role: _, inputs: __, means, ...figures }, i) => {
        const { means: wantedMeans, ...others } = wanted.sets[i];
        assert.equal(Object.keys(figures).sort(), Object.keys(others).sort());
        for (const [key, value] of Object.entries(others)) near(figures[key as keyof typeof figures], value as number, `${key} of ${name}`);
        for (const [key, value] of Object.entries(wantedMeans)) near(means[key as keyof typeof means], value as number, `mean ${key} of ${name}`);
      });
      assert.is(found.detections.length, wanted.detections.length);
      found.detections.forEach(({ set, from, score, ...figures }, i) => {
        const other = wanted.detections[i];
        assert.equal([set, from, score], [other.set, other.from, other.score]);
        for (const [key, value] of Object.entries(figures)) near(value, other[key], `${key} of ${set} from ${from.join(' and ')} by ${score}`);
      });
      for (const { score, area, curve } of found.riskCoverage) {
        near(area, wanted.riskArea[score], `area of ${score}`);
        for (const { coverage, risk } of curve) near(risk, wanted.risk[score][Math.round(coverage * 400) - 1], `risk by ${score} at ${coverage}`);
      }
      const { deferral } = found;
      near(deferral!.threshold, wanted.deferral.threshold, 'threshold');
      near(deferral!.risk, wanted.deferral.risk, 'risk to reach');
      near(deferral!.sets[0].coverage, wanted.deferral.coverage, 'coverage');
      near(deferral!.sets[0].risk, wanted.deferral.wrong, 'risk');
    }
  });
}

test('each set: figures of labels where there are labels, means of scores', () => {
  const [first, second] = study.sets;
  assert.is(first.inputs, 4);
  assert.is(first.accuracy, 0.5); // third and fourth are wrong
  assert.ok(Math.abs(first.negativeLogLikelihood! + (Math.log(0.9) + Math.log(0.8) + Math.log(0.2) + Math.log(0.4)) / 4) < 1e-12);
  assert.ok(Math.abs(first.means.mutualInformation! - 0.025) < 1e-12);
  assert.equal([second.accuracy, second.brierScore, second.calibrationErrorByWidth], [undefined, undefined, undefined]);
  assert.equal(study.reliability.map((r) => [r.name, r.byWidth.length, r.byMass.length]), [['clean', 15, 15]]);
});

test('every set against the one in domain; out of domain also against that and the ambiguous', () => {
  assert.equal(study.detections.filter((d) => d.score === 'mutualInformation').map((d) => [d.set, d.from, d.auroc]), [
    ['ambiguous', ['clean'], (1 + 0.5 + 4) / 8],
    ['clothing', ['clean'], (4 + 4 + 1.5) / 12],
    ['clothing', ['clean', 'ambiguous'], auroc([0.01, 0.02, 0.03, 0.04, 0.02, 0.05], [0.4, 0.3, 0.02])],
  ]);
  const aleatoric = study.detections.find((d) => d.set === 'ambiguous' && d.score === 'softmaxEntropy')!;
  assert.equal([aleatoric.auroc, aleatoric.falsePositiveRateAt95, aleatoric.truePositiveRateAt5, aleatoric.thresholdAt5], [1, 0, 1, 0.6]);
});

test('deferral: half the risk on the set itself, or the risk and the data that are given', () => {
  const { deferral } = study;
  // predictive entropies 0.11, 0.22 right, 0.18, 0.54 wrong: answering three has a risk of 1/3, above a half of 1/2; two has 1/2, one 0
  assert.equal([deferral!.threshold, deferral!.risk, deferral!.chosenOn, deferral!.validated], [0.11, 0.25, 'clean', false]);
  assert.equal(deferral!.sets, [{ name: 'clean', coverage: 0.25, risk: 0 }, { name: 'ambiguous', coverage: 0 }, { name: 'clothing', coverage: 1 / 3 }]);
  assert.is(uncertaintyStudy([clean], 2, { risk: 0.4 }).deferral!.threshold, 0.22);
  const validation = set('held out', 'in-domain', [0.9, 0.9], [0.3, 0.6], [0, 0], [0, 1]);
  assert.equal(uncertaintyStudy([clean], 2, { validation }).deferral, { score: 'predictiveEntropy', threshold: 0.3, risk: 0.25, chosenOn: 'held out', validated: true, sets: [{ name: 'clean', coverage: 0.75, risk: 1 / 3 }] });
  assert.is(uncertaintyStudy([{ ...clean, labels: undefined }], 2).deferral, undefined);
  assert.equal(study.riskCoverage[0].curve, riskCoverage(clean.scores.predictiveEntropy!, [true, true, false, false]));
});

test('galleries: doubtful ones, sure mistakes, and strangers taken for known', () => {
  assert.equal(study.galleries.map((g) => [g.set, g.score, g.order, g.mistakes, g.inputs.map((i) => i.index)]), [
    ['clean', 'mutualInformation', 'highest', false, [3, 2, 1, 0]],
    ['clean', 'softmaxEntropy', 'highest', false, [3, 1, 2, 0]],
    ['clean', 'predictiveEntropy', 'lowest', true, [2, 3]],
    ['ambiguous', 'mutualInformation', 'highest', false, [1, 0]],
    ['ambiguous', 'softmaxEntropy', 'highest', false, [1, 0]],
    ['clothing', 'mutualInformation', 'highest', false, [0, 1, 2]],
    ['clothing', 'predictiveEntropy', 'lowest', false, [2, 0, 1]],
  ]);
  assert.equal(study.galleries[2].inputs[0], { index: 2, value: 0.18, predicted: 0, probability: 0.8, label: 1 });
});

test('histograms count every input, curves and scatter stay small', () => {
  for (const { edges, sets } of study.histograms) {
    assert.is(edges.length, 41);
    assert.equal(sets.map((s) => s.counts.reduce((a, b) => a + b)), [4, 2, 3]);
  }
  const random = new Random(5);
  const many = Array.from({ length: 5000 }, () => random.float(0, 1));
  const large = uncertaintyStudy([set('many', 'in-domain', many, many, many, many.map((p) => Number(p < 0.6)))], 2, { points: 100, pictures: 3 });
  assert.is(large.scatter[0].points.length, 100);
  assert.ok(large.riskCoverage.every((r) => r.curve.length <= 200 && r.curve[r.curve.length - 1].coverage === 1));
  assert.is(large.galleries[0].inputs.length, 3);
});

test('an ensemble gives its parts of uncertainty, a deterministic model only the whole', () => {
  const random = new Random(9);
  const samples = softmax(Float64Array.from({ length: 5 * 30 * 3 }, () => random.float(-2, 2)), 3);
  const ensemble = uncertaintyStudy([{ name: 'a', role: 'in-domain', ...sampleScores(samples, { count: 5, classes: 3 }) }], 3);
  assert.equal(ensemble.scores, ['predictiveEntropy', 'softmaxEntropy', 'mutualInformation']);
  assert.ok(ensemble.sets[0].means.mutualInformation! > 0.1);
  const plain = uncertaintyStudy([{ name: 'a', role: 'in-domain', ...deterministicScores(samples.subarray(0, 90), 3) }], 3);
  assert.equal([plain.scores, plain.scatter], [['predictiveEntropy'], []]);
});

test('soft labels: all of the probability on a class is that class; the largest share is the answer, each of equal ones', () => {
  const onehot = { ...clean, labels: [1, 0, 0, 1, 0, 1, 1, 0] };
  const { sets: [{ labelEntropy, ...found }] } = uncertaintyStudy([onehot], 2);
  assert.equal([labelEntropy, found], [0, study.sets[0]]);
  const tied = uncertaintyStudy([{ ...clean, labels: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 0] }], 2);
  assert.is(tied.sets[0].accuracy, 0.75);
  assert.equal(tied.galleries.find((g) => g.mistakes)!.inputs.map((i) => [i.index, i.predicted, i.label]), [[3, 1, 0]]);
});

test('sets that do not fit are refused', () => {
  assert.throws(() => uncertaintyStudy([{ ...clean, labels: [0.5, 0.5, 1, 0, 0.9, 0.2, 1, 0] }], 2), /labels: row 2 sums to 1\.1, and the probabilities of classes sum to 1/);
  assert.throws(() => uncertaintyStudy([{ ...clean, labels: [0.5, 0.5, 1.5, -0.5, 0, 1, 1, 0] }], 2), /labels: row 1 has -0\.5 for class 1, and a probability is 0 to 1/);
  assert.throws(() => uncertaintyStudy([clothing], 2), /sets: none is in domain/);
  assert.throws(() => uncertaintyStudy([{ ...clean, scores: { predictiveEntropy: [1] } }], 2), /clean, predictiveEntropy: 1 for 4 inputs/);
  assert.throws(() => uncertaintyStudy([{ ...clean, labels: [0, 1] }], 2), /labels: 2 for 4 rows of probabilities/);
});

test.run();
