/**
 * ReluMoments: mean and variance of max(x, 0) for a normal x (the rectified Gaussian), in one kernel. Internal: made by
 * the moments of Relu.
 *
 * With s = sqrt(v), a = m / s, t = |a|, r(t) = phi(t) + t Phi(t) = t + r(-t): mean = s r(a) = max(m, 0) + s r(-t), variance =
 * v Phi(a) - s r(a) s r(-a), both without the cancellation of E[y^2] - E[y]^2. As v goes to 0 the limit is max(m, 0) and 0.
 */
import { add, compare, float, mul, select, sub, unary } from '../ir/build.js';
import { normalTail } from '../functions/normalTail.js';
import { pairArrays, pairKernel, pairShapes } from './momentPair.js';
import { given } from './operands.js';
import type { OperatorRecord } from './record.js';

const f = 'float32';

export const relumoments: OperatorRecord = {
  name: 'ReluMoments',
  doc: 'Mean and variance of max(x, 0), x normal with `mean` and `variance` (both of one shape, variance >= 0). Internal.',
  inputs: [{ name: 'mean' }, { name: 'variance' }],
  outputs: ['outputMean', 'outputVariance'],
  attributes: {},
  infer: pairShapes,
  reference(_context, [mean, variance]) {
    return pairArrays(mean!.shape, [...mean!.data].map((m, e) => rectified(m, variance!.data[e])));
  },
  lower: (context) =>
    pairKernel(context, ['mean', 'variance'], ([m, v], scope) => {
      const deviation = scope.float('deviation', unary('sqrt', f, v));
      const distance = scope.float('distance', unary('abs', f, m));
      const { tail, excess } = normalTail(scope, distance, v, deviation);
      const mean = add(f, select(f, compare('lt', m, float(0)), float(0), m), excess);
      const above = select(f, compare('gt', m, float(0)), sub(f, float(1), tail), tail);
      const spread = scope.float('spread', sub(f, mul(f, v, above), mul(f, add(f, distance, excess), excess)));
      return { mean, variance: select(f, compare('lt', spread, float(0)), float(0), spread) };
    }),
  samples: [
    { name: 'around 0', inputs: [given([3, 17]), given([3, 17], { range: [0.01, 4] })], outputs: 2, seed: 2100, tolerance: 2e-6 },
    { name: 'far below', inputs: [given([2, 9], { range: [-6, -3] }), given([2, 9], { range: [0.5, 2] })], outputs: 2, seed: 2101, tolerance: 2e-5 },
    { name: 'far above', inputs: [given([1, 4, 3, 2], { range: [20, 100] }), given([1, 4, 3, 2], { range: [1e-6, 1e-4] })], outputs: 2, seed: 2102, tolerance: 1e-6 },
    { name: 'no variance', inputs: [given([5], { values: [0, 1, -1, 3e38, -3e38] }), given([5], { values: [0, 0, 0, 0, 0] })], outputs: 2, seed: 2103, tolerance: 0 },
  ],
};

/** Mean and variance by quadrature: independent of the formulas that are lowered. Simpson over the positive part. */
function rectified(m: number, v: number): readonly [number, number] {
  if (v === 0) return [Math.max(m, 0), 0];
  const s = Math.sqrt(v);
  const lo = Math.max(-10, -m / s);
  const hi = Math.max(lo + 1, 10);
  const steps = 2000;
  let [mass, first, second] = [0, 0, 0];
  const centre = Math.max(m, 0);
  for (let i = 0; i <= steps; i++) {
    const z = lo + ((hi - lo) * i) / steps;
    const weight = ((i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * (hi - lo)) / steps / 3;
    const p = weight * Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI);
    const distance = m + s * z - centre;
    mass += p;
    first += p * distance;
    second += p * distance * distance;
  }
  // the rest of the mass sits at 0
  first += (1 - mass) * (0 - centre);
  second += (1 - mass) * centre * centre;
  return [centre + first, second - first * first];
}
