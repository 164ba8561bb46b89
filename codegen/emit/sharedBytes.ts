/**
 * Sums of products with two outputs a byte: u0 + 16 * u1 is multiplied as it lies, and once more shifted to u1, so that a vector
 * of weights takes one instruction to widen and one to shift. What the codes are above the weights goes with the sum of the data.
 */
import type { Index, Stmt } from '../ir/program.js';
import { dotOperands } from '../ir/lookup.js';
import { byteDigits, outputs } from '../ir/sharedLanes.js';
import { fail } from '../ir/diagnostic.js';
import { localRegister, share, type Context, type PendingSum } from './context.js';
import { place, type Place } from './place.js';
import { counterName, loopLines, type LoopScope, type Scope } from './scope.js';
import { liesIn, memberAt, type Dot, type Load } from './shared.js';

/** Members that one vector of data holds. */
const neighbours = 8;

/** The sum of a vector loop over eight outputs, where two share a byte, and the data lie side by side. */
export function sharedBytesOfLoop(loop: Extract<Stmt, { kind: 'loop' }>, context: Context): { local: string; at: readonly Index[]; dot: Dot; bytes: true } | undefined {
  const [s] = loop.body;
  if (loop.mode !== 'vector' || loop.extent !== outputs || loop.body.length !== 1 || s.kind !== 'set' || s.value.op !== 'add' || s.value.b.op !== 'dot') return undefined;
  const { a: own, b: dot } = s.value;
  const operands = dot.table === undefined && !dot.bytes && context.target.dots.length > 0 ? dotOperands(dot, context.program) : undefined;
  if (!operands || own.op !== 'local' || own.name !== s.name || dot.extent % neighbours !== 0) return undefined;
  const { data, weight } = operands;
  const { elementBits, containerBits, code } = weight.layout;
  const fits = data.layout.elementBits === 16 && data.layout.containerBits === 16 && data.dtype !== 'float32' && elementBits === 4 && containerBits === 8 && code?.step === 1;
  return fits && liesIn(byteDigits, weight, dot, loop.axis, context) ? { local: s.name, at: s.at, dot, bytes: true } : undefined;
}

/** Writes the sums that wait. */
export function emitSharedBytes(waiting: readonly PendingSum[], scope: Scope, context: Context): void {
  const [{ dot }] = waiting;
  const { code } = dotOperands(dot, context.program)!.weight.layout;
  const pair = `${dot.axis}.pair`;
  const loop = loopOf(pair, dot.extent / 2, scope, context);
  const inner: Scope = { loop, lines: [], values: new Map() };
  const parts = waiting.map(() => [context.names.fresh('part'), context.names.fresh('part')] as const);
  const bias = waiting.map((w) => sumOfData(w, code!.base, scope, context));
  waiting.forEach((w, i) => {
    if (w.dot.axis !== dot.axis || w.dot.extent !== dot.extent) fail('program/invalid', context.kernel.name, 'sums of two outputs a byte stand side by side that do not run together');
    const own: Context = { ...context, ranges: new Map(w.ranges).set(pair, [0, loop.extent - 1]).set(w.lane, [0, 0]), lane: undefined };
    const x = wholePlace(memberAt(w.dot.a as Load, dot.axis, pair, 2, 0), inner, own);
    const at = wholePlace(memberAt(w.dot.b as Load, dot.axis, pair, 2, 0), inner, own);
    const data = share(`pair ${x.pointer}+${x.offset}`, undefined, 'v128', `v128.load32_splat(${x.pointer}, ${x.offset})`, inner, context);
    const weights = share(`both ${at.pointer}+${at.offset}`, undefined, 'v128', `v128.load_ext<u8>(${at.pointer}, ${at.offset})`, inner, context);
    const [both, high] = parts[i];
    inner.lines.push(`${both} = i32x4.add(${both}, i32x4.dot_i16x8_s(${data}, ${weights}));`);
    inner.lines.push(`${high} = i32x4.add(${high}, i32x4.dot_i16x8_s(${data}, i16x8.shr_u(${weights}, 4)));`);
  });
  scope.lines.push(...parts.flat().map((name) => `let ${name}: v128 = i32x4.splat(0);`), ...loopLines(loop, inner.lines, context.names));
  waiting.forEach((w, i) => {
    const [both, high] = parts[i];
    const [first, second] = [0, context.target.lanes].map((from) => localRegister(w.local, w.at, { ...context, ranges: new Map(w.ranges).set(w.lane, [from, from + context.target.lanes - 1]), lane: w.lane }).name);
    scope.lines.push(`${first} = i32x4.add(i32x4.add(${first}, ${bias[i]}), i32x4.sub(${both}, i32x4.shl(${high}, 4)));`);
    scope.lines.push(`${second} = i32x4.add(i32x4.add(${second}, ${bias[i]}), ${high});`);
  });
}

function loopOf(axis: string, extent: number, scope: Scope, context: Context): LoopScope {
  return { parent: scope.loop, axis, counterName: context.names.fresh(counterName(axis)), start: 0, extent, pointers: new Map() };
}

function wholePlace(load: Load, scope: Scope, context: Context): Place {
  const tensor = context.program.tensors[load.tensor];
  const p = place(tensor, load.at, undefined, scope, context);
  if (!p || p.shift !== 0) fail('program/invalid', tensor.name, 'its elements do not lie in whole bytes');
  return p;
}

/** The sum of a group's data, times a factor, in all lanes. */
function sumOfData(w: PendingSum, factor: number, scope: Scope, context: Context): string {
  const axis = `${w.dot.axis}.eight`;
  const loop = loopOf(axis, w.dot.extent / neighbours, scope, context);
  const own: Context = { ...context, ranges: new Map(w.ranges).set(axis, [0, loop.extent - 1]).set(w.lane, [0, 0]), lane: undefined };
  const x = wholePlace(memberAt(w.dot.a as Load, w.dot.axis, axis, neighbours, 0), { loop, lines: [], values: new Map() }, own);
  const key = `sum of ${w.dot.extent} from ${[...loop.pointers.values()].map((p) => p.from).join(' ')}+${x.offset} in ${(w.dot.a as Load).tensor}`;
  const old = scope.values.get(key);
  if (old) return old.text;
  const name = context.names.fresh('sum');
  const turned = (text: string, lanes: string): string => `${name} = i32x4.add(${text}, v128.shuffle<i32>(${text}, ${text}, ${lanes}));`;
  scope.lines.push(
    `let ${name}: v128 = i32x4.splat(0);`,
    ...loopLines(loop, [`${name} = i32x4.add(${name}, i32x4.dot_i16x8_s(v128.load(${x.pointer}, ${x.offset}), i16x8.splat(${factor})));`], context.names),
    turned(name, '2, 3, 0, 1'),
    turned(name, '1, 0, 3, 2'),
  );
  scope.values.set(key, { text: name, buffer: context.program.tensors[(w.dot.a as Load).tensor].buffer });
  return name;
}
