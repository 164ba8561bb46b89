/**
 * Stores. Vectors that are narrower in memory than in registers are collected: narrowed two or four at a time, of one row or of
 * several, clamped by the narrowing itself where that does it; neighbours are stored together. Where values take long to compute, all
 * vectors of a loop body are stored at its end: engines keep the order of loads and stores, and what is loaded after a store is
 * computed after it.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { address, interval, simplify, substitute } from '../ir/indexing.js';
import type { Expr, Stmt } from '../ir/program.js';
import { emitBitStore } from './bits.js';
import { baseOf, conditionText, toVector, type Context, type Value } from './context.js';
import { halves, storeHalves } from './halves.js';
import { memoryType } from './memory.js';
import { flushStores, laneStores, narrowed } from './pending.js';
import { place, type Place } from './place.js';
import { indexText, type Scope } from './scope.js';

export function emitStore(s: Extract<Stmt, { kind: 'store' }>, scope: Scope, context: Context): void {
  const tensor = context.program.tensors[s.tensor];
  const { elementBits, containerBits } = tensor.layout;
  const fail_ = (why: string): never => fail('program/invalid', tensor.name, why);
  if (elementBits !== containerBits && (elementBits !== 1 || !tensor.layout.code)) fail_('packed fields of several bits are constants; they are not stored to');
  const guard = s.guard ?? [];
  const open = guard.filter((c) => {
    const [lo, hi] = interval(c.index, context.ranges);
    return lo < c.lo || hi >= c.hi;
  });
  const laneGuard = context.lane === undefined ? [] : open.filter((c) => simplify(c.index, context.ranges).terms.some((t) => t.of === context.lane));
  const condition = conditionText(open.filter((c) => !laneGuard.includes(c)), scope, context);
  if (condition === 'false') return;
  let lanes = context.target.lanes;
  for (const c of laneGuard) {
    const i = simplify(c.index, context.ranges);
    if (i.terms.length !== 1 || i.terms[0].coeff !== 1) fail_('lanes are guarded by a condition that is not known at compile time');
    lanes = Math.min(lanes, c.hi - i.offset - context.ranges.get(context.lane!)![0]);
  }
  if (lanes <= 0) return;
  if (elementBits === 1) {
    if (condition !== 'true' || lanes !== context.target.lanes) fail_('its bits are stored under a condition');
    return emitBitStore(s, tensor, scope, context);
  }
  const p = place(tensor, s.at, undefined, scope, context);
  const isVector = context.lane !== undefined && p !== undefined && p.laneStride === elementBits;
  const two = p || lanes !== context.target.lanes || condition !== 'true' ? undefined : halves(tensor, s.at, scope, context);
  if (isVector && elementBits < 32 && lanes === context.target.lanes && condition === 'true') {
    collect(s.value, tensor.dtype, tensor.buffer, elementBits, p, scope, context);
  } else if (two) {
    const name = context.names.fresh('t');
    if (!context.held) flushStores(context);
    scope.lines.push(`const ${name}: v128 = ${toVector(context.expression(s.value, scope, context), scope, context)};`);
    const lines = storeHalves(two, name);
    if (context.held) context.held.push(...lines.map((line) => ({ buffer: tensor.buffer, scope, line })));
    else scope.lines.push(...lines);
  } else if (context.held && isVector && elementBits === 32 && lanes === context.target.lanes && condition === 'true') {
    const name = context.names.fresh('t');
    scope.lines.push(`const ${name}: v128 = ${toVector(context.expression(s.value, scope, context), scope, context)};`);
    context.held.push({ buffer: tensor.buffer, scope, line: `v128.store(${p.pointer}, ${name}, ${p.offset});` });
  } else {
    flushStores(context);
    const value = context.expression(s.value, scope, context);
    const lines: string[] = [];
    if (context.lane === undefined || (p && p.laneStride === 0)) {
      const start = p ? { base: p.pointer, offset: p.offset } : baseOf(tensor.buffer, 0, context);
      const to = p ? `${p.pointer}, ` : `${start.base} + <usize>(${indexText(scope.loop, address(tensor.layout, s.at, context.ranges), context.ranges)} / 8), `;
      const { offset } = start;
      const text = value.shape === 'vector' ? extractLane(value, 0) : value.mask ? `<i32>(${value.text})` : value.text;
      lines.push(`store<${memoryType(elementBits, tensor.dtype)}>(${to}${text}${offset === 0 ? '' : `, ${offset}`});`);
    } else if (isVector) {
      lines.push(...vectorStores(toVector(value, scope, context), elementBits, describe(tensor.dtype).signed, p, lanes, context));
    } else {
      const whole = context.names.fresh('t');
      lines.push(`const ${whole}: v128 = ${toVector(value, scope, context)};`);
      const [start] = context.ranges.get(context.lane)!;
      for (let lane = 0; lane < lanes; lane++) {
        const map = new Map([[context.lane, { offset: start + lane, terms: [] }]]);
        const at = s.at.map((i) => substitute(i, map));
        const q = place(tensor, at, undefined, scope, context) ?? fail_('its lanes have no even place');
        lines.push(`store<${memoryType(elementBits, tensor.dtype)}>(${q.pointer}, ${extractLane({ ...value, text: whole }, lane)}, ${q.offset});`);
      }
    }
    scope.lines.push(...(condition === 'true' ? lines : [`if (${condition}) {`, ...lines.map((l) => `  ${l}`), '}']));
  }
  for (const [key, v] of scope.values) if (v.buffer === tensor.buffer) scope.values.delete(key);
}

function extractLane(v: Value, lane: number): string {
  return `${v.type === 'float32' ? 'f32x4' : 'i32x4'}.extract_lane(${v.text}, ${lane})`;
}

/** One vector, or its first lanes. */
function vectorStores(value: string, bits: number, signed: boolean, p: Place, lanes: number, context: Context): string[] {
  if (bits === 32 && lanes === 4) return [`v128.store(${p.pointer}, ${value}, ${p.offset});`];
  const name = context.names.fresh('t');
  return [`const ${name}: v128 = ${bits === 32 ? value : narrowed([value], bits, signed, undefined)};`, ...laneStores(name, lanes * bits, p.pointer, p.offset)];
}

