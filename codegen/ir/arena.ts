/** The arena's rules, for those who plan it, verify it, interpret in it and put it into a module. Not here: its plan. */

/** First byte of the arena: address 0 stays unused. */
export const arenaStart = 64;

/** Buffers begin at multiples of it: one vector. */
export const alignment = 16;

/** Bytes past the last buffer: a vector load may start at its last element. */
export const slack = 16;

/** The next multiple of the alignment. */
export const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
