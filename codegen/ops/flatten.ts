/** Flatten: a matrix of the dimensions before `axis` by those from it on. */
import { viewDependence } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount } from '../ir/graph.js';
import { moved, movesIntegers, movesMoments } from './movement.js';
import type { NodeContext, OperatorRecord } from './record.js';
import { reshapeGradient, reshapeKernels, reshaped } from './reshape.js';

function matrixShape(c: NodeContext): readonly number[] {
  const { shape } = c.input(0);
  const given = c.int('axis');
  const a = given < 0 ? given + shape.length : given;
  // Unlike other operators' axes, this one may equal the rank.
  if (a < 0 || a > shape.length) {
    fail('graph/attribute-type', c.node.name, `axis ${given} lies outside [${-shape.length}, ${shape.length}] of Flatten`, 'Give one of the input\'s dimensions, or its rank.');
  }
  return [elementCount(shape.slice(0, a)), elementCount(shape.slice(a))];
}

export const flatten: OperatorRecord = {
  name: 'Flatten',
  doc: 'A matrix: the dimensions before axis by the dimensions from it on.',
  inputs: [{ name: 'input' }],
  outputs: ['output'],
  attributes: { axis: { type: 'int', doc: 'the first dimension of the columns; negative counts from the end', default: 1 } },
  infer: (c) => [moved(c.input(0), matrixShape(c))],
  reference: (c, [x]) => [reshaped(x!, matrixShape(c))],
  integer: movesIntegers,
  lower: reshapeKernels,
  gradient: reshapeGradient,
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'images', inputs: [{ shape: [2, 3, 4, 5] }], seed: 1, tolerance: 0 },
    { name: 'axis 0', attributes: { axis: 0 }, inputs: [{ shape: [2, 7] }], seed: 2, tolerance: 0 },
    { name: 'axis -1', attributes: { axis: -1 }, inputs: [{ shape: [3, 2, 5] }], seed: 3, tolerance: 0 },
    { name: 'axis is the rank', attributes: { axis: 2 }, inputs: [{ shape: [3, 5] }], seed: 4, tolerance: 0 },
    { name: 'uint2', inputs: [{ shape: [1, 4, 3, 3], dtype: 'uint2' }], seed: 5, tolerance: 0 },
  ],
};
