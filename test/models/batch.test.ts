/**
 * An inference has the same bits alone and in a batch: the modules of batch 1 and 10 on the same inputs, for every network of
 * the benchmark, and for sums that are shared out among lanes where a batch has too few outputs.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { sharedFile } from '../support/shared.js';
import { benchNames } from './networks.js';

const batch = 10;

/** Bits of the first output, for inputs that are the same for the same shape. */
async function bits(graph: Graph, inBatches: number): Promise<Int32Array> {
  const { wasm } = await compile(graph, { batch: inBatches });
  const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
  const [input] = model.manifest.inputs;
  const random = new Random(7);
  const values = Float32Array.from({ length: (batch * input.shape.reduce((a, b) => a * b, 1)) / inBatches }, () => random.float(-1, 1));
  const { data } = model.run(values)[model.manifest.outputs[0].name];
  assert.ok(data instanceof Float32Array);
  return new Int32Array(Float32Array.from(data).buffer);
}

async function sameBits(graph: Graph): Promise<void> {
  const [alone, together] = [await bits(graph, 1), await bits(graph, batch)];
  const size = alone.length / batch;
  for (let i = 0; i < batch; i++) assert.equal(together.slice(i * size, (i + 1) * size), alone.slice(i * size, (i + 1) * size), `inference ${i}`);
}

for (const name of benchNames.flatMap((n) => [`${n}.f32`, `${n}.qdq_u8s8`])) {
  test(`${name}: the bits of ${batch} inferences in one call are those of each alone`, async () => {
    const bytes = sharedFile(`bench/${name}.onnx`);
    if (bytes) await sameBits(importOnnx(bytes, { name }));
  });
}

/** Layers of fewer than four outputs, each over at least 16 values: x -> dense, convolution, mean, matrix product, or pool. */
function fewOutputs(op: string): Graph {
  const b = new GraphBuilder();
  const random = new Random(3);
  const weights = (...shape: number[]): string => b.constant('w', shape, Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.float(-1, 1)));
  const x = (...shape: number[]): string => b.input('x', ['N' as unknown as number, ...shape]);
  switch (op) {
    case 'Gemm': return b.build(b.node('Gemm', [x(64), weights(2, 64)], { transB: 1 }));
    case 'MatMul': return b.build(b.node('MatMul', [x(64), weights(64, 3)]));
    case 'Conv': return b.build(b.node('Conv', [x(32, 1, 1), weights(2, 32, 1, 1)], { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 }));
    case 'GlobalAveragePool': return b.build(b.node('GlobalAveragePool', [x(3, 4, 16)]));
    default: return b.build(b.node(op, [x(32), b.constant('axes', [1], [1], 'int32')]));
  }
}

for (const op of ['Gemm', 'MatMul', 'Conv', 'GlobalAveragePool', 'ReduceSum', 'ReduceMean']) {
  test(`${op} of few outputs: its sums are parted alike in every batch`, () => sameBits(fewOutputs(op)));
}

test.run();
