/** The function `quantize` on models of several inputs, of a fixed batch, of none; and calibration data that do not fit. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../codegen/ir/graph.js';
import { compile } from '../../sdk/compile.js';
import { quantize, type CalibrationInputs } from '../../sdk/quantize.js';
import { GraphBuilder } from '../support/graphs.js';

const wave = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(i * 1.7));

/** x [1, 5] and y [1, 6] -> Gemm, Add, Relu, Gemm -> [1, 3]: the batch is 1 in the file, and may be another. */
function twoInputs(): Graph {
  const b = new GraphBuilder();
  const sum = b.node('Add', [b.node('Gemm', [b.input('x', [1, 5]), b.constant('w', [5, 6], wave(30))]), b.input('y', [1, 6])]);
  return b.build(b.node('Gemm', [b.node('Relu', [sum]), b.constant('v', [6, 3], wave(18))]));
}

test('two inputs of a fixed batch: calibrated in batches, the interface stays', async () => {
  const { graph, report } = await quantize(twoInputs(), { x: wave(50), y: { data: wave(60), shape: [10, 6] } });
  assert.is(report.count, 10);
  assert.equal(report.layers.map((l) => l.op), ['Gemm', 'Add', 'Gemm']);
  assert.ok(report.layers.every((l) => l.alone > 35 && l.total > 35));
  assert.is(report.outputs[0].rows, 10);
  assert.equal([graph.values.x.shape, graph.values.y.shape], [[1, 5], [1, 6]]);
  assert.equal((await compile(graph, { batch: 4 })).manifest.outputs[0].shape, [4, 3]);
});

test('no batch: one inference', async () => {
  const b = new GraphBuilder();
  const graph = b.build(b.node('MatMul', [b.node('MatMul', [b.input('x', [3, 5]), b.constant('w', [5, 6], wave(30))]), b.input('y', [6, 4])]));
  const { report } = await quantize(graph, { x: wave(15), y: wave(24) });
  assert.is(report.count, 1);
  assert.equal(report.layers.map((l) => [l.op, l.weightBits, l.inputs.length]), [['MatMul', 8, 1], ['MatMul', undefined, 2]]);
  assert.ok(report.layers.every((l) => l.alone > 30 && l.total > 30));
});

test('activations that are all zero, an input called data', async () => {
  const b = new GraphBuilder();
  const graph = b.build(b.node('Gemm', [b.node('Relu', [b.input('data', [1, 4])]), b.constant('w', [4, 2], wave(8)), b.constant('c', [2], [3, -4])]));
  const { report } = await quantize(graph, { data: [-1, -2, -3, -4, -1, -1, -1, -1] });
  assert.is(report.layers[0].total, Infinity);
  assert.equal(report.outputs.map((o) => [o.rows, o.agreeing]), [[2, 2]]);
});

test('calibration data that do not fit are refused by the name of the input', async () => {
  const told = async (given: CalibrationInputs): Promise<string> => quantize(twoInputs(), given).then(() => 'it was taken', (error: Error) => error.message);
  const code = 'error [quantize/calibration]';
  const whole = '\n  Give at least one inference, and only whole ones.';
  assert.is(await told(wave(5)), `${code} y: the model has 2 inputs, found one array\n  Give them by name: x, y.`);
  assert.is(await told({ x: wave(50) }), `${code} y: this input was not given (float32 of shape [N, 6])\n  Give calibration data for every input.`);
  assert.is(await told({ x: wave(50), y: wave(54) }), `${code} y: expected 10 inferences as in the inputs before, found 9\n  Give every input for the same number of inferences.`);
  assert.is(await told({ x: wave(50), z: wave(60) }), `${code} z: the model has no such input\n  Did you mean "x"?`);
  assert.is(await told({ x: wave(50), y: { data: wave(60), shape: [6, 10] } }), `${code} y: expected shape [N, 6], found [6, 10]${whole}`);
  assert.is(await told({ x: [], y: [] }), `${code} x: expected shape [N, 5], found 0 elements${whole}`);
  assert.is(await told({ x: [1, 2, NaN, 4, 5], y: wave(6) }), `${code} x: element 2 of the calibration data is NaN\n  Calibrate with finite numbers.`);
});

test.run();
