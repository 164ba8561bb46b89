/**
 * Line buffers that are filled ahead: while a window is computed, the places are taken that the next window needs. One pipeline over
 * all windows of an image, which takes as many cycles as they have steps; only what the first window needs is taken before.
 *
 * Where a row of windows ends, the last of them takes what the row has left and where the next row begins; with a vertical stride,
 * each window takes its share of the rows between. Other orders of the same work are in window.ts; kernel.ts takes the fastest.
 */
import { axis as axisIndex, constant, div, rem, sum, times, within } from '../../ir/build.js';
import { mapExpr } from '../../ir/indexing.js';
import type { Condition, Expr, Index, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { dependsOn, walkStmts } from '../../ir/walk.js';
import { hasRolled } from './pipeline.js';
import { localFor, localOf, mapStmts, peeled, restart, rolledNest, type Filled, type Side, type Window } from './window.js';

/** The rows of windows of an image, and what is taken in each. Places are padded: 0 is the first of the padding. */
interface Rows {
  /** Undefined where an image is one row. */
  readonly side?: Side;
  /** Rows that are kept. */
  readonly ring: number;
}

interface Plan {
  readonly rows: Rows;
  readonly side: Side;
  /** Places of a row that are kept. */
  readonly ring: number;
  /** Places that are taken along a row of windows: by each window, and by the last. */
  readonly along: number;
  readonly each: number;
  readonly last: number;
}

/**
 * The statements of a kernel whose windows are filled ahead, and the locals that hold them. `windows` are alike; `lanes`: channels of
 * each that come at once. Undefined where the steps of a window are too few to take its places.
 */
export function filledAhead(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): Filled | undefined {
  const [window] = windows;
  const { sides, images } = window;
  const inner = peeled(kernel, body, window);
  const { nest, leaf } = rolledNest(inner);
  if (sides.length < 1 || sides.length > 2 || nest.length === 0 || hasRolled(leaf) || nest.some((l) => l.start !== 0)) return undefined;
  const steps = nest.reduce((n, l) => n * l.extent, 1);
  // Places that are read side by side come from registers that move on with the places, which this order has not.
  const unrolled = new Set<string>();
  walkStmts(leaf, { stmt: (s) => { if (s.kind === 'loop') unrolled.add(s.axis); } });
  let isSideBySide = false;
  const isPlace = (d: number): boolean => sides.some((s) => s.dim === d);
  walkStmts(leaf, { expr: (e) => {
    if (e.op === 'load' && windows.some((w) => w.tensor === e.tensor)) isSideBySide ||= e.at.some((i, d) => isPlace(d) && [...unrolled].some((axis) => dependsOn(i, axis)));
  } });
  if (isSideBySide) return undefined;
  const wordsOf = (w: Window): number => program.tensors[w.tensor].shape[w.channels] / (lanes.get(w.tensor) ?? 1);
  const most = Math.max(...windows.map(wordsOf));
  const plan = planOf(sides, Math.floor(steps / most));
  if (!plan) return undefined;
  const { side, rows } = plan;

  const keep = (row: Index, column: Index): Index[] => {
    const inRing = (at: Index, ring: number, places: number): Index => (ring === places ? at : ring === 1 ? constant(0) : rem(at, ring));
    return [...(rows.side ? [inRing(row, rows.ring, rows.side.places)] : []), inRing(column, plan.ring, side.places)];
  };
  const read = (e: Expr): Expr =>
    mapExpr(e, (i) => i, (x) => {
      if (x.op !== 'load' || !windows.some((w) => w.tensor === x.tensor)) return undefined;
      const row = rows.side ? sum(x.at[rows.side.dim], rows.side.before) : constant(0);
      return { op: 'local', name: localOf(x.tensor), at: [...keep(row, sum(x.at[side.dim], side.before)), x.at[window.channels]] };
    });
  const take = (w: Window, row: Index, column: Index, word: Index): Stmt => takePlace(w, plan, row, column, word, keep, lanes.get(w.tensor) ?? 1, program);

  // Before the first window: the rows above its last, and what it needs of that one.
  const fill = (name: string, loops: readonly (readonly [string, number])[], w: Window): Stmt[] => {
    const axis = (l: string): string => `${w.tensor}.${name}.${l}`;
    const of = (l: string): Index => (loops.some(([n, extent]) => n === l && extent > 1) ? axisIndex(axis(l)) : constant(0));
    const row = name === 'above' ? of('row') : constant((rows.side?.reach ?? 0));
    return loops.filter(([, extent]) => extent > 1).reduceRight<Stmt[]>((made, [l, extent]) => [{ kind: 'loop', axis: axis(l), start: 0, extent, mode: 'serial', body: made }], [take(w, row, of('column'), of('word'))]);
  };
  const before = windows.flatMap((w) => [
    ...(rows.side && rows.side.reach > 0 ? fill('above', [['row', rows.side.reach], ['column', side.places], ['word', wordsOf(w)]], w) : []),
    ...fill('begin', [['column', side.reach + 1], ['word', wordsOf(w)]], w),
  ]);

  const taking = windows.flatMap((w): Stmt[] => {
    const turn = turnOf(nest, plan, wordsOf(w));
    const column = sum(times(axisIndex(side.axis), plan.each), turn.place, side.reach + 1);
    const row = rows.side ? sum(times(axisIndex(rows.side.axis), rows.side.stride), rows.side.reach, div(column, side.places)) : constant(0);
    // Rows behind the last are not there.
    const guard = [...turn.guard, ...(plan.each * side.extent > plan.along ? [within(column, 0, side.reach + 1 + plan.along)] : []), ...(rows.side ? [within(row, 0, rows.side.places)] : [])];
    return [{ kind: 'if', guard, body: [take(w, row, rows.side ? rem(column, side.places) : column, turn.word)] }];
  });
  const loopOf = (s: Side, made: readonly Stmt[]): Stmt => ({ kind: 'loop', axis: s.axis, start: 0, extent: s.extent, mode: 'serial', body: made });
  let main: Stmt[] = nest.reduceRight<Stmt[]>((made, l) => [{ ...l, body: made }], [...(plan.along > 0 ? taking : []), ...mapStmts(leaf, read, (i) => i)]);
  for (const s of [...sides].reverse()) main = [loopOf(s, main)];
  const whole = [...before, ...main];
  const count = images ? program.tensors[window.tensor].shape[0] : 1;
  const first = (rows.side ? rows.side.reach * side.places : 0) + side.reach + 1;
  return {
    filled: 'ahead',
    body: images ? [{ kind: 'loop', axis: images, start: 0, extent: count, mode: 'serial', body: whole }] : whole,
    locals: windows.map((w) => localFor(w, [...(rows.side ? [rows.ring] : []), plan.ring], program)),
    cycles: count * (first * windows.reduce((n, w) => n + wordsOf(w), 0) + sides.reduce((n, s) => n * s.extent, 1) * steps + 3 * restart),
  };
}

/** How many places each window takes, of which it can take `most`; undefined where that is too few. */
function planOf(sides: readonly Side[], most: number): Plan | undefined {
  const side = sides[sides.length - 1];
  const begin = side.reach + 1;
  if (sides.length === 1) {
    const along = side.places - begin;
    const share = sharesOf(side, along, most);
    if (!share) return undefined;
    const ring = Math.min(side.places, Math.max(begin + share.each, side.places - side.stride * (side.extent - 1)));
    return { rows: { ring: 1 }, side, ring, along, ...share };
  }
  const [row] = sides;
  const along = row.stride * side.places;
  const share = sharesOf(side, along, most);
  if (!share || row.places > row.reach + row.stride * row.extent) return undefined;
  // Where the next row begins, it lies on the first of this: nothing there may be needed any more.
  const isLeft = Array.from({ length: begin }, (_, i) => i).every((i) => i < side.stride * Math.min(side.extent - 1, Math.floor((along - begin + i) / share.each)));
  const ring = Math.min(row.places, row.reach + row.stride + (isLeft ? 0 : 1));
  return { rows: { side: row, ring }, side, ring: side.places, along, ...share };
}

/** At least as many places a window as the next one is away; the last takes the others, if it can. */
function sharesOf({ stride, extent }: Side, along: number, most: number): { readonly each: number; readonly last: number } | undefined {
  for (let each = stride; each <= most; each++) {
    const last = Math.max(0, along - each * (extent - 1));
    if (last <= most) return { each, last };
  }
  return undefined;
}

/** In which steps of a window a word is taken, of which of its places, and which of its words. */
function turnOf(nest: readonly LoopStmt[], { side, each, last }: Plan, words: number): { readonly place: Index; readonly word: Index; readonly guard: Condition[] } {
  const slots = Math.max(each, last) * words;
  let from = nest.length;
  let [step, extent, inner] = [constant(0), 1, 1];
  while (extent < slots) {
    const l = nest[--from];
    step = sum(times(l.axis, extent), step);
    inner = extent;
    extent *= l.extent;
  }
  const guard = nest.slice(0, from).filter((l) => l.extent > 1).map((l) => within(l.axis, 0, 1));
  // The loop that ends the words bounds them for those who look at loops one by one.
  if (from < nest.length && Math.ceil(slots / inner) < nest[from].extent) guard.push(within(nest[from].axis, 0, Math.ceil(slots / inner)));
  if (last > each) guard.push(within(sum(step, times(div(axisIndex(side.axis, 1, 1), side.extent), -(last - each) * words)), -(last - each) * words, each * words));
  else if (extent > each * words) guard.push(within(step, 0, each * words));
  return { place: words === 1 ? step : div(step, words), word: words === 1 ? constant(0) : rem(step, words), guard };
}

/** The statements that take one word of a place, or what lies there around the edge. */
function takePlace({ tensor, channels, images, otherwise }: Window, { rows, side }: Plan, row: Index, column: Index, word: Index, keep: (row: Index, column: Index) => Index[], lanes: number, program: Program): Stmt {
  const { shape } = program.tensors[tensor];
  const lane = `${tensor}.lane`;
  const channel = sum(times(word, lanes), lane);
  const at = shape.map((_, d): Index => {
    if (d === channels) return channel;
    if (d === side.dim) return sum(column, -side.before);
    if (d === rows.side?.dim) return sum(row, -rows.side.before);
    return images && d === 0 ? axisIndex(images) : constant(0);
  });
  const inside = ([[rows.side, row], [side, column]] as const).flatMap(([s, i]): Condition[] => (s && (s.before > 0 || s.places > shape[s.dim] + s.before) ? [within(i, s.before, shape[s.dim] + s.before)] : []));
  const set = (value: Expr): Stmt => ({ kind: 'set', name: localOf(tensor), at: [...keep(row, column), channel], value });
  const one = set({ op: 'load', tensor, at });
  return { kind: 'loop', axis: lane, start: 0, extent: lanes, mode: 'unrolled', body: inside.length === 0 ? [one] : [...(otherwise ? [set(otherwise)] : []), { kind: 'if', guard: inside, body: [one] }] };
}
