/**
 * Loads as AssemblyScript text: whole elements, packed fields, vectors of lanes, groups of products.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { address, interval, simplify } from '../ir/indexing.js';
import type { Expr, Tensor } from '../ir/program.js';
import { baseOf, conditionText, fromLanes, scalarType, share, toVector, type Context, type Value } from './context.js';
import { halves, loadHalves } from './halves.js';
import { flushStores } from './pending.js';
import { mentions, place, type Place } from './place.js';
import { indexText, type Scope } from './scope.js';

type Load = Extract<Expr, { op: 'load' }>;

/** `inLanes`: a value that is the same in all lanes is wanted in all of them. */
export function emitLoad(e: Load, scope: Scope, context: Context, inLanes = false): Value {
  const tensor = context.program.tensors[e.tensor];
  if (context.pending?.buffer === tensor.buffer || context.pendingBits?.buffer === tensor.buffer || context.held?.some((h) => h.buffer === tensor.buffer)) flushStores(context);
  const guard = e.guard ?? [];
  if (guard.length > 0) {
    if (context.lane !== undefined && guard.some((c) => simplify(c.index, context.ranges).terms.some((t) => mentions(t, context.lane)))) return gather(e, scope, context);
    const condition = conditionText(guard, scope, context);
    if (condition === 'false') return context.expression(e.otherwise!, scope, context);
    if (condition !== 'true') {
      // The load must not run where the guard fails: it gets a scope of its own.
      const type = tensor.dtype;
      const value = emitLoad({ op: 'load', tensor: e.tensor, at: e.at }, { loop: scope.loop, lines: [], values: new Map() }, { ...context, inline: true } as Context);
      const other = context.expression(e.otherwise!, scope, context);
      const vector = value.shape === 'vector';
      const text = vector ? `(${condition} ? ${value.text} : ${toVector(other, scope, context)})` : `(${condition} ? ${value.text} : ${other.text})`;
      return { text, type, shape: value.shape };
    }
  }
  const looked = tablePlace(tensor, e, context);
  if (looked) return context.lane !== undefined && dependsOnLane(e, context) ? gather(e, scope, context) : looked(scope);
  const p = place(tensor, e.at, undefined, scope, context);
  const two = p ? undefined : halves(tensor, e.at, scope, context);
  if (two) return { text: share(`halves ${two.pointer}+${two.offsets.join('.')}`, tensor.buffer, 'v128', loadHalves(two), scope, context), type: tensor.dtype, shape: 'vector' };
  if (!p) return context.lane !== undefined && dependsOnLane(e, context) ? gather(e, scope, context) : unevenLoad(tensor, e, scope, context);
  const type = tensor.dtype;
  if (context.lane !== undefined && p.laneStride === 0 && (type === 'float32' || (inLanes && tensor.layout.elementBits === 32))) {
    // Into all lanes at once: a splat of its own costs a fifth of a convolution's time.
    return { text: shareLoad(tensor, p, 'splat', 'v128', `v128.load32_splat(${p.pointer}, ${p.offset})`, scope, context), type, shape: 'vector' };
  }
  if (context.lane === undefined || p.laneStride === 0) return { text: scalarLoad(tensor, p, scope, context), type, shape: 'scalar' };
  const fields = vectorFields(tensor, p, scope, context);
  if (fields !== undefined) return { text: shareLoad(tensor, p, 'field lanes', 'v128', fields, scope, context), type, shape: 'vector' };
  const text = vectorLoad(tensor, p);
  if (text === undefined) return gather(e, scope, context);
  return { text: shareLoad(tensor, p, 'vector', 'v128', text, scope, context), type, shape: 'vector' };
}

/** A load of whole elements of a table, at a place that each element of a kernel has for itself. */
function tablePlace(tensor: Tensor, e: Load, context: Context): ((scope: Scope) => Value) | undefined {
  const { offset: from, terms } = address(tensor.layout, e.at, context.ranges);
  const [{ coeff, of }] = terms.length === 1 ? terms : [{ coeff: 0, of: '' }];
  if (typeof of === 'string' || !('value' in of)) return undefined;
  return (scope) => {
    const { text, type } = context.expression(of.value, scope, context);
    const { min, max } = describe(type);
    const inside = min >= of.lo && max <= of.hi ? text : `min<i32>(max<i32>(${text}, ${of.lo}), ${of.hi})`;
    const { base, offset } = baseOf(tensor.buffer, from / 8, context);
    const at = `${base === '0' ? '' : `${base} + `}<usize>(${inside}) * ${coeff / 8}`;
    return { text: share(`looked up ${at}+${offset}`, tensor.buffer, scalarType(tensor.dtype), `load<${memoryType(tensor.layout.elementBits, tensor.dtype)}>(${at}, ${offset})`, scope, context), type: tensor.dtype, shape: 'scalar' };
  };
}

