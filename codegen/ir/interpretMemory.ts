/**
 * Memory as the interpreter sees it: bytes per buffer, and closures that read and write single elements of tensors
 * through their layouts (bit strides, digits, containers, sub-byte fields, sign extension).
 *
 * Not here: what is in bounds (verify.ts proves that) and what the values mean (interpretExpr.ts). Buffers never overlap
 * here, whatever the memory plan says.
 */
import { align } from './arena.js';
import { div, rem, sum, times } from './build.js';
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import type { Buffer, Expr, Factor, Index, Program, ProgramData, Tensor } from './program.js';

/** Fills memory that nothing has written: a value that stands out in every type, and no NaN. */
const junkByte = 0xa5;

export type NumberClosure = () => number;
export type ElementView = Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** The bytes of one buffer, and a shadow in which the bits of written elements are ones. */
export interface BufferMemory {
  readonly bytes: ArrayBuffer;
  readonly shadow: ArrayBuffer;
}

export type Memory = ReadonlyMap<string, BufferMemory>;

/** Fresh memory for a Program: constants filled in, state zero unless given, all else junk. */
export function allocate(program: Program, data: ProgramData, state?: ReadonlyMap<string, Uint8Array>): Memory {
  const memory = new Map<string, BufferMemory>();
  for (const buffer of Object.values(program.buffers)) memory.set(buffer.name, allocateBuffer(buffer, data, state));
  return memory;
}

function allocateBuffer(buffer: Buffer, data: ProgramData, state?: ReadonlyMap<string, Uint8Array>): BufferMemory {
  const size = align(buffer.bytes);
  const bytes = new Uint8Array(size);
  const shadow = new Uint8Array(size);
  if (buffer.role === 'constant' || buffer.role === 'state') {
    const initial = buffer.role === 'constant' ? data.get(buffer.hash ?? '') : state?.get(buffer.name);
    if (buffer.role === 'constant' && !initial) {
      fail('program/invalid', buffer.name, `the constant buffer's bytes (hash ${buffer.hash ?? 'none'}) are not in the Program's data`);
    }
    if (initial && initial.length > buffer.bytes) {
      fail('program/invalid', buffer.name, `${initial.length} bytes are given for a buffer of ${buffer.bytes} bytes`);
    }
    if (initial) bytes.set(initial);
    shadow.fill(0xff);
  } else {
    bytes.fill(junkByte);
  }
  return { bytes: bytes.buffer, shadow: shadow.buffer };
}

/** Makes all but constants and state junk again. */
export function forget(program: Program, memory: Memory): void {
  for (const buffer of Object.values(program.buffers)) {
    if (buffer.role === 'constant' || buffer.role === 'state') continue;
    const { bytes, shadow } = memory.get(buffer.name)!;
    new Uint8Array(bytes).fill(junkByte);
    new Uint8Array(shadow).fill(0);
  }
}

// ---- Indices -------------------------------------------------------------------------------------------------------

/** Where axis values live, and how data-dependent factors are compiled. */
export interface IndexScope {
  readonly axes: Int32Array;
  slot(axis: string): number;
  value(factor: { readonly value: Expr }): NumberClosure;
}

function compileFactor(of: Exclude<Factor, string>, scope: IndexScope): NumberClosure {
  if ('value' in of) {
    const value = scope.value(of);
    const { lo, hi } = of;
    return () => Math.min(Math.max(value(), lo), hi);
  }
  const { by } = of;
  if ('div' in of) {
    const inner = compileIndex(of.div, scope);
    return () => Math.floor(inner() / by);
  }
  const inner = compileIndex(of.rem, scope);
  return () => {
    const r = inner() % by;
    return r < 0 ? r + by : r + 0; // + 0: never -0
  };
}

interface Affine {
  readonly offset: number;
  readonly coeffs: readonly number[];
  readonly slots: readonly number[];
  readonly rest: readonly { readonly coeff: number; readonly value: NumberClosure }[];
}

function affine(index: Index, scope: IndexScope): Affine {
  const merged = sum(index);
  const coeffs: number[] = [];
  const slots: number[] = [];
  const rest: { coeff: number; value: NumberClosure }[] = [];
  for (const { coeff, of } of merged.terms) {
    if (typeof of === 'string') {
      coeffs.push(coeff);
      slots.push(scope.slot(of));
    } else {
      rest.push({ coeff, value: compileFactor(of, scope) });
    }
  }
  return { offset: merged.offset, coeffs, slots, rest };
}

