/** MaxPool: the greatest element of every window, for float32 and integers; padding is skipped. */
import { axis, float, int, load, maximum, ref } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementType, given, integerOutput, kernelName, makeKernel, operandKind, partialSums, rangeOf } from './operands.js';
import { poolAttributes, poolDependence, poolParts, poolSamples, referencePool } from './pool.js';
import type { OperatorRecord } from './record.js';
import { windowAccess } from './window.js';

export const maxpool: OperatorRecord = {
  name: 'MaxPool',
  doc: 'Y[n, c, y, x] = the greatest X[n, c, ..] of the window; padding is skipped, NaN wins; one or two spatial dimensions.',
  inputs: [{ name: 'X' }],
  outputs: ['Y', 'Indices'],
  attributes: { ...poolAttributes, storage_order: { type: 'int', doc: 'Of Indices, which are not supported; ignored.', default: 0 } },
  infer(context) {
    const x = context.input(0);
    const { shape } = poolParts(context);
    if (context.node.outputs.slice(1).some((name) => name !== '')) {
      fail('graph/unsupported', context.node.name, 'MaxPool is asked for its second output, Indices', 'Remove that output and what uses it.');
    }
    if (operandKind(context, [0]) === 'float') return [{ shape, dtype: 'float32', annotation: x.annotation }];
    return [{ ...integerOutput(context, shape, rangeOf(x)), annotation: x.annotation }];
  },
  reference(context, [x]) {
    return [referencePool(poolParts(context), x!, (values) => values.reduce((a, b) => Math.max(a, b), -Infinity))];
  },
  integer: { maxBits: 32, range: (context) => rangeOf(context.input(0)) },
  lower(context) {
    const [x, y] = [context.input(0), context.outputs[0]];
    const { dims, shape } = poolParts(context);
    const window = windowAccess(dims);
    const space = [{ name: 'n', extent: shape[0] }, { name: 'c', extent: shape[1] }, ...window.space];
    const type = elementType(y);
    const least = rangeOf(x)[0];
    const outside = type === 'float32' ? float(-Infinity) : int(least, elementType(x));
    const value = load(x.name, ['n', 'c', ...window.at], window.guard, outside);
    return [
      makeKernel({
        name: kernelName(context),
        op: 'pool',
        space,
        reduce: window.kernel,
        partials: partialSums(space, window.kernel, type),
        accumulators: [{ name: 'acc', type, init: type === 'float32' ? float(-Infinity) : int(least, type), update: maximum(type, ref('acc'), value) }],
        stores: [{ tensor: y.name, at: space.map((s) => axis(s.name)), value: ref('acc') }],
      }),
    ];
  },
  moments: {
    label: 'approximate',
    // of two the moments are exact
    labelOf: (context) => (poolParts(context).dims.reduce((count, w) => count * w.kernel, 1) <= 2 ? 'matched' : 'approximate'),
    rule(context, [x], build) {
      if (x.variance === undefined) return { mean: build.node('MaxPool', [x.mean], context.node.attributes) };
      const [mean, variance] = build.nodes('MaxPoolMoments', [x.mean, x.variance], 2, context.node.attributes);
      return { mean, variance };
    },
    dependence: poolDependence,
  },
  samples: [
    ...poolSamples(1300, 0),
    { name: 'specials', attributes: { kernel_shape: [2] }, inputs: [given([1, 1, 6], { values: [-Infinity, -Infinity, NaN, 1, -0, 0] })], seed: 1340, tolerance: 0 },
    { name: 'int8', attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, inputs: [given([1, 17, 5, 5], { dtype: 'int8' })], seed: 1341, tolerance: 0 },
    { name: 'uint4', attributes: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [given([3, 8, 4, 4], { dtype: 'uint4' })], seed: 1342, tolerance: 0 },
    { name: 'int2', attributes: { kernel_shape: [2], strides: [2], pads: [1, 1] }, inputs: [given([1, 5, 6], { dtype: 'int2' })], seed: 1343, tolerance: 0 },
    { name: 'uint8 of a narrower range', attributes: { kernel_shape: [2, 2], pads: [1, 1, 0, 0] }, inputs: [given([1, 3, 4, 4], { dtype: 'uint8', range: [2, 9] })], seed: 1345, tolerance: 0 },
    { name: 'int20', attributes: { kernel_shape: [2, 2] }, inputs: [given([1, 3, 3, 3], { dtype: 'int20' })], seed: 1344, tolerance: 0 },
  ],
};
