/** A study of uncertainty in words: names of scores and sets, how scores were made, and what the figures say. */
import type { Detection, ReliabilityBin, ScoreName, Study } from '../metrics/index.js';
import type { StudyFacts } from './report.js';

/** Short names. */
export const scoreTitles: Readonly<Record<ScoreName, string>> = { predictiveEntropy: 'total', softmaxEntropy: 'aleatoric', mutualInformation: 'epistemic', logitVariance: 'logit variance' };

/** What each is. */
export const scoreMeanings: Readonly<Record<ScoreName, string>> = {
  predictiveEntropy: 'predictive entropy of the mean probabilities, nats: all doubt',
  softmaxEntropy: 'mean entropy of the samples, nats: doubt that the input itself leaves',
  mutualInformation: 'mutual information, total less aleatoric, nats: what the model does not know',
  logitVariance: 'variance of the logits, mean over classes: another epistemic score',
};

/** Names of sets as tables say them. */
export function setLabels(study: Study): Record<string, string> {
  const roles = { 'in-domain': 'in domain', ambiguous: 'ambiguous', 'out-of-domain': 'out of domain' };
  return Object.fromEntries(study.sets.map((s) => [s.name, `${s.name} (${roles[s.role]})`]));
}

/** Detections with what is told from what. */
export function detectionFacts(study: Study): (Detection & { readonly what: string })[] {
  return study.detections.map((d) => ({ ...d, what: `${d.set} from ${d.from.join(' + ')}` }));
}

/** What was run, in half a sentence. */
export function howScored(study: Study, facts: StudyFacts): string {
  const { source, samples, seed, sampledWeights, preprocessing, calibration } = facts;
  const draws = `${samples} samples, seed ${seed}`;
  const how = {
    module: sampledWeights ? `sampled weights, ${draws}` : 'moments in one pass, entropies by the module',
    logits: `moments in one pass, ${samples} samples of the logits, seed ${seed}`,
    none: 'a deterministic network',
  }[source];
  return [how, ...(calibration === undefined ? [] : [`calibration ${calibration}`]), `inputs ${preprocessing ?? 'as they are given'}`, `${study.classes} classes`].join('; ');
}

/** Four digits behind the point, fewer for large numbers; a dash where there is none. */
export function figure(x: number | undefined): string {
  if (x === undefined) return '–';
  return Math.abs(x) >= 1000 ? whole(x) : x.toFixed(Math.abs(x) >= 100 ? 1 : Math.abs(x) >= 10 ? 2 : 4);
}

