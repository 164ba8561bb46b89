/** A study for tests of how it is shown: three sets of normal logits, by seed. */
import { logitUncertainty, meanVariance, scoresOf, uncertaintyStudy, type ScoredSet, type SetRole, type Study } from '../../sdk/metrics/index.js';
import type { StudyFacts } from '../../sdk/uncertainty/report.js';
import { Random } from '../support/random.js';

const classes = 4;

/** What the page says of it. */
export const facts: StudyFacts = { model: 'net', source: 'logits', samples: 20, seed: 1, preprocessing: 'x / 255', date: '2026-01-02T03:04:05.000Z', sets: [{ name: 'digits', file: 'digits.npy' }] };

/** Clear logits, near ones, and clear ones with much variance. */
export function handMadeStudy(name = 'digits'): Study {
  const random = new Random(17);
  const set = (name: string, role: SetRole, inputs: number, clear: number, variance: number): ScoredSet => {
    const labels = Array.from({ length: inputs }, () => random.integer(0, classes - 1));
    const mean = Float64Array.from({ length: inputs * classes }, (_, i) => random.float(-1, 1) + (labels[Math.floor(i / classes)] === i % classes ? clear : 0));
    const spread = Float64Array.from(mean, () => random.float(0, variance));
    return { name, role, ...(role === 'in-domain' ? { labels } : {}), ...scoresOf(logitUncertainty(mean, spread, { classes, count: 20 }), meanVariance(spread, classes)) };
  };
  return uncertaintyStudy([set(name, 'in-domain', 300, 2.5, 0.5), set('between', 'ambiguous', 100, 0, 0.3), set('clothing', 'out-of-domain', 200, 2, 30)], classes);
}
