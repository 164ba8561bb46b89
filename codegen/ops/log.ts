/** Log: the natural logarithm for float32. */
import { log as logOf } from '../functions/log.js';
import { functionRecord } from './unary.js';

export const log = functionRecord({
  name: 'Log',
  doc: 'y = ln x, element by element; within 1 unit in the last place, -infinity at 0, NaN below.',
  element: (x, scope) => logOf(scope, x),
  reference: Math.log,
  seed: 2940,
  tolerance: 1e-7,
  ranges: [[0.1, 10], [0.5, 1.5], [1e-30, 1e30]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-45, 1.1754944e-38, 1, 3.4e38, -1],
});
