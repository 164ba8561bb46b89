/** Sqrt: the square root for float32, correctly rounded. */
import { unary } from '../ir/build.js';
import { functionRecord } from './unary.js';

export const sqrt = functionRecord({
  name: 'Sqrt',
  doc: 'y = sqrt(x), element by element; NaN below 0, -0 of -0.',
  element: (x) => unary('sqrt', 'float32', x),
  reference: Math.sqrt,
  seed: 960,
  tolerance: 1e-7,
  ranges: [[0, 4], [1e5, 1e9]],
  specials: [NaN, Infinity, -1, 0, -0, 1e-45, 4, 2],
});
