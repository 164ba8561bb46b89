/**
 * What one pipeline moves through streams, and when: the words of its iterations, cycle by cycle from its beginning. For
 * timetable.ts, whose header states the model.
 */
import type { Condition, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { compileConditions, type Axes } from '../../ir/axes.js';
import { memoryLanes, moved } from '../../ir/traffic.js';
import { dependsOn } from '../../ir/walk.js';
import { depthOf } from './latency.js';

/** What is moved at which cycle, counted from the pattern's beginning; in the order of the cycles. */
export interface Pattern {
  readonly cycles: Float64Array;
  /** Twice the stream's number, plus one for a write. */
  readonly moves: Uint32Array;
}

/** The numbers of the streams that a process reads or writes for a tensor. */
export interface Ports {
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly outputs: ReadonlyMap<string, readonly number[]>;
}

interface Axis {
  readonly slot: number;
  readonly start: number;
  readonly extent: number;
}

/** A statement that moves elements of one stream, with all its unrolled copies. */
interface Site {
  readonly stream: number;
  readonly isWrite: boolean;
  readonly lanes: number;
  /** Cycle within the iteration of its first word. */
  readonly at: number;
  /** What holds for the whole pipeline or not at all. */
  readonly outer: () => boolean;
  readonly inner: () => boolean;
  /** True where `inner` changes with the loops of the pipeline only. */
  readonly isFixed: boolean;
  /** Where `inner` can hold, for each loop of the pipeline. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Unrolled loops on which `inner` depends, and the copies by the others. */
  readonly chosen: readonly Axis[];
  readonly copies: number;
}

/** A nest of loops as one pipeline; without loops, statements that run once. */
export class Pipeline {
  /** From its beginning to its end. */
  readonly cycles: number;
  readonly interval: number;
  readonly isLoop: boolean;
  readonly sites: readonly Site[];
  private readonly loops: readonly Axis[];
  private readonly axes: Int32Array;
  private readonly known = new Map<string, Pattern>();

  constructor(nest: readonly LoopStmt[], body: readonly Stmt[], kernel: Kernel, program: Program, outside: Axes, ports: Ports) {
    let scope = outside;
    const inner = new Set<string>();
    this.axes = outside.axes;
    this.isLoop = nest.length > 0;
    this.loops = nest.map((l) => {
      scope = scope.with(l.axis);
      inner.add(l.axis);
      return { slot: scope.slot(l.axis), start: l.start, extent: l.extent };
    });
    const depth = depthOf(body, kernel, program, new Set([...ports.inputs.keys(), ...ports.outputs.keys()]));
    const words = new Map<number | string, number>();
    const memory = memoryLanes(program);
    const sites: Site[] = [];
    const { streams } = program.dataflow!;
    const visit = (list: readonly Stmt[], at: Axes, guard: readonly Condition[], unrolled: readonly LoopStmt[]): void => {
      for (const s of list) {
        if (s.kind === 'loop') {
          visit(s.body, at.with(s.axis), guard, [...unrolled, s]);
          continue;
        }
        if (s.kind === 'if') {
          visit(s.body, at, [...guard, ...s.guard], unrolled);
          continue;
        }
        const tensor = moved(s)?.tensor;
        const isWrite = s.kind === 'store';
        if (tensor !== undefined && memory.has(tensor)) words.set(tensor, (words.get(tensor) ?? 0) + Math.ceil(unrolled.reduce((n, l) => n * l.extent, 1) / memory.get(tensor)!));
        const all = isWrite && s.guard ? [...guard, ...s.guard] : guard;
        for (const stream of tensor === undefined ? [] : ((isWrite ? ports.outputs : ports.inputs).get(tensor) ?? [])) {
          const { lanes } = streams[stream];
          const before = words.get(stream) ?? 0;
          words.set(stream, before + Math.ceil(unrolled.reduce((n, l) => n * l.extent, 1) / lanes));
          sites.push({ stream, isWrite, lanes, at: before + (isWrite ? depth - 1 : 0), ...this.guardOf(all, nest, unrolled, inner, outside, at) });
        }
      }
    };
    visit(body, scope, [], []);
    this.sites = sites;
    const most = Math.max(1, ...words.values());
    this.interval = Math.max(nest.length > 0 ? (nest[nest.length - 1].initiationInterval ?? 1) : 1, most);
    const trips = this.loops.reduce((n, l) => n * l.extent, 1);
    this.cycles = trips === 0 ? 0 : depth + most - 1 + this.interval * (trips - 1);
  }

  private guardOf(guard: readonly Condition[], nest: readonly LoopStmt[], unrolled: readonly LoopStmt[], inner: ReadonlySet<string>, outside: Axes, at: Axes): Pick<Site, 'outer' | 'inner' | 'isFixed' | 'ranges' | 'chosen' | 'copies'> {
    const isInner = (c: Condition): boolean => [...inner, ...unrolled.map((l) => l.axis)].some((a) => dependsOn(c.index, a));
    const changing = guard.filter(isInner);
    const chosen = unrolled.filter((l) => changing.some((c) => dependsOn(c.index, l.axis)));
    return {
      outer: compileConditions(guard.filter((c) => !isInner(c)), outside),
      inner: compileConditions(changing, at),
      isFixed: changing.every((c) => outside.names.every((a) => inner.has(a) || !dependsOn(c.index, a))),
      ranges: nest.map((l) => {
        let [lo, hi] = [l.start, l.start + l.extent];
        for (const { index, lo: from, hi: to } of changing) {
          const [term] = index.terms;
          if (index.terms.length !== 1 || term.of !== l.axis || term.coeff !== 1) continue;
          [lo, hi] = [Math.max(lo, from - index.offset), Math.min(hi, to - index.offset)];
        }
        return [lo, hi] as const;
      }),
      chosen: chosen.map((l) => ({ slot: at.slot(l.axis), start: l.start, extent: l.extent })),
      copies: unrolled.filter((l) => !chosen.includes(l)).reduce((n, l) => n * l.extent, 1),
    };
  }

  /** What it moves at the present place of the loops around it. */
  pattern(): Pattern {
    const active = this.sites.filter((s) => s.outer());
    if (!active.every((s) => s.isFixed)) return this.make(active);
    const key = active.map((s) => this.sites.indexOf(s)).join(' ');
    const made = this.known.get(key) ?? this.make(active);
    this.known.set(key, made);
    return made;
  }

  private make(active: readonly Site[]): Pattern {
    const runs = active.map((site) => {
      const cycles: number[] = [];
      const visit = (d: number, iteration: number): void => {
        if (d < this.loops.length) {
          const { slot, start, extent } = this.loops[d];
          const [lo, hi] = site.ranges[d];
          for (let i = lo; i < hi; i++) {
            this.axes[slot] = i;
            visit(d + 1, iteration * extent + (i - start));
          }
          return;
        }
        const words = this.elements(site, 0) / site.lanes;
        for (let w = 0; w < words; w++) cycles.push(iteration * this.interval + site.at + w);
      };
      visit(0, 0);
      return { cycles, move: 2 * site.stream + (site.isWrite ? 1 : 0), next: 0 };
    });
    return merged(runs.sort((x, y) => x.move - y.move));
  }

  private elements(site: Site, d: number): number {
    if (d === site.chosen.length) return site.inner() ? site.copies : 0;
    const { slot, start, extent } = site.chosen[d];
    let n = 0;
    for (let i = start; i < start + extent; i++) {
      this.axes[slot] = i;
      n += this.elements(site, d + 1);
    }
    return n;
  }
}

/** What the sites of a pipeline move, each in the order of its cycles, as one list; in a cycle by the number of the move. */
function merged(runs: readonly { readonly cycles: readonly number[]; readonly move: number; next: number }[]): Pattern {
  const count = runs.reduce((n, r) => n + r.cycles.length, 0);
  const cycles = new Float64Array(count);
  const moves = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    let first = runs[0];
    let at = Infinity;
    for (const run of runs) {
      if (run.next === run.cycles.length || run.cycles[run.next] >= at) continue;
      first = run;
      at = run.cycles[run.next];
    }
    cycles[i] = at;
    moves[i] = first.move;
    first.next++;
  }
  return { cycles, moves };
}
