/** Squeeze: without the dimensions of extent 1 that `axes` names, or without all of them. */
import { viewDependence } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import { moved, movesIntegers, movesMoments } from './movement.js';
import { normalizeAxis } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';
import { reshapeGradient, reshapeKernels, reshaped } from './reshape.js';

function squeezedShape(c: NodeContext): readonly number[] {
  const { name, shape } = c.input(0);
  if (!c.inputs[1]) return shape.filter((d) => d !== 1);
  const axes = Array.from(c.constant(1).data, (a) => normalizeAxis(c, a, shape.length));
  for (const a of axes) {
    if (shape[a] !== 1) fail('graph/shape', c.node.name, `dimension ${a} of "${name}" ${formatShape(shape)} is ${shape[a]}, and only dimensions of 1 can be squeezed`, 'Name dimensions of extent 1 in axes.');
  }
  return shape.filter((_, d) => !axes.includes(d));
}

export const squeeze: OperatorRecord = {
  name: 'Squeeze',
  doc: 'Without the dimensions of extent 1 that axes names; without axes, without all of them.',
  inputs: [{ name: 'data' }, { name: 'axes', optional: true }],
  outputs: ['squeezed'],
  attributes: {},
  infer: (c) => [moved(c.input(0), squeezedShape(c))],
  reference: (c, [x]) => [reshaped(x!, squeezedShape(c))],
  integer: movesIntegers,
  lower: reshapeKernels,
  gradient: reshapeGradient,
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'axes', inputs: [{ shape: [1, 3, 1, 5] }, { shape: [1], dtype: 'int32', constant: true, values: [-2] }], seed: 1, tolerance: 0 },
    { name: 'all', inputs: [{ shape: [1, 3, 1, 5], dtype: 'int4' }], seed: 2, tolerance: 0 },
  ],
};
