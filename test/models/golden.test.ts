/**
 * Whole networks, compiled and run as users do, against answers that other tools gave: qonnx's executor, onnxruntime,
 * FINN, and the authors of a model. What each golden is, ../shared/data/README.md and examples/models/README.md say.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fromBinary } from '@bufbuild/protobuf';
import { unzipSync } from 'fflate';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { TensorProtoSchema } from '../../codegen/import/onnx_pb.js';
import { readNpy, readNpz } from '../../sdk/data/npy.js';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { sharedFile } from '../support/shared.js';
import { benchNames, exampleAnswers, exampleImages, exampleNetworks } from './networks.js';
import { makeProgram } from './engines.js';

type Values = ArrayLike<number>;

/** The first output for N inferences by the compiled simd128 module, and its scale where that is one number. */
async function answers(bytes: Uint8Array, input: Values): Promise<{ data: Values; step?: number }> {
  const { wasm, graph } = await compile(bytes);
  const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
  const last = graph.nodes[graph.nodes.length - 1];
  const scale = last.op.startsWith('Dequantize') ? graph.constants[last.inputs[1]] : undefined;
  return { data: model.run(Float32Array.from(input))[model.manifest.outputs[0].name].data, step: scale?.data.length === 1 ? scale.data[0] : undefined };
}

const argMax = (row: Values): number => Array.from(row).reduce((best, v, i) => (v > row[best] ? i : best), 0);

function choices(data: Values, classes: number): number[] {
  const all = Array.from(data);
  return Array.from({ length: all.length / classes }, (_, n) => argMax(all.slice(n * classes, (n + 1) * classes)));
}

const largest = (data: Values): number => Array.from(data).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

function largestError(found: Values, expected: Values): number {
  assert.is(found.length, expected.length);
  return Array.from(found).reduce((most, v, i) => Math.max(most, Number.isNaN(v) ? Infinity : Math.abs(v - expected[i])), 0);
}

interface Golden {
  readonly model: string;
  readonly archive: string;
  readonly input: string;
  readonly output: string;
  /** Of the largest expected value. */
  readonly tolerance: number;
}

const goldens: readonly Golden[] = [
  ...['TFC_1W1A', 'TFC_2W2A'].map((name) => ({ model: `qonnx/models/${name}.onnx`, archive: `qonnx/golden/${name}.npz`, input: 'input', output: 'output', tolerance: 1e-5 })),
  { model: 'qonnx/qonnx_repo/mnist-conv/model.onnx', archive: 'qonnx/golden/mnist_conv_float.npz', input: 'input', output: 'output', tolerance: 1e-5 },
  ...benchNames.map((name) => ({ model: `bench/${name}.f32.onnx`, archive: `bench/${name}.golden.npz`, input: 'x', output: 'y_f32', tolerance: 1e-4 })),
  ...['kws', 'ic'].map((name) => ({ model: `mlperf_tiny/model_${name}.onnx`, archive: `mlperf_tiny/golden_${name}.npz`, input: 'x', output: 'y', tolerance: 1e-4 })),
];

for (const g of goldens) {
  test(`${g.model}: same choices, values within ${g.tolerance} of the largest`, async () => {
    const [bytes, archive] = [sharedFile(g.model), sharedFile(g.archive)];
    if (!bytes || !archive) return;
    const { [g.input]: x, [g.output]: y } = readNpz(archive);
    const { data } = await answers(bytes, x.data as Float32Array);
    const expected = y.data as Float32Array;
    const classes = y.shape[y.shape.length - 1];
    const error = largestError(data, expected) / largest(expected);
    console.log(`${g.model}: largest error ${error.toExponential(1)} of the largest value, ${y.data.length / classes} inferences`);
    assert.equal(choices(data, classes), choices(expected, classes));
    assert.ok(error <= g.tolerance, `error ${error}`);
  });
}

for (const name of benchNames) {
  const model = `bench/${name}.qdq_u8s8.onnx`;
  test(`${model}: same choices, values within one output step`, async () => {
    const [bytes, archive] = [sharedFile(model), sharedFile(`bench/${name}.golden.npz`)];
    if (!bytes || !archive) return;
    const { x, y_qdq_u8s8: y } = readNpz(archive);
    const { data, step } = await answers(bytes, x.data as Float32Array);
    const expected = y.data as Float32Array;
    const classes = y.shape[y.shape.length - 1];
    const error = largestError(data, expected);
    const unequal = Array.from(data).filter((v, i) => v !== expected[i]).length;
    console.log(`${model}: largest error ${error.toExponential(1)}${step ? `, ${(error / step).toFixed(2)} output steps` : ''}; ${unequal} of ${expected.length} values differ`);
    assert.equal(choices(data, classes), choices(expected, classes));
    assert.ok(step, 'the last node dequantizes by one scale');
    assert.ok(error <= 1.01 * step, `${error / step} steps`);
  });
}

