/**
 * Targets: what a back end's machine has. Plain data that the schedule reads; the texts of instructions belong to emitters.
 */
import { x86_64, type Processor } from './processor.js';

export interface DotProduct {
  /** Products in a group. */
  readonly extent: number;
  /** Bits of its signed operands. */
  readonly operandBits: number;
  /** Bits of the operand that must be proved to have no sign, where there is one: beyond, engines differ. */
  readonly unsignedBits?: number;
}

export interface Target {
  readonly name: string;
  /** Lanes of 32 bits in a vector register; 1 where there are none. */
  readonly lanes: number;
  /** What tiles are made for. */
  readonly processor: Processor;
  /** Groups of products that one instruction adds, the largest first. */
  readonly dots: readonly DotProduct[];
  /** Lanes of a table lookup: as many bytes, each by the code of half a byte, out of 16 (0: there is none). */
  readonly lookups: number;
  /** Operations that lanes have for integers of 33 to 64 bits (two vectors a value). */
  readonly wideOperations: readonly string[];
  /**
   * Outside equal bits: float sums of products in one instruction, which rounds once or twice as the machine likes, and more
   * partial sums where the order of float sums costs lanes.
   */
  readonly fastMath?: boolean;
  /** WebAssembly features, as the assembler names them. */
  readonly features: readonly string[];
}

/** WebAssembly without vectors. */
export const scalar: Target = { name: 'scalar', lanes: 1, processor: x86_64, dots: [], lookups: 0, wideOperations: [], features: [] };

/** WebAssembly with 128-bit vectors. Tiles are made for 16 registers unless a processor with more is named. */
export const simd128: Target = {
  name: 'simd128',
  lanes: 4,
  processor: x86_64,
  dots: [{ operandBits: 16, extent: 2 }],
  lookups: 16,
  wideOperations: ['add', 'sub', 'mul', 'shr', 'convert'],
  features: ['simd'],
};

/** The same with relaxed SIMD, of which only the 8-bit dot product is used, and only where all engines agree on it. */
export const relaxed: Target = {
  ...simd128,
  name: 'relaxed',
  dots: [{ extent: 4, operandBits: 8, unsignedBits: 7 }, ...simd128.dots],
  features: ['simd', 'relaxed-simd'],
};

export const targets: Readonly<Record<string, Target>> = { scalar, simd128, relaxed };
