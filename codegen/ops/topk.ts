/** TopK with k = 1: the best element along an axis and its index, for float32 and integers. */
import { fail } from '../ir/diagnostic.js';
import { extremeKernel, referenceExtreme } from './extreme.js';
import { given, normalizeAxis, operandKind, rangeOf, weight } from './operands.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';

function parts(context: NodeContext) {
  const x = context.input(0);
  const k = context.constant(1).data[0];
  if (k !== 1) fail('graph/unsupported', context.node.name, `TopK has k = ${k}`, 'Only k = 1 is supported: export k = 1, or take the scores and sort them in the application.');
  const axis = normalizeAxis(context, context.int('axis'), x.shape.length);
  return { axis, largest: context.int('largest') !== 0, shape: x.shape.map((extent, d) => (d === axis ? 1 : extent)) };
}

export const topk: OperatorRecord = {
  name: 'TopK',
  doc: 'Values and int32 Indices of the greatest (or least) element along `axis`, with that dimension 1; k must be 1. Of equal elements the first; NaN never wins.',
  inputs: [{ name: 'X' }, { name: 'K' }],
  outputs: ['Values', 'Indices'],
  attributes: {
    axis: { type: 'int', doc: 'The dimension that is searched.', default: -1 },
    largest: { type: 'int', doc: '1: the greatest, 0: the least.', default: 1 },
    sorted: { type: 'int', doc: 'One element is always sorted.', default: 1 },
  },
  infer(context) {
    operandKind(context, [0]);
    const x = context.input(0);
    const { axis, shape } = parts(context);
    const values = x.dtype === 'float32' ? { shape, dtype: x.dtype } : { shape, dtype: x.dtype, range: rangeOf(x) };
    return [values, { shape, dtype: 'int32', range: [0, x.shape[axis] - 1] }];
  },
  reference(context, [x]) {
    const { axis, largest } = parts(context);
    const { values, indices } = referenceExtreme(x!, axis, largest, false);
    return [values, indices];
  },
  integer: { maxBits: 32, range: (context) => rangeOf(context.input(0)) },
  lower(context) {
    const { axis, largest } = parts(context);
    const [values, indices] = context.outputs.map((o) => o.name);
    return [extremeKernel(context, { axis, largest, last: false, keep: true, values, indices })];
  },
  samples: topkSamples(),
};

function topkSamples(): Sample[] {
  const cases: Pick<Sample, 'name' | 'attributes' | 'inputs'>[] = [
    ...[1, 3, 4, 5, 10, 16, 33].map((c, i) => ({ name: `classes ${c}`, attributes: { largest: (i + 1) % 2 }, inputs: [given([1 + 2 * (i % 2), c])] })),
    { name: 'ties', inputs: [given([2, 6], { values: [1, 3, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0] })] },
    { name: 'axis 1 of an image', attributes: { axis: 1 }, inputs: [given([2, 4, 3, 2])] },
    { name: 'int4', inputs: [given([3, 9], { dtype: 'int4' })] },
    { name: 'int8 of a narrower range', inputs: [given([2, 7], { dtype: 'int8', range: [1, 6] })] },
    { name: 'int9, least', attributes: { largest: 0, axis: 0 }, inputs: [given([3, 9], { dtype: 'int9' })] },
  ];
  const one = weight([1], { dtype: 'int32', values: [1] });
  return cases.map((c, i) => ({ ...c, inputs: [...c.inputs, one], outputs: 2, seed: 2050 + i, tolerance: 0 }));
}
