/**
 * Reductions in lanes: outputs over lanes, a tile of them in registers, weights in reading order.
 */
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Choices, KernelSchedule } from '../choice.js';
import type { Loop, Nest } from '../nest.js';
import { applySteps, partition, type Step } from '../steps.js';
import type { Group } from './groups.js';
import { canOverrun, divisorIn } from './lanes.js';
import { plain } from './plain.js';

/** Outputs over lanes, a tile of them in registers, weights in reading order. */
export function reduction(start: Nest, program: Program, target: Target, lane: string, group: Group | undefined, choices: Choices = {}): KernelSchedule {
  const laneExtent = start.loops.find((l) => l.name === lane)!.extent;
  // Lanes over the interleaved partial sums.
  if (start.loops.find((l) => l.name === lane)!.kind === 'partial') return { nests: [applySteps(start, [{ step: 'vectorize', loop: lane }])], packs: {} };
  const tail = laneExtent % target.lanes;
  if (tail !== 0 && !canOverrun(start, program, lane, target.lanes - tail, true)) {
    // What the lanes read has no room past its end: the last outputs are scalar.
    const [whole, rest] = partition(start, lane, laneExtent - tail);
    if (!rest) return plain(whole, program, target);
    const main = reduction(whole, program, target, lane, undefined, choices);
    return { nests: [...main.nests, rest], packs: {} };
  }
  const { row, rows, columns, perLane } = registerTile(start, program, target, lane, group?.extent ?? 1, choices);
  const fieldLoop = group && group.fields > 1 ? `${group.loop}.o.${rows > 1 ? 'o' : 'i'}` : undefined;
  const parts = row ? partition(start, row.name, row.extent - (row.extent % rows)) : [start];
  const nests = parts.map((part) => {
    const extent = row ? part.loops.find((l) => l.name === row.name)!.extent : 1;
    const tileRows = row ? (extent % rows === 0 ? rows : extent) : 1;
    const steps: Step[] = [
      { step: 'split', loop: lane, factor: target.lanes, overrun: true },
      { step: 'split', loop: `${lane}.o`, factor: columns },
    ];
    if (row) steps.push({ step: 'split', loop: row.name, factor: tileRows });
    const tile = [...(row ? [`${row.name}.i`] : []), `${lane}.o.i`, `${lane}.i`];
    const space = part.loops.filter((l) => l.kind === 'space').flatMap((l) => (l.name === lane ? [] : l === part.loops.find((x) => x.name === row?.name) ? [`${l.name}.o`] : [l.name]));
    // Panels of weights outside, so that each stays near while the data pass; the batch outermost.
    const batch = space.filter((n) => part.loops.find((l) => l.name === n)?.extent === 1);
    const moving = space.filter((n) => !batch.includes(n));
    let reduce = part.loops.filter((l) => l.kind === 'reduce').map((l) => l.name);
    const unrolled: string[] = [`${lane}.o.i`, ...(row ? [`${row.name}.i`] : [])];
    let members: string[] = [];
    let taps: string[] = [];
    if (group) {
      const isUneven = part.loops.find((l) => l.name === group.loop)!.extent % group.extent !== 0;
      reduce = reduce.filter((n) => n !== group.loop);
      steps.push({ step: 'split', loop: group.loop, factor: group.extent, ...(isUneven ? { overrun: true } : {}) });
      if (fieldLoop !== undefined && rows > 1) {
        // One field of all containers after the other: a loop body that writes several out loads all of its data first, and spills.
        const groups = part.loops.find((l) => l.name === group.loop)!.extent / group.extent;
        steps.push({ step: 'split', loop: `${group.loop}.o`, factor: groups / group.fields });
        reduce = [`${group.loop}.o.o`, ...reduce, `${group.loop}.o.i`];
        unrolled.push(fieldLoop);
      } else if (fieldLoop !== undefined) {
        steps.push({ step: 'split', loop: `${group.loop}.o`, factor: group.fields });
        reduce.push(`${group.loop}.o.o`, `${group.loop}.o.i`);
        unrolled.push(fieldLoop);
      } else reduce.push(`${group.loop}.o`);
      const groups = Math.ceil(part.loops.find((l) => l.name === group.loop)!.extent / group.extent);
      if ((isUneven || perLane) && groups * tileRows * columns <= (choices.unroll ?? 40)) {
        unrolled.push(`${group.loop}.o`);
        // Vectors that were interleaved for one tap serve its neighbours, soon.
        if (perLane && group.extent > 2) {
          taps = shortReductions(part, reduce.slice(0, -1), groups * tileRows * columns, choices.unroll ?? 40).reverse();
          unrolled.push(...taps);
          reduce = reduce.filter((n) => !taps.includes(n));
        }
      }
      members = [`${group.loop}.i`];
    } else {
      unrolled.push(...shortReductions(part, reduce, tileRows * columns, choices.unroll ?? (perLane ? 40 : 48)));
    }
    const outer = choices.keep === 'data' ? [...moving, `${lane}.o.o`] : [`${lane}.o.o`, ...moving];
    steps.push({ step: 'reorder', order: [...batch, ...outer, ...reduce, ...tile.slice(0, -2), ...taps, ...tile.slice(-2), ...members] });
    steps.push(...unrolled.map((loop): Step => ({ step: 'unroll', loop })), { step: 'vectorize', loop: `${lane}.i` });
    if (group) steps.push({ step: 'dot', loop: `${group.loop}.i`, ...(group.sevenBits ? { sevenBits: group.sevenBits } : {}) });
    return applySteps(part, steps);
  });
  return {
    nests,
    // Fields that share a container are its neighbours.
    packs: group && fieldLoop !== undefined ? { [group.weight]: { elementBits: group.bits, containerBits: group.containerBits, innermost: fieldLoop } } : {},
  };
}

