/**
 * Cycles of what is between two loops: how long after its start an iteration is done. A model of how high-level synthesis places
 * operations at about 100 MHz; no vendor's tool has confirmed it, so what rests on it keeps a margin (depths.ts).
 *
 * - A word is read in one cycle and written in one cycle; an element of an array in block memory takes `latencies.load`.
 * - Float operations take the cycles of their cores, one after the other along the longest chain.
 * - The integer operations of a statement take one cycle together, and a sum over an unrolled loop one more for every
 *   `additionsOfCycle` levels of its tree.
 */
import type { Expr, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { dependsOn, operandsOf } from '../../ir/walk.js';
import { additionsOfCycle, latencies } from '../../targets/fpga.js';
import { latencyOf, waitingForCores } from './cores.js';

/** Cycles from the start of statements without rolled loops to their end, at least one. `streamed` tensors are no arrays. */
export function depthOf(body: readonly Stmt[], kernel: Kernel, program: Program, streamed: ReadonlySet<string>): number {
  const locals = new Map(kernel.scheduled!.locals.map((l) => [l.name, l.shape.reduce((a, b) => a * b, 1)]));
  const banks = kernel.scheduled!.banks ?? {};
  const fetch = (array: string, size: number): number => (size <= (banks[array] ?? 1) ? 0 : latencies.load);
  const known = new Map<string, number>();
  let end = 1;
  const timeOf = (e: Expr): number => {
    if (e.op === 'ref') return known.get(e.name) ?? 0;
    if (e.op === 'local') return (known.get(e.name) ?? 0) + fetch(e.name, locals.get(e.name) ?? 1);
    if (e.op === 'load') return streamed.has(e.tensor) ? 1 : Math.max(fetch(e.tensor, program.tensors[e.tensor].shape.reduce((a, b) => a * b, 1)), e.otherwise ? timeOf(e.otherwise) : 0);
    return Math.max(0, ...operandsOf(e).map(timeOf)) + latencyOf(e);
  };
  const visit = (list: readonly Stmt[], unrolled: readonly LoopStmt[]): void => {
    for (const s of list) {
      if (s.kind === 'loop') {
        visit(s.body, [...unrolled, s]);
        continue;
      }
      if (s.kind === 'if') {
        visit(s.body, unrolled);
        continue;
      }
      let time = timeOf(s.value) + (hasIntegers(s.value) ? latencies.integer : 0);
      if (s.kind === 'set') {
        const steps = mentions(s.value, s.name) ? unrolled.filter((l) => !s.at.some((i) => dependsOn(i, l.axis))).reduce((n, l) => n * l.extent, 1) : 1;
        const own = latencyOf(s.value);
        time += own > 0 ? own * (steps - 1) : Math.floor(Math.ceil(Math.log2(steps)) / additionsOfCycle);
        known.set(s.name, Math.max(known.get(s.name) ?? 0, time));
      } else if (s.kind === 'let') known.set(s.name, time);
      else time += 1;
      end = Math.max(end, time);
    }
  };
  visit(body, []);
  return end + waitingForCores(body, kernel, program);
}

function hasIntegers(e: Expr): boolean {
  const isOne = e.op === 'dot' || (operandsOf(e).length > 1 && (!('type' in e) || e.type !== 'float32'));
  return isOne || operandsOf(e).some(hasIntegers);
}

function mentions(e: Expr, local: string): boolean {
  return (e.op === 'local' && e.name === local) || operandsOf(e).some((x) => mentions(x, local));
}
