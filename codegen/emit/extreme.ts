/**
 * The greater or lesser of a float vector and a constant, with WebAssembly's meaning (NaN stays, -0 < +0), by the instruction
 * that is only a comparison and a choice: x86 has no other, and engines make about nine instructions of the exact one.
 *
 *   pmax(x, c) = x < c ? c : x      pmin(x, c) = c < x ? c : x
 *
 * Both keep a NaN in x. They miss only the zeros that compare as equal: max(-0, +0), where adding +0 puts it right, and
 * min(+0, -0), which is left to the exact instruction.
 */
import { floatFromBits } from '../ir/build.js';
import type { Expr, Kernel } from '../ir/program.js';
import type { Context, Value } from './context.js';

/** Undefined where the processor has the exact instruction, or nothing shorter has its meaning. */
export function extremeOfConstant(op: 'min' | 'max', x: Value, constant: Expr, vectors: readonly [string, string], context: Context): Value | undefined {
  if (context.target.processor.exactExtremes || constant.op !== 'float') return undefined;
  const c = floatFromBits(constant.bits);
  if (Number.isNaN(c) || (op === 'min' && Object.is(c, -0))) return undefined;
  const text = `f32x4.p${op}(${vectors[0]}, ${vectors[1]})`;
  const isPositive = op === 'max' && (c > 0 || Object.is(c, 0));
  const misses = op === 'max' && Object.is(c, 0) && !x.notMinusZero;
  return { text: misses ? `f32x4.add(${text}, ${vectors[1]})` : text, type: 'float32', shape: 'vector', notMinusZero: isPositive };
}

/** True where every float accumulator is a sum from +0: x + y is -0 only where both are. */
export function sumsFromZero(kernel: Kernel): boolean {
  return kernel.accumulators.every(({ name, type, init, update }) => {
    if (type !== 'float32') return true;
    const own = (e: Expr): boolean => e.op === 'ref' && e.name === name;
    return init.op === 'float' && init.bits === '00000000' && update.op === 'add' && (own(update.a) || own(update.b));
  });
}