/** A closure that gives an index its value, with short paths for sums of few axes. */
export function compileIndex(index: Index, scope: IndexScope): NumberClosure {
  const { offset, coeffs, slots, rest } = affine(index, scope);
  const { axes } = scope;
  const [c0, c1, c2] = coeffs;
  const [s0, s1, s2] = slots;
  if (rest.length === 1 && coeffs.length === 0) {
    const { coeff, value } = rest[0];
    return () => offset + coeff * value();
  }
  if (rest.length > 0) {
    const base = compileIndex({ offset, terms: index.terms.filter((t) => typeof t.of === 'string') }, scope);
    return () => {
      let at = base();
      for (const r of rest) at += r.coeff * r.value();
      return at;
    };
  }
  switch (coeffs.length) {
    case 0:
      return () => offset;
    case 1:
      return () => offset + c0 * axes[s0];
    case 2:
      return () => offset + c0 * axes[s0] + c1 * axes[s1];
    case 3:
      return () => offset + c0 * axes[s0] + c1 * axes[s1] + c2 * axes[s2];
    default:
      return () => {
        let at = offset;
        for (let i = 0; i < slots.length; i++) at += coeffs[i] * axes[slots[i]];
        return at;
      };
  }
}

/** The address in bits of an element, as an index. */
export function bitAddress(tensor: Tensor, at: readonly Index[]): Index {
  const parts: Index[] = [];
  tensor.layout.dims.forEach((digits, d) => {
    for (const g of digits) {
      const quotient = div(at[d], g.divisor);
      parts.push(times(g.modulus === 0 ? quotient : rem(quotient, g.modulus), g.stride));
    }
  });
  return sum(tensor.layout.offset, ...parts);
}

// ---- Elements ------------------------------------------------------------------------------------------------------

function viewOf(tensor: Tensor, bytes: ArrayBuffer, whole: boolean): ElementView {
  const { containerBits } = tensor.layout;
  if (tensor.dtype === 'float32') return new Float32Array(bytes);
  const signed = whole && describe(tensor.dtype).signed;
  if (containerBits === 8) return signed ? new Int8Array(bytes) : new Uint8Array(bytes);
  if (containerBits === 16) return signed ? new Int16Array(bytes) : new Uint16Array(bytes);
  return signed ? new Int32Array(bytes) : new Uint32Array(bytes);
}

/** The same index in units of `by` bits, or undefined where some stride is no multiple. */
function inUnits(index: Index, by: number): Index | undefined {
  if (index.offset % by !== 0 || index.terms.some((t) => t.coeff % by !== 0)) return undefined;
  return { offset: index.offset / by, terms: index.terms.map((t) => ({ coeff: t.coeff / by, of: t.of })) };
}

function outside(tensor: Tensor, what: string, unit: number): never {
  fail('program/invalid', tensor.name, `${what} outside its buffer, at unit ${unit} of ${tensor.layout.containerBits} bits`);
}

/**
 * A closure that reads the element of `tensor` at coordinates `at`. Padding may hold anything; what is read from it is
 * clamped to what the tensor may hold, so that junk lanes do not look like faults.
 */
export function compileElementLoad(tensor: Tensor, at: readonly Index[], memory: Memory, scope: IndexScope): NumberClosure {
  const load = compileStoredLoad(tensor, at, memory, scope);
  if ((tensor.dtype === 'float32' && !tensor.range) || !tensor.layout.pad?.some((p) => p > 0)) return load;
  const { min, max } = describe(tensor.dtype);
  const [lo, hi] = tensor.range ?? [min, max];
  return () => Math.min(Math.max(load(), lo), hi);
}

