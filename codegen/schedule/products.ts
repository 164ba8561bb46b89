/**
 * Kernels that are one integer sum of products of two tensors: what groups of products, lookups and counts of bits begin with.
 */
import { isInteger } from '../ir/datatype.js';
import type { Expr, Kernel, Program } from '../ir/program.js';
import { isProductSum } from './steps.js';

type Load = Extract<Expr, { op: 'load' }>;

export interface ProductOperands {
  readonly data: Load;
  /** The constant. */
  readonly weight: Load;
}

/** The operands of a kernel that sums integer products of a constant and something else, both read without guards. */
export function productOperands(kernel: Kernel, program: Program): ProductOperands | undefined {
  if (kernel.accumulators.length !== 1 || kernel.body.length > 0) return undefined;
  const [acc] = kernel.accumulators;
  if (!isInteger(acc.type) || !isProductSum(acc.update, acc.name)) return undefined;
  const { a, b } = (acc.update as unknown as { b: { a: Expr; b: Expr } }).b;
  if (a.op !== 'load' || b.op !== 'load' || a.guard || b.guard) return undefined;
  const constant = (l: Load): boolean => program.buffers[program.tensors[l.tensor].buffer].role === 'constant';
  if (constant(b) && !constant(a)) return { data: a, weight: b };
  return constant(a) && !constant(b) ? { data: b, weight: a } : undefined;
}
