/**
 * C simulation of circuits in tests: many designs in one program, which g++ compiles with the headers of boards/simulation (or
 * others) and which reads all inputs from standard input and writes all outputs to standard output. Not a test itself.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emitHls, isWide } from '../../codegen/emit/hls/design.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { compareOutputs, Difference, writeInputs, type Lowered } from '../ops/harness.js';

/** The folder of our own headers. */
export const simulation = fileURLToPath(new URL('../../boards/simulation', import.meta.url));
const flags = ['-std=c++14', '-O0', '-ffp-contract=off', '-fno-fast-math', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas', '-Wno-type-limits', '-Wno-unused-label'];

/** Runs a command to its end; gives its standard output. */
function command(file: string, args: readonly string[], stdin: Uint8Array = new Uint8Array()): Promise<Buffer> {
  return new Promise((done, failed) => {
    const child = spawn(file, args);
    const [out, err]: Buffer[][] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', failed);
    child.stdin.on('error', () => undefined); // it ended before it read all; its status says why
    child.on('close', (status, signal) => {
      if (status === 0) done(Buffer.concat(out));
      else failed(new Error(`${file} ended with ${signal ?? `status ${status}`}\n${Buffer.concat(err).toString().slice(0, 4000)}`));
    });
    child.stdin.end(stdin);
  });
}

interface Place {
  readonly offset: number;
  readonly bytes: number;
}

function places({ program }: ProgramUnit, names: readonly string[]): Place[] {
  return names.map((name) => {
    const { offset, bytes } = program.buffers[program.tensors[name].buffer];
    return { offset: offset!, bytes };
  });
}

function sourceOf(units: readonly ProgramUnit[]): string {
  const designs = units.map((u, i) => emitHls(u, `design${i}`));
  const main = designs.flatMap((d, i) => {
    const { program } = units[i];
    const size = (a: (typeof d.arguments)[number]): number => program.buffers[a.tensor.buffer].bytes;
    const arrays = d.arguments.flatMap((a) => [`static unsigned char ${a.name}[${size(a)}] __attribute__((aligned(16)));`, ...(isWide(a) ? [`static ${a.word.type} words_${a.name}[${a.word.count}];`] : [])]);
    const reads = d.arguments.filter((a) => a.isInput).map((a) => `if (std::fread(${a.name}, 1, ${size(a)}, stdin) != ${size(a)}) return 1;`);
    const writes = d.arguments.filter((a) => !a.isInput).map((a) => `if (std::fwrite(${a.name}, 1, ${size(a)}, stdout) != ${size(a)}) return 1;`);
    const before = d.arguments.filter((a) => isWide(a) && a.isInput).map((a) => `wordsOf(${a.name}, ${size(a)}, words_${a.name});`);
    const after = d.arguments.filter((a) => isWide(a) && !a.isInput).map((a) => `bytesOf(words_${a.name}, ${size(a)}, ${a.name});`);
    const call = `space${i}::${d.topName}(${d.arguments.map((a) => (isWide(a) ? `words_${a.name}` : `reinterpret_cast<${a.isInput ? 'const ' : ''}${a.type} *>(${a.name})`)).join(', ')});`;
    return ['  {', ...arrays.map((l) => `    ${l}`), ...[...reads, ...before, call, ...after, ...writes].map((l) => `    ${l}`), '  }'];
  });
  const bodies = designs.map((d, i) => [`namespace space${i} {`, d.weights, d.processes, d.top, '}'].join('\n'));
  return ['#include <cstdio>', '#include "sigmaflow_hls.h"', 'using namespace sigmaflow;', ...bodies, 'int main() {', ...main, '}', ''].join('\n');
}

/**
 * Compiles cases into one program, runs it, and gives a message for every case whose bits differ from the interpreter's. Headers
 * are looked for in the given folders in order; several are not ours alone, and their warnings are not heard. `more`: flags.
 */
export async function simulate(cases: readonly Lowered[], units: readonly ProgramUnit[], headers: readonly string[] = [simulation], more: readonly string[] = []): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-csim-'));
  try {
    writeFileSync(join(folder, 'all.cpp'), sourceOf(units));
    await command('g++', [...flags, ...more, ...headers.flatMap((h) => [headers.length === 1 ? '-I' : '-isystem', h]), '-o', join(folder, 'all'), join(folder, 'all.cpp')]);
    const memories = units.map(({ program }) => new ArrayBuffer(program.arenaBytes!));
    cases.forEach((c, i) => writeInputs(c, units[i], memories[i]));
    const inputs = units.flatMap((u, i) => places(u, u.program.inputs).map((p) => new Uint8Array(memories[i], p.offset, p.bytes)));
    const outputs = await command(join(folder, 'all'), [], Buffer.concat(inputs));
    let at = 0;
    units.forEach((u, i) => {
      for (const p of places(u, u.program.outputs)) {
        new Uint8Array(memories[i], p.offset, p.bytes).set(outputs.subarray(at, at + p.bytes));
        at += p.bytes;
      }
    });
    if (at !== outputs.length) return [`the program wrote ${outputs.length} bytes, and ${at} are the outputs'`];
    return cases.flatMap((c, i) => differences(c, units[i], memories[i]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function differences(c: Lowered, unit: ProgramUnit, memory: ArrayBuffer): string[] {
  try {
    compareOutputs(c, unit, memory, 'C simulation of the circuit');
    return [];
  } catch (error) {
    if (error instanceof Difference) return [error.message];
    throw error;
  }
}
