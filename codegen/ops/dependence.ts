/**
 * How elements of an operator's inputs reach its output, dimension by dimension: what the pass `moments` needs to say where
 * independence is assumed but does not hold. Not here: what depends on what in a graph (passes/twins/independence.ts).
 */
import { elementCount } from '../ir/graph.js';
import type { MomentDependence, MomentFlow, NodeContext } from './record.js';
import type { Window } from './window.js';

/** Of an input that broadcasts to the output, and works on each element apart. */
export function elementwiseFlow(from: readonly number[], to: readonly number[]): MomentFlow {
  const skip = to.length - from.length;
  return { meets: [], keeps: to.map((extent, d) => (extent === 1 ? [] : d >= skip && from[d - skip] === extent ? [d - skip] : undefined)) };
}

/** Of the same elements in row-major order under another shape. */
export function viewFlow(from: readonly number[], to: readonly number[]): MomentFlow {
  const keeps: number[][] = to.map(() => []);
  let [i, o] = [0, 0];
  while (o < to.length) {
    // the least blocks of dimensions with as many elements
    const [firstIn, firstOut] = [i, o];
    let [inside, outside] = [1, to[o++]];
    while (inside !== outside || (i < from.length && i === firstIn)) {
      if (inside < outside || i === firstIn) {
        if (i === from.length) break;
        inside *= from[i++];
      } else outside *= to[o++];
    }
    const block = Array.from({ length: i - firstIn }, (_, k) => firstIn + k);
    for (let d = firstOut; d < o; d++) keeps[d] = to[d] === 1 ? [] : block;
  }
  return { meets: [], keeps };
}

/** Of a matrix product's operands, each [.., rows, columns] once transposed; leading dimensions broadcast. */
export function matrixFlows(a: readonly number[], b: readonly number[], to: readonly number[], { transA = false, transB = false } = {}): MomentFlow[] {
  const [vectorA, vectorB] = [a.length === 1, b.length === 1];
  const operand = (shape: readonly number[], isVector: boolean, transposed: boolean, first: boolean): MomentFlow => {
    const rank = shape.length;
    const inner = isVector ? 0 : first !== transposed ? rank - 1 : rank - 2;
    const own = isVector ? undefined : first !== transposed ? rank - 2 : rank - 1;
    // the output's last dimensions: rows of a, columns of b, as far as they exist
    const rowAt = vectorA ? undefined : to.length - (vectorB ? 1 : 2);
    const columnAt = vectorB ? undefined : to.length - 1;
    const leading = to.length - (vectorA ? 0 : 1) - (vectorB ? 0 : 1);
    const skip = leading - Math.max(rank - 2, 0);
    return {
      meets: [inner],
      keeps: to.map((extent, d) => {
        if (extent === 1) return [];
        if (d === (first ? rowAt : columnAt)) return own === undefined ? undefined : [own];
        if (d >= leading) return undefined;
        return d >= skip && shape[d - skip] === extent ? [d - skip] : undefined;
      }),
    };
  };
  return [operand(a, vectorA, transA, true), operand(b, vectorB, transB, false)];
}

const overlap = (w: Window): boolean => w.stride < (w.kernel - 1) * w.dilation + 1;

/** Of the data of windows, [N, C, spatial..]: `channels` says whether those of the input meet and whether each output has its own. */
export function windowFlow(dims: readonly Window[], channels: { readonly meet: boolean; readonly own: boolean }): MomentFlow {
  const spatial = dims.map((_, d) => d + 2);
  return {
    meets: [...(channels.meet ? [1] : []), ...spatial.filter((_, d) => dims[d].kernel > 1)],
    keeps: [[0], channels.own ? [1] : undefined, ...dims.map((w, d) => (overlap(w) ? undefined : [d + 2]))],
  };
}

/** Of a reduction over `axes`: its elements meet; the other dimensions stay, in their order. */
export function reductionFlow(shape: readonly number[], axes: readonly number[], keepdims: boolean): MomentFlow {
  const keeps = shape.flatMap((_, d): number[][] => (axes.includes(d) ? (keepdims ? [[]] : []) : [[d]]));
  return { meets: axes, keeps };
}

/** The `dependence` of operators whose outputs have the elements of input 0, seen by `flow`; other inputs are constants. */
export function dependenceOf(flow: (context: NodeContext, to: readonly number[]) => MomentFlow): MomentDependence {
  return { flows: (context, to) => [flow(context, to)] };
}

/** Of an operator that keeps the order and number of elements. */
export const viewDependence: MomentDependence = {
  isView: true,
  flows: (context, to) => {
    const from = context.input(0).shape;
    return [elementCount(from) === 0 ? { meets: [], keeps: to.map(() => []) } : viewFlow(from, to)];
  },
};
