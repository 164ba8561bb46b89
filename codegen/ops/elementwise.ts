/**
 * Elementwise operators with broadcasting: shapes, kernels, reference loops, and the sums that undo a broadcast.
 * Each operator keeps its own file and says only what it does to one element.
 */
import { axis, constant, load } from '../ir/build.js';
import type { DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Axis, Expr, Index, Kernel } from '../ir/program.js';
import { Scope } from '../functions/scope.js';
import { elementType, filled, intVector, kernelName, makeKernel, strides } from './operands.js';
import type { FragmentBuilder, LowerContext, NdArray, NodeContext } from './record.js';

/** The shape that operands broadcast to (ONNX, multidirectional); raises graph/shape. */
export function broadcastShape(context: NodeContext, which: readonly number[]): number[] {
  const infos = which.map((i) => context.input(i));
  const rank = Math.max(...infos.map((info) => info.shape.length));
  const shape = new Array<number>(rank).fill(1);
  for (const info of infos) {
    const skip = rank - info.shape.length;
    info.shape.forEach((extent, d) => {
      const known = shape[skip + d];
      if (extent === known || extent === 1) return;
      if (known !== 1) {
        fail(
          'graph/shape', context.node.name,
          `${infos.map((i) => `${i.name} ${formatShape(i.shape)}`).join(' and ')} do not broadcast to one shape`,
          'Dimensions are matched from the last; each pair must be equal, or one of them 1.',
        );
      }
      shape[skip + d] = extent;
    });
  }
  return shape;
}

/** Axes over a whole tensor: n, c, y, x for images, d0, d1, ... otherwise. */
export function spaceAxes(shape: readonly number[]): Axis[] {
  const names = [[], ['c'], ['n', 'c'], ['n', 'c', 'x'], ['n', 'c', 'y', 'x']][shape.length];
  return shape.map((extent, d) => ({ name: names ? names[d] : `d${d}`, extent }));
}

/** Coordinates into a tensor that broadcasts to `space`: 0 along what is broadcast. */
export function broadcastCoordinates(shape: readonly number[], space: readonly Axis[]): Index[] {
  const skip = space.length - shape.length;
  return shape.map((extent, d) => (extent === 1 ? constant(0) : axis(space[skip + d].name)));
}

/** Makes the value of one element from those of the operands; may bind values in `scope`. */
export type ElementRule = (operands: readonly Expr[], type: DataType, scope: Scope) => Expr;

/** One kernel, one store: the inputs `which` broadcast to the output. */
export function elementwise(context: LowerContext, which: readonly number[], rule: ElementRule): Kernel[] {
  const out = context.outputs[0];
  const space = spaceAxes(out.shape);
  const tensors = which.map((i) => context.input(i));
  const operands = tensors.map((t) => load(t.name, broadcastCoordinates(t.shape, space)));
  const scope = new Scope(space.map((a) => a.name));
  const value = rule(operands, elementType(out), scope);
  return [
    makeKernel({
      name: kernelName(context),
      op: 'elementwise',
      space,
      epilogue: scope.lets,
      stores: [{ tensor: out.name, at: space.map((a) => axis(a.name)), value }],
    }),
  ];
}

/** Reference loops: `f` of the broadcast operands at every element. */
export function referenceElementwise(inputs: readonly NdArray[], f: (...values: number[]) => number): NdArray {
  const rank = Math.max(...inputs.map((i) => i.shape.length));
  const shape = Array.from({ length: rank }, (_, d) => {
    const extents = inputs.map((i) => (d - (rank - i.shape.length) >= 0 ? i.shape[d - (rank - i.shape.length)] : 1));
    return extents.find((e) => e !== 1) ?? 1;
  });
  const data = new Float64Array(elementCount(shape));
  const outStrides = strides(shape);
  // How far an input moves with each dimension of the output: not at all where it is repeated.
  const steps = inputs.map(({ shape: own }) => shape.map((_, d) => (own[d - (rank - own.length)] ?? 1) === 1 ? 0 : strides(own)[d - (rank - own.length)]));
  const values = inputs.map(() => 0);
  for (let e = 0; e < data.length; e++) {
    for (let j = 0; j < inputs.length; j++) {
      let position = 0;
      for (let d = 0; d < rank; d++) if (steps[j][d] !== 0) position += (Math.floor(e / outStrides[d]) % shape[d]) * steps[j][d];
      values[j] = inputs[j].data[position];
    }
    data[e] = f(...values);
  }
  return { shape, data };
}

/** The sum of a cotangent over what a broadcast repeated: of the given shape. */
export function reduceTo(build: FragmentBuilder, cotangent: string, shape: readonly number[]): string {
  const from = build.info(cotangent).shape;
  const skip = from.length - shape.length;
  const axes = from.map((_, d) => d).filter((d) => d < skip || (shape[d - skip] === 1 && from[d] !== 1));
  const summed = axes.length === 0 ? cotangent : build.node('ReduceSum', [cotangent, build.constant(intVector(axes))], { keepdims: 1 });
  return skip === 0 ? summed : build.node('Reshape', [summed, build.constant(intVector(shape))]);
}

/** A value repeated to a shape that it broadcasts to. */
export function broadcastTo(build: FragmentBuilder, value: string, shape: readonly number[]): string {
  const from = build.info(value).shape;
  const same = from.length === shape.length && from.every((extent, d) => extent === shape[d]);
  return same ? value : build.node('Add', [value, build.constant(filled(shape, 0))]);
}
