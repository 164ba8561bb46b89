/**
 * Sums of products of few bits by tables: the lanes are bytes, each lookup gives some products of one output, and sums stay in
 * 8 bits for as many products as the operands' ranges allow.
 */
import { lookupOf } from '../../ir/lookup.js';
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Choices, KernelSchedule } from '../choice.js';
import type { Nest } from '../nest.js';
import { codedField } from '../pack.js';
import { productOperands } from '../products.js';
import { productsWithin } from './groups.js';
import { groupTiles } from './groupTiles.js';
import { canOverrun, divisorIn } from './lanes.js';

/** The reduction loop along which products can be looked up, and how many of them stay within 8 bits. */
interface Group {
  readonly loop: string;
  readonly extent: number;
}

/** Undefined where the operands have too many bits, or do not lie so that they can be looked up. */
export function lookup(start: Nest, program: Program, target: Target, lane: string, choices: Choices): KernelSchedule | undefined {
  const operands = productOperands(start.kernel, program);
  if (target.lookups === 0 || !operands) return undefined;
  const field = codedField(program.tensors[operands.weight]);
  if (field.bits > 2) return undefined;
  const group = groupOf(start, program, lane, operands.data, operands.weight, 8 / field.bits);
  const laneLoop = start.loops.find((l) => l.name === lane)!;
  const rest = laneLoop.extent % target.lookups;
  if (!group || laneLoop.kind !== 'space' || laneLoop.extent < 8) return undefined;
  if (rest !== 0 && !canOverrun(start, program, lane, target.lookups - rest, true)) return undefined;

  const data = accesses(start, program).filter((a) => !a.store && !a.constant);
  const row = [...start.loops].reverse().find((l) => l.kind === 'space' && l.name !== lane && l.extent > 1 && data.some((a) => a.depends(l.name)));
  const vectors = Math.ceil(laneLoop.extent / target.lookups);
  const columns = choices.columns && vectors % choices.columns === 0 ? choices.columns : divisorIn(vectors, row ? [2] : [4, 3, 2]);
  const rows = row ? Math.min(choices.rows ?? 2, row.extent) : 1;
  const nests = groupTiles(start, { lane, lanes: target.lookups, group, row, rows, columns, last: { step: 'lookup', loop: `${group.loop}.i` } });
  const pack = { elementBits: field.bits, containerBits: 8, grouped: `${group.loop}.i`, ...(field.code ? { code: field.code } : {}) };
  return { nests, packs: { [operands.weight]: pack } };
}

/** `perByte`: products whose weights share a byte. */
function groupOf(nest: Nest, program: Program, lane: string, data: string, weight: string, perByte: number): Group | undefined {
  const all = accesses(nest, program);
  const x = all.find((a) => a.tensor === data);
  const w = all.find((a) => a.tensor === weight);
  // Members of a group of data are read at once, as one word.
  if (!x || !w || x.elementBits > 16 || x.depends(lane) || !w.depends(lane) || !lookupOf(program.tensors[data], 8 / perByte)) return undefined;
  const most = productsWithin(8, program.tensors[data], program.tensors[weight]);
  const loop = nest.loops.find((l) => l.kind === 'reduce' && x.stride(l.name) === x.elementBits && w.depends(l.name));
  if (!loop) return undefined;
  for (let extent = Math.floor(most / perByte) * perByte; extent > 0; extent -= perByte) {
    if (loop.extent % extent === 0) return { loop: loop.name, extent };
  }
  return undefined;
}