interface RegisterTile {
  /** The second dimension: the innermost space loop along which the weights stay and the data move. */
  readonly row?: Loop;
  readonly rows: number;
  /** Vectors of outputs. */
  readonly columns: number;
  /** The data differ by lane, as the weights do. */
  readonly perLane: boolean;
}

function registerTile(nest: Nest, program: Program, target: Target, lane: string, group: number, choices: Choices): RegisterTile {
  const vectors = Math.ceil(nest.loops.find((l) => l.name === lane)!.extent / target.lanes);
  const accumulators = nest.kernel.accumulators.length;
  // What is read once an output, such as a residual, does not shape the tile.
  const data = accesses(nest, program).filter((a) => !a.store && !a.constant && nest.loops.some((l) => l.kind === 'reduce' && a.depends(l.name)));
  const perLane = data.some((a) => a.depends(lane));
  const row = [...nest.loops].reverse().find((l) => l.kind === 'space' && l.name !== lane && l.extent > 1 && data.some((a) => a.depends(l.name)));
  const asked = choices.columns && vectors % choices.columns === 0 ? choices.columns : undefined;
  if (!row) {
    let columns = asked ?? Math.min(divisorIn(vectors, [5, 4, 6, 3, 7, 2]), Math.max(1, Math.floor(target.registers / 2 / accumulators)));
    while (vectors % columns !== 0) columns--;
    return { rows: 1, columns, perLane };
  }
  const columns = asked ?? (perLane ? (group > 2 ? divisorIn(vectors, [2]) : 1) : divisorIn(vectors, [2, 3, 5, 1]));
  const most = Math.max(1, Math.floor((target.registers - 4) / columns / accumulators));
  if (choices.rows) return { row, rows: Math.min(choices.rows, row.extent), columns, perLane };
  // Five columns fill the registers alone, as without a second dimension.
  return { row, rows: columns === 5 ? 1 : bestRows(row.extent, most, columns > 1, group <= 2 ? rowRates : perLane ? interleavedRates : quadRates), columns, perLane };
}

/**
 * Measured on V8: multiply-adds a second by rows of a tile two vectors wide, relative to four rows. Five rows and more
 * spill, one row waits for its own sums.
 */
const rowRates = [0, 0.5, 0.93, 0.97, 1];

/** The same for groups of four bytes, whose instruction adds to the sum: one operand fewer in registers. */
const quadRates = [0, 0.65, 0.91, 0.95, 1, 1.05, 1.08];

/** The same where each vector of data is interleaved from several. */
const interleavedRates = [0, 0.6, 0.8, 0.95, 1, 1, 1];

/** Rows of a tile so that an extent's tiles and their rest cost least. */
function bestRows(extent: number, most: number, wide: boolean, rates: readonly number[]): number {
  if (!wide) {
    const wish = [4, 5, 6, 3, 8, 7, 2].filter((r) => r <= Math.min(most, extent));
    return wish.find((r) => extent % r === 0) ?? wish[0] ?? 1;
  }
  let best = 1;
  let least = Infinity;
  for (let rows = Math.min(rates.length - 1, most, extent); rows >= 1; rows--) {
    const rest = extent % rows;
    const cost = (extent - rest) / rates[rows] + (rest > 0 ? rest / rates[rest] + 0.2 : 0);
    if (cost < least) [best, least] = [rows, cost];
  }
  return best;
}

/** Innermost reduction loops that are short enough to be unrolled whole. */
function shortReductions(nest: Nest, reduce: readonly string[], tile: number, most: number): string[] {
  const found: string[] = [];
  let total = tile;
  for (const name of [...reduce].reverse()) {
    const { extent } = nest.loops.find((l) => l.name === name)!;
    if (extent > 9 || total * extent > most) break;
    total *= extent;
    found.push(name);
  }
  return found;
}
