/**
 * Reassociation, of fast math alone: float sums that could not use lanes, or whose one vector of partial sums would wait for
 * itself, are added up in more partial sums. It changes a kernel's meaning (`partials`), so it comes before the kernels' own
 * schedules, which keep meanings; the changed Program is verified and interpreted like any other.
 */
import type { Kernel, Program } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { laneLoop } from './defaults/lanes.js';
import { nestOf } from './nest.js';

/** Four vectors of four: as many as an addition's latency needs. */
const mostPartials = 16;

/** Appends what was done to `steps`. */
export function reassociate(program: Program, target: Target, steps: string[]): Program {
  const visit = (block: Program['blocks'][number]): Program['blocks'][number] => {
    if (block.kind === 'repeat') return { ...block, body: block.body.map(visit) };
    const kernel = inPartials(block, program, target);
    if (kernel !== block) steps.push(`reassociate ${block.name}: ${kernel.partials} partial sums`);
    return kernel;
  };
  return { ...program, blocks: program.blocks.map(visit) };
}

function inPartials(kernel: Kernel, program: Program, target: Target): Kernel {
  const inner = kernel.reduce[kernel.reduce.length - 1];
  if (!inner || kernel.accumulators.length === 0 || !kernel.accumulators.every((a) => isFloatSum(kernel, a.name))) return kernel;
  const lane = laneLoop(nestOf(kernel), program, target);
  if (lane !== undefined && kernel.partials === 1) return kernel;
  for (let partials = mostPartials; partials > kernel.partials && partials >= target.lanes; partials /= 2) {
    const more = { ...kernel, partials };
    if (inner.extent % partials === 0 && laneLoop(nestOf(more), program, target) === `${inner.name}.p`) return more;
  }
  return kernel;
}

/** sum + term, where the term does without the sums. */
function isFloatSum(kernel: Kernel, name: string): boolean {
  const { update, type } = kernel.accumulators.find((a) => a.name === name)!;
  return type === 'float32' && update.op === 'add' && update.a.op === 'ref' && update.a.name === name;
}