function shareLoad(tensor: Tensor, p: Place, kind: string, type: string, text: string, scope: Scope, context: Context): string {
  if ((context as { inline?: boolean }).inline) return text;
  return share(`${kind} ${p.pointer}+${p.offset}.${p.shift} ${tensor.layout.elementBits} ${describe(tensor.dtype).signed}`, tensor.buffer, type, text, scope, context);
}

function dependsOnLane(e: Load, context: Context): boolean {
  return e.at.some((i) => simplify(i, context.ranges).terms.some((t) => mentions(t, context.lane)));
}

/** `i8`, `u16`, `f32` ...: what is in memory. */
export function memoryType(bits: number, dtype: DataType): string {
  return dtype === 'float32' ? 'f32' : `${describe(dtype).signed ? 'i' : 'u'}${bits}`;
}

function scalarLoad(tensor: Tensor, p: Place, scope: Scope, context: Context): string {
  const { elementBits, containerBits } = tensor.layout;
  const type = scalarType(tensor.dtype);
  if (elementBits === containerBits) {
    return shareLoad(tensor, p, 'scalar', type, `load<${memoryType(elementBits, tensor.dtype)}>(${p.pointer}, ${p.offset})`, scope, context);
  }
  const container = shareLoad(tensor, { ...p, shift: 0 }, 'container', 'i32', `load<u${containerBits}>(${p.pointer}, ${p.offset})`, scope, context);
  return fieldValue(tensor, container, p.shift);
}

/** What a field stands for. */
function fieldValue(tensor: Tensor, container: string, shift: number): string {
  const { elementBits, code } = tensor.layout;
  if (!code) return field(container, shift, elementBits, describe(tensor.dtype).signed);
  return `(${field(container, shift, elementBits, false)} * ${code.step} + ${code.base})`;
}

function field(container: string, shift: number, bits: number, signed: boolean): string {
  if (signed) return `((${container} << ${32 - bits - shift}) >> ${32 - bits})`;
  return shift === 0 ? `(${container} & ${2 ** bits - 1})` : `((${container} >> ${shift}) & ${2 ** bits - 1})`;
}

/** A field whose place within its container depends on a loop. */
function unevenLoad(tensor: Tensor, e: Load, scope: Scope, context: Context): Value {
  const { elementBits, containerBits } = tensor.layout;
  const bits = address(tensor.layout, e.at, context.ranges);
  const { base, offset } = baseOf(tensor.buffer, 0, context);
  const text = indexText(scope.loop, bits, context.ranges);
  if (elementBits === containerBits) return { text: `load<${memoryType(elementBits, tensor.dtype)}>(${base} + <usize>(${text} / 8), ${offset})`, type: tensor.dtype, shape: 'scalar' };
  const at = share(`bits ${text}`, undefined, 'i32', text, scope, context);
  const container = `<i32>load<u${containerBits}>(${base} + <usize>(${at} / ${containerBits} * ${containerBits / 8}), ${offset})`;
  const shifted = `(${container} >> (${at} % ${containerBits}))`;
  return { text: fieldValue(tensor, shifted, 0), type: tensor.dtype, shape: 'scalar' };
}

/** Four lanes of 32 bits; undefined where no instruction loads them. */
function vectorLoad(tensor: Tensor, p: Place): string | undefined {
  const { elementBits, containerBits } = tensor.layout;
  if (elementBits !== containerBits || p.laneStride !== elementBits) return undefined;
  const sign = describe(tensor.dtype).signed ? 's' : 'u';
  switch (elementBits) {
    case 32: return `v128.load(${p.pointer}, ${p.offset})`;
    case 16: return `v128.load_ext<${sign === 's' ? 'i' : 'u'}16>(${p.pointer}, ${p.offset})`;
    case 8: return `i32x4.extend_low_i16x8_${sign}(i16x8.extend_low_i8x16_${sign}(v128.load32_zero(${p.pointer}, ${p.offset})))`;
    default: return undefined;
  }
}

