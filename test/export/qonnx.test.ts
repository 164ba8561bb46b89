/** `exportQonnx`: what it writes, and that ONNX's own tools accept it and compute the same (needs Python peers). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { ModelProtoSchema, TensorProto_DataType as T, type ModelProto } from '../../codegen/import/onnx_pb.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { floats, ints, modelBytes, node, tensorInput, type ModelInit } from '../support/onnxModels.js';
import { pythonWith, runPython } from '../support/python.js';
import { sharedFile, sharedFiles, sharedPath } from '../support/shared.js';

const exported = (m: ModelInit): ModelProto => fromBinary(ModelProtoSchema, exportQonnx(importOnnx(modelBytes(m))));
const opsets = (m: ModelProto): string => m.opsetImport.map((o) => `${o.domain || 'onnx'} ${o.version}`).join(', ');

test('shapes, axes and counts are int64 again, operands of DequantizeLinear int32', () => {
  const m = exported({
    inputs: [tensorInput('x', ['N', 4])],
    initializers: [ints('shape', [3], [-1, 2, 2]), ints('index', [1], [0]), { name: 'q', dims: [4n], dataType: T.INT32, int32Data: [1, 2, 3, 4] }, floats('s', [], [0.5])],
    nodes: [node('DequantizeLinear', ['q', 's'], ['d']), node('Add', ['x', 'd'], ['a']), node('Reshape', ['a', 'shape'], ['r']), node('Gather', ['index', 'index'], ['i']), node('Unsqueeze', ['r', 'i'], ['y'])],
  });
  assert.equal(Object.fromEntries(m.graph!.initializer.map((t) => [t.name, T[t.dataType]])), { shape: 'INT64', index: 'INT64', q: 'INT32', s: 'FLOAT' });
});

test('the batch stays symbolic, in inputs and outputs', () => {
  const m = exported({ inputs: [tensorInput('x', ['batch', 2, 3])], nodes: [node('Flatten', ['x'], ['y'])] });
  const dims = [...m.graph!.input, ...m.graph!.output].map((v) => (v.type!.value.value as { shape?: { dim: { value: { value?: unknown } }[] } }).shape!.dim.map((d) => d.value.value));
  assert.equal(dims, [
    ['batch', 2n, 3n],
    ['batch', 6n],
  ]);
});

test('opsets: 17, later where a node needs it, and the domain of the quantizers', () => {
  assert.is(opsets(exported({ nodes: [node('Relu', ['x'], ['y'])] })), 'onnx 17');
  assert.is(opsets(exported({ opset: 18, initializers: [ints('axes', [1], [1])], nodes: [node('ReduceMean', ['x', 'axes'], ['y'])] })), 'onnx 18');
  const parameters = ['s', 'z', 'i', 'q', 'o'].map((n) => floats(n, [], [n === 'z' ? 0 : 4]));
  const trunc = (inputs: string[]): ModelInit => ({ initializers: parameters, nodes: [node('Trunc', ['x', ...inputs], ['y'], [], { domain: 'onnx.brevitas' })] });
  assert.is(opsets(exported(trunc(['s', 'z', 'i', 'o']))), 'onnx 17, qonnx.custom_op.general 1');
  assert.is(opsets(exported(trunc(['s', 'z', 'i', 'q', 'o']))), 'onnx 17, qonnx.custom_op.general 2');
  assert.not(exported(trunc(['s', 'z', 'i', 'o'])).graph!.node[0].attribute.some((a) => a.name === 'version'));
});

test('what ONNX has no form for is refused by name', () => {
  const graph: Graph = {
    name: 'streamlined',
    inputs: ['x'],
    outputs: ['y'],
    values: { x: { name: 'x', shape: [1, 4], dtype: 'float32' }, y: { name: 'y' } },
    constants: { s: { dtype: 'float32', shape: [], data: Float32Array.of(1) } },
    nodes: [{ name: 'quantize_0', op: 'Quantize', inputs: ['x', 's'], outputs: ['y'], attributes: { min: 0, max: 3 } }],
  };
  try {
    exportQonnx(graph);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DiagnosticError);
    assert.is((error as Error).message, 'error [graph/unsupported] quantize_0: Quantize has no form in QONNX\n  Export the graph before it is streamlined to integers.');
  }
});

test("ONNX's checker, onnxruntime and qonnx: exported models are valid and answer as the originals do", () => {
  const python = pythonWith('onnx', 'onnxruntime', 'qonnx');
  if (!python) return;
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-export-'));
  try {
    const pairs: string[] = [];
    for (const [i, path] of sharedFiles('.onnx').entries()) {
      try {
        const file = join(folder, `${i}.onnx`);
        writeFileSync(file, exportQonnx(importOnnx(sharedFile(path)!)));
        pairs.push(sharedPath(path), file);
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error; // models with operators that this version lacks
      }
    }
    if (pairs.length === 0) return;
    const lines = runPython(python, 'compare_models.py', pairs).trim().split('\n');
    assert.is(lines.length, pairs.length / 2);
    // Bit for bit: the nodes and their order are the same, and so are the constants.
    assert.equal(lines.filter((l) => !/^ok .* 0\.0$/.test(l)), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
