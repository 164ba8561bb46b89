/**
 * How well a score tells two sets of inputs apart (out of domain from in domain, wrong from right): a higher score speaks for
 * `positive`. Ties count one half.
 */

function checkScores(negative: ArrayLike<number>, positive: ArrayLike<number>): void {
  for (const [name, list] of [['negative', negative], ['positive', positive]] as const) {
    if (list.length === 0) throw new RangeError(`${name}: no scores`);
    const bad = Array.from(list).findIndex(Number.isNaN);
    if (bad >= 0) throw new RangeError(`${name}: score ${bad} is NaN`);
  }
}

interface Group {
  readonly score: number;
  negative: number;
  positive: number;
}

/** Scores from the highest down, equal ones together: how many of each set there are. */
function groups(negative: ArrayLike<number>, positive: ArrayLike<number>): Group[] {
  const all = [...Array.from(negative, (score) => ({ score, isPositive: false })), ...Array.from(positive, (score) => ({ score, isPositive: true }))].sort((a, b) => b.score - a.score);
  const result: Group[] = [];
  for (const { score, isPositive } of all) {
    if (result[result.length - 1]?.score !== score) result.push({ score, negative: 0, positive: 0 });
    result[result.length - 1][isPositive ? 'positive' : 'negative']++;
  }
  return result;
}

export interface RocPoint {
  /** Inputs with at least this score are called positive. */
  readonly threshold: number;
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
}

/** The receiver operating characteristic, from (0, 0) to (1, 1). */
export function rocCurve(negative: ArrayLike<number>, positive: ArrayLike<number>): RocPoint[] {
  checkScores(negative, positive);
  let [falses, trues] = [0, 0];
  const points: RocPoint[] = [{ threshold: Infinity, falsePositiveRate: 0, truePositiveRate: 0 }];
  for (const g of groups(negative, positive)) {
    falses += g.negative;
    trues += g.positive;
    points.push({ threshold: g.score, falsePositiveRate: falses / negative.length, truePositiveRate: trues / positive.length });
  }
  return points;
}

/** Area under the receiver operating characteristic: the probability that a positive has the higher score. */
export function auroc(negative: ArrayLike<number>, positive: ArrayLike<number>): number {
  checkScores(negative, positive);
  let [below, wins] = [negative.length, 0];
  for (const g of groups(negative, positive)) {
    below -= g.negative;
    wins += g.positive * (below + g.negative / 2);
  }
  return wins / (negative.length * positive.length);
}

/** Area under precision over recall, as the mean precision at each new positive (average precision). */
export function aupr(negative: ArrayLike<number>, positive: ArrayLike<number>): number {
  checkScores(negative, positive);
  let [falses, trues, area] = [0, 0, 0];
  for (const g of groups(negative, positive)) {
    falses += g.negative;
    trues += g.positive;
    area += (g.positive / positive.length) * (trues / (trues + falses));
  }
  return area;
}

/** The false positive rate at the highest threshold that finds this part of the positives. */
export function falsePositiveRateAt(negative: ArrayLike<number>, positive: ArrayLike<number>, truePositiveRate = 0.95): RocPoint {
  return rocCurve(negative, positive).find((p) => p.truePositiveRate >= truePositiveRate)!;
}

/** The lowest threshold that calls at most this part of the negatives positive: what is found at so many false alarms. */
export function truePositiveRateAt(negative: ArrayLike<number>, positive: ArrayLike<number>, falsePositiveRate = 0.05): RocPoint {
  return rocCurve(negative, positive).filter((p) => p.falsePositiveRate <= falsePositiveRate).pop()!;
}

export interface Coverage {
  /** Inputs with at most this uncertainty are answered, the others deferred. */
  readonly threshold: number;
  /** The part that is answered. */
  readonly coverage: number;
  /** The part of answers that is wrong. */
  readonly risk: number;
}

/** Risk over coverage (El-Yaniv and Wiener 2010): inputs answered from the most certain on; equal uncertainties together. */
export function riskCoverage(uncertainty: ArrayLike<number>, right: ArrayLike<boolean | number>): Coverage[] {
  if (uncertainty.length !== right.length) throw new RangeError(`right: ${right.length} for ${uncertainty.length} uncertainties`);
  const [wrongs, rights]: [number[], number[]] = [[], []];
  for (let n = 0; n < uncertainty.length; n++) (right[n] ? rights : wrongs).push(uncertainty[n]);
  let [answered, errors] = [0, 0];
  return groups(wrongs, rights).reverse().map((g) => {
    answered += g.negative + g.positive;
    errors += g.negative;
    return { threshold: g.score, coverage: answered / uncertainty.length, risk: errors / answered };
  });
}

/** The threshold that answers most inputs with at most this risk; undefined where no threshold does. Choose it on validation data. */
export function deferralThreshold(uncertainty: ArrayLike<number>, right: ArrayLike<boolean | number>, risk: number): Coverage | undefined {
  return riskCoverage(uncertainty, right).filter((c) => c.risk <= risk).pop();
}

/** Area under risk over coverage (Geifman and El-Yaniv 2017): the mean risk over every number of answers; least is best. */
export function riskCoverageArea(uncertainty: ArrayLike<number>, right: ArrayLike<boolean | number>): number {
  let before = 0;
  return riskCoverage(uncertainty, right).reduce((sum, { coverage, risk }) => {
    const part = coverage - before;
    before = coverage;
    return sum + part * risk;
  }, 0);
}
