/** Identity: the input as it is. */
import { viewDependence } from './dependence.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import type { OperatorRecord } from './record.js';

export const identity: OperatorRecord = {
  name: 'Identity',
  doc: 'The input as it is.',
  inputs: [{ name: 'input' }],
  outputs: ['output'],
  attributes: {},
  infer: (c) => [moved(c.input(0), c.input(0).shape)],
  reference: (_c, [x]) => [{ shape: x!.shape, data: Float64Array.from(x!.data) }],
  integer: movesIntegers,
  lower: (c) => copyFrom(c, (point) => ({ at: point })),
  gradient: (_c, _outputs, [g]) => [g],
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'float32', inputs: [{ shape: [2, 5] }], seed: 1, tolerance: 0 },
    { name: 'int3', inputs: [{ shape: [7], dtype: 'int3' }], seed: 2, tolerance: 0 },
    { name: 'scalar', inputs: [{ shape: [] }], seed: 3, tolerance: 0 },
  ],
};
