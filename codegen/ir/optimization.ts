/**
 * What the compiler does to make a circuit small that can be left out, one by one, to see what it brings. Names only: passes and
 * schedules that take `without` leave it out where they would do it.
 */

/**
 * - normalization: batch normalization folded into weights, biases and thresholds; without, it is computed in float32.
 * - merging: activation and quantizer merged into the layer before, as comparisons of its sum; without, the sum becomes float32, is
 *   scaled, activated, divided and rounded.
 * - thresholds: thresholds as wide as the sums that they are compared with; without, 32 bits.
 * - matches: products of -1 and +1 counted as equal bits; without, multiplied.
 *
 * The last two change no bit. Without the first two a value between two levels may round otherwise, as float32 does.
 */
export const leavable = ['normalization', 'merging', 'thresholds', 'matches'] as const;
export type Leavable = (typeof leavable)[number];

/** What is to be left out; nothing where it is absent. */
export interface Without {
  readonly without?: readonly Leavable[];
}