/** Four lanes that are fields of neighbouring containers; undefined where they are not. */
function vectorFields(tensor: Tensor, p: Place, scope: Scope, context: Context): string | undefined {
  const { elementBits, containerBits, code } = tensor.layout;
  if (code || elementBits >= containerBits || p.laneStride !== containerBits) return undefined;
  const container = fieldContainers(tensor, p, scope, context);
  const left = 32 - elementBits - p.shift;
  const { signed } = describe(tensor.dtype);
  // The last field has the container's sign.
  if (signed && p.shift + elementBits === containerBits) return `i32x4.shr_s(${container}, ${p.shift})`;
  if (signed) return `i32x4.shr_s(${left === 0 ? container : `i32x4.shl(${container}, ${left})`}, ${32 - elementBits})`;
  const low = p.shift === 0 ? container : `i32x4.shr_u(${container}, ${p.shift})`;
  return p.shift + elementBits === containerBits ? low : `v128.and(${low}, i32x4.splat(${2 ** elementBits - 1}))`;
}

/** The containers of four lanes. */
function fieldContainers(tensor: Tensor, p: Place, scope: Scope, context: Context): string {
  const { containerBits } = tensor.layout;
  const whole: Tensor = { ...tensor, dtype: describe(tensor.dtype).signed ? 'int32' : 'uint32', layout: { ...tensor.layout, elementBits: containerBits } };
  return shareLoad(tensor, { ...p, shift: 0 }, 'field containers', 'v128', vectorLoad(whole, p)!, scope, context);
}

