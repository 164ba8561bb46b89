/**
 * Sums of products by lookups: `dot` with a table, in lanes of bytes. The sums of a whole tile are written side by side,
 * so that codes of weights are unpacked once for all rows and tables are loaded once for all columns.
 *
 * What is looked up is in ir/lookup.ts; a dot that does not lie so is written by its meaning (expression.ts).
 */
import { sum, times } from '../ir/build.js';
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { mapExpr, substitute } from '../ir/indexing.js';
import { columns, dotOperands, lookupOf, type Lookup } from '../ir/lookup.js';
import type { Expr, Index, Stmt } from '../ir/program.js';
import { walkStmts } from '../ir/walk.js';
import { baseOf, localRegister, share, type Context, type PendingSum } from './context.js';
import { place } from './place.js';
import { counterName, loopLines, type LoopScope, type Scope } from './scope.js';

type Dot = Extract<Expr, { op: 'dot' }>;
type Load = Extract<Expr, { op: 'load' }>;

/** The sum that a statement adds to a register by lookups, where it is one. */
function lookupOfStmt(s: Stmt): { local: string; at: readonly Index[]; dot: Dot } | undefined {
  if (s.kind !== 'set' || s.value.op !== 'add' || s.value.b.op !== 'dot' || s.value.b.table === undefined) return undefined;
  const own = s.value.a.op === 'local' && s.value.a.name === s.name;
  return own ? { local: s.name, at: s.at, dot: s.value.b } : undefined;
}

/** Locals to which nothing is set but numbers and sums by lookups. */
export function lookupLocals(body: readonly Stmt[], context: Context): Set<string> {
  const sums = new Set<Stmt>();
  const found = new Set<string>();
  const others = new Set<string>();
  walkStmts(body, {
    stmt(s) {
      if (s.kind === 'loop' && lookupOfLoop(s, context)) sums.add(s.body[0]);
      if (s.kind !== 'set') return;
      if (sums.has(s)) found.add(s.name);
      else if (s.value.op !== 'int') others.add(s.name);
    },
  });
  for (const name of others) found.delete(name);
  return found;
}

/** Products whose weights share a byte. */
const perByte = (fieldBits: number): number => 8 / fieldBits;

/** The sum of a vector loop over bytes, where operands lie as lookups need them: a byte of fields a lane, data side by side. */
export function lookupOfLoop(loop: Extract<Stmt, { kind: 'loop' }>, context: Context): { local: string; at: readonly Index[]; dot: Dot } | undefined {
  const found = loop.body.length === 1 ? lookupOfStmt(loop.body[0]) : undefined;
  const operands = found && dotOperands(found.dot, context.program);
  if (!operands || loop.mode !== 'vector' || loop.extent !== context.target.lookups) return undefined;
  const { data, weight } = operands;
  const { elementBits, containerBits } = weight.layout;
  const form = lookupOf(data, elementBits);
  const even = form !== undefined && containerBits === 8 && data.layout.elementBits <= 16 && form.members > 1 && found.dot.extent % perByte(elementBits) === 0;
  return even ? found : undefined;
}

/** Writes the sums that wait. Those of one dot's extent share a loop over the bytes of weights. */
export function emitLookups(waiting: readonly PendingSum[], scope: Scope, context: Context): void {
  const [{ dot }] = waiting;
  const { data, weight } = dotOperands(dot, context.program)!;
  const form = lookupOf(data, weight.layout.elementBits)!;
  const count = perByte(form.fieldBits);
  const parts = waiting.map(() => context.names.fresh('part'));
  const byte = `${dot.axis}.byte`;
  const steps = dot.extent / count;
  const loop: LoopScope = { parent: scope.loop, axis: byte, counterName: context.names.fresh(counterName(byte)), start: 0, extent: steps, pointers: new Map() };
  const inner: Scope = { loop, lines: [], values: new Map() };
  // Codes stay below 16, where engines agree; the other instruction first clamps them on x86.
  const swizzle = context.target.features.includes('relaxed-simd') ? 'i8x16.relaxed_swizzle' : 'i8x16.swizzle';
  waiting.forEach((w, i) => {
    if (w.dot.axis !== dot.axis || w.dot.extent !== dot.extent) fail('program/invalid', context.kernel.name, 'sums by lookups stand side by side that do not run together');
    const ranges = new Map(w.ranges);
    ranges.set(byte, [0, steps - 1]).set(w.lane, [0, context.target.lookups - 1]);
    const own: Context = { ...context, ranges, lane: w.lane };
    const [low, high] = codes(at(w.dot.b as Load, w.dot.axis, byte, count, 0), inner, own);
    const tables = [0, 1].map((half) => tableRow(at(w.dot.a as Load, w.dot.axis, byte, count, half * form.members), w.dot.table!, form, inner, own));
    inner.lines.push(`${parts[i]} = i8x16.add(${parts[i]}, i8x16.add(${swizzle}(${tables[0]}, ${low}), ${swizzle}(${tables[1]}, ${high})));`);
  });
  scope.lines.push(...parts.map((name) => `let ${name}: v128 = i8x16.splat(0);`), ...loopLines(loop, inner.lines, context.names));
  waiting.forEach((w, i) => addPart(w, parts[i], scope, context));
}

