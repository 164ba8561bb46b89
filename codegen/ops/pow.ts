/** Pow: x^e for float32, where e is one constant that multiplications, a division and a square root can make. */
import { divide, float, mul, unary } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import type { Expr } from '../ir/program.js';
import type { Scope } from '../functions/scope.js';
import { broadcastShape, elementwise, referenceElementwise } from './elementwise.js';
import { floatOutput, given, operandKind, weight } from './operands.js';
import { squareMoments } from './productMoments.js';
import type { LowerContext, OperatorRecord } from './record.js';

const GREATEST = 16;

/** x^n for a whole n >= 1, by squaring: from the highest bit of n down. */
function wholePower(scope: Scope, x: Expr, n: number): Expr {
  let value = x;
  for (const bit of n.toString(2).slice(1)) {
    const root = scope.float('root', value);
    value = mul('float32', root, root);
    if (bit === '1') value = mul('float32', value, x);
  }
  return value;
}

function exponentOf(context: LowerContext): number {
  const exponent = context.constant(1);
  const e = exponent.data[0];
  const magnitude = Math.abs(e);
  if (exponent.data.every((v) => v === e) && (magnitude === 0.5 || (Number.isInteger(e) && magnitude <= GREATEST))) return e;
  return fail(
    'graph/unsupported', context.node.name,
    `Pow has the exponent ${exponent.data.every((v) => v === e) ? e : 'tensor ' + context.input(1).name}`,
    `The exponent must be one constant: 0.5, -0.5, or a whole number from ${-GREATEST} to ${GREATEST}.`,
  );
}

export const pow: OperatorRecord = {
  name: 'Pow',
  doc: `y = x^e; the shapes broadcast. Any e between constants; else e is one constant: 0.5, -0.5 (by the square root: NaN below 0) or a whole number from ${-GREATEST} to ${GREATEST}.`,
  inputs: [{ name: 'X' }, { name: 'Y' }],
  outputs: ['Z'],
  attributes: {},
  infer(context) {
    operandKind(context, [0], false);
    const exponent = context.input(1);
    if (exponent.dtype !== 'float32' && !exponent.constant) operandKind(context, [1], false);
    return [floatOutput(broadcastShape(context, [0, 1]))];
  },
  reference(_context, [x, e]) {
    return [referenceElementwise([x!, e!], (v, power) => v ** power)];
  },
  lower(context) {
    const e = exponentOf(context);
    const n = Math.abs(e);
    // the exponent only lends its shape
    return elementwise(context, [0], ([load], _type, scope) => {
      if (n === 0) return float(1);
      const x = scope.float('x', load);
      const value = n === 0.5 ? unary('sqrt', 'float32', x) : wholePower(scope, x, n);
      return e < 0 ? divide(float(1), value) : value;
    });
  },
  moments: {
    label: 'matched',
    rule(context, [x, e], build) {
      const mean = build.node('Pow', [x.mean, e.mean]);
      if (x.variance === undefined && e.variance === undefined) return { mean };
      const { constant, name } = context.input(1);
      if (e.variance !== undefined || !constant?.data.every((v) => v === 2)) fail('graph/no-moments', context.node.name, `its exponent is ${name}, and only squares have moments`, 'Use the exponent 2, or compile the sampled twin.');
      return squareMoments(build, { mean: x.mean, variance: x.variance! });
    },
  },
  samples: [2, 3, 4, 7, 1, 0, -1, -2, 0.5, -0.5, 16].map((e, i) => ({
    name: `exponent ${e}`,
    inputs: [given([1 + 2 * (i % 2), 4 + i], { range: [0.5, 3] }), weight(i % 3 === 0 ? [1] : [], { values: [e] })],
    seed: 1150 + i,
    tolerance: 1e-6,
  })),
};
