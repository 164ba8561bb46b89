/**
 * Whole networks as circuits: those of the shared data (TFC, bench networks in float32 and 8 bits, and others) and the Bayesian
 * twins of our posteriors (with arguments, those of these names). Requantized in integers alone, C simulation by g++ gives the bits of the WebAssembly module, which
 * multiplies floats.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { NumericArray } from '../../codegen/ir/interpret.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import type { TwinOptions } from '../../codegen/passes/twins/twin.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { foldableLoops } from '../../codegen/schedule/fabric/kernel.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { lower } from '../../codegen/schedule/lower.js';
import { compile, modelGraph } from '../../sdk/compile.js';
import { architectures } from '../../sdk/model/architectures.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { keywordSpotting } from '../../examples/keyword-spotting/make.js';
import { randomInputs, sharedNetworks, type Inputs } from '../models/networks.js';
import type { Lowered } from '../ops/harness.js';
import { simulate } from './csim.js';

/** Four outputs at once where channels allow it, two products. */
function folded(unit: ProgramUnit): ProgramUnit {
  const { program } = prepareFabric(unit, []).unit;
  const greatest = (extent: number, most: number): number => Array.from({ length: most }, (_, i) => most - i).find((d) => extent % d === 0)!;
  const folding = Object.fromEntries(kernelsOf(program.blocks).map((k) => {
    const { outputs, products } = foldableLoops(k, program);
    return [k.name, { pe: greatest(outputs?.extent ?? 1, 4), simd: greatest(products?.extent ?? 1, 2) }];
  }));
  const circuit = scheduleFabric(unit, { folding });
  verify(circuit);
  return circuit;
}

/** One float core of a kind a kernel, and the second half of them in one process. */
function shared(unit: ProgramUnit): ProgramUnit {
  const kernels = foldables(prepareFabric(unit, []));
  const half = Math.floor(kernels.length / 2);
  const folding = Object.fromEntries(kernels.map(({ name }, i) => [name, { pe: 1, simd: 1, cores: 1, ...(i > half ? { process: kernels[half].name } : {}) }]));
  const circuit = scheduleFabric(unit, { folding });
  verify(circuit);
  return circuit;
}

async function compare(name: string, graph: Graph, options: TwinOptions, given?: Inputs, scheduled: (unit: ProgramUnit) => ProgramUnit = folded): Promise<void> {
  const passed = runPasses(graph, 1, { ...options, integersOnly: true });
  const unit = lower(passed);
  const { wasm } = await compile(graph, { ...options, batch: 1 });
  const inputs = { ...randomInputs(passed, 7), ...given };
  const found = loadSync(wasm as Uint8Array<ArrayBuffer>).run(inputs);
  const results = new Map<string, NumericArray>(passed.outputs.map((o, i) => [unit.program.outputs[i], (found[o] as { data: Float32Array }).data.slice() as NumericArray]));
  const c: Lowered = { name, graph, inputs, expanded: passed, unit, results };
  assert.equal(await simulate([c], [scheduled(unit)], undefined, ['-O1']), []);
}

const posterior = (name: string): Graph => modelGraph(architectures[name](), { posterior: readFileSync(new URL(`../../examples/bayesian/${name}.safetensors`, import.meta.url)) });

if (spawnSync('g++', ['--version']).status !== 0) test('networks as circuits', () => console.log('SKIP networks as circuits: g++ is missing; apt-get install -y g++'));
else {
  const wanted = process.argv.slice(2);
  const network = (name: string, run: () => Promise<void>): void => void (wanted.length === 0 || wanted.some((w) => name.includes(w)) ? test(name, run) : undefined);
  for (const { name, bytes } of sharedNetworks()) network(name, () => compare(name, importOnnx(bytes), {}));
  network('keyword spotting', async () => {
    for (const seed of [1, 2, 3]) await compare('keyword spotting', keywordSpotting(), {}, { input: Int8Array.from({ length: 490 }, (_, i) => Math.round(100 * Math.sin(i * seed * 0.7))) as never });
  });
  for (const name of ['mlp', 'lenet5']) {
    for (const twin of ['moments', 'mean'] as const) network(`${name}, ${twin}`, () => compare(name, posterior(name), { twin }));
    network(`${name}, moments with shared cores`, () => compare(name, posterior(name), { twin: 'moments' }, undefined, shared));
    // Samples and seed are inputs of the circuit; the uncertainty of the classes is taken of the samples.
    const controls = { samples: Int32Array.of(2) as never, seed: Uint32Array.of(7, 1) as never, batchOffset: Int32Array.of(3) as never };
    network(`${name}, two samples`, () => compare(name, posterior(name), { twin: 'sample' }, controls));
    network(`${name}, two samples of the outputs of its layers`, () => compare(name, posterior(name), { twin: 'sample', localReparameterization: true }, controls, shared));
  }
  network('mlp, moments of weights in 8 bits', () => compare('mlp', posterior('mlp'), { twin: 'moments', quantizePosterior: { bits: 8 } }, undefined, shared));
}

test.run();
