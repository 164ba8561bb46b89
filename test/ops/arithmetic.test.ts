/** What the arithmetic operators refuse, in whole texts, and the integer types that they prove. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataType } from '../../codegen/ir/datatype.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import { single, type Input } from './node.js';

function input(shape: readonly number[], dtype: DataType = 'float32', values?: readonly number[]): Input {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, dtype, data: values ?? new Array<number>(count).fill(1), constant: values !== undefined };
}

/** The diagnostic's text of one node, through infer and lower. */
function refusal(op: string, attributes: Parameters<typeof single>[1], inputs: readonly Input[]): string {
  try {
    lower(infer(single(op, attributes, inputs)));
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

const cases: readonly [string, string, Parameters<typeof single>[1], readonly Input[], string][] = [
  ['mixed types', 'Add', {}, [input([2]), input([2], 'int8')],
    'error [graph/data-type] node0: Add takes operands of one kind, and x0 is float32 while x1 is int8\n  There is no implicit conversion: put a Quantize or a Dequantize in front of one of them.'],
  ['integers where none are taken', 'Tanh', {}, [input([2], 'int8')],
    'error [graph/data-type] node0: Tanh takes float32, and x0 is int8\n  Put a Dequantize in front of it, or give it a tensor of a type that it takes.'],
  ['integer division', 'Div', {}, [input([2], 'int8'), input([2], 'int8')],
    'error [graph/data-type] node0: Div of integers (x0 is int8) is not exact\n  Dequantize its operands, or fold the divisor into the next scale.'],
  ['more than 32 bits', 'Mul', {}, [input([2], 'int32'), input([2], 'int8')],
    'error [graph/data-type] node0: the exact result of Mul lies in [-274877906816, 274877906944], and a stored integer has at most 32 bits\n  Requantize its operands to fewer bits.'],
  ['shapes that do not broadcast', 'Mul', {}, [input([2, 3]), input([2])],
    'error [graph/shape] node0: x0 [2, 3] and x1 [2] do not broadcast to one shape\n  Dimensions are matched from the last; each pair must be equal, or one of them 1.'],
  ['inner dimensions', 'MatMul', {}, [input([2, 3]), input([4, 5])],
    'error [graph/shape] node0: MatMul of x0 [2, 3] and x1 [4, 5]: the inner dimensions 3 and 4 differ\n  Give [.., M, K] and [.., K, N]; the leading dimensions broadcast.'],
  ['Gemm of integers with alpha', 'Gemm', { alpha: 0.5 }, [input([1, 3], 'int8'), input([3, 2], 'int8')],
    'error [graph/unsupported] node0: Gemm of integers has alpha 0.5 and beta 1\n  With integer operands both must be 1: put the factors into the scales.'],
  ['channels and groups', 'Conv', { group: 2 }, [input([1, 3, 4, 4]), input([4, 2, 3, 3])],
    'error [graph/shape] node0: x0 [1, 3, 4, 4] has 3 channels, and the weight x1 [4, 2, 3, 3] with group 2 takes 2 x 2\n  The channels must be C / group times group, and the outputs a multiple of group.'],
  ['a kernel that does not fit', 'Conv', {}, [input([1, 1, 2, 2]), input([1, 1, 3, 3])],
    'error [graph/shape] node0: a window that reaches over 3 elements does not fit 2 elements padded by 0 and 0\n  Use a smaller kernel or dilation, or more padding.'],
  ['three spatial dimensions', 'Conv', {}, [input([1, 1, 2, 2, 2]), input([1, 1, 2, 2, 2])],
    'error [graph/unsupported] node0: Conv has 3 spatial dimensions\n  One and two spatial dimensions are supported.'],
  ['strides of the wrong length', 'MaxPool', { kernel_shape: [2, 2], strides: [2] }, [input([1, 1, 4, 4])],
    'error [graph/attribute-type] node0: strides is [2], and 2 integers of at least 1 are expected for 2 spatial dimensions\n  Correct strides in the model.'],
  ['a window in the padding', 'MaxPool', { kernel_shape: [2], pads: [2, 0] }, [input([1, 1, 4])],
    'error [graph/unsupported] node0: window 0 of MaxPool lies wholly in the padding (2 before, 0 after 4 elements)\n  Make the pads smaller than the kernel.'],
  ['integers averaged', 'AveragePool', { kernel_shape: [2] }, [input([1, 1, 4], 'int8')],
    'error [graph/data-type] node0: AveragePool takes float32, and x0 is int8\n  Put a Dequantize in front of it, or give it a tensor of a type that it takes.'],
  ['an axis outside the rank', 'Softmax', { axis: 2 }, [input([1, 3])],
    'error [graph/attribute-type] node0: axis 2 is outside [-2, 1], the dimensions of a tensor of rank 2\n  Give an axis of its input.'],
  ['k of TopK', 'TopK', {}, [input([1, 4]), input([1], 'int32', [3])],
    'error [graph/unsupported] node0: TopK has k = 3\n  Only k = 1 is supported: export k = 1, or take the scores and sort them in the application.'],
  ['an exponent', 'Pow', {}, [input([1, 4]), input([], 'float32', [1.5])],
    'error [graph/unsupported] node0: Pow has the exponent 1.5\n  The exponent must be one constant: 0.5, -0.5, or a whole number from -16 to 16.'],
  ['training mode', 'BatchNormalization', { training_mode: 1 }, [input([1, 2]), input([2]), input([2]), input([2]), input([2])],
    'error [graph/unsupported] node0: BatchNormalization is in training mode\n  Export the model for inference: training_mode 0 and one output.'],
];

for (const [name, op, attributes, inputs, text] of cases) {
  test(`refused: ${name}`, () => assert.is(refusal(op, attributes, inputs), text));
}

const typeOf = (op: string, attributes: Parameters<typeof single>[1], inputs: readonly Input[]): readonly unknown[] => {
  const { dtype, range } = infer(single(op, attributes, inputs)).values.y;
  return [dtype, range];
};

test('integer results are as wide as known weights need, and no wider', () => {
  const x = input([1, 3], 'uint2');
  // outputs: 3 x0 + x1 - x2, and -x0 -x1 + 2 x2, of 0 .. 3 each
  assert.equal(typeOf('MatMul', {}, [x, input([3, 2], 'int3', [3, -1, 1, -1, -1, 2])]), ['int5', [-6, 12]]);
  assert.equal(typeOf('MatMul', {}, [x, input([3, 2], 'int3')]), ['int7', [-36, 27]]);
  assert.equal(typeOf('Gemm', {}, [x, input([3, 2], 'int3', [3, -1, 1, -1, -1, 2]), input([2], 'int8', [4, 4])]), ['int6', [-2, 16]]);
  assert.equal(typeOf('Conv', { pads: [1, 1] }, [input([1, 1, 4], 'int4'), input([1, 1, 2], 'int2', [1, -1])]), ['int5', [-15, 15]]);
  assert.equal(typeOf('Add', {}, [input([2], 'int4'), input([2], 'uint4')]), ['int6', [-8, 22]]);
  assert.equal(typeOf('Relu', {}, [input([2], 'int8')]), ['uint7', [0, 127]]);
  assert.equal(typeOf('SumPool', { kernel_shape: [2, 2] }, [input([1, 1, 4, 4], 'uint4')]), ['uint6', [0, 60]]);
  assert.equal(typeOf('ArgMax', { axis: 1 }, [input([1, 10])]), ['int32', [0, 9]]);
});

test.run();
