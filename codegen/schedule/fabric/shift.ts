/**
 * Windows whose places are read side by side: they lie in registers that move on by a place, so that each register is one and the same
 * place of the window. From the line buffer comes one place at a time. A memory that is cut into banks would not do: which bank has
 * which place changes with every place, and a synthesis tool then counts every read for every bank.
 */
import { axis as axisIndex, constant, sum } from '../../ir/build.js';
import { interval, mapExpr, simplify } from '../../ir/indexing.js';
import type { Condition, Expr, Index, Kernel, Local, LoopStmt, Stmt } from '../../ir/program.js';
import { dependsOn, walkStmts } from '../../ir/walk.js';
import { hasRolled } from './pipeline.js';
import { rolledNest } from './window.js';

/** A circuit's kernel with such windows in registers; the kernel itself where it has none. */
export function shifted(kernel: Kernel, isWindow: (local: string) => boolean): Kernel {
  const { scheduled } = kernel;
  const rolled = rolledNest(scheduled!.body);
  const { nest } = rolled;
  let { leaf } = rolled;
  if (nest.length === 0 || hasRolled(leaf)) return kernel;
  let locals = scheduled!.locals;
  const banks: Record<string, number> = {};
  const steps: string[] = [];
  for (const window of locals.filter((l) => isWindow(l.name))) {
    const made = registersFor(window, nest, leaf);
    if (!made) continue;
    leaf = made.body;
    locals = [...locals, made.local];
    banks[made.local.name] = made.atOnce;
    steps.push(`shift ${window.name} by ${made.places} places`);
  }
  if (steps.length === 0) return kernel;
  const body = nest.reduceRight<Stmt[]>((inner, l) => [{ ...l, body: inner }], [...leaf]);
  return { ...kernel, scheduled: { ...scheduled!, body, locals, steps: [...scheduled!.steps, ...steps], banks: { ...scheduled!.banks, ...banks } } };
}

interface Registers {
  readonly body: readonly Stmt[];
  readonly local: Local;
  /** Places of the window, and registers that are written in one step. */
  readonly places: number;
  readonly atOnce: number;
}

/** Registers for a window, in the body of its pipeline; undefined where its places are read one by one, or not as a window is. */
function registersFor(window: Local, nest: readonly LoopStmt[], leaf: readonly Stmt[]): Registers | undefined {
  const channel = window.shape.length - 1;
  const last = leaf.reduce((found, s, i) => (writes(s, window.name) ? i : found), -1);
  const reads = readsOf(leaf, window.name);
  const kept = placeWritten(leaf, window.name);
  if (last < 0 || channel < 1 || !kept || reads.length === 0 || leaf.slice(0, last + 1).some((s) => readsOf([s], window.name).length > 0)) return undefined;
  const [newest] = axesOf(kept[channel - 1]);
  const at = nest.findIndex((l) => l.axis === newest);
  if (at < 0) return undefined;
  const inner = nest.slice(at + 1);
  const unrolled = new Map<string, readonly [number, number]>();
  walkStmts(leaf, { stmt: (s) => void (s.kind === 'loop' && unrolled.set(s.axis, [s.start, s.start + s.extent - 1])) });
  const ranges = new Map<string, readonly [number, number]>([...nest.map((l) => [l.axis, [l.start, l.start + l.extent - 1]] as const), ...unrolled]);
  const isUnrolled = (i: Index): boolean => [...unrolled.keys()].some((axis) => dependsOn(i, axis));
  const [first] = reads;
  // How far a read lies behind the newest place, at most 0; a ring of places turns with them.
  const behind = (read: readonly Index[]): Index | undefined => {
    const found = simplify(sum(argumentOf(read[channel - 1]), axisIndex(newest, -1)), ranges);
    return dependsOn(found, newest) ? undefined : found;
  };
  const reaches = reads.map(behind);
  if (reaches.some((r) => r === undefined) || !reaches.some((r) => isUnrolled(r!))) return undefined;
  const ring = ringOf(first[channel - 1]);
  const turn = (r: Index): Index => (ring === undefined ? r : simplify(sum(r, interval(r, ranges)[1] > 0 ? -ring : 0), ranges));
  const lags = reaches.map((r) => turn(r!));
  const places = 1 - Math.min(...lags.map((r) => interval(r, ranges)[0]));
  if (lags.some((r) => interval(r, ranges)[1] > 0)) return undefined;
  // The rest of an address is one for all reads, and the channels that are read at once are neighbours.
  const others = (read: readonly Index[]): string => JSON.stringify(read.slice(0, channel - 1));
  if (reads.some((r) => others(r) !== others(first) || JSON.stringify(r[channel]) !== JSON.stringify(first[channel])) || first.slice(0, channel - 1).some(isUnrolled)) return undefined;
  const [lane, group] = split(first[channel], (t) => unrolled.has(t));
  const lanes = interval(simplify(lane, ranges), ranges)[1] + 1;
  if (interval(simplify(lane, ranges), ranges)[0] < 0 || [group.offset, ...group.terms.map((t) => t.coeff)].some((n) => n % lanes !== 0)) return undefined;
  // One set of registers for each value of the loops that the rest of the address depends on.
  const keys = inner.filter((l) => l.extent > 1 && first.some((i, d) => d !== channel - 1 && dependsOn(i, l.axis)));
  const name = `${window.name}.places`;
  const key = keys.map((l) => axisIndex(l.axis, 1, -l.start));
  const register = (place: Index, r: Index): Index[] => [...key, place, r];
  const [step, r] = [`${name}.i`, `${name}.lane`];
  const set = (place: Index, value: Expr): Stmt => ({ kind: 'set', name, at: register(place, axisIndex(r)), value });
  const each = (axis: string, extent: number, body: readonly Stmt[]): Stmt => ({ kind: 'loop', axis, start: 0, extent, mode: 'unrolled', body });
  // Rows and places before the first have not come: nothing is taken from there.
  const when = (guard: readonly Condition[], body: Stmt[]): Stmt[] => (guard.length > 0 ? [{ kind: 'if', guard, body }] : body);
  const isThere = (index: Index, lo: number): Condition => ({ index, lo, hi: interval(index, ranges)[1] + 1 });
  const rows = first.slice(0, channel - 1).flatMap((i): Condition[] => (ringOf(i) === undefined ? [] : [isThere(argumentOf(i), 0)]));
  ranges.set(step, [0, places - 2]);
  const move: Stmt[] = [
    ...(places > 1 ? [each(step, places - 1, when([isThere(sum(axisIndex(newest), step), places - 1)], [each(r, lanes, [set(axisIndex(step), { op: 'local', name, at: register(axisIndex(step, 1, 1), axisIndex(r)) })])]))] : []),
    each(r, lanes, [set(constant(places - 1), { op: 'local', name: window.name, at: [...first.slice(0, channel - 1), kept[channel - 1], sum(group, axisIndex(r))] })]),
  ];
  const once: Condition[] = [...inner.filter((l) => l.extent > 1 && !keys.includes(l)).map((l) => ({ index: axisIndex(l.axis), lo: l.start, hi: l.start + 1 })), ...rows];
  const replaced = leaf.slice(last + 1).map((s) => mapReads(s, window.name, (read) => register(sum(turn(behind(read)!), places - 1), lane)));
  return {
    body: [...leaf.slice(0, last + 1), ...when(once, move), ...replaced],
    local: { name, type: window.type, shape: [...keys.map((l) => l.extent), places, lanes], ...(window.range ? { range: window.range } : {}) },
    places, atOnce: places * lanes,
  };
}

