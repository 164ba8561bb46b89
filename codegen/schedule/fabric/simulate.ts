/**
 * A circuit in time: latency, interval, what waits for what, and where it stops for ever. Timetables (timetable.ts) say what each
 * process does when nothing keeps it waiting; here they meet at streams of so many words.
 *
 * A word that is written in a cycle can be read in the next, and the room of a word that is read can be filled in the next. All that
 * a process moves in one cycle it moves together; where a word or room is missing, the whole process stands still, with what is in
 * its pipelines. So the cycle of every move is the greatest of a few others plus a constant, and does not depend on the order in
 * which processes are looked at. Work grows with the words that are moved, not with the cycles.
 */
import type { Program } from '../../ir/program.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { streamName } from './index.js';
import { timetables, type Timetable, type Timetables } from './timetable.js';

export interface TimeOptions {
  /** Words by stream, `TENSOR to PROCESS`, instead of those of the Program; Infinity: as many as come. */
  readonly depths?: Readonly<Record<string, number>>;
  /** Inputs, one right behind the other; 1 where nothing is said. */
  readonly images?: number;
  /** Ends there; what is behind this cycle is not looked at. */
  readonly stopAt?: number;
}

export interface ProcessTime {
  readonly name: string;
  /** The cycle in which its first step is done, and the one behind its last. What it waited for before is in neither. */
  readonly start: number;
  readonly end: number;
  /** Cycles in which it moves on; with the cycles that it waits for a word or for room they are all from start to end. */
  readonly working: number;
  readonly waitingToRead: number;
  readonly waitingToWrite: number;
}

export interface StreamTime {
  readonly name: string;
  readonly depth: number;
  /** The most rooms in use; one that is left in this cycle counts, for it can be filled in the next only. So many would have been enough. */
  readonly most: number;
}

/** A process that stands still for ever, the stream for whose word or room it waits, and the process at the other end. */
export interface Waiting {
  readonly process: string;
  readonly stream: string;
  readonly for: 'word' | 'room';
  readonly of: string;
}

export interface Timing {
  /** Cycles from the start to the end of the first input's outputs; Infinity where they never come. */
  readonly latency: number;
  /** Cycles between the ends of the last two inputs; of one input the longest run of a process, below which no interval can be; Infinity where they never come. */
  readonly interval: number;
  readonly processes: readonly ProcessTime[];
  readonly streams: readonly StreamTime[];
  /** Those that wait for one another in a circle first, then all others that wait. */
  readonly deadlock?: readonly Waiting[];
  /** True where `stopAt` ended it. */
  readonly isStopped?: true;
}

/** The times of a scheduled circuit. */
export function simulateDataflow(program: Program, options: TimeOptions = {}): Timing {
  return new Simulation(program, timetables(program)).run(options);
}

/** A process as one list of moves, and where a run of it is. */
class Runner {
  /** Cycles of one run. */
  readonly whole: number;
  /** The cycle of each move, and the move: twice the stream's number, plus one for a write. */
  readonly cycles: Float64Array;
  readonly moves: Uint32Array;
  image = 0;
  move = 0;
  /** Cycles that it has waited so far. */
  waited = 0;
  waitedToRead = 0;
  waitedToWrite = 0;
  start = -1;
  ends: number[] = [];
  /** The move that it cannot make; -1: none. */
  blocked = -1;
  isStopped = false;

  constructor({ cycles, patterns, starts }: Timetable) {
    const count = patterns.reduce((n, p) => n + p.moves.length, 0);
    this.whole = cycles;
    this.cycles = new Float64Array(count);
    this.moves = new Uint32Array(count);
    let at = 0;
    patterns.forEach((p, i) => {
      this.moves.set(p.moves, at);
      for (let m = 0; m < p.moves.length; m++) this.cycles[at++] = starts[i] + p.cycles[m];
    });
  }

