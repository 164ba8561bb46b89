/** GlobalAveragePool: the mean over all spatial dimensions, for float32. */
import { dependenceOf } from './dependence.js';
import { axis, add, divide, float, load, ref } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import { spaceAxes } from './elementwise.js';
import { floatOutput, given, kernelName, makeKernel, operandKind, partialSums } from './operands.js';
import type { OperatorRecord } from './record.js';

export const globalaveragepool: OperatorRecord = {
  name: 'GlobalAveragePool',
  doc: 'Y[n, c, 1..] = the mean of X[n, c, ..] over all spatial dimensions. Integers: ReduceSum.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: {},
  infer(context) {
    const { name, shape } = context.input(0);
    operandKind(context, [0], false);
    if (shape.length < 3 || elementCount(shape) === 0) fail('graph/shape', context.node.name, `${name} is ${formatShape(shape)}, and [N, C, spatial..] is expected`, 'Reshape the input.');
    return [floatOutput(shape.map((extent, d) => (d < 2 ? extent : 1)))];
  },
  reference(_context, [x]) {
    const [n, c, ...spatial] = x!.shape;
    const area = elementCount(spatial);
    const data = new Float64Array(n * c);
    x!.data.forEach((v, e) => (data[Math.floor(e / area)] += v / area));
    return [{ shape: [n, c, ...spatial.map(() => 1)], data }];
  },
  lower(context) {
    const [x, y] = [context.input(0), context.outputs[0]];
    const axes = spaceAxes(x.shape);
    const [space, reduce] = [axes.slice(0, 2), axes.slice(2)];
    const f = 'float32';
    return [
      makeKernel({
        name: kernelName(context),
        op: 'pool',
        space,
        reduce,
        partials: partialSums(space, reduce, f, axes[0].name),
        accumulators: [{ name: 'acc', type: f, init: float(0), update: add(f, ref('acc'), load(x.name, axes.map((a) => a.name))) }],
        stores: [{ tensor: y.name, at: axes.map((a, d) => (d < 2 ? axis(a.name) : axis(a.name, 0))), value: divide(ref('acc'), float(elementCount(x.shape.slice(2)))) }],
      }),
    ];
  },
  moments: {
    label: 'exact',
    rule(context, [x], build) {
      const mean = build.node('GlobalAveragePool', [x.mean]);
      if (x.variance === undefined) return { mean };
      const count = elementCount(context.input(0).shape.slice(2));
      return { mean, variance: build.node('Div', [build.node('GlobalAveragePool', [x.variance]), build.scalar(count)]) };
    },
    dependence: dependenceOf((context, to) => ({ meets: to.map((_, d) => d).slice(2), keeps: to.map((_, d) => (d < 2 ? [d] : [])) })),
  },
  samples: [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({ name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c, 3 + (i % 4), 5], { range: [-1, 3] })], seed: 1600 + i, tolerance: 1e-6 })),
    { name: 'one dimension', inputs: [given([3, 6, 11])], seed: 1620, tolerance: 1e-6 },
    { name: 'partial sums', inputs: [given([1, 3, 2, 16], { range: [-1, 3] })], seed: 1621, tolerance: 1e-6 },
    { name: 'three dimensions', inputs: [given([1, 2, 3, 2, 4])], seed: 1622, tolerance: 1e-6 },
  ],
};
