/**
 * The order in which a tensor goes through a stream: images, then places, then channels, so that windows can begin before the
 * last row has come. Producers and consumers agree on it without knowing one another.
 */
import { axis } from '../../ir/build.js';
import type { Axis, Index, Kernel } from '../../ir/program.js';

/** Dimensions in the order of the stream, the slowest first: channels (dimension 1) last where there are places. */
export function streamOrder(rank: number): number[] {
  const dims = Array.from({ length: rank }, (_, d) => d);
  return rank < 3 ? dims : [0, ...dims.slice(2), 1];
}

/** The dimension that a stream walks fastest. */
export const channelsOf = (shape: readonly number[]): number => streamOrder(shape.length)[shape.length - 1];

/** The space axes of a kernel in the order in which its store walks the stream; undefined where the store is not one axis a dimension. */
export function spaceOrder(kernel: Kernel): string[] | undefined {
  const orders = kernel.stores.map(({ at }) => {
    const axes = at.map((i) => plainAxis(i, kernel.space));
    if (axes.some((a) => a === undefined)) return undefined;
    const walked = streamOrder(at.length).map((d) => axes[d]!).filter((a) => a !== '');
    const rest = kernel.space.filter((a) => !walked.includes(a.name));
    if (new Set(walked).size !== walked.length || rest.some((a) => a.extent > 1)) return undefined;
    return [...rest.map((a) => a.name), ...walked];
  });
  const [first] = orders;
  const key = (o: readonly string[] | undefined): string | undefined => o?.filter((name) => kernel.space.find((a) => a.name === name)!.extent > 1).join(' ');
  return first && orders.every((o) => o !== undefined && key(o) === key(first)) ? first : undefined;
}

/** The axis that an index is; '' for the index 0. */
export function plainAxis(i: Index, axes: readonly Axis[]): string | undefined {
  if (i.offset !== 0 || i.terms.length > 1) return undefined;
  const [t] = i.terms;
  if (!t) return '';
  return t.coeff === 1 && typeof t.of === 'string' && axes.some((a) => a.name === t.of) ? t.of : undefined;
}

/** y[i] = x[i] in the order of the stream, as a kernel of its own. */
export function streamCopy(name: string, op: string, from: string, to: string, shape: readonly number[], inMemoryOrder = false): Kernel {
  const dims = shape.map((extent, d) => ({ name: `d${d}`, extent }));
  const at = dims.map((a) => axis(a.name));
  return {
    kind: 'kernel', name, op, space: (inMemoryOrder ? shape.map((_, d) => d) : streamOrder(shape.length)).map((d) => dims[d]),
    reduce: [], partials: 1, accumulators: [], body: [], epilogue: [],
    stores: [{ tensor: to, at, value: { op: 'load', tensor: from, at } }],
  };
}
