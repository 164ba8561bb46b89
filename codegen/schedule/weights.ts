/**
 * Weights that are computed, such as drawn ones: they cannot be packed as constants are, so they are made in the order in which
 * the kernel that multiplies with them reads them, outputs innermost, for the lanes.
 */
import type { Index, Kernel, Program } from '../ir/program.js';
import { innermostDimension } from './bytes.js';
import { loadsOf } from './fuse.js';

/**
 * The dimensions of temporaries from the outermost in, by name, of those that a reduction reads as weights: at outputs that lie
 * side by side and at what it sums over, and at nothing else.
 */
export function weightOrders(program: Program, kernels: readonly Kernel[]): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const kernel of kernels) {
    if (kernel.reduce.length === 0) continue;
    const [store] = kernel.stores;
    if (store.at.length === 0) continue;
    const lane = axisOf(store.at[innermostDimension(program.tensors[store.tensor].shape)]);
    const loads = loadsOf(kernel);
    for (const { tensor, at, guard } of loads) {
      if (lane === undefined || guard || found.has(tensor) || program.buffers[program.tensors[tensor].buffer].role !== 'temporary') continue;
      // something else is multiplied with it
      if (loads.every((l) => l.tensor === tensor || !l.at.some((i) => kernel.reduce.some((a) => i.terms.some((t) => t.of === a.name))))) continue;
      const order = orderOf(kernel, at, lane);
      if (order) found.set(tensor, order);
    }
  }
  return found;
}

function orderOf(kernel: Kernel, at: readonly Index[], lane: string): number[] | undefined {
  const axes = at.map((i) => (i.terms.length === 0 && i.offset === 0 ? '' : axisOf(i)));
  const places = axes.map((name) => (name === '' ? -1 : name === lane ? Infinity : kernel.reduce.findIndex((a) => a.name === name)));
  const isFixed = (name: string | undefined): boolean => name === '' || kernel.space.some((a) => a.name === name && a.extent === 1);
  if (!axes.includes(lane) || !places.some((p) => p >= 0 && p < Infinity) || axes.some((name, d) => places[d] < 0 && !isFixed(name))) return undefined;
  return at.map((_, d) => d).sort((a, b) => places[a] - places[b] || a - b);
}

function axisOf({ offset, terms }: Index): string | undefined {
  return offset === 0 && terms.length === 1 && terms[0].coeff === 1 && typeof terms[0].of === 'string' ? terms[0].of : undefined;
}
