/**
 * A study of a classifier's uncertainty as data: how good and how honest it is on each set, how well each score finds inputs out
 * of domain, ambiguous ones and its own mistakes, and from where on it should defer. For any model: a probabilistic forward pass,
 * samples of weights, an ensemble, dropout, a deterministic network (which has no epistemic part). Not here: running models, and
 * how a study is shown.
 */
import { expectedCalibrationError, reliability, type ReliabilityBin } from './calibration.js';
import { accuracy, areSoft, brierScore, checkLabels, negativeLogLikelihood, predictedClasses, rightAnswers } from './classification.js';
import { auroc, aupr, deferralThreshold, falsePositiveRateAt, riskCoverage, riskCoverageArea, truePositiveRateAt, type Coverage } from './detection.js';
import { histogram } from './histogram.js';
import { checkRows, entropy, uncertainty, type Uncertainty } from './predictive.js';

/** in-domain: what the model is for. ambiguous: of its domain, and doubtful by itself. out-of-domain: what it should know that it does not know. */
export type SetRole = 'in-domain' | 'ambiguous' | 'out-of-domain';

/** Scores of uncertainty, one number an input, nats but for the last: total, aleatoric, epistemic, and the mean variance of logits. */
export const scoreNames = ['predictiveEntropy', 'softmaxEntropy', 'mutualInformation', 'logitVariance'] as const;
export type ScoreName = (typeof scoreNames)[number];

/** Probabilities of labels count as at least this: one input without any would make the mean infinite. */
export const likelihoodFloor = 2 ** -126;

/** N inputs as a model sees them. */
export interface ScoredSet {
  readonly name: string;
  readonly role: SetRole;
  /** [N, classes], row-major: the mean probabilities. */
  readonly probabilities: ArrayLike<number>;
  /** [N] classes, or soft, [N, classes] probabilities; where they are known. */
  readonly labels?: ArrayLike<number>;
  /** [N] of each score that the model gives. */
  readonly scores: Readonly<Partial<Record<ScoreName, ArrayLike<number>>>>;
}

export interface SetSummary {
  readonly name: string;
  readonly role: SetRole;
  readonly inputs: number;
  /** Of soft labels: the mean of their own entropies, nats, below which no negative log likelihood can be. */
  readonly labelEntropy?: number;
  /** The next five where labels are known; of the likelihood, probabilities count as at least 2^-126 (87 nats). */
  readonly accuracy?: number;
  readonly negativeLogLikelihood?: number;
  readonly brierScore?: number;
  /** 15 bins of equal width, closed on the right; and 15 of equal mass. */
  readonly calibrationErrorByWidth?: number;
  readonly calibrationErrorByMass?: number;
  /** Means over inputs. */
  readonly means: Readonly<Partial<Record<ScoreName, number>>>;
}

/** How well one score tells a set (positive) from others (negative). */
export interface Detection {
  readonly set: string;
  readonly from: readonly string[];
  readonly score: ScoreName;
  readonly auroc: number;
  readonly aupr: number;
  /** False positive rate at the highest threshold that finds 95 %. */
  readonly falsePositiveRateAt95: number;
  /** What is found at the lowest threshold with at most 5 % false positives, and that threshold. */
  readonly truePositiveRateAt5: number;
  readonly thresholdAt5: number;
}

/** The suggestion: answer inputs with at most this score, defer the others. */
export interface Deferral {
  readonly score: ScoreName;
  readonly threshold: number;
  /** The risk that was asked for. */
  readonly risk: number;
  /** The set it was chosen on, and whether that was for validation: if not, what it reaches is a little too good. */
  readonly chosenOn: string;
  readonly validated: boolean;
  /** What it does: the part that is answered, and where labels are known the part of answers that is wrong (undefined where none is answered). */
  readonly sets: readonly { readonly name: string; readonly coverage: number; readonly risk?: number }[];
}

export interface StudyHistogram {
  readonly score: ScoreName;
  readonly edges: readonly number[];
  readonly sets: readonly { readonly name: string; readonly counts: readonly number[] }[];
}

