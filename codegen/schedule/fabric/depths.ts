/**
 * How many words each stream of a circuit has to hold: as few as keep it from standing still, and from being slower than with
 * streams without end. Found with the simulation alone.
 *
 * More room never makes a move later, so every search is one of halving: first what deadlocks need, raised where they show; then,
 * only if that is slower, what speed needs: all streams at once, then halves of them, then each. No stream of the result can be much
 * shorter by itself; several together might be other than these.
 */
import type { Program } from '../../ir/program.js';
import { streamName } from './index.js';
import { Simulation, type Timing } from './simulate.js';
import { timetables } from './timetable.js';

export interface DepthOptions {
  /** Inputs in a row, at least 3; 3 where nothing is said. */
  readonly images?: number;
  /** What latency and interval may be longer by, as a part of what endless streams give; 0 where nothing is said. */
  readonly slack?: number;
}

export interface Depths {
  /**
   * What to build: two words, or shift registers of 32 with words to spare. No tool has confirmed the simulation's latencies, and
   * between a fork and its join a word too few would stop the circuit: such streams have at least `spare` more than `least`.
   */
  readonly depths: Readonly<Record<string, number>>;
  /** What the simulation needs, to a 64th; at least 2. */
  readonly least: Readonly<Record<string, number>>;
  /** Of `images` inputs with `depths`. */
  readonly timing: Timing;
  /** With streams without end. */
  readonly endless: { readonly latency: number; readonly interval: number };
  /** How often it was simulated. */
  readonly simulations: number;
}

const shortest = 2;
const register = 32;
const spare = 16;

/** Depths for the streams of a scheduled circuit, by their names in the options of `scheduleFabric`. */
export function leastDepths(program: Program, { images = 3, slack = 0 }: DepthOptions = {}): Depths {
  const simulation = new Simulation(program, timetables(program));
  const { names } = simulation;
  let simulations = 0;
  const record = (list: readonly number[]): Record<string, number> => Object.fromEntries(names.map((n, s) => [n, list[s]]));
  const run = (list: readonly number[], count = images): Timing => {
    simulations++;
    return simulation.run({ depths: record(list), images: count });
  };
  const { latency, interval, streams } = run(names.map(() => Infinity));
  const most = streams.map((s) => Math.max(shortest, s.most));
  const flows: Check = (list) => {
    const found = run(list, 1);
    return found.deadlock ? undefined : found;
  };
  const keepsPace: Check = (list) => {
    simulations++;
    const found = simulation.runWithin(latency * (1 + slack), list, images);
    if (!found || found.latency > latency * (1 + slack) || found.interval > interval * (1 + slack)) return undefined;
    simulation.keep(list, images);
    return found;
  };
  const two = names.map(() => shortest);
  const floor = lower(raise(two, most, (list) => run(list, 1), names), two, 0, flows);
  const least = keepsPace(floor) ? floor : lower(most, floor, 1 / 64, keepsPace);
  const isJoined = streamsThatJoin(simulation);
  const depths = least.map((d, s) => (d <= shortest && !isJoined[s] ? d : Math.ceil((d + (isJoined[s] ? spare : 1)) / register) * register));
  return { depths: record(depths), least: record(least), timing: run(depths), endless: { latency, interval }, simulations };
}

/** The same circuit with other depths; what scheduling again with them would give. */
export function withDepths(program: Program, depths: Readonly<Record<string, number>>): Program {
  const { dataflow } = program;
  return dataflow ? { ...program, dataflow: { ...dataflow, streams: dataflow.streams.map((s) => ({ ...s, depth: depths[streamName(s)] ?? s.depth })) } } : program;
}

/** What a circuit of these depths does, if that is good enough. */
type Check = (depths: readonly number[]) => Timing | undefined;

/** Doubles the streams whose room the processes of a deadlock wait for, until there is none. */
function raise(start: readonly number[], most: readonly number[], run: (depths: readonly number[]) => Timing, names: readonly string[]): number[] {
  const depths = [...start];
  for (;;) {
    // Those in the circle come first; the others may wait for it only.
    const full = (run(depths).deadlock ?? []).flatMap((w) => (w.for === 'room' ? [names.indexOf(w.stream)] : [])).find((s) => depths[s] < most[s]);
    if (full === undefined) return depths;
    depths[full] = Math.min(most[full], depths[full] * 2);
  }
}

/** Depths between `floor` and `start`, which is good enough, none of which can be less by itself; but for `precision`, a part of it. */
function lower(start: readonly number[], floor: readonly number[], precision: number, check: Check): number[] {
  const depths = [...start];
  const isFine = (tried: readonly number[]): boolean => {
    const found = check(tried);
    // What was never filled is not needed.
    if (found) tried.forEach((d, s) => { depths[s] = Math.max(floor[s], Math.min(d, found.streams[s].most)); });
    return found !== undefined;
  };
  const visit = (group: readonly number[]): void => {
    const open = group.filter((s) => depths[s] > floor[s]);
    if (open.length === 0 || isFine(depths.map((d, s) => (open.includes(s) ? floor[s] : d)))) return;
    if (open.length > 1) {
      const half = Math.ceil(open.length / 2);
      visit(open.slice(0, half));
      visit(open.slice(half));
      return;
    }
    const [s] = open;
    for (let short = floor[s]; depths[s] - short > Math.max(1, Math.floor(precision * depths[s])); ) {
      const middle = Math.floor((short + depths[s]) / 2);
      if (!isFine(depths.map((d, i) => (i === s ? middle : d)))) short = middle;
    }
  };
  visit(depths.map((_, s) => s));
  return depths;
}

/** Which streams are part of a way that forks and joins again: without such a one, its processes are still connected. */
function streamsThatJoin({ writers, readers }: Simulation): boolean[] {
  return writers.map((from, s) => {
    const reached = new Set([from]);
    for (const at of reached) {
      writers.forEach((w, i) => {
        if (i === s) return;
        if (w === at) reached.add(readers[i]);
        if (readers[i] === at) reached.add(w);
      });
    }
    return reached.has(readers[s]);
  });
}
