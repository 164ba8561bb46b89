/** The README of a project: what it holds, and step by step from C simulation to answers of the board. */
import { busCycles } from '../../codegen/targets/board.js';
import type { Project } from './types.js';
import { timeOf } from './report.js';
import { sharedBytes } from './vivado.js';

/** The text of README.md. */
export function readme(project: Project): string {
  const { name, model, board, clock, goal, text, timing, estimate, vectors, version } = project;
  const zynq = board.interface === 'zynq';
  const figures = [
    `latency ${timeOf(timing.latency + busCycles(board), clock)} (${timing.latency} cycles, and ${busCycles(board)} for memory to answer), a call every ${timeOf(timing.interval, clock)}`,
    `about ${estimate.total.lut} LUT, ${estimate.total.ff} FF, ${estimate.total.dsp} DSP, ${estimate.total.bram18} BRAM of 18 Kbit`,
  ];
  return `# ${model} on ${board.title}

A circuit made by sigmaflow ${version}: ${board.part} at ${clock} MHz, ${goal}. Estimates: ${figures.join('; ')}.
\`report.html\` says where they come from, process by process.

| | |
|---|---|
| \`src/\` | the circuit: \`${name}.cpp\` (top function \`${text.topName}\`), \`kernels.h\`, \`weights.h\`, \`sigmaflow_hls.h\` |
| \`tb/\` | test bench; \`data/\` has ${vectors.calls} calls with inputs (${vectors.origin}) and the outputs of the WebAssembly module |
| \`sim/\` | headers with which g++ alone simulates; synthesis does not use them |
| \`Makefile\`, \`vitis_hls.tcl\`, \`vivado.tcl\`${zynq ? '' : ', \`pins.xdc\`'} | how it is built |
| \`folding.json\` | how much of each layer is a circuit of its own; change it and make the project again with \`--folding folding.json\` |
| \`host/\` | ${zynq ? 'the driver for PYNQ, in Python' : 'the program for the MicroBlaze, in C, and how it is built and loaded'} |
| \`report.html\`, \`report.json\` | resources, cycles, streams, optimizations and what each of them saves |

## 1. C simulation: needs g++

    make csim

compiles the circuit and compares every bit of its outputs with the WebAssembly module's. \`make csim HEADERS=FOLDER\` takes other
headers of \`ap_int.h\` and \`hls_stream.h\`, such as the vendor's. C simulation runs one process after the other: it cannot see
queues that are too short. Those were simulated when the project was made; co-simulation below tries them in the circuit itself.

## 2. Synthesis: needs Vitis HLS

    source /tools/Xilinx/Vitis_HLS/VERSION/settings64.sh      # wherever it is installed; from 2024.2 on Vitis/VERSION
    make hls

C simulation again, synthesis, co-simulation of the Verilog with the same test bench, export as an IP. Compare
\`hls/solution/syn/report/${text.topName}_csynth.rpt\` with \`report.html\`. Co-simulation takes long: \`SKIP=cosim make hls\`.
The script is for Vitis HLS 2020.2 or later, under either of its names (\`vitis_hls\`, \`vitis-run\`); versions before 2022.1 export
nothing since that year without AMD's patch of article 76960.

## 3. Bitstream: needs Vivado

    make bitstream

builds the block design around the circuit (${zynq ? 'processing system, one AXI port to its memory' : `MicroBlaze with 64 KiB of its own, ${sharedBytes(project)} bytes of block memory that it shares with the circuit, serial line; no memory outside the part`})
and writes \`build/${name}.bit\`${zynq ? ` and \`build/${name}.hwh\`` : ` and \`build/${name}.xsa\``}. Where timing is not met it says so: make the project again with a slower \`--clock\`.

## 4. On the board

${zynq ? `Copy to the board (user and password \`xilinx\` on the PYNQ image), into one folder:

    ssh xilinx@pynq mkdir -p ${name}
    scp -r build/${name}.bit build/${name}.hwh host/driver.py tb/data xilinx@pynq:${name}/

and run there, as root since the driver maps registers, with the environment of PYNQ's Python:

    ssh -t xilinx@pynq
    sudo -i                                  # root, with PYNQ's environment
    cd /home/xilinx/${name}
    python3 driver.py validate               # every bit of the answers
    python3 driver.py throughput             # microseconds a call

In a notebook: \`from driver import Network; network = Network("${name}.bit"); network.run(array)\`. A call in Python costs some microseconds
of its own, which \`throughput\` includes.` : `    make program

builds the program of \`host/\` by Vitis, loads bitstream and program over JTAG and starts it. On the serial line (115200 baud, 8N1) it prints PASS or
the first word that differs, and two lines around 1000 calls, between which a host can measure. The program holds
its vectors (\`host/vectors.h\`); \`host/circuit.h\` has the addresses. It needs no library, so other tools can compile it as well.`}

The scripts for Vitis HLS and Vivado were written after their manuals; run \`make csim\` first, so that what fails later is not the circuit's arithmetic.
`;
}
