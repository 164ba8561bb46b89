/** What ReduceSum, ReduceMean and ReduceMax share: axes, shapes, the kernel, the reference loops, samples. */
import { dependenceOf, reductionFlow } from './dependence.js';
import { axis, load } from '../ir/build.js';
import type { DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Expr, Kernel } from '../ir/program.js';
import { spaceAxes } from './elementwise.js';
import { elementType, given, kernelName, makeKernel, normalizeAxis, partialSums, weight } from './operands.js';
import type { AttributeSchema, InputSchema, LowerContext, NdArray, NodeContext, OperatorRecord, Sample } from './record.js';

export const reductionInputs: readonly InputSchema[] = [{ name: 'data' }, { name: 'axes', optional: true }];

export const reductionAttributes: Readonly<Record<string, AttributeSchema>> = {
  keepdims: { type: 'int', doc: '1: reduced dimensions stay, with extent 1.', default: 1 },
  noop_with_empty_axes: { type: 'int', doc: '1: without axes nothing is reduced, else everything.', default: 0 },
};

export interface ReductionParts {
  /** Which dimensions are reduced, ascending. */
  readonly axes: readonly number[];
  readonly shape: readonly number[];
  /** Elements reduced to one. */
  readonly count: number;
}

export function reductionParts(context: NodeContext): ReductionParts {
  const x = context.input(0);
  const rank = x.shape.length;
  const given = context.inputs[1] ? [...context.constant(1).data].map((a) => normalizeAxis(context, a, rank)) : [];
  const all = given.length === 0 && context.int('noop_with_empty_axes') === 0;
  const axes = all ? x.shape.map((_, d) => d) : [...new Set(given)].sort((a, b) => a - b);
  const count = elementCount(axes.map((d) => x.shape[d]));
  if (count === 0) fail('graph/shape', context.node.name, `${x.name} is ${formatShape(x.shape)}: there is nothing to reduce over`, 'Give a tensor that is not empty.');
  const keep = context.int('keepdims') !== 0;
  const shape = keep ? x.shape.map((extent, d) => (axes.includes(d) ? 1 : extent)) : x.shape.filter((_, d) => !axes.includes(d));
  return { axes, shape, count };
}

/** The `moments` of a sum, or of a mean, whose variance is `factor` of the same reduction of variances. */
export function reductionMoments(factor: (count: number) => number): NonNullable<OperatorRecord['moments']> {
  return {
    label: 'exact',
    rule(context, [x, axes], build) {
      const { op, attributes } = context.node;
      const reduce = (value: string): string => build.node(op, axes ? [value, axes.mean] : [value], attributes);
      const mean = reduce(x.mean);
      if (x.variance === undefined) return { mean };
      const scale = factor(reductionParts(context).count);
      return { mean, variance: scale === 1 ? reduce(x.variance) : build.node('Mul', [reduce(x.variance), build.scalar(scale)]) };
    },
    dependence: dependenceOf((context) => reductionFlow(context.input(0).shape, reductionParts(context).axes, context.int('keepdims') !== 0)),
  };
}

/** One accumulator over the reduced dimensions, row-major; `update` takes the accumulator and an element. */
export function reduceKernel(
  context: LowerContext,
  { axes, shape }: ReductionParts,
  init: (type: DataType) => Expr,
  update: (type: DataType, total: Expr, x: Expr) => Expr,
  finish: (total: Expr) => Expr = (total) => total,
): Kernel {
  const [x, y] = [context.input(0), context.outputs[0]];
  const all = spaceAxes(x.shape);
  const space = all.filter((_, d) => !axes.includes(d));
  const reduce = all.filter((_, d) => axes.includes(d));
  const type = elementType(y);
  const value = load(x.name, all.map((a) => a.name));
  const kept = shape.length === x.shape.length ? all.map((a, d) => (axes.includes(d) ? axis(a.name, 0) : axis(a.name))) : space.map((a) => axis(a.name));
  const name = kernelName(context);
  const total: Expr = { op: 'ref', name: 'acc' };
  if (reduce.length === 0) {
    // nothing is reduced: every element by itself
    return makeKernel({ name, op: 'elementwise', space, stores: [{ tensor: y.name, at: kept, value: finish(update(type, init(type), value)) }] });
  }
  return makeKernel({
    name,
    op: 'reduce',
    space,
    reduce,
    partials: partialSums(space, reduce, type, all[0].name),
    accumulators: [{ name: 'acc', type, init: init(type), update: update(type, total, value) }],
    stores: [{ tensor: y.name, at: kept, value: finish(total) }],
  });
}

/** `f` of the elements that are reduced to each output. */
export function referenceReduction({ axes, shape }: ReductionParts, x: NdArray, f: (values: readonly number[]) => number): NdArray {
  const groups: number[][] = Array.from({ length: elementCount(shape) }, () => []);
  x.data.forEach((v, e) => {
    let [rest, target, stride] = [e, 0, 1];
    for (let d = x.shape.length - 1; d >= 0; d--) {
      const coordinate = rest % x.shape[d];
      rest = Math.floor(rest / x.shape[d]);
      if (axes.includes(d)) continue;
      target += coordinate * stride;
      stride *= x.shape[d];
    }
    groups[target].push(v);
  });
  return { shape, data: Float64Array.from(groups, f) };
}

/** Cases of the reductions: each axis, all, none, kept or not, partial sums. */
export function reductionSamples(seed: number, tolerance: number, dtypes: readonly DataType[] = []): Sample[] {
  const axes = (...values: number[]) => weight([values.length], { dtype: 'int32', values });
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({ name: `over ${c}`, attributes: { keepdims: i % 2 }, inputs: [given([1 + 2 * (i % 2), c]), axes(1)] })),
    { name: 'spatial', inputs: [given([3, 5, 4, 6]), axes(2, 3)] },
    { name: 'negative axis, dropped', attributes: { keepdims: 0 }, inputs: [given([2, 3, 4]), axes(-2)] },
    { name: 'outer', inputs: [given([6, 9]), axes(0)] },
    { name: 'apart', attributes: { keepdims: 0 }, inputs: [given([2, 3, 4, 5]), axes(3, 1)] },
    { name: 'everything', attributes: { keepdims: 0 }, inputs: [given([3, 4, 8])] },
    { name: 'everything, partial sums', inputs: [given([2, 32])] },
    { name: 'nothing', attributes: { noop_with_empty_axes: 1 }, inputs: [given([2, 5])] },
    { name: 'rank 5', inputs: [given([2, 2, 3, 2, 2]), axes(1, 4)] },
    ...dtypes.map((dtype) => ({ name: dtype, inputs: [given([3, 6, 5], { dtype }), axes(1)] })),
  ];
  return cases.map((c, i) => ({ ...c, seed: seed + i, tolerance: c.inputs[0].dtype ? 0 : tolerance }));
}
