/** Div: a / b with broadcasting, for float32; of integers only between constants (shape arithmetic). */
import { divide } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { binarySamples } from './add.js';
import { broadcastShape, elementwise, referenceElementwise } from './elementwise.js';
import { floatOutput, integerOutput, operandKind, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';

export const div: OperatorRecord = {
  name: 'Div',
  doc: 'c = a / b, element by element; the shapes broadcast. Division by 0 gives infinity or NaN.',
  inputs: [{ name: 'A' }, { name: 'B' }],
  outputs: ['C'],
  attributes: {},
  infer(context) {
    const shape = broadcastShape(context, [0, 1]);
    if (operandKind(context, [0, 1]) === 'float') return [floatOutput(shape)];
    const [a, b] = [context.input(0), context.input(1)];
    if (!a.constant || !b.constant) {
      fail('graph/data-type', context.node.name, `Div of integers (${a.name} is ${a.dtype}) is not exact`, 'Dequantize its operands, or fold the divisor into the next scale.');
    }
    if (b.constant.data.some((v) => v === 0)) fail('graph/unsupported', context.node.name, `the integer divisor ${b.name} contains 0`, 'Correct the divisor.');
    const largest = Math.max(...rangeOf(a).map(Math.abs));
    return [integerOutput(context, shape, [-largest, largest])];
  },
  reference(context, [a, b]) {
    const whole = context.input(0).dtype !== 'float32';
    // integers divide towards zero (ONNX); + 0 because integers have no -0
    return [referenceElementwise([a!, b!], (x, y) => (whole ? Math.trunc(x / y) + 0 : x / y))];
  },
  lower(context) {
    return elementwise(context, [0, 1], ([a, b]) => divide(a, b));
  },
  moments: {
    label: 'exact',
    rule(context, [a, b], build) {
      const mean = build.node('Div', [a.mean, b.mean]);
      if (b.variance !== undefined) fail('graph/no-moments', context.node.name, `its divisor ${context.input(1).name} is random`, 'Divide by what is deterministic, or compile the sampled twin.');
      if (a.variance === undefined) return { mean };
      return { mean, variance: build.node('Div', [a.variance, build.node('Square', [b.mean])]) };
    },
  },
  samples: [
    ...binarySamples(290, [0.5, 3], false, 2e-7),
    { name: 'by zero', inputs: [{ shape: [6], values: [1, -1, 0, NaN, Infinity, 3] }, { shape: [6], values: [0, 0, 0, 1, Infinity, -0] }], seed: 315, tolerance: 0 },
  ],
};
