/**
 * Sums of products with two outputs a lane (ir/sharedLanes.ts): the sums of a whole tile are written side by side in a loop
 * over vectors of weights, each cut out once for all rows; then the outputs part, into the registers of their local.
 */
import { sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { address, mapExpr, substitute } from '../ir/indexing.js';
import { dotOperands } from '../ir/lookup.js';
import type { Expr, Index, Stmt, Tensor } from '../ir/program.js';
import { cutsOf, laneDigits, outputs, secondFits, sharedOffset, sumBits, type Block } from '../ir/sharedLanes.js';
import { walkStmts } from '../ir/walk.js';
import { localRegister, registerName, share, type Context, type PendingSum } from './context.js';
import { place } from './place.js';
import { counterName, loopLines, type LoopScope, type Scope } from './scope.js';

export type Dot = Extract<Expr, { op: 'dot' }>;
export type Load = Extract<Expr, { op: 'load' }>;

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
  if (!isPlain || members === 0 || dot.extent % members !== 0 || !secondFits(context.kernel, data, weight) || !liesIn(laneDigits(weight.layout.elementBits), weight, dot, loop.axis, context)) return undefined;
  return { local: s.name, at: s.at, dot };
}

/** True where the weights of outputs and members lie in blocks as they must. */
export function liesIn(block: Block, weight: Tensor, { axis, b }: Dot, lane: string, context: Context): boolean {
  const at = (output: number, member: number): Index => {
    const ranges = new Map(context.ranges).set(axis, [member, member]).set(lane, [output, output]);
    return address(weight.layout, (b as Load).at, ranges);
  };
  const first = at(0, 0);
  const bits = (digits: Block['outputs'], n: number): number => digits.reduce((total, d) => total + (Math.floor(n / d.by) % d.extent) * d.stride, 0);
  const members = block.members.reduce((n, d) => n * d.extent, 1);
  for (let output = 0; output < outputs; output++) {
    for (let member = 0; member < members; member++) {
      const { offset, terms } = at(output, member);
      if (JSON.stringify(terms) !== JSON.stringify(first.terms)) return false;
      if (offset - first.offset !== bits(block.outputs, output) + bits(block.members, member)) return false;
    }
  }
  return first.offset % block.bits === weight.layout.offset % block.bits && first.terms.every((t) => t.coeff % block.bits === 0);
}

/** True where a group is short enough to be written out, without a loop of its own. */
const isShort = (dot: Dot): boolean => dot.extent <= 8;

/** Writes the sums that wait. */
export function emitShared(waiting: readonly PendingSum[], scope: Scope, context: Context): void {
  const [{ dot }] = waiting;
  const { weight } = dotOperands(dot, context.program)!;
  const members = 2 * cutsOf(weight.layout.elementBits)!.length;
  const vector = `${dot.axis}.vector`;
  const vectors = dot.extent / members;
  const sums = waiting.map((w) => registers(w, isShort(dot), context));
  const products = (range: readonly [number, number], inner: Scope): void => {
    for (let pair = 0; pair < members / 2; pair++) {
      waiting.forEach((w, i) => {
        if (w.dot.axis !== dot.axis || w.dot.extent !== dot.extent) fail('program/invalid', context.kernel.name, 'sums of two outputs a lane stand side by side that do not run together');
        const own: Context = { ...context, ranges: new Map(w.ranges).set(vector, range).set(w.lane, [0, 0]), lane: undefined };
        const weights = cutOut(memberAt(w.dot.b as Load, w.dot.axis, vector, members, 0), pair, inner, own);
        const x = pairOf(memberAt(w.dot.a as Load, w.dot.axis, vector, members, 2 * pair), inner, own);
        inner.lines.push(`${sums[i].both} = i32x4.add(${sums[i].both}, i32x4.dot_i16x8_s(${x}, ${weights}));`);
      });
    }
  };
  if (isShort(dot)) {
    for (let v = 0; v < vectors; v++) products([v, v], scope);
    scope.lines.push(...sums.map(partRunning));
    return;
  }
  const loop: LoopScope = { parent: scope.loop, axis: vector, counterName: context.names.fresh(counterName(vector)), start: 0, extent: vectors, pointers: new Map() };
  const inner: Scope = { loop, lines: [], values: new Map() };
  products([0, vectors - 1], inner);
  scope.lines.push(...sums.map(({ both }) => `let ${both}: v128 = i32x4.splat(0);`), ...loopLines(loop, inner.lines, context.names), ...sums.flatMap(partWhole));
}

