/**
 * Operators that move elements, against answers written by hand (numpy's, by the same names): values, shapes, types,
 * ranges, and the texts of what they refuse. By `reference` and by `lower` with the interpreter.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataType } from '../../codegen/ir/datatype.js';
import type { Attribute } from '../../codegen/ir/graph.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { reshapeCoordinates } from '../../codegen/ops/reshape.js';
import { axis } from '../../codegen/ir/build.js';
import { runSingle, single, type Input, type Result } from './node.js';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const input = (shape: readonly number[], dtype: DataType = 'float32'): Input => ({ shape, data: range(shape.reduce((a, b) => a * b, 1)), dtype });
const ints = (...data: number[]): Input => ({ shape: [data.length], data, dtype: 'int32', constant: true });
const scalar = (value: number, dtype: DataType = 'float32'): Input => ({ shape: [], data: [value], dtype, constant: true });

function check(result: Result, shape: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(result.shape, shape, `${what}: shape`);
  assert.equal(result.reference, expected, `${what}: reference`);
  assert.equal(result.interpreted, expected, `${what}: interpreter`);
}

function message(op: string, attributes: Record<string, Attribute>, inputs: readonly (Input | undefined)[]): string {
  try {
    runSingle(op, attributes, inputs);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

// ---- Reshape and its kin --------------------------------------------------------------------------------------------

test('Reshape: 0 keeps, -1 takes what is left', () => {
  for (const [shape, wanted, expected] of [
    [[2, 3, 4], [0, -1], [2, 12]],
    [[2, 3, 4], [4, 0, -1], [4, 3, 2]],
    [[6], [3, 2, 1], [3, 2, 1]],
    [[4, 6], [3, 8], [3, 8]],
    [[1, 5, 1], [5], [5]],
    [[2, 3, 4, 5], [6, 5, 4], [6, 5, 4]],
  ] as const) {
    const x = input(shape);
    check(runSingle('Reshape', {}, [x, ints(...wanted)]), expected, x.data as number[], `${shape} to ${wanted}`);
  }
  check(runSingle('Reshape', {}, [input([1, 1]), { shape: [0], data: [], dtype: 'int32', constant: true }]), [], [0], 'to scalar');
});

test('Reshape keeps dimensions that both shapes have as plain axes', () => {
  const at = reshapeCoordinates([2, 3, 4, 5], [2, 12, 5], ['a', 'b', 'c'].map((n) => axis(n)));
  assert.equal(at[0], axis('a'));
  assert.equal(at[3], axis('c'));
  assert.equal(at[1].terms[0].of, { div: axis('b'), by: 4 });
  assert.equal(at[2].terms[0].of, { rem: axis('b'), by: 4 });
});

test('Reshape refuses what does not fit', () => {
  assert.is(
    message('Reshape', {}, [input([2, 3]), ints(4, -1)]),
    'error [graph/shape] node0: 6 elements [2, 3] do not fit the shape [4, -1]\n  A shape constant that names the batch fits that batch only: write 0 or -1 there, or compile for that batch.',
  );
  assert.is(message('Reshape', {}, [input([2, 3]), ints(-1, -1)]), 'error [graph/shape] node0: the shape [-1, -1] is not one: dimensions are at least 0, and at most one is -1');
  assert.is(
    message('Reshape', {}, [input([6]), ints(2, 0)]),
    'error [graph/shape] node0: dimension 1 of the shape [2, 0] is 0 (keep), but the input [6] has no such dimension',
  );
});

test('Flatten, Squeeze and Unsqueeze', () => {
  const x = input([2, 1, 3, 1]);
  const same = x.data as number[];
  check(runSingle('Flatten', {}, [x]), [2, 3], same, 'Flatten');
  check(runSingle('Flatten', { axis: 0 }, [x]), [1, 6], same, 'Flatten 0');
  check(runSingle('Flatten', { axis: -2 }, [x]), [2, 3], same, 'Flatten -2');
  check(runSingle('Flatten', { axis: 4 }, [x]), [6, 1], same, 'Flatten 4');
  check(runSingle('Squeeze', {}, [x]), [2, 3], same, 'Squeeze');
  check(runSingle('Squeeze', {}, [x, ints(-1)]), [2, 1, 3], same, 'Squeeze -1');
  check(runSingle('Unsqueeze', {}, [input([2, 3]), ints(-1, 1)]), [2, 1, 3, 1], same, 'Unsqueeze');
  assert.is(
    message('Squeeze', {}, [x, ints(0)]),
    'error [graph/shape] node0: dimension 0 of "x0" [2, 1, 3, 1] is 2, and only dimensions of 1 can be squeezed\n  Name dimensions of extent 1 in axes.',
  );
  assert.match(message('Flatten', { axis: 5 }, [x]), 'axis 5 lies outside [-4, 4] of Flatten');
  assert.match(message('Unsqueeze', {}, [x, ints(0, 0)]), 'axes [0, 0] name a dimension twice');
});

test('types, ranges and annotations pass through', () => {
  const x: Input = { shape: [2, 2], data: [-1, 1, 1, -1], dtype: 'bipolar' };
  const result = runSingle('Transpose', {}, [x]);
  check(result, [2, 2], [-1, 1, 1, -1], 'Transpose');
  assert.is(result.dtype, 'bipolar');
  assert.equal(result.value.range, [-1, 1]);
  assert.is(runSingle('Flatten', {}, [input([2, 2], 'uint4')]).dtype, 'uint4');
});

test('Transpose: reversed without perm, else by perm', () => {
  check(runSingle('Transpose', {}, [input([2, 3])]), [3, 2], [0, 3, 1, 4, 2, 5], 'reversed');
  check(runSingle('Transpose', { perm: [2, 0, 1] }, [input([2, 3, 2])]), [2, 2, 3], [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11], 'rotated');
  assert.is(
    message('Transpose', { perm: [0, 0] }, [input([2, 3])]),
    'error [graph/attribute-type] node0: perm [0, 0] is not an order of the 2 dimensions of "x0"\n  Name each of 0 to 1 once.',
  );
});

test('Identity and Dropout give the input', () => {
  const x = input([2, 3]);
  check(runSingle('Identity', {}, [x]), [2, 3], x.data as number[], 'Identity');
  check(runSingle('Dropout', {}, [x, scalar(0.5)]), [2, 3], x.data as number[], 'Dropout');
  assert.match(message('Dropout', {}, [x, undefined, scalar(1, 'int32')]), 'Dropout in training mode is not supported');
});

// ---- Concat, Pad ----------------------------------------------------------------------------------------------------

test('Concat along any axis, and to the narrowest common integer type', () => {
  const [a, b] = [input([2, 1]), input([2, 2])];
  check(runSingle('Concat', { axis: 1 }, [a, b]), [2, 3], [0, 0, 1, 1, 2, 3], 'columns');
  check(runSingle('Concat', { axis: -2 }, [b, b]), [4, 2], [0, 1, 2, 3, 0, 1, 2, 3], 'rows');
  const mixed = runSingle('Concat', { axis: 0 }, [{ shape: [2], data: [0, 255], dtype: 'uint8' }, { shape: [2], data: [-8, 7], dtype: 'int4' }]);
  check(mixed, [4], [0, 255, -8, 7], 'integers');
  assert.is(mixed.dtype, 'int9');
  assert.equal(mixed.value.range, [-8, 255]);
  assert.is(
    message('Concat', { axis: 0 }, [input([2]), input([2], 'int4')]),
    'error [graph/data-type] node0: Concat takes parts of one kind, and "x0" is float32 while "x1" is int4\n  There is no implicit conversion: quantize or dequantize one of them.',
  );
  assert.is(
    message('Concat', { axis: 0 }, [a, input([2, 3])]),
    'error [graph/shape] node0: "x1" [2, 3] does not fit "x0" [2, 1]: all dimensions but 0 must be equal\n  Give parts of equal shape outside the axis.',
  );
});

test('Pad: constant borders, cuts, axes', () => {
  const x = input([2, 2]);
  check(runSingle('Pad', {}, [x, ints(0, 1, 1, 0)]), [3, 3], [0, 0, 1, 0, 2, 3, 0, 0, 0], 'zeros');
  check(runSingle('Pad', {}, [x, ints(1, -1, 0, 1), scalar(9)]), [3, 2], [9, 9, 1, 9, 3, 9], 'value and cut');
  check(runSingle('Pad', {}, [x, ints(1, 1), undefined, ints(-1)]), [2, 4], [0, 0, 1, 0, 0, 2, 3, 0], 'axes');
});

test('Pad of integers: the value counts in the range, and must be one of the type', () => {
  const x: Input = { shape: [2], data: [-1, 1], dtype: 'bipolar' };
  const result = runSingle('Pad', {}, [x, ints(1, 0)]);
  check(result, [3], [0, -1, 1], 'bipolar');
  assert.is(result.dtype, 'int2');
  assert.equal(result.value.range, [-1, 1]);
  assert.is(
    message('Pad', {}, [input([2], 'uint4'), ints(1, 0), scalar(-1, 'int32')]),
    'error [graph/data-type] node0: "x0" is uint4 and cannot be padded with -1\n  Pad with an integer from 0 to 15.',
  );
});

test('Pad refuses other modes and pads that do not fit', () => {
  assert.is(message('Pad', { mode: 'reflect' }, [input([3]), ints(1, 1)]), 'error [graph/unsupported] node0: Pad with mode "reflect" is not supported\n  Use the mode "constant".');
  assert.is(
    message('Pad', {}, [input([3]), ints(1, 1, 1)]),
    'error [graph/shape] node0: 3 pads for 1 axes, expected two for each, and each axis once\n  Give all widths before, then all widths after.',
  );
  assert.match(message('Pad', {}, [input([3]), ints(-2, -1)]), 'the pads leave nothing of [3]: [0]');
});

// ---- Slice, Gather, Shape, Constant ---------------------------------------------------------------------------------

test('Slice: bounds from either end, steps of either sign', () => {
  const x = input([2, 5]);
  check(runSingle('Slice', {}, [x, ints(0, 1), ints(1, 4)]), [1, 3], [1, 2, 3], 'x[0:1, 1:4]');
  check(runSingle('Slice', {}, [x, ints(-3), ints(2147483647), ints(1)]), [2, 3], [2, 3, 4, 7, 8, 9], 'x[:, -3:]');
  check(runSingle('Slice', {}, [x, ints(-1), ints(-2147483648), ints(-1), ints(-2)]), [2, 3], [4, 2, 0, 9, 7, 5], 'x[:, ::-2]');
  check(runSingle('Slice', {}, [x, ints(3), ints(0), ints(1), ints(-1)]), [2, 3], [3, 2, 1, 8, 7, 6], 'x[:, 3:0:-1]');
  check(runSingle('Slice', {}, [x, ints(-100), ints(100), ints(1), ints(4)]), [2, 2], [0, 4, 5, 9], 'x[:, ::4]');
  assert.match(message('Slice', {}, [x, ints(0), ints(1), ints(0), ints(0)]), 'the step along axis 0 is 0');
  assert.match(message('Slice', {}, [x, ints(0), ints(1, 2)]), '1 starts, 2 ends, 1 axes and 1 steps for "x0" [2, 5]');
  assert.match(message('Slice', {}, [x, ints(2), ints(2)]), 'Slice would make an empty tensor');
});

test('Gather by constant indices', () => {
  const x = input([3, 4]);
  check(runSingle('Gather', {}, [x, scalar(-1, 'int32')]), [4], [8, 9, 10, 11], 'x[-1]');
  check(runSingle('Gather', { axis: 1 }, [x, ints(3, 1)]), [3, 2], [3, 1, 7, 5, 11, 9], 'x[:, [3, 1]]');
  const table: Input = { shape: [2, 2], data: [0, 3, -2, 0], dtype: 'int32', constant: true };
  check(runSingle('Gather', { axis: 1 }, [x, table]), [3, 2, 2], [0, 3, 2, 0, 4, 7, 6, 4, 8, 11, 10, 8], 'x[:, table]');
  assert.is(
    message('Gather', {}, [x, ints(3)]),
    'error [graph/shape] node0: the index 3 lies outside dimension 0 of "x0" [3, 4]\n  Give indices from -3 to 2.',
  );
  assert.is(
    message('Gather', {}, [x, { shape: [2], data: [0, 1], dtype: 'int32' }]),
    'error [graph/unsupported] node0: the indices "x1" of Gather are computed at run time, and only constant ones are supported\n  Export the model with constant indices.',
  );
});

test('Gather refuses a permutation that would be a kernel an element', () => {
  const indices = range(600).map((i) => (i * i) % 600);
  assert.match(message('Gather', {}, [input([600]), ints(...indices)]), /^error \[graph\/unsupported\] node0: the indices "x1" of Gather fall into \d+ equally spaced runs, and at most 256 are supported/);
});

test('Shape and Constant are known after inference, and have no kernel', () => {
  const shape = infer(single('Shape', { start: -2 }, [input([2, 3, 5])]));
  assert.equal(Array.from(shape.constants.y.data), [3, 5]);
  assert.is(shape.constants.y.dtype, 'int32');
  assert.is(shape.nodes.length, 0);
  const clamped = infer(single('Shape', { start: 1, end: 9 }, [input([2, 3, 5])]));
  assert.equal(Array.from(clamped.constants.y.data), [3, 5]);
  const constant = infer(single('Constant', { value_floats: [0.5, 2] }, []));
  assert.equal(Array.from(constant.constants.y.data), [0.5, 2]);
  assert.is(
    message('Constant', {}, []),
    'error [graph/missing-attribute] node0: Constant needs exactly one of value, value_float, value_floats, value_int, value_ints, found none\n  Give its value once.',
  );
});

test('movement lowers to copies: one load, no arithmetic', () => {
  const cases: [string, Record<string, Attribute>, Input[]][] = [
    ['Reshape', {}, [input([4, 6]), ints(3, 8)]],
    ['Transpose', {}, [input([4, 6])]],
    ['Pad', {}, [input([4, 6]), ints(1, 1, 1, 1)]],
    ['Slice', {}, [input([4, 6]), ints(1), ints(3)]],
    ['Concat', { axis: 0 }, [input([4, 6]), input([1, 6])]],
    ['Gather', {}, [input([4, 6]), ints(3, 0, 2)]],
  ];
  for (const [op, attributes, inputs] of cases) {
    for (const block of lower(infer(single(op, attributes, inputs))).program.blocks) {
      const kernel = block as Kernel;
      assert.is(kernel.op, 'copy', op);
      assert.is(kernel.stores[0].value.op, 'load', op);
    }
  }
});

test.run();
