/**
 * Cycles of the processes of a circuit in closed form, from the trips of their loops: what a process takes for one run if it never
 * waits for a stream. How they wait for one another is for the simulation in time.
 */
import type { Block, Condition, Expr, Index, Program, Stmt } from '../../ir/program.js';
import { processesOf } from '../../ir/verifyDataflow.js';
import { operandsOf } from '../../ir/walk.js';
import { latencies } from '../../targets/fpga.js';
import { hasRolled, isRolled, latencyOf } from './pipeline.js';

export interface ProcessCycles {
  readonly name: string;
  /** Work and filling: the whole run. */
  readonly cycles: number;
  /** Iterations times their interval: (MH / PE) (MW / SIMD) places of a matrix-vector unit. */
  readonly work: number;
}

/** The processes of a scheduled circuit in order. */
export function processCycles(program: Program): ProcessCycles[] {
  return processesOf(program).map((p) => ({ name: p.name, ...cyclesOfBlocks(p.body) }));
}

interface Cycles {
  readonly cycles: number;
  readonly work: number;
}

function cyclesOfBlocks(blocks: readonly Block[]): Cycles {
  let [cycles, work] = [0, 0];
  for (const b of blocks) {
    const times = b.kind === 'kernel' ? 1 : typeof b.count === 'number' ? b.count : b.count.max;
    const own = b.kind === 'kernel' ? cyclesOf(b.scheduled?.body ?? []) : cyclesOfBlocks(b.body);
    cycles += times * own.cycles;
    work += times * own.work;
  }
  return { cycles, work };
}

/** The values that loops around a statement take where it runs. */
type Running = ReadonlyMap<string, readonly number[]>;

function cyclesOf(body: readonly Stmt[]): Cycles {
  let [cycles, work] = [0, 0];
  const visit = (list: readonly Stmt[], running: Running, flattened: number): void => {
    const entries = (): number => [...running.values()].reduce((n, v) => n * v.length, 1) / flattened;
    const isBare = !hasRolled(list) && list.some((s) => s.kind !== 'if');
    // Statements behind one another that no pipeline has: a step of the control.
    if (isBare) {
      cycles += entries() * pipelineDepth(list);
      work += entries();
      return;
    }
    for (const s of list) {
      if (s.kind === 'if') visit(s.body, narrowed(running, s.guard), flattened);
      else if (s.kind === 'loop' && hasRolled([s])) {
        if (isRolled(s) && !hasRolled(s.body)) {
          const interval = s.initiationInterval ?? 1;
          const trips = flattened * s.extent;
          cycles += entries() * (pipelineDepth(s.body) + interval * (trips - 1));
          work += entries() * interval * trips;
        } else {
          // A loop that is all of another's body runs in the same pipeline.
          const inner = new Map(running).set(s.axis, Array.from({ length: s.extent }, (_, i) => s.start + i));
          const isPerfect = s.body.length === 1 && s.body[0].kind === 'loop' && isRolled(s.body[0]);
          visit(s.body, inner, isPerfect ? flattened * s.extent : 1);
        }
      }
    }
  };
  visit(body, new Map(), 1);
  return { cycles, work };
}

/** Where conditions on one loop each hold; others are taken to hold. */
function narrowed(running: Running, guard: readonly Condition[]): Running {
  const result = new Map(running);
  for (const { index, lo, hi } of guard) {
    const axes = new Set(axesOf(index));
    const [axis] = axes;
    const values = result.get(axis);
    if (axes.size !== 1 || !values) continue;
    result.set(axis, values.filter((v) => {
      const at = valueOf(index, v);
      return lo <= at && at < hi;
    }));
  }
  return result;
}

function axesOf(index: Index): string[] {
  return index.terms.flatMap(({ of }) => (typeof of === 'string' ? [of] : 'div' in of ? axesOf(of.div) : 'rem' in of ? axesOf(of.rem) : ['', ' ']));
}

/** The index where its only axis has a value. */
function valueOf(index: Index, v: number): number {
  return index.terms.reduce((n, { coeff, of }) => {
    if (typeof of === 'string') return n + coeff * v;
    if ('div' in of) return n + coeff * Math.floor(valueOf(of.div, v) / of.by);
    if ('rem' in of) return n + coeff * (((valueOf(of.rem, v) % of.by) + of.by) % of.by);
    return n;
  }, index.offset);
}

/** Cycles from the first step of an iteration to the last: reads of memory, the longest chain of float cores, a step for the integers. */
export function pipelineDepth(body: readonly Stmt[]): number {
  const lets = new Map<string, number>();
  let longest = 0;
  const chain = (e: Expr): number => {
    if (e.op === 'ref') return lets.get(e.name) ?? 0;
    if (e.op === 'load' || e.op === 'local') return latencies.load;
    return operandsOf(e).reduce((n, x) => Math.max(n, chain(x)), 0) + (isFloatCompare(e) ? latencies.compare : latencyOf(e));
  };
  const visit = (list: readonly Stmt[]): void => {
    for (const s of list) {
      if (s.kind === 'loop' || s.kind === 'if') visit(s.body);
      else {
        const own = chain(s.value);
        longest = Math.max(longest, own);
        if (s.kind === 'let') lets.set(s.name, own);
      }
    }
  };
  visit(body);
  return longest + latencies.integer;
}

const isFloatCompare = (e: Expr): boolean => 'b' in e && !('type' in e) && (e.a.op === 'float' || e.b.op === 'float');
