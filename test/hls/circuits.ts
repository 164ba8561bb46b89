/**
 * Cases for tests of circuits, and a circuit of each with some folding. Not a test itself.
 */
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import type { OperatorRecord } from '../../codegen/ops/record.js';
import { foldableLoops, type Folding } from '../../codegen/schedule/fabric/kernel.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { isMover } from '../../codegen/schedule/fabric/movers.js';
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import { lowerCase, sampleCase, type Lowered } from '../ops/harness.js';
import { kinds, randomCase } from '../random/graphs.js';
import { bipolarNetworks } from '../support/bipolarNetworks.js';

/** Divisors of a loop, one after the other by `seed`: 1, the whole loop, one between. */
function pick(extent: number, seed: number): number {
  const divisors = Array.from({ length: Math.min(extent, 16) }, (_, i) => i + 1).filter((d) => extent % d === 0);
  return divisors[seed % divisors.length];
}

/** A circuit of a case, every kernel folded in some way, with a narrow or a wide bus; of three, one shares its float cores, and one its processes too. */
export function circuitOf(c: Lowered, seed: number): ProgramUnit {
  const { program } = prepareFabric(c.unit, []).unit;
  const kernels = kernelsOf(program.blocks).filter((k) => !isMover(k));
  const folding = Object.fromEntries(kernels.map((k, i): [string, Folding] => {
    const { outputs, products } = foldableLoops(k, program);
    const process = kernels[i - (i % 3)].name;
    return [k.name, {
      pe: pick(outputs?.extent ?? 1, seed + i), simd: pick(products?.extent ?? 1, seed + 2 * i + 1),
      ...(seed % 3 > 0 ? { cores: 1 + (i % 2) } : {}), ...(seed % 3 === 2 && process !== k.name ? { process } : {}),
    }];
  }));
  const unit = scheduleFabric(c.unit, { folding, bus: seed % 3 === 0 ? 32 : 64 });
  verify(unit);
  return unit;
}

/** The samples of an operator. */
export const sampleCases = (record: OperatorRecord): Lowered[] => record.samples.map((s) => lowerCase(sampleCase(record, s)));

/** A whole model with one input of 784 pixels. */
export function imageCase(name: string, bytes: Uint8Array, pixels: ArrayLike<number>): Lowered {
  const graph = runPasses(importOnnx(bytes), 1);
  return lowerCase({ name, graph, inputs: { [graph.inputs[0]]: pixels } });
}

/** The example models, each with the first image of its data. */
export const exampleCases = (): Lowered[] =>
  exampleNetworks().map(({ name, bytes }) => imageCase(name, bytes, exampleImages(Object.values(exampleAnswers).find((a) => a.file === name)!.data).pixels.slice(0, 784)));

/** Networks of bipolar layers. */
export const bipolarCases = (): Lowered[] =>
  bipolarNetworks().map((graph) => {
    const inferred = runPasses(graph);
    const count = (inferred.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
    return lowerCase({ name: graph.name, graph: inferred, inputs: { x: Array.from({ length: count }, (_, i) => Math.sin(i + 0.5)) } });
  });

/** Random graphs: `each` of every kind. */
export const randomCases = (each: number): Lowered[] => kinds.flatMap((kind) => Array.from({ length: each }, (_, i) => randomCase(kind, 301 + i))).map((c) => lowerCase({ ...c, graph: runPasses(c.graph) }));
