/**
 * Programs for the processor beside the circuit: a Python driver for PYNQ (NumPy in and out), or C without an operating system for a
 * MicroBlaze. Both validate against the data of the test bench and measure the throughput.
 */
import { addressBits } from './build.js';
import type { Project, VectorArray } from './project.js';
import { comment } from './sources.js';
import { addresses, bufferPlan } from './vivado.js';

/** Bytes of vectors at most that are compiled into a program without files. */
const embeddedBytes = 24 * 1024;

/** The files of host/. */
export function hostFiles(project: Project): Record<string, string> {
  if (project.board.interface === 'zynq') return { 'host/driver.py': pynqDriver(project) };
  return { 'host/main.c': bareMetal(project), 'host/circuit.h': registers(project), 'host/vectors.h': embedded(project), 'host/vitis.tcl': application(project) };
}

// ---- PYNQ ----------------------------------------------------------------------------------------------------------

const numpyType = (type: string): string => (type === 'float' ? 'float32' : type.replace(/_t$/, ''));

/** Text of a Python string. */
const quoted = (text: string): string => JSON.stringify(text.replace(/[^\x20-\x7e]/g, '_'));

function pynqDriver({ name, model, board, text, version }: Project): string {
  const table = (isInput: boolean): string => text.arguments.filter((a) => a.isInput === isInput)
    .map((a) => `    ${quoted(a.name)}: (${quoted(a.tensor.name)}, np.${numpyType(a.type)}, (${a.tensor.shape.map((d) => `${d}, `).join('').trimEnd()})),`).join('\n');
  return `"""The circuit of ${model.replace(/[^\x20-\x7e]|["\\]/g, '_')} from Python on a ${board.title}: NumPy arrays in and out.

    python3 driver.py validate             compares every bit with tb/data
    python3 driver.py throughput [CALLS]   calls a second, and microseconds a call

As a module:  network = Network("${name}.bit"); outputs = network.run(array)
${name}.bit and ${name}.hwh lie in one folder. Made by sigmaflow ${version}.
"""
import os
import sys
import time

import numpy as np

# By argument of the circuit: the tensor's name, type and shape of one call.
INPUTS = {
${table(true)}
}
OUTPUTS = {
${table(false)}
}
HERE = os.path.dirname(os.path.abspath(__file__))
START, DONE = 1, 2


class Network:
    """The circuit on the fabric, with its buffers in memory that both can reach."""

    def __init__(self, bitfile=os.path.join(HERE, "${name}.bit")):
        import pynq

        self.overlay = pynq.Overlay(bitfile)
        self.circuit = self.overlay.circuit
        self.buffers = {}
        registers = self.overlay.ip_dict["circuit"]["registers"]
        for argument, (_, dtype, shape) in {**INPUTS, **OUTPUTS}.items():
            buffer = pynq.allocate(shape=shape or (1,), dtype=dtype)
            names = [n for n in (argument, argument + "_1", argument + "_offset") if n in registers]
            if not names:
                raise RuntimeError("the overlay has no register for %s; is this the bit file of ${name}?" % argument)
            self.circuit.write(registers[names[0]]["address_offset"], buffer.device_address & 0xFFFFFFFF)
            self.buffers[argument] = buffer

    def call(self):
        """One call of the circuit on what lies in the buffers."""
        for argument in INPUTS:
            self.buffers[argument].flush()
        self.circuit.write(0, START)
        while not self.circuit.read(0) & DONE:
            pass
        for argument in OUTPUTS:
            self.buffers[argument].invalidate()

    def run(self, *arrays):
        """Outputs for arrays of one or several calls: each of an input's shape, or [calls] and that shape. One output is given alone."""
        if len(arrays) != len(INPUTS):
            raise ValueError("expected %d arrays (%s), found %d" % (len(INPUTS), ", ".join(n for n, _, _ in INPUTS.values()), len(arrays)))
        calls = []
        for array, (name, dtype, shape) in zip(arrays, INPUTS.values()):
            array = np.asarray(array)
            if array.size == 0 or array.size % int(np.prod(shape, dtype=int)) or array.shape[array.ndim - len(shape):] != shape:
                raise ValueError("%s: expected shape %s or [calls] and that, found %s" % (name, list(shape), list(array.shape)))
            converted = array.astype(dtype)
            if np.dtype(dtype).kind != "f" and not np.array_equal(converted, array):
                raise ValueError("%s: some values are no %s" % (name, np.dtype(dtype)))
            calls.append(converted.reshape((-1,) + shape))
        count = len(calls[0])
        if any(len(c) != count for c in calls):
            raise ValueError("the inputs have different numbers of calls: %s" % ", ".join(str(len(c)) for c in calls))
        outputs = {a: np.empty((count,) + shape, dtype) for a, (_, dtype, shape) in OUTPUTS.items()}
        for i in range(count):
            for argument, c in zip(INPUTS, calls):
                self.buffers[argument][:] = c[i].reshape(self.buffers[argument].shape)
            self.call()
            for argument, output in outputs.items():
                output[i] = np.asarray(self.buffers[argument]).reshape(output[i].shape)
        results = {OUTPUTS[a][0]: o for a, o in outputs.items()}
        return next(iter(results.values())) if len(results) == 1 else results

    def throughput(self, calls=10000):
        """Seconds of a call, back to back on one input: what the processor spends on starting and waiting is in it."""
        self.call()
        begin = time.perf_counter()
        for _ in range(calls):
            self.circuit.write(0, START)
            while not self.circuit.read(0) & DONE:
                pass
        return (time.perf_counter() - begin) / calls


def vectors(argument, folder):
    return np.load(os.path.join(folder, argument + ".npy"))


def bits(array):
    """The bits of an array's elements, every NaN being one NaN."""
    array = np.where(np.isnan(array), np.float32(np.nan), array) if array.dtype == np.float32 else array
    return np.ascontiguousarray(array).view(np.dtype("u%d" % array.itemsize))


def validate(network, folder):
    """Prints which elements differ from the expected ones; returns how many."""
    found = network.run(*(vectors(a, folder) for a in INPUTS))
    differences = 0
    for argument, (name, _, _) in OUTPUTS.items():
        expected = vectors(argument, folder)
        got = found[name] if isinstance(found, dict) else found
        places = np.argwhere(bits(got) != bits(expected))
        differences += len(places)
        for place in places[:10]:
            at = tuple(place)
            print("FAIL: call %d, %s%s is %r, expected %r" % (at[0], name, list(map(int, at[1:])), got[at], expected[at]))
    print("FAIL: %d values differ" % differences if differences else "PASS: every bit as expected")
    return differences


def data_folder():
    """tb/data of the project, or a copy beside this file."""
    places = [os.path.join(HERE, "data"), os.path.join(HERE, "..", "tb", "data")]
    return next((p for p in places if os.path.isdir(p)), places[0])


def main(arguments):
    if arguments[:1] == ["validate"]:
        return 1 if validate(Network(), arguments[1] if len(arguments) > 1 else data_folder()) else 0
    if arguments[:1] == ["throughput"]:
        seconds = Network().throughput(int(arguments[1]) if len(arguments) > 1 else 10000)
        print("%.2f us a call, %.0f calls a second" % (seconds * 1e6, 1 / seconds))
        return 0
    print(__doc__.strip())
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
`;
}

