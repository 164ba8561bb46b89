/** Import: what comes out for good files. Bad files are in diagnostics.test.ts, hostile ones in fuzz.test.ts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TensorProto_DataType as T } from '../../codegen/import/onnx_pb.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { printGraph } from '../../codegen/ir/print.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { floatAttribute, floats, intAttribute, intsAttribute, modelBytes, node, tensorInput, textAttribute, type TensorInit } from '../support/onnxModels.js';
import { sharedFile, sharedFiles } from '../support/shared.js';

test('initializers that are listed as inputs are constants; symbolic dimensions stay names', () => {
  const g = importOnnx(
    modelBytes({
      inputs: [tensorInput('x', ['batch', 4]), tensorInput('w', [4, 2])],
      initializers: [floats('w', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    }),
  );
  assert.equal(g.inputs, ['x']);
  assert.equal(g.outputs, ['y']);
  assert.equal(g.values.x, { name: 'x', shape: ['batch', 4], dtype: 'float32' });
  assert.equal(g.constants.w, { dtype: 'float32', shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
});

test('nodes without a name get one; a name that is there twice becomes unique', () => {
  const relu = (from: string, to: string, name?: string) => node('Relu', [from], [to], [], name === undefined ? {} : { name });
  const g = importOnnx(modelBytes({ nodes: [relu('x', 'a'), relu('a', 'b', 'Relu_0'), relu('b', 'c', 'act'), relu('c', 'd', 'act'), relu('d', 'y')] }));
  assert.equal(
    g.nodes.map((n) => n.name),
    ['Relu_1', 'Relu_0', 'act', 'act_0', 'Relu_2'],
  );
});

test('names with odd characters survive, also through an export', () => {
  const odd = ['/a b::0', 'täñ"sor\n', '💡', '0', '-'];
  const nodes = odd.map((to, i) => node('Relu', [i === 0 ? 'x' : odd[i - 1]], [to], [], { name: `node ${to}` }));
  const g = importOnnx(modelBytes({ nodes, outputs: ['-'] }));
  assert.equal(g.nodes.map((n) => n.outputs[0]), odd);
  assert.equal(importOnnx(exportQonnx(g)), g);
});

test('unsorted nodes are sorted, sorted ones stay', () => {
  const g = importOnnx(modelBytes({ nodes: [node('Relu', ['b'], ['y']), node('Relu', ['x'], ['a']), node('Relu', ['a'], ['b'])] }));
  assert.equal(g.nodes.map((n) => n.outputs[0]), ['a', 'b', 'y']);
  const h = importOnnx(modelBytes({ nodes: [node('Relu', ['x'], ['a']), node('Relu', ['x'], ['b']), node('Add', ['b', 'a'], ['y'])] }));
  assert.equal(h.nodes.map((n) => n.outputs[0]), ['a', 'b', 'y']);
});

test('a chain of 50,000 nodes, given backwards', () => {
  const nodes = Array.from({ length: 50000 }, (_, i) => node('Relu', [i === 0 ? 'x' : `v${i - 1}`], [i === 49999 ? 'y' : `v${i}`]));
  assert.is(importOnnx(modelBytes({ nodes: nodes.reverse() })).nodes.length, 50000);
});

test('every element type, raw and in its typed field', () => {
  const bytes = (...b: number[]) => Uint8Array.from(b);
  const cases: [string, TensorInit, string, number[]][] = [
    ['float', { dataType: T.FLOAT, rawData: bytes(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0) }, 'float32', [1, -2]],
    ['float typed', { dataType: T.FLOAT, floatData: [1.5, -2] }, 'float32', [1.5, -2]],
    ['double', { dataType: T.DOUBLE, doubleData: [0.1, 2] }, 'float32', [Math.fround(0.1), 2]],
    ['double raw', { dataType: T.DOUBLE, rawData: new Uint8Array(Float64Array.of(0.1, 2).buffer) }, 'float32', [Math.fround(0.1), 2]],
    ['float16', { dataType: T.FLOAT16, rawData: bytes(0, 0x3c, 1, 0x80) }, 'float32', [1, -(2 ** -24)]],
    ['float16 typed', { dataType: T.FLOAT16, int32Data: [0x7bff, 0xfc00] }, 'float32', [65504, -Infinity]],
    ['bfloat16', { dataType: T.BFLOAT16, rawData: bytes(0x80, 0x3f, 0x00, 0xc0) }, 'float32', [1, -2]],
    ['int8', { dataType: T.INT8, rawData: bytes(255, 127) }, 'int8', [-1, 127]],
    ['int8 typed', { dataType: T.INT8, int32Data: [-128, 5] }, 'int8', [-128, 5]],
    ['uint8', { dataType: T.UINT8, rawData: bytes(255, 127) }, 'uint8', [255, 127]],
    ['int16', { dataType: T.INT16, rawData: bytes(0, 0x80, 1, 0) }, 'int16', [-32768, 1]],
    ['uint16', { dataType: T.UINT16, rawData: bytes(0, 0x80, 1, 0) }, 'uint16', [32768, 1]],
    ['int32', { dataType: T.INT32, rawData: bytes(255, 255, 255, 255, 2, 0, 0, 0) }, 'int32', [-1, 2]],
    ['uint32', { dataType: T.UINT32, uint64Data: [4294967295n, 1n] }, 'uint32', [4294967295, 1]],
    ['int64', { dataType: T.INT64, int64Data: [-5n, 9223372036854775807n] }, 'int32', [-5, 2147483647]],
    ['int64 raw', { dataType: T.INT64, rawData: new Uint8Array(BigInt64Array.of(-9223372036854775808n, 7n).buffer) }, 'int32', [-2147483648, 7]],
    ['uint64', { dataType: T.UINT64, uint64Data: [18446744073709551615n, 7n] }, 'uint32', [4294967295, 7]],
    ['bool', { dataType: T.BOOL, rawData: bytes(0, 1) }, 'uint1', [0, 1]],
    ['int4', { dataType: T.INT4, rawData: bytes(0x7f) }, 'int4', [-1, 7]],
    ['uint4', { dataType: T.UINT4, int32Data: [0x7f] }, 'uint4', [15, 7]],
  ];
  for (const [what, tensor, dtype, values] of cases) {
    const g = importOnnx(modelBytes({ initializers: [{ name: 'c', dims: [2n], ...tensor }], nodes: [node('Relu', ['x'], ['y'])] }));
    assert.is(g.constants.c.dtype, dtype, what);
    assert.equal([...g.constants.c.data], values, what);
    assert.equal(importOnnx(exportQonnx(g)), g, what);
  }
});

test('external data is read from the place it names, each file once', () => {
  const external = (name: string, offset: number): TensorInit => ({
    name,
    dims: [2n],
    dataType: T.UINT8,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: 'data/weights.bin' },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: '2' },
    ],
  });
  const asked: string[] = [];
  const readExternal = (location: string): Uint8Array => {
    asked.push(location);
    return Uint8Array.of(9, 8, 7, 6);
  };
  const g = importOnnx(modelBytes({ initializers: [external('a', 0), external('b', 2)], nodes: [node('Relu', ['x'], ['y'])] }), { readExternal });
  assert.equal([[...g.constants.a.data], [...g.constants.b.data]], [[9, 8], [7, 6]]);
  assert.equal(asked, ['data/weights.bin']);
});

test('attributes of older opsets become inputs', () => {
  const clip = importOnnx(modelBytes({ opset: 9, nodes: [node('Clip', ['x'], ['y'], [floatAttribute('max', 6)], { name: 'clip' })] }));
  assert.equal(clip.nodes[0], { name: 'clip', op: 'Clip', inputs: ['x', '', 'clip_max'], outputs: ['y'], attributes: {} });
  assert.equal(clip.constants.clip_max, { dtype: 'float32', shape: [], data: Float32Array.of(6) });

  const squeeze = importOnnx(modelBytes({ opset: 11, nodes: [node('Squeeze', ['x'], ['y'], [intsAttribute('axes', [0])], { name: 's' })] }));
  assert.equal(squeeze.nodes[0].inputs, ['x', 's_axes']);
  assert.equal(squeeze.constants.s_axes, { dtype: 'int32', shape: [1], data: Int32Array.of(0) });

  const mean = importOnnx(modelBytes({ opset: 13, nodes: [node('ReduceMean', ['x'], ['y'], [intsAttribute('axes', [1]), intAttribute('keepdims', 0)])] }));
  assert.equal(mean.nodes[0].inputs, ['x', 'ReduceMean_0_axes']);
  assert.equal(mean.nodes[0].attributes, { keepdims: 0 });

  const pad = importOnnx(modelBytes({ opset: 10, nodes: [node('Pad', ['x'], ['y'], [intsAttribute('pads', [0, 1, 0, 2]), floatAttribute('value', 0.5)])] }));
  assert.equal(pad.nodes[0].inputs, ['x', 'Pad_0_pads', 'Pad_0_value']);

  const slice = importOnnx(modelBytes({ opset: 9, nodes: [node('Slice', ['x'], ['y'], [intsAttribute('starts', [1]), intsAttribute('ends', [2 ** 53]), intsAttribute('axes', [1])])] }));
  assert.equal(slice.nodes[0].inputs, ['x', 'Slice_0_starts', 'Slice_0_ends', 'Slice_0_axes']);
  assert.equal([...slice.constants.Slice_0_ends.data], [2147483647]);

  const topk = importOnnx(modelBytes({ opset: 9, nodes: [node('TopK', ['x'], ['v', 'y'], [intAttribute('k', 1)])] }));
  assert.equal(topk.constants.TopK_0_k, { dtype: 'int32', shape: [1], data: Int32Array.of(1) });

  const dropout = importOnnx(modelBytes({ opset: 9, nodes: [node('Dropout', ['x'], ['y'], [floatAttribute('ratio', 0.25)])] }));
  assert.equal(dropout.nodes[0].inputs, ['x', 'Dropout_0_ratio']);

  const four = ['a', 'b', 'c', 'd'].map((n) => floats(n, [4], [1, 1, 1, 1]));
  const bn = importOnnx(modelBytes({ opset: 7, initializers: four, nodes: [node('BatchNormalization', ['x', 'a', 'b', 'c', 'd'], ['y', 'm', 'v'], [intAttribute('spatial', 1)])] }));
  assert.equal(bn.nodes[0].outputs, ['y']);
  assert.equal(bn.nodes[0].attributes, {});
});

test('Softmax of older opsets: the last axis, or a flattening', () => {
  const softmax = (axis: number, shape: number[]) =>
    importOnnx(modelBytes({ opset: 11, inputs: [tensorInput('x', shape)], nodes: [node('Softmax', ['x'], ['y'], [intAttribute('axis', axis)])] })).nodes.map((n) => `${n.op}(${n.inputs}) -> ${n.outputs} ${JSON.stringify(n.attributes)}`);
  assert.equal(softmax(1, [1, 4]), ['Softmax(x) -> y {"axis":-1}']);
  assert.equal(softmax(1, [1, 4, 3]), [
    'Flatten(x) -> y_flat {"axis":1}',
    'Softmax(y_flat) -> y_soft {"axis":-1}',
    'Shape(x) -> y_shape {}',
    'Reshape(y_soft,y_shape) -> y {}',
  ]);
});

test('Constant nodes are constants, whatever attribute holds the value', () => {
  const add = [node('Add', ['x', 'c'], ['y'])];
  const g = importOnnx(modelBytes({ nodes: [node('Constant', [], ['c'], [floatAttribute('value_float', 2)]), ...add] }));
  assert.equal(g.constants.c, { dtype: 'float32', shape: [], data: Float32Array.of(2) });
  assert.is(g.nodes.length, 1);
  const h = importOnnx(modelBytes({ nodes: [node('Constant', [], ['c'], [{ name: 'value', type: 4, t: { dims: [1n], dataType: T.FLOAT, floatData: [3] } }]), ...add] }));
  assert.equal(h.constants.c, { dtype: 'float32', shape: [1], data: Float32Array.of(3) });
});

test('QONNX operators in all spellings of their domain, and in none', () => {
  const parameters = [floats('s', [], [0.5]), floats('z', [], [0]), floats('b', [], [4])];
  for (const domain of ['qonnx.custom_op.general', 'onnx.brevitas', 'finn.custom_op.general', 'finn', '']) {
    for (const op of ['Quant', 'IntQuant']) {
      const g = importOnnx(
        modelBytes({
          domains: domain === '' ? {} : { [domain]: 1 },
          initializers: parameters,
          nodes: [node(op, ['x', 's', 'z', 'b'], ['y'], [intAttribute('signed', 1), intAttribute('narrow', 1), textAttribute('rounding_mode', 'FLOOR')], { domain })],
        }),
      );
      assert.equal(g.nodes[0].op, 'Quant');
      assert.equal(g.nodes[0].attributes, { signed: 1, narrow: 1, rounding_mode: 'FLOOR' });
    }
  }
});

test('Trunc is version 2 where its domain says so, or where it has six inputs', () => {
  const parameters = ['s', 'z', 'i', 'o', 'q'].map((n) => floats(n, [], [1]));
  const version = (inputs: string[], domains: Record<string, number>, domain: string) =>
    importOnnx(modelBytes({ domains, initializers: parameters, nodes: [node('Trunc', ['x', ...inputs], ['y'], [], { domain })] })).nodes[0].attributes.version;
  const qonnx = 'qonnx.custom_op.general';
  assert.is(version(['s', 'z', 'i', 'o'], { [qonnx]: 1 }, qonnx), 1);
  assert.is(version(['s', 'z', 'i', 'q', 'o'], { [qonnx]: 2 }, qonnx), 2);
  assert.is(version(['s', 'z', 'i', 'q', 'o'], {}, 'onnx.brevitas'), 2);
  assert.is(version(['s', 'z', 'i', 'o'], {}, 'onnx.brevitas'), 1);
});

test('quantization annotations become data types', () => {
  const names = { INT4: 'int4', UINT8: 'uint8', BIPOLAR: 'bipolar', TERNARY: 'ternary', BINARY: 'uint1', 'FIXED<8,3>': 'fixed<8,3>', 'SCALEDINT<4>': 'scaledint<4>', FLOAT32: undefined };
  for (const [text, dtype] of Object.entries(names)) {
    const g = importOnnx(
      modelBytes({
        nodes: [node('Relu', ['x'], ['y'])],
        graph: { quantizationAnnotation: [{ tensorName: 'x', quantParameterTensorNames: [{ key: 'tensor_layout', value: "['N']" }, { key: 'finn_datatype', value: text }] }] },
      }),
    );
    assert.is(g.values.x.annotation, dtype);
    assert.is(importOnnx(exportQonnx(g)).values.x.annotation, dtype);
  }
});

test('import, export, import is the identity on the print, for every supported model', () => {
  const refused: string[] = [];
  let models = 0;
  for (const path of sharedFiles('.onnx')) {
    let graph;
    try {
      graph = importOnnx(sharedFile(path)!);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      refused.push(`${path.replace(/.*\//, '')}: ${error.diagnostic.message}`);
      continue;
    }
    models++;
    assert.fixture(printGraph(importOnnx(exportQonnx(graph))), printGraph(graph), path);
  }
  if (models === 0 && refused.length === 0) return;
  console.log(`  ${models} models round trip, ${refused.length} are refused`);
  // Each refusal is for one operator that this version does not have.
  for (const line of refused) assert.match(line, /: the operator "(FloatQuant|Resize|DepthToSpace|QLinearConv|QLinearMatMul|ConvInteger|MatMulInteger)" of the domain "[a-z.]+" is not supported$/);
  assert.is(refused.length, 10);
});

test.run();
