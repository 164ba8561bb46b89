/** Tanh: the hyperbolic tangent for float32. */
import { tanh as tanhOf } from '../functions/tanh.js';
import { functionMoments } from './momentFunction.js';
import type { OperatorRecord } from './record.js';
import { functionRecord } from './unary.js';

const base = functionRecord({
  name: 'Tanh',
  doc: 'y = tanh(x), element by element.',
  element: (x, scope) => tanhOf(scope, x),
  reference: Math.tanh,
  seed: 940,
  tolerance: 3e-7,
  ranges: [[-2, 2], [-0.01, 0.01], [-20, 20]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-45, 0.625, -0.624, 9, -9.5, 3e38, -3e38],
});

export const tanh: OperatorRecord = { ...base, moments: functionMoments('Tanh', 'approximate') };
