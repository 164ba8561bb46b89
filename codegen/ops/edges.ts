/** Extents around the edges of vectors and register tiles, for samples. Only samples use this file. */
import type { Sample } from './record.js';

/** One, the multiples of 4, 8, 16 and 32 that tiles have, and their neighbours. */
export const tileEdges = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33] as const;

/** One sample for each extent; the seeds follow one another. */
export function edgeSamples(seed: number, make: (extent: number, i: number) => Omit<Sample, 'name' | 'seed' | 'tolerance'>): readonly Sample[] {
  return tileEdges.map((extent, i) => ({ name: `extent ${extent}`, ...make(extent, i), seed: seed + i, tolerance: 0 }));
}

/** `count` values, one after the other from the list and again. */
export function cycle(count: number, values: readonly number[]): readonly number[] {
  return Array.from({ length: count }, (_, i) => values[i % values.length]);
}

/** What float32 has beside ordinary numbers. */
export const specials = [NaN, -Infinity, Infinity, -0, 0, 1e-45, -1e-45, 3.4e38] as const;
