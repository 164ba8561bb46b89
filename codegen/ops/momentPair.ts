/**
 * What records of moments share: inputs and outputs that are a mean with its variance, element by element. Not here: what the
 * moments are (each record's own), and records that are a function of one variable (momentFunction.ts).
 */
import { axis, load } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import type { Axis, Expr, Kernel } from '../ir/program.js';
import { Scope } from '../functions/scope.js';
import { spaceAxes } from './elementwise.js';
import { floatOutput, kernelName, makeKernel, operandKind } from './operands.js';
import type { Inferred, LowerContext, NdArray, NodeContext } from './record.js';

/** Types of two outputs of the shape of inputs 0 and 1, a mean and its variance; raises graph/shape where these differ. */
export function pairShapes(context: NodeContext): Inferred[] {
  operandKind(context, [0, 1], false);
  const [mean, variance] = [context.input(0), context.input(1)];
  if (formatShape(mean.shape) !== formatShape(variance.shape)) {
    fail('graph/shape', context.node.name, `the mean ${mean.name} is ${formatShape(mean.shape)} and the variance ${variance.name} ${formatShape(variance.shape)}`, 'Give one variance an element.');
  }
  return [floatOutput(mean.shape), floatOutput(mean.shape)];
}

/** A mean and a variance for each element, as two arrays. */
export function pairArrays(shape: readonly number[], pairs: readonly (readonly number[])[]): NdArray[] {
  return [0, 1].map((i) => ({ shape, data: Float64Array.from(pairs, (pair) => pair[i]) }));
}

/** One kernel over the elements of inputs 0, 1 and so on, bound under `names`, with two stores. */
export function pairKernel(context: LowerContext, names: readonly string[], element: (operands: readonly Expr[], scope: Scope, space: readonly Axis[]) => { readonly mean: Expr; readonly variance: Expr }): Kernel[] {
  const space = spaceAxes(context.input(0).shape);
  const at = space.map((a) => axis(a.name));
  const scope = new Scope(space.map((a) => a.name));
  const { mean, variance } = element(names.map((name, i) => scope.float(name, load(context.input(i).name, at))), scope, space);
  return [
    makeKernel({
      name: kernelName(context),
      op: 'elementwise',
      space,
      epilogue: scope.lets,
      stores: [{ tensor: context.outputs[0].name, at, value: mean }, { tensor: context.outputs[1].name, at, value: variance }],
    }),
  ];
}
