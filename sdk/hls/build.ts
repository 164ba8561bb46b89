/**
 * How a project is built: the Makefile (C simulation with g++ alone, synthesis and bitstream by the vendor's tools) and the script
 * for Vitis HLS. The script for Vivado is in vivado.ts.
 */
import type { Project } from './types.js';

/** Bits of addresses on the bus of the board's memory; one register each in the control interface. */
export const addressBits = 32;

/** The text of the Makefile. */
export function makefile({ name, board }: Project): string {
  return `# C simulation needs g++ alone; hls and bitstream need Vitis HLS and Vivado (README.md).
#   make csim                    compiles the circuit and compares every bit with the WebAssembly module
#   make csim HEADERS=FOLDER     the same with other headers of ap_int.h and hls_stream.h, such as the vendor's
#   make hls                     C simulation, synthesis, co-simulation and export by Vitis HLS
#   make bitstream               the whole design for ${board.title} by Vivado, after "make hls"
${board.interface === 'microblaze' ? '#   make program                 builds the program of host/, loads it and the bitstream over JTAG and starts it\n' : ''}HEADERS ?= sim
VIVADO ?= vivado
CXXFLAGS ?= -O1
FLAGS = -std=c++14 -ffp-contract=off -fno-fast-math -Wno-unknown-pragmas
SOURCES = src/${name}.cpp src/${name}.h src/kernels.h src/weights.h src/sigmaflow_hls.h

.PHONY: csim hls bitstream ${board.interface === 'microblaze' ? 'program ' : ''}clean

csim: build/csim
	@build/csim tb/data

build/csim: $(SOURCES) tb/testbench.cpp $(wildcard $(HEADERS)/*.h)
	@command -v $(firstword $(CXX)) > /dev/null || { echo "$(firstword $(CXX)) is missing: install it (Debian, Ubuntu: apt-get install -y g++), or name a compiler: make csim CXX=clang++" >&2; exit 1; }
	@mkdir -p build
	@$(CXX) $(CXXFLAGS) $(FLAGS) -Isrc -isystem $(HEADERS) -o build/csim src/${name}.cpp tb/testbench.cpp

hls: build/hls.done

# Vitis HLS is "vitis_hls -f" up to 2024.1, and "vitis-run --mode hls --tcl" from 2024.2 on.
build/hls.done: $(SOURCES) tb/testbench.cpp vitis_hls.tcl
	@mkdir -p build
	@if command -v vitis_hls > /dev/null; then vitis_hls -f vitis_hls.tcl; \\
	elif command -v vitis-run > /dev/null; then vitis-run --mode hls --tcl vitis_hls.tcl; \\
	else echo "Vitis HLS is missing: install it and source its settings64.sh; C simulation needs g++ alone (make csim)" >&2; exit 1; fi
	@touch $@

bitstream: build/${name}.bit

build/${name}.bit: build/hls.done vivado.tcl
	@command -v $(VIVADO) > /dev/null || { echo "$(VIVADO) is missing: install it and source its settings64.sh" >&2; exit 1; }
	$(VIVADO) -mode batch -nojournal -nolog -source vivado.tcl
${board.interface === 'microblaze' ? programRules(name) : ''}
clean:
	rm -rf build hls vivado
`;
}

/** Rules for the program of a MicroBlaze. "vitis -s" runs Python since 2023.2, which brought vitis-run as well; before it, xsct runs Tcl. */
const programRules = (name: string): string => `
program: build/host.elf
	@command -v xsdb > /dev/null || { echo "xsdb is missing: install Vitis and source its settings64.sh" >&2; exit 1; }
	xsdb host/load.tcl

build/host.elf: build/${name}.bit $(wildcard host/*)
	@if command -v vitis-run > /dev/null; then vitis -s host/build.py; \\
	elif command -v xsct > /dev/null; then xsct host/build.tcl; \\
	else echo "Vitis is missing: install it and source its settings64.sh" >&2; exit 1; fi
`;

/** The text of vitis_hls.tcl. */
export function vitisScript({ name, text, board, clock }: Project): string {
  return `# Vitis HLS 2020.2 or later: C simulation, synthesis, co-simulation, export as an IP. "make hls" runs it.
# Steps may be left away: SKIP="cosim" make hls
set here [file dirname [file normalize [info script]]]
set skip [expr {[info exists ::env(SKIP)] ? $::env(SKIP) : ""}]
cd $here

open_project -reset hls
set_top ${text.topName}
add_files src/${name}.cpp -cflags "-std=c++14 -I$here/src" -csimflags "-std=c++14 -I$here/src -ffp-contract=off"
add_files -tb tb/testbench.cpp -cflags "-std=c++14 -I$here/src -ffp-contract=off -Wno-unknown-pragmas"
open_solution -reset solution -flow_target vivado
set_part ${board.part}
create_clock -period ${period(clock)} -name default
config_interface -m_axi_addr64=${addressBits === 32 ? 'false' : 'true'}
# Every float operation rounds once, in the order of the program: that is so as long as unsafe_math_optimizations stays off.

if {[lsearch $skip csim] < 0} { csim_design -argv "$here/tb/data" }
csynth_design
if {[lsearch $skip cosim] < 0} { cosim_design -argv "$here/tb/data" -rtl verilog }
export_design -rtl verilog -format ip_catalog
exit
`;
}

/** Nanoseconds of a clock in MHz. */
export const period = (clock: number): string => String(Number((1000 / clock).toFixed(3)));
