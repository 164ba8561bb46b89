/** LoopIndex: how many iterations of the graph's loop came before this one. Internal; see Loop in ir/graph.ts. */
import { axis } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { given, kernelName, makeKernel } from './operands.js';
import type { OperatorRecord } from './record.js';

export const loopindex: OperatorRecord = {
  name: 'LoopIndex',
  doc: 'y = 0, 1, ... in the iterations of the graph\'s loop, an int32 scalar. Internal: made by the twin `sample`.',
  inputs: [],
  outputs: ['index'],
  attributes: { max: { type: 'int', doc: 'The most iterations.', required: true } },
  infer: (context) => [{ shape: [], dtype: 'int32', range: [0, context.int('max') - 1] }],
  reference: (context) => fail('graph/loop', context.node.name, 'LoopIndex has a value inside the graph\'s loop alone', 'Name its output in graph.loop.'),
  lower(context) {
    const { loopAxis } = context;
    if (loopAxis === undefined) fail('graph/loop', context.node.name, 'LoopIndex stands outside of a loop', 'Name its output in graph.loop.');
    return [
      makeKernel({
        name: kernelName(context),
        op: 'elementwise',
        space: [],
        stores: [{ tensor: context.outputs[0].name, at: [], value: { op: 'index', type: 'int32', index: axis(loopAxis) } }],
      }),
    ];
  },
  // the harness collects the input times the index
  samples: [{ name: 'times an input', attributes: { max: 16 }, inputs: [given([2, 3])], seed: 4401, tolerance: 1e-6 }],
};
