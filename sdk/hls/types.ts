/** What an FPGA project is made of: what all its texts are written from. No text, no file. */
import type { HlsText } from '../../codegen/emit/hls/design.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import type { Depths } from '../../codegen/schedule/fabric/depths.js';
import type { Folding } from '../../codegen/schedule/fabric/kernel.js';
import type { Estimate } from '../../codegen/schedule/fabric/resources.js';
import type { Timing } from '../../codegen/schedule/fabric/simulate.js';
import type { FpgaBoard } from '../../codegen/targets/board.js';
import type { Effects } from './effects.js';

/** All that a project says. */
export interface Project {
  /** An identifier; the top function is NAME_top. */
  readonly name: string;
  /** The model as people call it. */
  readonly model: string;
  readonly board: FpgaBoard;
  /** MHz. */
  readonly clock: number;
  /** What was asked for, in words. */
  readonly goal: string;
  /** As imported, and after the passes. */
  readonly imported: Graph;
  readonly graph: Graph;
  /** As lowered, and as a circuit. */
  readonly lowered: ProgramUnit;
  readonly unit: ProgramUnit;
  readonly text: HlsText;
  readonly folding: Readonly<Record<string, Folding>>;
  readonly estimate: Estimate;
  /** Of one call; interval and streams are those of several in a row. */
  readonly timing: Timing;
  /** Words by stream that the simulation needs, and what time streams without end would give, in cycles. */
  readonly depths: Pick<Depths, 'least' | 'endless'>;
  /** The circuit without each of its optimizations. */
  readonly effects: Effects;
  readonly vectors: Vectors;
  /** The headers of boards/simulation by file name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  /** ISO 8601. */
  readonly date: string;
}

/** Inputs of the test bench and what the WebAssembly module answers. */
export interface Vectors {
  /** Calls of the top function. */
  readonly calls: number;
  /** Where the inputs come from, in words. */
  readonly origin: string;
  /** By argument of the top function: all calls one after the other, in the types of the interface. */
  readonly arrays: Readonly<Record<string, VectorArray>>;
}

export interface VectorArray {
  /** The first dimension is `calls`. */
  readonly shape: readonly number[];
  readonly data: InterfaceArray;
  /** The same as a .npy file. */
  readonly npy: Uint8Array;
}

export type InterfaceArray = Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
