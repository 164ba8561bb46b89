/**
 * Each optimization of a circuit left out: the same bits (interpreter; C simulation where only the circuit changes), also where
 * float32 takes an integer's place in the example models, and estimates that differ in what the optimization saves.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import type { Leavable } from '../../codegen/ir/optimization.js';
import type { Expr, Kernel, ProgramUnit, Stmt } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { scheduleFabric, streamName, type FabricOptions } from '../../codegen/schedule/fabric/index.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';
import { lower } from '../../codegen/schedule/lower.js';
import { effectsOf, type Ablation, type Effects } from '../../sdk/hls/effects.js';
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import type { Lowered } from '../ops/harness.js';
import { bipolarCases, exampleCases } from './circuits.js';
import { simulate } from './csim.js';

/** Some of every kernel at once. */
function foldingOf(unit: ProgramUnit): Record<string, { pe: number; simd: number }> {
  const some = (list: readonly number[]): number => list[Math.min(2, list.length - 1)];
  return Object.fromEntries(foldables(prepareFabric(unit, [])).map((f) => [f.name, { pe: some(f.pe), simd: some(f.simd) }]));
}

const variants: readonly FabricOptions[] = [{ without: ['thresholds'] }, { without: ['matches'] }, { memories: 'bram' }, { memories: 'lutram' }];
const cases = [...bipolarCases(), ...exampleCases().filter((c) => c.name.startsWith('mlp'))];

function outputs(c: Lowered, unit: ProgramUnit): (readonly number[])[] {
  const found = createInterpreter(unit, { tensors: unit.program.outputs }).run(c.inputs);
  return unit.program.outputs.map((name) => Array.from(found.get(name)!));
}

const expected = (c: Lowered): (readonly number[])[] => c.unit.program.outputs.map((name) => Array.from(c.results.get(name)!));

test('thresholds of 32 bits, signs multiplied, constants in one kind of memory: the same bits', async () => {
  const made = cases.flatMap((c) => variants.map((v) => {
    const unit = scheduleFabric(c.unit, { folding: foldingOf(c.unit), ...v });
    verify(unit);
    assert.equal(outputs(c, unit), expected(c), `${c.name} ${JSON.stringify(v)}`);
    return { c, unit };
  }));
  if (spawnSync('g++', ['--version']).status !== 0) console.log('SKIP C simulation: g++ is missing; apt-get install -y g++');
  else assert.equal(await simulate(made.map((m) => m.c), made.map((m) => m.unit)), []);
});

test('sums of 32 bits: the same bits', () => {
  for (const c of cases) {
    const unit = scheduleFabric(c.unit, { folding: foldingOf(c.unit) });
    let widened = 0;
    const wide = (k: Kernel): Kernel => {
      const sums = new Set(k.scheduled!.locals.filter((l) => l.type !== 'float32' && k.accumulators.some((a) => l.name === a.name || l.name.endsWith(`.${a.name}`))).map((l) => l.name));
      widened += sums.size;
      const value = (e: Expr): Expr => (e.op === 'add' ? { ...e, type: 'int32' } : e);
      const visit = (list: readonly Stmt[]): Stmt[] => list.map((s): Stmt => ('body' in s ? { ...s, body: visit(s.body) } : s.kind === 'set' && sums.has(s.name) ? { ...s, value: value(s.value) } : s));
      return { ...k, scheduled: { ...k.scheduled!, locals: k.scheduled!.locals.map((l) => (sums.has(l.name) ? { ...l, type: 'int32' } : l)), body: visit(k.scheduled!.body) } };
    };
    const blocks = unit.program.blocks.map((b) => (b.kind === 'kernel' ? wide(b) : b));
    assert.ok(widened > 0, c.name);
    assert.equal(outputs(c, { ...unit, program: { ...unit.program, blocks } }), expected(c), c.name);
  }
});

const ways: readonly (readonly Leavable[])[] = [[], ['normalization'], ['merging']];

test('normalization and quantizers in float32: the same bits in the example models', () => {
  for (const { name, bytes } of exampleNetworks()) {
    const { pixels } = exampleImages(Object.values(exampleAnswers).find((a) => a.file === name)!.data);
    const unitOf = (without: readonly Leavable[]): ProgramUnit => lower(runPasses(importOnnx(bytes), 1, { integersOnly: true, without }));
    const answers = ways.map((without) => {
      const unit = unitOf(without);
      verify(unit);
      const run = createInterpreter(unit, { tensors: unit.program.outputs });
      return Array.from({ length: 2 }, (_, i) => Array.from(run.run({ [unit.program.inputs[0]]: pixels.slice(784 * i, 784 * (i + 1)) }).get(unit.program.outputs[0])!));
    });
    for (const other of answers.slice(1)) assert.equal(other, answers[0], name);
  }
});

/** The effects on one of the networks. */
function effects(name: string): Effects {
  const found = exampleNetworks().find((n) => n.name === name)!;
  const unitOf = (without: readonly Leavable[] = []): ProgramUnit => lower(runPasses(importOnnx(found.bytes), 1, { integersOnly: true, without }));
  const unit = unitOf();
  const folding = foldingOf(unit);
  const built = scheduleFabric(unit, { folding });
  const result = effectsOf(unit, { folding, depths: Object.fromEntries(built.program.dataflow!.streams.map((s) => [streamName(s), s.depth])), lowerWithout: unitOf, has: { normalizations: true, quantizers: true } });
  const { cycles, ...size } = result.built;
  assert.equal(size, estimateResources(built.program).total);
  assert.ok(cycles > 0);
  return result;
}

test('what each saves: LUTs, DSP slices or block RAM, never the other way round', () => {
  for (const { name } of exampleNetworks()) {
    const { built, without } = effects(name);
    const of = (a: Ablation): NonNullable<Effects['without'][Ablation]> => {
      assert.ok(without[a], `${name}: ${a}`);
      return without[a]!;
    };
    for (const a of ['normalization', 'merging'] as const) assert.ok(of(a).lut > built.lut && of(a).dsp > built.dsp, `${name}: ${a}`);
    assert.ok(of('accumulators').lut + 100 * of('accumulators').dsp > built.lut + 100 * built.dsp && of('accumulators').ff >= built.ff, name);
    assert.ok(of('all constants in block memory').bram18 > built.bram18 && of('all constants in block memory').lut < built.lut, name);
    assert.ok(of('all constants in LUTs').bram18 <= built.bram18 && of('all constants in LUTs').lut >= built.lut, name);
    assert.ok(of('depths').bram18 >= built.bram18 && of('depths').ff >= built.ff, name);
    assert.is(without.matches, undefined);
  }
});

test('matches: a product is more than an equal bit', () => {
  const [{ unit, name }] = bipolarCases();
  const folding = foldingOf(unit);
  const { built, without } = effectsOf(unit, { folding, depths: {}, lowerWithout: () => unit, has: { normalizations: false, quantizers: false } });
  assert.ok(without.matches!.lut > built.lut, name);
  assert.is(without.normalization, undefined);
  assert.is(without.merging, undefined);
});

test.run();
