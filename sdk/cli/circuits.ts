/**
 * Models as circuits: from the graph that the passes made to a verified, scheduled Program and its C++, and C simulation of it by
 * g++ as an engine. The project around a circuit is in hls.ts.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runPasses } from '../../codegen/compile.js';
import { emitHls, isWide, type HlsText } from '../../codegen/emit/hls/design.js';
import { identifier } from '../../codegen/emit/hls/expression.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Leavable } from '../../codegen/ir/optimization.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { scheduleFabric, type FabricOptions } from '../../codegen/schedule/fabric/index.js';
import { lower } from '../../codegen/schedule/lower.js';
import type { InterfaceArray } from '../hls/types.js';
import type { Manifest } from '../runtime/index.js';
import { importModel } from './engines.js';
import type { ModelFile } from './models.js';
import type { Call, NumericArray, Tensor } from './tensors.js';

/** What a circuit computes of a model: requantized in integers alone, with the bits of the module, which may multiply floats. */
export function circuitGraph(model: ModelFile, batch: number | undefined, without: readonly Leavable[] = []): Graph {
  return runPasses(importModel(model), batch, { ...model.twin, integersOnly: true, without });
}

/** The Program that a graph lowers to. Raises target/unsupported for what has no meaning in hardware. */
export function lowerForCircuit(graph: Graph): ProgramUnit {
  const unit = lower(graph);
  const state = Object.values(unit.program.buffers).find((b) => b.role === 'state');
  if (state) fail('target/unsupported', state.name, 'a circuit computes outputs from inputs, and this tensor lives from one call to the next', 'Make it an input and an output of the model.');
  verify(unit);
  return unit;
}

/** A lowered Program as a circuit, proved by the verifier. */
export function makeCircuit(lowered: ProgramUnit, options: FabricOptions = {}): ProgramUnit {
  const unit = scheduleFabric(lowered, options);
  verify(unit);
  return unit;
}

/** A C++ name of a model: letters, digits and lines, and no digit first. */
export function circuitName(model: string): string {
  const name = identifier(model) || 'network';
  return /^\d/.test(name) ? `net_${name}` : name;
}

const arrays: Readonly<Record<string, new (length: number) => InterfaceArray>> = {
  float: Float32Array, int8_t: Int8Array, uint8_t: Uint8Array, int16_t: Int16Array, uint16_t: Uint16Array, int32_t: Int32Array, uint32_t: Uint32Array,
};

/** Values in the type of an argument of the top function, its inputs and outputs as they lie in memory. */
export function interfaceArray(type: string, data: ArrayLike<number>): InterfaceArray {
  const out = new arrays[type](data.length);
  for (let i = 0; i < out.length; i++) out[i] = data[i];
  return out;
}

const flags = ['-std=c++14', '-O1', '-ffp-contract=off', '-fno-fast-math', '-w'];

/** Headers of boards/simulation by file name; `root` is the package's folder. */
export function simulationHeaders(root: string): Record<string, string> {
  const folder = path.join(root, 'boards', 'simulation');
  return Object.fromEntries(fs.readdirSync(folder).filter((name) => name.endsWith('.h')).sort().map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')]));
}

/** A program that reads the inputs of a call from standard input and writes its outputs to standard output. */
function simulationSource(text: HlsText): string {
  const call = `${text.topName}(${text.arguments.map((a) => (isWide(a) ? `words_${a.name}` : a.name)).join(', ')});`;
  const wide = text.arguments.filter(isWide);
  const sizes = (a: HlsText['arguments'][number]): string => `${a.name}, sizeof(${a.type}), ${a.elements}`;
  const inputs = text.arguments.filter((a) => a.isInput);
  return [
    '#include <cstdio>', '#include "sigmaflow_hls.h"', 'using namespace sigmaflow;', text.weights, text.processes, text.top,
    ...text.arguments.map((a) => `static ${a.type} ${a.name}[${a.elements}];`),
    ...wide.map((a) => `static ${a.word.type} words_${a.name}[${a.word.count}];`),
    'int main() {',
    ...inputs.map((a) => `  if (std::fread(${sizes(a)}, stdin) != ${a.elements}) return 1;`),
    ...wide.filter((a) => a.isInput).map((a) => `  wordsOf(${a.name}, sizeof(${a.name}), words_${a.name});`),
    `  ${call}`,
    ...wide.filter((a) => !a.isInput).map((a) => `  bytesOf(words_${a.name}, sizeof(${a.name}), ${a.name});`),
    ...text.arguments.filter((a) => !a.isInput).map((a) => `  if (std::fwrite(${sizes(a)}, stdout) != ${a.elements}) return 1;`),
    '  return 0;',
    '}',
    '',
  ].join('\n');
}

/** C simulation of a circuit, compiled. `remove` deletes what g++ made. */
export interface Simulation {
  readonly call: Call;
  remove(): void;
}

/** Raises hls/simulation where there is no g++, where it refuses the text, or where the circuit waits for ever. */
export function compileSimulation(unit: ProgramUnit, manifest: Manifest, root: string): Simulation {
  requireCompiler();
  const text = emitHls(unit, circuitName(manifest.name));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigmaflow-hls-'));
  const remove = (): void => fs.rmSync(folder, { recursive: true, force: true });
  const [source, program] = [path.join(folder, 'circuit.cpp'), path.join(folder, 'circuit')];
  fs.writeFileSync(source, simulationSource(text));
  const made = spawnSync('g++', [...flags, '-I', path.join(root, 'boards', 'simulation'), '-o', program, source], { encoding: 'utf8' });
  if (made.status !== 0) {
    remove();
    fail('hls/simulation', manifest.name, `g++ refused the circuit: ${firstLine(made.stderr)}`, 'This is a fault of the compiler. Report it with the model.');
  }
  const inputs = text.arguments.filter((a) => a.isInput);
  const outputs = text.arguments.filter((a) => !a.isInput);
  const call = (tensors: Readonly<Record<string, Tensor>>): Record<string, NumericArray> => {
    const parts = inputs.map((a, i) => interfaceArray(a.type, tensors[manifest.inputs[i].name].data));
    const stdin = Buffer.concat(parts.map((p) => Buffer.from(p.buffer, p.byteOffset, p.byteLength)));
    const run = spawnSync(program, [], { input: stdin, maxBuffer: 2 ** 31 - 1 });
    if (run.status !== 0) fail('hls/simulation', manifest.name, `the circuit ended with ${run.signal ?? `status ${run.status}`}: ${firstLine(String(run.stderr))}`, 'This is a fault of the compiler. Report it with the model.');
    const bytes = new Uint8Array(run.stdout);
    let at = 0;
    return Object.fromEntries(outputs.map((a, i) => {
      const array = new arrays[a.type](a.elements);
      new Uint8Array(array.buffer).set(bytes.subarray(at, (at += array.byteLength)));
      return [manifest.outputs[i].name, array];
    }));
  };
  return { call, remove };
}

/** Raises hls/simulation where g++ is missing. */
export function requireCompiler(): void {
  if (spawnSync('g++', ['--version']).status !== 0) fail('hls/simulation', 'g++', 'C simulation needs the compiler g++, which is not here', 'Install it: apt-get install -y g++.');
}

const firstLine = (text: string): string => text.split('\n').find((l) => /error|stream/.test(l))?.trim().slice(0, 300) ?? (text.trim().split('\n')[0] || 'it said nothing');
