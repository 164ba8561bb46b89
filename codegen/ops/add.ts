/** Add: a + b with broadcasting, for float32 and integers. */
import { add as plus } from '../ir/build.js';
import { broadcastShape, broadcastTo, elementwise, reduceTo, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, given, rangeOf, sumRange, weight } from './operands.js';
import type { OperatorRecord, Sample } from './record.js';

export const add: OperatorRecord = {
  name: 'Add',
  doc: 'c = a + b, element by element; the shapes broadcast.',
  inputs: [{ name: 'A' }, { name: 'B' }],
  outputs: ['C'],
  attributes: {},
  infer(context) {
    const shape = broadcastShape(context, [0, 1]);
    return arithmeticOutput(context, [0, 1], shape, add);
  },
  reference(_context, [a, b]) {
    return [referenceElementwise([a!, b!], (x, y) => x + y)];
  },
  integer: {
    maxBits: 32,
    range: (context) => sumRange(rangeOf(context.input(0)), rangeOf(context.input(1))),
  },
  lower(context) {
    return elementwise(context, [0, 1], ([a, b], type) => plus(type, a, b));
  },
  gradient(context, _outputs, [dy], build) {
    return [reduceTo(build, dy, context.input(0).shape), reduceTo(build, dy, context.input(1).shape)];
  },
  moments: {
    label: 'exact',
    rule(_context, [a, b], build) {
      const mean = build.node('Add', [a.mean, b.mean]);
      // x + x = 2 x
      if (a.variance !== undefined && a.mean === b.mean) return { mean, variance: build.node('Mul', [a.variance, build.scalar(4)]) };
      if (a.variance !== undefined && b.variance !== undefined) return { mean, variance: build.node('Add', [a.variance, b.variance]) };
      const one = a.variance ?? b.variance;
      return one === undefined ? { mean } : { mean, variance: broadcastTo(build, one, build.info(mean).shape) };
    },
  },
  samples: binarySamples(200),
};

/** Samples of an operator of two operands: tile edges, broadcasting both ways, constants, integers of several widths. */
export function binarySamples(seed: number, range: readonly [number, number] = [-2, 2], integers = true, tolerance = 1e-7): Sample[] {
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c) => ({ name: `channels ${c}`, inputs: [given([1, c], { range }), given([1, c], { range })] })),
    { name: 'bias', inputs: [given([3, 10], { range }), weight([10], { range })] },
    { name: 'channel', inputs: [given([3, 5, 4, 3], { range }), weight([1, 5, 1, 1], { range })] },
    { name: 'both sides', inputs: [given([3, 1, 4], { range }), given([5, 1], { range })] },
    { name: 'scalar', inputs: [weight([], { range }), given([2, 9], { range })] },
    { name: 'single elements', inputs: [given([], { range }), given([1, 1], { range })] },
    { name: 'rank 5', inputs: [given([1, 2, 3, 2, 2], { range }), given([3, 1, 2], { range })] },
  ];
  if (integers) {
    cases.push(
      { name: 'int4 and uint3', inputs: [given([3, 17], { dtype: 'int4' }), given([3, 17], { dtype: 'uint3' })] },
      { name: 'int8', inputs: [given([1, 8, 3, 3], { dtype: 'int8' }), given([1, 8, 3, 3], { dtype: 'int8' })] },
      { name: 'uint15 and a constant', inputs: [given([2, 20], { dtype: 'uint15' }), weight([20], { dtype: 'int15' })] },
      { name: 'narrower ranges', inputs: [given([3, 7], { dtype: 'int8', range: [-5, 3] }), given([7], { dtype: 'uint8', range: [2, 5] })] },
      { name: 'uint1', inputs: [given([5], { dtype: 'uint1' }), given([5], { dtype: 'uint1' })] },
    );
  }
  return cases.map((c, i) => ({ ...c, seed: seed + i, tolerance: c.inputs[0].dtype ? 0 : tolerance }));
}