/** Inputs worth a look, by their place in their set. */
export interface Gallery {
  readonly set: string;
  readonly score: ScoreName;
  readonly order: 'highest' | 'lowest';
  /** Only inputs that are answered wrongly. */
  readonly mistakes: boolean;
  readonly inputs: readonly { readonly index: number; readonly value: number; readonly predicted: number; readonly probability: number; /** Of a soft label, the class it gives most. */ readonly label?: number }[];
}

export interface Study {
  readonly classes: number;
  /** Those that every set has. */
  readonly scores: readonly ScoreName[];
  readonly sets: readonly SetSummary[];
  readonly detections: readonly Detection[];
  /** Of every set with labels. */
  readonly reliability: readonly { readonly name: string; readonly byWidth: readonly ReliabilityBin[]; readonly byMass: readonly ReliabilityBin[] }[];
  /** Of the in-domain set where it has labels: at most 200 points a curve, and the area under the whole. */
  readonly riskCoverage: readonly { readonly score: ScoreName; readonly area: number; readonly curve: readonly Coverage[] }[];
  readonly deferral?: Deferral;
  readonly histograms: readonly StudyHistogram[];
  /** Softmax entropy against mutual information of inputs at equal distances in their sets. */
  readonly scatter: readonly { readonly name: string; readonly points: readonly (readonly [aleatoric: number, epistemic: number])[] }[];
  readonly galleries: readonly Gallery[];
}

export interface StudyOptions {
  /** Chosen to be deferred by; default the predictive entropy. */
  readonly deferBy?: ScoreName;
  /** The part of answers that may be wrong; default half of what is wrong without deferral. */
  readonly risk?: number;
  /** Labelled inputs that the threshold is chosen on, apart from all sets; default the in-domain set itself. */
  readonly validation?: ScoredSet;
  /** Default 40. */
  readonly bins?: number;
  /** Points of a set in the scatter, default 1,500. */
  readonly points?: number;
  /** Inputs in a gallery, default 8. */
  readonly pictures?: number;
}

/** The scores of samples of probabilities, [S, N, classes] row-major: of an ensemble, of dropout, of sampled weights. */
export function sampleScores(samples: ArrayLike<number>, shape: { readonly count: number; readonly classes: number }): Pick<ScoredSet, 'probabilities' | 'scores'> {
  return scoresOf(uncertainty(samples, shape));
}

/** The scores of an `Uncertainty`, with another one where it is known. */
export function scoresOf({ probabilities, predictiveEntropy, softmaxEntropy, mutualInformation }: Uncertainty, logitVariance?: ArrayLike<number>): Pick<ScoredSet, 'probabilities' | 'scores'> {
  return { probabilities, scores: { predictiveEntropy, softmaxEntropy, mutualInformation, ...(logitVariance ? { logitVariance } : {}) } };
}

/** The scores of a deterministic model: one entropy, which says nothing of what the model does not know. */
export function deterministicScores(probabilities: ArrayLike<number>, classes: number): Pick<ScoredSet, 'probabilities' | 'scores'> {
  checkRows('probabilities', probabilities.length, classes);
  return { probabilities, scores: { predictiveEntropy: Float64Array.from({ length: probabilities.length / classes }, (_, n) => entropy(probabilities, n * classes, (n + 1) * classes)) } };
}

/**
 * The whole study. The first set in domain is what the others are held against.
 *
 * @throws RangeError where a set is empty, arrays do not fit one another, or there is no set in domain.
 */
