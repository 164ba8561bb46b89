/** An answer in plain words: what is seen, how sure that is, and why not surer. Not here: where the thresholds come from. */
import type { Answer } from './answer.js';
import type { Measurement } from './contents.js';

export type VerdictKind = 'blank' | 'clear' | 'ambiguous' | 'unfamiliar' | 'unknowing';

export interface Verdict {
  readonly kind: VerdictKind;
  /** A digit, several, or a few words. */
  readonly headline: string;
  readonly sentence: string;
  /** How often this is said without cause, or what cannot be said. */
  readonly note: string;
  /** The classes that are named, the most probable first. */
  readonly named: readonly number[];
}

export const blank: Verdict = {
  kind: 'blank', headline: 'Draw something', sentence: 'A digit, a letter, a face: the network says what it sees, and how far to trust that.', note: '', named: [],
};

/** A class is named beside the most probable where it has at least this part of its probability. */
const rival = 0.3;

/** What to say of an answer, held against how its module answers on the digits' test set. */
export function verdictOf(answer: Answer, measurement: Measurement): Verdict {
  const order = answer.probabilities.map((_, c) => c).sort((a, b) => answer.probabilities[b] - answer.probabilities[a]);
  const [best] = order;
  const probability = percent(answer.probabilities[best]);
  const { falseAlarms } = measurement;
  const often = (part: number): string => `${percent(part)} of ${measurement.count.toLocaleString('en')} test digits are called so too.`;
  if (answer.epistemic === undefined || answer.aleatoric === undefined) {
    return {
      kind: 'unknowing', headline: String(best), sentence: `Reads ${best}, ${probability}.`, named: [best],
      note: 'One fixed set of weights cannot tell whether a picture is unlike what it was trained on: it always reads something.',
    };
  }
  const isDisputed = measurement.epistemic !== undefined && answer.epistemic > measurement.epistemic;
  if (isDisputed || (measurement.spread !== undefined && answer.spread! > measurement.spread)) {
    const why = isDisputed
      ? `Its best guess, ${best} (${probability}), deserves little trust.`
      : `Its weights agree on ${best}, but not on how strongly: that logit is ${answer.logits[best].toFixed(1)}, give or take ${answer.deviations![best].toFixed(1)}, more than a digit's.`;
    return {
      kind: 'unfamiliar', headline: 'Unfamiliar', sentence: `This may be unlike what it was trained on. ${why}`,
      note: `False alarms: ${often(falseAlarms.unfamiliar)}`, named: [best],
    };
  }
  if (measurement.aleatoric !== undefined && answer.aleatoric > measurement.aleatoric) {
    const named = order.filter((c) => answer.probabilities[c] >= rival * answer.probabilities[best]).slice(0, 3);
    const several = named.length > 1;
    return {
      kind: 'ambiguous', headline: several ? `${either(named)}?` : `${best}?`, named,
      sentence: several
        ? `It could be ${either(named)}: ${named.map((c) => percent(answer.probabilities[c])).join(' against ')}. The picture itself leaves it open; more training would not settle it.`
        : `Most likely ${best} (${probability}), but the picture leaves room for others.`,
      note: `False alarms: ${often(falseAlarms.ambiguous)}`,
    };
  }
  return {
    kind: 'clear', headline: String(best), sentence: `This is a ${best}, ${probability}.`, named: [best],
    note: 'It looks like what the network was trained on, and like one digit only.',
  };
}

/** "4 or 9", "3, 5 or 8" */
function either(named: readonly number[]): string {
  return named.length < 2 ? named.join('') : `${named.slice(0, -1).join(', ')} or ${named[named.length - 1]}`;
}

/** A part as percents, as exact as it is worth. */
export function percent(part: number): string {
  const value = 100 * part;
  if (value > 0 && value < 0.1) return 'under 0.1 %';
  if (value < 100 && value > 99.9) return 'over 99.9 %';
  return `${value < 10 || value > 99 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}
