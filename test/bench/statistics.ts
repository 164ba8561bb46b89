/** Medians, quartiles and geometric means. Pure. */

export interface Spread {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
}

/** One measurement a round, in the order of the rounds, which all engines share. */
export interface Sample extends Spread {
  readonly rounds: readonly number[];
}

/** The q-quantile, between the two nearest of the sorted values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

export function sampleOf(rounds: readonly number[]): Sample {
  return { median: quantile(rounds, 0.5), low: quantile(rounds, 0.25), high: quantile(rounds, 0.75), rounds };
}

/**
 * How many times b is faster than a: the median of the ratios a / b of the single rounds. Neighbours in time share the
 * machine's noise, so this wavers less than the ratio of two medians. NaN where one is missing.
 */
export function timesFaster(a: Sample | undefined, b: Sample | undefined): Spread {
  if (!a || !b) return { median: NaN, low: NaN, high: NaN };
  const { median, low, high } = sampleOf(a.rounds.map((t, i) => t / b.rounds[i]));
  return { median, low, high };
}

/** NaN for none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}
