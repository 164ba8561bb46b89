/**
 * Register tiles of kernels whose lanes each sum a group of products at a time (lookup.ts, shared.ts): outputs over lanes, rows that
 * share their weights, groups of the reduction innermost.
 */
import type { Loop, Nest } from '../nest.js';
import { applySteps, partition, type Step } from '../steps.js';

export interface GroupTile {
  /** The loop over outputs, and how many of them a vector holds. */
  readonly lane: string;
  readonly lanes: number;
  /** The reduction loop of the groups, and the members of one. */
  readonly group: { readonly loop: string; readonly extent: number };
  /** The space loop along which the weights stay. */
  readonly row?: Loop;
  readonly rows: number;
  /** Vectors of outputs. */
  readonly columns: number;
  /** What sums a group. */
  readonly last: Step;
}

/** A nest for the rows that fill tiles, and one for the rest. */
export function groupTiles(start: Nest, { lane, lanes, group, row, rows, columns, last }: GroupTile): Nest[] {
  const parts = row ? partition(start, row.name, row.extent - (row.extent % rows)) : [start];
  return parts.map((part) => {
    const extent = row ? part.loops.find((l) => l.name === row.name)!.extent : 1;
    const steps: Step[] = [
      { step: 'split', loop: lane, factor: lanes, overrun: true },
      { step: 'split', loop: `${lane}.o`, factor: columns },
      { step: 'split', loop: group.loop, factor: group.extent },
    ];
    if (row) steps.push({ step: 'split', loop: row.name, factor: extent % rows === 0 ? rows : extent });
    const space = part.loops.filter((l) => l.kind === 'space' && l.name !== lane).map((l) => (l.name === row?.name ? `${l.name}.o` : l.name));
    const batch = space.filter((n) => part.loops.find((l) => l.name === n)?.extent === 1);
    const moving = space.filter((n) => !batch.includes(n));
    const reduce = part.loops.filter((l) => l.kind === 'reduce').map((l) => (l.name === group.loop ? `${l.name}.o` : l.name));
    const tile = [...(row ? [`${row.name}.i`] : []), `${lane}.o.i`];
    steps.push({ step: 'reorder', order: [...batch, `${lane}.o.o`, ...moving, ...reduce, ...tile, `${lane}.i`, `${group.loop}.i`] });
    steps.push(...tile.map((loop): Step => ({ step: 'unroll', loop })), { step: 'vectorize', loop: `${lane}.i` }, last);
    return applySteps(part, steps);
  });
}
