/** Softmax: a composite of ReduceMax, Sub, Exp, ReduceSum and Div, stable for any finite input. */
import { elementCount } from '../ir/graph.js';
import { floatOutput, given, intVector, normalizeAxis, operandKind } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

const axisOf = (context: NodeContext): number => normalizeAxis(context, context.int('axis'), context.input(0).shape.length);

export const softmax: OperatorRecord = {
  name: 'Softmax',
  doc: 'y = e^(x - max) / sum of e^(x - max), max and sum along `axis` (ONNX from opset 13); y has the shape of x. NaN or +infinity along the axis give NaN there.',
  inputs: [{ name: 'input' }],
  outputs: ['output'],
  attributes: { axis: { type: 'int', doc: 'The dimension that sums to 1.', default: -1 } },
  infer(context) {
    operandKind(context, [0], false);
    axisOf(context);
    return [floatOutput(context.input(0).shape)];
  },
  reference(context, [x]) {
    const axis = axisOf(context);
    const [length, inner] = [x!.shape[axis], elementCount(x!.shape.slice(axis + 1))];
    const data = new Float64Array(x!.data.length);
    for (let e = 0; e < data.length; e++) {
      const start = e - (Math.floor(e / inner) % length) * inner;
      let greatest = -Infinity;
      for (let k = 0; k < length; k++) greatest = Math.max(greatest, x!.data[start + k * inner]);
      let total = 0;
      for (let k = 0; k < length; k++) total += Math.exp(x!.data[start + k * inner] - greatest);
      data[e] = Math.exp(x!.data[e] - greatest) / total;
    }
    return [{ shape: x!.shape, data }];
  },
  expand(context, build) {
    const x = context.input(0).name;
    const axes = build.constant(intVector([axisOf(context)]));
    const greatest = build.node('ReduceMax', [x, axes], { keepdims: 1 });
    const power = build.node('Exp', [build.node('Sub', [x, greatest])]);
    const total = build.node('ReduceSum', [power, axes], { keepdims: 1 });
    return [build.node('Div', [power, total])];
  },
  samples: [
    ...[1, 3, 4, 5, 10, 16, 33].map((c, i) => ({ name: `classes ${c}`, inputs: [given([1 + 2 * (i % 2), c], { range: [-8, 8] as const })], seed: 1900 + i, tolerance: 1e-6 })),
    { name: 'axis 1 of an image', attributes: { axis: 1 }, inputs: [given([2, 5, 3, 2])], seed: 1910, tolerance: 1e-6 },
    { name: 'axis 0', attributes: { axis: 0 }, inputs: [given([4, 3])], seed: 1911, tolerance: 1e-6 },
    { name: 'large', inputs: [given([2, 3], { values: [1e4, 1e4, -1e4, -3e38, 3e38, 0] })], seed: 1912, tolerance: 1e-6 },
    { name: 'NaN in one row', inputs: [given([2, 3], { values: [NaN, 1, 2, -Infinity, 0, 1] })], seed: 1913, tolerance: 1e-6 },
  ],
};
