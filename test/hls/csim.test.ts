/**
 * Circuits: every sample of every operator record, operations that none of these has, the example models and random graphs, in
 * several foldings, verified; the interpreter gives the scheduled form the bits of the unscheduled one, and so does C simulation by
 * g++. With names as arguments, those operators' samples only.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { operator, operators } from '../../codegen/ops/index.js';
import type { Lowered } from '../ops/harness.js';
import { languageCases } from '../support/language.js';
import { bipolarCases, circuitOf, exampleCases, randomCases, sampleCases } from './circuits.js';
import { simulate } from './csim.js';
import { lint } from './lint.js';

const processes = 2;
const designs = 24;

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
      failures.push(...lint(emitHls(unit, 'design')).map((fault) => `${c.name}: ${fault}`));
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
const samples = (): Lowered[] => records.flatMap(sampleCases);

const hasCompiler = spawnSync('g++', ['--version']).status === 0;
if (!hasCompiler) test('C simulation', () => console.log('SKIP C simulation: g++ is missing; apt-get install -y g++'));
test('the samples of the operators', () => compare(samples(), hasCompiler));
if (names.length === 0) {
  // A circuit has no state and stores whole elements; the other cases of the language have one.
  const isPlain = ({ unit: { program } }: Lowered): boolean => Object.values(program.buffers).every((b) => b.role !== 'state') && Object.values(program.tensors).every((t) => t.layout.elementBits === t.layout.containerBits);
  test('operations that no sample has', () => compare(languageCases().filter(isPlain), hasCompiler));
  test('bipolar layers', () => compare(bipolarCases(), hasCompiler));
  test('the example models', () => compare(exampleCases(), hasCompiler));
  test('random graphs', () => compare(randomCases(7), hasCompiler));
}

test.run();
