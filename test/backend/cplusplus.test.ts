/**
 * The trial back end in C++: every sample of every operator record, the example models, random graphs and operations
 * that none of these has, compiled by g++ and run, give the interpreter's bits. With names as arguments, those operators' samples only.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Program, ProgramUnit } from '../../codegen/ir/program.js';
import { operator, operators } from '../../codegen/ops/index.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, type Target } from '../../codegen/targets/target.js';
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import { compareOutputs, Difference, lowerCase, sampleCase, writeInputs, type Lowered } from '../ops/harness.js';
import { kinds, randomCase } from '../random/graphs.js';
import { bipolarNetworks } from '../support/bipolarNetworks.js';
import { languageCases } from '../support/language.js';
import { emitCplusplus } from './cplusplus.js';

/**
 * The last flag but the warnings: where g++ turns the address `arena + i` around an access into `0 + (arena + i)`, its
 * pure-const pass takes the access for one of address 0, and drops the whole call as free of effects (seen in 12.2, also
 * at -O2; Requantize, extent 8).
 */
const flags = ['-std=c++17', '-ffp-contract=off', '-fno-fast-math', '-fno-delete-null-pointer-checks', '-Wall', '-Wextra', '-Werror', '-Wno-type-limits', ...(process.env.SIGMAFLOW_CXXFLAGS?.split(' ') ?? [])];
/** Vectors unrolled lane by lane make blocks of thousands of lines, over which the registers of -O1 take half a minute. */
const optimization = (target: Target): string => (target === scalar ? '-O1' : '-Og');
const headers = fileURLToPath(new URL('.', import.meta.url));
const processes = 2;

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

/** Where tensors of the interface lie, in order. */
function places({ buffers, tensors }: Program, names: readonly string[]): Place[] {
  return names.map((name) => {
    const { offset, bytes } = buffers[tensors[name].buffer];
    return { offset: offset!, bytes };
  });
}

/** One source file: every Program reads its inputs from standard input, runs, and writes its outputs to standard output. */
function sourceOf(units: readonly ProgramUnit[]): string {
  const transfer = (f: string, stream: string, name: string, list: readonly Place[]): string[] =>
    list.map((p) => `  if (${f}(${name}::arena + ${p.offset}, 1, ${p.bytes}, ${stream}) != ${p.bytes}) return 1;`);
  const calls = units.flatMap(({ program }, i) => [
    ...transfer('std::fread', 'stdin', `program${i}`, places(program, program.inputs)),
    `  program${i}::run();`,
    ...transfer('std::fwrite', 'stdout', `program${i}`, places(program, program.outputs)),
  ]);
  return ['#include <cstdio>', '#include "cplusplus.hpp"', '', ...units.map((u, i) => emitCplusplus(u, `program${i}`)), 'int main() {', ...calls, '}', ''].join('\n');
}

/** Compiles cases into one program, runs it, and gives a message for every case whose bits differ. */
async function runTogether(cases: readonly Lowered[], units: readonly ProgramUnit[], target: Target): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-cplusplus-'));
  try {
    writeFileSync(join(folder, 'all.cpp'), sourceOf(units));
    await command('g++', [optimization(target), ...flags, '-I', headers, '-o', join(folder, 'all'), join(folder, 'all.cpp')]);
    const memories = units.map(({ program }) => new ArrayBuffer(program.arenaBytes!));
    cases.forEach((c, i) => writeInputs(c, units[i], memories[i]));
    const inputs = units.flatMap(({ program }, i) => places(program, program.inputs).map((p) => new Uint8Array(memories[i], p.offset, p.bytes)));
    const outputs = await command(join(folder, 'all'), [], Buffer.concat(inputs));
    let at = 0;
    units.forEach(({ program }, i) => {
      for (const p of places(program, program.outputs)) {
        new Uint8Array(memories[i], p.offset, p.bytes).set(outputs.subarray(at, at + p.bytes));
        at += p.bytes;
      }
    });
    assert.is(at, outputs.length);
    return cases.flatMap((c, i) => differences(c, units[i], memories[i], `C++ of the ${target.name} schedule`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function differences(c: Lowered, unit: ProgramUnit, memory: ArrayBuffer, engine: string): string[] {
  try {
    compareOutputs(c, unit, memory, engine);
    return [];
  } catch (error) {
    if (error instanceof Difference) return [error.message];
    throw error;
  }
}

/** Raises where C++ of some case, scheduled for a target, has other bits than the interpreter. */
async function compare(cases: readonly Lowered[], target: Target, scheduled = (c: Lowered): ProgramUnit => build(c.expanded, target)): Promise<void> {
  assert.ok(cases.length > 0);
  const shares = Array.from({ length: Math.min(processes, cases.length) }, (_, p) => cases.filter((_, i) => i % processes === p));
  const failures = (await Promise.all(shares.map((share) => runTogether(share, share.map(scheduled), target)))).flat();
  assert.is(failures.length, 0, `${failures.length} of ${cases.length} failed:\n${failures.slice(0, 20).join('\n')}`);
}

const names = process.argv.slice(2);
const records = names.length === 0 ? Object.values(operators) : names.map((name) => operator(name, 'test/backend/cplusplus.test.ts'));

const samples = (): Lowered[] => records.flatMap((r) => r.samples.map((s) => lowerCase(sampleCase(r, s))));

const models = (): Lowered[] =>
  exampleNetworks().map(({ name, bytes }) => {
    const { data } = Object.values(exampleAnswers).find((a) => a.file === name)!;
    const graph = runPasses(importOnnx(bytes), 1);
    return lowerCase({ name, graph, inputs: { [graph.inputs[0]]: exampleImages(data).pixels.slice(0, 784) } });
  });

const random = (): Lowered[] =>
  kinds.flatMap((kind) => Array.from({ length: 7 }, (_, i) => randomCase(kind, 101 + i))).map((c) => lowerCase({ ...c, graph: runPasses(c.graph) }));

if (spawnSync('g++', ['--version']).status !== 0) {
  test('C++', () => console.log('SKIP C++: g++ is missing; apt-get install -y g++'));
} else {
  test('the samples of the operators: the bits of the interpreter', () => compare(samples(), scalar));
  if (names.length === 0) {
    test('bipolar layers by counted bits: the bits of the interpreter', () => compare(bipolarNetworks().map((graph) => {
      const inferred = runPasses(graph);
      const count = (inferred.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
      return lowerCase({ name: graph.name, graph: inferred, inputs: { x: Array.from({ length: count }, (_, i) => Math.sin(i + 0.5)) } });
    }), simd128));
    test('operations that no sample has: the bits of the interpreter', () => compare(languageCases(), scalar, (c) => schedule(c.unit, scalar)));
    test('the example models: the bits of the interpreter', () => compare(models(), scalar));
    test('random graphs: the bits of the interpreter', () => compare(random(), scalar));
    test('random graphs, scheduled for vectors: the bits of the interpreter', () => compare(random(), simd128));
  }
}

test.run();
