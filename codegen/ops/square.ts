/**
 * Square: x * x for float32. Internal: made by the rules of moments, which need squares of weights. Of a constant it is computed
 * where it is read (schedule/inline.ts), so that no second constant exists.
 */
import { mul } from '../ir/build.js';
import type { OperatorRecord } from './record.js';
import { functionRecord } from './unary.js';

/** Of greater numbers the square is infinite. */
export const largestSquared = 1.8446742e19;

const base = functionRecord({
  name: 'Square',
  doc: 'y = x * x, element by element. Internal.',
  element: (x) => mul('float32', x, x),
  reference: (x) => x * x,
  seed: 3100,
  tolerance: 1e-7,
  ranges: [[-2, 2]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-30, 1e15, -3],
});

export const square: OperatorRecord = {
  ...base,
  isCompact: true,
  gradient: (context, _outputs, [dy], build) => [build.node('Mul', [dy, build.node('Mul', [context.input(0).name, build.scalar(2)])])],
};
