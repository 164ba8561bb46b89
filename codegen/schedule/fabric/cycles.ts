/**
 * Cycles of the processes of a circuit in closed form, from the trips of their loops: what a process takes for one run if it never
 * waits for a stream. The model is that of the timetables (timetable.ts), without walking the loops: for searches that look at
 * hundreds of foldings.
 */
import { memoryLanes } from '../../ir/traffic.js';
import type { Block, Condition, Index, Kernel, Program, Stmt } from '../../ir/program.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { loopOverhead } from '../../targets/fpga.js';
import { depthOf } from './latency.js';
import { hasRolled, isRolled, perfectNest, wordsMoved, type StreamLanes } from './pipeline.js';

export interface ProcessCycles {
  readonly name: string;
  /** Work, filling of pipelines and the control of loops: the whole run. */
  readonly cycles: number;
  /** Iterations times their interval: with FINN's names, (MH / PE) (MW / SIMD) for every place of a matrix-vector unit. */
  readonly work: number;
}

/** The processes of a scheduled circuit in order. */
export function processCycles(program: Program): ProcessCycles[] {
  return processesOf(program).map((p) => {
    const { writes } = touched(p.body);
    const lanes = new Map([...memoryLanes(program)].map(([tensor, n]) => [tensor, [n]]));
    for (const s of program.dataflow!.streams) if (s.to === p.name || writes.has(s.tensor)) lanes.set(s.tensor, [...(lanes.get(s.tensor) ?? []), s.lanes]);
    const { cycles, work } = cyclesOfBlocks(p.body, program, lanes, p.body.length === 1);
    return { name: p.name, cycles: Math.max(1, cycles), work };
  });
}

interface Cycles {
  readonly cycles: number;
  readonly work: number;
}

function cyclesOfBlocks(blocks: readonly Block[], program: Program, lanes: StreamLanes, isAlone: boolean): Cycles {
  let [cycles, work] = [0, 0];
  for (const b of blocks) {
    const times = b.kind === 'kernel' ? 1 : typeof b.count === 'number' ? b.count : b.count.max;
    const own = b.kind === 'kernel' ? cyclesOf(b, program, lanes, isAlone) : cyclesOfBlocks(b.body, program, lanes, false);
    cycles += times * own.cycles + (b.kind === 'kernel' ? 0 : loopOverhead);
    work += times * own.work;
  }
  return { cycles, work };
}

/** The values that loops around a statement take where it runs. */
type Running = ReadonlyMap<string, readonly number[]>;

function cyclesOf(kernel: Kernel, program: Program, lanes: StreamLanes, isAlone: boolean): Cycles {
  const { body } = kernel.scheduled!;
  let [cycles, work] = [0, 0];
  const streamed = new Set(program.dataflow!.streams.map((s) => s.tensor).filter((t) => lanes.has(t)));
  const pipeline = (inner: readonly Stmt[], trips: number, interval: number, entries: number, overhead: number): void => {
    cycles += entries * (overhead + depthOf(inner, kernel, program, streamed) + wordsMoved(inner, lanes) - 1 + interval * (trips - 1));
    work += entries * interval * trips;
  };
  const visit = (list: readonly Stmt[], running: Running, isOnly: boolean): void => {
    const entries = [...running.values()].reduce((n, v) => n * v.length, 1);
    let straight: Stmt[] = [];
    const finish = (): void => {
      if (straight.length > 0) pipeline(straight, 1, wordsMoved(straight, lanes), entries, 0);
      straight = [];
    };
    for (const s of list) {
      if ((s.kind !== 'loop' && s.kind !== 'if') || !hasRolled([s])) {
        straight.push(s);
        continue;
      }
      finish();
      if (s.kind === 'if') {
        visit(s.body, narrowed(running, s.guard), false);
        continue;
      }
      const nest = perfectNest(s);
      if (nest) {
        const last = nest[nest.length - 1];
        pipeline(last.body, nest.reduce((n, l) => n * l.extent, 1), last.initiationInterval ?? 1, entries, isOnly ? 0 : loopOverhead);
        continue;
      }
      if (!isOnly && isRolled(s) && s.extent > 1) cycles += entries * loopOverhead;
      visit(s.body, new Map(running).set(s.axis, Array.from({ length: s.extent }, (_, i) => s.start + i)), false);
    }
    finish();
  };
  const items = body.filter((s, i) => hasRolled([s]) || i === 0 || hasRolled([body[i - 1]])).length;
  visit(body, new Map(), isAlone && items === 1);
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
