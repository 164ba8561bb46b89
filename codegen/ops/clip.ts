/** Clip: min(max(x, least), greatest), for float32 and integers. */
import { float, maximum, minimum } from '../ir/build.js';
import { smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Expr } from '../ir/program.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { arithmeticOutput, given, rangeOf, weight, type Range } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

const present = (context: NodeContext): number[] => [1, 2].filter((i) => context.inputs[i] !== undefined);

/** Range after max with the lower bound. */
function raised(context: NodeContext): Range {
  const [lo, hi] = rangeOf(context.input(0));
  if (!context.inputs[1]) return [lo, hi];
  const least = rangeOf(context.inputs[1]);
  return [Math.max(lo, least[0]), Math.max(hi, least[1])];
}

export const clip: OperatorRecord = {
  name: 'Clip',
  doc: 'y = min(max(x, min), max), element by element; min and max are scalars, absent where there is no bound. NaN stays NaN.',
  inputs: [{ name: 'input' }, { name: 'min', optional: true }, { name: 'max', optional: true }],
  outputs: ['output'],
  attributes: {},
  infer(context) {
    for (const i of present(context)) {
      const bound = context.input(i);
      if (elementCount(bound.shape) !== 1) {
        fail('graph/shape', context.node.name, `the bound ${bound.name} is ${formatShape(bound.shape)}, and a scalar is expected`, 'Use Max and Min for bounds of other shapes.');
      }
    }
    const { shape } = context.input(0);
    return arithmeticOutput(context, [0, 1, 2], shape, clip);
  },
  reference(_context, [x, least, greatest]) {
    const lo = least ? least.data[0] : -Infinity;
    const hi = greatest ? greatest.data[0] : Infinity;
    return [referenceElementwise([x!], (v) => Math.min(Math.max(v, lo), hi))];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const [lo, hi] = raised(context);
      if (!context.inputs[2]) return [lo, hi];
      const greatest = rangeOf(context.inputs[2]);
      return [Math.min(lo, greatest[0]), Math.min(hi, greatest[1])];
    },
  },
  lower(context) {
    const [low, high] = [context.inputs[1] !== undefined, context.inputs[2] !== undefined];
    return elementwise(context, [0, ...present(context)], ([x, ...loads], type) => {
      const bounds = loads.map((l, i) => {
        const { constant } = context.input(present(context)[i]);
        return constant && type === 'float32' ? float(constant.data[0]) : l;
      });
      // between the two, integers have a range, and so a type, of their own
      const between = type === 'float32' || !high ? type : smallestInteger(...raised(context));
      let value: Expr = low ? maximum(between, x, bounds[0]) : x;
      if (high) value = minimum(type, value, bounds[bounds.length - 1]);
      return value;
    });
  },
  moments: {
    label: 'matched',
    rule(context, [x, ...bounds], build) {
      const mean = (): string => build.node('Clip', [x.mean, ...bounds.map((b) => b.mean)]);
      if (x.variance === undefined && bounds.every((b) => b.variance === undefined)) return { mean: mean() };
      const [lo, hi] = [1, 2].map((i) => (context.inputs[i] ? context.constant(i).data[0] : undefined));
      const variance = x.variance!;
      // x = lo + max(x - lo, 0) above, hi - max(hi - x, 0) below
      if (hi === undefined || hi === Infinity) {
        if (lo === undefined || lo === -Infinity) return { mean: x.mean, variance };
        const [above, spread] = build.nodes('ReluMoments', [build.node('Sub', [x.mean, build.scalar(lo)]), variance], 2);
        return { mean: build.node('Add', [above, build.scalar(lo)]), variance: spread };
      }
      if (lo === undefined || lo === -Infinity) {
        const [below, spread] = build.nodes('ReluMoments', [build.node('Sub', [build.scalar(hi), x.mean]), variance], 2);
        return { mean: build.node('Sub', [build.scalar(hi), below]), variance: spread };
      }
      if (lo >= hi) return { mean: mean() };
      const [first, spread] = build.nodes('ClipMoments', [x.mean, variance], 2, { min: lo, max: hi });
      return { mean: first, variance: spread };
    },
  },
  samples: [
    ...[1, 4, 7, 16, 33].map((c, i) => ({
      name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c]), weight([], { values: [-0.5] }), weight([], { values: [1.25] })], seed: 1100 + i, tolerance: 0,
    })),
    { name: 'no lower bound', inputs: [given([3, 5]), given([], { absent: true }), weight([], { values: [0.5] })], seed: 1110, tolerance: 0 },
    { name: 'no upper bound', inputs: [given([3, 5]), weight([], { values: [0.5] })], seed: 1111, tolerance: 0 },
    { name: 'no bounds', inputs: [given([3, 5])], seed: 1112, tolerance: 0 },
    { name: 'bounds crossed', inputs: [given([3, 5]), weight([], { values: [1] }), weight([], { values: [-1] })], seed: 1113, tolerance: 0 },
    { name: 'bounds at run time', inputs: [given([1, 3, 2, 2]), given([], { range: [-1, 0] }), given([1], { range: [0, 1] })], seed: 1114, tolerance: 0 },
    { name: 'specials', inputs: [given([5], { values: [NaN, Infinity, -Infinity, 0, -0] }), weight([], { values: [0] }), weight([], { values: [6] })], seed: 1115, tolerance: 0 },
    { name: 'int8', inputs: [given([3, 17], { dtype: 'int8' }), weight([], { dtype: 'int8', values: [-7] }), weight([], { dtype: 'int8', values: [20] })], seed: 1116, tolerance: 0 },
    { name: 'int16 above', inputs: [given([3, 9], { dtype: 'int16' }), weight([], { dtype: 'int32', values: [0] }), weight([], { dtype: 'int32', values: [255] })], seed: 1117, tolerance: 0 },
    { name: 'int8 of a narrower range, no bounds', inputs: [given([3, 9], { dtype: 'int8', range: [0, 5] })], seed: 1119, tolerance: 0 },
    { name: 'uint32, signed bounds', inputs: [given([3, 9], { dtype: 'uint32' }), weight([], { dtype: 'int32', values: [5] }), weight([], { dtype: 'int32', values: [2000000000] })], seed: 1119, tolerance: 0 },
    { name: 'uint5, wide bounds', inputs: [given([3, 9], { dtype: 'uint5' }), weight([], { dtype: 'int32', values: [-100] }), weight([], { dtype: 'int32', values: [1000] })], seed: 1118, tolerance: 0 },
  ],
};
