/**
 * What one operation takes on a 7-series fabric. Integers by FINN-R's formulas for LUTs (facts of its estimates: products of W and A
 * bits, sums, comparisons); floats as Vivado HLS counts the vendor's operator cores on an XC7Z020 at 100 MHz (adders with full and
 * multipliers with maximal use of DSP48E1). All are estimates, for designs side by side and for what is far from the limit of a part;
 * synthesis says what is.
 */
import { latencies } from '../../targets/fpga.js';

/** LUTs, flip-flops, DSP slices and block RAMs of 18 Kib; of the LUTs those that are memory or shift registers, which a third of a part's can be. */
export interface Usage {
  readonly lut: number;
  readonly ff: number;
  readonly dsp: number;
  readonly bram18: number;
  readonly lutram: number;
}

export const usage = (lut: number, ff = 0, dsp = 0, bram18 = 0, lutram = 0): Usage => ({ lut, ff, dsp, bram18, lutram });
export const nothing = usage(0);

/** What a part has; where nothing is said of LUT memory, all its LUTs can be. */
export type PartResources = Omit<Usage, 'lutram'> & { readonly lutram?: number };

/** a + times * b. */
export function added(a: Usage, b: Usage, times = 1): Usage {
  return { lut: a.lut + times * b.lut, ff: a.ff + times * b.ff, dsp: a.dsp + times * b.dsp, bram18: a.bram18 + times * b.bram18, lutram: a.lutram + times * b.lutram };
}

export interface OperatorOptions {
  /** Products of operands with so many bits together, and more, are DSP slices; Infinity for none. */
  readonly dspFrom?: number;
  /** Bits of every accumulator of integers; as proved where nothing is said. */
  readonly accumulatorBits?: number;
}

/** Narrower operands than 10 bits each are left to LUTs, as the vendor's tool does where nothing is said. */
export const defaultDspFrom = 20;

/** Single precision. Sums, products and quotients from a public report (csynth, Vivado HLS 2016.2); the others from memory, to two digits. */
export const floatCores: Readonly<Record<keyof Omit<typeof latencies, 'load' | 'integer' | 'compare'>, Usage>> = {
  add: usage(390, 205, 2),
  mul: usage(321, 143, 3),
  div: usage(994, 761),
  sqrt: usage(620, 410),
  convert: usage(550, 340),
};

/** Order and rounding of floats, which are integers (sigmaflow_hls.h): by how many operands synthesis does not know. */
export const floatOrder = {
  /** A rank, whether it is a NaN, and both zero; then 32 bits compared. */
  less: (operands: number): Usage => usage(32 + 39 * operands + (operands > 1 ? 11 : 0), 1),
  equal: (operands: number): Usage => usage(32 + 8 * operands + (operands > 1 ? 11 : 0), 1),
  /** The lesser or greater of two. */
  extreme: (operands: number): Usage => usage(64 + 39 * operands, 32),
  /** A mask by the exponent, a sum, what is masked. */
  round: usage(150, 32),
} as const;

/** A product of integers. `isFixed`: one of the factors is a constant: sums of its digits, of which a third is not zero. */
export function product(a: number, b: number, { dspFrom = defaultDspFrom }: OperatorOptions, isFixed = false): Usage {
  const bits = a + b;
  if (bits >= dspFrom) return usage(0, bits, slices(Math.max(a, b), Math.min(a, b)));
  const lut = (2 * Math.ceil(bits / 6) - 1) * bits;
  return usage(isFixed ? Math.min(lut, bits * Math.ceil(Math.min(a, b) / 3)) : lut, bits);
}

/** All bits of a product of two words of 32. */
export const wholeProduct = product(32, 32, { dspFrom: 0 });

/** DSP48E1 multiply 25 by 18 signed bits (UG479); wider factors are cut into digits of 24 and 17. */
function slices(wide: number, narrow: number): number {
  return wide <= 25 && narrow <= 18 ? 1 : Math.ceil((wide - 1) / 24) * Math.ceil((narrow - 1) / 17);
}

/** A tree that adds `terms` of so many bits, and the sum of `total` bits that goes on. */
export function sumTree(terms: number, bits: number, total: number): Usage {
  return usage(bits * (2 * terms - 1) + total, bits * terms);
}

/** A LUT a bit: sums, logic, choices. */
export const perBit = (bits: number): Usage => usage(bits, bits);

/** The ones of a word: a tree of counters, about a LUT a bit. */
export const countedBits = (bits: number): Usage => usage(bits, Math.ceil(Math.log2(bits + 1)));

/** What arithmetic takes on top of its sum (FINN-R: 10 %), and a process by itself (FINN-R: 300 LUTs of a matrix-vector unit). */
export const arithmeticOverhead = 1.1;
export const control = { reduction: usage(300, 200), plain: usage(100, 80) } as const;

/**
 * An AXI master to memory as Vitis HLS reports it: of 32 bits 580 LUTs, 512 flip-flops and 2 blocks, of 64 bits 766, 566 and 4. The
 * blocks are its two queues, each of 16 bursts of 16 words, the tool's default (UG1399, Controlling AXI4 Burst Behavior).
 */
export const memoryPort = (bits: number): Usage => (bits <= 32 ? usage(580, 512, 0, 2) : usage(766, 566, 0, 4));

/**
 * What takes words of a bus apart, or puts them together, `lanes` elements of `width` bits at once: where these are no whole word, a
 * register that is shifted by as many elements as it holds (a LUT for every two bits and power of two).
 */
export function memoryWords(bits: number, width: number, lanes: number): Usage {
  if (lanes * width === bits) return usage(0, bits);
  const held = bits + lanes * width;
  const places = Math.ceil(Math.log2(bits / width));
  return usage(held + Math.ceil((held * places) / 2), held + 8);
}