test('TFC: activations between the layers equal those of the reference executor', async () => {
  for (const name of ['TFC_2W2A', 'TFC_1W1A']) {
    const [bytes, archive] = [sharedFile(`qonnx/models/${name}.onnx`), sharedFile(`qonnx/golden/${name}_intermediates_sample0.npz`)];
    if (!bytes || !archive) return;
    // Not readNpz: one entry is a Python object.
    const files = unzipSync(archive);
    const expected = (key: string): number[] => Array.from(readNpy(files[`${key}.npy`]).data as Float32Array);
    const op = name === 'TFC_1W1A' ? 'BipolarQuant' : 'Quant';
    const graph = runPasses(importOnnx(bytes));
    const inner = (await makeProgram(graph, 'simd128')).run({ [graph.inputs[0]]: Float32Array.from(expected('global_in')) })!;
    const quantizers = graph.nodes.filter((n) => n.op === 'Quantize' || n.op === 'Requantize');
    assert.is(quantizers.length, 4);
    quantizers.forEach((node, i) => {
      assert.equal(Array.from(inner.get(node.outputs[0])!), expected(`${op}_${4 + i}_out0`).map((v) => v + 0), `${name}, ${node.name}`);
    });
  }
});

/** The one array of a TensorProto file. */
function readTensor(bytes: Uint8Array): Float32Array {
  const { rawData, floatData } = fromBinary(TensorProtoSchema, bytes);
  return rawData.length > 0 ? new Float32Array(rawData.slice().buffer) : Float32Array.from(floatData);
}

test("mnist-conv: its authors' own test data", async () => {
  const folder = 'qonnx/qonnx_repo/mnist-conv';
  const [bytes, x, y] = ['model.onnx', 'test_data_set_0/input_0.pb', 'test_data_set_0/output_0.pb'].map((file) => sharedFile(`${folder}/${file}`));
  if (!bytes || !x || !y) return;
  const { data } = await answers(bytes, readTensor(x));
  const expected = readTensor(y);
  assert.is(argMax(data), argMax(expected));
  assert.ok(largestError(data, expected) <= 1e-5 * largest(expected), `error ${largestError(data, expected)}`);
});

test("FINN's MultiThreshold model: the expected classes", async () => {
  const folder = 'qonnx/finn_repo/build_dataflow';
  const [bytes, x, y] = ['model.onnx', 'input.npy', 'expected_output.npy'].map((file) => sharedFile(`${folder}/${file}`));
  if (!bytes || !x || !y) return;
  const { data } = await answers(bytes, readNpy(x).data as Float32Array);
  assert.equal(Array.from(data), Array.from(readNpy(y).data as BigInt64Array, Number));
});

test('ESPCN is refused by name: up-sampling operators are not supported', async () => {
  for (const [form, op] of [['nn_resize', 'Resize'], ['subpixel', 'DepthToSpace']]) {
    const bytes = sharedFile(`qonnx/qonnx_repo/bsd300x3-espcn/${form}/quant_model.onnx`);
    if (!bytes) return;
    const message = await compile(bytes).then(() => 'it compiled', (error: Error) => error.message);
    assert.match(message, new RegExp(`^error \\[graph/unknown-operator\\] \\S+: the operator "${op}" of the domain "ai.onnx" is not supported\n`));
  }
});

/**
 * Images of the first 16 on which a value lies within float32's last digits of a half step, so that constants that were
 * folded in another order round it to the other side (number 13 of Fashion-MNIST: 53.5000027 steps).
 */
const roundedApart: Readonly<Record<string, number>> = { 'cnn_w8a8_fashion.onnx': 1 };

for (const network of exampleNetworks()) {
  test(`${network.name}: logits of the reference executor, and its choices on 600 images`, async () => {
    const expected = Object.values(exampleAnswers).find((e) => e.file === network.name)!;
    const { pixels, labels } = exampleImages(expected.data);
    const data = Array.from((await answers(network.bytes, pixels)).data);
    const errors = expected.first16.logits.map((row, n) => largestError(data.slice(10 * n, 10 * n + 10), row)).sort((a, b) => a - b);
    const found = choices(data, 10);
    const correct = found.filter((choice, i) => choice === labels[i]).length;
    console.log(`${network.name}: largest errors of 16 x 10 logits ${errors.slice(-2).map((e) => e.toExponential(1)).join(', ')}; ${correct} of 600 right`);
    assert.ok(errors[15 - (roundedApart[network.name] ?? 0)] <= 1e-5, `errors ${errors}`);
    assert.ok(errors[15] < 0.05, `largest error ${errors[15]}`);
    assert.is(found.join(''), expected.images600.predictions);
    assert.is(correct, expected.images600.correct);
  });
}

test.run();
