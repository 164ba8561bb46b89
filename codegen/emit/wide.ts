/**
 * Lanes of 64 bits: four values in two vectors. What a requantization by multiplier and shift needs (product, sum, shift,
 * back to 32 bits: `wideOperations` of the target), the high halves of products, and no more; all else of that width runs lane by lane or scalar.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { scalarType, toVector, type Context, type Value } from './context.js';
import type { Scope } from './scope.js';

function bind(text: string, scope: Scope, context: Context): string {
  if (/^\w+$/.test(text)) return text;
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: v128 = ${text};`);
  return name;
}

/** The two vectors of a value. */
function halves(v: Value, scope: Scope, context: Context): readonly [string, string] {
  if (v.high !== undefined) return [v.text, v.high];
  if (v.shape === 'scalar') {
    const text = bind(`i64x2.splat(<i64>(${scalarType(v.type) === 'i64' || scalarType(v.type) === 'u64' ? v.text : `<${scalarType(v.type)}>(${v.text})`}))`, scope, context);
    return [text, text];
  }
  const lanes = bind(toVector(v, scope, context), scope, context);
  const sign = v.type === 'uint32' ? 'u' : 's';
  return [`i64x2.extend_low_i32x4_${sign}(${lanes})`, `i64x2.extend_high_i32x4_${sign}(${lanes})`];
}

/** A value as lanes of 64 bits. */
export function widen(v: Value, type: DataType, scope: Scope, context: Context): Value {
  const [text, high] = halves(v, scope, context);
  return { text, high, type, shape: 'vector' };
}

/** add, sub, mul, or shr by a constant, of a type beyond 32 bits; undefined for other operations. */
export function wideBinary(op: string, type: DataType, a: Value, b: Value, scope: Scope, context: Context): Value | undefined {
  const narrow = (v: Value): boolean => v.high === undefined && describe(v.type).bits <= 32 && v.type !== 'uint32';
  if (op === 'mul' && narrow(a) && narrow(b)) {
    const [x, y] = [bind(toVector(a, scope, context), scope, context), bind(toVector(b, scope, context), scope, context)];
    return { text: `i64x2.extmul_low_i32x4_s(${x}, ${y})`, high: `i64x2.extmul_high_i32x4_s(${x}, ${y})`, type, shape: 'vector' };
  }
  if (op === 'shr') {
    if (b.shape !== 'scalar') return undefined;
    const sign = describe(type).signed ? 's' : 'u';
    const [low, high] = halves(a, scope, context);
    return { text: `i64x2.shr_${sign}(${low}, ${b.text})`, high: `i64x2.shr_${sign}(${high}, ${b.text})`, type, shape: 'vector' };
  }
  if (op !== 'add' && op !== 'sub' && op !== 'mul') return undefined;
  const [x, y] = [halves(a, scope, context), halves(b, scope, context)];
  return { text: `i64x2.${op}(${x[0]}, ${y[0]})`, high: `i64x2.${op}(${x[1]}, ${y[1]})`, type, shape: 'vector' };
}

/** Lanes of 64 bits whose values fit 32, as lanes of 32. */
export function narrowLanes(v: Value, type: DataType): Value {
  return { text: `v128.shuffle<i32>(${v.text}, ${v.high}, 0, 2, 4, 6)`, type, shape: 'vector' };
}

/** Lanes of 64 bits shifted right by 32 or more, as lanes of 32: the shift drops the low halves. */
export function shiftedNarrow(v: Value, wide: DataType, by: number, type: DataType): Value {
  const high = `v128.shuffle<i32>(${v.text}, ${v.high}, 1, 3, 5, 7)`;
  const sign = describe(wide).signed ? 's' : 'u';
  return { text: by === 32 ? high : `i32x4.shr_${sign}(${high}, ${by - 32})`, type, shape: 'vector' };
}

/** The high halves of the products of unsigned lanes of 32 bits. */
export function highProduct(a: string, b: string, scope: Scope, context: Context): string {
  const [x, y] = [bind(a, scope, context), bind(b, scope, context)];
  return `v128.shuffle<i32>(i64x2.extmul_low_i32x4_u(${x}, ${y}), i64x2.extmul_high_i32x4_u(${x}, ${y}), 1, 3, 5, 7)`;
}
