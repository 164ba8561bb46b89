/**
 * Groups of products (`dot`) as one instruction: pairs of 16 bits, one product of a pair, quads of bytes; else their meaning.
 */
import type { Expr } from '../ir/program.js';
import { as, toVector, type Context, type Value } from './context.js';
import { emitPairs, emitQuads, emitSingles, hasZeroSeconds } from './memory.js';
import type { Scope } from './scope.js';

type Dot = Extract<Expr, { op: 'dot' }>;

export function hasQuads(e: Dot, context: Context): boolean {
  return e.bytes === true && e.extent <= 4 && context.lane !== undefined && context.target.dots.some((d) => d.extent === 4);
}

/** sum + dot, by the 8-bit dot product: what its operands were proved to be makes it exact on every machine. */
export function emitQuadDot(e: Dot, sum: Value, scope: Scope, context: Context): Value {
  context.ranges.set(e.axis, [0, e.extent - 1]);
  const [a, b] = [emitQuads(e.a, e.axis, scope, context), emitQuads(e.b, e.axis, scope, context)];
  context.ranges.delete(e.axis);
  // Where members are missing, products with a zero stand for them.
  const first = a.clean || b.clean ? a.text : `v128.and(${a.text}, i32x4.splat(${2 ** (8 * e.extent) - 1}))`;
  return { text: `i32x4.relaxed_dot_i8x16_i7x16_add_s(${first}, ${b.text}, ${toVector(sum, scope, context)})`, type: e.type, shape: 'vector' };
}

export function emitDot(e: Dot, scope: Scope, context: Context): Value {
  if (hasQuads(e, context)) return emitQuadDot(e, { text: '0', type: e.type, shape: 'scalar' }, scope, context);
  const { ranges } = context;
  ranges.set(e.axis, [0, e.extent - 1]);
  const dots = context.lane !== undefined && context.target.dots.some((d) => d.extent === 2);
  if (dots && e.extent === 1) {
    ranges.set(e.axis, [0, 0]);
    const zeros = [hasZeroSeconds(e.a, e.axis, context), hasZeroSeconds(e.b, e.axis, context)];
    const [a, b] = [emitSingles(e.a, zeros[1], scope, context), emitSingles(e.b, zeros[0], scope, context)];
    if (a && b && (a.clean || b.clean || zeros[0] || zeros[1])) {
      ranges.delete(e.axis);
      return { text: `i32x4.dot_i16x8_s(${a.text}, ${b.text})`, type: e.type, shape: 'vector' };
    }
  }
  const pairs = dots && e.extent === 2;
  if (pairs) {
    const text = `i32x4.dot_i16x8_s(${emitPairs(e.a, e.axis, scope, context)}, ${emitPairs(e.b, e.axis, scope, context)})`;
    ranges.delete(e.axis);
    return { text, type: e.type, shape: 'vector' };
  }
  // An emitter without the instruction writes its meaning.
  let total: Value | undefined;
  for (let i = 0; i < e.extent; i++) {
    ranges.set(e.axis, [i, i]);
    const a = context.expression(e.a, scope, context);
    const b = context.expression(e.b, scope, context);
    const vector = a.shape === 'vector' || b.shape === 'vector';
    const product = vector ? `i32x4.mul(${toVector(a, scope, context)}, ${toVector(b, scope, context)})` : `(${as(a, e.type)} * ${as(b, e.type)})`;
    const text: string = !total ? product : vector ? `i32x4.add(${total.text}, ${product})` : `(${total.text} + ${product})`;
    total = { text, type: e.type, shape: vector ? 'vector' : 'scalar' };
  }
  ranges.delete(e.axis);
  return total!;
}
