/**
 * Packing: a constant gets the layout in which its kernel reads it, with zeros where loops overrun, and fields as narrow
 * as its values. Only the layout changes; kernels keep their logical coordinates.
 */
import { describe } from '../ir/datatype.js';
import { addressAt } from '../ir/indexing.js';
import { valueBits } from '../ir/lookup.js';
import type { Buffer, Digit, Index, Layout, Tensor } from '../ir/program.js';
import { sha256 } from '../ir/hash.js';

/** A loop in reading order, outermost first. */
export interface PackLoop {
  readonly name: string;
  readonly extent: number;
}

/** A digit of a loop: (loop div `by`) rem `extent` where the loop is longer. */
export interface PackDigit extends PackLoop {
  readonly by?: number;
  /** Bits from one to the next, where the digit lies within a block (see Packing). */
  readonly stride?: number;
}

export interface Packing {
  /** A loop stands here once, or in digits of which the extents make up its own. */
  readonly order: readonly PackDigit[];
  /** Bits of an element, and of the container of which the innermost loop's elements are fields (equal where there are none). */
  readonly elementBits: number;
  readonly containerBits: number;
  readonly code?: Layout['code'];
  /** Bits of the block that digits with strides of their own make together, and by how many the last one is longer. */
  readonly block?: { readonly bits: number; readonly tail: number };
}

/** The layout that reads in the given order; undefined where the coordinates are no mixed radix over the loops. */
export function packedLayout(shape: readonly number[], coordinates: readonly Index[], packing: Packing): { layout: Layout; bits: number } | undefined {
  const { elementBits, containerBits } = packing;
  const strides = new Map<string, { by: number; extent: number; stride: number }[]>();
  let stride = packing.block?.bits ?? elementBits;
  const innermost = packing.order[packing.order.length - 1];
  for (const loop of [...packing.order].reverse()) {
    strides.set(loop.name, [{ by: loop.by ?? 1, extent: loop.extent, stride: loop.stride ?? stride }, ...(strides.get(loop.name) ?? [])]);
    if (loop.stride !== undefined) continue;
    stride *= loop.extent;
    // Fields lie within containers; all outside them steps by whole ones.
    if (loop === innermost && elementBits !== containerBits) {
      if (containerBits % elementBits !== 0 && stride > containerBits) return undefined;
      stride = Math.ceil(stride / containerBits) * containerBits;
    }
  }
  const seen = new Set<string>();
  const dims: Digit[][] = [];
  const pad: number[] = [];
  for (let d = 0; d < shape.length; d++) {
    const index = coordinates[d];
    if (index.offset !== 0) return undefined;
    const terms = index.terms.map((t) => ({ coeff: t.coeff, loop: typeof t.of === 'string' ? t.of : '' })).sort((a, b) => b.coeff - a.coeff);
    const digits: Digit[] = [];
    let above = 0;
    let reach = 1;
    for (const { coeff, loop } of terms) {
      const parts = strides.get(loop) ?? [];
      const extent = parts.length === 0 ? undefined : parts.reduce((n, p) => n * p.extent, 1);
      if (extent === undefined || coeff < 1 || seen.has(loop)) return undefined;
      if (above > 0 && (above % coeff !== 0 || extent * coeff !== above)) return undefined;
      seen.add(loop);
      parts.forEach((p, i) => {
        const whole = i === 0 && above === 0;
        digits.push({ stride: p.stride, divisor: coeff * p.by, modulus: whole ? 0 : i === 0 ? above / coeff / p.by : p.extent });
      });
      if (above === 0) reach = extent * coeff;
      above = coeff;
    }
    if (terms.length > 0 && above !== 1) return undefined;
    if (terms.length === 0 && shape[d] !== 1) return undefined;
    if (terms.length > 0 && reach < shape[d]) return undefined;
    dims.push(digits);
    pad.push(terms.length > 0 ? reach - shape[d] : 0);
  }
  if (packing.order.some((l) => !seen.has(l.name))) return undefined;
  const layout: Layout = { offset: 0, dims, elementBits, containerBits, ...(packing.code ? { code: packing.code } : {}), ...(pad.some((p) => p > 0) ? { pad } : {}) };
  return { layout, bits: Math.ceil((stride + (packing.block?.tail ?? 0)) / 8) * 8 };
}

/** The same values in another layout; past the end zeros or, where there is no code for zero, the last values again. */
export function repack(tensor: Tensor, bytes: Uint8Array, name: string, layout: Layout, bits: number): { tensor: Tensor; buffer: Buffer; bytes: Uint8Array } {
  const out = new Uint8Array(Math.max(1, Math.ceil(bits / 8)));
  const from = tensor.layout.elementBits;
  const to = layout.elementBits;
  const { code } = layout;
  const extents = tensor.shape.map((n, d) => n + (code ? (layout.pad?.[d] ?? 0) : 0));
  const at = extents.map(() => 0);
  const count = extents.reduce((a, b) => a * b, 1);
  for (let i = 0; i < count; i++) {
    const value = readBits(bytes, addressAt(tensor.layout, at.map((c, d) => Math.min(c, tensor.shape[d] - 1))), from);
    writeBits(out, addressAt(layout, at), to, code ? (asSigned(value, from, tensor) - code.base) / code.step : asSigned(value, from, tensor));
    for (let d = at.length - 1; d >= 0; d--) {
      if (++at[d] < extents[d]) break;
      at[d] = 0;
    }
  }
  const hash = sha256(out).slice(0, 32);
  return { tensor: { ...tensor, name, buffer: name, layout }, buffer: { name, role: 'constant', bytes: out.length, hash }, bytes: out };
}

function asSigned(value: number, bits: number, tensor: Tensor): number {
  return describe(tensor.dtype).signed && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
}

function readBits(bytes: Uint8Array, at: number, bits: number): number {
  if (bits >= 8) {
    let v = 0;
    for (let b = bits / 8 - 1; b >= 0; b--) v = v * 256 + bytes[at / 8 + b];
    return v;
  }
  let v = 0;
  for (let b = 0; b < bits; b++) v |= ((bytes[(at + b) >> 3] >> ((at + b) & 7)) & 1) << b;
  return v;
}

/** Little endian; fields count from the lowest bit of their container, so bytes and bits follow one another. */
function writeBits(bytes: Uint8Array, at: number, bits: number, value: number): void {
  if (bits % 8 === 0 && at % 8 === 0) {
    for (let b = 0; b < bits / 8; b++) bytes[at / 8 + b] = Math.floor(value / 256 ** b) & 255;
    return;
  }
  for (let b = 0; b < bits; b++) {
    const bit = Math.floor(value / 2 ** b) & 1;
    if (bit) bytes[(at + b) >> 3] |= 1 << ((at + b) & 7);
  }
}

/** The narrowest field in which a constant's values lie, by its range where that is known. */
export const fieldBits = valueBits;

/** Codes of a constant's values from the least on, where its range is known. */
export function codeOf(tensor: Tensor): NonNullable<Layout['code']> | undefined {
  return tensor.range && { base: tensor.range[0], step: 1 };
}

/** The narrowest field for a constant's values where it may hold codes: one bit for any two values. */
export function codedField(tensor: Tensor): { readonly bits: number; readonly code?: Layout['code'] } {
  const plain = valueBits(tensor);
  if (!tensor.range) return { bits: plain };
  const [base, most] = tensor.range;
  const step = tensor.step ?? 1;
  const bits = Math.max(1, Math.ceil(Math.log2((most - base) / step + 1)));
  return bits < plain ? { bits, code: { base, step } } : { bits: plain };
}