// ---- MicroBlaze ----------------------------------------------------------------------------------------------------

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
    `#define CIRCUIT_CONTROL ${hex(addresses.control)}`,
    '#define CIRCUIT_START 1u',
    '#define CIRCUIT_DONE 2u',
    ...text.arguments.flatMap((a, i) => [
      '',
      comment(a.tensor.name),
      `#define ${a.name.toUpperCase()}_REGISTER 0x${(0x10 + 4 * words * i).toString(16)}u`,
      `#define ${a.name.toUpperCase()}_ADDRESS ${hex(addresses.buffers + offsets[i])}`,
      `#define ${a.name.toUpperCase()}_BYTES ${a.elements * bytesOf(a.type)}u`,
    ]),
    '#endif',
    '',
  ].join('\n');
}

const bytesOf = (type: string): number => (type === 'float' ? 4 : Number(/\d+/.exec(type)![0]) / 8);

/** Calls whose inputs and outputs fit into the program. */
function embeddedCalls({ text, vectors }: Project): number {
  const bytes = text.arguments.reduce((n, a) => n + Math.ceil((a.elements * bytesOf(a.type)) / 4) * 4, 0);
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
      const words = Math.ceil((a.elements * bytesOf(a.type)) / 4);
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

function bareMetal(project: Project): string {
  const { model, text, clock, version } = project;
  const inputs = text.arguments.filter((a) => a.isInput);
  const outputs = text.arguments.filter((a) => !a.isInput);
  return `${comment(`The circuit of ${model} without an operating system: validates against vectors.h, then measures the throughput.`)}
${comment(`made by sigmaflow ${version}`)}
#include <stdint.h>
#include "circuit.h"
#include "vectors.h"
#include "xil_printf.h"

#define TIMED_CALLS 1000

static volatile uint32_t *const control = (volatile uint32_t *)CIRCUIT_CONTROL;

static void call(void) {
  control[0] = CIRCUIT_START;
  while (!(control[0] & CIRCUIT_DONE)) {
  }
}

static void put(uint32_t address, const uint32_t *words, int bytes) {
  volatile uint32_t *to = (volatile uint32_t *)address;
  int i;
  for (i = 0; i < (bytes + 3) / 4; ++i) to[i] = words[i];
}

/* The words of a result that differ from the expected ones. The unused bytes of the last word do not count. */
static int compare(const char *name, int call, uint32_t address, const uint32_t *expected, int bytes) {
  const volatile uint32_t *found = (const volatile uint32_t *)address;
  int i, differences = 0;
  for (i = 0; i < (bytes + 3) / 4; ++i) {
    const int rest = bytes - 4 * i;
    const uint32_t mask = rest >= 4 ? 0xffffffffu : (1u << (8 * rest)) - 1u;
    if ((found[i] & mask) == (expected[i] & mask)) continue;
    if (differences++ == 0) xil_printf("FAIL: call %d, %s, word %d is %08x, expected %08x\\r\\n", call, name, i, (unsigned)(found[i] & mask), (unsigned)(expected[i] & mask));
  }
  return differences;
}

int main(void) {
  int i, differences = 0;
${text.arguments.map((a) => `  control[${a.name.toUpperCase()}_REGISTER / 4] = ${a.name.toUpperCase()}_ADDRESS;`).join('\n')}
  for (i = 0; i < CALLS; ++i) {
${inputs.map((a) => `    put(${a.name.toUpperCase()}_ADDRESS, vectors_${a.name}[i], ${a.name.toUpperCase()}_BYTES);`).join('\n')}
    call();
${outputs.map((a) => `    differences += compare("${a.name}", i, ${a.name.toUpperCase()}_ADDRESS, vectors_${a.name}[i], ${a.name.toUpperCase()}_BYTES);`).join('\n')}
  }
  if (differences) xil_printf("FAIL: %d words differ\\r\\n", differences);
  else xil_printf("PASS: %d calls, every bit as expected\\r\\n", CALLS);

  /* Between the two lines lie TIMED_CALLS calls: a host with a clock divides (at ${clock} MHz the circuit's own time is in report.html). */
  xil_printf("throughput: begin %d\\r\\n", TIMED_CALLS);
  for (i = 0; i < TIMED_CALLS; ++i) call();
  xil_printf("throughput: end\\r\\n");
  return differences != 0;
}
`;
}

function application({ name }: Project): string {
  return `# The program for the MicroBlaze, loaded over JTAG: xsct host/vitis.tcl, after "make bitstream". The serial line has 115200 baud.
set here [file dirname [file normalize [info script]]]
setws $here/../build/workspace
app create -name host -hw $here/../build/${name}.xsa -os standalone -proc processor -template {Empty Application(C)}
importsources -name host -path $here
app build -name host
connect
targets -set -filter {name =~ "xc7*"}
fpga -file $here/../build/${name}.bit
targets -set -filter {name =~ "*MicroBlaze #0*"}
dow $here/../build/workspace/host/Debug/host.elf
con
`;
}
