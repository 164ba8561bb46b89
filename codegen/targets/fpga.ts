/**
 * The fabric of an FPGA as a target: no lanes and no instructions; loops that are unrolled become circuits side by side. What a
 * certain board has (parts, clock) is in its description, not here.
 */
import type { Target } from './target.js';
import { x86_64 } from './processor.js';

/** The processor is that of C simulation, for which no tile is made. */
export const fpga: Target = { name: 'fpga', lanes: 1, processor: x86_64, dots: [], lookups: 0, wideOperations: [], features: [] };

/** Limits of the synthesis tools (facts of their manuals: more banks or copies are refused or never end). */
export const mostBanks = 4096;
export const mostCopies = 4096;

/** What steps gather into one word of a stream: registers that an array becomes without an option of the tool, and bits of its widest integers. */
export const mostGathered = { elements: 1024, bits: 4096 } as const;

/**
 * Cycles of a float32 core at about 100 MHz (one less than the stages of Vivado HLS's cores on an XC7Z020: fadd 5, fmul 4, fdiv 16,
 * sitofp 6), of a memory that is read, and of integer operations.
 */
export const latencies = { add: 4, mul: 3, div: 15, sqrt: 12, compare: 1, convert: 5, load: 2, integer: 1 } as const;

/** Levels of a tree of integer additions that fit one cycle. */
export const additionsOfCycle = 4;

/** Cycles to enter a loop and to leave it, where it is not alone in its process: a state ahead of it and one behind. */
export const loopOverhead = 2;