export function uncertaintyStudy(sets: readonly ScoredSet[], classes: number, options: StudyOptions = {}): Study {
  const { bins = 40, points = 1500, pictures = 8 } = options;
  for (const set of [...sets, ...(options.validation ? [options.validation] : [])]) check(set, classes);
  const inDomain = sets.find((s) => s.role === 'in-domain');
  if (!inDomain) throw new RangeError('sets: none is in domain');
  const scores = scoreNames.filter((score) => sets.every((s) => s.scores[score] !== undefined));
  const both = scores.includes('softmaxEntropy') && scores.includes('mutualInformation');
  return {
    classes,
    scores,
    sets: sets.map((set) => summary(set, classes, scores)),
    detections: detectionsOf(sets, inDomain, scores),
    reliability: sets.flatMap(({ name, probabilities, labels }) => (labels ? [{ name, byWidth: reliability(probabilities, labels, classes), byMass: reliability(probabilities, labels, classes, { equal: 'mass' }) }] : [])),
    riskCoverage: inDomain.labels ? scores.map((score) => riskOver(inDomain.scores[score]!, rightOf(inDomain, classes), score)) : [],
    deferral: deferralOf(sets, inDomain, classes, options),
    histograms: scores.map((score) => histogramsOf(sets, score, bins)),
    scatter: both ? sets.map((set) => ({ name: set.name, points: thin(Array.from(set.scores.softmaxEntropy!, (a, n): [number, number] => [a, set.scores.mutualInformation![n]]), points) })) : [],
    galleries: sets.flatMap((set) => galleriesOf(set, classes, scores, pictures)),
  };
}

function check({ name, probabilities, labels, scores }: ScoredSet, classes: number): void {
  checkRows(`${name}, probabilities`, probabilities.length, classes);
  if (labels) checkLabels(probabilities, labels, classes);
  for (const [score, values] of Object.entries(scores)) {
    if (values.length * classes !== probabilities.length) throw new RangeError(`${name}, ${score}: ${values.length} for ${probabilities.length / classes} inputs`);
  }
}

/** Whether each input is answered rightly. */
function rightOf({ probabilities, labels }: ScoredSet, classes: number): boolean[] {
  return rightAnswers(probabilities, labels!, classes);
}

const meanOf = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

function summary({ name, role, probabilities, labels, scores: values }: ScoredSet, classes: number, scores: readonly ScoreName[]): SetSummary {
  return {
    name, role, inputs: probabilities.length / classes,
    ...(labels && areSoft(labels, probabilities.length / classes, classes) ? { labelEntropy: entropy(labels) / (probabilities.length / classes) } : {}),
    ...(labels ? {
      accuracy: accuracy(probabilities, labels, classes),
      negativeLogLikelihood: negativeLogLikelihood(probabilities, labels, classes, { floor: likelihoodFloor }),
      brierScore: brierScore(probabilities, labels, classes),
      calibrationErrorByWidth: expectedCalibrationError(probabilities, labels, classes),
      calibrationErrorByMass: expectedCalibrationError(probabilities, labels, classes, { equal: 'mass' }),
    } : {}),
    means: Object.fromEntries(scores.map((score) => [score, meanOf(values[score]!)])),
  };
}

/** Every other set against the one in domain; sets out of domain also against that and the ambiguous ones together. */
function detectionsOf(sets: readonly ScoredSet[], inDomain: ScoredSet, scores: readonly ScoreName[]): Detection[] {
  const ambiguous = sets.filter((s) => s.role === 'ambiguous');
  const pairs: [ScoredSet, readonly ScoredSet[]][] = sets.filter((s) => s.role !== 'in-domain').flatMap((set): [ScoredSet, readonly ScoredSet[]][] => [
    [set, [inDomain]],
    ...(set.role === 'out-of-domain' && ambiguous.length > 0 ? [[set, [inDomain, ...ambiguous]] as [ScoredSet, readonly ScoredSet[]]] : []),
  ]);
  return pairs.flatMap(([set, others]) => scores.map((score): Detection => {
    const negative = others.flatMap((s) => Array.from(s.scores[score]!));
    const positive = set.scores[score]!;
    const at5 = truePositiveRateAt(negative, positive, 0.05);
    return {
      set: set.name, from: others.map((s) => s.name), score,
      auroc: auroc(negative, positive), aupr: aupr(negative, positive),
      falsePositiveRateAt95: falsePositiveRateAt(negative, positive, 0.95).falsePositiveRate,
      truePositiveRateAt5: at5.truePositiveRate, thresholdAt5: at5.threshold,
    };
  }));
}

