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
import { atEveryPlace, elementAt, mapStmts, peeled, readyAt, replaceAxis, restart, rolledNest, type Window } from './window.js';

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
  /** Channels of a word, and in all. */
  readonly lanes: number;
  readonly channels: number;
  /** The number of the word that a step needs, and where in it the step's channels lie. */
  readonly word: Index;
  readonly lane: Index;
  /** The loops that take one word after the other; those within a word; those that go over the vector again. */
  readonly words: readonly LoopStmt[];
  readonly within: readonly LoopStmt[];
  readonly again: readonly LoopStmt[];
}

/**
 * The statements of a kernel that takes its vectors along, and the locals that hold them. `windows` are alike; `lanes`: channels of
 * each that come at once. Undefined where words do not fit the steps, or where it would be slower than taking them before.
 */
export function withVectors(kernel: Kernel, body: readonly Stmt[], windows: readonly Window[], lanes: ReadonlyMap<string, number>, program: Program): { body: Stmt[]; locals: Local[] } | undefined {
  const [window] = windows;
  if (windows.some((w) => channelAxis(kernel, w) === undefined)) return undefined;
  const { nest, leaf } = rolledNest(peeled(kernel, body, window));
  if (hasRolled(leaf) || nest.some((l) => l.start !== 0)) return undefined;
  const vectors = windows.flatMap((w) => vectorOf(w, nest, leaf, lanes.get(w.tensor) ?? 1, program) ?? []);
  if (vectors.length < windows.length) return undefined;
  const count = (f: (s: Window['sides'][number]) => number): number => window.sides.reduce((n, s) => n * f(s), 1);
  const [places, used] = [count((s) => s.places), count((s) => s.extent)];
  const steps = nest.reduce((n, l) => n * l.extent, 1);
  if (places * steps > places * Math.max(...vectors.map((v) => v.channels / v.lanes)) + used * (steps + restart)) return undefined;

  const bind = (i: Index): Index => window.sides.reduce((index, s) => replaceAxis(index, s), i);
  const read = (e: Expr): Expr =>
    mapExpr(e, bind, (x) => {
      const vector = x.op === 'load' ? vectors.find((v) => v.window.tensor === x.tensor) : undefined;
      return vector && { op: 'local', name: wordOf(vector), at: [vector.lane] };
    });
  const inner = mapStmts(leaf, read, bind);
  const ready = readyAt(window);
  const all = nest.reduceRight<Stmt[]>((made, l) => [{ ...l, body: made }], [...vectors.flatMap((v) => take(v, program)), ...when(ready, inner)]);
  return { body: atEveryPlace(window, all, program), locals: vectors.flatMap((v) => localsOf(v, program)) };
}

const when = (guard: readonly Condition[], body: readonly Stmt[]): readonly Stmt[] => (guard.length === 0 ? body : [{ kind: 'if', guard, body }]);

/** A vector, if its channels are walked word by word. */
function vectorOf(window: Window, nest: readonly LoopStmt[], leaf: readonly Stmt[], lanes: number, program: Program): Vector | undefined {
  const channels = program.tensors[window.tensor].shape[window.channels];
  const { offset, terms } = firstLoad(leaf, window.tensor)!.at[window.channels];
  const loops = nest.filter((l) => l.extent > 1);
  const isWord = ({ coeff }: Index['terms'][number]): boolean => coeff >= lanes;
  const [words, inside] = [terms.filter(isWord), terms.filter((t) => !isWord(t))];
  const over = (list: Index['terms']): LoopStmt[] => loops.filter((l) => list.some((t) => t.of === l.axis));
  const count = over(words).reduce((n, l) => n * l.extent, 1);
  if (offset !== 0 || words.some((t) => t.coeff % lanes !== 0) || over(words).length < words.length || count * lanes !== channels) return undefined;
  return {
    window, lanes, channels, lane: { offset: 0, terms: inside }, word: { offset: 0, terms: words.map((t) => ({ ...t, coeff: t.coeff / lanes })) },
    words: over(words), within: over(inside), again: loops.filter((l) => !terms.some((t) => t.of === l.axis)),
  };
}

const wordOf = ({ window }: Vector): string => `${window.tensor}.word`;
const keptOf = ({ window }: Vector): string => `${window.tensor}.window`;

/** A vector that is one word stays in its registers. */
const isKept = ({ again, words }: Vector): boolean => again.length > 0 && words.length > 0;

function localsOf(v: Vector, program: Program): Local[] {
  const { dtype, range } = program.tensors[v.window.tensor];
  const local = (name: string, size: number): Local => ({ name, type: dtype, shape: [size], ...(range && dtype !== 'float32' ? { range } : {}) });
  return [local(wordOf(v), v.lanes), ...(isKept(v) ? [local(keptOf(v), v.channels)] : [])];
}

/** The word of a step: from the stream for the first outputs, from what is kept for the others. */
function take(v: Vector, program: Program): readonly Stmt[] {
  const { tensor } = v.window;
  const lane = axisIndex(`${tensor}.c.i`);
  const at = sum(times(v.word, v.lanes), lane);
  const set = (name: string, index: Index, value: Expr): Stmt => ({ kind: 'set', name, at: [index], value });
  const each = (...body: Stmt[]): Stmt => ({ kind: 'loop', axis: `${tensor}.c.i`, start: 0, extent: v.lanes, mode: 'unrolled', body });
  const value: Expr = { op: 'load', tensor, at: elementAt(v.window, at, program.tensors[tensor].shape.length) };
  const taken = set(wordOf(v), lane, value);
  const keep = set(keptOf(v), at, { op: 'local', name: wordOf(v), at: [lane] });
  const fetched = set(wordOf(v), lane, { op: 'local', name: keptOf(v), at: [at] });
  const round = v.again.reduce<Index>((index, l) => sum(times(index, l.extent), l.axis), constant(0));
  const rounds = v.again.reduce((n, l) => n * l.extent, 1);
  const first = (body: Stmt): readonly Stmt[] => when(rounds === 1 ? [] : [within(round, 0, 1)], [body]);
  return when(v.within.map((l) => within(l.axis, 0, 1)), isKept(v) ? [...first(each(taken, keep)), ...when([within(round, 1, rounds)], [each(fetched)])] : first(each(taken)));
}
