/** What the pools share: their shapes, the sum over a window, the number of elements in it. Each pool has its own file. */
import { add, axis, load, ref } from '../ir/build.js';
import { dependenceOf, windowFlow } from './dependence.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape, makeConstant } from '../ir/graph.js';
import type { Expr, Kernel } from '../ir/program.js';
import { accumulatorRange, elementType, given, kernelName, makeKernel, partialSums, rangeOf, zero, type Range } from './operands.js';
import type { AttributeSchema, LowerContext, MomentDependence, NdArray, NodeContext, Sample } from './record.js';
import { coveredBy, positions, spatialInts, visitWindow, windowAccess, windowAttributes, windows, type Window } from './window.js';

export const poolAttributes: Readonly<Record<string, AttributeSchema>> = {
  ...windowAttributes,
  ceil_mode: { type: 'int', doc: 'Round the output size up: a last window may reach past the padding.', default: 0 },
  kernel_shape: { type: 'ints', doc: 'Spatial shape of the window.', required: true },
};

export interface PoolParts {
  readonly dims: readonly Window[];
  readonly shape: readonly number[];
}

export function poolParts(context: NodeContext): PoolParts {
  const x = context.input(0);
  if (x.shape.length < 3) fail('graph/shape', context.node.name, `${x.name} is ${formatShape(x.shape)}, and [N, C, spatial..] is expected`, 'Reshape the input.');
  const kernel = spatialInts(context, 'kernel_shape', x.shape.length - 2, 1);
  const dims = windows(context, kernel, context.int('ceil_mode') !== 0);
  for (const w of dims) {
    for (let p = 0; p < w.output; p++) {
      if (coveredBy(w, p, 0, w.input) === 0) {
        fail('graph/unsupported', context.node.name, `window ${p} of ${context.node.op} lies wholly in the padding (${w.before} before, ${w.after} after ${w.input} elements)`, 'Make the pads smaller than the kernel.');
      }
    }
  }
  return { dims, shape: [x.shape[0], x.shape[1], ...dims.map((w) => w.output)] };
}

/** The elements of a window meet; windows that overlap share some. */
export const poolDependence: MomentDependence = dependenceOf((context) => windowFlow(poolParts(context).dims, { meet: false, own: true }));

/** Values inside the input of every window, for the references. */
export function referencePool({ dims, shape }: PoolParts, x: NdArray, f: (values: readonly number[], position: readonly number[]) => number): NdArray {
  const inputs = dims.map((w) => w.input);
  const area = inputs.reduce((a, b) => a * b, 1);
  const data: number[] = [];
  for (const [n, c, ...position] of positions(shape)) {
    const values: number[] = [];
    visitWindow(dims, position, (at) => {
      values.push(x.data[(n * shape[1] + c) * area + at.reduce((flat, coordinate, d) => flat * inputs[d] + coordinate, 0)]);
    });
    data.push(f(values, position));
  }
  return { shape, data: Float64Array.from(data) };
}

/**
 * What a window's sum is divided by: the elements inside the input, or (count_include_pad) inside the input and its
 * stated padding; never those that ceil_mode reaches beyond it.
 */
export function windowCount(dims: readonly Window[], position: readonly number[], includePad: boolean): number {
  return dims.reduce((count, w, d) => count * coveredBy(w, position[d], includePad ? -w.before : 0, includePad ? w.input + w.after : w.input), 1);
}

/** One count where all windows agree, else a table [output spatial..]. */
export function windowCounts(dims: readonly Window[], includePad: boolean): number | Float32Array {
  const counts = [...positions(dims.map((w) => w.output))].map((p) => windowCount(dims, p, includePad));
  return counts.every((count) => count === counts[0]) ? counts[0] : Float32Array.from(counts);
}

/** Range of the sum over a window. */
export function windowSumRange(context: NodeContext): Range {
  const length = poolParts(context).dims.reduce((product, w) => product * w.kernel, 1);
  return accumulatorRange(rangeOf(context.input(0)), [1, 1], length);
}

/** The sum over every window, in the order ky, kx; `finish` makes the stored value of it. */
export function sumKernel(context: LowerContext, { dims, shape }: PoolParts, finish: (total: Expr) => Expr): Kernel {
  const [x, y] = [context.input(0), context.outputs[0]];
  const window = windowAccess(dims);
  const space = [{ name: 'n', extent: shape[0] }, { name: 'c', extent: shape[1] }, ...window.space];
  const type = elementType(y);
  const value = load(x.name, ['n', 'c', ...window.at], window.guard, zero(elementType(x)));
  return makeKernel({
    name: kernelName(context),
    op: 'pool',
    space,
    reduce: window.kernel,
    partials: partialSums(space, window.kernel, type, 'n'),
    accumulators: [{ name: 'acc', type, init: zero(type), update: add(type, ref('acc'), value) }],
    stores: [{ tensor: y.name, at: space.map((s) => axis(s.name)), value: finish(ref('acc')) }],
  });
}

/** The counts as a constant tensor. */
export function countTable(dims: readonly Window[], counts: Float32Array) {
  return makeConstant('float32', dims.map((w) => w.output), counts);
}

/** Cases of the pools: channels around tile edges, strides, padding, auto_pad, ceil_mode, dilations, one dimension. */
export function poolSamples(seed: number, tolerance: number): Sample[] {
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({
      name: `channels ${c}`, attributes: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [given([1 + 2 * (i % 2), c, 4, 5])],
    })),
    { name: 'overlapping', attributes: { kernel_shape: [3, 3] }, inputs: [given([1, 8, 5, 6])] },
    { name: 'padded', attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, inputs: [given([3, 4, 7, 6])] },
    { name: 'uneven pads', attributes: { kernel_shape: [2, 3], pads: [0, 2, 1, 1] }, inputs: [given([1, 5, 4, 4])] },
    { name: 'ceil_mode', attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }, inputs: [given([1, 4, 6, 8])] },
    { name: 'ceil_mode, padded', attributes: { kernel_shape: [3, 2], strides: [3, 2], pads: [1, 0, 1, 1], ceil_mode: 1 }, inputs: [given([1, 3, 6, 6])] },
    { name: 'ceil_mode, last window dropped', attributes: { kernel_shape: [1, 1], strides: [2, 2], ceil_mode: 1 }, inputs: [given([1, 3, 4, 6])] },
    { name: 'SAME_UPPER', attributes: { kernel_shape: [2, 3], strides: [2, 1], auto_pad: 'SAME_UPPER' }, inputs: [given([1, 3, 5, 5])] },
    { name: 'SAME_LOWER', attributes: { kernel_shape: [2, 3], strides: [2, 1], auto_pad: 'SAME_LOWER' }, inputs: [given([1, 3, 5, 5])] },
    { name: 'VALID', attributes: { kernel_shape: [2, 2], strides: [2, 2], auto_pad: 'VALID' }, inputs: [given([1, 3, 5, 5])] },
    { name: 'dilated', attributes: { kernel_shape: [2, 2], dilations: [2, 3], pads: [1, 1, 1, 1] }, inputs: [given([1, 3, 6, 6])] },
    { name: 'one dimension', attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] }, inputs: [given([3, 4, 9])] },
    { name: 'one window, partial sums', attributes: { kernel_shape: [2, 16] }, inputs: [given([1, 1, 2, 16])] },
  ];
  return cases.map((c, i) => ({ ...c, seed: seed + i, tolerance }));
}
