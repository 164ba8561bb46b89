/**
 * `exportQcdq`: the same values as the graph with Quant nodes, the same integers after `streamline`, and what onnxruntime
 * and qonnx compute with the files (needs the Python peers).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQcdq, toQcdq } from '../../codegen/export/qcdq.js';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { infer } from '../../codegen/passes/infer.js';
import { streamline } from '../../codegen/passes/streamline.js';
import { GraphBuilder } from '../support/graphs.js';
import { pythonWith, runPython } from '../support/python.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';

const random = new Random(21);
const draw = (count: number, reach = 1): number[] => Array.from({ length: count }, () => random.float(-reach, reach));

/** Two convolutions of few bits with weights per channel, a zero point, a residual sum. */
function network(bits: number, weightBits: number, sumBits = bits): Graph {
  const b = new GraphBuilder();
  const weights = (name: string, shape: number[]): string => {
    const scale = b.constant(`${name}_scale`, [shape[0], 1, 1, 1], Array.from({ length: shape[0] }, () => random.float(0.01, 0.05) * 2 ** (8 - weightBits)));
    return b.node('Quant', [b.constant(name, shape, draw(shape.reduce((x, y) => x * y, 1))), scale, b.scalar(0), b.scalar(weightBits)], { signed: 1, narrow: 1 });
  };
  const step = 2 ** (8 - bits) / 64;
  const x = b.quant(b.input('x', [1, 3, 6, 6]), step, bits, { signed: 1, narrow: 0 });
  const h = b.quant(b.node('Relu', [b.node('Conv', [x, weights('w0', [4, 3, 3, 3]), b.constant('b0', [4], draw(4))], { pads: [1, 1, 1, 1] })]), step * 2, bits, { signed: 0, narrow: 0 });
  const other = b.quant(b.node('Conv', [h, weights('w1', [4, 4, 1, 1])]), step * 2, sumBits, { signed: 0, narrow: 0 }, 2 ** (bits - 1));
  return b.build(b.node('Conv', [b.quant(b.node('Add', [h, other]), step * 3, bits, { signed: 0, narrow: 0 }, 2), weights('w2', [5, 4, 1, 1])]));
}

test('the same values, and the same integers', () => {
  for (const [bits, weightBits] of [[8, 8], [7, 8], [4, 4], [2, 3]]) {
    const graph = network(bits, weightBits);
    const qcdq = importOnnx(exportQcdq(graph));
    const clips = qcdq.nodes.filter((n) => n.op === 'Clip').length;
    assert.is(clips, bits === 8 ? 0 : 4);
    assert.not(qcdq.nodes.some((n) => n.op === 'Quant'));
    for (const name of ['w0', 'w1', 'w2']) assert.not(name in qcdq.constants, 'float weights are gone');
    for (let round = 0; round < 4; round++) {
      const inputs = { x: { shape: [2, 3, 6, 6], data: Float64Array.from(draw(216, 3)) } };
      assert.equal(evaluate(qcdq, inputs)[qcdq.outputs[0]], evaluate(graph, inputs)[graph.outputs[0]]);
    }
    const layersOf = (g: Graph): unknown[] => {
      const s = streamline(infer(g));
      return s.nodes.filter((n) => n.op === 'Conv' || n.op === 'Add').map((n) => [n.op, s.values[n.outputs[0]].dtype, s.values[n.outputs[0]].range]);
    };
    assert.equal(layersOf(qcdq), layersOf(graph));
  }
});

test('codes of 9 to 16 bits: int16, clipped as float32 values before', () => {
  for (const [bits, signed, zeroPoint] of [[9, 1, 0], [12, 0, 100], [16, 1, 0], [16, 0, 32768]]) {
    const b = new GraphBuilder();
    const graph = b.build(b.quant(b.input('x', [1, 50]), 2 ** -bits, bits, { signed, narrow: 0 }, zeroPoint));
    const qcdq = importOnnx(exportQcdq(graph));
    assert.equal(qcdq.nodes.map((n) => n.op), [...(bits < 16 ? ['Clip'] : []), 'QuantizeLinear', 'DequantizeLinear']);
    const inputs = { x: { shape: [1, 50], data: Float64Array.from(draw(50, 1.5)) } };
    assert.equal(evaluate(qcdq, inputs)[qcdq.outputs[0]], evaluate(graph, inputs)[graph.outputs[0]]);
  }
});

test('what has no such form is refused by the name of its quantizer', () => {
  const refused = (build: (b: GraphBuilder, x: string) => string, reason: string): void => {
    const b = new GraphBuilder();
    const graph = b.build(build(b, b.input('x', [1, 4])));
    const name = graph.nodes.find((n) => n.op === 'Quant')!.name;
    refuses(() => toQcdq(graph), `error [graph/unsupported] ${name}: this Quant has no form in QCDQ: ${reason}\n  Export the model as QONNX.`);
  };
  refused((b, x) => b.quant(x, 0.5, 17), 'it has codes of -65536 to 65535, more than 16 bits');
  refused((b, x) => b.node('Quant', [x, b.constant('s', [4], [1, 2, 3, 4]), b.scalar(0), b.scalar(9)]), 'it has codes of -256 to 255 and a scale for each channel');
  refused((b, x) => b.quant(x, 0.5, 1), 'it is bipolar');
  refused((b, x) => b.quant(x, 0.5, 4, { rounding_mode: 'FLOOR' }), 'it rounds by FLOOR');
  refused((b, x) => b.node('Quant', [x, b.node('Abs', [x]), b.scalar(0), b.scalar(4)]), 'its parameter "Abs_0_out" is computed at run time');
  refused((b, x) => b.quant(x, 0.5, 8, {}, 200), 'its zero point 200 is none of int8');
});

test('onnxruntime and qonnx compute the same with the files', () => {
  const python = pythonWith('onnx', 'onnxruntime', 'qonnx', 'numpy');
  if (!python) return;
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-qcdq-'));
  try {
    const pairs: string[] = [];
    for (const [bits, weightBits, sumBits] of [[8, 8, 8], [7, 8, 7], [4, 3, 4], [6, 8, 10]]) {
      const graph = network(bits, weightBits, sumBits);
      const files = ['qonnx', 'qcdq'].map((format) => join(folder, `${format}_${bits}.onnx`));
      writeFileSync(files[0], exportQonnx(graph));
      writeFileSync(files[1], exportQcdq(graph));
      pairs.push(...files);
    }
    const lines = runPython(python, 'compare_models.py', pairs).trim().split('\n');
    assert.is(lines.length, 4);
    for (const line of lines) assert.match(line, /^ok \S+ (0\.0|\d(\.\d+)?e-\d+)$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
