/**
 * Expressions as AssemblyScript text. Inside a vector loop a value is a vector where it depends on the lane, else a
 * scalar that is splatted where it meets a vector.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { floatFromBits } from '../ir/build.js';
import { simplify } from '../ir/indexing.js';
import type { Expr } from '../ir/program.js';
import { dependsOn, factorDependsOn } from '../ir/walk.js';
import { as, fromLanes, localRegister, scalarType, toVector, type Context, type Value } from './context.js';
import { emitDot, emitQuadDot, hasQuads } from './dot.js';
import { eachLane, emitLoad } from './memory.js';
import { indexText, type Scope } from './scope.js';
import { extremeOfConstant, sumsFromZero } from './extreme.js';
import { highProduct, narrowLanes, shiftedNarrow, wideBinary, widen } from './wide.js';

function floatText(bits: string): string {
  const x = floatFromBits(bits);
  if (!Number.isFinite(x) || Object.is(x, -0)) return `reinterpret<f32>(0x${bits})`;
  const text = String(x);
  return x < 0 ? `(${/[.e]/.test(text) ? text : `${text}.0`})` : /[.e]/.test(text) ? text : `${text}.0`;
}

export function emitExpr(e: Expr, scope: Scope, context: Context): Value {
  switch (e.op) {
    case 'float':
      return { text: `<f32>${floatText(e.bits)}`, type: 'float32', shape: 'scalar' };
    case 'int':
      return { text: e.value < 0 ? `(${e.value})` : String(e.value), type: e.type, shape: 'scalar' };
    case 'load':
      return emitLoad(e, scope, context);
    case 'ref': {
      const value = context.lets.get(e.name);
      if (value?.shape === 'vector' && context.onlyLane !== undefined) {
        const { onlyLane } = context;
        const lane = value.high === undefined ? laneText(value.text, value.type, onlyLane) : `i64x2.extract_lane(${onlyLane < 2 ? value.text : value.high}, ${onlyLane % 2})`;
        return { ...value, text: value.mask ? `(${lane} != 0)` : lane, shape: 'scalar' };
      }
      return value ?? fail('program/invalid', context.kernel.name, `the value ${e.name} is used before it is bound`);
    }
    case 'local': {
      const { name, laneAt, high } = localRegister(e.name, e.at, context);
      const { type, vector, half } = context.locals.get(name)!;
      if (half) {
        const dtype = type as DataType;
        if (laneAt !== undefined) return { text: `<i32>i16x8.extract_lane_s(${name}, ${laneAt})`, type: dtype, shape: 'scalar' };
        return { text: `i32x4.extend_${high ? 'high' : 'low'}_i16x8_s(${name})`, type: dtype, shape: 'vector' };
      }
      if (laneAt !== undefined) return { text: laneText(name, type as DataType, laneAt), type: type as DataType, shape: 'scalar' };
      return { text: name, type: type as DataType, shape: vector ? 'vector' : 'scalar', notMinusZero: type === 'float32' && sumsFromZero(context.kernel) };
    }
    case 'index': {
      const i = simplify(e.index, context.ranges);
      const own = i.terms.find((t) => t.of === context.lane);
      if (context.lane !== undefined && dependsOn(i, context.lane)) {
        if (!own || i.terms.some((t) => t !== own && factorDependsOn(t.of, context.lane!))) return byLane(e, e.type, scope, context);
        const rest = indexText(scope.loop, { offset: i.offset, terms: i.terms.filter((t) => t !== own) }, context.ranges);
        const [first] = context.ranges.get(context.lane)!;
        const steps = Array.from({ length: context.target.lanes }, (_, l) => (first + l) * own.coeff).join(', ');
        return { text: `i32x4.add(i32x4.splat(${rest}), i32x4(${steps}))`, type: e.type, shape: 'vector' };
      }
      return { text: indexText(scope.loop, i, context.ranges), type: e.type, shape: 'scalar' };
    }
    case 'select': {
      const extreme = emitExtreme(e, scope, context);
      if (extreme) return extreme;
      const c = emitExpr(e.cond, scope, context);
      const a = emitExpr(e.a, scope, context);
      const b = emitExpr(e.b, scope, context);
      if ([c, a, b].some((v) => v.shape === 'vector')) {
        const mask = c.shape === 'vector' ? c.text : `i32x4.splat(-<i32>(${c.text}))`;
        return { text: `v128.bitselect(${toVector(a, scope, context)}, ${toVector(b, scope, context)}, ${mask})`, type: e.type, shape: 'vector' };
      }
      return { text: `select<${scalarType(e.type)}>(${as(a, e.type)}, ${as(b, e.type)}, ${c.text})`, type: e.type, shape: 'scalar' };
    }
    case 'lt': case 'le': case 'eq': case 'ne': case 'ge': case 'gt':
      return emitCompare(e, scope, context);
    case 'neg': case 'abs': case 'sqrt': case 'floor': case 'nearest': case 'popcount':
      return emitUnary(e, scope, context);
    case 'convert':
      return emitConvert(e, scope, context);
    case 'bitcast': {
      const a = emitExpr(e.a, scope, context);
      if (a.shape === 'vector') return { ...a, type: e.type };
      return { text: `reinterpret<${scalarType(e.type)}>(${a.text})`, type: e.type, shape: 'scalar' };
    }
    case 'dot':
      return emitDot(e, scope, context);
    default:
      return emitBinary(e, scope, context);
  }
}

/** The greater or lesser of two float32 lanes as one instruction: a < b ? b : a, and a < b ? a : b. */
function emitExtreme(e: Extract<Expr, { op: 'select' }>, scope: Scope, context: Context): Value | undefined {
  const { cond } = e;
  if (context.lane === undefined || e.type !== 'float32' || (cond.op !== 'lt' && cond.op !== 'gt')) return undefined;
  const [small, large] = cond.op === 'lt' ? [cond.a, cond.b] : [cond.b, cond.a];
  const isSame = (x: Expr, y: Expr): boolean => JSON.stringify(x) === JSON.stringify(y);
  const isGreater = isSame(e.a, large) && isSame(e.b, small);
  if (!isGreater && !(isSame(e.a, small) && isSame(e.b, large))) return undefined;
  const [a, b] = [emitExpr(small, scope, context), emitExpr(large, scope, context)];
  if (a.shape !== 'vector' && b.shape !== 'vector') return undefined;
  const [x, y] = [toVector(a, scope, context), toVector(b, scope, context)];
  return { text: isGreater ? `f32x4.pmax(${x}, ${y})` : `f32x4.pmin(${y}, ${x})`, type: e.type, shape: 'vector' };
}

