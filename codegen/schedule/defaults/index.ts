/**
 * Default schedules: from a kernel and a target to lists of steps, by how the kernel touches memory and never by what
 * operator it is. The search tries other lists; these must be good without it.
 */
import type { Kernel, Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Choices, KernelSchedule } from '../choice.js';
import { nestOf, type Nest } from '../nest.js';
import { applySteps } from '../steps.js';
import { packedPlaces, popcount } from './bits.js';
import { elementwise, joinLoops, orderByStore } from './elementwise.js';
import { groupLoop } from './groups.js';
import { lookup } from './lookup.js';
import { arePairs, laneLoop } from './lanes.js';
import { plain } from './plain.js';
import { reduction } from './reduction.js';
import { sharedLanes } from './shared.js';

/** Nests for a kernel. Always legal; scalar loops where nothing better is known. */
export function defaultSchedule(kernel: Kernel, program: Program, target: Target, choices: Choices = {}): KernelSchedule {
  let nest = splitDigits(nestOf(kernel), program, target);
  const lane = target.lanes > 1 ? laneLoop(nest, program, target) : undefined;
  const counted = popcount(nest, program, target, choices) ?? packedPlaces(nest, program, target);
  if (counted) return counted;
  if (kernel.reduce.length > 0) {
    const partial = nest.loops.find((l) => l.kind === 'partial');
    if (lane === undefined || (partial && partial.name !== lane)) return plain(nest, program, target);
    const looked = choices.groups === false ? undefined : lookup(nest, program, target, lane, choices);
    if (looked) return looked;
    const group = choices.groups === false ? undefined : groupLoop(nest, program, target, lane);
    // Four products of bytes in one instruction are more than two outputs a lane.
    const shared = choices.groups === false || group?.sevenBits ? undefined : sharedLanes(nest, program, target, lane, choices);
    if (shared) return shared;
    return reduction(nest, program, target, lane, group, choices);
  }
  nest = orderByStore(nest, program, lane);
  return lane === undefined ? { nests: [joinLoops(nest, program)], packs: {} } : elementwise(nest, program, target, lane, choices);
}

/** Splits loops along which an address has digits (views of channels-last tensors), so that it becomes affine. */
function splitDigits(start: Nest, program: Program, target: Target): Nest {
  let nest = start;
  for (const original of start.loops) {
    if (original.kind === 'partial' || arePairs(start, accesses(start, program), original, target)) continue;
    const divisors = new Set<number>();
    for (const a of accesses(nest, program)) {
      if (a.stride(original.name) !== undefined || a.constant) continue;
      for (const digits of program.tensors[a.tensor].layout.dims) for (const d of digits) if (d.divisor > 1) divisors.add(d.divisor);
    }
    // From the largest part to the smallest: each split leaves the rest in `.i`.
    let name = original.name;
    let extent = original.extent;
    for (const d of [...divisors].sort((a, b) => b - a)) {
      if (extent % d !== 0 || d >= extent) continue;
      nest = applySteps(nest, [{ step: 'split', loop: name, factor: d }]);
      name = `${name}.i`;
      extent = d;
    }
  }
  return nest;
}
