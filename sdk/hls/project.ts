/**
 * An FPGA project as texts by path: sources, test bench, Makefile, scripts of the vendor's tools, drivers, README and report. Pure:
 * who compiles the model, runs it for expected outputs and writes files is sdk/cli/hls.ts.
 */
import { hostFiles } from './host.js';
import { makefile, vitisScript } from './build.js';
import { readme } from './readme.js';
import { report } from './report.js';
import { reportJson } from './reportJson.js';
import { sourceFiles } from './sources.js';
import { testbench } from './testbench.js';
import type { Project } from './types.js';
import { vivadoFiles } from './vivado.js';

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
