/**
 * Cores that operations share: how many of each kind the pipelines of a kernel need when they start an iteration every so many
 * cycles, and how long operations then wait for one. A core takes new operands every cycle, so one serves as many operations of an
 * iteration as there are cycles between two of them. Synthesis is asked for these numbers by a pragma (emit/hls/process.ts).
 */
import { coreNames, type Expr, type Core, type Kernel, type Program, type Stmt } from '../../ir/program.js';
import { latencies } from '../../targets/fpga.js';
import { ValueReader } from './values.js';

export type CoreCounts = ReadonlyMap<Core, number>;

/** The kind of core that does an operation, if one does. */
export function coreOf(e: Expr): Core | undefined {
  if (e.op === 'mulLow' || e.op === 'mulHigh') return 'product';
  const op = e.op === 'sub' ? 'add' : e.op;
  return 'type' in e && e.type === 'float32' ? coreNames.find((c) => c === op) : undefined;
}

/** Operations by kind of core in statements without rolled loops. */
export function coreUses(body: readonly Stmt[], kernel: Kernel, program: Program): CoreCounts {
  const uses = new Map<Core, number>();
  new ValueReader(program, kernel, {
    operation: (e, _value, _operands, copies) => {
      const core = coreOf(e);
      if (core) uses.set(core, (uses.get(core) ?? 0) + copies);
    },
  }).read(body);
  return uses;
}

/** The least cycles from one iteration to the next at which no kind of core is needed more than `most` times. */
export function sharedInterval(uses: CoreCounts, most: number): number {
  return Math.max(1, ...[...uses.values()].map((n) => Math.ceil(n / most)));
}

/** Cores of each kind for a kernel whose loops are pipelined; statements outside of them take `most` at once. */
export function coresFor(kernel: Kernel, program: Program, most: number): Partial<Record<Core, number>> {
  const found = new Map<Core, number>();
  const nest: { readonly interval?: number; readonly uses: Map<Core, number> }[] = [{ uses: new Map() }];
  const leave = (): void => {
    const { interval, uses } = nest.pop()!;
    for (const [core, n] of uses) found.set(core, Math.max(found.get(core) ?? 1, Math.min(most, Math.ceil(n / (interval ?? 1)))));
  };
  new ValueReader(program, kernel, {
    operation: (e, _value, _operands, copies) => {
      const core = coreOf(e);
      const { uses } = nest[nest.length - 1];
      if (core) uses.set(core, (uses.get(core) ?? 0) + copies);
    },
    enter: (loop) => void nest.push({ interval: loop.initiationInterval, uses: new Map() }),
    leave,
  }).read(kernel.scheduled!.body);
  leave();
  return Object.fromEntries(coreNames.flatMap((c) => (found.has(c) ? [[c, found.get(c)!]] : [])));
}

/**
 * Cycles that an iteration takes longer because its operations wait for cores: they are placed in their order, each where its core is
 * free in all iterations that run at once. None where the kernel shares nothing.
 */
export function waitingForCores(body: readonly Stmt[], kernel: Kernel, program: Program): number {
  const { cores } = kernel.scheduled!;
  if (!cores) return 0;
  const found = known.get(body);
  if (found !== undefined) return found;
  const uses = coreUses(body, kernel, program);
  const interval = Math.max(1, ...[...uses].map(([core, n]) => Math.ceil(n / (cores[core] ?? n))));
  const waits = interval === 1 ? 0 : endOf(body, kernel, program, cores, interval) - endOf(body, kernel, program, {}, interval);
  known.set(body, waits);
  return waits;
}

/** By statements, which a kernel owns. */
const known = new WeakMap<readonly Stmt[], number>();

/** The cycle in which the last operation is done. */
function endOf(body: readonly Stmt[], kernel: Kernel, program: Program, cores: Readonly<Partial<Record<Core, number>>>, interval: number): number {
  const times = new Map<string, number>();
  const locals = new Map<string, number>();
  const taken = new Map<Core, number[]>();
  let end = 0;
  const place = (core: Core, ready: number): number => {
    const most = cores[core];
    if (most === undefined) return ready;
    const slots = taken.get(core) ?? Array.from({ length: interval }, () => 0);
    taken.set(core, slots);
    let t = ready;
    while (slots[t % interval] >= most && t < ready + interval) t++;
    slots[t % interval]++;
    return t;
  };
  new ValueReader(program, kernel, {
    operation: (e, value, operands, copies) => {
      let time = e.op === 'local' ? (locals.get(e.name) ?? 0) : Math.max(0, ...operands.map((o) => times.get(o.key) ?? 0));
      const core = coreOf(e);
      if (core) {
        const ready = time;
        for (let i = 0; i < copies; i++) time = Math.max(time, place(core, ready));
      }
      // A product that stands alone is in time with the integers around it.
      time += core === 'product' && cores.product !== undefined ? latencies.mul : latencyOf(e);
      times.set(value.key, time);
      end = Math.max(end, time);
    },
    set: (local, value) => void locals.set(local, times.get(value.key) ?? 0),
  }).read(body);
  return end;
}

/** Cycles of one operation at about 100 MHz; integer operations of usual widths fit one cycle together. */
export function latencyOf(e: Expr): number {
  if (!('type' in e)) return 0;
  if (e.op === 'convert') return e.type === 'float32' ? latencies.convert : 0;
  if (e.type !== 'float32') return 0;
  switch (e.op) {
    case 'add': case 'sub': return latencies.add;
    case 'mul': return latencies.mul;
    case 'div': return latencies.div;
    case 'sqrt': return latencies.sqrt;
    case 'min': case 'max': case 'floor': case 'nearest': return latencies.compare;
    default: return 0;
  }
}
