/**
 * The program for a MicroBlaze beside the circuit, in C without an operating system: it validates against the first calls of the test
 * bench and measures the throughput. How it is built and loaded: by Vitis, in Python since 2023.2 and in Tcl before, and xsdb.
 */
import { addressBits } from './build.js';
import type { Project, VectorArray } from './types.js';
import { comment } from './sources.js';
import { addresses, bufferPlan, elementBytes } from './vivado.js';

/** Bytes of vectors at most that are compiled into a program without files. */
const embeddedBytes = 24 * 1024;

/** The files of host/. */
export function bareMetalFiles(project: Project): Record<string, string> {
  return {
    'host/main.c': program(project), 'host/bus.h': bus, 'host/circuit.h': registers(project), 'host/vectors.h': embedded(project),
    'host/build.py': buildInPython(project), 'host/build.tcl': buildInTcl(project), 'host/load.tcl': load(project),
  };
}

const hex = (n: number): string => `0x${n.toString(16).toUpperCase().padStart(8, '0')}u`;

/** Addresses and registers. A pointer takes a register and a reserved word, from 0x10 on, in the order of the arguments. */
function registers({ name, text }: Project): string {
  const { offsets } = bufferPlan({ text });
  const words = addressBits === 32 ? 2 : 3;
  return [
    comment('Where the circuit and its buffers lie: as vivado.tcl places them, and registers as Vitis HLS lays them out'),
    comment(`(compare hls/solution/impl/ip/drivers/*/src/x${name.toLowerCase()}_top_hw.h).`),
    '#ifndef CIRCUIT_H',
    '#define CIRCUIT_H',
    `#define SERIAL ${hex(addresses.serial)}`,
    `#define CIRCUIT_CONTROL ${hex(addresses.control)}`,
    comment('Bits of the word at CIRCUIT_CONTROL: written, the circuit starts; read as one, it is done, and the reading clears it.'),
    '#define CIRCUIT_START 1u',
    '#define CIRCUIT_DONE 2u',
    ...text.arguments.flatMap((a, i) => [
      '',
      comment(a.tensor.name),
      `#define ${a.name.toUpperCase()}_REGISTER 0x${(0x10 + 4 * words * i).toString(16)}u`,
      `#define ${a.name.toUpperCase()}_ADDRESS ${hex(addresses.buffers + offsets[i])}`,
      `#define ${a.name.toUpperCase()}_BYTES ${a.elements * elementBytes(a.type)}u`,
    ]),
    '#endif',
    '',
  ].join('\n');
}

/** Calls whose inputs and outputs fit into the program. */
function embeddedCalls({ text, vectors }: Project): number {
  const bytes = text.arguments.reduce((n, a) => n + Math.ceil((a.elements * elementBytes(a.type)) / 4) * 4, 0);
  return Math.max(1, Math.min(vectors.calls, Math.floor(embeddedBytes / bytes)));
}

function embedded(project: Project): string {
  const { text, vectors } = project;
  const calls = embeddedCalls(project);
  return [
    comment(`The first ${calls} of the test bench's calls, as words of 32 bits.`),
    '#ifndef VECTORS_H',
    '#define VECTORS_H',
    '#include <stdint.h>',
    `#define CALLS ${calls}`,
    ...text.arguments.map((a) => {
      const words = Math.ceil((a.elements * elementBytes(a.type)) / 4);
      return `static const uint32_t vectors_${a.name}[CALLS][${words}] = {\n${Array.from({ length: calls }, (_, c) => `  {${wordsOf(vectors.arrays[a.name], c, a.elements).join(', ')}},`).join('\n')}\n};`;
    }),
    '#endif',
    '',
  ].join('\n');
}

/** The bytes of one call as little-endian words. */
function wordsOf({ data }: VectorArray, call: number, elements: number): string[] {
  const one = data.subarray(call * elements, (call + 1) * elements);
  const bytes = new Uint8Array(Math.ceil(one.byteLength / 4) * 4);
  bytes.set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
  return Array.from(new Uint32Array(bytes.buffer), (w) => `0x${w.toString(16)}u`);
}

/** A header of its own, so that the program can run on another bus. */
const bus = `${comment('Words of 32 bits on the bus of the MicroBlaze. It has no caches here, so what is written is in memory.')}
#ifndef BUS_H
#define BUS_H
#include <stdint.h>

static inline void put(uint32_t address, uint32_t word) { *(volatile uint32_t *)address = word; }
static inline uint32_t get(uint32_t address) { return *(const volatile uint32_t *)address; }
#endif
`;

