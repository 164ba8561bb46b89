/**
 * NaN and infinity in the input. A quantizer (codegen/ops/quantize.ts) clamps infinities; NaN gets the code of an unshifted
 * 0 less the zero point, where bipolar -1. So each has a finite stand-in with the same answer, in every bit and on every
 * engine. A float network may answer NaN, and then on every engine (which NaN is not compared).
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { createInterpreter, type NumericArray } from '../../codegen/ir/interpret.js';
import { lower } from '../../codegen/schedule/lower.js';
import { readNpyStream, writeNpy } from '../../sdk/data/npy.js';
import { compile } from '../../sdk/compile.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { GraphBuilder } from '../support/graphs.js';
import { sharedFile } from '../support/shared.js';
import { firstDifference } from './engines.js';
import { exampleNetworks, randomInputs } from './networks.js';

type Run = (input: Float32Array) => Promise<NumericArray>;

/** Every engine for a graph of one input and one float32 output. */
async function engines(graph: Graph): Promise<Record<string, Run>> {
  const passed = runPasses(graph);
  const unit = lower(passed);
  const interpreter = createInterpreter(unit);
  const shape = passed.values[passed.inputs[0]].shape as readonly number[];
  const run: Record<string, Run> = { interpreter: async (x) => interpreter.run({ [unit.program.inputs[0]]: x }).get(unit.program.outputs[0])! };
  for (const target of ['scalar', 'simd128'] as const) {
    const { wasm, wasi } = await compile(graph, { target, wasi: target === 'simd128' });
    const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
    const name = model.manifest.outputs[0].name;
    run[target] = async (x) => model.run(x)[name].copy().data as Float32Array;
    if (wasi) run.WASI = async (x) => readNpyStream(new Uint8Array((await runWasi(wasi, writeNpy({ shape, data: x }))).stdout))[0].data as Float32Array;
  }
  return run;
}

const asMap = (values: NumericArray): Map<string, NumericArray> => new Map([['the output', values]]);

/** The interpreter's answer, once all engines have given its bits. */
async function agreed(run: Record<string, Run>, input: Float32Array): Promise<NumericArray> {
  const expected = await run.interpreter(input);
  for (const [engine, one] of Object.entries(run)) {
    const difference = firstDifference(asMap(expected), asMap(await one(input)));
    assert.is(difference, undefined, `${engine}: ${difference}`);
  }
  return expected;
}

/** What a special value may be replaced by without any change. */
type StandIns = readonly (readonly [special: number, finite: number])[];

const infinities: StandIns = [[Infinity, 1e30], [-Infinity, -1e30]];

async function checkStandIns(graph: Graph, standIns: StandIns): Promise<void> {
  const run = await engines(graph);
  const base = randomInputs(runPasses(graph), 7)[graph.inputs[0]];
  let moved = 0;
  for (const [special, finite] of standIns) {
    const place = (value: number): Float32Array => base.map((x, i) => (i % 3 === 0 ? value : x));
    const [found, expected] = [await agreed(run, place(special)), await agreed(run, place(finite))];
    assert.is(firstDifference(asMap(expected), asMap(found)), undefined, `${special} is not ${finite}`);
    assert.ok(found.every(Number.isFinite));
    if (firstDifference(asMap(await run.interpreter(base)), asMap(found))) moved++;
  }
  assert.ok(moved > 0, 'the input matters');
}

for (const network of exampleNetworks()) {
  test(`${network.name}: NaN is the pixel 0, infinities are its ends`, () => checkStandIns(importOnnx(network.bytes), [[NaN, 0], ...infinities]));
}

const shared: readonly (readonly [file: string, nan: number])[] = [
  ['qonnx/models/TFC_2W2A.onnx', 0.5], // 2 x - 1 before the quantizer: the code 0
  ['qonnx/models/TFC_1W1A.onnx', 0], // bipolar: -1
  ['bench/lenet5.qdq_u8s8.onnx', -1e30], // uint8 with a zero point: the least code
];

for (const [file, nan] of shared) {
  test(`${file}: NaN is ${nan}, infinities are the ends`, async () => {
    const bytes = sharedFile(file);
    if (bytes) await checkStandIns(importOnnx(bytes), [[NaN, nan], ...infinities]);
  });
}

test('signed codes with a zero point: NaN is the code of an unshifted 0', async () => {
  const b = new GraphBuilder();
  const x = b.quant(b.input('x', [1, 12]), 0.5, 4, { signed: 1 }, 3);
  const w = b.constant('w', [12, 8], Array.from({ length: 96 }, (_, i) => (i % 7) - 3));
  const y = b.node('MatMul', [x, b.quant(w, 1, 4, { signed: 1, narrow: 1 })]);
  const [least, greatest, zero] = [(-8 - 3) * 0.5, (7 - 3) * 0.5, (0 - 3) * 0.5];
  await checkStandIns(b.build(y), [[NaN, zero], [Infinity, greatest], [-Infinity, least]]);
});

test('a float network answers NaN and infinity alike on every engine', async () => {
  const b = new GraphBuilder();
  const w = (name: string, shape: number[]): string => b.constant(name, shape, Array.from({ length: shape.reduce((p, q) => p * q) }, (_, i) => ((i * 5) % 11) / 4 - 1));
  let x = b.node('Conv', [b.input('x', [1, 2, 9, 9]), w('w', [5, 2, 3, 3]), w('bias', [5])], { pads: [1, 1, 1, 1] });
  x = b.node('MaxPool', [b.node('Relu', [x])], { kernel_shape: [2, 2], strides: [2, 2] });
  x = b.node('Clip', [x, b.scalar(0.25), b.scalar(6)]);
  x = b.node('MatMul', [b.node('Flatten', [x]), w('dense', [80, 7])]);
  const run = await engines(b.build(b.node('Softmax', [b.node('LeakyRelu', [x])], { axis: -1 })));
  const base = Float32Array.from({ length: 162 }, (_, i) => ((i * 7) % 13) / 6 - 1);
  assert.ok((await agreed(run, base)).every(Number.isFinite));
  const nan = await agreed(run, base.map((v, i) => (i === 40 ? NaN : v)));
  assert.ok(nan.every(Number.isNaN), 'NaN reaches the output');
  for (const special of [Infinity, -Infinity]) await agreed(run, base.map((v, i) => (i % 50 === 40 ? special : v)));
});

test.run();
