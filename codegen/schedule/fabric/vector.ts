/**
 * Vectors taken while they are used. Where every output needs all channels of one place (dense layers, 1x1 convolutions), the first
 * outputs take each word from the stream in the step that multiplies it and keep it; the others read what is kept. So a vector
 * costs no cycles of its own, as in FINN's matrix-vector unit: (MH / PE) (MW / SIMD) cycles are all there are.
 *
 * The products of a step read a word in registers, where either the stream or the array has put it. Nothing read from the array goes
 * back to it, so no iteration waits for another.
 */
import { axis as axisIndex, constant, sum, times, within } from '../../ir/build.js';
import { mapExpr } from '../../ir/indexing.js';
import type { Condition, Expr, Index, Kernel, Local, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { firstLoad } from '../../ir/walk.js';
import { loadsOf } from '../fuse.js';
import { plainAxis } from './order.js';
import { hasRolled } from './pipeline.js';
import { atEveryPlace, elementAt, localLike, mapStmts, peeled, readyAt, replaceAxis, restart, rolledNest, type Window } from './window.js';

/** The reduction over the channels of a tensor that each output needs once, at one place; undefined where it is no such vector. */
export function channelAxis(kernel: Kernel, { tensor, sides, channels, otherwise }: Window): string | undefined {
  const loads = loadsOf(kernel).filter((l) => l.tensor === tensor);
  const key = JSON.stringify(loads[0].at);
  if (otherwise || sides.some((s) => s.reach > 0) || loads.some((l) => JSON.stringify(l.at) !== key)) return undefined;
  return plainAxis(loads[0].at[channels], kernel.reduce);
}

/** One vector in the loops that compute with it. */
interface Vector {
  readonly window: Window;
  /** Elements of a word. */
  readonly lanes: number;
  readonly elements: number;
  /** The number of the word that a step needs, and where in it the step's elements lie. */
  readonly word: Index;
  readonly lane: Index;
  /** Where an element of that word is in the tensor. */
  readonly at: (lane: Index) => Index[];
  /** The loops that take one word after the other; those within a word; those that go over the vector again. */
  readonly words: readonly LoopStmt[];
  readonly within: readonly LoopStmt[];
  readonly again: readonly LoopStmt[];
}

interface Taking {
  readonly body: Stmt[];
  readonly locals: Local[];
  readonly isAlong: boolean;
}

/**
 * The statements of a kernel that takes its vectors along, and the locals that hold them. `windows` are alike; `lanes`: channels of
 * each that come at once. Undefined where words do not fit the steps, or where it would be slower than taking them before; but what
 * one window covers all of is taken before here too.
 */
export function withVectors(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): Taking | undefined {
  return along(kernel, body, windows, lanes, program) ?? (windows.some((w) => w.whole.length > 0) ? before(kernel, body, windows, lanes, program) : undefined);
}

function along(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): Taking | undefined {
  const [window] = windows;
  if (windows.some((w) => channelAxis(kernel, w) === undefined)) return undefined;
  const { nest, leaf } = rolledNest(peeled(kernel, body, window));
  if (hasRolled(leaf) || nest.some((l) => l.start !== 0)) return undefined;
  const vectors = windows.flatMap((w) => vectorOf(w, nest, leaf, lanes.get(w.tensor) ?? 1, program) ?? []);
  if (vectors.length < windows.length) return undefined;
  const count = (f: (s: Window['sides'][number]) => number): number => window.sides.reduce((n, s) => n * f(s), 1);
  const [places, used] = [count((s) => s.places), count((s) => s.extent)];
  const steps = nest.reduce((n, l) => n * l.extent, 1);
  if (places * steps > places * Math.max(...vectors.map((v) => v.elements / v.lanes)) + used * (steps + restart)) return undefined;

  const bind = (i: Index): Index => window.sides.reduce((index, s) => replaceAxis(index, s), i);
  const read = (e: Expr): Expr =>
    mapExpr(e, bind, (x) => {
      const vector = x.op === 'load' ? vectors.find((v) => v.window.tensor === x.tensor) : undefined;
      return vector && { op: 'local', name: wordOf(vector.window), at: [vector.lane] };
    });
  const inner = mapStmts(leaf, read, bind);
  const ready = readyAt(window);
  const all = nest.reduceRight<Stmt[]>((made, l) => [{ ...l, body: made }], [...vectors.flatMap((v) => take(v)), ...when(ready, inner)]);
  const locals = vectors.flatMap((v) => [localLike(wordOf(v.window), v.window.tensor, [v.lanes], program), ...(isKept(v) ? [localLike(keptOf(v.window), v.window.tensor, [v.elements], program)] : [])]);
  return { body: atEveryPlace(window, all, program), locals, isAlong: true };
}

/** All is taken in loops of its own, then read where it is kept. */
function before(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): Taking {
  const taken = windows.flatMap((w): Stmt[] => {
    const { shape } = program.tensors[w.tensor];
    const n = lanes.get(w.tensor) ?? 1;
    const axis = (d: number): string => `${w.tensor}.d${d}`;
    const channel = sum(times(axis(w.channels), n), `${w.tensor}.c.i`);
    const at = elementAt(w, channel, shape.length).map((i, d) => (w.whole.includes(d) ? axisIndex(axis(d)) : i));
    const one: Stmt = { kind: 'set', name: keptOf(w), at: [...w.whole, w.channels].map((d) => at[d]), value: { op: 'load', tensor: w.tensor, at } };
    const word: Stmt = { kind: 'loop', axis: `${w.tensor}.c.i`, start: 0, extent: n, mode: 'unrolled', body: [one] };
    return [...w.whole, w.channels].reduceRight<Stmt[]>((made, d) => [{ kind: 'loop', axis: axis(d), start: 0, extent: d === w.channels ? shape[d] / n : shape[d], mode: 'serial', body: made }], [word]);
  });
  const read = (e: Expr): Expr =>
    mapExpr(e, (i) => i, (x) => {
      const w = x.op === 'load' ? windows.find(({ tensor }) => tensor === x.tensor) : undefined;
      return x.op === 'load' && w ? { op: 'local', name: keptOf(w), at: [...w.whole, w.channels].map((d) => x.at[d]) } : undefined;
    });
  const [window] = windows;
  const inner = mapStmts(peeled(kernel, body, window), read, (i) => i);
  return {
    body: atEveryPlace(window, [...taken, ...inner], program), isAlong: false,
    locals: windows.map((w) => localLike(keptOf(w), w.tensor, [...w.whole, w.channels].map((d) => program.tensors[w.tensor].shape[d]), program)),
  };
}

const when = (guard: readonly Condition[], body: readonly Stmt[]): readonly Stmt[] => (guard.length === 0 ? body : [{ kind: 'if', guard, body }]);

/** A vector, if its elements are walked word by word in the order of the stream. */
function vectorOf(window: Window, nest: readonly LoopStmt[], leaf: readonly Stmt[], lanes: number, program: Program): Vector | undefined {
  const { shape } = program.tensors[window.tensor];
  const load = firstLoad(leaf, window.tensor)!.at;
  const loops = nest.filter((l) => l.extent > 1);
  const [channel, ...places] = [window.channels, ...[...window.whole].reverse()];
  let elements = shape[channel];
  let number = load[channel];
  for (const d of places) {
    number = sum(number, times(load[d], elements));
    elements *= shape[d];
  }
  const terms = number.terms.filter((t) => !nest.some((l) => l.extent === 1 && l.axis === t.of));
  const isWord = ({ coeff }: Index['terms'][number]): boolean => coeff >= lanes;
  const [far, near] = [terms.filter(isWord), terms.filter((t) => !isWord(t))];
  const over = (list: Index['terms']): LoopStmt[] => loops.filter((l) => list.some((t) => t.of === l.axis));
  const words = over(far);
  let next = lanes;
  for (const l of [...words].reverse()) {
    if (far.find((t) => t.of === l.axis)!.coeff !== next) return undefined;
    next *= l.extent;
  }
  if (number.offset !== 0 || words.length < far.length || next !== elements) return undefined;
  const wordOfChannel: Index = { offset: 0, terms: load[channel].terms.filter(isWord) };
  return {
    window, lanes, elements, lane: { offset: 0, terms: near }, word: { offset: 0, terms: far.map((t) => ({ ...t, coeff: t.coeff / lanes })) },
    at: (lane) => elementAt(window, sum(wordOfChannel, lane), shape.length).map((i, d) => (window.whole.includes(d) ? load[d] : i)),
    words, within: over(near), again: loops.filter((l) => !terms.some((t) => t.of === l.axis)),
  };
}

const wordOf = ({ tensor }: Window): string => `${tensor}.word`;
const keptOf = ({ tensor }: Window): string => `${tensor}.window`;

/** A vector that is one word stays in its registers. */
const isKept = ({ again, words }: Vector): boolean => again.length > 0 && words.length > 0;

/** The word of a step: from the stream for the first outputs, from what is kept for the others. */
function take(v: Vector): readonly Stmt[] {
  const { tensor } = v.window;
  const lane = axisIndex(`${tensor}.c.i`);
  const at = sum(times(v.word, v.lanes), lane);
  const set = (name: string, index: Index, value: Expr): Stmt => ({ kind: 'set', name, at: [index], value });
  const each = (...body: Stmt[]): Stmt => ({ kind: 'loop', axis: `${tensor}.c.i`, start: 0, extent: v.lanes, mode: 'unrolled', body });
  const taken = set(wordOf(v.window), lane, { op: 'load', tensor, at: v.at(lane) });
  const keep = set(keptOf(v.window), at, { op: 'local', name: wordOf(v.window), at: [lane] });
  const fetched = set(wordOf(v.window), lane, { op: 'local', name: keptOf(v.window), at: [at] });
  const round = v.again.reduce<Index>((index, l) => sum(times(index, l.extent), l.axis), constant(0));
  const rounds = v.again.reduce((n, l) => n * l.extent, 1);
  const first = (body: Stmt): readonly Stmt[] => when(rounds === 1 ? [] : [within(round, 0, 1)], [body]);
  return when(v.within.map((l) => within(l.axis, 0, 1)), isKept(v) ? [...first(each(taken, keep)), ...when([within(round, 1, rounds)], [each(fetched)])] : first(each(taken)));
}
