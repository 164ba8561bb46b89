/**
 * The folding of a circuit, chosen: the smallest that meets a latency or an interval, or the one with the smallest interval that fits
 * a part. As FINN does for a target of images a second: from everything one by one, the slowest process gets more at once until the
 * goal is met; then every kernel gives back what the goal does not need. Estimates decide (resources.ts, cycles.ts), and
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
import type { Folding } from './kernel.js';
import { lutsPerBlock } from './memory.js';
import type { OperatorOptions, PartResources, Usage } from './operators.js';
import type { Processes } from './prepare.js';
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
  const found: Found = { known: new Map(), drafts: new Map() };
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
  return new Search(prepared, part, {}, options, { known: new Map(), drafts: new Map() }, { ...Object.fromEntries(layers), ...named }).completed();
}

/** True where a sum goes over constants. */
function hasWeights(kernel: Kernel, program: Program): boolean {
  let found = false;
  for (const { update } of kernel.accumulators) {
    walkExpr(update, { expr: (e) => { if (e.op === 'load' && program.buffers[program.tensors[e.tensor].buffer].role === 'constant') found = true; } });
  }
  return found;
}

/** What foldings give, by PE and SIMD of all kernels, and the kernels they are made of. */
interface Found {
  readonly known: Map<string, ChosenFolding | undefined>;
  readonly drafts: Map<string, Kernel>;
}

/** What a folding gives. `drafts`: kernels of earlier evaluations of the same processes. */
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

class Search {
  private readonly found: Found;
  private readonly prepared: Processes;
  private readonly part: PartResources;
  private readonly goal: FoldingGoal;
  private readonly options: EvaluationOptions;
  private readonly kernels: readonly Foldable[];
  private readonly named: Readonly<Record<string, Folding>>;
  /** By process: the kernels that make it faster, its own and those that send to it. */
  private readonly levers: ReadonlyMap<string, readonly Foldable[]>;

  constructor(prepared: Processes, part: PartResources, goal: FoldingGoal, options: EvaluationOptions, found: Found, named: Readonly<Record<string, Folding>> = {}) {
    this.found = found;
    this.prepared = prepared;
    this.part = part;
    this.goal = goal;
    this.options = options;
    this.kernels = foldables(prepared);
    this.named = named;
    const program = { ...prepared.unit.program, dataflow: { processes: prepared.processes, streams: [] } };
    const own = new Map(processesOf(program).map((p) => [p.name, kernelsOf(p.body).flatMap((k) => this.free.find((f) => f.name === k.name) ?? [])]));
    this.levers = new Map([...own].map(([name, list]) => {
      const senders = [...prepared.streams].flatMap(([tensor, to]) => (to.includes(name) ? (own.get(writerOf(program, tensor)) ?? []) : []));
      const readers = list.length > 0 ? [] : [...prepared.streams].flatMap(([tensor, to]) => (writerOf(program, tensor) === name ? to.flatMap((r) => own.get(r) ?? []) : []));
      return [name, [...list, ...senders, ...readers]];
    }));
  }

  /** The kernels that the search folds. */
  private get free(): readonly Foldable[] {
    return this.kernels.filter((k) => !Object.hasOwn(this.named, k.name));
  }

  private of(folding: Readonly<Record<string, Folding>>): ChosenFolding | undefined {
    const key = JSON.stringify(this.kernels.map((k) => [folding[k.name].pe, folding[k.name].simd]));
    const { known, drafts } = this.found;
    if (!known.has(key)) known.set(key, this.legal(() => evaluateFolding(this.prepared, folding, this.options, drafts)));
    return known.get(key);
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

  /** All one by one; refused where even that does not fit. */
  private smallest(): ChosenFolding {
    const least = this.of(Object.fromEntries(this.kernels.map((k) => [k.name, { pe: 1, simd: 1 }])))!;
    const kind = this.missing(least);
    return kind ? this.refuseAll(least, kind) : least;
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
      const [slowest] = [...now.cycles].sort((x, y) => y.cycles - x.cycles);
      next = this.raised(now, slowest.name).find((r) => !this.missing(r));
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
    const tried = (this.levers.get(process) ?? []).flatMap((k) => this.larger(k, now.folding[k.name])).flatMap(([name, folding]) => {
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
  private larger(k: Foldable, { pe, simd }: Folding): [string, Folding][] {
    const after = (list: readonly number[], n: number): number => list.find((x) => x > n) ?? Infinity;
    const limit = Math.min(mostCopies, Math.max(...[after(k.pe, pe) * simd, pe * after(k.simd, simd)].filter(Number.isFinite)));
    return k.pe.flatMap((p) => {
      const s = after(k.simd, (pe * simd) / p);
      return p * s <= limit ? [[k.name, { pe: p, simd: s }] satisfies [string, Folding]] : [];
    });
  }

  /** Every kernel as small as `isKept` allows, the largest first. */
  private relaxed(found: ChosenFolding, isKept: (c: ChosenFolding) => boolean): ChosenFolding {
    let now = found;
    const own = (k: Foldable): number => now.folding[k.name].pe * now.folding[k.name].simd;
    for (const k of [...this.free].sort((a, b) => own(b) - own(a))) {
      for (const which of ['pe', 'simd'] as const) {
        for (;;) {
          const { pe, simd } = now.folding[k.name];
          const less = [...k[which]].reverse().find((n) => n < (which === 'pe' ? pe : simd));
          if (less === undefined) break;
          const next = this.of({ ...now.folding, [k.name]: which === 'pe' ? { pe: less, simd } : { pe, simd: less } });
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
    const text = ({ pe, simd }: Folding): string => `PE ${pe} and SIMD ${simd}`;
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
  return JSON.stringify(Object.fromEntries(Object.entries(folding).filter(([, f]) => f.pe > 1 || f.simd > 1)));
}
