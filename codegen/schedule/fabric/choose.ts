/**
 * The folding of a circuit, chosen: the smallest that meets a latency or an interval, or the one with the smallest interval that fits
 * a part. As FINN does for a target of images a second: from everything one by one, the slowest process gets more at once until the
 * goal is met; then every kernel gives back what the goal does not need. What does not fit one by one shares its float cores: within
 * each kernel, and then between neighbours that run one after the other in one process. Estimates decide (resources.ts, cycles.ts), and
 * for a latency the simulation in time (simulate.ts).
 */
import { DiagnosticError, fail } from '../../ir/diagnostic.js';
import type { Kernel, Program } from '../../ir/program.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { kernelsOf, walkExpr } from '../../ir/walk.js';
import { mostCopies } from '../../targets/fpga.js';
import { processCycles, type ProcessCycles } from './cycles.js';
import { foldables, type Foldable } from './folding.js';
import { circuitOf, streamName, type FabricOptions } from './index.js';
import { togetherIn, type Folding } from './kernel.js';
import { lutsPerBlock } from './memory.js';
import type { OperatorOptions, PartResources, Usage } from './operators.js';
import { inProcesses, type Processes } from './prepare.js';
import { estimateResources, type Estimate } from './resources.js';
import { simulateDataflow } from './simulate.js';

/** In cycles of the clock; with neither, as fast as the part allows. */
export interface FoldingGoal {
  /** From the first word of an image to its last result. */
  readonly latency?: number;
  /** Of that, cycles outside of the circuit, in which memory answers; 0 where nothing is said. */
  readonly outside?: number;
  /** From one image to the next. */
  readonly interval?: number;
}

export interface ChosenFolding {
  readonly folding: Readonly<Record<string, Folding>>;
  readonly estimate: Estimate;
  readonly cycles: readonly ProcessCycles[];
  /** From the start to the last result of one image, simulated with queues that are never full. */
  readonly latency: number;
  /** Cycles of the slowest process: from image to image, where no queue makes it wait. */
  readonly interval: number;
}

export interface EvaluationOptions extends OperatorOptions, Pick<FabricOptions, 'bus'> {}

/** How many LUTs of a part go with one DSP slice: XC7Z020 has 242, XC7A100T 264. */
const lutsPerSlice = 250;
const sizeOf = (u: Usage): number => u.lut + u.ff / 4 + lutsPerBlock * u.bram18 + lutsPerSlice * u.dsp;

/** Processes that a step towards a latency looks at, and foldings of each: every one is simulated. */
const most = { processes: 4, steps: 2 };

/** Float cores of a kind that a kernel may have for each output at once, where it shares them. */
const coreSteps = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32] as const;

export const resourceNames = { lut: 'LUTs', ff: 'flip-flops', dsp: 'DSP slices', bram18: 'block RAMs of 18 Kbit', lutram: 'LUTs as memory' } as const;
export type Kind = keyof typeof resourceNames;
const kinds = Object.keys(resourceNames) as Kind[];

/** What a circuit has more of than a part. */
export const missing = (total: Usage, part: PartResources): Kind | undefined => kinds.find((k) => total[k] > (part[k] ?? Infinity));
const number = (n: number): string => n.toLocaleString('en-US');

/**
 * Chooses a folding for prepared processes on a part. Raises fabric/does-not-fit where the part is too small, for the goal or at
 * all, and fabric/goal where no folding meets the goal.
 */
export function chooseFolding(prepared: Processes, part: PartResources, goal: FoldingGoal = {}, options: EvaluationOptions = {}): ChosenFolding {
  return foldingChooser(prepared, goal, options)(part);
}

/** The same for several parts, one after the other: what a folding gives is found once. */
export function foldingChooser(prepared: Processes, goal: FoldingGoal = {}, options: EvaluationOptions = {}): (part: PartResources) => ChosenFolding {
  const found: Found = { known: new Map(), cuts: new Map() };
  return (part) => {
    const search = new Search(prepared, part, goal, options, found);
    return search.leastOf(search.fastEnough());
  };
}

/**
 * A folding with the kernels without weights that it does not name (pools, elementwise ones) folded too, so far that the layers do not
 * wait for them, as far as the part holds them. What it names stays as it is; layers that it does not name have 1 and 1.
 */
