/**
 * Words that are several steps: a writer's registers gather the outputs of its steps, and the last one sends; a reader's hold a
 * word that the first of its steps takes. Which words are so wide is decided in words.ts.
 */
import { axis as axisIndex, sum, within } from '../../ir/build.js';
import { mapExpr } from '../../ir/indexing.js';
import type { Expr, Index, Local, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { firstLoad } from '../../ir/walk.js';
import { channelsOf } from './order.js';
import { localLike, mapStmts } from './window.js';

/** An index as the number of a word and the place in it; the loops that go over a word. */
function inWord({ terms }: Index, lanes: number, rolled: readonly LoopStmt[]): { readonly word: Index; readonly lane: Index; readonly steps: readonly LoopStmt[] } {
  const lane: Index = { offset: 0, terms: terms.filter((t) => t.coeff < lanes) };
  return { lane, word: { offset: 0, terms: terms.filter((t) => t.coeff >= lanes) }, steps: rolled.filter((l) => l.extent > 1 && lane.terms.some((t) => t.of === l.axis)) };
}

/** The statements of a writer that sends `together` elements of a tensor at once, and the registers that gather them. */
export function gathered(body: readonly Stmt[], tensor: string, together: number, program: Program): { body: Stmt[]; local: Local } {
  const channels = channelsOf(program.tensors[tensor].shape);
  const local = localLike(`${tensor}.gathered`, tensor, [together], program);
  const lane = `${tensor}.g`;
  let send: Stmt | undefined;
  const visit = (list: readonly Stmt[], rolled: readonly LoopStmt[], isUnrolled: boolean): Stmt[] =>
    list.flatMap((s): Stmt[] => {
      if (s.kind === 'if') return [{ ...s, body: visit(s.body, rolled, isUnrolled) }];
      if (s.kind === 'loop') {
        const begins = !isUnrolled && s.mode === 'unrolled';
        const inner = { ...s, body: visit(s.body, s.mode === 'unrolled' ? rolled : [...rolled, s], isUnrolled || begins) };
        return begins ? sent(inner) : [inner];
      }
      if (s.kind !== 'store' || s.tensor !== tensor) return [s];
      const { word, lane: inside, steps } = inWord(s.at[channels], together, rolled);
      const ends = steps.map((l) => within(l.axis, l.extent - 1, l.extent));
      const all: Stmt = { ...s, at: s.at.map((i, d) => (d === channels ? sum(word, lane) : i)), value: { op: 'local', name: local.name, at: [axisIndex(lane)] } };
      send = { kind: 'if', guard: ends, body: [{ kind: 'loop', axis: lane, start: 0, extent: together, mode: 'unrolled', body: [all] }] };
      const set: Stmt = { kind: 'set', name: local.name, at: [inside], value: s.value };
      return isUnrolled ? [set] : sent(set);
    });
  const sent = (s: Stmt): Stmt[] => {
    const after = send;
    send = undefined;
    return after ? [s, after] : [s];
  };
  return { body: visit(body, [], false), local };
}

/** The statements of a reader that takes words of so many elements in order, and the registers that hold one; undefined where a step takes it all. */
export function heldWord(body: readonly Stmt[], tensor: string, lanes: number, program: Program): { body: Stmt[]; local: Local } | undefined {
  const channels = channelsOf(program.tensors[tensor].shape);
  if (lanes === 1) return undefined;
  const local = localLike(`${tensor}.word`, tensor, [lanes], program);
  const lane = `${tensor}.c.i`;
  let isHeld = false;
  const visit = (list: readonly Stmt[], rolled: readonly LoopStmt[]): Stmt[] => {
    let isTaken = false;
    return list.flatMap((s): Stmt[] => {
      if (s.kind === 'if') return [{ ...s, body: visit(s.body, rolled) }];
      if (s.kind === 'loop' && s.mode !== 'unrolled') return [{ ...s, body: visit(s.body, [...rolled, s]) }];
      const load = firstLoad([s], tensor);
      if (!load) return [s];
      const { word, lane: inside, steps } = inWord(load.at[channels], lanes, rolled);
      isHeld ||= steps.length > 0;
      const value: Expr = { ...load, at: load.at.map((i, d) => (d === channels ? sum(word, lane) : i)) };
      const take: Stmt = { kind: 'if', guard: steps.map((l) => within(l.axis, 0, 1)), body: [{ kind: 'loop', axis: lane, start: 0, extent: lanes, mode: 'unrolled', body: [{ kind: 'set', name: local.name, at: [axisIndex(lane)], value }] }] };
      const taken = isTaken ? [] : [take];
      isTaken = true;
      const read = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'load' && x.tensor === tensor ? { op: 'local', name: local.name, at: [inside] } : undefined));
      return [...taken, ...mapStmts([s], read, (i) => i)];
    });
  };
  const held = visit(body, []);
  return isHeld ? { body: held, local } : undefined;
}