/** The ring in which a window keeps its places, if it does; and the place, whether it does or not. */
function ringOf({ offset, terms }: Index): number | undefined {
  const [t] = terms;
  return offset === 0 && terms.length === 1 && typeof t.of !== 'string' && 'rem' in t.of ? t.of.by : undefined;
}
function argumentOf(i: Index): Index {
  const [t] = i.terms;
  return ringOf(i) !== undefined && typeof t.of !== 'string' && 'rem' in t.of ? t.of.rem : i;
}

/** The parts of an index of the axes that `belongs` names, and the others with the offset. */
function split({ offset, terms }: Index, belongs: (axis: string) => boolean): [Index, Index] {
  const own = terms.filter((t) => typeof t.of === 'string' && belongs(t.of));
  return [{ offset: 0, terms: own }, { offset, terms: terms.filter((t) => !own.includes(t)) }];
}

const axesOf = ({ terms }: Index): string[] => terms.flatMap(({ of }) => (typeof of === 'string' ? [of] : 'rem' in of ? axesOf(of.rem) : 'div' in of ? axesOf(of.div) : []));

function writes(s: Stmt, local: string): boolean {
  let found = false;
  walkStmts([s], { stmt: (x) => void (found ||= x.kind === 'set' && x.name === local) });
  return found;
}

/** Where the window's elements are put as they come. */
function placeWritten(body: readonly Stmt[], local: string): readonly Index[] | undefined {
  let found: readonly Index[] | undefined;
  walkStmts(body, { stmt: (x) => void (x.kind === 'set' && x.name === local && (found = x.at)) });
  return found;
}

function readsOf(body: readonly Stmt[], local: string): (readonly Index[])[] {
  const found: (readonly Index[])[] = [];
  walkStmts(body, { expr: (e) => void (e.op === 'local' && e.name === local && found.push(e.at)) });
  return found;
}

function mapReads(s: Stmt, local: string, to: (at: readonly Index[]) => readonly Index[]): Stmt {
  const value = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'local' && x.name === local ? { ...x, name: `${local}.places`, at: to(x.at) } : undefined));
  if (s.kind === 'loop' || s.kind === 'if') return { ...s, body: s.body.map((x) => mapReads(x, local, to)) };
  return { ...s, value: value(s.value) };
}
