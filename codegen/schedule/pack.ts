/**
 * Packing: a constant gets the layout in which its kernel reads it, with zeros where loops overrun, and fields as narrow
 * as its values. Only the layout changes; kernels keep their logical coordinates.
 */
import { describe } from '../ir/datatype.js';
import { addressAt } from '../ir/indexing.js';
import type { Buffer, Digit, Index, Layout, Tensor } from '../ir/program.js';
import { sha256 } from '../ir/hash.js';

/** A loop in reading order, outermost first. */
export interface PackLoop {
  readonly name: string;
  readonly extent: number;
}

export interface Packing {
  readonly order: readonly PackLoop[];
  /** Bits of an element, and of the container of which the innermost loop's elements are fields (equal where there are none). */
  readonly elementBits: number;
  readonly containerBits: number;
}

/** The layout that reads in the given order; undefined where the coordinates are no mixed radix over the loops. */
export function packedLayout(shape: readonly number[], coordinates: readonly Index[], packing: Packing): { layout: Layout; bits: number } | undefined {
  const { elementBits, containerBits } = packing;
  const strides = new Map<string, number>();
  let stride = elementBits;
  const innermost = packing.order[packing.order.length - 1];
  for (const loop of [...packing.order].reverse()) {
    strides.set(loop.name, stride);
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
      const extent = packing.order.find((l) => l.name === loop)?.extent;
      if (extent === undefined || coeff < 1 || seen.has(loop)) return undefined;
      if (above > 0 && (above % coeff !== 0 || extent * coeff !== above)) return undefined;
      seen.add(loop);
      digits.push({ stride: strides.get(loop)!, divisor: coeff, modulus: above === 0 ? 0 : above / coeff });
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
  const layout: Layout = { offset: 0, dims, elementBits, containerBits, ...(pad.some((p) => p > 0) ? { pad } : {}) };
  return { layout, bits: Math.ceil(stride / 8) * 8 };
}

/** The same values in another layout, zeros elsewhere. */
export function repack(tensor: Tensor, bytes: Uint8Array, name: string, layout: Layout, bits: number): { tensor: Tensor; buffer: Buffer; bytes: Uint8Array } {
  const out = new Uint8Array(Math.max(1, Math.ceil(bits / 8)));
  const from = tensor.layout.elementBits;
  const to = layout.elementBits;
  const at = tensor.shape.map(() => 0);
  const count = tensor.shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < count; i++) {
    writeBits(out, addressAt(layout, at), to, readBits(bytes, addressAt(tensor.layout, at), from));
    for (let d = at.length - 1; d >= 0; d--) {
      if (++at[d] < tensor.shape[d]) break;
      at[d] = 0;
    }
  }
  const hash = sha256(out).slice(0, 32);
  return { tensor: { ...tensor, name, buffer: name, layout }, buffer: { name, role: 'constant', bytes: out.length, hash }, bytes: out };
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
export function fieldBits(tensor: Tensor): number {
  const { bits, signed } = describe(tensor.dtype);
  if (!tensor.range) return bits;
  const [lo, hi] = tensor.range;
  for (let b = 1; b < bits; b++) {
    if (signed ? lo >= -(2 ** (b - 1)) && hi <= 2 ** (b - 1) - 1 : hi <= 2 ** b - 1) return b;
  }
  return bits;
}
