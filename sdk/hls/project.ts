/**
 * An FPGA project as texts by path: sources, test bench, Makefile, scripts of the vendor's tools, drivers, README and report. Pure:
 * who compiles the model, runs it for expected outputs and writes files is sdk/cli/hls.ts.
 */
import type { HlsText } from '../../codegen/emit/hls/design.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import type { Depths } from '../../codegen/schedule/fabric/depths.js';
import type { Folding } from '../../codegen/schedule/fabric/kernel.js';
import type { Estimate } from '../../codegen/schedule/fabric/resources.js';
import type { Timing } from '../../codegen/schedule/fabric/simulate.js';
import type { FpgaBoard } from '../../codegen/targets/board.js';
import type { Effects } from './effects.js';
import { hostFiles } from './host.js';
import { makefile, vitisScript } from './build.js';
import { readme } from './readme.js';
import { report } from './report.js';
import { reportJson } from './reportJson.js';
import { sourceFiles } from './sources.js';
import { testbench } from './testbench.js';
import { vivadoFiles } from './vivado.js';

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

/** The header that belongs to the sources, not to simulation alone. */
const ownHeader = 'sigmaflow_hls.h';

/** Every file of the project by its path, with forward slashes. */
export function projectFiles(project: Project): Record<string, string | Uint8Array> {
  const { headers, vectors } = project;
  return {
    'README.md': readme(project),
    'report.html': report(project),
    'report.json': reportJson(project),
    Makefile: makefile(project),
    'folding.json': `${JSON.stringify(project.folding, null, 2)}\n`,
    'vitis_hls.tcl': vitisScript(project),
    ...vivadoFiles(project),
    ...sourceFiles(project),
    [`src/${ownHeader}`]: headers[ownHeader],
    ...Object.fromEntries(Object.entries(headers).filter(([name]) => name !== ownHeader).map(([name, text]) => [`sim/${name}`, text])),
    'tb/testbench.cpp': testbench(project),
    ...Object.fromEntries(Object.entries(vectors.arrays).map(([name, { npy }]) => [`tb/data/${name}.npy`, npy])),
    ...hostFiles(project),
  };
}
