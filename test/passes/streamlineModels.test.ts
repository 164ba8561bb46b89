/**
 * `streamline` on whole networks: the models in examples/ and, beside the repository, TFC, FINN's MultiThreshold model and
 * the 8-bit QDQ networks. Answers by `evaluate`, against the original graph and against other tools' answers.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync, readFileSync } from 'node:fs';
import { importOnnx } from '../../codegen/import/onnx.js';
import { isInteger } from '../../codegen/ir/datatype.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { NdArray } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { infer } from '../../codegen/passes/infer.js';
import { streamlineWithNotes, type Note } from '../../codegen/passes/streamline.js';
import { readNpy, readNpz, type NpyArray } from '../../sdk/data/npy.js';
import { Random } from '../support/random.js';
import { sharedFile } from '../support/shared.js';

const layers = new Set(['MatMul', 'Gemm', 'Conv']);
const integersOnly = new Set(['Requantize', 'SumPool', 'MaxPool', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze', 'Transpose', 'Add', 'TopK']);

interface Streamlined {
  readonly original: Graph;
  readonly graph: Graph;
  readonly notes: readonly Note[];
}

function load(bytes: Uint8Array, batch: number): Streamlined {
  const original = infer(importOnnx(bytes), { batch });
  return { original, ...streamlineWithNotes(original) };
}

const toNdArray = (a: NpyArray): NdArray => ({ shape: a.shape, data: Float64Array.from(a.data as ArrayLike<number>, Number) });

function first(graph: Graph, input: NdArray): NdArray {
  return evaluate(graph, { [graph.inputs[0]]: input })[graph.outputs[0]];
}

function largestError(a: NdArray, b: NdArray): number {
  assert.equal([...a.shape], [...b.shape]);
  return a.data.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b.data[i])), 0);
}

function choices({ shape, data }: NdArray): number[] {
  const width = shape[shape.length - 1];
  return Array.from({ length: data.length / width }, (_, r) => {
    const row = data.subarray(r * width, (r + 1) * width);
    return row.indexOf(Math.max(...row));
  });
}

/** Between the first layer's input and the last layer's output there must be integers only. */
function assertIntegersBetweenLayers(graph: Graph, count: number): void {
  const places = graph.nodes.flatMap((n, i) => (layers.has(n.op) ? [i] : []));
  assert.is(places.length, count);
  for (const n of graph.nodes.slice(places[0], places[places.length - 1] + 1)) {
    assert.ok(layers.has(n.op) || integersOnly.has(n.op), `${n.op} ${n.name} lies between layers`);
    for (const name of n.outputs) assert.ok(isInteger(graph.values[name].dtype!), `${name} is ${graph.values[name].dtype}`);
  }
}

/** The exact range of every accumulator, found here from the weights and the range of the input. */
function assertAccumulators(graph: Graph): void {
  for (const n of graph.nodes.filter((m) => m.op === 'MatMul')) {
    const [lo, hi] = graph.values[n.inputs[0]].range!;
    const w = graph.constants[n.inputs[1]];
    const [rows, columns] = w.shape;
    let [least, greatest] = [0, 0];
    for (let o = 0; o < columns; o++) {
      let [a, b] = [0, 0];
      for (let k = 0; k < rows; k++) {
        const v = w.data[k * columns + o];
        a += Math.min(v * lo, v * hi);
        b += Math.max(v * lo, v * hi);
      }
      least = Math.min(least, a);
      greatest = Math.max(greatest, b);
    }
    assert.equal(graph.values[n.outputs[0]].range, [least, greatest]);
  }
}

for (const name of ['TFC_2W2A', 'TFC_1W1A']) {
  test(`${name}: 16 of 16 golden answers, integers between layers, exact accumulators`, () => {
    const bytes = sharedFile(`qonnx/models/${name}.onnx`);
    const golden = sharedFile(`qonnx/golden/${name}.npz`);
    if (!bytes || !golden) return;
    const { input, output } = readNpz(golden);
    const { graph, notes } = load(bytes, 16);
    assert.equal(notes, []);
    assertIntegersBetweenLayers(graph, 4);
    assertAccumulators(graph);
    const answer = first(graph, toNdArray(input));
    assert.equal(choices(answer), choices(toNdArray(output)));
    const error = largestError(answer, toNdArray(output));
    console.log(`${name}: largest error ${error}`);
    assert.ok(error < 1e-5, `largest error ${error}`);
  });
}

