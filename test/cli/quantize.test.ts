/** `sigmaflow quantize`: what it writes and prints, and that bad input ends in one diagnostic with nothing left behind. */
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { makeConstant, type Constant, type Graph } from '../../codegen/ir/graph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { writeNpy, writeNpz } from '../../sdk/data/npy.js';
import { Random } from '../support/random.js';
import { command, example, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;
const random = new Random(5);
const floats = (count: number, reach = 1): Float32Array => Float32Array.from({ length: count }, () => random.float(-reach, reach));

/** x [N, 6] -> Gemm, Relu, Gemm -> y [N, 4]. */
function network(): Graph {
  const constants: Record<string, Constant> = { w0: makeConstant('float32', [6, 10], floats(60)), b0: makeConstant('float32', [10], floats(10)), w1: makeConstant('float32', [10, 4], floats(40)) };
  const names = ['x', 'h', 'r', 'y', ...Object.keys(constants)];
  return {
    name: 'small', inputs: ['x'], outputs: ['y'], constants,
    values: { ...Object.fromEntries(names.map((name) => [name, { name }])), x: { name: 'x', shape: ['N', 6], dtype: 'float32' } },
    nodes: [
      { name: 'first', op: 'Gemm', inputs: ['x', 'w0', 'b0'], outputs: ['h'], attributes: {} },
      { name: 'act', op: 'Relu', inputs: ['h'], outputs: ['r'], attributes: {} },
      { name: 'second', op: 'Gemm', inputs: ['r', 'w1'], outputs: ['y'], attributes: {} },
    ],
  };
}

const float = network();
const model = save('small.onnx', exportQonnx(float));
const samples = floats(6 * 40, 2);
const calibration = save('x.npy', writeNpy({ shape: [40, 6], data: samples }));
const list = (): string[] => (fs.readdirSync(path.dirname(at('x')), { recursive: true }) as string[]).sort();

async function refusal(status: number, ...argv: string[]): Promise<string> {
  const before = list();
  const result = await command('quantize', ...argv);
  assert.is(result.status, status, result.err);
  assert.is(result.out, '');
  assert.equal(list(), before, 'files were left behind');
  return result.err.replaceAll(path.dirname(at('x')), 'DIR').trimEnd();
}

test('writes QONNX, and a table of layers', async () => {
  const { status, out, err } = await command('quantize', model, '--calibrate', calibration, '-o', at('q.onnx'));
  assert.is(status, 0, err);
  const number = '-?\\d+(\\.\\d+)?';
  const lines = out.split('\n').map((line) => line.trimEnd());
  assert.is(lines[0], 'small: 40 calibration inputs, ranges by mse, biases corrected');
  assert.match(lines[2], /^  layer +operator  weights  input +alone +network$/);
  assert.match(lines[3], new RegExp(`^  first +Gemm +int8 +int8 ${number} \\.\\. ${number} +${number} dB +${number} dB$`));
  assert.match(lines[4], new RegExp(`^  second +Gemm +int8 +uint8 0 \\.\\. ${number} +${number} dB +${number} dB$`));
  assert.match(lines[6], new RegExp(`^y: ${number} dB against the float model, largest element at the same place in \\d+ of 40 inputs \\(${number} %\\)$`));
  assert.equal(err.split('\n'), [
    '1 of 6, compiling the float network',
    '2 of 6, looking for the ranges of its values',
    '3 of 6, compiling the float and the quantized network side by side',
    '4 of 6, correcting biases and measuring the error of each layer',
    '5 of 6, compiling the quantized network',
    "6 of 6, comparing its outputs with the float network's",
    '',
  ]);
  assert.match(lines[8], /q\.onnx: [\d,]+ bytes, [\d.]+ m?s$/);

  const written = importOnnx(fs.readFileSync(at('q.onnx')));
  assert.equal(written.nodes.map((n) => n.op), ['Quant', 'Quant', 'Gemm', 'Relu', 'Quant', 'Quant', 'Gemm']);
  assert.equal(written.values.x.shape, ['N', 6]);
  // what the table says of the output is what evaluating both models in float64 gives
  const x = { x: { shape: [40, 6], data: Float64Array.from(samples) } };
  const [a, b] = [float, written].map((g) => evaluate(g, x)[g.outputs[0]].data);
  const decibels = 10 * Math.log10(a.reduce((s, v) => s + v * v, 0) / a.reduce((s, v, i) => s + (v - b[i]) ** 2, 0));
  assert.ok(Math.abs(decibels - Number(/^y: ([\d.]+) dB/.exec(lines[6])![1])) < 0.15, `${decibels}: ${lines[6]}`);
});

test('QCDQ of few bits, one layer in float, the report as JSON', async () => {
  const { status, out, err } = await command('quantize', model, '-c', `x=${calibration}`, '-o', at('q4.onnx'), '--format', 'qcdq', '--bits', '4', '--activation-bits', '7', '--keep-float', 'second', '--ranges', 'percentile', '--percentile', '99', '--no-bias-correction', '--json');
  assert.is(status, 0, err);
  const { layers, count } = JSON.parse(out);
  assert.is(count, 40);
  assert.equal(layers.map((l: { name: string; float?: string; weightBits?: number }) => [l.name, l.float, l.weightBits]), [['first', undefined, 4], ['second', 'kept in float', undefined]]);
  assert.is(layers[0].inputs[0].bits, 7);
  const written = importOnnx(fs.readFileSync(at('q4.onnx')));
  assert.equal(written.nodes.map((n) => n.op), ['QuantizeLinear', 'Clip', 'DequantizeLinear', 'DequantizeLinear', 'Gemm', 'Relu', 'Gemm']);
  assert.equal(written.nodes.at(-1)!.inputs, ['r', 'w1']);
  assert.equal([...new Set(written.constants.w0_quantized_codes.data)].every((q) => Math.abs(q) <= 7), true);
});

test('the N worst layers stay float', async () => {
  const { status, out, err } = await command('quantize', model, '-c', calibration, '-o', at('kept.onnx'), '--keep-float', '1', '--weight-bits', '3');
  assert.is(status, 0, err);
  assert.is([...out.matchAll(/kept in float/g)].length, 1);
  assert.equal(err.trimEnd().split('\n').map((line) => line.slice(0, 7)), Array.from({ length: 8 }, (_, i) => `${i + 1} of 8,`));
});

test('bias correction: the mean of every layer is that of the float network', async () => {
  const means = async (...more: string[]): Promise<number> => {
    const { status, err } = await command('quantize', model, '-c', calibration, '-o', at('b.onnx'), '--bits', '3', ...more);
    assert.is(status, 0, err);
    const written = importOnnx(fs.readFileSync(at('b.onnx')));
    const x = { x: { shape: [40, 6], data: Float64Array.from(samples) } };
    const [a, b] = [float, written].map((g) => evaluate(g, x));
    let worst = 0;
    for (const [name, channels] of [['h', 10], ['y', 4]] as const) {
      for (let c = 0; c < channels; c++) worst = Math.max(worst, Math.abs(a[name].data.reduce((s, v, i) => (i % channels === c ? s + v - b[name].data[i] : s), 0) / 40));
    }
    return worst;
  };
  const [corrected, plain] = [await means(), await means('--no-bias-correction')];
  assert.ok(plain > 0.05, `${plain}`);
  assert.ok(corrected < plain / 1000, `${corrected} ${plain}`);
});

test('calibration of float16 is taken as it is: widened, exactly', async () => {
  const half = Buffer.from(writeNpy({ shape: [3, 6], data: new Uint16Array(18).fill(0x3c00) })).toString('latin1').replace('<u2', '<f2');
  const { status, err } = await command('quantize', model, '-c', save('half.npy', Buffer.from(half, 'latin1')), '-o', at('h.onnx'), '--json');
  assert.is(status, 0, err);
});

test('refused: calibration data that do not fit', async () => {
  const out = ['-o', at('r.onnx')];
  const npy = (name: string, shape: number[], data: Float32Array): string => save(name, writeNpy({ shape, data }));
  assert.is(await refusal(1, model, '-c', npy('narrow.npy', [4, 5], new Float32Array(20)), ...out), 'error [run/shape] x: expected float32 of shape [N, 6], found shape [4, 5] in DIR/narrow.npy\n  Reshape it: N inputs are [N, 6].');
  assert.is(await refusal(1, model, '-c', npy('empty.npy', [0, 6], new Float32Array(0)), ...out), 'error [run/shape] x: expected float32 of shape [N, 6], found shape [0, 6] in DIR/empty.npy\n  Reshape it: N inputs are [N, 6].');
  const holes = floats(12);
  holes[7] = NaN;
  assert.is(await refusal(1, model, '-c', npy('holes.npy', [2, 6], holes), ...out), 'error [quantize/calibration] x: element 7 of the calibration data is NaN\n  Calibrate with finite numbers.');
  holes[7] = -Infinity;
  assert.is(await refusal(1, model, '-c', npy('far.npy', [2, 6], holes), ...out), 'error [quantize/calibration] x: element 7 of the calibration data is -Infinity\n  Calibrate with finite numbers.');
  assert.is(await refusal(1, model, '-c', npy('huge.npy', [2, 6], new Float32Array(12).fill(3e38)), ...out), '1 of 6, compiling the float network\n2 of 6, looking for the ranges of its values\nerror [quantize/calibration] r: with the calibration data this tensor becomes NaN or infinite\n  Calibrate with inputs on which the float model works.');
  assert.is(await refusal(1, model, '-c', save('z.npz', writeNpz({ z: { shape: [2, 6], data: floats(12) } })), ...out), "error [run/missing-input] x: DIR/z.npz has no array of this name; it has z\n  Save it with numpy.savez under the input's name.");
  assert.is(await refusal(1, model, '-c', at('none.npy'), ...out), 'error [file/unreadable] DIR/none.npy: there is no such file\n  Check the path.');
});

test('refused: options', async () => {
  const see = '\n  See `sigmaflow quantize --help`.';
  const good = [model, '-c', calibration, '-o', at('r.onnx')];
  for (const option of ['--bits', '--activation-bits', '--weight-bits']) {
    for (const value of ['1', '9', '4.5', 'eight']) assert.is(await refusal(2, ...good, option, value), `error [cli/usage] ${option}: expected a whole number of 2 to 8, found "${value}"${see}`);
  }
  assert.is(await refusal(2, ...good, '--ranges', 'minmax'), `error [cli/usage] --ranges: expected max, percentile, mse, found "minmax"\n  Valid: max, percentile, mse.${see}`);
  assert.is(await refusal(2, ...good, '--percentile', '99'), `error [cli/usage] --percentile: it belongs to --ranges percentile${see}`);
  assert.is(await refusal(2, ...good, '--ranges', 'percentile', '--percentile', '101'), `error [cli/usage] --percentile: expected a number of 50 to 100, found "101"${see}`);
  assert.is(await refusal(2, ...good, '--keep-float', ','), `error [cli/usage] --keep-float: expected a number of layers, or their names, found ","${see}`);
  assert.is(await refusal(2, model, '-o', at('r.onnx')), `error [cli/usage] --calibrate: "quantize" needs --calibrate FILE.npy${see}`);
  assert.is(await refusal(2, model, '-c', calibration), `error [cli/usage] -o: "quantize" needs -o FILE${see}`);
  assert.is(await refusal(1, ...good, '--keep-float', 'secnd'), 'error [quantize/options] secnd: no layer of this name is quantized, so none can be kept in float\n  Did you mean "second"?');
});

test('refused: models and places', async () => {
  assert.match(await refusal(1, example, '-c', save('m.npy', writeNpy({ shape: [1, 1, 28, 28], data: floats(784) })), '-o', at('r.onnx')), /^error \[quantize\/model\] \S+: the model is quantized already: this node is a (Bipolar)?Quant\n  Quantize the float model that it was made from\.$/);
  assert.is(await refusal(1, model, '-c', calibration, '-o', path.join(model, 'q.onnx')), `error [file/unwritable] DIR/small.onnx: expected a folder, found that ${path.relative('', model)} is a file\n  Choose another place with -o or --output.`.replaceAll(path.dirname(at('x')), 'DIR'));
  assert.match(await refusal(1, model, '-c', calibration, '-o', path.dirname(at('x'))), /^error \[file\/unwritable\] DIR: expected the name of a file, found a folder/);
});

test.after(() => folder.remove());
test.run();
