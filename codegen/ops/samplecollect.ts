/** SampleCollect: what a value was in the iterations of the graph's loop. Internal; see samplestatistics.ts. */
import { compare, factor, int, select } from '../ir/build.js';
import { elementCount } from '../ir/graph.js';
import { floatOutput, given, operandKind } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';
import { iterationSamples, sampleInputs, updateKernel } from './samplestatistics.js';

const most = (context: NodeContext): number => context.int('max');

export const samplecollect: OperatorRecord = {
  name: 'SampleCollect',
  doc: 'y[n, s, ..] = what X[n, ..] was in iteration s of the graph\'s loop, for the first `max` iterations; zeros where there were fewer. Internal: made by the twin `sample`.',
  inputs: sampleInputs,
  outputs: ['samples'],
  attributes: { max: { type: 'int', doc: 'The second dimension of y.', required: true } },
  carries: true,
  infer(context) {
    operandKind(context, [0], false);
    const [n, ...rest] = context.input(0).shape;
    return [floatOutput([n, most(context), ...rest])];
  },
  reference(context, [x, index, before]) {
    const i = index!.data[0];
    const data = before!.data.slice();
    const row = elementCount(x!.shape.slice(1));
    if (i < most(context)) for (let n = 0; n < x!.shape[0]; n++) data.set(x!.data.subarray(n * row, (n + 1) * row), (n * most(context) + i) * row);
    return [{ shape: before!.shape, data }];
  },
  lower(context) {
    const last = most(context) - 1;
    // later iterations write the last place again, as it is
    return [
      updateKernel(
        context,
        (iteration) => [select('float32', compare('le', iteration.index, int(last)), iteration.x, iteration.before(0))],
        ([n, ...rest], index) => [n, factor({ value: index, lo: 0, hi: last }), ...rest],
      ),
    ];
  },
  samples: [
    ...iterationSamples(4430, { max: 8 }),
    { name: 'more iterations than places', attributes: { max: 3 }, inputs: [given([2, 5])], seed: 4444, tolerance: 1e-7 },
    { name: 'one place', attributes: { max: 1 }, inputs: [given([3, 9])], seed: 4441, tolerance: 1e-7 },
    { name: 'images', attributes: { max: 3 }, inputs: [given([2, 5, 3, 2])], seed: 4442, tolerance: 1e-7 },
  ],
};
