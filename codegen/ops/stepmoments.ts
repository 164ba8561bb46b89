/**
 * StepMoments: moments of a staircase of a normal x: how many of a few thresholds it reaches, about the number `level` that its mean
 * reaches. Internal: made by the moments of quantizers of up to 4 bits and of thresholds.
 *
 * With T_j the probability that x is on the other side of threshold j than its mean, and i the steps from the level to it:
 * offset = sum of +-T_j, variance = sum of (2 i - 1) T_j - offset^2. The first sum is at least twice the second: little cancels.
 */
import { add, axis, compare, constant, float, load, maximum, mul, select, sub, unary } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import type { Expr } from '../ir/program.js';
import { normalTail } from '../functions/normalTail.js';
import { momentsByQuadrature } from './momentFunction.js';
import { pairArrays, pairKernel, pairShapes } from './momentPair.js';
import { given, normalizeAxis, weight } from './operands.js';
import { coordinateOf } from './quantization.js';
import type { NodeContext, OperatorRecord } from './record.js';

const f = 'float32';

/** Thresholds whose tails are summed one by one: those of 4 bits. */
export const mostSteps = 15;

const channelOf = (c: NodeContext): number => (c.input(3).shape[0] === 1 ? 0 : normalizeAxis(c, c.int('axis'), c.input(0).shape.length));

export const stepmoments: OperatorRecord = {
  name: 'StepMoments',
  doc: `Of the number of \`thresholds\` ([channels or 1, up to ${mostSteps}], ascending) that a normal x of \`mean\` and \`variance\` reaches: its mean less \`level\`, the number that the mean reaches, and its variance. Internal.`,
  inputs: [{ name: 'mean' }, { name: 'variance' }, { name: 'level' }, { name: 'thresholds' }],
  outputs: ['offset', 'outputVariance'],
  attributes: { axis: { type: 'int', doc: 'the dimension of the channels', default: 1 } },
  infer(context) {
    const [, steps] = context.input(3).shape;
    if (steps > mostSteps) fail('graph/no-moments', context.node.name, `it has ${steps} thresholds, and moments are made for up to ${mostSteps}`, 'Use 4 bits or fewer, or compile the sampled twin.');
    return pairShapes(context);
  },
  reference(c, [mean, variance, level, thresholds]) {
    const steps = thresholds!.shape[1];
    const pairs = [...mean!.data].map((m, e) => {
      const row = thresholds!.shape[0] === 1 ? 0 : coordinateOf(mean!.shape, e, channelOf(c));
      const own = [...thresholds!.data.subarray(row * steps, (row + 1) * steps)];
      if (variance!.data[e] === 0) return [0, 0];
      const [first, second] = momentsByQuadrature((x) => own.filter((t) => x >= t).length, m, variance!.data[e], own);
      return [first - level!.data[e], second];
    });
    return pairArrays(mean!.shape, pairs);
  },
  lower(context) {
    return pairKernel(context, ['mean', 'variance', 'level'], ([m, v, level], scope, space) => {
      const table = context.input(3);
      const row = table.shape[0] === 1 ? constant(0) : axis(space[channelOf(context)].name);
      const deviation = scope.float('deviation', unary('sqrt', f, v));
      let [offset, second]: Expr[] = [float(0), float(0)];
      for (let j = 0; j < table.shape[1]; j++) {
        const threshold = table.shape[0] === 1 && table.constant ? float(table.constant.data[j]) : load(table.name, [row, constant(j)]);
        const distance = scope.float('distance', unary('abs', f, sub(f, m, threshold)));
        const { tail } = normalTail(scope, distance, v, deviation);
        // 2 i - 1, negative downwards
        const odd = scope.float('odd', sub(f, float(2 * j + 1), add(f, level, level)));
        offset = scope.float('offset', add(f, offset, select(f, compare('lt', odd, float(0)), unary('neg', f, tail), tail)));
        second = scope.float('second', add(f, second, mul(f, unary('abs', f, odd), tail)));
      }
      const isRandom = compare('ne', v, float(0));
      const spread = maximum(f, sub(f, second, mul(f, offset, offset)), float(0));
      return { mean: select(f, isRandom, offset, float(0)), variance: select(f, isRandom, spread, float(0)) };
    });
  },
  samples: [
    { name: 'one threshold', inputs: [given([2, 4], { values: [-1, -0.1, 0, 0.1, 1, 2, -2, 0] }), given([2, 4], { range: [0.01, 4] }), given([2, 4], { values: [0, 0, 1, 1, 1, 1, 0, 1] }), weight([1, 1], { values: [0] })], outputs: 2, seed: 3300, tolerance: 1e-5 },
    { name: 'three, by channel', inputs: [given([1, 2, 3], { values: [-3, -1, 0.2, 1, 0, -2] }), given([1, 2, 3], { range: [0.01, 4] }), given([1, 2, 3], { values: [0, 1, 2, 3, 1, 0] }), weight([2, 3], { values: [-2, -0.5, 0.5, -1, 0.25, 0.75] })], outputs: 2, seed: 3301, tolerance: 1e-5 },
    { name: 'fifteen', inputs: [given([17], { values: Array.from({ length: 17 }, (_, i) => i - 8.3) }), given([17], { range: [0.01, 9] }), given([17], { values: Array.from({ length: 17 }, (_, i) => Math.min(Math.max(Math.round(i - 8.3) + 8, 0), 15)) }), weight([1, 15], { values: Array.from({ length: 15 }, (_, i) => i - 7.5) })], outputs: 2, seed: 3302, tolerance: 1e-5 },
    { name: 'no variance', inputs: [given([3], { values: [-1, 0, 1] }), given([3], { values: [0, 0, 0] }), given([3], { values: [0, 1, 1] }), weight([1, 1], { values: [0] })], outputs: 2, seed: 3303, tolerance: 0 },
  ],
};
