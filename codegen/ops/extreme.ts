/** The kernel that ArgMax and TopK (k = 1) share: the best element along an axis and where it is. */
import { axis, compare, constant, float, int, load, maximum, minimum, ref, select } from '../ir/build.js';
import type { DataType } from '../ir/datatype.js';
import type { Kernel, Store } from '../ir/program.js';
import { spaceAxes } from './elementwise.js';
import { elementType, kernelName, makeKernel, rangeOf, type Range } from './operands.js';
import type { LowerContext, NdArray } from './record.js';

export interface Extreme {
  readonly axis: number;
  readonly largest: boolean;
  /** Of equal elements the last wins, else the first. */
  readonly last: boolean;
  /** The reduced dimension stays, with extent 1. */
  readonly keep: boolean;
  readonly values?: string;
  readonly indices?: string;
}

/** Two accumulators: NaN never wins, and where nothing wins (only NaN, or only the worst value) the index is 0. */
export function extremeKernel(context: LowerContext, e: Extreme): Kernel {
  const x = context.input(0);
  const all = spaceAxes(x.shape);
  const space = all.filter((_, d) => d !== e.axis);
  const type = elementType(x);
  const worst = type === 'float32' ? float(e.largest ? -Infinity : Infinity) : int(rangeOf(x)[e.largest ? 0 : 1], type);
  const at = e.keep ? all.map((a, d) => (d === e.axis ? constant(0) : axis(a.name))) : space.map((a) => axis(a.name));
  const better = ref('better');
  // both lie in their ranges already: the bounds are the proof
  const bounded = (name: string, of: DataType, [lo, hi]: Range) => minimum(of, maximum(of, ref(name), int(lo, of)), int(hi, of));
  const stores: Store[] = [];
  if (e.values) stores.push({ tensor: e.values, at, value: type === 'float32' ? ref('best') : bounded('best', type, rangeOf(x)) });
  if (e.indices) stores.push({ tensor: e.indices, at, value: bounded('where', 'int32', [0, all[e.axis].extent - 1]) });
  return makeKernel({
    name: kernelName(context),
    op: 'reduce',
    space,
    reduce: [all[e.axis]],
    body: [
      { name: 'value', type, value: load(x.name, all.map((a) => a.name)) },
      { name: 'better', type: 'uint1', value: compare(e.largest ? (e.last ? 'ge' : 'gt') : e.last ? 'le' : 'lt', ref('value'), ref('best')) },
    ],
    accumulators: [
      { name: 'best', type, init: worst, update: select(type, better, ref('value'), ref('best')) },
      { name: 'where', type: 'int32', init: int(0), update: select('int32', better, { op: 'index', type: 'int32', index: axis(all[e.axis].name) }, ref('where')) },
    ],
    stores,
  });
}

/** Best values and their indices by plain loops; shapes with the dimension kept. */
export function referenceExtreme(x: NdArray, along: number, largest: boolean, last: boolean): { values: NdArray; indices: NdArray } {
  const length = x.shape[along];
  const inner = x.shape.slice(along + 1).reduce((a, b) => a * b, 1);
  const outer = x.data.length / length / inner;
  const shape = x.shape.map((extent, d) => (d === along ? 1 : extent));
  const values = new Float64Array(outer * inner);
  const indices = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const line = Array.from({ length }, (_, k) => x.data[(o * length + k) * inner + i]);
      const worst = largest ? -Infinity : Infinity;
      const best = line.filter((v) => !Number.isNaN(v)).reduce((a, b) => (largest ? Math.max(a, b) : Math.min(a, b)), worst);
      values[o * inner + i] = best;
      indices[o * inner + i] = best === worst && !last ? 0 : Math.max(0, last ? line.lastIndexOf(best) : line.indexOf(best));
    }
  }
  return { values: { shape, data: values }, indices: { shape, data: indices } };
}
