/** Sigmoid: the logistic function for float32. */
import { sigmoid as sigmoidOf } from '../functions/sigmoid.js';
import { functionMoments } from './momentFunction.js';
import type { OperatorRecord } from './record.js';
import { functionRecord } from './unary.js';

const base = functionRecord({
  name: 'Sigmoid',
  doc: 'y = 1 / (1 + e^-x), element by element.',
  element: (x, scope) => sigmoidOf(scope, x),
  reference: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  seed: 920,
  tolerance: 3e-7,
  ranges: [[-2, 2], [-20, 20], [-100, -60]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-45, 100, -50, -87, 3e38, -3e38],
});

export const sigmoid: OperatorRecord = { ...base, moments: functionMoments('Sigmoid', 'approximate') };