function compileStoredLoad(tensor: Tensor, at: readonly Index[], memory: Memory, scope: IndexScope): NumberClosure {
  const bytes = memory.get(tensor.buffer)!.bytes;
  const { elementBits, containerBits } = tensor.layout;
  const bits = bitAddress(tensor, at);
  const units = elementBits === containerBits ? inUnits(bits, containerBits) : undefined;
  if (!units) return compileFieldLoad(tensor, compileIndex(bits, scope), bytes);
  const view = viewOf(tensor, bytes, true);
  const { offset, coeffs, slots, rest } = affine(units, scope);
  const { axes } = scope;
  const [c0, c1, c2, c3] = coeffs;
  const [s0, s1, s2, s3] = slots;
  const get = (i: number): number => view[i] ?? outside(tensor, 'a load', i);
  if (rest.length === 0) {
    // float32 apart from the integers, so that each of these sees few kinds of arrays
    if (view instanceof Float32Array) {
      const floats = view;
      if (coeffs.length === 1) return () => floats[offset + c0 * axes[s0]] ?? outside(tensor, 'a load', offset + c0 * axes[s0]);
      if (coeffs.length === 2) return () => floats[offset + c0 * axes[s0] + c1 * axes[s1]] ?? get(-1);
      if (coeffs.length === 3) return () => floats[offset + c0 * axes[s0] + c1 * axes[s1] + c2 * axes[s2]] ?? get(-1);
      if (coeffs.length === 4) return () => floats[offset + c0 * axes[s0] + c1 * axes[s1] + c2 * axes[s2] + c3 * axes[s3]] ?? get(-1);
    } else {
      if (coeffs.length === 1) return () => view[offset + c0 * axes[s0]] ?? get(-1);
      if (coeffs.length === 2) return () => view[offset + c0 * axes[s0] + c1 * axes[s1]] ?? get(-1);
      if (coeffs.length === 3) return () => view[offset + c0 * axes[s0] + c1 * axes[s1] + c2 * axes[s2]] ?? get(-1);
      if (coeffs.length === 4) return () => view[offset + c0 * axes[s0] + c1 * axes[s1] + c2 * axes[s2] + c3 * axes[s3]] ?? get(-1);
    }
  }
  const unit = compileIndex(units, scope);
  return () => get(unit());
}

function compileFieldLoad(tensor: Tensor, address: NumberClosure, bytes: ArrayBuffer): NumberClosure {
  const { elementBits, containerBits } = tensor.layout;
  const view = viewOf(tensor, bytes, false);
  const up = 32 - elementBits;
  const { code } = tensor.layout;
  const signed = !code && describe(tensor.dtype).signed;
  const field: NumberClosure = () => {
    const at = address();
    const unit = Math.floor(at / containerBits);
    const shift = at - unit * containerBits;
    if (shift + elementBits > containerBits || !(unit >= 0 && unit < view.length)) outside(tensor, 'a load', unit);
    const raised = (view[unit] >>> shift) << up;
    return signed ? raised >> up : raised >>> up;
  };
  return code ? () => code.base + code.step * field() : field;
}

/** A closure that writes a number to the element of `tensor` at coordinates `at`, and marks it as written. */
export function compileElementStore(tensor: Tensor, at: readonly Index[], memory: Memory, scope: IndexScope): (value: number) => void {
  const { bytes, shadow } = memory.get(tensor.buffer)!;
  const { elementBits, containerBits, code } = tensor.layout;
  const bits = bitAddress(tensor, at);
  const units = elementBits === containerBits ? inUnits(bits, containerBits) : undefined;
  const whole = units !== undefined;
  const view = viewOf(tensor, bytes, whole);
  const marks = containerBits === 8 ? new Uint8Array(shadow) : containerBits === 16 ? new Uint16Array(shadow) : new Uint32Array(shadow);
  if (whole) {
    const unit = compileIndex(units, scope);
    const all = 2 ** containerBits - 1;
    return (value) => {
      const i = unit();
      if (!(i >= 0 && i < view.length)) outside(tensor, 'a store', i);
      view[i] = value;
      marks[i] = all;
    };
  }
  const address = compileIndex(bits, scope);
  const field = elementBits === 32 ? -1 : (1 << elementBits) - 1;
  return (stored) => {
    const value = code ? (stored - code.base) / code.step : stored;
    if (!Number.isInteger(value)) fail('program/invalid', tensor.name, `${stored} is stored, and its codes stand for ${code!.base} plus multiples of ${code!.step}`);
    const a = address();
    const unit = Math.floor(a / containerBits);
    const shift = a - unit * containerBits;
    if (shift + elementBits > containerBits || !(unit >= 0 && unit < view.length)) outside(tensor, 'a store', unit);
    view[unit] = (view[unit] & ~(field << shift)) | ((value & field) << shift);
    marks[unit] |= field << shift;
  };
}

/** A closure that tells whether all bits of an element have been written. */
export function compileElementWritten(tensor: Tensor, at: readonly Index[], memory: Memory, scope: IndexScope): () => boolean {
  const shadow = memory.get(tensor.buffer)!.shadow;
  const { elementBits, containerBits } = tensor.layout;
  const marks = containerBits === 8 ? new Uint8Array(shadow) : containerBits === 16 ? new Uint16Array(shadow) : new Uint32Array(shadow);
  const address = compileIndex(bitAddress(tensor, at), scope);
  const field = 2 ** elementBits - 1;
  return () => {
    const a = address();
    const unit = Math.floor(a / containerBits);
    const mask = (field << (a - unit * containerBits)) >>> 0;
    return (marks[unit] & mask) >>> 0 === mask;
  };
}