/** The load of member `count * byte + offset` of the group. */
function at(load: Load, axis: string, byte: string, count: number, offset: number): Load {
  const map = new Map([[axis, sum(times(byte, count), offset)]]);
  return mapExpr(load, (i) => substitute(i, map)) as Load;
}

/** The two vectors of codes that sixteen bytes of weights hold. */
function codes(load: Load, scope: Scope, context: Context): readonly [string, string] {
  const tensor = context.program.tensors[load.tensor];
  const p = place(tensor, load.at, undefined, scope, context);
  if (!p || p.laneStride !== 8) fail('program/invalid', tensor.name, 'its fields do not lie a byte a lane');
  const key = `${p.pointer}+${p.offset}`;
  const bytes = share(`codes ${key}`, tensor.buffer, 'v128', `v128.load(${p.pointer}, ${p.offset})`, scope, context);
  const low = share(`low codes ${key}`, tensor.buffer, 'v128', `v128.and(${bytes}, i8x16.splat(15))`, scope, context);
  const high = share(`high codes ${key}`, tensor.buffer, 'v128', `v128.and(i16x8.shr_u(${bytes}, 4), i8x16.splat(15))`, scope, context);
  return [low, high];
}

/**
 * The row of the table for some neighbours of the data. One multiplication moves the members' low bits together; members
 * above leave the word or are masked, those below stay below. The row's place in bytes is sixteen-fold.
 */
function tableRow(load: Load, table: string, form: Lookup, scope: Scope, context: Context): string {
  const { members, dataBits, rows } = form;
  const tensor = context.program.tensors[load.tensor];
  const start = baseOf(context.program.tensors[table].buffer, 0, context);
  const p = place(tensor, load.at, undefined, scope, context);
  if (!p || p.laneStride !== 0) fail('program/invalid', tensor.name, 'the data of a lookup differ by lane');
  const { elementBits } = tensor.layout;
  const width = elementBits * members;
  // With 16 bits an element the word's top is the row's place; with 8 the row lies further below, and needs a mask.
  const at = elementBits === 16 ? width - 12 : elementBits * (members - 1);
  let factor = 0n;
  let mask = 0n;
  for (let i = 0; i < members; i++) {
    factor |= 1n << BigInt(at + (dataBits - elementBits) * i);
    mask |= (2n ** BigInt(dataBits) - 1n) << BigInt(elementBits * i);
  }
  const word = width <= 32 ? 'u32' : 'u64';
  const loaded = width === 16 ? `<u32>load<u16>(${p.pointer}, ${p.offset})` : `load<${word}>(${p.pointer}, ${p.offset})`;
  const bits = describe(tensor.dtype).signed ? `(${loaded} & ${hex(mask)})` : loaded;
  const row16 = `((${bits} * ${hex(factor)}) >> ${at - 4})`;
  const moved = elementBits === 16 ? `<usize>${row16}` : `<usize>(${row16} & ${16 * (rows - 1)})`;
  const row = start.base === '0' ? moved : `(${moved} + ${start.base})`;
  return share(`row ${p.pointer}+${p.offset} ${table}`, tensor.buffer, 'v128', `v128.load(${row}, ${start.offset})`, scope, context);
}

const hex = (n: bigint): string => `0x${n.toString(16)}`;

/** Widens sums of 8 bits into the registers of their local. */
function addPart(w: PendingSum, part: string, scope: Scope, context: Context): void {
  const { lanes } = context.target;
  const registers = new Map<string, number>();
  for (let first = 0; first < columns; first += lanes) {
    const own: Context = { ...context, ranges: new Map(w.ranges).set(w.lane, [first, first + lanes - 1]), lane: w.lane };
    const { name } = localRegister(w.local, w.at, own);
    if (!registers.has(name)) registers.set(name, first);
  }
  const wide = (first: number): string => `i16x8.extend_${first < 8 ? 'low' : 'high'}_i8x16_s(${part})`;
  for (const [name, first] of registers) {
    if (context.locals.get(name)!.half) scope.lines.push(`${name} = i16x8.add(${name}, ${wide(first)});`);
    else scope.lines.push(`${name} = i32x4.add(${name}, i32x4.extend_${first % 8 < 4 ? 'low' : 'high'}_i16x8_s(${wide(first)}));`);
  }
}
