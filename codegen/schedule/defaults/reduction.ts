/**
 * Reductions in lanes: outputs over lanes, a tile of them in registers, weights in reading order.
 */
import { describe } from '../../ir/datatype.js';
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses, type Access } from '../access.js';
import type { Choices, KernelSchedule, Pack } from '../choice.js';
import { tileCycles, type TileProducts } from '../cost.js';
import type { Loop, Nest } from '../nest.js';
import { applySteps, partition, sumsAreApart, type Step } from '../steps.js';
import { codeFields, fieldPacks } from './fields.js';
import type { Group } from './groups.js';
import { canOverrun, divisorIn } from './lanes.js';
import { plain } from './plain.js';

/** Outputs over lanes, a tile of them in registers, weights in reading order. */
export function reduction(start: Nest, program: Program, target: Target, lane: string, group: Group | undefined, choices: Choices = {}): KernelSchedule {
  const laneExtent = start.loops.find((l) => l.name === lane)!.extent;
  if (start.loops.find((l) => l.name === lane)!.kind === 'partial') return { nests: [partialLanes(start, lane)], packs: {} };
  const tail = laneExtent % target.lanes;
  if (tail !== 0 && !canOverrun(start, program, lane, target.lanes - tail, true)) {
    // What the lanes read has no room past its end: the last outputs are scalar.
    const [whole, rest] = partition(start, lane, laneExtent - tail);
    if (!rest) return plain(whole, program, target);
    const main = reduction(whole, program, target, lane, undefined, choices);
    return { nests: [...main.nests, rest], packs: {} };
  }
  const wide = group !== undefined && areWidened(start, program, lane, group);
  const { row, rows, columns, depthwise, together } = registerTile(start, program, target, lane, group, wide, choices);
  const [{ type: accumulator }] = start.kernel.accumulators;
  const fields = group ? undefined : codeFields(start, program, lane);
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
      if ((isUneven || depthwise) && groups * tileRows * columns <= (choices.unroll ?? 40)) {
        unrolled.push(`${group.loop}.o`);
        // Vectors that were interleaved for one tap serve its neighbours, soon.
        if (depthwise && group.extent > 2) {
          taps = shortReductions(part, reduce.slice(0, -1), groups * tileRows * columns, choices.unroll ?? 40).reverse();
          unrolled.push(...taps);
          reduce = reduce.filter((n) => !taps.includes(n));
        }
      }
      members = [`${group.loop}.i`];
    } else if (fields) {
      steps.push({ step: 'split', loop: fields.loop, factor: fields.count });
      reduce = reduce.flatMap((n) => (n === fields.loop ? [`${n}.o`, `${n}.i`] : [n]));
      unrolled.push(`${fields.loop}.i`);
    } else {
      unrolled.push(...shortReductions(part, reduce, tileRows * columns, choices.unroll ?? (depthwise && accumulator !== 'float32' ? 40 : 1)));
    }
    const outer = choices.keep === 'data' ? [...moving, `${lane}.o.o`] : [`${lane}.o.o`, ...moving];
    steps.push({ step: 'reorder', order: [...batch, ...outer, ...reduce, ...tile.slice(0, -2), ...taps, ...tile.slice(-2), ...members] });
    steps.push(...unrolled.map((loop): Step => ({ step: 'unroll', loop })), { step: 'vectorize', loop: `${lane}.i` });
    if (!together && sumsAreApart(part.kernel)) steps.push({ step: 'apart' });
    if (group) steps.push({ step: 'dot', loop: `${group.loop}.i`, ...(group.sevenBits ? { sevenBits: group.sevenBits } : {}) });
    return applySteps(part, steps);
  });
  // Fields that share a container are its neighbours.
  const pack: Pack | undefined = group && fieldLoop !== undefined
    ? { elementBits: group.bits, containerBits: group.containerBits, innermost: fieldLoop }
    : wide ? { elementBits: 16, containerBits: 16 } : undefined;
  return { nests, packs: pack ? { [group!.weight]: pack } : fields ? fieldPacks(fields) : {} };
}

/** Outputs of a channel from which on its weights are stored as the 16 bits that pairs of products take: as bytes they are widened at each read. */
const mostNarrow = 16;

function areWidened(nest: Nest, program: Program, lane: string, group: Group): boolean {
  const { dtype, layout } = program.tensors[group.weight];
  const positions = nest.loops.reduce((n, l) => (l.kind === 'space' && l.name !== lane ? n * l.extent : n), 1);
  return group.extent === 2 && group.fields === 1 && layout.elementBits === 8 && describe(dtype).signed && positions >= mostNarrow;
}

/** Lanes over the interleaved partial sums; the few outputs of an inference side by side, so that its data are read once. */
function partialLanes(start: Nest, lane: string): Nest {
  const space = start.loops.filter((l) => l.kind === 'space');
  const tile = space.slice(1).filter((l) => l.extent > 1 && l.extent < 4).slice(-1);
  const others = start.loops.filter((l) => l.name !== lane && !tile.includes(l));
  return applySteps(start, [
    ...(tile.length > 0 ? [{ step: 'reorder', order: [...others, ...tile].map((l) => l.name).concat(lane) } as const] : []),
    ...tile.map((l): Step => ({ step: 'unroll', loop: l.name })),
    { step: 'vectorize', loop: lane },
  ]);
}

interface RegisterTile {
  /** The second dimension: the innermost space loop along which the weights stay and the data move. */
  readonly row?: Loop;
  readonly rows: number;
  /** Vectors of outputs. */
  readonly columns: number;
  /** Each output channel has data and weights of its own. */
  readonly depthwise: boolean;
  /** The sums of a tuple share their reduction loops. */
  readonly together?: true;
}