test("FINN's MultiThreshold model: the expected classes, integers between layers", () => {
  const bytes = sharedFile('qonnx/finn_repo/build_dataflow/model.onnx');
  const input = sharedFile('qonnx/finn_repo/build_dataflow/input.npy');
  const expected = sharedFile('qonnx/finn_repo/build_dataflow/expected_output.npy');
  if (!bytes || !input || !expected) return;
  const { graph, notes } = load(bytes, 4);
  assert.equal(notes, []);
  assertIntegersBetweenLayers(graph, 4);
  assertAccumulators(graph);
  assert.equal([...first(graph, toNdArray(readNpy(input))).data], [...toNdArray(readNpy(expected)).data]);
});

test('the example models: integers between layers; answers of the original', () => {
  const folder = new URL('../../examples/models/', import.meta.url);
  const files = readdirSync(folder).filter((f) => f.endsWith('.onnx'));
  assert.ok(files.length >= 3);
  for (const file of files) {
    const { original, graph, notes } = load(new Uint8Array(readFileSync(new URL(file, folder))), 2);
    assert.equal(notes, [], file);
    assertIntegersBetweenLayers(graph, original.nodes.filter((n) => layers.has(n.op)).length);
    const shape = original.values[original.inputs[0]].shape as number[];
    const random = new Random(5);
    const input = { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random.integer(0, 255) / 255)) };
    const [expected, found] = [first(original, input), first(graph, input)];
    assert.equal(choices(found), choices(expected), file);
    const scale = Math.max(...expected.data.map(Math.abs));
    assert.ok(largestError(found, expected) < 1e-5 * scale, `${file}: ${largestError(found, expected)} of ${scale}`);
  }
});

test('8-bit QDQ networks: every layer becomes integer; only additions of different scales and Softmax stay', () => {
  for (const name of ['mlp', 'lenet5', 'ad_ae', 'kws_dscnn', 'ic_resnet8', 'vww_mbv1']) {
    const bytes = sharedFile(`bench/${name}.qdq_u8s8.onnx`);
    if (!bytes) return;
    const { original, graph, notes } = load(bytes, 1);
    const of = (g: Graph): number => g.nodes.filter((n) => layers.has(n.op)).length;
    const integer = graph.nodes.filter((n) => layers.has(n.op) && isInteger(graph.values[n.outputs[0]].dtype!)).length;
    console.log(`${name}: ${integer} of ${of(original)} layers are integer; ${notes.length} notes`);
    assert.is(integer, of(original), name);
    const allowed = ['Softmax has no integer form', 'its inputs have different scales (float32 addition, then quantized again)'];
    for (const n of notes) assert.ok(allowed.includes(n.reason), `${n.layer}: ${n.reason}`);
    for (const n of graph.nodes.filter((m) => layers.has(m.op))) assert.is(n.inputs.length, 2, `${n.name} has no bias`);
  }
});

test('8-bit QDQ networks: answers near those of onnxruntime', () => {
  for (const name of ['mlp', 'lenet5', 'ad_ae']) {
    const bytes = sharedFile(`bench/${name}.qdq_u8s8.onnx`);
    const golden = sharedFile(`bench/${name}.golden.npz`);
    if (!bytes || !golden) return;
    const { x, y_qdq_u8s8: y } = readNpz(golden);
    const { graph } = load(bytes, x.shape[0]);
    const step = graph.constants[graph.nodes[graph.nodes.length - 1].inputs[1]].data[0];
    const error = largestError(first(graph, toNdArray(x)), toNdArray(y));
    console.log(`${name}: largest error ${(error / step).toFixed(2)} output steps`);
    assert.ok(error <= 1.01 * step, `${name}: ${error / step} steps`);
  }
});

test.run();
