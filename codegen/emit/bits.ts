/**
 * Stores of bits. Neighbours are collected until they fill bytes: bits of one byte in a scalar, lanes that are
 * neighbours by their sign bits, lanes that lie apart each in a byte of its own. Whatever fills no byte is put between the
 * bits that are there.
 */
import { address, substitute } from '../ir/indexing.js';
import type { Expr, Index, Stmt, Tensor } from '../ir/program.js';
import { baseOf, toVector, type Context, type PendingBits, type Value } from './context.js';
import { place, type Place } from './place.js';
import { flushStores } from './pending.js';
import { indexText, type Scope } from './scope.js';

const byte = 8;

/** A store to a tensor of one-bit codes that always happens, and in all lanes. */
export function emitBitStore(s: Extract<Stmt, { kind: 'store' }>, tensor: Tensor, scope: Scope, context: Context): void {
  const bit = bitOf(s.value, tensor.layout.code!.base, scope, context);
  const p = place(tensor, s.at, undefined, scope, context);
  const { lane } = context;
  if (lane === undefined) {
    const text = `<i32>${bit.mask ? `(${bit.text})` : bit.text}`;
    if (p) collect(text, undefined, p, tensor, scope, context);
    else storeAnywhere(text, s.at, tensor, scope, context);
    return;
  }
  if (p && bit.shape === 'vector' && (p.laneStride === 1 || (p.laneStride !== 0 && p.laneStride % byte === 0))) {
    collect(bit.text, p.laneStride, p, tensor, scope, context);
    return;
  }
  flushStores(context);
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: v128 = ${toVector(bit, scope, context)};`);
  const [start] = context.ranges.get(lane)!;
  const whole: Context = { ...context, lane: undefined, ranges: new Map(context.ranges) };
  for (let i = 0; i < context.target.lanes; i++) {
    const at = s.at.map((x) => substitute(x, new Map([[lane, { offset: start + i, terms: [] }]])));
    storeAnywhere(`i32x4.extract_lane(${name}, ${i})`, at, tensor, scope, whole);
  }
}

/** Whether a value is the greater of its two codes: the condition itself where it chooses between them. */
function bitOf(e: Expr, base: number, scope: Scope, context: Context): Value {
  const chosen = choice(e, base);
  if (chosen) return context.expression(chosen, scope, context);
  const value = context.expression(e, scope, context);
  if (value.shape === 'vector') return { text: `i32x4.ne(${toVector(value, scope, context)}, i32x4.splat(${base}))`, type: 'uint1', shape: 'vector', mask: true };
  return { text: `${value.mask ? `<i32>(${value.text})` : value.text} != ${base}`, type: 'uint1', shape: 'scalar', mask: true };
}

/** The condition under which an expression is not `base`, where it is a choice between that and another number. */
function choice(e: Expr, base: number): Expr | undefined {
  if (e.op === 'add' && e.a.op === 'int') return choice(e.b, base - e.a.value);
  if (e.op === 'add' && e.b.op === 'int') return choice(e.a, base - e.b.value);
  if (e.op === 'convert' && !e.saturate) return choice(e.a, base);
  const isChoice = e.op === 'select' && e.a.op === 'int' && e.b.op === 'int' && e.a.value !== base && e.b.value === base;
  return isChoice ? e.cond : undefined;
}

function collect(text: string, laneStride: number | undefined, p: Place, tensor: Tensor, scope: Scope, context: Context): void {
  const name = context.names.fresh('bit');
  scope.lines.push(`const ${name}: ${laneStride === undefined ? 'i32' : 'v128'} = ${text};`);
  const old = context.pendingBits;
  const width = laneStride === 1 ? context.target.lanes : 1;
  const at = byte * p.offset + p.shift;
  const isNext = old && old.scope === scope && old.buffer === tensor.buffer && old.pointer === p.pointer && old.laneStride === laneStride
    && byte * old.offset + old.shift + old.parts.length * width === at;
  if (!isNext) flushStores(context);
  const next: PendingBits = isNext ? { ...old, parts: [...old.parts, name] } : { scope, buffer: tensor.buffer, pointer: p.pointer, offset: p.offset, shift: p.shift, laneStride, parts: [name] };
  context.pendingBits = next;
  const end = next.shift + next.parts.length * width;
  if (end === (laneStride === 1 && next.shift === 0 ? 2 * byte : byte)) flushStores(context);
}

/** One bit whose place within its byte depends on loops. */
function storeAnywhere(bit: string, at: readonly Index[], tensor: Tensor, scope: Scope, context: Context): void {
  flushStores(context);
  const { base, offset } = baseOf(tensor.buffer, 0, context);
  const [value, from, to] = ['bit', 'at', 'to'].map((n) => context.names.fresh(n));
  scope.lines.push(
    `const ${value}: i32 = ${bit};`,
    `const ${from}: i32 = ${indexText(scope.loop, address(tensor.layout, at, context.ranges), context.ranges)};`,
    `const ${to}: usize = ${base} + <usize>(${from} >> 3);`,
    `store<u8>(${to}, (<i32>load<u8>(${to}, ${offset}) & ~(1 << (${from} & 7))) | ((${value} & 1) << (${from} & 7)), ${offset});`,
  );
}
