/** Dropout at inference: the input as it is. Training mode and the mask are refused. */
import { viewDependence } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import type { OperatorRecord } from './record.js';

export const dropout: OperatorRecord = {
  name: 'Dropout',
  doc: 'At inference, the input as it is.',
  inputs: [{ name: 'data' }, { name: 'ratio', optional: true }, { name: 'training_mode', optional: true }],
  outputs: ['output', 'mask'],
  attributes: { seed: { type: 'int', doc: 'for training; without effect' } },
  infer(c) {
    if (c.node.outputs[1]) fail('graph/unsupported', c.node.name, `the mask "${c.node.outputs[1]}" of Dropout is not supported`, 'Export the model for inference.');
    if (c.inputs[2] && c.constant(2).data.some((v) => v !== 0)) fail('graph/unsupported', c.node.name, 'Dropout in training mode is not supported', 'Export the model for inference.');
    return [moved(c.input(0), c.input(0).shape)];
  },
  reference: (_c, [x]) => [{ shape: x!.shape, data: Float64Array.from(x!.data) }],
  integer: movesIntegers,
  lower: (c) => copyFrom(c, (point) => ({ at: point })),
  gradient: (c, _outputs, [g]) => [g, ...c.node.inputs.slice(1).map(() => undefined)],
  moments: movesMoments(viewDependence),
  samples: [
    { name: 'float32', inputs: [{ shape: [2, 5] }, { shape: [], constant: true, values: [0.5] }], seed: 1, tolerance: 0 },
    { name: 'int4', inputs: [{ shape: [7], dtype: 'int4' }], seed: 2, tolerance: 0 },
  ],
};
