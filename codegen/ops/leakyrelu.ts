/** LeakyRelu: x, or alpha x below 0, for float32. */
import { compare, float, mul, select } from '../ir/build.js';
import { functionRecord } from './unary.js';

export const leakyrelu = functionRecord({
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
