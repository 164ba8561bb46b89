/** `infer`: the batch, shape arithmetic, ranges and annotations, and what it refuses. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { batchOf, infer, symbolicShapes } from '../../codegen/passes/infer.js';
import { floats, intAttribute, ints, modelBytes, node, tensorInput, type ModelInit } from '../support/onnxModels.js';
import { sharedFile } from '../support/shared.js';

const graphOf = (m: ModelInit): Graph => importOnnx(modelBytes(m));
const shapeOf = (g: Graph, name: string): unknown => g.values[name].shape;

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  return 'no error';
}

const relu = (inputs: ModelInit['inputs']): Graph => graphOf({ inputs, nodes: [node('Relu', ['x'], ['y'], [], { name: 'act' })] });

test('the batch: a symbolic first dimension is 1 unless said, and named in symbolicShapes', () => {
  const g = relu([tensorInput('x', ['batch', 3])]);
  assert.equal(batchOf(g), { size: 'batch', inputs: ['x'] });
  assert.equal(shapeOf(infer(g), 'y'), [1, 3]);
  assert.equal(infer(g).batch, 1);
  assert.equal(shapeOf(infer(g, { batch: 7 }), 'y'), [7, 3]);
  assert.equal(symbolicShapes(g).y, ['batch', 3]);
});

test('the batch: a first dimension of 1, and a fixed one', () => {
  const one = relu([tensorInput('x', [1, 3])]);
  assert.equal(shapeOf(infer(one), 'y'), [1, 3]);
  assert.equal(shapeOf(infer(one, { batch: 5 }), 'y'), [5, 3]);
  assert.equal(symbolicShapes(one).y, ['N', 3]);
  const fixed = relu([tensorInput('x', [64, 3])]);
  assert.equal(shapeOf(infer(fixed), 'y'), [64, 3]);
  assert.is(infer(fixed).batch, 64);
  assert.equal(shapeOf(infer(fixed, { batch: 2 }), 'y'), [2, 3]);
});

test('the batch can be fixed anew', () => {
  const g = infer(infer(relu([tensorInput('x', ['N', 3])]), { batch: 4 }), { batch: 6 });
  assert.is(g.batch, 6);
  assert.equal(shapeOf(g, 'y'), [6, 3]);
});

test('the batch of several inputs', () => {
  const two = (a: (number | string)[], b: (number | string)[]): Graph => graphOf({ inputs: [tensorInput('x', a), tensorInput('z', b)], nodes: [node('Add', ['x', 'z'], ['y'], [], { name: 'sum' })] });
  assert.equal(batchOf(two(['N', 3], ['M', 3])), { size: 'N', inputs: ['x', 'z'] });
  // Beside a symbolic batch, a 1 was meant.
  assert.equal(batchOf(two(['N', 3], [1, 3])), { size: 'N', inputs: ['x'] });
  assert.equal(batchOf(two([1, 3], [3])), { size: 1, inputs: ['x'] });
  assert.equal(batchOf(two([5, 3], [5, 1])), { size: 5, inputs: ['x', 'z'] });
  const none = two([5, 3], [3]);
  assert.equal(batchOf(none), { size: undefined, inputs: [] });
  assert.equal(shapeOf(infer(none), 'y'), [5, 3]);
  assert.is(
    message(() => infer(none, { batch: 2 })),
    'error [graph/dynamic-shape]: this model has no batch that could become 2\n  The first dimensions of its inputs differ.\n  Leave the batch as it is.',
  );
});

test('a batch that is none', () => {
  assert.is(message(() => infer(relu([tensorInput('x', [1, 3])]), { batch: 0 })), 'error [graph/shape]: a batch must be a positive integer, found 0');
});

test('a dynamic shape that is not the batch', () => {
  assert.is(
    message(() => infer(relu([tensorInput('x', ['N', 3, 'height'])]))),
    'error [graph/dynamic-shape] x: dimension 2 of this input is "height", which is not fixed; its shape is [N, 3, height]\n  Only the first dimension, the batch, may be symbolic.\n  Export the model with this dimension fixed.',
  );
});

test('a batch that makes a tensor too large', () => {
  assert.is(
    message(() => infer(relu([tensorInput('x', ['N', 1024])]), { batch: 2 ** 20 })),
    'error [graph/too-large] x: a tensor of shape [1048576, 1024] has more than 2^28 elements\n  Use a smaller batch or model.',
  );
});

test('shape arithmetic is evaluated, and its nodes are gone', () => {
  const g = graphOf({
    inputs: [tensorInput('x', ['N', 1, 28, 28])],
    initializers: [ints('zero', [], [0]), ints('axes', [1], [0]), ints('rest', [1], [-1])],
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'zero'], ['n'], [intAttribute('axis', 0)]),
      node('Unsqueeze', ['n', 'axes'], ['n1']),
      node('Concat', ['n1', 'rest'], ['target'], [intAttribute('axis', 0)]),
      node('Reshape', ['x', 'target'], ['y']),
    ],
  });
  const inferred = infer(g, { batch: 3 });
  assert.equal(inferred.nodes.map((n) => n.op), ['Reshape']);
  assert.equal(inferred.constants.target, { dtype: 'int32', shape: [2], data: Int32Array.of(3, -1) });
  assert.equal(shapeOf(inferred, 'y'), [3, 784]);
  assert.equal(symbolicShapes(g).y, ['N', 784]);
});

test('integer arithmetic on constants stays int32', () => {
  const g = graphOf({
    inputs: [tensorInput('x', [1, 12])],
    initializers: [ints('a', [1], [24]), ints('b', [1], [6]), ints('one', [1], [1])],
    nodes: [node('Div', ['a', 'b'], ['q']), node('Mul', ['q', 'one'], ['m']), node('Concat', ['one', 'm', 'r'], ['s'], [intAttribute('axis', 0)]), node('Sub', ['q', 'one'], ['r']), node('Reshape', ['x', 's'], ['y'])],
  });
  const inferred = infer(g);
  assert.equal([...inferred.constants.s.data], [1, 4, 3]);
  assert.is(inferred.constants.s.dtype, 'int32');
  assert.equal(shapeOf(inferred, 'y'), [1, 4, 3]);
});

test('a Reshape into which batch 1 is baked follows the batch', () => {
  for (const target of [[1, 784], [1, -1], [-1, 784], [0, 784]]) {
    const g = graphOf({ inputs: [tensorInput('x', [1, 1, 28, 28])], initializers: [ints('target', [2], target)], nodes: [node('Reshape', ['x', 'target'], ['y']), node('Relu', ['y'], ['z'])], outputs: ['z'] });
    assert.equal(shapeOf(infer(g, { batch: 5 }), 'z'), [5, 784], String(target));
    assert.equal(shapeOf(infer(infer(g, { batch: 5 }), { batch: 2 }), 'z'), [2, 784], String(target));
    assert.equal([...infer(g).constants.target.data], target, 'its own batch changes nothing');
  }
});

test('ranges of integer constants and inputs, and annotations', () => {
  const g = graphOf({
    inputs: [tensorInput('x', [1, 2], 3)],
    initializers: [{ name: 'q', dims: [2n], dataType: 3, int32Data: [-7, 5] }, floats('w', [2], [-1, 1])],
    nodes: [node('Add', ['x', 'q'], ['y'])],
    graph: { quantizationAnnotation: [{ tensorName: 'w', quantParameterTensorNames: [{ key: 'finn_datatype', value: 'BIPOLAR' }] }] },
  });
  const { values } = infer(g);
  assert.equal(values.x, { name: 'x', shape: [1, 2], dtype: 'int8', range: [-128, 127] });
  assert.equal(values.q.range, [-7, 5]);
  assert.is(values.w.annotation, 'bipolar');
  assert.equal(values.y, { name: 'y', shape: [1, 2], dtype: 'int9', range: [-135, 132] });
});

test('shapes that do not fit name the node', () => {
  const g = graphOf({ inputs: [tensorInput('x', [1, 3]), tensorInput('z', [1, 4])], nodes: [node('Add', ['x', 'z'], ['y'], [], { name: 'sum' })] });
  assert.match(message(() => infer(g)), /^error \[graph\/shape\] sum: /);
});

test('a network of the field, for any batch', () => {
  const bytes = sharedFile('qonnx/models/TFC_2W2A.onnx');
  if (!bytes) return;
  const g = importOnnx(bytes);
  assert.equal(symbolicShapes(g)[g.outputs[0]], ['N', 10]);
  const inferred = infer(g, { batch: 16 });
  assert.equal(shapeOf(inferred, g.outputs[0]), [16, 10]);
  assert.not(inferred.nodes.some((n) => ['Shape', 'Gather', 'Concat', 'Unsqueeze'].includes(n.op)));
});

test.run();