export function completeFolding(prepared: Processes, named: Readonly<Record<string, Folding>>, part: PartResources, options: EvaluationOptions = {}): ChosenFolding {
  const { program } = prepared.unit;
  const layers = kernelsOf(program.blocks).filter((k) => hasWeights(k, program)).map((k): [string, Folding] => [k.name, { pe: 1, simd: 1 }]);
  return new Search(prepared, part, {}, options, { known: new Map(), cuts: new Map() }, { ...Object.fromEntries(layers), ...named }).completed();
}

/** True where a sum goes over constants. */
function hasWeights(kernel: Kernel, program: Program): boolean {
  let found = false;
  for (const { update } of kernel.accumulators) {
    walkExpr(update, { expr: (e) => { if (e.op === 'load' && program.buffers[program.tensors[e.tensor].buffer].role === 'constant') found = true; } });
  }
  return found;
}

/** What foldings give, by those of all kernels, and the Program in the processes that they ask for. */
interface Found {
  readonly known: Map<string, ChosenFolding | undefined>;
  readonly cuts: Map<string, Cut>;
}

/** What a folding gives, of processes that are cut as it says. `drafts`: kernels of earlier evaluations of the same processes. */
export function evaluateFolding(prepared: Processes, folding: Readonly<Record<string, Folding>>, options: EvaluationOptions = {}, drafts = new Map<string, Kernel>()): ChosenFolding {
  const { program } = circuitOf(prepared, { folding, drafts, bus: options.bus }, []);
  const estimate = estimateResources(program, options);
  const cycles = processCycles(program);
  let latency: number | undefined;
  return {
    folding, estimate, cycles, interval: Math.max(...cycles.map((c) => c.cycles)),
    // Of most foldings that a search looks at nobody asks.
    get latency(): number {
      const depths = Object.fromEntries(program.dataflow!.streams.map((s) => [streamName(s), Infinity]));
      return (latency ??= simulateDataflow(program, { depths }).latency);
    },
  };
}

function writerOf(program: Program, tensor: string): string {
  return processesOf(program).find((p) => touched(p.body).writes.has(tensor))!.name;
}

const slowestFirst = ({ cycles }: ChosenFolding): ProcessCycles[] => [...cycles].sort((a, b) => b.cycles - a.cycles);

/** A Program in the processes of some folding. */
interface Cut {
  readonly prepared: Processes;
  readonly drafts: Map<string, Kernel>;
  /** By process: the kernels that make it faster, its own and those that send to it. */
  readonly levers: ReadonlyMap<string, readonly Foldable[]>;
  /** The kernels of those that compute. */
  readonly processes: readonly (readonly Foldable[])[];
}

class Search {
  private readonly found: Found;
  private readonly prepared: Processes;
  private readonly part: PartResources;
  private readonly goal: FoldingGoal;
  private readonly options: EvaluationOptions;
  private readonly kernels: readonly Foldable[];
  private readonly named: Readonly<Record<string, Folding>>;
  /** The kernels that the search folds. */
  private readonly free: readonly Foldable[];

  constructor(prepared: Processes, part: PartResources, goal: FoldingGoal, options: EvaluationOptions, found: Found, named: Readonly<Record<string, Folding>> = {}) {
    this.found = found;
    this.prepared = prepared;
    this.part = part;
    this.goal = goal;
    this.options = options;
    this.kernels = foldables(prepared);
    this.named = named;
    this.free = this.kernels.filter((k) => !Object.hasOwn(named, k.name));
  }

  private of(folding: Readonly<Record<string, Folding>>): ChosenFolding | undefined {
    const key = JSON.stringify(this.kernels.map((k) => folding[k.name]));
    if (!this.found.known.has(key)) {
      const { prepared, drafts } = this.cut(folding);
      this.found.known.set(key, this.legal(() => evaluateFolding(prepared, folding, this.options, drafts)));
    }
    return this.found.known.get(key);
  }

  /** The processes that a folding asks for. */
  private cut(folding: Readonly<Record<string, Folding>>): Cut {
    const together = togetherIn(folding);
    const key = JSON.stringify(together);
    const known = this.found.cuts.get(key);
    if (known) return known;
    const prepared = together.length === 0 ? this.prepared : inProcesses(this.prepared.whole, together);
    const program = { ...prepared.unit.program, dataflow: { processes: prepared.processes, streams: [] } };
    const own = new Map(processesOf(program).map((p) => [p.name, kernelsOf(p.body).flatMap((k) => this.kernels.find((f) => f.name === k.name) ?? [])]));
    const levers = new Map([...own].map(([name, list]) => {
      const senders = [...prepared.streams].flatMap(([tensor, to]) => (to.includes(name) ? (own.get(writerOf(program, tensor)) ?? []) : []));
      const readers = list.length > 0 ? [] : [...prepared.streams].flatMap(([tensor, to]) => (writerOf(program, tensor) === name ? to.flatMap((r) => own.get(r) ?? []) : []));
      return [name, [...list, ...senders, ...readers].filter((k) => this.free.includes(k))];
    }));
    const cut: Cut = { prepared, drafts: new Map(), levers, processes: [...own.values()].filter((list) => list.length > 0) };
    this.found.cuts.set(key, cut);
    return cut;
  }