/** One lane as a scalar of its type. */
function laneText(vector: string, type: DataType, lane: number): string {
  const text = `${type === 'float32' ? 'f32x4' : 'i32x4'}.extract_lane(${vector}, ${lane})`;
  return scalarType(type) === 'u32' ? `<u32>(${text})` : text;
}

/** Lane by lane, where no vector instruction does it. */
function byLane(e: Expr, type: DataType, scope: Scope, context: Context): Value {
  const text = fromLanes(type === 'float32' ? 'f32x4' : 'i32x4', eachLane(e, scope, context));
  return { text, type, shape: 'vector' };
}

type BinaryExpr = Extract<Expr, { op: 'add' | 'sub' | 'mul' | 'mulLow' | 'mulHigh' | 'div' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr' }>;

function emitBinary(e: BinaryExpr, scope: Scope, context: Context): Value {
  // The instruction adds to a sum.
  if (e.op === 'add' && e.b.op === 'dot' && hasQuads(e.b, context)) return emitQuadDot(e.b, emitExpr(e.a, scope, context), scope, context);
  const { type } = e;
  const float = type === 'float32';
  const isLogic = e.op === 'and' || e.op === 'or' || e.op === 'xor';
  // Logic sees the low bits of what is wider.
  const operand = (x: Expr, other?: Value): Value => {
    const v = x.op === 'load' && other?.shape === 'vector' && other.high === undefined ? emitLoad(x, scope, context, true) : emitExpr(x, scope, context);
    return isLogic && v.high !== undefined && describe(type).bits <= 32 ? narrowLanes(v, v.type) : v;
  };
  const a = operand(e.a);
  const b = operand(e.b, a);
  // A mask of all bits only wraps.
  if (e.op === 'and' && describe(type).bits === 32 && e.b.op === 'int' && (e.b.value | 0) === -1) {
    return { text: a.shape === 'vector' ? toVector(a, scope, context) : as(a, type), type, shape: a.shape };
  }
  if (a.shape === 'scalar' && b.shape === 'scalar') {
    const [x, y] = [as(a, type), as(b, type)];
    const t = scalarType(type);
    if (e.op === 'mulHigh') return { text: `<u32>((<u64>${x} * <u64>${y}) >> 32)`, type, shape: 'scalar' };
    const symbols: Partial<Record<BinaryExpr['op'], string>> = { add: '+', sub: '-', mul: '*', mulLow: '*', div: '/', and: '&', or: '|', xor: '^', shl: '<<', shr: '>>' };
    if (e.op === 'min' || e.op === 'max') {
      const common = float ? type : commonInteger(a.type, b.type);
      const c = scalarType(common);
      const text = `${e.op}<${c}>(${as(a, common)}, ${as(b, common)})`;
      return { text: c === t ? text : `<${t}>(${text})`, type, shape: 'scalar' };
    }
    const text = `(${e.op === 'shr' && leaves(a, type) ? wrap(x, type) : x} ${symbols[e.op]} ${y})`;
    return { text: e.op === 'shl' || (isLogic && (leaves(a, type) || leaves(b, type))) ? wrap(text, type) : text, type, shape: 'scalar' };
  }
  if (a.high !== undefined || b.high !== undefined || describe(type).bits > 32) {
    return wideBinary(e.op, type, a, b, scope, context) ?? fail('target/unsupported', context.kernel.name, `${e.op} of type ${type} does not run in vectors`, 'Schedule this kernel without a vector loop.');
  }
  const kind = float ? 'f32x4' : 'i32x4';
  const sign = describe(type).signed ? 's' : 'u';
  if (e.op === 'shl' || e.op === 'shr') {
    if (b.shape === 'vector') return byLane(e, type, scope, context);
    const x = toVector(a, scope, context);
    if (e.op === 'shr') return { text: `i32x4.shr_${sign}(${leaves(a, type) ? wrapLanes(x, type) : x}, ${b.text})`, type, shape: 'vector' };
    return { text: wrapLanes(`i32x4.shl(${x}, ${b.text})`, type), type, shape: 'vector' };
  }
  // Adding a comparison subtracts its mask of ones.
  if (!float && e.op === 'add' && (b.mask || a.mask) && !(a.mask && b.mask)) {
    const [mask, other] = b.mask ? [b, a] : [a, b];
    if (mask.shape === 'vector') return { text: `i32x4.sub(${toVector(other, scope, context)}, ${mask.text})`, type, shape: 'vector' };
  }
  const [x, y] = [toVector(a, scope, context), toVector(b, scope, context)];
  if (isLogic) {
    const text = `v128.${e.op}(${x}, ${y})`;
    return { text: leaves(a, type) || leaves(b, type) ? wrapLanes(text, type) : text, type, shape: 'vector' };
  }
  if ((e.op === 'min' || e.op === 'max') && !float) {
    const common = commonInteger(a.type, b.type);
    if (describe(common).bits > 32) return byLane(e, type, scope, context);
    return { text: `i32x4.${e.op}_${common === 'uint32' ? 'u' : 's'}(${x}, ${y})`, type, shape: 'vector' };
  }
  if (e.op === 'mulLow') return { text: `i32x4.mul(${x}, ${y})`, type, shape: 'vector' };
  if (e.op === 'mulHigh') return { text: highProduct(x, y, scope, context), type, shape: 'vector' };
  const { op } = e;
  if (op === 'min' || op === 'max') {
    const extreme = extremeOfConstant(op, a, e.b, [x, y], context) ?? extremeOfConstant(op, b, e.a, [y, x], context);
    if (extreme) return extreme;
  }
  return { text: `${kind}.${op}(${x}, ${y})`, type, shape: 'vector', notMinusZero: float && op === 'add' && (a.notMinusZero || b.notMinusZero) };
}

// Logic and shifts act on two's complement of the type's width: operands of other types, and left shifts, may leave it.

function leaves(v: Value, type: DataType): boolean {
  const [from, to] = [describe(v.type), describe(type)];
  return !v.mask && (from.min < to.min || from.max > to.max);
}

function wrap(text: string, type: DataType): string {
  const { bits, signed } = describe(type);
  const t = scalarType(type);
  const spare = (t.endsWith('64') ? 64 : 32) - bits;
  if (spare === 0) return text;
  return signed || t.startsWith('u') ? `((${text} << ${spare}) >> ${spare})` : `(${text} & ${2 ** bits - 1})`;
}

function wrapLanes(text: string, type: DataType): string {
  const { bits, signed } = describe(type);
  return bits === 32 ? text : `i32x4.shr_${signed ? 's' : 'u'}(i32x4.shl(${text}, ${32 - bits}), ${32 - bits})`;
}

/** A type in which values of both types can be compared. */
function commonInteger(a: DataType, b: DataType): DataType {
  if (describe(a).bits > 32 || describe(b).bits > 32) return 'int64';
  if (a !== 'uint32' && b !== 'uint32') return 'int32';
  return a === b ? 'uint32' : 'int64';
}

function emitCompare(e: Extract<Expr, { op: 'lt' | 'le' | 'eq' | 'ne' | 'ge' | 'gt' }>, scope: Scope, context: Context): Value {
  const a = emitExpr(e.a, scope, context);
  const b = emitExpr(e.b, scope, context);
  const float = a.type === 'float32';
  const symbols = { lt: '<', le: '<=', eq: '==', ne: '!=', ge: '>=', gt: '>' } as const;
  const widest: DataType = float ? 'float32' : commonInteger(a.type, b.type);
  if (a.shape === 'scalar' && b.shape === 'scalar') {
    return { text: `(${as(a, widest)} ${symbols[e.op]} ${as(b, widest)})`, type: 'uint1', shape: 'scalar', mask: true };
  }
  if (describe(widest).bits > 32) {
    // Signed against unsigned 32 bits: lane by lane, as 64 bits; ones where it holds.
    const text = fromLanes('i32x4', eachLane(e, scope, context).map((lane) => `-<i32>${lane}`));
    return { text, type: 'uint1', shape: 'vector', mask: true };
  }
  const [x, y] = [toVector(a, scope, context), toVector(b, scope, context)];
  const op = float || e.op === 'eq' || e.op === 'ne' ? e.op : `${e.op}_${widest === 'uint32' ? 'u' : 's'}`;
  return { text: `${float ? 'f32x4' : 'i32x4'}.${op}(${x}, ${y})`, type: 'uint1', shape: 'vector', mask: true };
}

function emitUnary(e: Extract<Expr, { op: 'neg' | 'abs' | 'sqrt' | 'floor' | 'nearest' | 'popcount' }>, scope: Scope, context: Context): Value {
  const a = emitExpr(e.a, scope, context);
  const { type } = e;
  const float = type === 'float32';
  // The instructions take signed integers.
  if (e.op === 'abs' && !describe(a.type).signed) return a.shape === 'vector' || a.mask ? { ...a, type } : { text: as(a, type), type, shape: 'scalar' };
  if (a.shape === 'vector') {
    if (e.op === 'popcount') return byLane(e, type, scope, context);
    return { text: `${float ? 'f32x4' : 'i32x4'}.${e.op}(${toVector(a, scope, context)})`, type, shape: 'vector' };
  }
  const x = as(a, type);
  if (e.op === 'neg') return { text: `(-${x})`, type, shape: 'scalar' };
  if (e.op === 'popcount') {
    const { bits } = describe(a.type);
    if (bits > 32) return { text: `<${scalarType(type)}>popcnt<u64>(${as(a, 'uint64')} << ${64 - bits})`, type, shape: 'scalar' };
    return { text: `popcnt<i32>(${bits < 32 ? `${x} & ${2 ** bits - 1}` : x})`, type, shape: 'scalar' };
  }
  if (e.op === 'abs' && (scalarType(type) === 'u32' || scalarType(type) === 'u64')) {
    const signed: DataType = scalarType(type) === 'u32' ? 'int32' : 'int64';
    return { text: `<${scalarType(type)}>abs<${scalarType(signed)}>(${as(a, signed)})`, type, shape: 'scalar' };
  }
  return { text: `${e.op}<${scalarType(type)}>(${x})`, type, shape: 'scalar' };
}

function emitConvert(e: Extract<Expr, { op: 'convert' }>, scope: Scope, context: Context): Value {
  const { type } = e;
  if (e.a.op === 'shr' && !e.saturate && describe(type).bits <= 32 && describe(e.a.type).bits > 32 && e.a.b.op === 'int' && e.a.b.value >= 32) {
    const value = emitExpr(e.a.a, scope, context);
    if (value.high !== undefined) return shiftedNarrow(value, e.a.type, e.a.b.value, type);
  }
  const a = emitExpr(e.a, scope, context);
  const vector = a.shape === 'vector';
  if (type === 'float32') {
    if (a.type === 'float32' && !a.mask) return a;
    if (!vector) {
      // The inner cast keeps literals from being read as floats.
      return { text: `<f32>(<${a.mask ? 'i32' : scalarType(a.type)}>(${a.text}))`, type, shape: 'scalar' };
    }
    return { text: `f32x4.convert_i32x4_${a.type === 'uint32' ? 'u' : 's'}(${toVector(a, scope, context)})`, type, shape: 'vector' };
  }
  const info = describe(type);
  if (a.mask && (info.bits > 1 || !info.signed)) return { ...a, type };
  if (a.type === 'float32') {
    const text = vector ? `i32x4.trunc_sat_f32x4_${type === 'uint32' ? 'u' : 's'}(${a.text})` : `<${scalarType(type)}>(${a.text})`;
    const whole: DataType = type === 'uint32' ? 'uint32' : info.bits <= 32 ? 'int32' : info.signed ? 'int64' : 'uint64';
    if (info.bits === 32 || info.bits === 64 || within(floatBounds(e.a), info)) return { text, type, shape: a.shape };
    return clamp({ text, type: whole, shape: a.shape }, type, scope, context);
  }
  const from = describe(a.type);
  if (vector && info.bits > 32) return a.high === undefined ? widen(a, type, scope, context) : { ...a, type };
  if (a.high !== undefined) {
    if (e.saturate && (from.min < info.min || from.max > info.max)) fail('target/unsupported', context.kernel.name, `saturation from ${a.type} does not run in vectors`, 'Schedule this kernel without a vector loop.');
    return narrowLanes(a, type);
  }
  if (from.min >= info.min && from.max <= info.max) return vector ? { ...a, type } : { text: as(a, type), type, shape: 'scalar' };
  if (e.saturate) return clamp(a, type, scope, context);
  return vector ? { ...a, type } : { text: as(a, type), type, shape: 'scalar' };
}

function clamp(a: Value, type: DataType, scope: Scope, context: Context): Value {
  const { min, max, bits } = describe(type);
  if (a.shape === 'vector') {
    const sign = a.type === 'uint32' ? 'u' : 's';
    const low = sign === 'u' ? a.text : `i32x4.max_s(${toVector(a, scope, context)}, i32x4.splat(${min}))`;
    return { text: max >= 2 ** 31 ? low : `i32x4.min_${sign}(${low}, i32x4.splat(${max}))`, type, shape: 'vector' };
  }
  const t = scalarType(a.type);
  const low = t.startsWith('u') ? a.text : `max<${t}>(${a.text}, ${BigInt(min)})`;
  // The maximum of a wide type is a rounded double.
  const most = bits > 53 ? BigInt(max) - 1n : max;
  const high = max >= 2 ** 31 && !t.endsWith('64') ? low : `min<${t}>(${low}, ${most})`;
  return { text: as({ text: high, type: a.type, shape: 'scalar' }, type), type, shape: 'scalar' };
}

function within(bounds: readonly [number, number], info: { min: number; max: number }): boolean {
  return bounds[0] >= info.min && bounds[1] <= info.max;
}

/** Bounds that minima and maxima with constants give; a NaN converts to 0, which the bounds must then hold too. */
function floatBounds(e: Expr): readonly [number, number] {
  switch (e.op) {
    case 'float': {
      const x = floatFromBits(e.bits);
      return [x, x];
    }
    case 'nearest': case 'floor': {
      const [lo, hi] = floatBounds(e.a);
      return [Math.floor(lo), Math.ceil(hi)];
    }
    case 'min': case 'max': {
      const a = floatBounds(e.a);
      const b = floatBounds(e.b);
      const pick = e.op === 'min' ? Math.min : Math.max;
      const [lo, hi] = [pick(a[0], b[0]), pick(a[1], b[1])];
      return [Math.min(lo, 0), Math.max(hi, 0)];
    }
    default:
      return [-Infinity, Infinity];
  }
}
