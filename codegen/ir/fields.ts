/**
 * Fields of a few bits in containers of 8, 16 or 32: how many neighbours along which loop share a container, so that the fewest bits
 * are stored. Not here: which constants are stored so (schedule/defaults/fields.ts).
 */

/** Lanes are containers: those of 16 bits load as fast as those of 32, and a body of fewer fields keeps its operands in registers. */
const containers = [16, 32, 8];

/** Bits of the least container that holds so many fields. */
export const containerOf = (bits: number, count: number): number => [8, 16, 32].find((c) => c >= bits * count)!;

/** So many neighbours along a loop (by its place in the list), and the bits that one of each constant's fields then takes; undefined where no loop can be cut so. */
export function bestFields(extents: readonly number[], bits: readonly number[]): { readonly loop: number; readonly count: number; readonly cost: number } | undefined {
  let best: { readonly loop: number; readonly count: number; readonly cost: number } | undefined;
  for (const container of containers) {
    extents.forEach((extent, loop) => {
      for (let count = Math.floor(container / Math.max(...bits)); count > 1; count--) {
        if (extent % count !== 0) continue;
        const cost = bits.reduce((sum, b) => sum + containerOf(b, count) / count, 0);
        if (!best || cost < best.cost) best = { loop, count, cost };
      }
    });
  }
  return best;
}
