/**
 * Reductions without lanes.
 */
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { KernelSchedule, Pack } from '../choice.js';
import type { Nest } from '../nest.js';
import { codedField, fieldBits } from '../pack.js';
import { applySteps, type Step } from '../steps.js';
import { divisorIn } from './lanes.js';

/** No vectors: a few outputs at a time where that saves loads. */
export function plain(start: Nest, program: Program, target: Target): KernelSchedule {
  const all = accesses(start, program);
  const weights = all.filter((a) => a.constant && start.loops.some((l) => l.kind === 'reduce' && a.depends(l.name)));
  const column = start.loops.find((l) => l.kind === 'space' && l.extent > 1 && weights.some((a) => a.depends(l.name)) && all.some((a) => !a.constant && !a.store && !a.depends(l.name)));
  const packs = inlinedPacks(start, program);
  const partials = start.loops.filter((l) => l.kind === 'partial').map((l): Step => ({ step: 'unroll', loop: l.name }));
  if (!column || target.lanes > 1 || start.kernel.accumulators.length !== 1) return { nests: [applySteps(start, partials)], packs };
  // Eight weights of one bit fill a byte.
  const oneBit = weights.some((w) => program.tensors[w.tensor].dtype !== 'float32' && codedField(program.tensors[w.tensor]).bits === 1);
  const columns = divisorIn(column.extent, oneBit ? [8, 4, 5, 6, 3, 2] : [4, 5, 6, 3, 2]);
  const space = start.loops.filter((l) => l.kind === 'space').map((l) => (l === column ? `${l.name}.o` : l.name));
  const rest = start.loops.filter((l) => l.kind !== 'space').map((l) => l.name);
  const tile = `${column.name}.i`;
  const nest = applySteps(start, [
    { step: 'split', loop: column.name, factor: columns },
    { step: 'reorder', order: [...space, ...rest, tile] },
    { step: 'unroll', loop: tile },
    ...partials,
  ]);
  const columnPacks = weights.flatMap((w) => {
    const tensor = program.tensors[w.tensor];
    if (tensor.dtype === 'float32' || !w.depends(column.name)) return [];
    const whole = (bits: number): boolean => [1, 2, 4].includes(bits) && (columns * bits) % 8 === 0;
    const coded = codedField(tensor);
    const { bits, code } = whole(coded.bits) ? coded : { bits: fieldBits(tensor), code: undefined };
    return whole(bits) ? [[w.tensor, { elementBits: bits, containerBits: 8, ...(code ? { code } : {}) }] as const] : [];
  });
  return { nests: [nest], packs: Object.fromEntries(columnPacks) };
}

/** Codes that a float reduction decodes: fields of bytes along its innermost loop, each cut out where it is read. */
function inlinedPacks(nest: Nest, program: Program): Record<string, Pack> {
  const [innermost] = nest.loops.filter((l) => l.kind === 'reduce').slice(-1);
  if (!innermost || nest.kernel.accumulators.some((a) => a.type !== 'float32')) return {};
  const codes = accesses(nest, program).filter((a) => a.constant && !a.guarded && program.tensors[a.tensor].dtype !== 'float32' && a.depends(innermost.name));
  return Object.fromEntries(codes.flatMap(({ tensor }) => {
    const bits = [1, 2, 4].find((b) => b >= fieldBits(program.tensors[tensor]));
    return bits === undefined ? [] : [[tensor, { elementBits: bits, containerBits: 8, innermost: innermost.name }] as const];
  }));
}
