/**
 * Sums of products with two outputs a lane (ir/sharedLanes.ts): the sums of a whole tile are written side by side in a loop
 * over vectors of weights, each cut out once for all rows; then the outputs part, into the registers of their local.
 */
import { sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { address, mapExpr, substitute } from '../ir/indexing.js';
import { dotOperands } from '../ir/lookup.js';
import type { Expr, Index, Stmt, Tensor } from '../ir/program.js';
import { cutsOf, memberDigits, outputDigits, outputs, sharedOffset, sumBits, vectorBits } from '../ir/sharedLanes.js';
import { localRegister, share, type Context, type PendingSum } from './context.js';
import { place } from './memory.js';
import { counterName, loopLines, type LoopScope, type Scope } from './scope.js';

type Dot = Extract<Expr, { op: 'dot' }>;
type Load = Extract<Expr, { op: 'load' }>;

/** The sum of a vector loop over eight outputs, where weights lie so that two share a lane, and the data side by side. */
export function sharedOfLoop(loop: Extract<Stmt, { kind: 'loop' }>, context: Context): { local: string; at: readonly Index[]; dot: Dot } | undefined {
  const [s] = loop.body;
  if (loop.mode !== 'vector' || loop.extent !== outputs || loop.body.length !== 1 || s.kind !== 'set' || s.value.op !== 'add' || s.value.b.op !== 'dot') return undefined;
  const { a: own, b: dot } = s.value;
  const operands = dot.type === `int${sumBits}` && context.target.dots.length > 0 ? dotOperands(dot, context.program) : undefined;
  if (!operands || own.op !== 'local' || own.name !== s.name) return undefined;
  const { data, weight } = operands;
  const isPlain = data.layout.elementBits === 16 && data.layout.containerBits === 16 && data.dtype !== 'float32';
  const members = cutsOf(weight.layout.elementBits) && sharedOffset(weight, weight.layout.code) !== undefined ? 2 * cutsOf(weight.layout.elementBits)!.length : 0;
  if (!isPlain || members === 0 || dot.extent % members !== 0 || !liesShared(weight, dot, loop.axis, members, context)) return undefined;
  return { local: s.name, at: s.at, dot };
}

/** True where the weights of outputs and members lie in blocks as they must. */
function liesShared(weight: Tensor, { axis, b }: Dot, lane: string, members: number, context: Context): boolean {
  const at = (output: number, member: number): Index => {
    const ranges = new Map(context.ranges).set(axis, [member, member]).set(lane, [output, output]);
    return address(weight.layout, (b as Load).at, ranges);
  };
  const first = at(0, 0);
  const bits = (digits: typeof outputDigits, n: number): number => digits.reduce((total, d) => total + (Math.floor(n / d.by) % d.extent) * d.stride, 0);
  for (let output = 0; output < outputs; output++) {
    for (let member = 0; member < members; member++) {
      const { offset, terms } = at(output, member);
      if (JSON.stringify(terms) !== JSON.stringify(first.terms)) return false;
      if (offset - first.offset !== bits(outputDigits, output) + bits(memberDigits(weight.layout.elementBits), member)) return false;
    }
  }
  return first.offset % vectorBits === weight.layout.offset % vectorBits && first.terms.every((t) => t.coeff % vectorBits === 0);
}

/** Writes the sums that wait. */
export function emitShared(waiting: readonly PendingSum[], scope: Scope, context: Context): void {
  const [{ dot }] = waiting;
  const { weight } = dotOperands(dot, context.program)!;
  const members = 2 * cutsOf(weight.layout.elementBits)!.length;
  const parts = waiting.map(() => context.names.fresh('both'));
  const vector = `${dot.axis}.vector`;
  const steps = dot.extent / members;
  const loop: LoopScope = { parent: scope.loop, axis: vector, counterName: context.names.fresh(counterName(vector)), start: 0, extent: steps, pointers: new Map() };
  const inner: Scope = steps === 1 ? { ...scope, lines: [] } : { loop, lines: [], values: new Map() };
  for (let pair = 0; pair < members / 2; pair++) {
    waiting.forEach((w, i) => {
      if (w.dot.axis !== dot.axis || w.dot.extent !== dot.extent) fail('program/invalid', context.kernel.name, 'sums of two outputs a lane stand side by side that do not run together');
      const own: Context = { ...context, ranges: new Map(w.ranges).set(vector, [0, steps - 1]).set(w.lane, [0, 0]), lane: undefined };
      const weights = cutOut(at(w.dot.b as Load, w.dot.axis, vector, members, 0), pair, inner, own);
      const x = pairOf(at(w.dot.a as Load, w.dot.axis, vector, members, 2 * pair), inner, own);
      inner.lines.push(`${parts[i]} = i32x4.add(${parts[i]}, i32x4.dot_i16x8_s(${x}, ${weights}));`);
    });
  }
  scope.lines.push(...parts.map((name) => `let ${name}: v128 = i32x4.splat(0);`), ...(steps === 1 ? inner.lines : loopLines(loop, inner.lines, context.names)));
  waiting.forEach((w, i) => addBoth(w, parts[i], scope, context));
}

/** The load of a member of the group, in the given vector. */
function at(load: Load, axis: string, vector: string, members: number, member: number): Load {
  const map = new Map([[axis, sum(times(vector, members), member)]]);
  return mapExpr(load, (i) => substitute(i, map)) as Load;
}

/** w0 + 4096 * w1 in lanes of 16 bits, of a pair of members. */
function cutOut(load: Load, pair: number, scope: Scope, context: Context): string {
  const tensor = context.program.tensors[load.tensor];
  const { elementBits, code } = tensor.layout;
  const p = place(tensor, load.at, undefined, scope, context);
  if (!p || p.shift !== 0) fail('program/invalid', tensor.name, 'its fields do not lie in whole vectors');
  const { byte, shift } = cutsOf(elementBits)![pair];
  const key = `${p.pointer}+${p.offset + byte}`;
  const bytes = share(`shared ${key}`, tensor.buffer, 'v128', `v128.load(${p.pointer}, ${p.offset + byte})`, scope, context);
  const field = 2 ** elementBits - 1;
  const mask = signed16(field | (field << sumBits));
  const low = shift === 0 ? bytes : `i16x8.shr_u(${bytes}, ${shift})`;
  const offset = signed16(sharedOffset(tensor, code)!);
  return share(`shared ${key} by ${shift}`, tensor.buffer, 'v128', `i16x8.add(v128.and(${low}, i16x8.splat(${mask})), i16x8.splat(${offset}))`, scope, context);
}

const signed16 = (n: number): number => (n << 16) >> 16;

/** Two neighbours of the data in all lanes. */
function pairOf(load: Load, scope: Scope, context: Context): string {
  const tensor = context.program.tensors[load.tensor];
  const p = place(tensor, load.at, undefined, scope, context);
  if (!p) fail('program/invalid', tensor.name, 'its pairs do not lie in whole bytes');
  return share(`pair ${p.pointer}+${p.offset}`, tensor.buffer, 'v128', `v128.load32_splat(${p.pointer}, ${p.offset})`, scope, context);
}

/** Adds the sums of both outputs of each lane to the registers of their local. */
function addBoth(w: PendingSum, part: string, scope: Scope, context: Context): void {
  const { lanes } = context.target;
  const [low, high] = [0, lanes].map((first) => {
    const own: Context = { ...context, ranges: new Map(w.ranges).set(w.lane, [first, first + lanes - 1]), lane: w.lane };
    return localRegister(w.local, w.at, own).name;
  });
  const above = 32 - sumBits;
  scope.lines.push(`${low} = i32x4.add(${low}, i32x4.shr_s(i32x4.shl(${part}, ${above}), ${above}));`);
  // Half a unit more, so that sums below zero do not take one from what is above them.
  scope.lines.push(`${high} = i32x4.add(${high}, i32x4.shr_s(i32x4.add(${part}, i32x4.splat(${2 ** (sumBits - 1)})), ${sumBits}));`);
}