function program(project: Project): string {
  const { model, text, clock, version } = project;
  const inputs = text.arguments.filter((a) => a.isInput);
  const outputs = text.arguments.filter((a) => !a.isInput);
  const macro = (name: string): string => name.toUpperCase();
  return `${comment(`The circuit of ${model} without an operating system: validates against vectors.h, then measures the throughput.`)}
${comment(`It needs no library: the serial line is an AXI UART Lite. Made by sigmaflow ${version}`)}
#include "bus.h"
#include "circuit.h"
#include "vectors.h"

#define TIMED_CALLS 1000

static void letter(char c) {
  while (get(SERIAL + 8) & 8u) { /* until its queue has a place */
  }
  put(SERIAL + 4, (uint32_t)c);
}

static void text(const char *letters) {
  while (*letters) letter(*letters++);
}

static void number(unsigned value) {
  if (value > 9) number(value / 10);
  letter((char)('0' + value % 10));
}

static void hexadecimal(uint32_t word) {
  int shift;
  for (shift = 28; shift >= 0; shift -= 4) letter("0123456789abcdef"[(word >> shift) & 15u]);
}

static void call(void) {
  put(CIRCUIT_CONTROL, CIRCUIT_START);
  while (!(get(CIRCUIT_CONTROL) & CIRCUIT_DONE)) {
  }
}

static void copy(uint32_t address, const uint32_t *words, unsigned bytes) {
  unsigned i;
  for (i = 0; i < bytes; i += 4) put(address + i, words[i / 4]);
}

/* How many words of a result differ from the expected ones. The unused bytes of the last word do not count. */
static unsigned compare(const char *name, unsigned call, uint32_t address, const uint32_t *expected, unsigned bytes) {
  unsigned i, differences = 0;
  for (i = 0; i < bytes; i += 4) {
    const uint32_t mask = bytes - i >= 4 ? 0xffffffffu : (1u << (8 * (bytes - i))) - 1u;
    const uint32_t found = get(address + i) & mask;
    if (found == (expected[i / 4] & mask)) continue;
    if (differences++ > 0) continue;
    text("FAIL: call ");
    number(call);
    text(", ");
    text(name);
    text(", word ");
    number(i / 4);
    text(" is ");
    hexadecimal(found);
    text(", expected ");
    hexadecimal(expected[i / 4] & mask);
    text("\\r\\n");
  }
  return differences;
}

int main(void) {
  unsigned i, differences = 0;
${text.arguments.map((a) => `  put(CIRCUIT_CONTROL + ${macro(a.name)}_REGISTER, ${macro(a.name)}_ADDRESS);`).join('\n')}
  for (i = 0; i < CALLS; ++i) {
${inputs.map((a) => `    copy(${macro(a.name)}_ADDRESS, vectors_${a.name}[i], ${macro(a.name)}_BYTES);`).join('\n')}
    call();
${outputs.map((a) => `    differences += compare("${a.name}", i, ${macro(a.name)}_ADDRESS, vectors_${a.name}[i], ${macro(a.name)}_BYTES);`).join('\n')}
  }
  text(differences ? "FAIL: " : "PASS: ");
  number(differences ? differences : CALLS);
  text(differences ? " words differ\\r\\n" : " calls, every bit as expected\\r\\n");

  /* A host with a clock divides the time between the two lines (at ${clock} MHz the circuit's own time is in report.html). */
  text("throughput: begin ");
  number(TIMED_CALLS);
  text("\\r\\n");
  for (i = 0; i < TIMED_CALLS; ++i) call();
  text("throughput: end\\r\\n");
  return differences != 0;
}
`;
}

const sources = ['main.c', 'bus.h', 'circuit.h', 'vectors.h'];

function buildInPython({ name }: Project): string {
  return `"""Builds the program for the MicroBlaze by Vitis 2023.2 or later: vitis -s host/build.py, after "make bitstream"."""
import os
import shutil

import vitis

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "build")
WORKSPACE = os.path.join(BUILD, "workspace")

shutil.rmtree(WORKSPACE, ignore_errors=True)
client = vitis.create_client()
client.set_workspace(path=WORKSPACE)
platform = client.create_platform_component(name="platform", hw_design=os.path.join(BUILD, "${name}.xsa"), os="standalone", cpu="processor", domain_name="standalone_processor")
platform.build()
application = client.create_app_component(name="host", platform=os.path.join(WORKSPACE, "platform", "export", "platform", "platform.xpfm"), domain="standalone_processor", template="empty_application")
application.import_files(from_loc=HERE, files=${JSON.stringify(sources)}, dest_dir_in_cmp="src")
application.build()
shutil.copyfile(os.path.join(WORKSPACE, "host", "build", "host.elf"), os.path.join(BUILD, "host.elf"))
vitis.dispose()
`;
}

function buildInTcl({ name }: Project): string {
  return `# Builds the program for the MicroBlaze by Vitis 2020.2 to 2023.1: xsct host/build.tcl, after "make bitstream".
set here [file dirname [file normalize [info script]]]
set build [file normalize $here/../build]
file delete -force $build/workspace
setws $build/workspace
# The template has two names.
if {[catch {app create -name host -hw $build/${name}.xsa -os standalone -proc processor -template {Empty Application(C)}}]} {
  app create -name host -hw $build/${name}.xsa -os standalone -proc processor -template {Empty Application}
}
foreach file {${sources.join(' ')}} { file copy -force $here/$file $build/workspace/host/src/$file }
app build -name host
file copy -force $build/workspace/host/Debug/host.elf $build/host.elf
`;
}

function load({ name }: Project): string {
  return `# Loads bitstream and program over JTAG and starts it: xsdb host/load.tcl. The serial line has 115200 baud.
set here [file dirname [file normalize [info script]]]
connect
targets -set -nocase -filter {name =~ "xc*"}
fpga -file $here/../build/${name}.bit
after 1000
targets -set -nocase -filter {name =~ "microblaze*#0*"}
rst -system
after 500
dow $here/../build/host.elf
con
`;
}