// ---- Collecting ----

/** Adds a vector to those that wait, after storing what it cannot be narrowed with. */
function collect(value: Expr, dtype: DataType, buffer: string, bits: number, p: Place, scope: Scope, context: Context): void {
  const { signed } = describe(dtype);
  const clamp = peelClamp(value);
  let inner = context.expression(clamp.inner, scope, context);
  let bounds: readonly [number, number] | undefined = [clamp.lo, clamp.hi];
  const whole = bits === 8 ? (signed ? [-128, 127] : [0, 255]) : signed ? [-32768, 32767] : [0, 65535];
  const isNarrow = bounds[0] >= whole[0] && bounds[1] <= whole[1];
  if (clamp.inner === value || inner.shape !== 'vector' || inner.mask || inner.type === 'uint32' || inner.high !== undefined || !isNarrow) {
    if (clamp.inner !== value) inner = context.expression(value, scope, context);
    bounds = undefined;
  }
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: v128 = ${toVector(inner, scope, context)};`);
  const old = context.pending;
  const bytes = (context.target.lanes * bits) / 8;
  const joins = old && old.scope === scope && old.buffer === buffer && old.bits === bits && old.signed === signed && String(old.bounds) === String(bounds);
  if (!joins) flushStores(context);
  const parts = [...(joins ? old.parts : []), name];
  const runs = [...(joins ? old.runs : [])];
  const last = runs[runs.length - 1];
  if (last && last.pointer === p.pointer && last.offset + last.count * bytes === p.offset) runs[runs.length - 1] = { ...last, count: last.count + 1 };
  else runs.push({ pointer: p.pointer, offset: p.offset, count: 1 });
  context.pending = { scope, buffer, bits, signed, bounds, parts, runs };
  if (parts.length * bytes === 16) flushStores(context);
}

/** The value as min(max(inner, lo), hi), of integers of at most 32 bits. */
function peelClamp(e: Expr): { inner: Expr; lo: number; hi: number } {
  const none = { inner: e, lo: -Infinity, hi: Infinity };
  if (!('type' in e) || e.type === 'float32') return none;
  const bounded = (inner: Expr, least: number, most: number): { inner: Expr; lo: number; hi: number } => {
    const clamp = peelClamp(inner);
    const into = (x: number): number => Math.min(Math.max(x, least), most);
    return { inner: clamp.inner, lo: into(clamp.lo), hi: into(clamp.hi) };
  };
  if (e.op === 'max' && e.b.op === 'int') return bounded(e.a, e.b.value, Infinity);
  if (e.op === 'min' && e.b.op === 'int') return bounded(e.a, -Infinity, e.b.value);
  if (e.op === 'convert' && 'type' in e.a && e.a.type !== 'float32' && describe(e.a.type).bits <= 32) {
    const { min, max } = describe(e.type);
    return e.saturate ? bounded(e.a, min, max) : bounded(e.a, -Infinity, Infinity);
  }
  return none;
}
