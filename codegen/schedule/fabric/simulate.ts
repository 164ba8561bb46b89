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
import { timetables, type Timetables } from './timetable.js';

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

/** A run of a process: where in its timetable it is. */
class Runner {
  image = 0;
  pattern = 0;
  move = 0;
  /** Cycles that it has waited so far. */
  waited = 0;
  waitedToRead = 0;
  waitedToWrite = 0;
  start = -1;
  readonly ends: number[] = [];
  blocked: number | undefined;
  isStopped = false;
}

/** A Program's timetables with the ends of its streams, to be run with several depths. */
export class Simulation {
  readonly names: readonly string[];
  readonly table: Timetables;
  /** Numbers of processes, by stream. */
  readonly writers: readonly number[];
  readonly readers: readonly number[];
  private readonly depths: readonly number[];
  /** By process, those at the other ends of its streams. */
  private readonly neighbours: readonly (readonly number[])[];

  constructor(program: Program, table: Timetables) {
    const streams = program.dataflow?.streams ?? [];
    const parts = processesOf(program);
    this.table = table;
    this.names = streams.map(streamName);
    this.depths = streams.map((s) => s.depth);
    this.writers = streams.map((s) => parts.findIndex((p) => touched(p.body).writes.has(s.tensor)));
    this.readers = streams.map((s) => parts.findIndex((p) => p.name === s.to));
    this.neighbours = parts.map((_, p) => [...new Set(streams.flatMap((_s, i) => (this.writers[i] === p ? [this.readers[i]] : this.readers[i] === p ? [this.writers[i]] : [])))]);
  }

  run({ depths = {}, images = 1, stopAt = Infinity }: TimeOptions = {}): Timing {
    const { processes, words } = this.table;
    const depth = this.names.map((n, s) => depths[n] ?? this.depths[s]);
    const written = words.map((n) => new Float64Array(n * images));
    const read = words.map((n) => new Float64Array(n * images));
    const writes = words.map(() => 0);
    const reads = words.map(() => 0);
    const runners = processes.map(() => new Runner());

    /** Runs a process until it has to wait for another. */
    const advance = (p: number): void => {
      const r = runners[p];
      const { patterns, starts, cycles: whole } = processes[p];
      r.blocked = undefined;
      for (; r.image < images; r.image++, r.pattern = 0) {
        for (; r.pattern < patterns.length; r.pattern++, r.move = 0) {
          const { cycles, moves } = patterns[r.pattern];
          const base = r.image * whole + starts[r.pattern];
          while (r.move < moves.length) {
            const cycle = cycles[r.move];
            const planned = base + cycle + r.waited;
            let at = planned;
            let isRead = false;
            let end = r.move;
            for (; end < moves.length && cycles[end] === cycle; end++) {
              const s = moves[end] >> 1;
              const isWrite = (moves[end] & 1) === 1;
              const back = isWrite ? writes[s] - depth[s] : reads[s];
              if (back < 0) continue;
              if (back >= (isWrite ? reads[s] : writes[s])) {
                r.blocked = moves[end];
                return;
              }
              const from = (isWrite ? read[s][back] : written[s][back]) + 1;
              if (from > at) {
                at = from;
                isRead = !isWrite;
              }
            }
            if (at > stopAt) {
              r.isStopped = true;
              return;
            }
            if (r.start < 0) r.start = at - base - cycle;
            else if (isRead) r.waitedToRead += at - planned;
            else r.waitedToWrite += at - planned;
            r.waited += at - planned;
            for (; r.move < end; r.move++) {
              const s = moves[r.move] >> 1;
              if ((moves[r.move] & 1) === 1) written[s][writes[s]++] = at;
              else read[s][reads[s]++] = at;
            }
          }
        }
        if (r.start < 0) r.start = 0;
        r.ends.push((r.image + 1) * whole + r.waited);
      }
    };

    const canMove = (p: number): boolean => {
      const { blocked } = runners[p];
      if (blocked === undefined) return false;
      const s = blocked >> 1;
      return (blocked & 1) === 1 ? writes[s] - depth[s] < reads[s] : reads[s] < writes[s];
    };
    // Those that can move on, the longest waiting first; a lap around all of them is the longest queue.
    const queue = new Int32Array(processes.length);
    const isQueued = processes.map(() => false);
    let [first, count] = [0, 0];
    const push = (p: number): void => {
      if (isQueued[p]) return;
      isQueued[p] = true;
      queue[(first + count++) % queue.length] = p;
    };
    processes.forEach((_, p) => push(p));
    while (count > 0) {
      const p = queue[first];
      first = (first + 1) % queue.length;
      count--;
      isQueued[p] = false;
      advance(p);
      for (const q of this.neighbours[p]) if (canMove(q)) push(q);
    }
    return this.result(runners, depth, images, written, read, writes, reads);
  }

  private result(runners: readonly Runner[], depth: readonly number[], images: number, written: readonly Float64Array[], read: readonly Float64Array[], writes: readonly number[], reads: readonly number[]): Timing {
    const { processes } = this.table;
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
    const next = runners.map(({ blocked }) => (blocked === undefined ? undefined : (blocked & 1) === 1 ? this.readers[blocked >> 1] : this.writers[blocked >> 1]));
    const isInCircle = (p: number): boolean => {
      let at = next[p];
      for (let i = 0; i < next.length && at !== undefined && at !== p; i++) at = next[at];
      return at === p;
    };
    const all = runners.flatMap((r, p) => (r.blocked === undefined ? [] : [p]));
    return [...all.filter(isInCircle), ...all.filter((p) => !isInCircle(p))].map((p) => {
      const move = runners[p].blocked!;
      return { process: this.table.processes[p].process, stream: this.names[move >> 1], for: (move & 1) === 1 ? 'room' : 'word', of: this.table.processes[next[p]!].process };
    });
  }
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
