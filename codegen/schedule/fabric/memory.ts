/**
 * What arrays and queues take on a 7-series fabric, and which memory an array gets: flip-flops, LUTs or block RAM, by its shape
 * alone. Estimates, as FINN-R makes them (Blott et al., "FINN-R: An End-to-End Deep-Learning Framework for Fast Exploration of
 * Quantized Neural Networks", 2018; FINN's matrixvectoractivation, streamingfifo), with the sizes of UG473 and UG474.
 */
import { describe } from '../../ir/datatype.js';
import type { ElementType, Program, Stmt } from '../../ir/program.js';
import { walkStmts } from '../../ir/walk.js';

export type MemoryKind = 'registers' | 'lutram' | 'bram';

/** One memory: bits of a word, words; whether the circuit writes it. */
export interface MemoryShape {
  readonly width: number;
  readonly depth: number;
  readonly isWritten: boolean;
}

/** A block of 18 Kib costs a part as much of itself as so many LUTs do: XC7Z020 has 190 LUTs a block, XC7A100T 235. */
export const lutsPerBlock = 200;

/** Deeper memories are no LUTs: the choice among so many of them takes others, and time. */
export const deepestLutram = 1024;

const over = (a: number, b: number): number => Math.ceil(a / b);

/** Blocks of 18 Kib for `depth` words of `width` bits (FINN's table, by the ratios of width and depth that a block has). */
export function bram18Of(width: number, depth: number): number {
  if (width === 1) return over(depth, 16384);
  if (width === 2) return over(depth, 8192);
  if (width <= 4) return over(depth, 4096) * over(width, 4);
  if (width <= 9) return over(depth, 2048) * over(width, 9);
  if (width <= 18 || depth > 512) return over(depth, 1024) * over(width, 18);
  return over(depth, 512) * over(width, 36);
}

/**
 * LUTs of a memory without a block. Read only: 64 words of a bit a LUT (FINN's c2, UG474). Written: a port to write and one to
 * read, of which four LUTs hold 32 words of 6 bits or 64 of 3 (UG474, simple dual port).
 */
export function lutramOf({ width, depth, isWritten }: MemoryShape): number {
  if (!isWritten) return width * over(depth, 64);
  return depth <= 32 ? over(4 * width, 6) : over(4 * width, 3) * over(depth, 64);
}

/** One word is wires or flip-flops; else LUTs where it is not deep and they are the smaller share of a part; else block RAM. */
export function memoryKind(shape: MemoryShape): MemoryKind {
  if (shape.depth <= 1) return 'registers';
  if (shape.depth > deepestLutram) return 'bram';
  return lutramOf(shape) <= lutsPerBlock * bram18Of(shape.width, shape.depth) ? 'lutram' : 'bram';
}

/** Bits of an element of a type. */
export const bitsOfType = (type: ElementType): number => (type === 'float32' ? 32 : describe(type).bits);

/** The memory of an array of `elements`, of which `banks` neighbours are one word. */
export function shapeOfArray(type: ElementType, elements: number, banks: number, isWritten: boolean): MemoryShape {
  return { width: bitsOfType(type) * banks, depth: over(elements, banks), isWritten };
}

/** LUTs, flip-flops and blocks of a queue: shift registers of 32 words of two bits (FINN's formula); block RAM beyond 256 words. */
export function queueOf(width: number, depth: number): { lut: number; ff: number; bram18: number; lutram: number } {
  const counters = 2 * Math.ceil(Math.log2(Math.max(depth, 2)));
  if (depth > 256) return { lut: counters, ff: 2 * counters, bram18: bram18Of(width, depth), lutram: 0 };
  const lutram = over(depth, 32) * over(width, 2);
  return { lut: counters + lutram, ff: counters + width, bram18: 0, lutram };
}

export type RomKind = 'lutram' | 'bram';

/** A constant's memory: where, and words and bits, as schedules print it. */
export interface Rom {
  readonly kind: RomKind;
  readonly text: string;
}

/**
 * The memories of the constants that statements read, by tensor; `banks` as their pipelines need them. One whose bytes are all read
 * at once has none: it is wires. This is the only place that decides; `all`: instead of by shape.
 */
export function romsOf(body: readonly Stmt[], program: Program, banks: ReadonlyMap<string, number>, all?: RomKind): Map<string, Rom> {
  const found = new Map<string, Rom>();
  walkStmts(body, {
    expr: (e) => {
      if (e.op !== 'load' || found.has(e.tensor)) return;
      const { buffer, dtype, shape } = program.tensors[e.tensor];
      if (program.buffers[buffer].role !== 'constant') return;
      const memory = shapeOfArray(dtype, shape.reduce((a, b) => a * b, 1), banks.get(e.tensor) ?? 1, false);
      const byShape = memoryKind(memory);
      const kind = all ?? byShape;
      if (byShape !== 'registers' && kind !== 'registers') found.set(e.tensor, { kind, text: `${kind} ${memory.depth} x ${memory.width}` });
    },
  });
  return found;
}
