/**
 * Sums of products of few bits with two outputs a lane: a 16-bit dot product gives products of both, and they part every so
 * many members, before the first one's sum leaves its 12 bits (ir/sharedLanes.ts).
 */
import { cutsOf, outputs, secondFits, sharedOffset, sumBits } from '../../ir/sharedLanes.js';
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Choices, KernelSchedule } from '../choice.js';
import type { Nest } from '../nest.js';
import { codeOf, fieldBits } from '../pack.js';
import { productOperands } from '../products.js';
import { productsWithin } from './groups.js';
import { groupTiles } from './groupTiles.js';
import { canOverrun, divisorIn } from './lanes.js';

/** Fewer members than these do not pay for parting the sums. */
const fewest = 8;

/** Undefined where the operands have too many bits, or do not lie so that outputs can share lanes. */
export function sharedLanes(start: Nest, program: Program, target: Target, lane: string, choices: Choices): KernelSchedule | undefined {
  const operands = productOperands(start.kernel, program);
  if (!operands || !target.dots.some((d) => d.extent === 2 && d.operandBits === 16)) return undefined;
  const weight = program.tensors[operands.weight];
  const bits = fieldBits(weight);
  const cuts = cutsOf(bits);
  const code = codeOf(weight);
  if (!cuts || !code) return undefined;
  const fits = sharedOffset(weight, code) !== undefined && secondFits(start.kernel, program.tensors[operands.data], weight);
  const inLanes = fits ? groupOf(start, program, lane, operands.data, operands.weight, 2 * cuts.length) : undefined;
  const group = inLanes ?? (bits === 4 ? groupOf(start, program, lane, operands.data, operands.weight) : undefined);
  const laneLoop = start.loops.find((l) => l.name === lane)!;
  const rest = laneLoop.extent % outputs;
  if (!group || laneLoop.kind !== 'space' || laneLoop.extent < outputs) return undefined;
  if (rest !== 0 && (laneLoop.extent < 3 * outputs || !canOverrun(start, program, lane, outputs - rest, true))) return undefined;

  const data = accesses(start, program).filter((a) => !a.store && !a.constant);
  const row = [...start.loops].reverse().find((l) => l.kind === 'space' && l.name !== lane && l.extent > 1 && data.some((a) => a.depends(l.name)));
  // Where rows share the weights, reading field by field costs little.
  if (!inLanes && row) return undefined;
  const vectors = Math.ceil(laneLoop.extent / outputs);
  // Measured on V8 (3x3, 64 to 64 channels): 4 x 1 61.5, 3 x 1 61, 2 x 2 55, 5 x 1 54, 2 x 1 53, 1 x 2 47 and 8 x 1 43 GMAC/s; where
  // groups are short and written out (784 to 64), 2 x 2 45, 2 x 1 31, 3 x 1 and 4 x 1 36.
  const isShort = group.extent <= 8;
  const rows = row ? Math.min(choices.rows ?? (isShort ? 2 : fewestRests(row.extent)), row.extent) : 1;
  const columns = choices.columns && vectors % choices.columns === 0 ? choices.columns : rows > 2 ? 1 : divisorIn(vectors, inLanes ? [2, 3] : [4, 3, 2]);
  const nests = groupTiles(start, { lane, lanes: outputs, group, row, rows, columns, last: { step: 'share', loop: `${group.loop}.i`, ...(inLanes ? {} : { bytes: true as const }) } });
  const pack = { elementBits: bits, containerBits: inLanes ? 16 : 8, code, shared: { lane: `${lane}.i`, group: `${group.loop}.i` } };
  return { nests, packs: { [operands.weight]: pack } };
}

/** Rows of a tile. */
function fewestRests(extent: number): number {
  return [4, 3, 5].find((r) => extent % r === 0) ?? Math.min(extent, 4);
}

/** The reduction loop along which members are neighbours, and how many of them stay within 12 bits, by vectors of `members`; all without. */
function groupOf(nest: Nest, program: Program, lane: string, data: string, weight: string, members?: number): { loop: string; extent: number } | undefined {
  const all = accesses(nest, program);
  const x = all.find((a) => a.tensor === data);
  const w = all.find((a) => a.tensor === weight);
  if (!x || !w || x.elementBits !== 16 || x.depends(lane) || !w.depends(lane)) return undefined;
  const most = productsWithin(sumBits, program.tensors[data], program.tensors[weight]);
  const loop = nest.loops.find((l) => l.kind === 'reduce' && x.stride(l.name) === x.elementBits && w.depends(l.name));
  if (!loop) return undefined;
  if (members === undefined) return loop.extent % 8 === 0 ? { loop: loop.name, extent: loop.extent } : undefined;
  for (let extent = Math.floor(most / members) * members; extent >= fewest; extent -= members) {
    if (loop.extent % extent === 0) return { loop: loop.name, extent };
  }
  return undefined;
}
