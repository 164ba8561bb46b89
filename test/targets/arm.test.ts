/**
 * The Raspberry Pis by emulation: modules made for a board (`compile --board`) give the interpreter's bits in AArch64 code of V8,
 * of Cranelift and of a C compiler. With the argument `all`, every sample of every operator instead of one of each, and more
 * random graphs (some minutes).
 */
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses, targetOf } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import { operators } from '../../codegen/ops/index.js';
import { lower } from '../../codegen/schedule/lower.js';
import { targetOfBoard, type ProcessorBoard } from '../../codegen/targets/board.js';
import type { Target } from '../../codegen/targets/target.js';
import { readBoard } from '../../sdk/cli/boards.js';
import { compile } from '../../sdk/compile.js';
import { readNpyStream, writeNpy } from '../../sdk/data/npy.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import { lowerCase, runOnEmitters, sampleCase, type Lowered } from '../ops/harness.js';
import { kinds, randomCase } from '../random/graphs.js';
import { armC, armNode, missingC, missingNode, missingWasmtime, runArmWasmtime } from '../support/arm.js';
import type { ModuleHost } from '../support/hosts.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const all = process.argv.includes('all');
const boards = ['raspberry-pi-3', 'raspberry-pi-4', 'raspberry-pi-5'].map((name) => readBoard(name, root) as ProcessorBoard);
/** As qemu and gcc name it. */
const cpuOf = (board: ProcessorBoard): string => board.core.toLowerCase();
const targetFor = (board: ProcessorBoard, name: string = targetOfBoard(board)): Target => targetOf(name, { processor: board.processor as 'arm64' });

/** One sample of each operator, another for each `seed`, and random graphs. */
function cases(seed: number): Lowered[] {
  const samples = Object.values(operators).flatMap((record) => (all ? record.samples : [record.samples[(7 * seed) % record.samples.length]]).map((sample) => sampleCase(record, sample)));
  const graphs = kinds.flatMap((kind) => Array.from({ length: all ? 40 : 3 }, (_, i) => randomCase(kind, 100 * seed + i)));
  return [...samples, ...graphs].map(lowerCase);
}

async function compare(seed: number, target: Target, host: ModuleHost): Promise<void> {
  const lowered = cases(seed);
  const failures = await runOnEmitters(lowered, target, toolchain(), host);
  console.log(`${host.name}, ${target.name}: ${lowered.length} modules`);
  assert.is(failures.length, 0, `${failures.length} of ${lowered.length} failed:\n${failures.slice(0, 20).join('\n')}`);
}

boards.forEach((board, i) => {
  test(`operators and random graphs, V8 on ${board.core}: the interpreter's bits`, async () => {
    if (missingNode) return console.log(`SKIP V8 on AArch64: ${missingNode}`);
    await compare(i, targetFor(board), armNode(cpuOf(board)));
  });
});

test("operators and random graphs, C on Cortex-A72: the interpreter's bits", async () => {
  if (missingC) return console.log(`SKIP wasm2c on AArch64: ${missingC}`);
  for (const name of ['scalar', 'simd128']) await compare(1, targetFor(boards[1], name), armC('cortex-a72'));
});

for (const network of exampleNetworks()) {
  test(`${network.name}, Cranelift: the bits of the interpreter on every board`, async () => {
    if (missingWasmtime) return console.log(`SKIP wasmtime on AArch64: ${missingWasmtime}`);
    const lowered = lower(runPasses(importOnnx(network.bytes)));
    const pixels = exampleImages(Object.values(exampleAnswers).find((a) => a.file === network.name)!.data).pixels.slice(0, 784);
    const [output] = lowered.program.outputs;
    const expected = createInterpreter(lowered, { tensors: [output] }).run({ [lowered.program.inputs[0]]: pixels }).get(output)!;
    for (const target of ['scalar', 'simd128', 'relaxed'] as const) {
      const { wasi } = await compile(network.bytes, { target, processor: 'arm64', wasi: true });
      for (const board of boards) {
        const [{ data }] = readNpyStream(runArmWasmtime(cpuOf(board), wasi!, writeNpy({ shape: [1, 1, 28, 28], data: pixels })));
        assert.equal(Float32Array.from(data as Float32Array), Float32Array.from(expected), `${target} on ${board.core}`);
      }
    }
  });
}

test.run();
