/** Divergence: a class's part of the divergence of P from Q. Internal; see ../functions/divergence.ts. */
import { sub } from '../ir/build.js';
import { divergence as divergenceOf } from '../functions/divergence.js';
import { broadcastShape, elementwise, referenceElementwise } from './elementwise.js';
import { floatOutput, given, operandKind } from './operands.js';
import type { OperatorRecord } from './record.js';

export const divergence: OperatorRecord = {
  name: 'Divergence',
  doc: 'c = P ln(P / Q) - P + Q of P, Q >= 0 (P is 0 where Q is), element by element; never negative; the shapes broadcast. Internal: made by the uncertainty head.',
  inputs: [{ name: 'P' }, { name: 'Q' }],
  outputs: ['C'],
  attributes: {},
  infer(context) {
    operandKind(context, [0, 1], false);
    return [floatOutput(broadcastShape(context, [0, 1]))];
  },
  reference: (_context, [p, q]) => [referenceElementwise([p!, q!], (a, b) => (a > 0 ? a * (Math.log(a) - Math.log(b)) - a + b : b))],
  lower: (context) => elementwise(context, [0, 1], ([p, q], _type, scope) => {
    const [a, b] = [scope.float('p', p), scope.float('q', q)];
    return divergenceOf(scope, a, b, sub('float32', a, b));
  }),
  samples: [
    ...[1, 3, 4, 5, 10, 17, 33].map((c, i) => ({ name: `classes ${c}`, inputs: [given([2, 3, c], { range: [0, 1] as const }), given([2, 1, c], { range: [0.01, 1] as const })], seed: 4470 + i, tolerance: 1e-6 })),
    { name: 'zeros, and what is near', inputs: [given([6], { values: [0, 0, 1, 1, 1e-30, 0.5] }), given([6], { values: [0, 1, 1, 0.999, 1, 1.2] })], seed: 4480, tolerance: 1e-6 },
  ],
};
