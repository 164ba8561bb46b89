/**
 * Weights that are stored in fewer than eight bits and computed with as float32: which loop's neighbours share a container.
 * Not here: fields of integer products (groups.ts).
 */
import { bestFields, containerOf } from '../../ir/fields.js';
import type { Program } from '../../ir/program.js';
import { accesses } from '../access.js';
import type { Pack } from '../choice.js';
import type { Nest } from '../nest.js';
import { fieldBits } from '../pack.js';

/** Fields of the constants that every product of a float reduction, or every element of a kernel without one, decodes. */
export interface Fields {
  /** A loop (of the reduction, where there is one), so many iterations of which lie in one container. */
  readonly loop: string;
  readonly count: number;
  /** Bits of a field, by constant. */
  readonly bits: ReadonlyMap<string, number>;
}

/** Undefined where nothing is stored so, or where no loop fills containers. */
export function codeFields(nest: Nest, program: Program, lane: string): Fields | undefined {
  const summed = nest.loops.filter((l) => l.kind === 'reduce');
  const loops = summed.length > 0 ? summed : nest.loops.filter((l) => l.name !== lane);
  const codes = accesses(nest, program).filter((a) => a.constant && program.tensors[a.tensor].dtype !== 'float32' && loops.some((l) => a.depends(l.name)));
  const bits = new Map(codes.map((a) => [a.tensor, fieldBits(program.tensors[a.tensor])]));
  if (codes.length === 0 || codes.some((a) => a.guarded || !a.depends(lane)) || [...bits.values()].every((b) => b >= 8)) return undefined;
  const candidates = loops.filter((l) => codes.every((a) => a.depends(l.name)));
  const best = bestFields(candidates.map((l) => l.extent), [...bits.values()]);
  return best && best.cost < 8 * bits.size ? { loop: candidates[best.loop].name, count: best.count, bits } : undefined;
}

/** How such a constant is stored, once its loop is split. */
export function fieldPacks({ loop, count, bits }: Fields): Record<string, Pack> {
  return Object.fromEntries([...bits].map(([tensor, b]) => [tensor, { elementBits: b, containerBits: containerOf(b, count), innermost: `${loop}.i` }]));
}
