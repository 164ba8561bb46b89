/**
 * Short constructors for indices and expressions, for `lower`, `functions/` and the schedule steps. They build plain
 * data and simplify nothing but trivial index sums.
 */
import type { DataType } from './datatype.js';
import type { Binary, Compare, Condition, Digit, Expr, Factor, Index, Layout, Term, Unary } from './program.js';

// ---- Indices ----

export function constant(offset: number): Index {
  return { offset, terms: [] };
}

export function axis(name: string, coeff = 1, offset = 0): Index {
  return coeff === 0 ? constant(offset) : { offset, terms: [{ coeff, of: name }] };
}

function toIndex(i: Index | string | number): Index {
  return typeof i === 'number' ? constant(i) : typeof i === 'string' ? axis(i) : i;
}

/** A sum of indices, axis names and numbers. Equal axes merge. */
export function sum(...parts: (Index | string | number)[]): Index {
  let offset = 0;
  const terms: Term[] = [];
  for (const part of parts.map(toIndex)) {
    offset += part.offset;
    for (const t of part.terms) {
      const i = typeof t.of === 'string' ? terms.findIndex((u) => u.of === t.of) : -1;
      if (i < 0) terms.push(t);
      else if (terms[i].coeff + t.coeff === 0) terms.splice(i, 1);
      else terms[i] = { coeff: terms[i].coeff + t.coeff, of: t.of };
    }
  }
  return { offset, terms };
}

export function times(i: Index | string, k: number): Index {
  const x = toIndex(i);
  if (k === 0) return constant(0);
  return { offset: x.offset * k, terms: x.terms.map((t) => ({ coeff: t.coeff * k, of: t.of })) };
}

export function factor(of: Factor): Index {
  return { offset: 0, terms: [{ coeff: 1, of }] };
}

/** floor(i / by) */
export function div(i: Index | string, by: number): Index {
  return by === 1 ? toIndex(i) : factor({ div: toIndex(i), by });
}

/** i modulo by, never negative */
export function rem(i: Index | string, by: number): Index {
  return by === 1 ? constant(0) : factor({ rem: toIndex(i), by });
}

/** lo <= i < hi */
export function within(i: Index | string, lo: number, hi: number): Condition {
  return { index: toIndex(i), lo, hi };
}

// ---- Expressions ----

const scratch = new DataView(new ArrayBuffer(4));

/** The 8 hex digits of a number rounded to binary32; NaN is the canonical quiet one. */
export function floatBits(x: number): string {
  scratch.setFloat32(0, x);
  return (Number.isNaN(x) ? 0x7fc00000 : scratch.getUint32(0)).toString(16).padStart(8, '0');
}

export function floatFromBits(bits: string): number {
  scratch.setUint32(0, parseInt(bits, 16));
  return scratch.getFloat32(0);
}

export function float(x: number): Expr {
  return { op: 'float', bits: floatBits(x) };
}

export function int(value: number, type: DataType = 'int32'): Expr {
  return { op: 'int', type, value };
}

export function load(tensor: string, at: readonly (Index | string | number)[], guard?: readonly Condition[], otherwise?: Expr): Expr {
  const coordinates = at.map(toIndex);
  return guard && guard.length > 0 ? { op: 'load', tensor, at: coordinates, guard, otherwise } : { op: 'load', tensor, at: coordinates };
}

export function ref(name: string): Expr {
  return { op: 'ref', name };
}

export function binary(op: Binary, type: DataType, a: Expr, b: Expr): Expr {
  return { op, type, a, b };
}
export const add = (type: DataType, a: Expr, b: Expr): Expr => binary('add', type, a, b);
export const sub = (type: DataType, a: Expr, b: Expr): Expr => binary('sub', type, a, b);
export const mul = (type: DataType, a: Expr, b: Expr): Expr => binary('mul', type, a, b);
/** The halves of the exact product of two uint32. */
export const mulLow = (a: Expr, b: Expr): Expr => binary('mulLow', 'uint32', a, b);
export const mulHigh = (a: Expr, b: Expr): Expr => binary('mulHigh', 'uint32', a, b);
export const shl = (type: DataType, a: Expr, b: Expr): Expr => binary('shl', type, a, b);
export const minimum = (type: DataType, a: Expr, b: Expr): Expr => binary('min', type, a, b);
export const maximum = (type: DataType, a: Expr, b: Expr): Expr => binary('max', type, a, b);
/** float32 only */
export const divide = (a: Expr, b: Expr): Expr => binary('div', 'float32', a, b);

export function unary(op: Unary, type: DataType, a: Expr): Expr {
  return { op, type, a };
}

export function compare(op: Compare, a: Expr, b: Expr): Expr {
  return { op, a, b };
}

export function select(type: DataType, cond: Expr, a: Expr, b: Expr): Expr {
  return { op: 'select', type, cond, a, b };
}

/** float32 to integer always saturates; say `saturate` for integer to integer. */
export function convert(type: DataType, a: Expr, saturate = true): Expr {
  return { op: 'convert', type, saturate, a };
}

export function bitcast(type: 'float32' | 'int32', a: Expr): Expr {
  return { op: 'bitcast', type, a };
}

// ---- Layouts ----

/** One digit that covers a whole dimension. */
export function plainDigit(stride: number): Digit {
  return { stride, divisor: 1, modulus: 0 };
}

/** Bits in which an element of this type is stored when nothing packs it: 8, 16 or 32. */
export function storageBits(dtype: DataType, bitsOf: (d: DataType) => number): 8 | 16 | 32 {
  const bits = dtype === 'float32' ? 32 : bitsOf(dtype);
  return bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
}

/** Dense row-major storage, whole elements of 8, 16 or 32 bits. */
export function rowMajor(shape: readonly number[], elementBits: number): Layout {
  const dims: Digit[][] = [];
  let stride = elementBits;
  for (let d = shape.length - 1; d >= 0; d--) {
    dims[d] = [plainDigit(stride)];
    stride *= shape[d];
  }
  return { offset: 0, dims, elementBits, containerBits: elementBits };
}
