/** Mul: a * b with broadcasting, for float32 and integers. */
import { mul as product } from '../ir/build.js';
import { binarySamples } from './add.js';
import { broadcastShape, elementwise, reduceTo, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, productRange, rangeOf } from './operands.js';
import { productMoments, squareMoments } from './productMoments.js';
import type { OperatorRecord } from './record.js';

export const mul: OperatorRecord = {
  name: 'Mul',
  doc: 'c = a * b, element by element; the shapes broadcast.',
  inputs: [{ name: 'A' }, { name: 'B' }],
  outputs: ['C'],
  attributes: {},
  infer(context) {
    const shape = broadcastShape(context, [0, 1]);
    return arithmeticOutput(context, [0, 1], shape, mul);
  },
  reference(_context, [a, b]) {
    return [referenceElementwise([a!, b!], (x, y) => x * y)];
  },
  integer: {
    maxBits: 32,
    range: (context) => productRange(rangeOf(context.input(0)), rangeOf(context.input(1))),
  },
  lower(context) {
    return elementwise(context, [0, 1], ([a, b], type) => product(type, a, b));
  },
  gradient(context, _outputs, [dy], build) {
    const [a, b] = [context.input(0), context.input(1)];
    return [
      reduceTo(build, build.node('Mul', [dy, b.name]), a.shape),
      reduceTo(build, build.node('Mul', [dy, a.name]), b.shape),
    ];
  },
  moments: {
    label: 'exact',
    rule(_context, [a, b], build, form) {
      const product = (x: string, w: string): string => build.node('Mul', [x, w]);
      if (a.variance === undefined || a.mean !== b.mean) return productMoments(build, form, a, b, product);
      return squareMoments(build, { mean: a.mean, variance: a.variance });
    },
  },
  samples: binarySamples(260),
};
