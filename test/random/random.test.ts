/** Random graphs: the lowered Program, its scheduled forms and the compiled modules give the same bits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { infer } from '../../codegen/passes/infer.js';
import { localLayers } from '../../codegen/passes/twins/local.js';
import { printGraph } from '../../codegen/ir/print.js';
import { targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { hostFor } from '../support/hosts.js';
import { compareScheduled, lowerCase, runOnEmitters, type Lowered } from '../ops/harness.js';
import { kinds, randomCase, sampledCase, type RandomCase } from './graphs.js';

/** The first ones, and some that found mistakes: registers shared across tiles, names that hid built-in ones. */
const seeds = [...Array.from({ length: 25 }, (_, i) => i + 1), 328, 395, 420, 423];

function assertNone(failures: readonly string[]): void {
  assert.is(failures.length, 0, `${failures.length} failed:\n${failures.slice(0, 12).join('\n')}`);
}

/** Messages of all cases for which `f` raises. */
function collect<T extends { readonly name: string }>(cases: readonly T[], f: (c: T) => void): string[] {
  return cases.flatMap((c) => {
    try {
      f(c);
      return [];
    } catch (error) {
      return [`${c.name}: ${(error as Error).message}`];
    }
  });
}

test('the generator gives the same graph for the same seed', () => {
  for (const kind of kinds) {
    assert.is(printGraph(randomCase(kind, 7).graph), printGraph(randomCase(kind, 7).graph));
    assert.is.not(printGraph(randomCase(kind, 7).graph), printGraph(randomCase(kind, 8).graph));
  }
});

const lowered: Lowered[] = [];

for (const kind of kinds) {
  test(`${kind}: passes, lower, verify, interpret`, () => {
    assertNone(
      collect(seeds.map((seed) => randomCase(kind, seed)), (c) => {
        lowered.push(lowerCase({ ...c, graph: runPasses(c.graph) }));
      }),
    );
  });
}

test('sampled twins: passes, lower, verify, interpret', () => {
  const cases = seeds.slice(0, 8).map((seed) => sampledCase(seed % 2 === 0 ? 'float' : 'quantized', seed));
  assert.ok(cases.filter((c) => c !== undefined).length >= 4);
  assertNone(
    collect(cases.filter((c) => c !== undefined), (c) => {
      lowered.push(lowerCase({ ...c, graph: runPasses(c.graph, undefined, { twin: 'sample', maxSamples: 2 }) }));
    }),
  );
  const dense = cases.filter((c) => c !== undefined && localLayers(infer(c.graph)).size > 0) as RandomCase[];
  assert.ok(dense.length >= 1);
  assertNone(
    collect(dense, (c) => {
      lowered.push(lowerCase({ ...c, name: `local ${c.name}`, graph: runPasses(c.graph, undefined, { twin: 'sample', maxSamples: 2, localReparameterization: true }) }));
    }),
  );
});

test('quantized: streamlined to integers, the results are those of the float32 steps, ties apart', () => {
  let [elements, different] = [0, 0];
  for (const seed of seeds) {
    const c = randomCase('quantized', seed);
    const plain = Array.from([...lowerCase(c).results.values()][0]);
    const [streamlined] = [...lowerCase({ ...c, graph: runPasses(c.graph) }).results.values()];
    const scale = plain.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    elements += plain.length;
    plain.forEach((v, i) => { if (Math.abs(v - streamlined[i]) > 1e-5 * scale) different++; });
  }
  // folded constants are rounded once, so a value on the edge between two codes may fall to the other side
  assert.ok(different <= elements / 1000, `${different} of ${elements} elements differ`);
});

for (const target of Object.values(targets)) {
  test(`scheduled for ${target.name}`, () => {
    assertNone(collect(lowered, (l) => compareScheduled(l, target)));
  });
  test(`compiled for ${target.name}`, async () => {
    const host = hostFor(target.name);
    if (host) assertNone(await runOnEmitters(lowered, target, toolchain(), host));
  });
}

test.run();