/** 1234567 -> 1,234,567 */
export function whole(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three digits, without an exponent where that is short. */
export function brief(x: number): string {
  return Math.abs(x) >= 1000 ? whole(x) : String(Number(x.toPrecision(3)));
}

export const percent = (x: number, places = 1): string => `${(100 * x).toFixed(places)} %`;

/** Mean confidence less accuracy, of bins. */
export function overconfidence(bins: readonly ReliabilityBin[]): number {
  const filled = bins.filter((b) => b.count > 0);
  const total = filled.reduce((sum, b) => sum + b.count, 0);
  return filled.reduce((sum, b) => sum + (b.count / total) * (b.confidence - b.accuracy), 0);
}

const clearly = (auroc: number): string => (auroc >= 0.95 ? 'clearly' : auroc >= 0.85 ? 'well' : auroc >= 0.7 ? 'partly' : auroc >= 0.55 ? 'poorly' : 'no better than by chance');

/** What the study says, in sentences: calibration, detection, ambiguity, scores that mislead, deferral, what cannot be said. */
export function findings(study: Study, facts: StudyFacts): string[] {
  return [...calibrationFindings(study), ...detectionFindings(study), ...deferralFindings(study), ...limitFindings(study, facts)];
}

function calibrationFindings(study: Study): string[] {
  return study.sets.flatMap((s) => {
    const bins = study.reliability.find((r) => r.name === s.name)?.byWidth;
    if (!bins || s.accuracy === undefined) return [];
    const over = overconfidence(bins);
    if (s.labelEntropy !== undefined) return [softFinding(s, bins, over)];
    const sure = percent(s.accuracy + over, 2);
    const verdict = Math.abs(over) < 0.01 ? 'on the whole as sure as it is right' : over > 0 ? 'surer than it is right' : 'less sure than it is right';
    return [`On ${s.name} it is right in ${percent(s.accuracy, 2)} and sure of ${sure} on average: ${verdict} (expected calibration error ${percent(s.calibrationErrorByWidth!, 2)}).`];
  });
}

/** Of a set on which annotators differ: what the labels themselves leave open. */
function softFinding({ name, accuracy, labelEntropy, negativeLogLikelihood }: Study['sets'][number], bins: readonly ReliabilityBin[], over: number): string {
  const filled = bins.filter((b) => b.count > 0);
  const agreed = filled.reduce((sum, b) => sum + b.count * b.accuracy, 0) / filled.reduce((sum, b) => sum + b.count, 0);
  const verdict = Math.abs(over) < 0.01 ? 'on the whole as sure as they are' : over > 0 ? 'surer than they are' : 'less sure than they are';
  return `On ${name}, whose labels are shares, it names the largest in ${percent(accuracy!, 2)}; the labels give its answers ${percent(agreed, 2)} on average and it gives them ${percent(agreed + over, 2)}: ${verdict}. Of its negative log likelihood of ${figure(negativeLogLikelihood)}, ${figure(labelEntropy)} nats are the labels' own entropy.`;
}

function detectionFindings(study: Study): string[] {
  const first = study.detections.filter((d) => d.from.length === 1);
  return study.sets.filter((s) => s.role !== 'in-domain').flatMap((s) => {
    const all = first.filter((d) => d.set === s.name);
    if (all.length === 0) return [];
    const best = all.reduce((a, b) => (b.auroc > a.auroc ? b : a));
    const text = `${s.name} is told from ${best.from[0]} ${clearly(best.auroc)}, best by ${scoreTitles[best.score]} uncertainty (AUROC ${best.auroc.toFixed(3)}): at 5 % false alarms it finds ${percent(best.truePositiveRateAt5)}.`;
    const epistemic = all.filter((d) => d.score === 'mutualInformation' || d.score === 'logitVariance');
    const misleading = s.role === 'out-of-domain' ? epistemic.filter((d) => d.auroc < 0.5) : [];
    return [text, ...misleading.map((d) => `By ${scoreTitles[d.score]} ${s.name} looks more familiar than ${d.from[0]} (AUROC ${d.auroc.toFixed(3)}, below chance): do not rely on that score here.`)];
  });
}

function deferralFindings({ deferral, sets }: Study): string[] {
  if (!deferral) return [];
  const [own] = deferral.sets;
  const accuracy = sets.find((s) => s.name === own.name)?.accuracy;
  const wrong = accuracy === undefined ? '' : `, of which ${percent(own.risk ?? 0, 2)} are wrong (${percent(1 - accuracy, 2)} without deferring)`;
  const others = deferral.sets.slice(1).map((s) => `${percent(1 - s.coverage)} of ${s.name}`);
  return [
    `Deferring whatever has a ${scoreTitles[deferral.score]} uncertainty above ${brief(deferral.threshold)} answers ${percent(own.coverage)} of ${own.name}${wrong}${others.length > 0 ? `, and defers ${others.join(' and ')}` : ''}. ${deferral.validated ? `The threshold was chosen on ${deferral.chosenOn}.` : 'The threshold was chosen on the same inputs: give --validation to choose it apart.'}`,
  ];
}

function limitFindings(study: Study, facts: StudyFacts): string[] {
  if (facts.source === 'none') return ['This network is deterministic: its entropy mixes what the input leaves open with what the network does not know, and there is no epistemic part. A posterior (--posterior) or an ensemble gives one.'];
  return study.scores.includes('mutualInformation') ? [] : ['No score here is epistemic.'];
}