  /** Undefined where the tools' limits forbid a folding. */
  private legal(f: () => ChosenFolding): ChosenFolding | undefined {
    try {
      return f();
    } catch (error) {
      if (error instanceof DiagnosticError && error.diagnostic.code === 'schedule/illegal') return undefined;
      throw error;
    }
  }

  private meets(c: ChosenFolding): boolean {
    return c.interval <= (this.goal.interval ?? Infinity) && (this.goal.latency === undefined || c.latency + this.outside <= this.goal.latency);
  }

  private get outside(): number {
    return this.goal.outside ?? 0;
  }

  private get hasGoal(): boolean {
    return this.goal.latency !== undefined || this.goal.interval !== undefined;
  }

  private missing({ estimate }: ChosenFolding): Kind | undefined {
    return missing(estimate.total, this.part);
  }

  /** All one by one, and with shared cores where that does not fit; refused where nothing does. */
  private smallest(): ChosenFolding {
    const all = (folding: Folding): ChosenFolding => this.of(Object.fromEntries(this.kernels.map((k) => [k.name, folding])))!;
    const least = all({ pe: 1, simd: 1 });
    if (!this.missing(least)) return least;
    const shared = all({ pe: 1, simd: 1, cores: 1 });
    if (!this.missing(shared)) return shared;
    // Kernels with more cores take less time, so that more of them find room in one process.
    const joined = coreSteps.slice(0, 3).map((cores) => this.joined(all({ pe: 1, simd: 1, cores }), least.interval));
    const excess = (c: ChosenFolding): number => kinds.reduce((n, k) => n + Math.max(0, c.estimate.total[k] / (this.part[k] ?? Infinity) - 1), 0);
    const [best] = joined.sort((a, b) => excess(a) - excess(b) || a.interval - b.interval || sizeOf(a.estimate.total) - sizeOf(b.estimate.total));
    if (!this.missing(best)) return best;
    const smallest = this.joined(shared, Infinity);
    const kind = this.missing(smallest);
    return kind ? this.refuseAll(smallest, kind) : smallest;
  }

  /** Neighbours in one process, from the end, where that is smaller and no slower than `interval`; with what lies between two of them. */
  private joined(start: ChosenFolding, interval: number): ChosenFolding {
    let now = start;
    const groups = this.cut(start.folding).processes.map((kernels) => kernels.map((k) => k.name));
    for (let i = groups.length - 2; i >= 0; i--) {
      for (let last = i + 1; last <= i + 2 && last < groups.length; last++) {
        const [process, ...others] = groups.slice(i, last + 1).flat();
        const cycles = groups.slice(i, last + 1).reduce((n, [name]) => n + (now.cycles.find((p) => p.name === name)?.cycles ?? 0), 0);
        const tried = cycles > interval ? undefined : this.of({ ...now.folding, ...Object.fromEntries(others.map((k) => [k, { ...now.folding[k], process }])) });
        if (!tried || !this.isBetter(tried, now) || tried.interval > Math.max(now.interval, interval)) continue;
        now = tried;
        groups.splice(i, last + 1 - i, [process, ...others]);
        break;
      }
    }
    return now;
  }

  /** Smaller, and short of nothing that was there before. */
  private isBetter(tried: ChosenFolding, now: ChosenFolding): boolean {
    return sizeOf(tried.estimate.total) < sizeOf(now.estimate.total) && kinds.every((k) => tried.estimate.total[k] <= Math.max(this.part[k] ?? Infinity, now.estimate.total[k]));
  }

