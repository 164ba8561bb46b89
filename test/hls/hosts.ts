/**
 * What a project's programs for the host run on where there is no board: the circuit's C simulation behind registers as Vitis HLS lays
 * them out (UG1399, S_AXILITE control register map), once as a stand-in for the Python package pynq, once as the bus of a MicroBlaze.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** The circuit as a C function of the addresses of its arguments, whatever their types are. */
const circuitSource = (name: string): string => `
#include <utility>
#include "${name}.cpp"
template <class... A, std::size_t... I> static void call(void (*f)(A...), void **p, std::index_sequence<I...>) { f(reinterpret_cast<A>(p[I])...); }
template <class... A> static void callAll(void (*f)(A...), void **p) { call(f, p, std::index_sequence_for<A...>()); }
extern "C" void circuit(void **arguments) { callAll(${name}_top, arguments); }
`;

/** The bus of the MicroBlaze's system: shared memory, registers, serial line. Whatever the manuals do not allow ends the program. */
const busSource = (shared: { readonly offset: number; readonly bytes: number }, control: number, serial: number, words: number): string => `
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>
extern "C" void circuit(void **);
static std::vector<uint32_t> memory(${shared.bytes} / 4);
static uint32_t argument[${words}];
static bool isDone = false;
static int waits = -1, busy = 0, polls = 0;
static void refuse(const char *what, uint32_t address) {
  std::printf("BUS: %s %08x\\n", what, address);
  std::exit(3);
}
static void *place(uint32_t address) {
  if (address < ${shared.offset}u || address - ${shared.offset}u >= ${shared.bytes}u) refuse("no memory at", address);
  return &memory[(address - ${shared.offset}u) / 4];
}
extern "C" void bus_put(uint32_t address, uint32_t word) {
  if (address % 4) refuse("unaligned", address);
  if (address == ${control}u) {
    if (word != 1 || waits >= 0) refuse("started while it runs, at", address);
    waits = 3;
  } else if (address >= ${control + 0x10}u && address < ${control + 0x10 + 8 * words}u) {
    if (address % 8) refuse("a reserved register", address);
    argument[(address - ${control + 0x10}u) / 8] = word;
  } else if (address == ${serial + 4}u) {
    if (busy) refuse("a letter lost, at", address);
    busy = 2;
    if (word != '\\r') std::putchar(int(word));
  } else *static_cast<uint32_t *>(place(address)) = word;
}
extern "C" uint32_t bus_get(uint32_t address) {
  if (++polls > 100000000) refuse("waits for ever, at", address);
  if (address == ${serial + 8}u) return busy > 0 ? --busy, 8u : 4u;
  if (address != ${control}u) return *static_cast<uint32_t *>(place(address));
  if (waits == 0) {
    void *arguments[${words}];
    for (int i = 0; i < ${words}; ++i) arguments[i] = place(argument[i]);
    circuit(arguments);
    isDone = true;
  }
  if (waits >= 0) --waits;
  const uint32_t word = isDone ? 0xeu : waits >= 0 ? 1u : 4u;
  isDone = false; // reading clears it
  return word;
}
`;

const busHeader = '#include <stdint.h>\nvoid bus_put(uint32_t, uint32_t);\nuint32_t bus_get(uint32_t);\n#define put bus_put\n#define get bus_get\n';

