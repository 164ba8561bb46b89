/**
 * Groups of integer products that one instruction does: which reduction loop they run along, and how the weights' fields
 * share containers.
 */
import { describe, isInteger } from '../../ir/datatype.js';
import type { Expr, Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Nest } from '../nest.js';
import { fieldBits } from '../pack.js';
import { isProductSum } from '../steps.js';

/** Pairs of products along a reduction loop. */
export interface Pair {
  readonly loop: string;
  /** Groups whose fields share a container. */
  readonly fields: number;
  readonly bits: number;
  /** The constant whose elements are the weights. */
  readonly weight: string;
}

/** The reduction loop along which pairs of integer products can be one instruction. */
export function pairLoop(nest: Nest, program: Program, target: Target, lane: string): Pair | undefined {
  const { kernel } = nest;
  const dot = target.dots.find((d) => d.extent === 2);
  if (!dot || kernel.accumulators.length !== 1 || kernel.body.length > 0) return undefined;
  const [acc] = kernel.accumulators;
  if (!isInteger(acc.type) || !isProductSum(acc.update, acc.name)) return undefined;
  const product = (acc.update as unknown as { b: { a: Expr; b: Expr } }).b;
  const operands = [product.a, product.b].map((e) => (e.op === 'load' && !e.guard ? e : undefined));
  if (operands.some((o) => o === undefined)) return undefined;
  const narrow = operands.every((o) => {
    const { bits, signed } = describe(program.tensors[o!.tensor].dtype);
    // Two products must fit 32 bits: 16 bits signed would overflow in one case only, which 15 exclude.
    return bits <= (signed ? dot.operandBits : dot.operandBits - 1);
  });
  if (!narrow || operands.every((o) => /int16$/.test(program.tensors[o!.tensor].dtype))) return undefined;
  const all = accesses(nest, program);
  const data = all.find((a) => !a.constant && operands.some((o) => o!.tensor === a.tensor));
  const weight = all.find((a) => a.constant && operands.some((o) => o!.tensor === a.tensor));
  if (!data || !weight || !weight.depends(lane) || data.depends(lane) || data.elementBits !== 16) return undefined;
  const loop = nest.loops.find((l) => l.kind === 'reduce' && l.extent % 2 === 0 && data.stride(l.name) === data.elementBits && weight.depends(l.name));
  if (!loop) return undefined;
  const bits = fieldBits(program.tensors[weight.tensor]);
  let fields = Math.floor(16 / bits);
  const pairs = loop.extent / 2;
  while (fields > 1 && pairs % fields !== 0) fields--;
  return { loop: loop.name, fields: bits <= 5 || (bits < 8 && fields === 2) ? fields : 1, bits, weight: weight.tensor };
}
