/**
 * `quantize` on whole networks: held-out accuracy against onnxruntime's own static quantization, what onnxruntime and qonnx
 * compute with the files against our modules, and the other networks of the bench in integers throughout, equal on all engines.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { exportQcdq } from '../../codegen/export/qcdq.js';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import { lower } from '../../codegen/schedule/lower.js';
import { compile } from '../../sdk/compile.js';
import { readNpy, readNpz, writeNpy } from '../../sdk/data/npy.js';
import { quantize } from '../../sdk/quantize.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { pythonWith, runPython } from '../support/python.js';
import { sharedFile, sharedPath } from '../support/shared.js';
import { firstDifference, makeProgram } from './engines.js';
import { benchNames, exampleImages } from './networks.js';

const classes = 10;
const argMax = (data: ArrayLike<number>, row: number): number => {
  let best = 0;
  for (let k = 1; k < classes; k++) if (data[row * classes + k] > data[row * classes + best]) best = k;
  return best;
};
const accuracy = (data: ArrayLike<number>, labels: readonly number[]): number => (100 * labels.filter((label, i) => argMax(data, i) === label).length) / labels.length;
/** One step of so many bits over all values. */
const stepOf = (data: Float32Array, bits: number): number => (data.reduce((a, b) => Math.max(a, b)) - data.reduce((a, b) => Math.min(a, b))) / (2 ** bits - 1);

const { pixels, labels } = exampleImages('fashion');
const calibration = 200; // of the 600 images; the others are held out
const heldOut = labels.slice(calibration);

/** Networks with data at hand. */
const trained = ['mlp', 'lenet5'];
for (const name of trained) {
  test(`${name}: not less accurate than onnxruntime's static quantization, and its files mean the same everywhere`, async () => {
    const model = sharedFile(`bench/${name}.f32.onnx`);
    const python = pythonWith('onnx', 'onnxruntime', 'qonnx', 'numpy');
    if (!model || !python) return;
    const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-quantize-'));
    try {
      const save = (file: string, shape: number[], data: Float32Array | Int32Array): string => {
        writeFileSync(join(folder, file), writeNpy({ shape, data }));
        return join(folder, file);
      };
      const [known, unknown] = [pixels.subarray(0, calibration * 784), pixels.subarray(calibration * 784)];
      const ours: { file: string; data: Float32Array; activationBits: number }[] = [];
      for (const activationBits of [8, 7]) {
        const { graph } = await quantize(model, known, { activationBits });
        const { wasm } = await compile(graph);
        const data = loadSync(wasm as Uint8Array<ArrayBuffer>).run(unknown).output.data.slice() as Float32Array;
        for (const [format, write] of [['qonnx', exportQonnx], ['qcdq', exportQcdq]] as const) {
          const file = join(folder, `${format}${activationBits}.onnx`);
          writeFileSync(file, write(graph));
          ours.push({ file, data, activationBits });
        }
      }
      const printed = runPython(python, 'quantize_static.py', [
        sharedPath(`bench/${name}.f32.onnx`), save('known.npy', [calibration, 784], known), save('unknown.npy', [heldOut.length, 784], unknown),
        save('labels.npy', [heldOut.length], Int32Array.from(heldOut)), ...ours.map((o) => o.file),
      ]);
      const theirs = Object.fromEntries(printed.trim().split('\n').map((line) => line.split(' ')));
      console.log(`${name}: float ${theirs.float} %, static ${theirs.static} %, ours ${accuracy(ours[0].data, heldOut)} %, with 7-bit activations ${accuracy(ours[2].data, heldOut)} %`);
      for (const { file, data, activationBits } of ours) {
        assert.ok(accuracy(data, heldOut) >= Number(theirs.static) - 0.5, file);
        const other = readNpy(readFileSync(`${file}.npy`)).data as Float32Array;
        const step = stepOf(data, activationBits);
        data.forEach((x, i) => assert.ok(Math.abs(x - other[i]) <= step, `${file}: output ${i} is ${x} here and ${other[i]} there, a step is ${step}`));
        // a choice may differ only where two outputs are within that step of one another
        heldOut.forEach((_, i) => assert.ok(other[i * classes + argMax(data, i)] >= other[i * classes + argMax(other, i)] - step, `${file}: image ${i}`));
        const differing = heldOut.filter((_, i) => argMax(data, i) !== argMax(other, i)).length;
        assert.ok(differing <= heldOut.length / 200, `${file}: ${differing} choices differ`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** Nodes that are float in every 8-bit network: the way out of the integers, and a closing Softmax. */
const floatOperators = new Set(['Dequantize', 'ReduceMax', 'Sub', 'Exp', 'ReduceSum', 'Div']);

for (const name of benchNames.filter((n) => !trained.includes(n))) {
  test(`${name}: quantized, written, read and compiled: integers throughout, and every engine agrees`, async () => {
    const [model, archive] = [sharedFile(`bench/${name}.f32.onnx`), sharedFile(`bench/${name}.golden.npz`)];
    if (!model || !archive) return;
    const { x } = readNpz(archive);
    const data = x.data as Float32Array;
    const { graph, report } = await quantize(model, { data, shape: x.shape }, { activationBits: 7 });
    const passed = runPasses(importOnnx(exportQonnx(graph)));
    const floats = passed.nodes.filter((n) => passed.values[n.outputs[0]].dtype === 'float32').map((n) => n.op);
    assert.equal(floats.filter((op) => !floatOperators.has(op)), []);
    assert.is(floats.filter((op) => op === 'Dequantize').length, 1);
    for (const n of passed.nodes.filter((node) => ['Conv', 'Gemm', 'MatMul'].includes(node.op))) {
      const [low, high] = passed.values[n.inputs[0]].range!;
      assert.ok(low >= 0 ? high <= 127 : low >= -128 && high <= 127, `${n.name}: ${low} .. ${high}`);
    }
    for (const l of report.layers) assert.ok(l.alone > 20 && l.total > 15 && l.float === undefined, `${l.name}: ${l.alone} ${l.total}`);
    assert.ok(report.outputs[0].total > 20, `${report.outputs[0].total}`);

    const input = { [passed.inputs[0]]: data.subarray(0, data.length / x.shape[0]) };
    const expected = createInterpreter(lower(passed)).run(input);
    const [output] = passed.outputs;
    const answer = new Map([[output, expected.get(output)!]]);
    for (const target of ['scalar', 'simd128'] as const) assert.is(firstDifference(answer, (await makeProgram(passed, target)).run(input)!), undefined, target);
  });
}

test.run();