function registerTile(nest: Nest, program: Program, target: Target, lane: string, group: Group | undefined, wide: boolean, choices: Choices): RegisterTile {
  const vectors = Math.ceil(nest.loops.find((l) => l.name === lane)!.extent / target.lanes);
  // Apart, each sum of a tuple is a tile of its own; the others wait in memory.
  const accumulators = sumsAreApart(nest.kernel) ? 1 : nest.kernel.accumulators.length;
  // What is read once an output, such as a residual, does not shape the tile.
  const read = accesses(nest, program).filter((a) => !a.store && nest.loops.some((l) => l.kind === 'reduce' && a.depends(l.name)));
  // Weights that are computed lie as constants do: they know outputs and what is summed over, and no place or image.
  const places = nest.loops.filter((l) => l.kind === 'space' && l.name !== lane && l.extent > 1);
  const isWeight = (a: Access): boolean => a.constant || (places.length > 0 && a.depends(lane) && !places.some((l) => a.depends(l.name)));
  const data = read.filter((a) => !isWeight(a));
  const perLane = data.some((a) => a.depends(lane) && !a.pairs(lane));
  const depthwise = perLane && read.some((a) => a.constant);
  const row = [...nest.loops].reverse().find((l) => l.kind === 'space' && l.name !== lane && l.extent > 1 && data.some((a) => a.depends(l.name)));
  const asked = choices.columns && vectors % choices.columns === 0 ? choices.columns : undefined;
  const { processor } = target;
  if (!row) {
    // Sums that read the same weights read them once, where two columns of all sums fit the registers (400 to 120: 6.9 instead of 7.7 us).
    const weights = new Set(read.filter(isWeight).map((a) => a.tensor)).size;
    const sums = nest.kernel.accumulators.length;
    if (accumulators < sums && weights < sums && asked === undefined && vectors % 2 === 0 && 2 * (sums + weights) + data.length + 1 <= processor.registers - processor.reserved) return { rows: 1, columns: 2, depthwise, together: true };
    let columns = asked ?? Math.min(divisorIn(vectors, [5, 4, 6, 3, 7, 2]), Math.max(1, Math.floor(processor.registers / 2 / accumulators)));
    while (vectors % columns !== 0) columns--;
    return { rows: 1, columns, depthwise };
  }
  const isQuad = group !== undefined && group.extent > 2;
  if (perLane && !isQuad) {
    // Every product of a depthwise tile has operands of its own: six of them fill the registers.
    const isSquare = depthwise && nest.kernel.accumulators[0].type === 'float32' && vectors % 2 === 0 && row.extent % 3 === 0;
    const columns = asked ?? (isSquare ? 2 : 1);
    const most = Math.max(1, Math.floor((processor.registers - 4) / columns / accumulators));
    return { row, rows: choices.rows ? Math.min(choices.rows, row.extent) : isSquare ? 3 : fewestRests(row.extent, most), columns, depthwise };
  }
  const isFloat = nest.kernel.accumulators.some((a) => a.type === 'float32');
  const products: TileProducts = {
    kind: isQuad ? 'quad' : isFloat ? 'float' : 'integer',
    accumulators,
    // Fields are cut out, bytes of pairs widened.
    unpack: !group ? 0 : group.fields > 1 ? 2 : group.extent === 2 && !wide ? 1 : 0,
    interleaved: isQuad && perLane ? group.extent : 0,
    steps: nest.loops.reduce((n, l) => (l.kind === 'reduce' ? n * Math.ceil(l.extent / (l.name === group?.loop ? group.extent : 1)) : n), 1),
  };
  const cycles = (rows: number, columns: number): number => tileCycles(rows, columns, products, processor);
  let best = { rows: 1, columns: asked ?? 1 };
  let least = Infinity;
  // Widening and fields take registers of their own: measured, eight rows of one vector spill (8-bit ResNet-8 524 instead of 280 us,
  // 4-bit layers 24 instead of 46 GMAC/s).
  const mostRows = [8, 4, 6][products.unpack];
  // Interleaving more than two vectors of data at a time spills.
  const mostColumns = products.interleaved > 0 ? 2 : 8;
  for (let columns = asked ?? 1; columns <= (asked ?? mostColumns); columns++) {
    if (vectors % columns !== 0) continue;
    for (let rows = choices.rows ? Math.min(choices.rows, row.extent) : 1; rows <= Math.min(choices.rows ?? mostRows, row.extent); rows++) {
      const rest = row.extent % rows;
      const total = (vectors / columns) * (Math.floor(row.extent / rows) * cycles(rows, columns) + (rest > 0 ? cycles(rest, columns) + 0.2 : 0));
      if (total < least) [best, least] = [{ rows, columns }, total];
    }
  }
  return { row, ...best, depthwise };
}

/** Rows of a tile one vector wide. */
function fewestRests(extent: number, most: number): number {
  const wish = [4, 5, 6, 3, 8, 7, 2].filter((r) => r <= Math.min(most, extent));
  return wish.find((r) => extent % r === 0) ?? wish[0] ?? 1;
}

/**
 * Innermost reduction loops that are short enough to be unrolled whole. The default leaves them: V8 orders a long body so that
 * all loads come first and then spills them (25 against 16 GMAC/s in a 3x3 convolution of 3 channels). Where integers are
 * widened at each load, fewer turns win.
 */
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
