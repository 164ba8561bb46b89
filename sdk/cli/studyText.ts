/** A study of uncertainty as the command line prints it: two tables, and what they say. */
import type { Study } from '../metrics/index.js';
import { detectionFacts, figure, findings, howScored, scoreTitles, setLabels } from '../uncertainty/words.js';
import type { StudyFacts } from '../uncertainty/report.js';
import { count, table } from './text.js';

const percent = (x: number | undefined): string => (x === undefined ? '–' : `${(100 * x).toFixed(2)} %`);

export function studyText(study: Study, facts: StudyFacts): string {
  const labels = setLabels(study);
  const sets = study.sets.map((s) => [`  ${labels[s.name]}`, count(s.inputs), percent(s.accuracy), figure(s.negativeLogLikelihood), figure(s.brierScore), figure(s.calibrationErrorByWidth), figure(s.calibrationErrorByMass), ...study.scores.map((score) => figure(s.means[score]))]);
  const rows = detectionFacts(study).map((d) => [`  ${d.what}`, scoreTitles[d.score], figure(d.auroc), figure(d.aupr), percent(d.falsePositiveRateAt95), percent(d.truePositiveRateAt5)]);
  return [
    `${facts.model}: ${howScored(study, facts)}`,
    '',
    table([['  set', 'inputs', 'accuracy', 'NLL', 'Brier', 'ECE', 'ECE mass', ...study.scores.map((s) => scoreTitles[s])], ...sets], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ...(rows.length > 0 ? ['', table([['  told apart', 'by', 'AUROC', 'AUPR', 'FPR at 95 %', 'found at 5 %'], ...rows], [2, 3, 4, 5])] : []),
    '',
    ...findings(study, facts).map((f) => `- ${f}`),
  ].join('\n');
}