  /** The slowest process faster and faster; where the part is full, what was given away too much is taken back. */
  fastEnough(): ChosenFolding {
    let now = this.smallest();
    let full = Infinity;
    while (!this.hasGoal || !this.meets(now)) {
      const isForLatency = this.goal.latency !== undefined && now.interval <= (this.goal.interval ?? Infinity);
      const speed = (c: ChosenFolding): number => (isForLatency ? c.latency : c.interval);
      const slowest = slowestFirst(now);
      const raised = isForLatency ? this.shorter(now, slowest) : this.raised(now, slowest[0].name);
      const tooLarge = raised.find((r) => this.missing(r));
      let next = raised.find((r) => !this.missing(r));
      if (!next && tooLarge && speed(now) < full) {
        full = speed(now);
        next = this.relaxed(now, (c) => c.interval <= now.interval && (!isForLatency || c.latency <= now.latency));
        if (next === now) next = undefined;
      }
      if (!next) {
        if (!this.hasGoal) return this.sooner(now);
        return tooLarge ? this.refuse(now, tooLarge) : this.unreachable(now, slowest[0].name);
      }
      now = next;
    }
    return now;
  }

  /** The slowest process faster while it is one that is free to be. */
  completed(): ChosenFolding {
    const start = Object.fromEntries(this.kernels.map((k) => [k.name, this.named[k.name] ?? { pe: 1, simd: 1 }]));
    // Raises what is wrong with the folding that was given.
    let now = this.of(start) ?? evaluateFolding(this.prepared, start, this.options);
    if (Object.keys(this.named).length === 0) return now;
    for (let next: ChosenFolding | undefined = now; next; ) {
      now = next;
      next = this.raised(now, slowestFirst(now)[0].name).find((r) => !this.missing(r));
    }
    return this.relaxed(now, (c) => c.interval <= now.interval);
  }

  /** What a goal does not need; without one, what neither interval nor latency does. */
  leastOf(found: ChosenFolding): ChosenFolding {
    return this.relaxed(found, (c) => (this.hasGoal ? this.meets(c) : c.interval <= found.interval && c.latency <= found.latency));
  }

  /** Foldings of a step more in which the process takes fewer cycles; what saves most of them for its size first. */
  private raised(now: ChosenFolding, process: string): ChosenFolding[] {
    const cyclesOf = (c: ChosenFolding): number => c.cycles.find((p) => p.name === process)!.cycles;
    const tried = (this.cut(now.folding).levers.get(process) ?? []).flatMap((k) => this.larger(k, now.folding[k.name])).flatMap(([name, folding]) => {
      const found = this.of({ ...now.folding, [name]: folding });
      return found && cyclesOf(found) < cyclesOf(now) ? [found] : [];
    });
    const worth = (c: ChosenFolding): number => (cyclesOf(now) - cyclesOf(c)) / Math.max(1, sizeOf(c.estimate.total) - sizeOf(now.estimate.total));
    return tried.sort((a, b) => worth(b) - worth(a));
  }

  /** Without a goal, the latency too, while a step shortens it by a greater share than it takes of the part. */
  private sooner(found: ChosenFolding): ChosenFolding {
    let now = found;
    const pays = (c: ChosenFolding): boolean => (now.latency - c.latency) / now.latency > Math.max(...kinds.map((k) => (c.estimate.total[k] - now.estimate.total[k]) / (this.part[k] ?? Infinity)));
    for (;;) {
      const next = this.shorter(now, slowestFirst(now)).find((c) => !this.missing(c) && c.interval <= now.interval && pays(c));
      if (!next) return now;
      now = next;
    }
  }

  /** Foldings of a step more with a shorter latency, by what they shorten it for their size: of the slowest few processes, or of any. */
  private shorter(now: ChosenFolding, slowest: readonly ProcessCycles[]): ChosenFolding[] {
    const worth = (c: ChosenFolding): number => (now.latency - c.latency) / Math.max(1, sizeOf(c.estimate.total) - sizeOf(now.estimate.total));
    const found: ChosenFolding[] = [];
    for (let i = 0; i < slowest.length && !found.some((c) => !this.missing(c)); i += most.processes) {
      const tried = slowest.slice(i, i + most.processes).flatMap(({ name }) => {
        const raised = this.raised(now, name);
        return [...raised.filter((r) => !this.missing(r)).slice(0, most.steps), ...raised.filter((r) => this.missing(r)).slice(0, 1)];
      });
      found.push(...[...new Set(tried)].filter((c) => c.latency < now.latency).sort((a, b) => worth(b) - worth(a)));
    }
    return found;
  }