/** Lanes that lie unevenly, one by one. */
function gather(e: Load, scope: Scope, context: Context): Value {
  const dtype = context.program.tensors[e.tensor].dtype;
  const kind = dtype === 'float32' ? 'f32x4' : 'i32x4';
  const lanes = eachLane(e, scope, context);
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: v128 = ${fromLanes(kind, lanes)};`);
  return { text: name, type: dtype, shape: 'vector' };
}

/** The scalar texts of an expression, lane by lane. */
export function eachLane(e: Expr, scope: Scope, context: Context): string[] {
  const [start] = context.ranges.get(context.lane!)!;
  return Array.from({ length: context.target.lanes }, (_, i) => atLane(e, start + i, scope, context));
}

/** The scalar text of an expression in one lane. */
function atLane(e: Expr, lane: number, scope: Scope, context: Context): string {
  const { lane: name } = context;
  const range = context.ranges.get(name!)!;
  context.ranges.set(name!, [lane, lane]);
  context.lane = undefined;
  context.onlyLane = lane - range[0];
  const text = context.expression(e, scope, context).text;
  context.lane = name;
  context.onlyLane = undefined;
  context.ranges.set(name!, range);
  return text;
}

// ---- Groups of products ----

/**
 * The i8x16 operand of a dot product of bytes: lane by lane, up to four members of each group. `clean`: what stands for
 * missing members is zero, else anything.
 */
export function emitQuads(e: Expr, axis: string, scope: Scope, context: Context): { text: string; clean: boolean } {
  if (e.op === 'convert') return emitQuads(e.a, axis, scope, context);
  if (e.op === 'load' && !e.guard) {
    const tensor = context.program.tensors[e.tensor];
    const { elementBits, containerBits } = tensor.layout;
    const extent = context.ranges.get(axis)![1] + 1;
    const p = place(tensor, e.at, axis, scope, context);
    if (p && containerBits === 8) {
      // A single member has no stride.
      const near = p.groupStride === 8 || extent === 1;
      const load = (kind: string, text: string, clean = extent === 4): { text: string; clean: boolean } => ({ text: shareLoad(tensor, p, kind, 'v128', text, scope, context), clean });
      if (p.laneStride === 0 && elementBits === 8 && near) return load('quad', `v128.load32_splat(${p.pointer}, ${p.offset})`);
      if (p.laneStride === 8 && elementBits === 8 && p.groupStride % 8 === 0) return load(`interleaved ${p.groupStride} ${extent}`, interleaved(tensor, p, extent, scope, context));
      if (p.laneStride === 32 && near) {
        const clean = extent === 4 || endsAt(tensor, e, axis, [extent, 3], context);
        if (elementBits === 8) return load('quads', `v128.load(${p.pointer}, ${p.offset})`, clean);
        const container = shareLoad(tensor, { ...p, shift: 0 }, 'quad fields', 'v128', `v128.load(${p.pointer}, ${p.offset})`, scope, context);
        return load('quad fields at', fieldQuads(container, p.shift, elementBits, describe(tensor.dtype).signed), clean);
      }
    }
  }
  return { text: groupsByLane(e, axis, 8, scope, context), clean: true };
}

/** True where these members, which are past the extent, lie past the end of a constant, where its layout has zeros. */
function endsAt(tensor: Tensor, e: Load, axis: string, members: readonly [number, number], context: Context): boolean {
  if (context.program.buffers[tensor.buffer].role !== 'constant') return false;
  const ranges = new Map(context.ranges).set(axis, members);
  return e.at.some((i, d) => i.terms.some((t) => mentions(t, axis)) && interval(i, ranges)[0] >= tensor.shape[d]);
}

/** Members that are vectors of four bytes, a group a lane; two neighbouring vectors share what interleaves them. */
function interleaved(tensor: Tensor, p: Place, extent: number, scope: Scope, context: Context): string {
  const stride = p.groupStride / 8;
  const wide = p.even && stride % 8 === 0;
  const half = wide && p.offset % 8 === 4;
  const at = (by: number): Place => ({ ...p, offset: p.offset - (half ? 4 : 0) + Math.min(by, extent - 1) * stride });
  const member = (by: number): string => {
    const { pointer: from, offset } = at(by);
    return shareLoad(tensor, at(by), `member ${wide}`, 'v128', `v128.load${wide ? 64 : 32}_zero(${from}, ${offset})`, scope, context);
  };
  const two = (by: number): string => {
    const [first, second] = [member(by), member(by + 1)];
    return shareLoad(tensor, at(by), `two ${wide} ${at(by + 1).offset}`, 'v128', `v128.shuffle<i8>(${first}, ${second}, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)`, scope, context);
  };
  const [low, high] = [two(0), two(2)];
  return `v128.shuffle<i16>(${low}, ${high}, ${half ? '4, 12, 5, 13, 6, 14, 7, 15' : '0, 8, 1, 9, 2, 10, 3, 11'})`;
}

/** Fields of bytes, without the shifts of bytes that processors lack. */
function fieldQuads(container: string, shift: number, bits: number, signed: boolean): string {
  const low = shift === 0 ? container : `i16x8.shr_u(${container}, ${shift})`;
  const field = `v128.and(${low}, i8x16.splat(${2 ** bits - 1}))`;
  const sign = `i8x16.splat(${2 ** (bits - 1)})`;
  return signed ? `i8x16.sub(v128.xor(${field}, ${sign}), ${sign})` : field;
}

/** The i16x8 operand of a pairwise dot product: lane by lane, the two members of each group. */
export function emitPairs(e: Expr, axis: string, scope: Scope, context: Context): string {
  if (e.op === 'convert') return emitPairs(e.a, axis, scope, context);
  if (e.op === 'load' && !e.guard) {
    const tensor = context.program.tensors[e.tensor];
    const { elementBits, containerBits } = tensor.layout;
    const signed = describe(tensor.dtype).signed;
    const p = place(tensor, e.at, axis, scope, context);
    if (p) {
      const load = (kind: string, text: string): string => shareLoad(tensor, p, kind, 'v128', text, scope, context);
      if (p.laneStride === 0 && elementBits === 16 && containerBits === 16 && p.groupStride === 16) return load('pair', `v128.load32_splat(${p.pointer}, ${p.offset})`);
      if (p.laneStride === 16 && elementBits === 16 && containerBits === 16 && p.groupStride % 16 === 0) {
        const [first, second] = [0, p.groupStride / 8].map((by) => shareLoad(tensor, { ...p, offset: p.offset + by }, 'half', 'v128', `v128.load64_zero(${p.pointer}, ${p.offset + by})`, scope, context));
        return load(`interleaved ${p.groupStride}`, `v128.shuffle<i16>(${first}, ${second}, 0, 8, 1, 9, 2, 10, 3, 11)`);
      }
      if (p.laneStride === 2 * p.groupStride) {
        if (elementBits === containerBits && p.groupStride === elementBits) {
          if (elementBits === 8) return load('pairs8', `v128.load_ext<${signed ? 'i' : 'u'}8>(${p.pointer}, ${p.offset})`);
          if (elementBits === 16) return load('pairs16', `v128.load(${p.pointer}, ${p.offset})`);
        }
        if (containerBits === 16 && p.groupStride === 16 && !tensor.layout.code) {
          const container = shareLoad(tensor, { ...p, shift: 0 }, 'fields', 'v128', `v128.load(${p.pointer}, ${p.offset})`, scope, context);
          return load('fields at', fieldPairs(container, p.shift, elementBits, signed));
        }
      }
    }
  }
  return groupsByLane(e, axis, 16, scope, context);
}

/** True where the second members of pairs that lack them are zeros of a constant. */
export function hasZeroSeconds(e: Expr, axis: string, context: Context): boolean {
  if (e.op === 'convert') return hasZeroSeconds(e.a, axis, context);
  return e.op === 'load' && !e.guard && endsAt(context.program.tensors[e.tensor], e, axis, [1, 1], context);
}

/**
 * The i16x8 operand of a dot product of one member: lane by lane, the value, then a zero (`clean`) or anything.
 * `anything`: the other operand has the zero. Undefined where no instruction loads that.
 */
export function emitSingles(e: Expr, anything: boolean, scope: Scope, context: Context): { text: string; clean: boolean } | undefined {
  if (e.op === 'convert') return emitSingles(e.a, anything, scope, context);
  if (e.op !== 'load' || e.guard) return undefined;
  const tensor = context.program.tensors[e.tensor];
  const { elementBits, containerBits } = tensor.layout;
  const p = place(tensor, e.at, undefined, scope, context);
  if (!p || elementBits !== containerBits) return undefined;
  const sign = describe(tensor.dtype).signed ? 'i' : 'u';
  const load = (kind: string, text: string, clean: boolean): { text: string; clean: boolean } => ({ text: shareLoad(tensor, p, kind, 'v128', text, scope, context), clean });
  if (elementBits === 16 && p.laneStride === 0 && anything) return load('pair', `v128.load32_splat(${p.pointer}, ${p.offset})`, false);
  if (elementBits === 16 && p.laneStride === 0) return load('single', `v128.and(v128.load32_splat(${p.pointer}, ${p.offset}), i32x4.splat(65535))`, true);
  if (elementBits === 16 && p.laneStride === 16) return load('singles', `v128.load_ext<u16>(${p.pointer}, ${p.offset})`, true);
  if (elementBits === 16 && p.laneStride === 32) return load('pairs16', `v128.load(${p.pointer}, ${p.offset})`, false);
  if (elementBits === 8 && p.laneStride === 16) return load('pairs8', `v128.load_ext<${sign}8>(${p.pointer}, ${p.offset})`, false);
  return undefined;
}

function fieldPairs(container: string, shift: number, bits: number, signed: boolean): string {
  const left = 16 - bits - shift;
  if (signed) return `i16x8.shr_s(${left === 0 ? container : `i16x8.shl(${container}, ${left})`}, ${16 - bits})`;
  const low = shift === 0 ? container : `i16x8.shr_u(${container}, ${shift})`;
  return left === 0 ? low : `v128.and(${low}, i16x8.splat(${2 ** bits - 1}))`;
}

/** Members of a group that lie unevenly, put together lane by lane in 32 bits. */
function groupsByLane(e: Expr, axis: string, bits: 8 | 16, scope: Scope, context: Context): string {
  const [start] = context.ranges.get(context.lane!)!;
  const extent = 32 / bits;
  const member = (lane: number, g: number): string => {
    context.ranges.set(axis, [g, g]);
    const text = atLane(e, start + lane, scope, context);
    context.ranges.set(axis, [0, extent - 1]);
    const low = g === extent - 1 ? text : `(${text} & ${2 ** bits - 1})`;
    return g === 0 ? low : `(${low} << ${bits * g})`;
  };
  const groups = Array.from({ length: context.target.lanes }, (_, lane) => `(${Array.from({ length: extent }, (_, g) => member(lane, g)).join(' | ')})`);
  return fromLanes('i32x4', groups);
}
