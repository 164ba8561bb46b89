/** Transpose: dimensions in another order; dimension d of the output is dimension perm[d] of the input. */
import { dependenceOf } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { edgeSamples } from './edges.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import { strides } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

function permutation(c: NodeContext): readonly number[] {
  const rank = c.input(0).shape.length;
  if (!c.has('perm')) return Array.from({ length: rank }, (_, d) => rank - 1 - d);
  const perm = c.ints('perm');
  if (perm.length !== rank || !perm.every((p) => p >= 0 && p < rank) || new Set(perm).size !== rank) {
    fail('graph/attribute-type', c.node.name, `perm [${perm.join(', ')}] is not an order of the ${rank} dimensions of "${c.input(0).name}"`, `Name each of 0 to ${rank - 1} once.`);
  }
  return perm;
}

export const transpose: OperatorRecord = {
  name: 'Transpose',
  doc: 'Dimensions in another order: dimension d of the output is dimension perm[d] of the input.',
  inputs: [{ name: 'data' }],
  outputs: ['transposed'],
  attributes: { perm: { type: 'ints', doc: 'the order; absent: reversed' } },
  infer(c) {
    const x = c.input(0);
    return [moved(x, permutation(c).map((p) => x.shape[p]))];
  },
  reference(c, [x]) {
    const perm = permutation(c);
    const shape = perm.map((p) => x!.shape[p]);
    const steps = strides(x!.shape);
    const data = new Float64Array(x!.data.length);
    for (let i = 0; i < data.length; i++) {
      let rest = i;
      let flat = 0;
      for (let d = shape.length - 1; d >= 0; d--) {
        flat += (rest % shape[d]) * steps[perm[d]];
        rest = Math.floor(rest / shape[d]);
      }
      data[i] = x!.data[flat];
    }
    return [{ shape, data }];
  },
  integer: movesIntegers,
  lower(c) {
    const perm = permutation(c);
    return copyFrom(c, (point) => ({ at: perm.map((_, p) => point[perm.indexOf(p)]) }));
  },
  gradient(c, _outputs, [g], build) {
    const perm = permutation(c);
    return [build.node('Transpose', [g], { perm: perm.map((_, p) => perm.indexOf(p)) })];
  },
  moments: movesMoments(dependenceOf((c, to) => ({ meets: [], keeps: to.map((_, d) => [permutation(c)[d]]) }))),
  samples: [
    { name: 'reversed', inputs: [{ shape: [3, 5] }], seed: 1, tolerance: 0 },
    { name: 'to channels last', attributes: { perm: [0, 2, 3, 1] }, inputs: [{ shape: [1, 3, 4, 5] }], seed: 2, tolerance: 0 },
    { name: 'to channels first', attributes: { perm: [0, 3, 1, 2] }, inputs: [{ shape: [2, 4, 4, 3], dtype: 'int8' }], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ inputs: [{ shape: [c, 5], dtype: i % 2 ? 'int4' : 'float32' }] })),
    { name: 'rank 1', inputs: [{ shape: [9], dtype: 'uint4' }], seed: 4, tolerance: 0 },
  ],
};
