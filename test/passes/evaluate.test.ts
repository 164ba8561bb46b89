/** `evaluate` on real models, against answers that were obtained outside sigmaflow (see ../shared/data/README.md). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import type { NdArray } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { clean } from '../../codegen/passes/clean.js';
import { fold } from '../../codegen/passes/fold.js';
import { readNpy, readNpz } from '../../sdk/data/npy.js';
import { modelBytes, node, tensorInput } from '../support/onnxModels.js';
import { sharedFile } from '../support/shared.js';

interface Golden {
  readonly model: string;
  readonly answers: string;
  readonly input: string;
  readonly output: string;
  /** Samples to run: the float64 reference is slow by design. */
  readonly samples: number;
  /** Largest error, relative to the largest answer: float32 against float64, summed in another order. */
  readonly tolerance: number;
  /** Also after folding everything. */
  readonly folded?: boolean;
}

const bench = (name: string, samples: number, tolerance: number): Golden => ({ model: `bench/${name}.f32.onnx`, answers: `bench/${name}.golden.npz`, input: 'x', output: 'y_f32', samples, tolerance });
const qdq = (name: string, samples: number): Golden => ({ model: `bench/${name}.qdq_u8s8.onnx`, answers: `bench/${name}.golden.npz`, input: 'x', output: 'y_qdq_u8s8', samples, tolerance: 0, folded: true });

const goldens: readonly Golden[] = [
  { model: 'qonnx/models/TFC_1W1A.onnx', answers: 'qonnx/golden/TFC_1W1A.npz', input: 'input', output: 'output', samples: 16, tolerance: 2e-7, folded: true },
  { model: 'qonnx/models/TFC_2W2A.onnx', answers: 'qonnx/golden/TFC_2W2A.npz', input: 'input', output: 'output', samples: 16, tolerance: 2e-7, folded: true },
  { model: 'qonnx/qonnx_repo/mnist-conv/model.onnx', answers: 'qonnx/golden/mnist_conv_float.npz', input: 'input', output: 'output', samples: 4, tolerance: 1e-6, folded: true },
  bench('mlp', 4, 1e-6),
  bench('lenet5', 4, 1e-6),
  bench('kws_dscnn', 1, 1e-6),
  bench('ad_ae', 4, 1e-6),
  bench('ic_resnet8', 1, 1e-6),
  bench('vww_mbv1', 1, 1e-6),
  qdq('mlp', 4),
  qdq('lenet5', 2),
  qdq('ad_ae', 4),
  { model: 'mlperf_tiny/model_kws.onnx', answers: 'mlperf_tiny/golden_kws.npz', input: 'x', output: 'y', samples: 2, tolerance: 1e-6 },
  { model: 'mlperf_tiny/model_ic.onnx', answers: 'mlperf_tiny/golden_ic.npz', input: 'x', output: 'y', samples: 1, tolerance: 3e-6 },
];

for (const g of goldens) {
  test(`${g.model}: ${g.samples} samples`, () => {
    const [bytes, archive] = [sharedFile(g.model), sharedFile(g.answers)];
    if (!bytes || !archive) return;
    const graph = importOnnx(bytes);
    const arrays = readNpz(archive);
    const rank = graph.values[graph.inputs[0]].shape!.length;
    const item = arrays[g.input].shape.slice(1 - rank);
    const size = item.reduce((a, b) => a * b, 1);
    const x: NdArray = { shape: [g.samples, ...item], data: Float64Array.from(arrays[g.input].data as Float32Array).slice(0, g.samples * size) };
    const expected = arrays[g.output].data as Float32Array;
    const run = (model: typeof graph): void => {
      const { data } = evaluate(model, { [model.inputs[0]]: x })[model.outputs[0]];
      const wanted = expected.subarray(0, data.length);
      const largest = wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const error = data.reduce((a, v, i) => Math.max(a, Math.abs(v - wanted[i])), 0) / largest;
      assert.ok(error <= g.tolerance, `error ${error}, allowed ${g.tolerance}`);
    };
    run(graph);
    if (g.folded) run(clean(fold(graph, { quantizers: true })));
  });
}

test("FINN's MultiThreshold model answers as its authors say", () => {
  const folder = 'qonnx/finn_repo/build_dataflow';
  const [bytes, x, y] = ['model.onnx', 'input.npy', 'expected_output.npy'].map((f) => sharedFile(`${folder}/${f}`));
  if (!bytes || !x || !y) return;
  const graph = importOnnx(bytes);
  const images = readNpy(x);
  const { data } = evaluate(graph, { global_in: { shape: images.shape, data: Float64Array.from(images.data as Float32Array) } }).global_out;
  assert.equal([...data], Array.from(readNpy(y).data as BigInt64Array, Number));
});

test('inputs that do not fit are refused by name', () => {
  const graph = importOnnx(modelBytes({ inputs: [tensorInput('x', ['N', 4])], nodes: [node('Relu', ['x'], ['y'])] }));
  const message = (inputs: Record<string, NdArray>): string => {
    try {
      evaluate(graph, inputs);
    } catch (error) {
      if (error instanceof DiagnosticError) return error.message;
      throw error;
    }
    return 'no error';
  };
  const four = { shape: [1, 4], data: new Float64Array(4) };
  assert.is(message({}), 'error [run/missing-input] x: this input of the model was not given');
  assert.is(message({ x: four, xx: four }), 'error [run/unknown-input] xx: the model has no such input\n  Did you mean "x"?');
  assert.is(message({ x: { shape: [2, 5], data: new Float64Array(10) } }), 'error [run/shape] x: expected shape [2, 4], found [2, 5]');
});

test.run();
