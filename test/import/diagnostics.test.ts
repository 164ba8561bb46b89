/** What import says of bad files: the whole text of each diagnostic. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TensorProto_DataType as T } from '../../codegen/import/onnx_pb.js';
import { importOnnx, type ImportOptions } from '../../codegen/import/onnx.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { floats, intAttribute, modelBytes, node, tensorInput, textAttribute, type ModelInit, type TensorInit } from '../support/onnxModels.js';

function message(bytes: Uint8Array, options?: ImportOptions): string {
  try {
    importOnnx(bytes, options);
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  return 'no error';
}

const relu = node('Relu', ['x'], ['y'], [], { name: 'act' });
const says = (what: string, model: ModelInit, expected: string, options?: ImportOptions): void => test(what, () => assert.is(message(modelBytes(model), options), expected));
const withTensor = (tensor: TensorInit): ModelInit => ({ initializers: [{ name: 'w', ...tensor }], nodes: [relu] });

// ---- Files ----

const notAModel = (bytes: number): string =>
  `error [onnx/not-a-model]: expected an ONNX model, found ${bytes} bytes that are not one\n  Give an .onnx file; if it is one, it is truncated or damaged: export or download it again.`;

test('bytes that are not a model', () => {
  assert.is(message(new Uint8Array(0)), notAModel(0));
  assert.is(message(new TextEncoder().encode('<!DOCTYPE html>')), notAModel(15));
  assert.is(message(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)), notAModel(8));
});

test('a truncated model', () => {
  const bytes = modelBytes({ nodes: [relu] });
  assert.is(message(bytes.subarray(0, bytes.length - 3)), notAModel(bytes.length - 3));
});

says('an opset that is too old', { opset: 6, nodes: [relu] }, 'error [onnx/opset]: the model uses opset 6; opsets 7 to 25 are supported\n  Export it with an opset from 7 to 25, or convert it with onnx.version_converter.');
says('an opset that is too new', { opset: 26, nodes: [relu] }, 'error [onnx/opset]: the model uses opset 26; opsets 7 to 25 are supported\n  Export it with an opset from 7 to 25, or convert it with onnx.version_converter.');

// ---- Tensors ----

says(
  'raw data that do not fit the shape',
  withTensor({ dims: [2n, 3n], dataType: T.FLOAT, rawData: new Uint8Array(20) }),
  'error [onnx/truncated] w: shape [2, 3] of FLOAT needs 24 bytes, found 20\n  The file is damaged: export or download it again.',
);
says(
  'a typed field that does not fit the shape',
  withTensor({ dims: [3n], dataType: T.FLOAT, floatData: [1, 2] }),
  'error [onnx/truncated] w: shape [3] of FLOAT needs 3 elements, found 2\n  The file is damaged: export or download it again.',
);
says('a negative dimension', withTensor({ dims: [2n, -3n], dataType: T.FLOAT }), 'error [graph/shape] w: a dimension of this tensor is negative: [2, -3]');
says(
  'a tensor of 2^40 elements, without an allocation',
  withTensor({ dims: [1048576n, 1048576n], dataType: T.FLOAT }),
  'error [graph/too-large] w: a tensor of shape [1048576, 1048576] has more than 2^28 elements\n  Use a smaller model.',
);
says(
  'an element type that is not supported',
  withTensor({ dims: [1n], dataType: T.STRING }),
  'error [onnx/data-type] w: the element type STRING is not supported\n  Export the model in float32, or with integers of at most 64 bits.',
);
says(
  'an element that its type does not hold',
  withTensor({ dims: [2n], dataType: T.INT8, int32Data: [1, 300] }),
  'error [onnx/data-type] w: element 1 is 300, which INT8 does not hold\n  The file is damaged: export or download it again.',
);
says(
  'an input that is not float32 or integer',
  { inputs: [tensorInput('x', [1, 4], T.FLOAT16)], nodes: [relu] },
  'error [onnx/data-type] x: inputs of element type FLOAT16 are not supported\n  Export the model with float32 inputs.',
);
says(
  'an annotation that is not a data type',
  { nodes: [relu], graph: { quantizationAnnotation: [{ tensorName: 'x', quantParameterTensorNames: [{ key: 'finn_datatype', value: 'INT4O' }] }] } },
  'error [onnx/data-type] x: the annotated data type "INT4O" is not known\n  Use INTn, UINTn (n up to 64), BIPOLAR, TERNARY, FIXED<bits,integer bits>, SCALEDINT<bits> or FLOAT32.',
);
says(
  'an annotation that the elements do not keep',
  { initializers: [floats('w', [2], [1, 0.37])], nodes: [relu], graph: { quantizationAnnotation: [{ tensorName: 'w', quantParameterTensorNames: [{ key: 'finn_datatype', value: 'INT2' }] }] } },
  `error [graph/data-type] w: this constant is annotated as int2, but holds ${Math.fround(0.37)}\n  Correct or remove the annotation.`,
);

// ---- External data ----

const external = (location: string, more: Record<string, string> = {}): ModelInit =>
  withTensor({ dims: [2n], dataType: T.FLOAT, dataLocation: 1, externalData: Object.entries({ location, ...more }).map(([key, value]) => ({ key, value })) });
const eight = (): Uint8Array => new Uint8Array(8);
for (const [location, shown] of [
  ['/etc/passwd', '"/etc/passwd"'],
  ['../secret.bin', '"../secret.bin"'],
  ['a/../../b', '"a/../../b"'],
  ['a\\..\\..\\b', '"a\\\\..\\\\..\\\\b"'],
  ['C:\\x', '"C:\\\\x"'],
  ['file:///x', '"file:///x"'],
  ['', '""'],
]) {
  says(
    `external data at ${shown}`,
    external(location),
    `error [onnx/external-data] w: the data of this tensor lie in ${shown}, which is not a file in the model's folder\n  Only relative paths without ".." are read.\n  Export the model with its data inside, or beside it.`,
    { readExternal: () => assert.unreachable('it must not be read') as never },
  );
}
says('external data where no file can be read', external('w.bin'), 'error [onnx/external-data] w: the data of this tensor lie in another file, "w.bin", which cannot be read here\n  Export the model with its data inside.');
says(
  'external data that are not there',
  external('w.bin'),
  `error [onnx/external-data] w: the data of this tensor lie in "w.bin", which cannot be read: no such file\n  Put the file into the model's folder.`,
  {
    readExternal() {
      throw new Error('no such file');
    },
  },
);
says('external data beyond the end', external('w.bin', { offset: '4', length: '8' }), 'error [onnx/external-data] w: bytes 4 to 12 of "w.bin" are wanted, but it has 8\n  Export or download both files again.', { readExternal: eight });
says('external data of the wrong length', external('w.bin', { offset: '4' }), 'error [onnx/truncated] w: shape [2] of FLOAT needs 8 bytes, found 4\n  The file is damaged: export or download it again.', { readExternal: eight });

// ---- Graphs ----

says(
  'an unknown operator',
  { nodes: [node('Rellu', ['x'], ['y'], [], { name: 'act' })] },
  'error [graph/unknown-operator] act: the operator "Rellu" of the domain "ai.onnx" is not supported\n  Did you mean "Relu"?\n  Replace it by supported operators before export.',
);
says(
  'an unknown domain',
  { nodes: [node('Quantum', ['x'], ['y'], [], { name: 'q', domain: 'com.example' })] },
  'error [graph/unknown-operator] q: the operator "Quantum" of the domain "com.example" is not supported\n  Did you mean "Quant"?\n  Replace it by supported operators before export.',
);
test('operators that only passes make are no operators of a file', () => {
  assert.match(message(modelBytes({ nodes: [node('Requantize', ['x'], ['y'], [], { name: 'r' })] })), /^error \[graph\/unknown-operator\] r: the operator "Requantize" of the domain "ai.onnx" is not supported\n/);
});
says(
  'an unknown attribute',
  { nodes: [node('Flatten', ['x'], ['y'], [intAttribute('axes', 1)], { name: 'flat' })] },
  'error [graph/unknown-attribute] flat: Flatten has no attribute "axes"\n  Did you mean "axis"?',
);
says(
  'a sub-graph',
  { nodes: [node('Relu', ['x'], ['y'], [{ name: 'body', type: 5 }], { name: 'loop' })] },
  'error [graph/unsupported] loop: the attribute "body" is a sub-graph, which is not supported\n  Export the model without control flow (If, Loop, Scan).',
);
says('an attribute of the wrong type', { nodes: [node('Flatten', ['x'], ['y'], [textAttribute('axis', 'one')], { name: 'flat' })] }, 'error [graph/attribute-type] flat: the attribute "axis" of Flatten must be an integer, found "one"\n  the first dimension of the columns; negative counts from the end');
says('too few inputs', { nodes: [node('Add', ['x'], ['y'], [], { name: 'sum' })] }, 'error [graph/arity] sum: Add takes 2 inputs (A, B), found 1');
says('too many outputs', { nodes: [node('Relu', ['x'], ['y', 'z'], [], { name: 'act' })] }, 'error [graph/arity] act: Relu has 1 output (Y), found 2');
says('an absent input', { nodes: [node('Add', ['x', ''], ['y'], [], { name: 'sum' })] }, 'error [graph/arity] sum: Add takes 2 inputs (A, B), found 1');
says('a missing tensor', { inputs: [tensorInput('image', [1, 4])], nodes: [node('Relu', ['imgae'], ['y'], [], { name: 'act' })] }, 'error [graph/missing-tensor] act: Relu takes "imgae", which nothing in the model defines\n  Did you mean "image"?');
says('a missing output', { outputs: ['yy'], nodes: [relu] }, 'error [graph/missing-tensor] yy: nothing in the model defines this output\n  Did you mean "y"?');
says('a tensor that two nodes define', { nodes: [relu, node('Relu', ['x'], ['y'], [], { name: 'again' })] }, 'error [graph/doubly-defined] again: the tensor "y" is defined twice\n  Give each tensor a name of its own.');
says('a tensor that is an input and a result', { nodes: [node('Relu', ['x'], ['x'], [], { name: 'act' })], outputs: ['x'] }, 'error [graph/doubly-defined] act: the tensor "x" is defined twice\n  Give each tensor a name of its own.');
says('two initializers of one name', { initializers: [floats('w', [1], [1]), floats('w', [1], [2])], nodes: [relu] }, 'error [graph/doubly-defined] w: the tensor "w" is defined twice\n  Give each tensor a name of its own.');
says(
  'a cycle',
  { nodes: [node('Add', ['x', 'c'], ['a'], [], { name: 'A' }), node('Relu', ['a'], ['b'], [], { name: 'B' }), node('Relu', ['b'], ['c'], [], { name: 'C' })], outputs: ['c'] },
  'error [graph/cycle] A: these nodes depend on one another in a circle: A -> B -> C -> A\n  A network must be acyclic: unroll loops before export.',
);
says('a node that feeds itself', { nodes: [node('Relu', ['y'], ['y'], [], { name: 'A' })] }, 'error [graph/cycle] A: these nodes depend on one another in a circle: A -> A\n  A network must be acyclic: unroll loops before export.');
says('a name that every object has', { nodes: [node('Relu', ['x'], ['constructor'], [], { name: 'act' })], outputs: ['constructor'] }, 'error [graph/unsupported] act: the tensor name "constructor" is reserved\n  Rename the tensor.');
says('an input without a fixed size', { inputs: [tensorInput('x', [1, 0])], nodes: [relu] }, 'error [graph/shape] x: dimension 1 of this input is 0, but must be at least 1\n  Export the model with fixed shapes; only the batch may be symbolic.');
says('an input without a shape', { inputs: [{ name: 'x', type: { value: { case: 'tensorType', value: { elemType: 1 } } } }], nodes: [relu] }, 'error [graph/dynamic-shape] x: this input has no shape\n  Export the model with fixed shapes; only the batch may be symbolic.');
says('no output', { outputs: [], nodes: [relu] }, 'error [graph/missing-tensor]: the model has no output\n  The file is damaged: export or download it again.');
says('a Constant without a value', { nodes: [node('Constant', [], ['c'], [], { name: 'k' }), relu] }, 'error [graph/unsupported] k: a Constant needs one attribute, a tensor or numbers; found none\n  Texts and sparse tensors are not supported.');

test.run();
