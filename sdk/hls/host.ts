/**
 * The program for the ARM cores of a Zynq: a Python driver for PYNQ, NumPy in and out. It validates against the data of the test
 * bench and measures the throughput. The program for a MicroBlaze is in bareMetal.ts.
 */
import { bareMetalFiles } from './bareMetal.js';
import type { Project } from './types.js';

/** The files of host/. */
export function hostFiles(project: Project): Record<string, string> {
  if (project.board.interface === 'zynq') return { 'host/driver.py': pynqDriver(project) };
  return bareMetalFiles(project);
}

const numpyType = (type: string): string => (type === 'float' ? 'float32' : type.replace(/_t$/, ''));

/** Text of a Python string. */
const quoted = (text: string): string => JSON.stringify(text.replace(/[^\x20-\x7e]/g, '_'));

function pynqDriver({ name, model, board, text, version, graph }: Project): string {
  const table = (isInput: boolean): string => text.arguments.filter((a) => a.isInput === isInput)
    .map((a) => `    ${quoted(a.name)}: (${quoted(a.tensor.name)}, np.${numpyType(a.type)}, (${a.tensor.shape.map((d) => `${d}, `).join('').trimEnd()})),`).join('\n');
  const controls = text.arguments.filter((a) => a.isInput).flatMap((a, i) => {
    const control = graph.values[graph.inputs[i]].control;
    return control ? [{ argument: a.name, name: a.tensor.name, values: control.default, meaning: control.meaning }] : [];
  });
  const offset = controls.find((c) => c.meaning === 'batchOffset');
  const batch = text.arguments.find((a) => a.isInput)?.tensor.shape[0] ?? 1;
  return `"""The circuit of ${model.replace(/[^\x20-\x7e]|["\\]/g, '_')} from Python on a ${board.title}: NumPy arrays in and out.

    python3 driver.py validate             compares every bit with tb/data
    python3 driver.py throughput [CALLS]   calls a second, and microseconds a call

As a module:  network = Network("${name}.bit"); outputs = network.run(array${controls.filter((c) => c !== offset).map((c) => `, ${c.name}=${c.values.length === 1 ? c.values[0] : `[${c.values.join(', ')}]`}`).join('')})
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
# Inputs that say how it runs, by name in run(); what they are where it is not told.
CONTROLS = {${controls.map((c) => `${quoted(c.argument)}: [${c.values.join(', ')}]`).join(', ')}}
HERE = os.path.dirname(os.path.abspath(__file__))
START, DONE = 1, 2
# Bytes of a word of the bus. The circuit moves whole words, so buffers are as long as whole words.
WORD = ${board.bus.bits / 8}


class Network:
    """The circuit on the fabric, with its buffers in memory that both can reach."""

    def __init__(self, bitfile=os.path.join(HERE, "${name}.bit")):
        import pynq

        self.overlay = pynq.Overlay(bitfile)
        self.circuit = self.overlay.circuit
        self.memory = {}
        self.buffers = {}
        registers = self.overlay.ip_dict["circuit"]["registers"]
        for argument, (_, dtype, shape) in {**INPUTS, **OUTPUTS}.items():
            size = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
            memory = pynq.allocate(shape=(-(-size // WORD) * WORD,), dtype=np.uint8)
            names = [n for n in (argument, argument + "_1", argument + "_offset") if n in registers]
            if not names:
                raise RuntimeError("the overlay has no register for %s; is this the bit file of ${name}?" % argument)
            self.circuit.write(registers[names[0]]["address_offset"], memory.device_address & 0xFFFFFFFF)
            self.memory[argument] = memory
            self.buffers[argument] = np.asarray(memory)[:size].view(dtype).reshape(shape or (1,))
            if argument in CONTROLS:
                self.buffers[argument][:] = CONTROLS[argument]

    def call(self):
        """One call of the circuit on what lies in the buffers."""
        for argument in INPUTS:
            self.memory[argument].flush()
        self.circuit.write(0, START)
        while not self.circuit.read(0) & DONE:
            pass
        for argument in OUTPUTS:
            self.memory[argument].invalidate()

    def run(self, *arrays, **controls):
        """Outputs for arrays of one or several calls: each of an input's shape, or [calls] and that shape. One output is given alone."""
        data = [a for a in INPUTS if a not in CONTROLS or len(arrays) == len(INPUTS)]
        if len(arrays) != len(data):
            raise ValueError("expected %d arrays (%s), found %d" % (len(data), ", ".join(INPUTS[a][0] for a in data), len(arrays)))
        unknown = sorted(set(controls) - {INPUTS[a][0] for a in CONTROLS})
        if unknown:
            raise TypeError("the circuit has no input %s that says how it runs" % ", ".join(unknown))
        given = dict(zip(data, arrays))
        calls = {}
        for argument, (name, dtype, shape) in INPUTS.items():
            array = np.asarray(given.get(argument, controls.get(name, CONTROLS.get(argument))))
            if argument not in given and array.size == int(np.prod(shape, dtype=int)):
                array = array.reshape(shape)
            if array.size == 0 or array.size % int(np.prod(shape, dtype=int)) or array.shape[array.ndim - len(shape):] != shape:
                raise ValueError("%s: expected shape %s or [calls] and that, found %s" % (name, list(shape), list(array.shape)))
            converted = array.astype(dtype)
            if np.dtype(dtype).kind != "f" and not np.array_equal(converted, array):
                raise ValueError("%s: some values are no %s" % (name, np.dtype(dtype)))
            calls[argument] = converted.reshape((-1,) + shape)
        count = max(len(c) for c in calls.values())
        # What says how it runs is said for all calls at once.
        for argument in CONTROLS:
            if len(calls[argument]) == 1:
                calls[argument] = np.repeat(calls[argument], count, axis=0)
${offset ? `        # The place of a call's first inference among all, so that each draws numbers of its own.
        if "${offset.argument}" not in given and "${offset.name}" not in controls:
            calls["${offset.argument}"] = np.arange(count, dtype=np.int32) * ${batch}
` : ''}        if any(len(c) != count for c in calls.values()):
            raise ValueError("the inputs have different numbers of calls: %s" % ", ".join(str(len(c)) for c in calls.values()))
        outputs = {a: np.empty((count,) + shape, dtype) for a, (_, dtype, shape) in OUTPUTS.items()}
        for i in range(count):
            for argument, c in calls.items():
                self.buffers[argument][:] = c[i].reshape(self.buffers[argument].shape)
            self.call()
            for argument, output in outputs.items():
                output[i] = self.buffers[argument].reshape(output[i].shape)
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