/** A stand-in for pynq: memory that caches hide from the circuit, and the registers of one HLS core that is named circuit. */
const pynqSource = (library: string, names: readonly string[]): string => `
import ctypes, numpy as np
library = ctypes.CDLL(${JSON.stringify(library)})
memory = {}
class Buffer(np.ndarray):
    def flush(self):
        memory[self.device_address][:] = np.asarray(self).view(np.uint8).reshape(-1)
    def invalidate(self):
        np.asarray(self).view(np.uint8).reshape(-1)[:] = memory[self.device_address]
def allocate(shape, dtype="u4"):
    buffer = np.zeros(shape, dtype).view(Buffer)
    buffer.device_address = 0x16800000 + 0x100000 * len(memory)
    memory[buffer.device_address] = np.full(buffer.nbytes, 0xa5, np.uint8)
    return buffer
class Circuit:
    def __init__(self):
        self.words, self.wait, self.done = {}, -1, False
    def write(self, offset, word):
        if offset == 0:
            assert word == 1 and self.wait < 0, "started while it runs"
            self.wait = 2
        else:
            self.words[offset] = word
    def read(self, offset):
        assert offset == 0
        if self.wait == 0:
            arguments = (ctypes.c_void_p * ${names.length})(*[memory[self.words[0x10 + 8 * i]].ctypes.data for i in range(${names.length})])
            library.circuit(arguments)
            self.done = True
        self.wait = max(self.wait - 1, -1)
        word, self.done = (0xe if self.done else 0x4 if self.wait < 0 else 1), False
        return word
class Overlay:
    def __init__(self, bitfile):
        assert bitfile.endswith(".bit")
        self.circuit = Circuit()
        registers = {"CTRL": {"address_offset": 0}, **{n: {"address_offset": 0x10 + 8 * i} for i, n in enumerate(${JSON.stringify(names)})}}
        self.ip_dict = {"circuit": {"registers": registers}}
`;

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function run(program: string, argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', env: { ...process.env, ...environment } });
  return { status, out: stdout ?? '', err: stderr ?? '' };
}

function compiled(compiler: string, ...argv: string[]): void {
  const { status, err } = run(compiler, argv);
  if (status !== 0) throw new Error(`${compiler} ${argv.join(' ')}: ${err}`);
}

/** A project's circuit as a shared library, in its folder `host`; made once. */
function library(project: string, name: string): string {
  const [source, file] = [path.join(project, 'host', 'circuit.cpp'), path.join(project, 'host', 'circuit.so')];
  if (fs.existsSync(file)) return file;
  fs.writeFileSync(source, circuitSource(name));
  compiled('g++', '-O0', '-std=c++14', '-ffp-contract=off', '-Wno-unknown-pragmas', '-shared', '-fPIC', `-I${path.join(project, 'src')}`, '-isystem', path.join(project, 'sim'), '-o', file, source);
  return file;
}

/** Runs driver.py of a project; `names`: its arguments as registers. */
export function runDriver(project: string, name: string, names: readonly string[], python: string, ...argv: string[]): Ran {
  const folder = path.join(project, 'stand-in');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'pynq.py'), pynqSource(library(project, name), names));
  return run(python, [path.join(project, 'host', 'driver.py'), ...argv], { PYTHONPATH: folder });
}

/** Runs main.c of a project where the block design has put its parts; `words`: arguments of the circuit. */
export function runProgram(project: string, name: string, words: number, shared: { readonly offset: number; readonly bytes: number }, control: number, serial: number): Ran {
  const folder = path.join(project, 'stand-in');
  fs.mkdirSync(folder, { recursive: true });
  for (const file of ['main.c', 'circuit.h', 'vectors.h']) fs.copyFileSync(path.join(project, 'host', file), path.join(folder, file));
  fs.writeFileSync(path.join(folder, 'bus.h'), busHeader);
  fs.writeFileSync(path.join(folder, 'bus.cpp'), busSource(shared, control, serial, words));
  compiled('gcc', '-std=c99', '-Wall', '-Wextra', '-Werror', '-c', '-o', path.join(folder, 'main.o'), path.join(folder, 'main.c'));
  const circuit = library(project, name);
  compiled('g++', '-std=c++14', '-o', path.join(folder, 'program'), path.join(folder, 'bus.cpp'), path.join(folder, 'main.o'), circuit, `-Wl,-rpath,${path.dirname(circuit)}`);
  return run(path.join(folder, 'program'), []);
}