  reset(): void {
    Object.assign(this, { image: 0, move: 0, waited: 0, waitedToRead: 0, waitedToWrite: 0, start: -1, ends: [], blocked: -1, isStopped: false });
  }

  /** Goes on after so many moves, the last of them in a cycle, where inputs so far ended as in another run. */
  resume(moved: number, cycle: number, ends: readonly number[]): void {
    if (moved === 0) return;
    const n = this.moves.length;
    const done = Math.floor((moved - 1) / n);
    this.waited = cycle - done * this.whole - this.cycles[(moved - 1) % n];
    this.start = 0;
    this.image = done;
    this.move = moved - done * n;
    this.ends = ends.slice(0, done);
  }
}

/** How many of `count` times, in order, are before a cycle. */
function countBefore(times: Float64Array, count: number, cycle: number): number {
  let [from, to] = [0, count];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (times[middle] < cycle) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** A Program's timetables with the ends of its streams, to be run with several depths. */
export class Simulation {
  readonly names: readonly string[];
  readonly table: Timetables;
  /** Numbers of processes, by stream. */
  readonly writers: readonly number[];
  readonly readers: readonly number[];
  private readonly depths: readonly number[];
  private readonly runners: readonly Runner[];
  /** By process, those at the other ends of its streams. */
  private readonly neighbours: readonly (readonly number[])[];
  /** By stream: the cycle in which each word was written and read, and how many were. */
  private written: Float64Array[] = [];
  private read: Float64Array[] = [];
  /** The same of a run that `keep` kept, and its depths. */
  private kept: { readonly written: Float64Array[]; readonly read: Float64Array[]; readonly writes: Int32Array; readonly reads: Int32Array; readonly ends: readonly (readonly number[])[]; readonly depth: readonly number[]; readonly images: number } | undefined;
  private readonly writes: Int32Array;
  private readonly reads: Int32Array;

  constructor(program: Program, table: Timetables) {
    const streams = program.dataflow?.streams ?? [];
    const parts = processesOf(program);
    this.table = table;
    this.names = streams.map(streamName);
    this.depths = streams.map((s) => s.depth);
    this.writers = streams.map((s) => parts.findIndex((p) => touched(p.body).writes.has(s.tensor)));
    this.readers = streams.map((s) => parts.findIndex((p) => p.name === s.to));
    this.neighbours = parts.map((_, p) => [...new Set(streams.flatMap((_s, i) => (this.writers[i] === p ? [this.readers[i]] : this.readers[i] === p ? [this.writers[i]] : [])))]);
    this.runners = table.processes.map((p) => new Runner(p));
    this.writes = new Int32Array(streams.length);
    this.reads = new Int32Array(streams.length);
  }

  run({ depths = {}, images = 1, stopAt = Infinity }: TimeOptions = {}): Timing {
    const depth = this.names.map((n, s) => depths[n] ?? this.depths[s]);
    this.simulate(depth, images, stopAt, Infinity);
    return this.result(depth, images);
  }

  /**
   * What a run gives whose first input has its outputs by a cycle; undefined where it has not. A run that is `kept` saves the next with
   * no deeper streams all that happens before one of them is full; processes' times are then of no use.
   */
  runWithin(latency: number, depth: readonly number[], images: number): Timing | undefined {
    return this.simulate(depth, images, Infinity, latency, this.kept) ? this.result(depth, images) : undefined;
  }

  /** Keeps the last run, all of which went well. */
  keep(depth: readonly number[], images: number): void {
    const { written, read, writes, reads } = this;
    [this.written, this.read] = [this.kept?.written ?? [], this.kept?.read ?? []];
    this.kept = { written, read, writes: writes.slice(), reads: reads.slice(), ends: this.runners.map((r) => r.ends), depth, images };
  }

  /** Runs until nothing moves, or a process ends its first image behind `latency`: false. */
  private simulate(depth: readonly number[], images: number, stopAt: number, latency: number, from?: typeof this.kept): boolean {
    const { words } = this.table;
    const { runners, writes, reads } = this;
    if (words.some((n, s) => (this.written[s]?.length ?? -1) < n * images)) {
      this.written = words.map((n) => new Float64Array(n * images));
      this.read = words.map((n) => new Float64Array(n * images));
    }
    writes.fill(0);
    reads.fill(0);
    for (const r of runners) r.reset();
    if (from?.images === images && depth.every((d, s) => d <= from.depth[s])) this.resume(from, depth);
    // No stream holds more than all words.
    const room = Int32Array.from(depth, (d, s) => Math.min(d, words[s] * images));
    const canMove = ({ blocked }: Runner): boolean => {
      if (blocked < 0) return false;
      const s = blocked >> 1;
      return (blocked & 1) === 1 ? writes[s] - room[s] < reads[s] : reads[s] < writes[s];
    };
    // Those that can move on, the longest waiting first; a lap around all of them is the longest queue.
    const queue = Int32Array.from(runners, (_, p) => p);
    const isQueued = new Uint8Array(runners.length).fill(1);
    let [first, count] = [0, runners.length];
    while (count > 0) {
      const p = queue[first];
      if (++first === queue.length) first = 0;
      count--;
      isQueued[p] = 0;
      advance(runners[p], this.written, this.read, writes, reads, room, images, stopAt);
      if (runners[p].ends.length > 0 && runners[p].ends[0] > latency) return false;
      for (const q of this.neighbours[p]) {
        if (isQueued[q] === 1 || !canMove(runners[q])) continue;
        isQueued[q] = 1;
        queue[(first + count++) % queue.length] = q;
      }
    }
    return true;
  }

  /** Starts where the kept run was in the first cycle in which a stream has no room for a word that was written. */
  private resume(from: NonNullable<typeof this.kept>, depth: readonly number[]): void {
    let first = Infinity;
    depth.forEach((d, s) => {
      if (d >= from.depth[s]) return;
      const [written, read] = [from.written[s], from.read[s]];
      for (let w = d; w < from.writes[s] && written[w] < first; w++) if (read[w - d] >= written[w]) first = written[w];
    });
    const { writes, reads, written, read } = this;
    depth.forEach((_, s) => {
      writes[s] = countBefore(from.written[s], from.writes[s], first);
      reads[s] = countBefore(from.read[s], from.reads[s], first);
      written[s].set(from.written[s].subarray(0, writes[s]));
      read[s].set(from.read[s].subarray(0, reads[s]));
    });
    const moved = this.runners.map(() => 0);
    const last = this.runners.map(() => 0);
    const count = (p: number, times: Float64Array, n: number): void => {
      moved[p] += n;
      if (n > 0) last[p] = Math.max(last[p], times[n - 1]);
    };
    depth.forEach((_, s) => {
      count(this.writers[s], written[s], writes[s]);
      count(this.readers[s], read[s], reads[s]);
    });
    this.runners.forEach((r, p) => r.resume(moved[p], last[p], from.ends[p]));
  }

  private result(depth: readonly number[], images: number): Timing {
    const { processes } = this.table;
    const { runners, written, read, writes, reads } = this;
    const ended = (image: number): number => Math.max(0, ...runners.map((r) => r.ends[image] ?? Infinity));
    const waiting = runners.some((r) => r.isStopped) ? [] : this.waiting(runners);
    return {
      latency: ended(0),
      interval: ended(images - 1) === Infinity ? Infinity : images > 1 ? ended(images - 1) - ended(images - 2) : Math.max(0, ...processes.map((p) => p.cycles)),
      processes: runners.map((r, p): ProcessTime => {
        const start = Math.max(0, r.start);
        const end = r.ends[images - 1] ?? Infinity;
        return { name: processes[p].process, start, end, working: end === Infinity ? Infinity : end - start - r.waitedToRead - r.waitedToWrite, waitingToRead: r.waitedToRead, waitingToWrite: r.waitedToWrite };
      }),
      streams: this.names.map((name, s): StreamTime => ({ name, depth: depth[s], most: mostWords(written[s], writes[s], read[s], reads[s]) })),
      ...(waiting.length > 0 ? { deadlock: waiting } : {}),
      ...(runners.some((r) => r.isStopped) ? { isStopped: true as const } : {}),
    };
  }

  private waiting(runners: readonly Runner[]): Waiting[] {
    const next = runners.map(({ blocked }) => (blocked < 0 ? undefined : (blocked & 1) === 1 ? this.readers[blocked >> 1] : this.writers[blocked >> 1]));
    const isInCircle = (p: number): boolean => {
      let at = next[p];
      for (let i = 0; i < next.length && at !== undefined && at !== p; i++) at = next[at];
      return at === p;
    };
    const all = runners.flatMap((r, p) => (r.blocked < 0 ? [] : [p]));
    return [...all.filter(isInCircle), ...all.filter((p) => !isInCircle(p))].map((p) => {
      const move = runners[p].blocked;
      return { process: this.table.processes[p].process, stream: this.names[move >> 1], for: (move & 1) === 1 ? 'room' : 'word', of: this.table.processes[next[p]!].process };
    });
  }
}

/** Runs a process until it has to wait for another, or to its end. */
function advance(r: Runner, written: readonly Float64Array[], read: readonly Float64Array[], writes: Int32Array, reads: Int32Array, room: Int32Array, images: number, stopAt: number): void {
  const { cycles, moves, whole } = r;
  const last = moves.length;
  let { move, waited, waitedToRead, waitedToWrite } = r;
  r.blocked = -1;
  running: for (; r.image < images; r.image++, move = 0) {
    const base = r.image * whole;
    while (move < last) {
      const cycle = cycles[move];
      const planned = base + cycle + waited;
      let at = planned;
      let isRead = false;
      let end = move;
      do {
        const s = moves[end] >> 1;
        const isWrite = (moves[end] & 1) === 1;
        const back = isWrite ? writes[s] - room[s] : reads[s];
        if (back < 0) continue;
        if (back >= (isWrite ? reads[s] : writes[s])) {
          r.blocked = moves[end];
          break running;
        }
        const from = (isWrite ? read[s][back] : written[s][back]) + 1;
        if (from > at) {
          at = from;
          isRead = !isWrite;
        }
      } while (++end < last && cycles[end] === cycle);
      if (at > stopAt) {
        r.isStopped = true;
        break running;
      }
      if (r.start < 0) r.start = at - base - cycle;
      else if (isRead) waitedToRead += at - planned;
      else waitedToWrite += at - planned;
      waited += at - planned;
      for (; move < end; move++) {
        const s = moves[move] >> 1;
        if ((moves[move] & 1) === 1) written[s][writes[s]++] = at;
        else read[s][reads[s]++] = at;
      }
    }
    if (r.start < 0) r.start = 0;
    r.ends.push((r.image + 1) * whole + waited);
  }
  r.move = move;
  r.waited = waited;
  r.waitedToRead = waitedToRead;
  r.waitedToWrite = waitedToWrite;
}

/** The most words between a writer and a reader: those written, less those read in cycles before. */
function mostWords(written: Float64Array, writes: number, read: Float64Array, reads: number): number {
  let most = 0;
  let gone = 0;
  for (let w = 0; w < writes; w++) {
    while (gone < reads && read[gone] < written[w]) gone++;
    most = Math.max(most, w + 1 - gone);
  }
  return most;
}

/** One sentence on why a circuit stands still. */
export function explainDeadlock(waiting: readonly Waiting[]): string {
  return waiting.map((w) => `${w.process} waits for ${w.for === 'word' ? `a word from ${w.of}` : `room for a word to ${w.of}`} in ${w.stream}`).join('; ');
}
