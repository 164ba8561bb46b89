/** Exp: e^x for float32. */
import { exp as expOf } from '../functions/exp.js';
import { functionMoments } from './momentFunction.js';
import type { OperatorRecord } from './record.js';
import { functionRecord } from './unary.js';

const base = functionRecord({
  name: 'Exp',
  doc: 'y = e^x, element by element; within 2 units in the last place, infinity above 88.72, 0 below -103.97.',
  element: (x, scope) => expOf(scope, x),
  reference: Math.exp,
  seed: 900,
  tolerance: 3e-7,
  ranges: [[-2, 2], [-30, 30], [-110, -80]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-45, 88.7, -87.3, -103, -200, 1],
});

export const exp: OperatorRecord = { ...base, moments: functionMoments('Exp', 'matched') };
