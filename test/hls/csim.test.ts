/**
 * Circuits: every sample of every operator record, operations that none of these has, the example models and random graphs, in
 * several foldings, verified; the interpreter gives the scheduled form the bits of the unscheduled one, and so does C simulation by
 * g++. With names as arguments, those operators' samples only.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf } from '../../codegen/ir/verifyDataflow.js';
import { operator, operators } from '../../codegen/ops/index.js';
import { foldableLoops } from '../../codegen/schedule/fabric/kernel.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import { lowerCase, sampleCase, type Lowered } from '../ops/harness.js';
import { bipolarNetworks } from '../support/bipolarNetworks.js';
import { kinds, randomCase } from '../random/graphs.js';
import { languageCases } from '../support/language.js';
import { simulate } from './csim.js';

const processes = 2;
const designs = 24;

/** Divisors of a loop, one after the other by `seed`: 1, the whole loop, one between. */
function pick(extent: number, seed: number): number {
  const divisors = Array.from({ length: Math.min(extent, 16) }, (_, i) => i + 1).filter((d) => extent % d === 0);
  return divisors[seed % divisors.length];
}

/** A circuit of a case, every kernel folded in some way. */
function circuitOf(c: Lowered, seed: number): ProgramUnit {
  const { program } = prepareFabric(c.unit, []).unit;
  const kernels = kernelsOf(program.blocks);
  const folding = Object.fromEntries(kernels.map((k, i) => {
    const { outputs, products } = foldableLoops(k, program);
    return [k.name, { pe: pick(outputs?.extent ?? 1, seed + i), simd: pick(products?.extent ?? 1, seed + 2 * i + 1) }];
  }));
  const unit = scheduleFabric(c.unit, { folding });
  verify(unit);
  return unit;
}

function message(c: Lowered, error: unknown): string {
  return `${c.name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
}

/** Raises where a circuit is not legal, or the interpreter or C simulation gives other bits. */
async function compare(cases: readonly Lowered[], isSimulated = true): Promise<void> {
  assert.ok(cases.length > 0);
  const failures: string[] = [];
  const made: { c: Lowered; unit: ProgramUnit }[] = [];
  cases.forEach((c, i) => {
    try {
      const unit = circuitOf(c, i);
      const found = createInterpreter(unit, { tensors: unit.program.outputs }).run(c.inputs);
      const other = unit.program.outputs.find((name, o) => !sameBits(found.get(name)!, c.results.get(c.unit.program.outputs[o])!));
      if (other) failures.push(`${c.name}: the interpreter gives ${other} other bits`);
      made.push({ c, unit });
    } catch (error) {
      failures.push(message(c, error));
    }
  });
  if (isSimulated) {
    const parts = Array.from({ length: Math.ceil(made.length / designs) }, (_, p) => made.slice(p * designs, (p + 1) * designs));
    const work = async (own: typeof parts): Promise<void> => {
      for (const part of own) failures.push(...(await simulate(part.map((m) => m.c), part.map((m) => m.unit)).catch((error: unknown) => [String(error)])));
    };
    await Promise.all(Array.from({ length: processes }, (_, p) => work(parts.filter((_, i) => i % processes === p))));
  }
  assert.is(failures.length, 0, `${failures.length} of ${cases.length} failed:\n${failures.slice(0, 20).join('\n')}`);
}

function sameBits(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((x, i) => Object.is(x, b[i]) || (Number.isNaN(x) && Number.isNaN(b[i])));
}

const names = process.argv.slice(2);
const records = names.length === 0 ? Object.values(operators) : names.map((name) => operator(name, 'test/hls/csim.test.ts'));
const samples = (): Lowered[] => records.flatMap((r) => r.samples.map((s) => lowerCase(sampleCase(r, s))));

const models = (): Lowered[] =>
  exampleNetworks().map(({ name, bytes }) => {
    const { data } = Object.values(exampleAnswers).find((a) => a.file === name)!;
    const graph = runPasses(importOnnx(bytes), 1);
    return lowerCase({ name, graph, inputs: { [graph.inputs[0]]: exampleImages(data).pixels.slice(0, 784) } });
  });

const bipolar = (): Lowered[] =>
  bipolarNetworks().map((graph) => {
    const inferred = runPasses(graph);
    const count = (inferred.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
    return lowerCase({ name: graph.name, graph: inferred, inputs: { x: Array.from({ length: count }, (_, i) => Math.sin(i + 0.5)) } });
  });

const random = (): Lowered[] => kinds.flatMap((kind) => Array.from({ length: 7 }, (_, i) => randomCase(kind, 301 + i))).map((c) => lowerCase({ ...c, graph: runPasses(c.graph) }));

const hasCompiler = spawnSync('g++', ['--version']).status === 0;
if (!hasCompiler) test('C simulation', () => console.log('SKIP C simulation: g++ is missing; apt-get install -y g++'));
test('the samples of the operators', () => compare(samples(), hasCompiler));
if (names.length === 0) {
  // A circuit has no state and stores whole elements; the other cases of the language have one.
  const isPlain = ({ unit: { program } }: Lowered): boolean => Object.values(program.buffers).every((b) => b.role !== 'state') && Object.values(program.tensors).every((t) => t.layout.elementBits === t.layout.containerBits);
  test('operations that no sample has', () => compare(languageCases().filter(isPlain), hasCompiler));
  test('bipolar layers', () => compare(bipolar(), hasCompiler));
  test('the example models', () => compare(models(), hasCompiler));
  test('random graphs', () => compare(random(), hasCompiler));
}

test.run();
