/**
 * Kernels that are one integer sum of products of data and a constant: which of the two is which. What lookups begin with.
 */
import type { Kernel, Program } from '../ir/program.js';
import { productsOf } from './defaults/groups.js';
import { loadsOf } from './fuse.js';

/** Names of tensors. */
export interface ProductOperands {
  readonly data: string;
  /** The constant. */
  readonly weight: string;
}

/** The operands of a kernel that sums integer products of a constant and something else, both read without guards. */
export function productOperands(kernel: Kernel, program: Program): ProductOperands | undefined {
  const products = productsOf(kernel);
  if (!products || loadsOf(kernel).some((l) => l.guard && (l.tensor === products.a || l.tensor === products.b))) return undefined;
  const { a, b } = products;
  const constant = (name: string): boolean => program.buffers[program.tensors[name].buffer].role === 'constant';
  if (constant(a) === constant(b)) return undefined;
  return constant(b) ? { data: a, weight: b } : { data: b, weight: a };
}
