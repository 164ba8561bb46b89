/** Unsqueeze: with dimensions of extent 1 at the places that `axes` names in the result. */
import { viewDependence } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { moved, movesIntegers, movesMoments } from './movement.js';
import { normalizeAxis } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';
import { reshapeGradient, reshapeKernels, reshaped } from './reshape.js';

function unsqueezedShape(c: NodeContext): readonly number[] {
  const { shape } = c.input(0);
  const given = Array.from(c.constant(1).data);
  const rank = shape.length + given.length;
  const axes = given.map((a) => normalizeAxis(c, a, rank));
  if (new Set(axes).size !== axes.length) fail('graph/attribute-type', c.node.name, `axes [${given.join(', ')}] name a dimension twice`, 'Name each new dimension once.');
  const result = [...shape];
  for (const a of [...axes].sort((p, q) => p - q)) result.splice(a, 0, 1);
  return result;
}

export const unsqueeze: OperatorRecord = {
  name: 'Unsqueeze',
  doc: 'With dimensions of extent 1 at the places that axes names in the result.',
  inputs: [{ name: 'data' }, { name: 'axes' }],
  outputs: ['expanded'],
  attributes: {},
  infer: (c) => [moved(c.input(0), unsqueezedShape(c))],
  reference: (c, [x]) => [reshaped(x!, unsqueezedShape(c))],
  integer: movesIntegers,
  lower: reshapeKernels,
  gradient: reshapeGradient,
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'two axes', inputs: [{ shape: [3, 5] }, { shape: [2], dtype: 'int32', constant: true, values: [0, -1] }], seed: 1, tolerance: 0 },
    { name: 'uint4', inputs: [{ shape: [7], dtype: 'uint4' }, { shape: [1], dtype: 'int32', constant: true, values: [1] }], seed: 2, tolerance: 0 },
  ],
};
