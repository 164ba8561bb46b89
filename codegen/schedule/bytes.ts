/**
 * Which temporaries are stored in bytes so that 8-bit dot products read them as they lie: those that are an operand of
 * such products along their innermost dimension, and what they are copies of.
 */
import { describe } from '../ir/datatype.js';
import type { Expr, Index, Kernel, Program, Tensor } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { loadedRange, narrowFactor, productsOf } from './defaults/groups.js';
import { loadsOf } from './fuse.js';

/** The dimension that lies innermost in a temporary: channels from rank 3 on, where there are enough. */
export function innermostDimension(shape: readonly number[]): number {
  return shape.length >= 3 && shape[1] >= 4 ? 1 : shape.length - 1;
}

/** Names of the temporaries to be stored in bytes. */
export function byteTensors(program: Program, kernels: readonly Kernel[], target: Target): ReadonlySet<string> {
  const found = new Set<string>();
  const dot = target.dots.find((d) => d.unsignedBits !== undefined);
  if (!dot) return found;
  for (const kernel of kernels) {
    const products = productsOf(kernel);
    if (!products) continue;
    for (const [name, other] of [[products.a, products.b], [products.b, products.a]]) {
      const [tensor, weights] = [program.tensors[name], program.tensors[other]];
      if (program.buffers[weights.buffer].role !== 'constant' || describe(tensor.dtype).bits > dot.operandBits) continue;
      const load = loadsOf(kernel).find((l) => l.tensor === name)!;
      if (narrowFactor(dot, withPadding(tensor, load), loadedRange(weights)) && hasGroups(kernel, load.at, innermostDimension(tensor.shape))) found.add(name);
    }
  }
  // A copy and what it copies may become views of one another.
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const kernel of kernels) {
      const [store] = kernel.stores;
      if (kernel.op !== 'copy' || store.value.op !== 'load' || !found.has(store.tensor)) continue;
      if (describe(program.tensors[store.value.tensor].dtype).bits <= 8) found.add(store.value.tensor);
    }
  }
  return found;
}

/** Values of a load: where it reaches outside, it gives its else-value, or the halo that will stand for that. */
function withPadding(tensor: Tensor, load: Extract<Expr, { op: 'load' }>): readonly [number, number] {
  const [lo, hi] = loadedRange(tensor);
  return load.guard ? [Math.min(lo, 0), Math.max(hi, 0)] : [lo, hi];
}

/** True where groups have members: neighbours along the innermost dimension, or vectors, where that is one of the outputs. */
function hasGroups(kernel: Kernel, at: readonly Index[], innermost: number): boolean {
  const long = (name: unknown): boolean => kernel.reduce.some((a) => a.name === name && a.extent >= 2);
  const { terms } = at[innermost];
  if (terms.some((t) => t.coeff === 1 && long(t.of))) return true;
  const isOutput = terms.length === 1 && terms[0].coeff === 1 && kernel.space.some((a) => a.name === terms[0].of);
  return isOutput && at.some((i) => i.terms.some((t) => long(t.of)));
}
