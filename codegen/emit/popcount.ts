/**
 * Sums of bipolar products by words: bits of both operands that differ are counted, word by word, and one count of all
 * words of an output makes its sum. Operands lie as bits (schedule/bits.ts); any other dot is written by its meaning (dot.ts).
 *
 * A word that does not change in the loops around is loaded before them. V8 keeps what does not fit registers on the stack, from where
 * an instruction reads it as fast as from anywhere.
 */
import { sum } from '../ir/build.js';
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { address, mapExpr, substitute, type Ranges } from '../ir/indexing.js';
import type { Expr, Index, Stmt } from '../ir/program.js';
import { dependsOn, factorDependsOn } from '../ir/walk.js';
import { fromLanes, localRegister, share, type Context, type PendingCount } from './context.js';
import { place } from './place.js';
import type { Scope } from './scope.js';

type Dot = Extract<Expr, { op: 'dot' }>;
type Load = Extract<Expr, { op: 'load' }>;

/** Words whose counts are added as a tree, so that the sum's chain of additions is short. */
const wordsAtOnce = 4;

/** What a statement adds to a register by counting bits, where it does, lane by lane; it then waits for the other words (emitCounts). */
export function countsOf(s: Stmt, context: Context): PendingCount[] | undefined {
  if (s.kind !== 'set' || s.value.op !== 'add' || s.value.b.op !== 'dot') return undefined;
  const { a, b: dot } = s.value;
  if (a.op !== 'local' || a.name !== s.name || describe(dot.type).bits > 32) return undefined;
  const { name, laneAt } = localRegister(s.name, s.at, context);
  const { vector, half } = context.locals.get(name)!;
  const { lane } = context;
  if (laneAt !== undefined || half || vector !== (lane !== undefined)) return undefined;
  const [first] = lane === undefined ? [0] : context.ranges.get(lane)!;
  const counts = Array.from({ length: lane === undefined ? 1 : context.target.lanes }, (_, i): PendingCount => {
    const ranges = new Map(context.ranges);
    if (lane !== undefined) ranges.set(lane, [first + i, first + i]);
    return { register: name, lane: lane === undefined ? undefined : i, dot, ranges };
  });
  return counts.every((c) => isCounted(c.dot, c.ranges, context)) ? counts : undefined;
}

function isCounted(dot: Dot, ranges: Ranges, context: Context): boolean {
  const isWord = (e: Expr): boolean => {
    if (e.op !== 'load' || e.guard) return false;
    const { name, layout, buffer } = context.program.tensors[e.tensor];
    const { code } = layout;
    if (layout.elementBits !== 1 || layout.containerBits !== 8 || code?.base !== -1 || code.step !== 2 || layout.pad?.some((p) => p > 0)) return false;
    if (context.kernel.stores.some((s) => context.program.tensors[s.tensor].buffer === buffer || s.tensor === name)) return false;
    const bits = address(layout, e.at, new Map(ranges).set(dot.axis, [0, dot.extent - 1]));
    return bits.offset % 8 === 0 && bits.terms.every((t) => (t.of === dot.axis ? t.coeff === 1 : !factorDependsOn(t.of, dot.axis) && t.coeff % 8 === 0)) && bits.terms.some((t) => t.of === dot.axis);
  };
  return dot.table === undefined && [8, 16, 32, 64].includes(dot.extent) && isWord(dot.a) && isWord(dot.b);
}

/** Writes the counts that wait, those of several registers side by side, so that words which they share are loaded once. */
export function emitCounts(scope: Scope, context: Context): void {
  const waiting = context.counts.splice(0);
  if (waiting.length === 0) return;
  const outputs = new Map<string, PendingCount[]>();
  for (const w of waiting) {
    const key = `${w.register} ${w.lane}`;
    outputs.set(key, [...(outputs.get(key) ?? []), w]);
  }
  const totals = new Map([...outputs.keys()].map((key) => [key, context.names.fresh('differing')]));
  const most = Math.max(...[...outputs.values()].map((list) => list.length));
  for (let first = 0; first < most; first += wordsAtOnce) {
    for (const [key, list] of outputs) {
      const words = list.slice(first, first + wordsAtOnce);
      if (words.length === 0) continue;
      const total = totals.get(key)!;
      const counts = words.map((w) => `popcnt<u64>(${word(w.dot.a, w, scope, context)} ^ ${word(w.dot.b, w, scope, context)})`);
      scope.lines.push(first === 0 ? `let ${total}: u64 = ${tree(counts)};` : `${total} += ${tree(counts)};`);
      // A store keeps the loads of the next words behind it: V8 moves all loads of a long body ahead otherwise, and then spills them,
      // which takes a quarter more time. What it writes is slack.
      scope.lines.push(`store<u64>(0, ${total}, ${slack(context)});`);
    }
  }
  for (const register of new Set(waiting.map((w) => w.register))) {
    const own = [...outputs].filter(([, [w]]) => w.register === register);
    const bits = own[0][1].reduce((n, w) => n + w.dot.extent, 0);
    const texts = own.map(([key]) => `<i32>${totals.get(key)!}`);
    if (own[0][1][0].lane === undefined) scope.lines.push(`${register} += ${bits} - (${texts[0]} << 1);`);
    else scope.lines.push(`${register} = i32x4.add(${register}, i32x4.sub(i32x4.splat(${bits}), i32x4.shl(${fromLanes('i32x4', texts)}, 1)));`);
  }
}

function tree(terms: readonly string[]): string {
  if (terms.length === 1) return terms[0];
  const half = Math.ceil(terms.length / 2);
  return `(${tree(terms.slice(0, half))} + ${tree(terms.slice(half))})`;
}

/** Bytes at the arena's end that no tensor has. */
function slack(context: Context): number {
  const { arenaBytes, name } = context.program;
  return arenaBytes === undefined ? fail('program/invalid', name, 'this Program has no places in memory') : arenaBytes - 8;
}

/** The word at which the dot's axis starts, loaded outside the loops on which it does not depend. */
function word(e: Expr, { dot, ranges }: PendingCount, scope: Scope, context: Context): string {
  const load = mapExpr(e, (i) => substitute(i, new Map([[dot.axis, sum(0)]]))) as Load;
  const own: Context = { ...context, ranges: new Map(ranges), lane: undefined };
  const tensor = context.program.tensors[load.tensor];
  const target = outside(load.at, scope);
  const p = place(tensor, load.at, undefined, target, own);
  if (!p || p.shift !== 0) fail('program/invalid', tensor.name, 'its bits do not start at a byte');
  return share(`word ${dot.extent} ${p.pointer}+${p.offset}`, tensor.buffer, 'u64', dot.extent === 64 ? `load<u64>(${p.pointer}, ${p.offset})` : `<u64>load<u${dot.extent}>(${p.pointer}, ${p.offset})`, target, own);
}

/** The outermost scope to which no loop contributes on which the indices depend. */
function outside(at: readonly Index[], scope: Scope): Scope {
  let found = scope;
  while (found.parent && !at.some((i) => dependsOn(i, found.loop.axis!))) found = found.parent;
  return found;
}
