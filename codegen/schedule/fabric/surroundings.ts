/**
 * What lies between a circuit and the processor that calls it, on the same part: reports by others, not estimates. Not in the estimates
 * of circuits (resources.ts), and set aside where one is folded to fit a board.
 */
import { added, usage, type Usage } from './operators.js';

/** A register file for start, done and addresses of memory: Vivado HLS 2020.1 of a port with 96 bits of arguments, XC7Z020. */
const registers = usage(232, 144);

/**
 * The ARM cores' interconnects and reset of a Zynq: a system that FINN built for XC7Z020 in 2021 (Vivado 2020.1; 11,646 LUTs, 815 of them
 * memory, 14,347 flip-flops after placement), less its accelerator by itself (7,073, 19, 7,534) and two memory ports (769, 73 and
 * 1,297 each).
 */
const zynq = usage(3035, 4219, 0, 0, 650);

/** A MicroBlaze of the microcontroller preset on an Artix-7 (UG984); its memories and interconnects come on top. */
const microBlaze = usage(1174, 811);

/** By how a board's circuit is reached. */
export const surroundings: Readonly<Record<'zynq' | 'microblaze', Usage>> = { zynq: added(zynq, registers), microblaze: added(microBlaze, registers) };
