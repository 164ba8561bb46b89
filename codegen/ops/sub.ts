/** Sub: a - b with broadcasting, for float32 and integers. */
import { sub as minus } from '../ir/build.js';
import { binarySamples } from './add.js';
import { broadcastShape, broadcastTo, elementwise, reduceTo, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, rangeOf } from './operands.js';
import type { OperatorRecord } from './record.js';

export const sub: OperatorRecord = {
  name: 'Sub',
  doc: 'c = a - b, element by element; the shapes broadcast.',
  inputs: [{ name: 'A' }, { name: 'B' }],
  outputs: ['C'],
  attributes: {},
  infer(context) {
    const shape = broadcastShape(context, [0, 1]);
    return arithmeticOutput(context, [0, 1], shape, sub);
  },
  reference(_context, [a, b]) {
    return [referenceElementwise([a!, b!], (x, y) => x - y)];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [a, b] = [rangeOf(context.input(0)), rangeOf(context.input(1))];
      return [a[0] - b[1], a[1] - b[0]];
    },
  },
  lower(context) {
    return elementwise(context, [0, 1], ([a, b], type) => minus(type, a, b));
  },
  gradient(context, _outputs, [dy], build) {
    const negated = build.node('Sub', [build.scalar(0), dy]);
    return [reduceTo(build, dy, context.input(0).shape), reduceTo(build, negated, context.input(1).shape)];
  },
  moments: {
    label: 'exact',
    rule(_context, [a, b], build) {
      const mean = build.node('Sub', [a.mean, b.mean]);
      // x - x = 0
      if (a.mean === b.mean) return { mean };
      if (a.variance !== undefined && b.variance !== undefined) return { mean, variance: build.node('Add', [a.variance, b.variance]) };
      const one = a.variance ?? b.variance;
      return one === undefined ? { mean } : { mean, variance: broadcastTo(build, one, build.info(mean).shape) };
    },
  },
  samples: binarySamples(230),
};
