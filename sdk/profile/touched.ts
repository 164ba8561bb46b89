/**
 * How many elements of each tensor a kernel touches, every element once: the coordinates that its indices reach in each
 * dimension, multiplied. Reads outside a tensor (of its halo) do not count; what is written there does. Exact where dimensions
 * have axes of their own, else an upper bound.
 */
import type { Factor, Index, Kernel, Program } from '../../codegen/ir/program.js';
import { walkIndex, walkKernel } from '../../codegen/ir/walk.js';

/** Coordinates beyond these are not enumerated: then the whole dimension counts. */
const mostPoints = 2 ** 18;

/** Touched elements by tensor, of loads and of stores, in one turn of the repeats around the kernel. */
export function touched(kernel: Kernel, program: Program): { loads: ReadonlyMap<string, number>; stores: ReadonlyMap<string, number> } {
  const extents = new Map([...kernel.space, ...kernel.reduce].map((a) => [a.name, a.extent]));
  const loads = new Map<string, Set<number>[]>();
  const stores = new Map<string, Set<number>[]>();
  const add = (to: Map<string, Set<number>[]>, tensor: string, at: readonly Index[]): void => {
    const { shape, layout } = program.tensors[tensor];
    const dims = to.get(tensor) ?? shape.map(() => new Set<number>());
    to.set(tensor, dims);
    at.forEach((index, d) => {
      const [before, after] = (to === stores && layout.halo?.[d]) || [0, 0];
      reach(index, -before, shape[d] + after, extents, dims[d]);
    });
  };
  walkKernel(kernel, { expr: (e) => { if (e.op === 'load') add(loads, e.tensor, e.at); } });
  for (const s of kernel.stores) add(stores, s.tensor, s.at);
  const count = (dims: readonly Set<number>[]): number => dims.reduce((n, d) => n * d.size, 1);
  const counted = (map: Map<string, Set<number>[]>): Map<string, number> => new Map([...map].map(([tensor, dims]) => [tensor, count(dims)]));
  return { loads: counted(loads), stores: counted(stores) };
}

/** Adds to `found` the coordinates of [start, end) that an index takes. */
function reach(index: Index, start: number, end: number, extents: ReadonlyMap<string, number>, found: Set<number>): void {
  if (found.size === end - start) return;
  const axes = new Set<string>();
  let computed = false;
  walkIndex(index, {
    index: (i) => i.terms.forEach(({ of }) => {
      if (typeof of === 'string') axes.add(of);
      else computed ||= 'value' in of;
    }),
  });
  // Axes of repeats stay where they are.
  const names = [...axes].filter((name) => extents.has(name));
  const points = names.reduce((n, name) => n * extents.get(name)!, 1);
  if (computed || points > mostPoints) {
    for (let i = start; i < end; i++) found.add(i);
    return;
  }
  const at = new Map(names.map((name) => [name, 0]));
  for (let p = 0; p < points; p++) {
    const value = valueOf(index, at);
    if (value >= start && value < end) found.add(value);
    for (const name of names) {
      const next = at.get(name)! + 1;
      at.set(name, next % extents.get(name)!);
      if (next < extents.get(name)!) break;
    }
  }
}

function valueOf(index: Index, at: ReadonlyMap<string, number>): number {
  return index.terms.reduce((sum, { coeff, of }) => sum + coeff * factorOf(of, at), index.offset);
}

function factorOf(of: Factor, at: ReadonlyMap<string, number>): number {
  if (typeof of === 'string') return at.get(of) ?? 0;
  if ('div' in of) return Math.floor(valueOf(of.div, at) / of.by);
  if ('rem' in of) {
    const r = valueOf(of.rem, at) % of.by;
    return r < 0 ? r + of.by : r;
  }
  return of.lo;
}
