/**
 * Processors: what the vector code of a target will run on, as far as schedules depend on it. Sustained figures of a core's
 * published pipelines, in WebAssembly's terms: products and sums are instructions of their own.
 */
export interface Processor {
  readonly name: string;
  /** Vector registers. */
  readonly registers: number;
  /** Of those, what engines keep for themselves and for temporaries. */
  readonly reserved: number;
  readonly loadsPerCycle: number;
  readonly arithmeticPerCycle: number;
  readonly issuePerCycle: number;
  /** Counts the bits of a 64-bit word in one instruction on it where it lies. */
  readonly countsBits: boolean;
  /** Cycles from one sum to the next that needs it; `quad`: by the instruction that adds four products of bytes. */
  readonly chain: { readonly float: number; readonly integer: number; readonly quad: number };
  /** The least and the greatest of two floats, NaN and the sign of zero included, are one instruction; else about nine. */
  readonly exactExtremes: boolean;
}

/** Intel and AMD cores of the last ten years. V8 keeps one register. */
export const x86_64: Processor = { name: 'x86-64', registers: 16, reserved: 1, loadsPerCycle: 2, arithmeticPerCycle: 2, issuePerCycle: 4, countsBits: true, chain: { float: 4.5, integer: 1, quad: 7 }, exactExtremes: false };

/** Cortex-A72 and A76, Apple's and other 64-bit ARM cores: twice the registers. */
export const arm64: Processor = { name: 'arm64', registers: 32, reserved: 4, loadsPerCycle: 2, arithmeticPerCycle: 2, issuePerCycle: 4, countsBits: false, chain: { float: 3, integer: 2, quad: 3 }, exactExtremes: true };

export const processors: Readonly<Record<string, Processor>> = { 'x86-64': x86_64, arm64 };
