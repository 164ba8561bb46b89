/**
 * What the operators that only move elements share: copy kernels, types that pass through, moments of a rearrangement.
 * Not here: which element goes where (each operator's own file).
 */
import { axis, load } from '../ir/build.js';
import { elementCount } from '../ir/graph.js';
import type { Condition, Expr, Index, Kernel } from '../ir/program.js';
import { spaceAxes } from './elementwise.js';
import { kernelName, makeKernel, rangeOf } from './operands.js';
import type { Inferred, LowerContext, MomentDependence, OperatorRecord, ValueInfo } from './record.js';

/** The coordinates of a kernel's own point. */
export function pointOf(space: readonly { readonly name: string }[]): readonly Index[] {
  return space.map((a) => axis(a.name));
}

/** Where a copy reads: coordinates in input 0, and what is stored where the guard does not hold. */
export interface Source {
  readonly at: readonly Index[];
  readonly guard?: readonly Condition[];
  readonly otherwise?: Expr;
}

/** One kernel that fills output 0 from input 0; `source` maps coordinates of the output to those of the input. */
export function copyFrom(c: LowerContext, source: (point: readonly Index[]) => Source): readonly Kernel[] {
  const to = c.outputs[0];
  if (elementCount(to.shape) === 0) return [];
  const space = spaceAxes(to.shape);
  const { at, guard, otherwise } = source(pointOf(space));
  const value = load(c.input(0).name, at, guard, otherwise);
  return [makeKernel({ name: kernelName(c), op: 'copy', space, stores: [{ tensor: to.name, at: pointOf(space), value }] })];
}

/** The type, range and annotation of a value, in another shape. */
export function moved(info: ValueInfo, shape: readonly number[]): Inferred {
  return { shape, dtype: info.dtype, annotation: info.annotation, range: info.range };
}

/** The `integer` field of an operator that moves the elements of input 0 and adds none. */
export const movesIntegers: NonNullable<OperatorRecord['integer']> = { maxBits: 32, range: (c) => rangeOf(c.input(0)) };

/** The `moments` field of an operator that moves the elements of input 0 and adds none; `dependence` says where to. */
export const movesMoments = (dependence: MomentDependence): NonNullable<OperatorRecord['moments']> => ({
  label: 'exact',
  dependence,
  rule(c, [x], build) {
    const apply = (value: string): string => build.node(c.node.op, [value, ...c.node.inputs.slice(1)], c.node.attributes);
    return x.variance === undefined ? { mean: apply(x.mean) } : { mean: apply(x.mean), variance: apply(x.variance) };
  },
});