function registers(w: PendingSum, isRunning: boolean, context: Context): Both {
  const { lanes } = context.target;
  const [low, high] = [0, lanes].map((first) => {
    const own: Context = { ...context, ranges: new Map(w.ranges).set(w.lane, [first, first + lanes - 1]), lane: w.lane };
    return localRegister(w.local, w.at, own).name;
  });
  return { low, high, both: isRunning ? bothOf(low) : context.names.fresh('both') };
}

/** The load of a member of the group, in the given vector. */
export function memberAt(load: Load, axis: string, vector: string, members: number, member: number): Load {
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

/** The registers of the first and of the second outputs, and the one that sums both up during a reduction. */
interface Both {
  readonly low: string;
  readonly high: string;
  readonly both: string;
}

const bothOf = (low: string): string => `${low}_both`;

/** The low bits of a lane with their sign. */
const lowOf = (text: string): string => `i32x4.shr_s(i32x4.shl(${text}, ${32 - sumBits}), ${32 - sumBits})`;

/** Of a short group: what the first outputs' sums grew by. The second ones' stay above them until the reduction ends. */
const partRunning = ({ low, both }: Both): string => `${low} = i32x4.add(${low}, ${lowOf(`i32x4.sub(${both}, ${low})`)});`;

/**
 * Of a longer one, all of it: V8 spills sums that live on in a loop around the one that adds to them. Half a unit more
 * for the second outputs, so that a sum below zero does not take one from what is above it.
 */
const partWhole = ({ low, high, both }: Both): string[] => [
  `${low} = i32x4.add(${low}, ${lowOf(both)});`,
  `${high} = i32x4.add(${high}, i32x4.shr_s(i32x4.add(${both}, i32x4.splat(${2 ** (sumBits - 1)})), ${sumBits}));`,
];

/** The loops that are whole reductions by sums of short groups, with the registers of their tiles: what stands before and after them. */
export function sharedReductions(body: readonly Stmt[], outer: Context): Map<Stmt, readonly Both[]> {
  const context: Context = { ...outer, ranges: new Map(outer.ranges) };
  walkStmts(body, { stmt: (s) => { if (s.kind === 'loop') context.ranges.set(s.axis, [s.start, s.start + s.extent - 1]); } });
  const found = new Map<Stmt, readonly Both[]>();
  const visit = (list: readonly Stmt[]): void => {
    for (const s of list) {
      if (s.kind !== 'loop') continue;
      const [sums, others] = [new Set<string>(), new Set<string>()];
      walkStmts([s], {
        stmt(x) {
          const sum = x.kind === 'loop' ? sharedOfLoop(x, context) : undefined;
          if (sum && isShort(sum.dot)) sums.add(sum.local);
          else if (x.kind === 'set' && !(x.value.op === 'add' && x.value.b.op === 'dot')) others.add(x.name);
        },
      });
      if (sums.size === 0) continue;
      if ([...sums].some((name) => others.has(name))) visit(s.body);
      else found.set(s, [...sums].flatMap((name) => registersOf(name, context)));
    }
  };
  visit(body);
  return found;
}

function registersOf(local: string, context: Context): Both[] {
  const { shape } = context.kernel.scheduled!.locals.find((l) => l.name === local)!;
  const tile = shape.slice(0, -1).reduce<number[][]>((all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])), [[]]);
  return tile.map((at) => {
    const low = registerName(local, [...at, 0]);
    return { low, high: registerName(local, [...at, 1]), both: bothOf(low) };
  });
}

export const declareBoth = (all: readonly Both[]): string[] => all.map(({ both }) => `let ${both}: v128 = i32x4.splat(0);`);
export const beginBoth = (all: readonly Both[]): string[] => all.map(({ low, both }) => `${both} = ${low};`);
/** Nothing but the second outputs' sums is above the first ones'. */
export const endBoth = (all: readonly Both[]): string[] => all.map(({ low, high, both }) => `${high} = i32x4.add(${high}, i32x4.shr_s(i32x4.sub(${both}, ${low}), ${sumBits}));`);
