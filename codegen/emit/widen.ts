/**
 * Constants that kernels read as 16-bit integers and that fit 8 bits are stored as bytes: a start function widens them in
 * memory once, when the module is instantiated, where kernels would widen them at every read.
 *
 * A constant's bytes come to lie in the upper half of its place, and are read upwards before what is written reaches them.
 * Here: the instructions, as sections' entries; module.ts puts them into the module.
 * Format: WebAssembly core specification, chapter 5, and the SIMD proposal's opcodes.
 */
import { signedBytes, unsignedBytes } from './leb128.js';

/** Bytes that memory holds at an offset before the entry runs. */
export interface DataSegment {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Signed integers of 16 bits that may be stored in 8, where all of them fit. Only for modules that have vectors. */
  readonly narrow?: boolean;
}

/** A constant that is widened to 16-bit integers: it begins at `offset` and has `count` of them. */
export interface Widened {
  readonly offset: number;
  readonly count: number;
}

/** Integers that one turn of the loop widens; places and lengths of constants are multiples of it. */
const lanes = 8;

/** The segment as bytes in the upper half of its place, and how they are widened; undefined where it does not fit. */
export function narrowSegment({ offset, bytes, narrow }: DataSegment): { segment: DataSegment; widened: Widened } | undefined {
  const count = bytes.length / 2;
  if (!narrow || count === 0 || count % lanes !== 0) return undefined;
  const low = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    low[i] = bytes[2 * i];
    if (bytes[2 * i + 1] !== (low[i] < 128 ? 0 : 255)) return undefined;
  }
  return { segment: { offset: offset + count, bytes: low }, widened: { offset, count } };
}

/** (to, from) -> (), and () -> (). */
export const widenTypes: readonly (readonly number[])[] = [[0x60, 2, 0x7f, 0x7f, 0], [0x60, 0, 0]];

/**
 * Widens from `from` on to `to`, until the two meet: a step reads 8 bytes and writes 16.
 *
 *   loop  v128.store to (v128.load8x8_s from)  to += 16  from += 8  br_if to != from
 */
const widenBody: readonly number[] = [
  0,
  0x03, 0x40,
  0x20, 0, 0x20, 1, 0xfd, 1, 3, 0, 0xfd, 11, 4, 0,
  0x20, 0, 0x41, 2 * lanes, 0x6a, 0x22, 0,
  0x20, 1, 0x41, lanes, 0x6a, 0x22, 1,
  0x47, 0x0d, 0, 0x0b,
  0x0b,
];

/** The bodies of the function that widens, which has index `first`, and of the start function after it. `next`: the start function that there was. */
export function widenBodies(widened: readonly Widened[], first: number, next?: number): readonly (readonly number[])[] {
  const call = (index: number): number[] => [0x10, ...unsignedBytes(index)];
  const calls = widened.flatMap(({ offset, count }) => [0x41, ...signedBytes(offset), 0x41, ...signedBytes(offset + count), ...call(first)]);
  return [widenBody, [0, ...calls, ...(next === undefined ? [] : call(next)), 0x0b]];
}
