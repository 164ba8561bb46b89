/** LeakyRelu: x, or alpha x below 0, for float32. */
import { compare, float, mul, select } from '../ir/build.js';
import type { OperatorRecord } from './record.js';
import { functionRecord } from './unary.js';

const base = functionRecord({
  name: 'LeakyRelu',
  doc: 'y = x where x >= 0, else alpha * x, element by element. NaN stays NaN.',
  attributes: { alpha: { type: 'float', doc: 'Slope below 0.', default: 0.01 } },
  element: (x, _scope, context) => select('float32', compare('lt', x, float(0)), mul('float32', x, float(context.float('alpha'))), x),
  reference: (x, context) => (x < 0 ? Math.fround(context.float('alpha')) * x : x),
  seed: 980,
  tolerance: 1e-7,
  ranges: [[-2, 2]],
  specials: [NaN, Infinity, -Infinity, 0, -0, -1],
  cases: [{ name: 'alpha', attributes: { alpha: -0.25 }, inputs: [{ shape: [3, 9] }] }],
});

export const leakyrelu: OperatorRecord = {
  ...base,
  moments: {
    label: 'matched',
    rule(context, [x], build) {
      if (x.variance === undefined) return { mean: build.node('LeakyRelu', [x.mean], context.node.attributes) };
      // y = R(x) - c R(-x); the product of the two is 0, so their covariance is minus the product of their means.
      const slope = context.float('alpha');
      const scaled = (value: string, factor: number): string => build.node('Mul', [value, build.scalar(factor)]);
      const [above, aboveVariance] = build.nodes('ReluMoments', [x.mean, x.variance], 2);
      const [below, belowVariance] = build.nodes('ReluMoments', [build.node('Neg', [x.mean]), x.variance], 2);
      const spread = build.node('Add', [aboveVariance, scaled(belowVariance, slope * slope)]);
      const product = scaled(build.node('Mul', [above, below]), 2 * slope);
      return { mean: build.node('Sub', [above, scaled(below, slope)]), variance: build.node('Add', [spread, product]) };
    },
  },
};