function riskOver(values: ArrayLike<number>, right: readonly boolean[], score: ScoreName): Study['riskCoverage'][number] {
  return { score, area: riskCoverageArea(values, right), curve: thin(riskCoverage(values, right), 200) };
}

function deferralOf(sets: readonly ScoredSet[], inDomain: ScoredSet, classes: number, { deferBy = 'predictiveEntropy', risk, validation }: StudyOptions): Deferral | undefined {
  const from = validation?.labels ? validation : inDomain;
  const values = from.scores[deferBy];
  if (!from.labels || !values) return undefined;
  const right = rightOf(from, classes);
  const wanted = risk ?? right.filter((r) => !r).length / right.length / 2;
  const chosen = deferralThreshold(values, right, wanted);
  if (!chosen) return undefined;
  return {
    score: deferBy, threshold: chosen.threshold, risk: wanted, chosenOn: from.name, validated: from === validation,
    sets: sets.filter((s) => s.scores[deferBy]).map((set) => {
      const answered = Array.from(set.scores[deferBy]!, (x) => x <= chosen.threshold);
      const count = answered.filter((a) => a).length;
      const isRight = set.labels && rightOf(set, classes);
      return { name: set.name, coverage: count / answered.length, ...(isRight && count > 0 ? { risk: answered.filter((a, n) => a && !isRight[n]).length / count } : {}) };
    }),
  };
}

/** Bins from 0 to the greatest value of all sets, the logits' variance to its 99.5th percentile: a few are huge. */
function histogramsOf(sets: readonly ScoredSet[], score: ScoreName, bins: number): StudyHistogram {
  const all = sets.flatMap((s) => Array.from(s.scores[score]!)).sort((a, b) => a - b);
  const to = (score === 'logitVariance' ? all[Math.floor(0.995 * (all.length - 1))] : all[all.length - 1]) || 1;
  const counted = sets.map((s) => ({ name: s.name, ...histogram(s.scores[score]!, { bins, from: 0, to }) }));
  return { score, edges: counted[0].edges, sets: counted.map(({ name, counts }) => ({ name, counts })) };
}

/** At most so many, at equal distances, with the first and the last. */
function thin<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))]);
}

/**
 * The most doubtful by each part of uncertainty, the mistakes that the model was surest of, and of sets out of domain those that it
 * takes for its own.
 */
function galleriesOf(set: ScoredSet, classes: number, scores: readonly ScoreName[], most: number): Gallery[] {
  const predicted = predictedClasses(set.probabilities, classes);
  const right = set.labels && rightOf(set, classes);
  const labels = set.labels && (areSoft(set.labels, predicted.length, classes) ? predictedClasses(set.labels, classes) : set.labels);
  const labelOf = (n: number): { label?: number } => (labels ? { label: right![n] ? predicted[n] : labels[n] } : {});
  const gallery = (score: ScoreName, order: Gallery['order'], mistakes = false): Gallery[] => {
    const values = set.scores[score]!;
    const sign = order === 'highest' ? -1 : 1;
    const inputs = Array.from(predicted, (_, n) => n).filter((n) => !mistakes || !right![n]).sort((a, b) => sign * (values[a] - values[b]) || a - b).slice(0, most);
    if (inputs.length === 0) return [];
    return [{ set: set.name, score, order, mistakes, inputs: inputs.map((n) => ({ index: n, value: values[n], predicted: predicted[n], probability: set.probabilities[n * classes + predicted[n]], ...labelOf(n) })) }];
  };
  const epistemic = scores.includes('mutualInformation') ? 'mutualInformation' : 'predictiveEntropy';
  const aleatoric = scores.includes('softmaxEntropy') ? 'softmaxEntropy' : 'predictiveEntropy';
  return [
    ...gallery(epistemic, 'highest'),
    ...(set.role === 'out-of-domain' || aleatoric === epistemic ? [] : gallery(aleatoric, 'highest')),
    ...(set.role === 'out-of-domain' ? gallery('predictiveEntropy', 'lowest') : []),
    ...(set.role === 'in-domain' && set.labels ? gallery('predictiveEntropy', 'lowest', true) : []),
  ];
}
