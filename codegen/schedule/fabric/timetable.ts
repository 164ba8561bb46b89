/**
 * Timetables: at which cycle of its own a process reads and writes which stream, were it never kept waiting. Of the scheduled
 * Program alone; what waiting adds is in simulate.ts.
 *
 * The model, that of synthesis for pipelined loops:
 * - Kernels of a process follow one another, a repeat runs as often as it may. A run of the process begins when its last has ended.
 * - A loop in mode `pipeline` starts an iteration every interval; N of them take depth + interval (N - 1) cycles (depth: latency.ts).
 *   Loops around it that hold nothing else are one pipeline with it. An iteration reads in its first cycle, writes in its last.
 * - What moves at once moves as words, one a cycle and stream. So the interval is never below the words of an iteration, whether
 *   or not a guard holds: synthesis gives each its own cycle.
 * - Other loops take the sum of their iterations, and wherever a loop is not alone, `loopOverhead` to enter and leave it. Unrolled
 *   loops and loops of one iteration take no time of their own.
 * - Memory outside the chip answers in time; latencies of its bus are no part of this.
 *
 * A table is a list of patterns, each with the cycle at which it begins; an iteration without words is nowhere in it.
 */
import { elementCount } from '../../ir/graph.js';
import { fail } from '../../ir/diagnostic.js';
import type { Block, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { compileConditions, loopDepth, type Axes } from '../../ir/axes.js';
import { trafficAxes } from '../../ir/traffic.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { loopOverhead } from '../../targets/fpga.js';
import { hasRolled, isRolled, perfectNest } from './pipeline.js';
import { Pipeline, type Pattern, type Ports } from './pattern.js';

export interface Timetable {
  readonly process: string;
  /** What one run takes without waiting. */
  readonly cycles: number;
  readonly patterns: readonly Pattern[];
  /** The cycle at which each pattern begins. */
  readonly starts: readonly number[];
}

/** The timetables of all processes, and how many words each stream carries for one image. */
export interface Timetables {
  readonly processes: readonly Timetable[];
  readonly words: readonly number[];
}


type Item =
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  | { readonly kind: 'if'; readonly holds: () => boolean; readonly items: readonly Item[] }
  /** `cycles`: of all its iterations, where they move nothing and have no conditions. */
  | { readonly kind: 'loop'; readonly slot: number; readonly start: number; readonly extent: number; readonly isRolled: boolean; readonly items: readonly Item[]; readonly cycles?: number };

export function timetables(program: Program): Timetables {
  const streams = program.dataflow?.streams ?? [];
  const processes = processesOf(program).map((p): Timetable => {
    const numbers = (of: (i: number) => boolean): Map<string, number[]> => {
      const result = new Map<string, number[]>();
      streams.forEach((s, i) => { if (of(i)) result.set(s.tensor, [...(result.get(s.tensor) ?? []), i]); });
      return result;
    };
    const { writes } = touched(p.body);
    const clock = new Clock(program, { inputs: numbers((i) => streams[i].to === p.name), outputs: numbers((i) => writes.has(streams[i].tensor)) });
    clock.blocks(p.body, p.body.length === 1);
    return { process: p.name, cycles: Math.max(1, clock.cycle), patterns: clock.patterns, starts: clock.starts };
  });
  const words = streams.map(() => [0, 0]);
  for (const { patterns } of processes) for (const { moves } of patterns) for (const m of moves) words[m >> 1][m & 1]++;
  streams.forEach(({ tensor, lanes, to }, i) => {
    const expected = elementCount(program.tensors[tensor].shape) / lanes;
    if (words[i].some((n) => n !== expected)) fail('program/invalid', tensor, `its stream to ${to} carries ${expected} words, and ${words[i][1]} are written and ${words[i][0]} read`);
  });
  return { processes, words: words.map(([n]) => n) };
}

/** Cycles of every process for one image, were it never kept waiting. */
export function processCycles(program: Program): Record<string, number> {
  return Object.fromEntries(timetables(program).processes.map((p) => [p.process, p.cycles]));
}

/** Walks the blocks of a process and notes what they move. */
class Clock {
  cycle = 0;
  readonly patterns: Pattern[] = [];
  readonly starts: number[] = [];
  private readonly program: Program;
  private readonly ports: Ports;

  constructor(program: Program, ports: Ports) {
    this.program = program;
    this.ports = ports;
  }

  blocks(blocks: readonly Block[], isAlone: boolean): void {
    for (const b of blocks) {
      if (b.kind === 'kernel') {
        const { body } = b.scheduled!;
        const axes = new Int32Array(loopDepth(body));
        const items = this.compile(body, b, trafficAxes(axes));
        this.run(items, axes, isAlone && items.length === 1);
        continue;
      }
      // Streams belong to kernels outside repeats, so every iteration takes the same time.
      const before = this.cycle;
      this.blocks(b.body, false);
      this.cycle = before + (this.cycle - before) * (typeof b.count === 'number' ? b.count : b.count.max) + loopOverhead;
    }
  }

  private compile(body: readonly Stmt[], kernel: Kernel, scope: Axes): Item[] {
    const items: Item[] = [];
    let straight: Stmt[] = [];
    const pipeline = (nest: readonly LoopStmt[], inner: readonly Stmt[]): void => {
      items.push({ kind: 'pipeline', pipeline: new Pipeline(nest, inner, kernel, this.program, scope, this.ports) });
    };
    const finish = (): void => {
      if (straight.length > 0) pipeline([], straight);
      straight = [];
    };
    for (const s of body) {
      if ((s.kind !== 'loop' && s.kind !== 'if') || (!isRolled(s) && !hasRolled(s.body))) {
        straight.push(s);
        continue;
      }
      finish();
      if (s.kind === 'if') {
        items.push({ kind: 'if', holds: compileConditions(s.guard, scope), items: this.compile(s.body, kernel, scope) });
        continue;
      }
      const nest = perfectNest(s);
      if (nest) {
        pipeline(nest, nest[nest.length - 1].body);
        continue;
      }
      const inner = scope.with(s.axis);
      const parts = this.compile(s.body, kernel, inner);
      const cycles = fixedCycles(parts);
      items.push({ kind: 'loop', slot: inner.slot(s.axis), start: s.start, extent: s.extent, isRolled: isRolled(s) && s.extent > 1, items: parts, ...(cycles === undefined ? {} : { cycles: cycles * s.extent }) });
    }
    finish();
    return items;
  }

  private run(items: readonly Item[], axes: Int32Array, isAlone: boolean): void {
    for (const item of items) {
      if (item.kind === 'if') {
        if (item.holds()) this.run(item.items, axes, false);
        continue;
      }
      if (!isAlone) this.cycle += overheadOf(item);
      if (item.kind === 'pipeline') {
        const { pipeline } = item;
        if (pipeline.sites.length > 0) {
          const pattern = pipeline.pattern();
          if (pattern.cycles.length > 0) {
            this.patterns.push(pattern);
            this.starts.push(this.cycle);
          }
        }
        this.cycle += pipeline.cycles;
      } else if (item.cycles !== undefined) {
        this.cycle += item.cycles;
      } else {
        for (let i = item.start; i < item.start + item.extent; i++) {
          axes[item.slot] = i;
          this.run(item.items, axes, false);
        }
      }
    }
  }
}

function overheadOf(item: Item): number {
  const isLoop = item.kind === 'pipeline' ? item.pipeline.isLoop : item.kind === 'loop' && item.isRolled;
  return isLoop ? loopOverhead : 0;
}

/** Cycles of items that move nothing and have no conditions. */
function fixedCycles(items: readonly Item[]): number | undefined {
  let cycles = 0;
  for (const item of items) {
    const own = item.kind === 'pipeline' ? (item.pipeline.sites.length === 0 ? item.pipeline.cycles : undefined) : item.kind === 'loop' ? item.cycles : undefined;
    if (own === undefined) return undefined;
    cycles += own + overheadOf(item);
  }
  return cycles;
}
