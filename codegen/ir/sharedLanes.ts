/**
 * Two outputs in each lane of 32 bits: one product of w0 + 4096 * w1 with x is x * w0 + 4096 * x * w1, so that a 16-bit dot
 * product gives twice its products, as long as the sums of w0 stay within 12 bits (Xilinx WP521 does the same in DSP slices).
 *
 * Here is how the weights lie for that: sixteen bytes are the weights of eight outputs for a few members of a group. Output o
 * below 4 has bits of lane o, output o + 4 has bits twelve further on, and vectors that begin a byte later find theirs at the
 * same places; one mask cuts out both.
 */
import { describe } from './datatype.js';
import type { Kernel, Layout, Tensor } from './program.js';

/** Bits of a sum before it runs into the second output's. */
export const sumBits = 12;
/** Outputs of a vector. */
export const outputs = 8;
/** Bits of a vector of weights. */
const vectorBits = 128;
/** The fields of the last vector's second outputs end so many bits after it. */
const tailBits = 8;

/** How two pairs of members are cut out of sixteen bytes: those from `byte` on, shifted by `shift`. */
export interface Cut {
  readonly byte: number;
  readonly shift: number;
}

/** Pairs of members that sixteen bytes hold, in order; undefined for fields that do not lie so. */
export function cutsOf(fieldBits: number): readonly Cut[] | undefined {
  if (fieldBits === 4) return [{ byte: 0, shift: 0 }, { byte: 1, shift: 0 }];
  if (fieldBits === 2) return [{ byte: 0, shift: 0 }, { byte: 0, shift: 2 }, { byte: 1, shift: 0 }, { byte: 1, shift: 2 }];
  return undefined;
}

/** A digit of an output's or of a member's number: (number div `by`) rem `extent`, and the bits from one to the next. */
export interface SharedDigit {
  readonly by: number;
  readonly extent: number;
  readonly stride: number;
}

const outputDigits: readonly SharedDigit[] = [{ by: 4, extent: 2, stride: sumBits }, { by: 1, extent: 4, stride: 32 }];

/** The most significant first; members beyond these are in the next vectors. */
function memberDigits(fieldBits: number): readonly SharedDigit[] {
  const byte = { by: fieldBits === 4 ? 2 : 4, extent: 2, stride: 8 };
  return [byte, ...(fieldBits === 2 ? [{ by: 2, extent: 2, stride: 2 }] : []), { by: 1, extent: 2, stride: 16 }];
}

/** What turns two codes in 16 bits into w0 + 4096 * w1; undefined where that does not fit 16 bits, or the codes have steps. */
export function sharedOffset(weight: Tensor, code: Layout['code']): number | undefined {
  if (!code || code.step !== 1) return undefined;
  const [lo, hi] = weight.range ?? [describe(weight.dtype).min, describe(weight.dtype).max];
  const both = 1 + 2 ** sumBits;
  return lo * both >= -32768 && hi * both <= 32767 ? code.base * both : undefined;
}

/** The least and the greatest value of a load: a tensor's range, and what its halo holds. */
function valuesOf(tensor: Tensor): readonly number[] {
  const { min, max } = describe(tensor.dtype);
  const { haloValue } = tensor.layout;
  return [...(tensor.range ?? [min, max]), ...(haloValue === undefined ? [] : [haloValue])];
}

/** True where the sums of the second outputs, over a whole reduction, fit the bits above the first ones'. */
export function secondFits(kernel: Kernel, data: Tensor, weight: Tensor): boolean {
  const most = Math.max(...valuesOf(data).flatMap((x) => valuesOf(weight).map((w) => Math.abs(x * w))));
  return kernel.reduce.reduce((n, a) => n * a.extent, most) < 2 ** (31 - sumBits);
}

/** How weights lie, in blocks: where outputs and members of one are. */
export interface Block {
  readonly outputs: readonly SharedDigit[];
  readonly members: readonly SharedDigit[];
  readonly bits: number;
  /** Bits of the last block past its end. */
  readonly tail: number;
}

/** Two outputs a lane of 32 bits. */
export const laneDigits = (fieldBits: number): Block => ({ outputs: outputDigits, members: memberDigits(fieldBits), bits: vectorBits, tail: tailBits });

/** Two outputs a byte, which is u0 + 16 * u1: eight outputs and two members in eight bytes. */
export const byteDigits: Block = { outputs: [{ by: 4, extent: 2, stride: 4 }, { by: 1, extent: 4, stride: 16 }], members: [{ by: 1, extent: 2, stride: 8 }], bits: 64, tail: 0 };
