/**
 * Line buffers: a kernel that reads windows of a tensor keeps the rows that the window still covers, takes one place of the
 * stream after the other, and computes where a window has come to its end. Zeros around the edge are written like data.
 *
 * A window over no dimension is a place by itself (1x1 convolutions), and of a tensor without places a vector (dense layers).
 * Buffers that are filled while the window before is computed are in ahead.ts.
 */
import { axis as axisIndex, constant, rem, sum, times } from '../../ir/build.js';
import { fail } from '../../ir/diagnostic.js';
import { mapExpr } from '../../ir/indexing.js';
import type { Condition, Expr, Index, Kernel, Local, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { loadsOf } from '../fuse.js';
import { plainAxis, spaceOrder, streamOrder } from './order.js';
import { hasRolled } from './pipeline.js';

/** One dimension of a window: place = stride * axis + reach of the reduction - before. */
export interface Side {
  readonly dim: number;
  readonly axis: string;
  readonly extent: number;
  readonly stride: number;
  readonly before: number;
  /** The last place of a window less its first. */
  readonly reach: number;
  /** Places in all, padding included; what no window covers is taken too. */
  readonly places: number;
}

export interface Window {
  readonly tensor: string;
  /** Slowest first; all dimensions that are neither images nor channels. */
  readonly sides: readonly Side[];
  /** The axis of the images, if it has more than one. */
  readonly images?: string;
  /** The dimension of the channels. */
  readonly channels: number;
  /** Dimensions of which one window covers all, slowest first: then of all that are neither images nor channels (vector.ts). */
  readonly whole: readonly number[];
  /** What lies around the edge. */
  readonly otherwise?: Expr;
}

/** How a kernel's loads of a tensor are windows: at one place each, or over a reduction; undefined where they are not. */
export function windowOf(kernel: Kernel, tensor: string, program: Program): Window | undefined {
  const loads = loadsOf(kernel).filter((l) => l.tensor === tensor);
  const [first] = loads;
  const { shape } = program.tensors[tensor];
  const order = spaceOrder(kernel);
  if (!order || !first || shape.length < 2 || kernel.op === 'store') return undefined;
  const dims = streamOrder(shape.length);
  const channels = dims[dims.length - 1];
  const images = plainAxis(first.at[0], kernel.space);
  if (images === undefined || (images === '' && shape[0] !== 1) || (images !== '' && extentOf(images, kernel) !== shape[0])) return undefined;
  const sides: Side[] = [];
  const whole: number[] = [];
  for (const dim of dims.slice(1, -1)) {
    const side = sideOf(loads.map((l) => l.at[dim]), dim, kernel, shape[dim]);
    if (side) sides.push(side);
    else if (loads.every((l) => !l.guard && isWhole(l.at[dim], kernel))) whole.push(dim);
    else return undefined;
  }
  if (whole.length > 0 && sides.length > 0) return undefined;
  const taken = new Set([images, ...sides.map((s) => s.axis)]);
  if (taken.size !== sides.length + 1) return undefined;
  // The window's own loops are outermost, in the order of the stream.
  const outer = order.filter((a) => extentOf(a, kernel) > 1);
  const wanted = [...taken].filter((a) => a !== '' && extentOf(a, kernel) > 1);
  if (wanted.some((a, i) => outer[i] !== a)) return undefined;
  const around = JSON.stringify(loads.find((l) => l.guard)?.otherwise);
  for (const l of loads) {
    if (plainAxis(l.at[0], kernel.space) !== images) return undefined;
    if (l.at[channels].terms.some((t) => typeof t.of !== 'string' && 'value' in t.of) || [...taken].some((a) => a !== '' && mentionsAxis(l.at[channels], a))) return undefined;
    if ((l.guard ?? []).some((c) => !sides.some((s) => guards(c, l.at[s.dim], shape[s.dim])))) return undefined;
    if (l.guard && (JSON.stringify(l.otherwise) !== around || (l.otherwise!.op !== 'int' && l.otherwise!.op !== 'float'))) return undefined;
  }
  const padded = sides.some((s) => s.before > 0 || s.stride * (s.extent - 1) + s.reach - s.before >= shape[s.dim]);
  const otherwise = loads.find((l) => l.guard)?.otherwise;
  if (padded && !otherwise) return undefined;
  return { tensor, sides, channels, whole, ...(images !== '' && shape[0] > 1 ? { images } : {}), ...(padded ? { otherwise } : {}) };
}

/** True where an index is the same at all places of a kernel's space. */
function isWhole({ terms }: Index, kernel: Kernel): boolean {
  return terms.every(({ of }) => typeof of === 'string' && extentOf(of, kernel) === 1);
}

function extentOf(name: string, kernel: Kernel): number {
  return kernel.space.find((a) => a.name === name)?.extent ?? 1;
}

function mentionsAxis(i: Index, name: string): boolean {
  return JSON.stringify(i).includes(JSON.stringify(name));
}

function guards(c: Condition, at: Index, extent: number): boolean {
  return c.lo === 0 && c.hi === extent && JSON.stringify(c.index) === JSON.stringify(at);
}

/** One dimension of all loads: stride * axis + what reductions and the loads' own offsets add. */
function sideOf(indices: readonly Index[], dim: number, kernel: Kernel, size: number): Side | undefined {
  let found: { axis: string; stride: number } | undefined;
  let [first, last] = [Infinity, -Infinity];
  for (const { offset, terms } of indices) {
    let reach = 0;
    let own: typeof found;
    for (const { coeff, of } of terms) {
      if (typeof of !== 'string' || coeff < 1) return undefined;
      const reduced = kernel.reduce.find((a) => a.name === of);
      if (reduced) reach += coeff * (reduced.extent - 1);
      else if (own || extentOf(of, kernel) === 1) return undefined;
      else own = { axis: of, stride: coeff };
    }
    if (!own || (found && (found.axis !== own.axis || found.stride !== own.stride))) return undefined;
    found = own;
    first = Math.min(first, offset);
    last = Math.max(last, offset + reach);
  }
  // A window that begins behind its place takes what lies before with it.
  first = Math.min(first, 0);
  if (!found) return undefined;
  const extent = extentOf(found.axis, kernel);
  return { dim, ...found, extent, before: -first, reach: last - first, places: Math.max(size - first, found.stride * (extent - 1) + last - first + 1) };
}

/** True where windows of two tensors cover the same places at the same time, so that one pass can take both. */
export function alike(a: Window, b: Window): boolean {
  return a.images === b.images && JSON.stringify(a.sides) === JSON.stringify(b.sides);
}

const placeOf = (s: Side): string => `${s.axis}.at`;

/** A body with line buffers, and the locals that these are. */
export interface Filled {
  readonly body: Stmt[];
  readonly locals: Local[];
  /** When the places come that a window needs: in the steps of the window before, in its own first ones, or in loops of their own. */
  readonly filled: 'ahead' | 'along' | 'before';
  /** About. */
  readonly cycles: number;
}

/**
 * The locals that hold what windows still cover, and a scheduled body that fills them as it goes. `windows` are alike; `lanes`:
 * channels of each that come at once.
 */
export function withWindows(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): Filled {
  const [{ sides }] = windows;
  const kept = keeping(sides);
  // Inside, an axis of the window is what its place says; a load reads the kept element.
  const bind = (i: Index): Index => sides.reduce((index, s) => replaceAxis(index, s), i);
  const read = (e: Expr): Expr =>
    mapExpr(e, bind, (x) => {
      const window = x.op === 'load' ? windows.find((w) => w.tensor === x.tensor) : undefined;
      if (x.op !== 'load' || !window) return undefined;
      // The last place of the window is here: position - reach + what the reduction adds.
      const places = sides.map((s) => sum(axisIndex(placeOf(s)), -s.reach, x.at[s.dim], times(axisIndex(s.axis), -s.stride), s.before));
      return { op: 'local', name: localOf(x.tensor), at: [...places.map(kept.at), bind(x.at[window.channels])] };
    });
  const inner = mapStmts(peeled(kernel, body, windows[0]), read, bind);
  const ready = readyAt(windows[0]);
  const apart = (): Stmt[] => [...windows.flatMap((w) => take(w, kept.at, lanes.get(w.tensor) ?? 1, program)), ...(ready.length === 0 ? inner : [{ kind: 'if' as const, guard: ready, body: inner }])];
  const wordsOf = (w: Window): number => program.tensors[w.tensor].shape[w.channels] / (lanes.get(w.tensor) ?? 1);
  const [one, two] = cyclesOf(inner, windows, wordsOf, program);
  const together = one <= two ? onePipeline(kernel, inner, windows, ready, (w, word) => take(w, kept.at, lanes.get(w.tensor) ?? 1, program, word), wordsOf) : undefined;
  return {
    body: atEveryPlace(windows[0], together ?? apart(), program), locals: windows.map((w) => localFor(w, kept.extents, program)),
    filled: together ? 'along' : 'before', cycles: together ? one : two,
  };
}

/** Cycles, about: as one pipeline over all places, and with loops of their own for what is taken at a place and for what is computed there. */
function cyclesOf(inner: readonly Stmt[], windows: readonly Window[], wordsOf: (w: Window) => number, program: Program): [number, number] {
  const [{ tensor, sides, images }] = windows;
  const count = (f: (s: Side) => number): number => sides.reduce((n, s) => n * f(s), images ? program.tensors[tensor].shape[0] : 1);
  const [places, used] = [count((s) => s.places), count((s) => s.extent)];
  const steps = rolledNest(inner).nest.reduce((n, l) => n * l.extent, 1);
  return [places * steps, places * Math.max(...windows.map(wordsOf)) + used * (steps + restart)];
}

/** Where a window has come to its end. */
export function readyAt({ sides }: Window): Condition[] {
  return sides.flatMap((s): Condition[] => {
    const whole: Condition = { index: axisIndex(placeOf(s)), lo: s.reach, hi: s.reach + s.stride * (s.extent - 1) + 1 };
    const always = s.reach === 0 && whole.hi >= s.places;
    return [...(always ? [] : [whole]), ...(s.stride > 1 ? [{ index: rem(axisIndex(placeOf(s), 1, -s.reach), s.stride), lo: 0, hi: 1 }] : [])];
  });
}

/** A body for each place that the stream brings, in its order. */
export function atEveryPlace({ tensor, sides, images }: Window, body: readonly Stmt[], program: Program): Stmt[] {
  let all = [...body];
  for (const s of [...sides].reverse()) all = [{ kind: 'loop', axis: placeOf(s), start: 0, extent: s.places, mode: 'serial', body: all }];
  return images ? [{ kind: 'loop', axis: images, start: 0, extent: program.tensors[tensor].shape[0], mode: 'serial', body: all }] : all;
}

/** The index of an element of the stream at the present place. */
export function elementAt({ sides, channels, images }: Window, channel: Index, rank: number): Index[] {
  return Array.from({ length: rank }, (_, d): Index => {
    if (d === channels) return channel;
    const side = sides.find((s) => s.dim === d);
    return side ? sum(axisIndex(placeOf(side)), -side.before) : images && d === 0 ? axisIndex(images) : constant(0);
  });
}

/** A local that holds elements of a tensor. */
export function localLike(name: string, tensor: string, shape: readonly number[], program: Program): Local {
  const { dtype, range } = program.tensors[tensor];
  return { name, type: dtype, shape, ...(range && dtype !== 'float32' ? { range } : {}) };
}

export function localFor({ tensor, channels, otherwise }: Window, extents: readonly number[], program: Program): Local {
  const { dtype, shape, range } = program.tensors[tensor];
  const around = otherwise?.op === 'int' ? otherwise.value : undefined;
  const wide = range && around !== undefined ? ([Math.min(range[0], around), Math.max(range[1], around)] as const) : range;
  return { name: localOf(tensor), type: dtype, shape: [...extents, shape[channels]], ...(wide && dtype !== 'float32' ? { range: wide } : {}) };
}

export const localOf = (tensor: string): string => `${tensor}.window`;

/** True for the name of a line buffer. */
export const isWindow = (local: string): boolean => local.endsWith('.window');

/** Rings of rows; of places, where the window has one row. */
function keeping(sides: readonly Side[]): { extents: readonly number[]; at: (place: Index, i: number) => Index } {
  const isRing = sides.map((_, i) => sides.slice(0, i).every((o) => o.reach === 0));
  const extents = sides.map((s, i) => (isRing[i] ? s.reach + 1 : s.places));
  return { extents, at: (place, i) => (!isRing[i] ? place : extents[i] === 1 ? constant(0) : rem(place, extents[i])) };
}

/** The statements that take the channels of one place; with `word`, that one only. */
function take(window: Window, kept: (place: Index, i: number) => Index, lanes: number, program: Program, word?: Index): Stmt[] {
  const { tensor, sides, channels, otherwise } = window;
  const { shape } = program.tensors[tensor];
  const axis = `${tensor}.c`;
  const at = elementAt(window, lanes === shape[channels] ? axisIndex(`${axis}.i`) : sum(times(word ?? axisIndex(`${axis}.o`), lanes), `${axis}.i`), shape.length);
  const inside = sides.flatMap((s): Condition[] => (s.before > 0 || s.places > shape[s.dim] + s.before ? [{ index: axisIndex(placeOf(s)), lo: s.before, hi: shape[s.dim] + s.before }] : []));
  const keep = [...sides.map((s, i) => kept(axisIndex(placeOf(s)), i)), at[channels]];
  const set = (value: Expr): Stmt => ({ kind: 'set', name: localOf(tensor), at: keep, value });
  const one = set({ op: 'load', tensor, at });
  const body: Stmt[] = inside.length === 0 ? [one] : [...(otherwise ? [set(otherwise)] : []), { kind: 'if', guard: inside, body: [one] }];
  const lane: Stmt = { kind: 'loop', axis: `${axis}.i`, start: 0, extent: lanes, mode: 'unrolled', body };
  return [word || lanes === shape[channels] ? lane : { kind: 'loop', axis: `${axis}.o`, start: 0, extent: shape[channels] / lanes, mode: 'serial', body: [lane] }];
}

/** Cycles to begin and end a pipeline at every place, about: its depth, and entering and leaving its loop. */
export const restart = 20;

/**
 * One pipeline for all places: the words of a place are taken in the first iterations of the loops that compute, which run at every
 * place. Undefined where a word would be needed before it is taken.
 */
function onePipeline(kernel: Kernel, inner: readonly Stmt[], windows: readonly Window[], ready: readonly Condition[], takeWord: (w: Window, word: Index) => Stmt[], wordsOf: (w: Window) => number): Stmt[] | undefined {
  const { nest, leaf } = rolledNest(inner);
  // A vector is taken once; there is little to win.
  if (windows[0].sides.length === 0 || nest.length === 0 || hasRolled(leaf) || nest.some((l) => l.start !== 0)) return undefined;
  const taking: Stmt[] = [];
  for (const w of windows) {
    const turn = turnOf(w, nest, wordsOf(w), kernel);
    if (!turn) return undefined;
    const body = takeWord(w, turn.word);
    taking.push(...(turn.guard.length === 0 ? body : [{ kind: 'if' as const, guard: turn.guard, body }]));
  }
  const body: Stmt[] = [...taking, ...(ready.length === 0 ? leaf : [{ kind: 'if' as const, guard: ready, body: leaf }])];
  return nest.reduceRight<Stmt[]>((made, l) => [{ ...l, body: made }], body);
}

/** Loops that hold nothing but one another, and what the innermost holds. */
export function rolledNest(body: readonly Stmt[]): { readonly nest: LoopStmt[]; readonly leaf: readonly Stmt[] } {
  const nest: LoopStmt[] = [];
  let leaf = body;
  for (let [s] = leaf; leaf.length === 1 && s.kind === 'loop' && s.mode !== 'unrolled'; [s] = leaf) {
    nest.push(s);
    leaf = s.body;
  }
  return { nest, leaf };
}

/** In which iterations of a nest the words of a place are taken, and which; undefined where one would come too late. */
function turnOf(w: Window, nest: readonly LoopStmt[], words: number, kernel: Kernel): { readonly word: Index; readonly guard: Condition[] } | undefined {
  const { at } = loadsOf(kernel).find((l) => l.tensor === w.tensor)!;
  const first = (loops: readonly LoopStmt[]): Condition[] => loops.filter((l) => l.extent > 1).map((l) => ({ index: axisIndex(l.axis), lo: 0, hi: 1 }));
  // With the loop over the channels, each when its own turn comes.
  const channel = plainAxis(at[w.channels], [...kernel.space, ...kernel.reduce]);
  const own = nest.find((l) => l.axis === channel || l.axis === `${channel}.o`);
  if (own && own.extent >= words) return { word: axisIndex(own.axis), guard: [...first(nest.filter((l) => l !== own)), ...(own.extent > words ? [{ index: axisIndex(own.axis), lo: 0, hi: words }] : [])] };
  if (words === 1) return { word: constant(0), guard: first(nest) };
  // In the first iterations, as long as these read places that came before.
  let from = nest.length;
  let [word, extent, inner] = [constant(0), 1, 1];
  while (extent < words && from > 0) {
    const l = nest[--from];
    word = sum(word, times(l.axis, extent));
    inner = extent;
    extent *= l.extent;
  }
  const isBefore = w.sides.some((s) => s.reach > 0 && at[s.dim].terms.some((t) => typeof t.of === 'string' && t.of !== s.axis && nest.slice(0, from).some((l) => l.extent > 1 && (l.axis === t.of || l.axis === `${t.of as string}.o`))));
  // The outermost of these loops ends the words, so that bounds are proved by it alone.
  if (extent < words || !isBefore || words % inner !== 0) return undefined;
  return { word, guard: [...first(nest.slice(0, from)), ...(extent > words ? [{ index: axisIndex(nest[from].axis), lo: 0, hi: words / inner }] : [])] };
}

/** What is inside the loops that the window takes over, and those of one iteration. */
export function peeled(kernel: Kernel, body: readonly Stmt[], { sides, images }: Window): readonly Stmt[] {
  const own = new Set([...sides.map((s) => s.axis), ...(images ? [images] : [])]);
  let inner = body;
  while (own.size > 0) {
    const [loop] = inner;
    if (inner.length !== 1 || loop.kind !== 'loop' || (!own.has(loop.axis) && loop.extent !== 1)) fail('schedule/illegal', kernel.name, 'a line buffer needs the loops of its window outermost');
    own.delete(loop.axis);
    inner = loop.body;
  }
  return inner;
}

/** Where a place ends a window, axis * stride = place - reach. */
export function replaceAxis(index: Index, s: Side): Index {
  const terms = index.terms.map((t): Index => {
    if (t.of === s.axis) {
      const at = axisIndex(placeOf(s), 1, -s.reach);
      if (t.coeff % s.stride === 0) return times(at, t.coeff / s.stride);
      return { offset: 0, terms: [{ coeff: t.coeff, of: { div: at, by: s.stride } }] };
    }
    if (typeof t.of === 'string') return { offset: 0, terms: [t] };
    if ('div' in t.of) return { offset: 0, terms: [{ coeff: t.coeff, of: { div: replaceAxis(t.of.div, s), by: t.of.by } }] };
    if ('rem' in t.of) return { offset: 0, terms: [{ coeff: t.coeff, of: { rem: replaceAxis(t.of.rem, s), by: t.of.by } }] };
    return { offset: 0, terms: [{ coeff: t.coeff, of: { ...t.of, value: mapExpr(t.of.value, (i) => replaceAxis(i, s)) } }] };
  });
  return sum(index.offset, ...terms);
}

/** The same statements with other expressions and indices. */
export function mapStmts(body: readonly Stmt[], expr: (e: Expr) => Expr, index: (i: Index) => Index): Stmt[] {
  return body.map((s): Stmt => {
    switch (s.kind) {
      case 'loop': return { ...s, body: mapStmts(s.body, expr, index) };
      case 'if': return { ...s, guard: s.guard.map((c) => ({ ...c, index: index(c.index) })), body: mapStmts(s.body, expr, index) };
      case 'let': return { ...s, value: expr(s.value) };
      case 'set': return { ...s, at: s.at.map(index), value: expr(s.value) };
      case 'store': return { ...s, at: s.at.map(index), value: expr(s.value), ...(s.guard ? { guard: s.guard.map((c) => ({ ...c, index: index(c.index) })) } : {}) };
    }
  });
}
