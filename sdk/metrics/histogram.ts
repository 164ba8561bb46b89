/** Counts of numbers in bins of equal width. */

export interface Histogram {
  /** Bounds of the bins, one more than there are bins. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** Bins closed on the left, the last on both sides; what lies outside counts in the first and last. */
export function histogram(values: ArrayLike<number>, { bins, from, to }: { readonly bins: number; readonly from: number; readonly to: number }): Histogram {
  if (!Number.isInteger(bins) || bins < 1) throw new RangeError(`bins: expected a positive whole number, found ${bins}`);
  if (!(to > from)) throw new RangeError(`to: expected more than ${from}, found ${to}`);
  const counts = new Array<number>(bins).fill(0);
  for (let n = 0; n < values.length; n++) {
    if (Number.isNaN(values[n])) throw new RangeError(`values: number ${n} is NaN`);
    counts[Math.min(bins - 1, Math.max(0, Math.floor(((values[n] - from) / (to - from)) * bins)))]++;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, i) => from + ((to - from) * i) / bins), counts };
}
