/**
 * Pipelines: every innermost rolled loop starts an iteration each `initiationInterval` cycles, as few as its sums, the words of its
 * streams and the ports of its memories allow; and into how many banks each array is cut, so that what an iteration touches lies in as many.
 */
import { fail } from '../../ir/diagnostic.js';
import type { Ranges } from '../../ir/indexing.js';
import type { Expr, Index, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { moved } from '../../ir/traffic.js';
import { dependsOn, walkExpr } from '../../ir/walk.js';
import { mostBanks } from '../../targets/fpga.js';
import { coresFor, coreUses, latencyOf, sharedInterval } from './cores.js';
import { romsOf, type RomKind } from './memory.js';
import { portInterval } from './ports.js';

export const isRolled = (s: Stmt): s is LoopStmt => s.kind === 'loop' && s.mode !== 'unrolled';

/** True where a body has a loop that is not unrolled. */
export function hasRolled(body: readonly Stmt[]): boolean {
  return body.some((s) => (s.kind === 'loop' || s.kind === 'if') && (isRolled(s) || hasRolled(s.body)));
}

/** A rolled loop and those that are all of another's body, down to the innermost: one pipeline. Undefined where there is more. */
export function perfectNest(loop: LoopStmt): LoopStmt[] | undefined {
  if (!hasRolled(loop.body)) return [loop];
  const [only] = loop.body;
  if (loop.body.length !== 1 || only.kind !== 'loop' || !isRolled(only)) return undefined;
  const inner = perfectNest(only);
  return inner && [loop, ...inner];
}

/** Elements of the words of the streams that carry a tensor, or of what a port to memory moves of it in a cycle. */
export type StreamLanes = ReadonlyMap<string, readonly number[]>;

/**
 * A scheduled kernel with its innermost rolled loops pipelined and its arrays in banks. `streams`: what it reads and writes as words,
 * in memory outside too; `memories`: where all constants lie; `most`: cores of a kind, which its operations share, undefined where they
 * share nothing.
 */
export function pipelined(kernel: Kernel, program: Program, streams: StreamLanes, { memories, most }: { readonly memories?: RomKind; readonly most?: number } = {}): Kernel {
  const scheduled = kernel.scheduled!;
  const banks = new Map<string, number>();
  const steps: string[] = [];
  const count = (body: readonly Stmt[]): void => {
    for (const s of body) {
      if (s.kind === 'if' || (isRolled(s) && hasRolled(s.body))) count(s.body);
      else if (isRolled(s)) for (const [array, n] of accessesOf(s.body, streams)) banks.set(array, scheduled.banks?.[array] ?? Math.max(banks.get(array) ?? 1, Math.min(n, sizeOf(array, kernel, program))));
    }
  };
  count(scheduled.body);
  const visit = (body: readonly Stmt[], ranges: Ranges): Stmt[] =>
    body.map((s): Stmt => {
      if (s.kind === 'if') return { ...s, body: visit(s.body, ranges) };
      if (!isRolled(s)) return s;
      const inner = new Map(ranges).set(s.axis, [s.start, s.start + s.extent - 1]);
      if (hasRolled(s.body)) return { ...s, body: visit(s.body, inner) };
      const initiationInterval = Math.max(intervalOf(s), wordsMoved(s.body, streams), portInterval(s.body, kernel, program, streams, banks, inner), most === undefined ? 1 : sharedInterval(coreUses(s.body, kernel, program), most));
      steps.push(`pipeline ${s.axis} every ${initiationInterval}`);
      return { ...s, mode: 'pipeline', initiationInterval };
    });
  const body = visit(scheduled.body, new Map());
  for (const [array, n] of banks) {
    if (n > mostBanks) fail('schedule/illegal', kernel.name, `it touches ${n} elements of ${array} at once, and synthesis cuts an array into ${mostBanks} at most`, 'Fold it more: a smaller PE or SIMD.');
  }
  const sorted = <T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const cut = sorted(banks).filter(([, n]) => n > 1);
  const roms = sorted(romsOf(body, program, banks, memories));
  steps.push(...cut.map(([array, n]) => `partition ${array} by ${n}`), ...roms.map(([array, rom]) => `memory ${array} ${rom.text}`));
  const cores = most === undefined ? {} : coresFor({ ...kernel, scheduled: { ...scheduled, body } }, program, most);
  const shared = Object.entries(cores);
  if (shared.length > 0) steps.push(`share cores ${shared.map(([core, n]) => `${core} ${n}`).join(', ')}`);
  return {
    ...kernel,
    scheduled: {
      ...scheduled, body, ...(shared.length > 0 ? { cores } : {}), steps: [...scheduled.steps, ...steps],
      ...(cut.length > 0 ? { banks: Object.fromEntries(cut) } : {}),
      ...(roms.length > 0 ? { memories: Object.fromEntries(roms.map(([array, rom]) => [array, rom.kind])) } : {}),
    },
  };
}

function sizeOf(array: string, kernel: Kernel, program: Program): number {
  const local = kernel.scheduled!.locals.find((l) => l.name === array);
  return (local ? local.shape : program.tensors[array].shape).reduce((a, b) => a * b, 1);
}

/**
 * How many elements of each array one iteration reads or writes, whichever are more, by the unrolled loops that an address depends on:
 * a memory has a port for each.
 */
function accessesOf(body: readonly Stmt[], streams: StreamLanes): Map<string, number> {
  const found = { read: new Map<string, Map<string, number>>(), written: new Map<string, Map<string, number>>() };
  const visit = (list: readonly Stmt[], unrolled: readonly LoopStmt[]): void => {
    const add = (how: 'read' | 'written', array: string, at: readonly Index[]): void => {
      if (streams.has(array)) return;
      const copies = unrolled.filter((l) => at.some((i) => dependsOn(i, l.axis))).reduce((n, l) => n * l.extent, 1);
      const sites = found[how].get(array) ?? new Map<string, number>();
      sites.set(JSON.stringify(at), copies);
      found[how].set(array, sites);
    };
    const read = (e: Expr): void => walkExpr(e, {
      expr: (x) => {
        if (x.op === 'load') add('read', x.tensor, x.at);
        if (x.op === 'local') add('read', x.name, x.at);
      },
    });
    for (const s of list) {
      if (s.kind === 'loop') visit(s.body, [...unrolled, s]);
      else if (s.kind === 'if') visit(s.body, unrolled);
      else {
        read(s.value);
        if (s.kind === 'set') add('written', s.name, s.at);
        if (s.kind === 'store') add('written', s.tensor, s.at);
      }
    }
  };
  visit(body, []);
  const most = new Map<string, number>();
  for (const [array, sites] of [...found.read, ...found.written]) most.set(array, Math.max(most.get(array) ?? 0, [...sites.values()].reduce((a, b) => a + b, 0)));
  return most;
}

/** The most words that an iteration moves through one stream, whether or not a condition holds: each takes a cycle. At least 1. */
export function wordsMoved(body: readonly Stmt[], streams: StreamLanes): number {
  const words = new Map<string, number>();
  const visit = (list: readonly Stmt[], copies: number): void => {
    for (const s of list) {
      if (s.kind === 'loop') visit(s.body, copies * s.extent);
      else if (s.kind === 'if') visit(s.body, copies);
      else {
        const tensor = moved(s)?.tensor;
        (tensor === undefined ? [] : (streams.get(tensor) ?? [])).forEach((n, i) => words.set(`${tensor} ${i}`, (words.get(`${tensor} ${i}`) ?? 0) + Math.ceil(copies / n)));
      }
    }
  };
  visit(body, 1);
  return Math.max(1, ...words.values());
}

/** Cycles from one iteration to the next: a float sum waits for its own last value, unless others come between. */
function intervalOf(loop: LoopStmt): number {
  let interval = 1;
  const visit = (list: readonly Stmt[], lets: ReadonlyMap<string, Expr>): void => {
    const bound = new Map(lets);
    for (const s of list) {
      if (s.kind === 'loop' || s.kind === 'if') visit(s.body, bound);
      else if (s.kind === 'let') bound.set(s.name, s.value);
      else if (s.kind === 'set') {
        const latency = chainOf(s.value, s.name, bound);
        if (latency === undefined) continue;
        const distance = s.at.some((i) => dependsOn(i, loop.axis)) ? loop.extent : 1;
        interval = Math.max(interval, Math.ceil(latency / distance));
      }
    }
  };
  visit(loop.body, new Map());
  return interval;
}

/** Cycles from reading a local to a value made of it; undefined where it is not read. */
function chainOf(e: Expr, local: string, lets: ReadonlyMap<string, Expr>): number | undefined {
  if (e.op === 'local' && e.name === local) return 0;
  if (e.op === 'ref') {
    const value = lets.get(e.name);
    return value && chainOf(value, local, lets);
  }
  const operands = 'cond' in e ? [e.cond, e.a, e.b] : 'b' in e ? [e.a, e.b] : 'a' in e ? [e.a] : [];
  const chains = operands.flatMap((x) => chainOf(x, local, lets) ?? []);
  return chains.length === 0 ? undefined : Math.max(...chains) + latencyOf(e);
}
