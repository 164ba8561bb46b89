/** ClipMoments: mean and variance of min(max(x, min), max) for a normal x and two bounds. Internal: made by the moments of Clip. */
import { clippedMoments } from '../functions/clipped.js';
import { momentFunctionRecord } from './momentFunction.js';
import { given } from './operands.js';
import type { NodeContext } from './record.js';

const bounds = (c: NodeContext): readonly [number, number] => [c.float('min'), c.float('max')];

export const clipmoments = momentFunctionRecord({
  name: 'ClipMoments',
  doc: 'Mean and variance of min(max(x, min), max), x normal with `mean` and `variance` (both of one shape, variance >= 0), min < max.',
  attributes: { min: { type: 'float', doc: 'the lower bound', required: true }, max: { type: 'float', doc: 'the upper bound', required: true } },
  element: (mean, variance, scope, context) => clippedMoments(scope, mean, variance, ...bounds(context)),
  value(x, context) {
    const [lo, hi] = bounds(context);
    return Math.min(Math.max(x, lo), hi);
  },
  breaks: bounds,
  seed: 3240,
  tolerance: 5e-4,
  cases: [
    { name: 'six', attributes: { min: 0, max: 6 }, inputs: [given([2, 9], { range: [-3, 9] }), given([2, 9], { range: [0.01, 9] })] },
    { name: 'wide', attributes: { min: -1, max: 1 }, inputs: [given([2, 9], { range: [-20, 20] }), given([2, 9], { range: [1, 1000] })] },
    { name: 'beyond', attributes: { min: 0, max: 1 }, inputs: [given([2, 9], { range: [4, 6] }), given([2, 9], { range: [0.5, 1] })] },
  ],
});
