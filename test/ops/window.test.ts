/**
 * Corner cases of windows (ceil_mode, auto_pad, dilations, groups) against onnxruntime 1.31.1: the reference and the
 * interpreter give its shapes and values. Inputs and weights are 7 i + 3 modulo 11.
 *
 * Known and not here: with auto_pad SAME_*, onnxruntime's pools ignore dilations, and its AveragePool moves windows
 * inwards where the stride exceeds the kernel by 2 or more; its MaxPool and Conv do not, and neither do we.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elementCount, type Attribute } from '../../codegen/ir/graph.js';
import { runSingle } from './node.js';

interface Golden {
  readonly op: string;
  readonly shapes: readonly (readonly number[])[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly output: readonly number[];
  readonly values: readonly number[];
}

const goldens: readonly Golden[] = [
  { op: 'MaxPool', shapes: [[1, 1, 5, 6]], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }, output: [1, 1, 2, 3], values: [10, 9, 9, 10, 9, 10] },
  { op: 'MaxPool', shapes: [[1, 1, 4, 6]], attributes: { kernel_shape: [1, 1], strides: [3, 2], ceil_mode: 1, pads: [0, 0, 0, 0] }, output: [1, 1, 2, 3], values: [3, 6, 9, 8, 0, 3] },
  { op: 'MaxPool', shapes: [[1, 1, 7]], attributes: { kernel_shape: [2], strides: [3], pads: [1, 0], ceil_mode: 1, dilations: [2] }, output: [1, 1, 3], values: [10, 9, 5] },
  { op: 'MaxPool', shapes: [[1, 1, 5, 4]], attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_LOWER' }, output: [1, 1, 3, 2], values: [10, 10, 9, 8, 10, 9] },
  { op: 'AveragePool', shapes: [[1, 1, 5, 6]], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1, pads: [1, 0, 0, 1] }, output: [1, 1, 3, 3], values: [5.333333, 4.666667, 6, 4.777778, 4.111111, 4.833333, 4.833333, 4.166667, 5.5] },
  { op: 'AveragePool', shapes: [[1, 1, 5, 6]], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1, pads: [1, 0, 0, 1], count_include_pad: 1 }, output: [1, 1, 3, 3], values: [3.555556, 3.111111, 2.666667, 4.777778, 4.111111, 3.222222, 4.833333, 4.166667, 3.666667] },
  { op: 'AveragePool', shapes: [[1, 1, 6]], attributes: { kernel_shape: [3], strides: [2], auto_pad: 'SAME_UPPER', count_include_pad: 1 }, output: [1, 1, 3], values: [6.333333, 5.666667, 4.666667] },
  { op: 'AveragePool', shapes: [[1, 1, 6]], attributes: { kernel_shape: [3], strides: [2], auto_pad: 'SAME_LOWER' }, output: [1, 1, 3], values: [6.5, 6, 5.333333] },
  { op: 'AveragePool', shapes: [[1, 1, 9]], attributes: { kernel_shape: [3], strides: [3], dilations: [2], pads: [1, 2] }, output: [1, 1, 3], values: [6, 5.333333, 6.5] },
  { op: 'Conv', shapes: [[1, 1, 5, 4], [1, 1, 3, 2]], attributes: { strides: [2, 3], auto_pad: 'SAME_UPPER' }, output: [1, 1, 3, 2], values: [144, 84, 221, 123, 122, 51] },
  { op: 'Conv', shapes: [[1, 1, 5, 4], [1, 1, 2, 2]], attributes: { strides: [2, 1], auto_pad: 'SAME_LOWER' }, output: [1, 1, 3, 4], values: [6, 38, 72, 40, 98, 101, 39, 131, 110, 122, 60, 152] },
  { op: 'Conv', shapes: [[1, 2, 6], [4, 1, 2]], attributes: { group: 2, dilations: [3], pads: [2, 0] }, output: [1, 4, 5], values: [100, 60, 29, 120, 68, 20, 12, 22, 78, 46, 40, 20, 9, 107, 51, 64, 32, 1, 64, 28] },
  { op: 'Conv', shapes: [[1, 1, 7], [1, 1, 1]], attributes: { strides: [4], auto_pad: 'SAME_UPPER' }, output: [1, 1, 2], values: [9, 27] },
  { op: 'ConvTranspose', shapes: [[1, 2, 3], [2, 1, 2]], attributes: { group: 2, strides: [3], dilations: [2], pads: [1, 0], output_padding: [2] }, output: [1, 2, 10], values: [0, 30, 30, 0, 100, 18, 0, 60, 0, 0, 0, 4, 54, 0, 18, 30, 0, 10, 0, 0] },
];

for (const g of goldens) {
  test(`${g.op} ${JSON.stringify(g.attributes)}`, () => {
    const inputs = g.shapes.map((shape) => ({ shape, data: Array.from({ length: elementCount(shape) }, (_, i) => (7 * i + 3) % 11) }));
    const result = runSingle(g.op, g.attributes, inputs);
    assert.equal(result.shape, g.output);
    g.values.forEach((v, i) => {
      assert.ok(Math.abs(result.reference[i] - v) < 1e-5, `reference: element ${i} is ${result.reference[i]}, expected ${v}`);
      assert.ok(Math.abs(result.interpreted[i] - v) < 1e-5, `interpreter: element ${i} is ${result.interpreted[i]}, expected ${v}`);
    });
  });
}

test.run();