  /** The foldings of a kernel that do more at once: for every PE with the least SIMD, and no more than a step of SIMD or PE needs. */
  private larger(k: Foldable, folding: Folding): [string, Folding][] {
    const { pe, simd, cores } = folding;
    const after = (list: readonly number[], n: number): number => list.find((x) => x > n) ?? Infinity;
    const limit = Math.min(mostCopies, Math.max(...[after(k.pe, pe) * simd, pe * after(k.simd, simd)].filter(Number.isFinite)));
    const more = coreSteps.find((n) => n > (cores ?? Infinity));
    return [...(more === undefined ? [] : [[k.name, { ...folding, cores: more }] satisfies [string, Folding]]), ...k.pe.flatMap((p) => {
      const s = after(k.simd, (pe * simd) / p);
      return p * s <= limit ? [[k.name, { ...folding, pe: p, simd: s }] satisfies [string, Folding]] : [];
    })];
  }

  /** Every kernel as small as `isKept` allows, the largest first. */
  private relaxed(found: ChosenFolding, isKept: (c: ChosenFolding) => boolean): ChosenFolding {
    let now = found;
    const own = (k: Foldable): number => now.folding[k.name].pe * now.folding[k.name].simd;
    for (const k of [...this.free].sort((a, b) => own(b) - own(a))) {
      for (const which of ['pe', 'simd', 'cores'] as const) {
        for (;;) {
          const folding = now.folding[k.name];
          const less = [...(which === 'cores' ? coreSteps : k[which])].reverse().find((n) => n < (folding[which] ?? 0));
          if (less === undefined) break;
          const next = this.of({ ...now.folding, [k.name]: { ...folding, [which]: less } });
          if (!next || sizeOf(next.estimate.total) >= sizeOf(now.estimate.total) || this.missing(next) || !isKept(next)) break;
          now = next;
        }
      }
    }
    return now;
  }

  // ---- Refusals ----------------------------------------------------------------------------------------------------

  private refuseAll(now: ChosenFolding, kind: Kind): never {
    const largest = [...now.estimate.processes].sort((a, b) => b[kind] - a[kind])[0];
    const takes = now.estimate.total[kind];
    fail('fabric/does-not-fit', largest.name, `the smallest circuit takes ${number(takes)} ${resourceNames[kind]}, and there is room for ${number(this.part[kind]!)}: ${number(takes - this.part[kind]!)} too many`,
      `${largest.name} alone takes ${number(largest[kind])}.`, 'Take a larger part, or a network with fewer or narrower weights.');
  }

  private refuse(now: ChosenFolding, tooLarge: ChosenFolding): never {
    const kind = this.missing(tooLarge)!;
    const kernel = this.kernels.find((k) => JSON.stringify(now.folding[k.name]) !== JSON.stringify(tooLarge.folding[k.name]))!.name;
    const text = ({ pe, simd, cores }: Folding): string => (cores === undefined ? `PE ${pe} and SIMD ${simd}` : `PE ${pe}, SIMD ${simd} and ${cores} float ${cores === 1 ? 'core' : 'cores'} of a kind`);
    fail('fabric/does-not-fit', kernel, `${this.goalText()} it needs ${text(tooLarge.folding[kernel])} at least, with which the circuit takes ${number(tooLarge.estimate.total[kind])} ${resourceNames[kind]}, and there is room for ${number(this.part[kind]!)}`,
      `With ${text(now.folding[kernel])} it fits, at ${this.reached(now)}.`, `That folding is ${foldingText(now.folding)}.`);
  }

  private unreachable(now: ChosenFolding, slowest: string): never {
    const { cycles } = now.cycles.find((c) => c.name === slowest)!;
    fail('fabric/goal', slowest, `${this.goalText()} it would have to take less than its ${number(cycles)} cycles, and no folding that synthesis takes makes it faster`, `The circuit reaches ${this.reached(now)}.`, 'Ask for less, or take a higher clock.');
  }

  private goalText(): string {
    const { latency, interval } = this.goal;
    return `for ${[...(interval === undefined ? [] : [`an image every ${number(interval)} cycles`]), ...(latency === undefined ? [] : [`a latency of ${number(latency)} cycles`])].join(' and ')}`;
  }

  private reached(now: ChosenFolding): string {
    return `an image every ${number(now.interval)} cycles and a latency of ${number(now.latency + this.outside)}`;
  }
}

/** As a folding file has it. */
export function foldingText(folding: Readonly<Record<string, Folding>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(folding).filter(([, f]) => f.pe > 1 || f.simd > 1 || f.cores !== undefined || f.process !== undefined)));
}
