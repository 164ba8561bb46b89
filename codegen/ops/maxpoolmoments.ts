/**
 * MaxPoolMoments: mean and variance of the greatest of every window, elements taken as independent and normal. Internal: made by
 * the moments of MaxPool.
 *
 * Pairs are matched by normal variables (functions/greater.ts), in a tree: the elements of a row with their neighbours, then the
 * rows. The result depends on that order where a window has more than two elements. Rows have a kernel of their own: windows that
 * overlap share them, and fewer values wait for one another.
 */
import { axis, float, load, within } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { greatest, type MomentExpr } from '../functions/greater.js';
import { Scope } from '../functions/scope.js';
import { pairArrays, pairShapes } from './momentPair.js';
import { given, kernelName, makeKernel } from './operands.js';
import { poolAttributes, poolParts, type PoolParts } from './pool.js';
import type { Condition, Kernel } from '../ir/program.js';
import type { LowerContext, NodeContext, OperatorRecord } from './record.js';
import { positions, readsPadding, windowNames, type Window } from './window.js';

const f = 'float32';

/** More elements in a window than this would be too much code. */
const mostElements = 64;

/** Stands for an element of the padding: no other mean is below it. */
const outside = -1e30;

/** Offsets of the window's elements, row by row. */
function rows({ dims }: PoolParts): readonly (readonly number[])[][] {
  const taps = [...positions(dims.map((w) => w.kernel))];
  if (dims.length === 1) return [taps];
  return Array.from({ length: dims[0].kernel }, (_, ky) => taps.filter((t) => t[0] === ky));
}

function parts(context: NodeContext): PoolParts {
  const found = poolParts(context);
  const count = found.dims.reduce((product, w) => product * w.kernel, 1);
  if (count > mostElements) {
    fail('graph/no-moments', context.node.name, `its windows have ${count} elements, and moments of the greatest are made for up to ${mostElements}`, 'Use smaller windows, or compile the sampled twin.');
  }
  return found;
}

export const maxpoolmoments: OperatorRecord = {
  name: 'MaxPoolMoments',
  doc: 'Mean and variance of the greatest of every window of independent normal elements with `mean` and `variance` (both [N, C, ..], variance >= 0), pair by pair. Internal.',
  inputs: [{ name: 'mean' }, { name: 'variance' }],
  outputs: ['outputMean', 'outputVariance'],
  attributes: poolAttributes,
  infer(context) {
    pairShapes(context);
    const { shape } = parts(context);
    return [{ shape, dtype: f }, { shape, dtype: f }];
  },
  reference(context, [mean, variance]) {
    const found = parts(context);
    const inputs = found.dims.map((w) => w.input);
    const area = inputs.reduce((a, b) => a * b, 1);
    const result: Pair[] = [];
    for (const [n, c, ...position] of positions(found.shape)) {
      const tree = rows(found).map((row) => {
        const inside = row.map((tap) => tap.map((k, d) => position[d] * found.dims[d].stride + k * found.dims[d].dilation - found.dims[d].before));
        const values = inside.map((at): Pair | undefined => {
          if (at.some((x, d) => x < 0 || x >= inputs[d])) return undefined;
          const flat = (n * found.shape[1] + c) * area + at.reduce((sum, x, d) => sum * inputs[d] + x, 0);
          return [mean!.data[flat], variance!.data[flat]];
        });
        return pairwise(values);
      });
      result.push(pairwise(tree)!);
    }
    return pairArrays(found.shape, result);
  },
  lower(context) {
    const { dims, shape } = parts(context);
    const inputs = [context.input(0).name, context.input(1).name];
    const outputs = [context.outputs[0].name, context.outputs[1].name];
    const [rowWindow, columnWindow] = dims;
    if (dims.length === 1 || rowWindow.kernel === 1 || columnWindow.kernel === 1) return [pass(context, '', dims, shape, inputs, outputs)];
    const still = (extent: number): Window => ({ input: extent, output: extent, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0 });
    const rowShape = [shape[0], shape[1], rowWindow.input, columnWindow.output];
    const between = ['rowMean', 'rowVariance'].map((hint) => context.addTemporary(hint, rowShape, f));
    return [
      pass(context, 'rows', [still(rowWindow.input), columnWindow], rowShape, inputs, between),
      pass(context, '', [rowWindow, still(columnWindow.output)], shape, between, outputs),
    ];
  },
  samples: [
    ...[1, 3, 4, 5, 6, 8, 17].map((c, i) => ({
      name: `channels ${c}`, attributes: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [given([1 + (i % 2), c, 4, 5]), given([1 + (i % 2), c, 4, 5], { range: [0.01, 4] as const })], outputs: 2, seed: 3000 + i, tolerance: 2e-6,
    })),
    { name: 'three by two, overlapping', attributes: { kernel_shape: [3, 2] }, inputs: [given([1, 2, 5, 4]), given([1, 2, 5, 4], { range: [0.5, 2] })], outputs: 2, seed: 3010, tolerance: 3e-6 },
    { name: 'padding', attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] }, inputs: [given([1, 3, 5, 5]), given([1, 3, 5, 5], { range: [0.5, 2] })], outputs: 2, seed: 3011, tolerance: 3e-6 },
    { name: 'one dimension', attributes: { kernel_shape: [2], strides: [2] }, inputs: [given([2, 3, 8]), given([2, 3, 8], { range: [0.1, 1] })], outputs: 2, seed: 3012, tolerance: 2e-6 },
    { name: 'no variance', attributes: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [given([1, 1, 2, 4], { values: [1, 2, -3, -3, 4, 0, -3, -3] }), given([1, 1, 2, 4], { values: [0, 0, 0, 0, 0, 0, 0, 0] })], outputs: 2, seed: 3013, tolerance: 0 },
    { name: 'far apart', attributes: { kernel_shape: [2], strides: [2] }, inputs: [given([1, 1, 4], { values: [1e6, -1e6, 5, 5] }), given([1, 1, 4], { values: [1, 4, 1e-12, 1e-12] })], outputs: 2, seed: 3014, tolerance: 1e-6 },
  ],
};

/** The greatest of windows that are wide in one dimension: neighbours first. */
function pass(context: LowerContext, hint: string, dims: readonly Window[], shape: readonly number[], from: readonly string[], to: readonly string[]): Kernel {
  const names = windowNames(dims.length).space;
  const space = [{ name: 'n', extent: shape[0] }, { name: 'c', extent: shape[1] }, ...dims.map((w, d) => ({ name: names[d], extent: w.output }))];
  const scope = new Scope(space.map((a) => a.name));
  const elements = [...positions(dims.map((w) => w.kernel))].map((tap): MomentExpr => {
    const at = dims.map((w, d) => axis(names[d], w.stride, tap[d] * w.dilation - w.before));
    const guard: Condition[] = at.flatMap((index, d) => (readsPadding(dims[d]) ? [within(index, 0, dims[d].input)] : []));
    const read = (tensor: string, otherwise: number) => load(tensor, ['n', 'c', ...at], guard.length > 0 ? guard : undefined, guard.length > 0 ? float(otherwise) : undefined);
    return { mean: scope.float('mean', read(from[0], outside)), variance: scope.float('variance', read(from[1], 0)) };
  });
  const { mean, variance } = greatest(scope, elements);
  const at = space.map((a) => axis(a.name));
  return makeKernel({
    name: kernelName(context, hint),
    op: 'pool',
    space,
    epilogue: scope.lets,
    stores: [{ tensor: to[0], at, value: mean }, { tensor: to[1], at, value: variance }],
  });
}

type Pair = readonly [mean: number, variance: number];

/** In the tree of the kernel; undefined stands for the padding. */
function pairwise(values: readonly (Pair | undefined)[]): Pair | undefined {
  let level = values;
  while (level.length > 1) {
    const next: (Pair | undefined)[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [a, b] = [level[i], level[i + 1]];
      next.push(a && b ? greaterByQuadrature(a, b) : (a ?? b));
    }
    level = next;
  }
  return level[0];
}

/**
 * Mean and variance of max(x1, x2) by quadrature over d = x1 - x2: given d, x2 is normal with a mean linear in d, and the greater is
 * x2 + max(d, 0). Independent of the formulas that are lowered.
 */
function greaterByQuadrature([m1, v1]: Pair, [m2, v2]: Pair): Pair {
  const total = v1 + v2;
  if (total === 0) return [Math.max(m1, m2), 0];
  const [deviation, centre, slope] = [Math.sqrt(total), m1 - m2, -v2 / total];
  const zero = Math.min(Math.max(-centre / deviation, -12), 12);
  const base = Math.max(m1, m2);
  let [first, second] = [0, 0];
  for (const [from, to] of [[-12, zero], [zero, 12]]) {
    const steps = 4000;
    for (let i = 0; i <= steps; i++) {
      const z = from + ((to - from) * i) / steps;
      const weight = (((i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * (to - from)) / steps / 3) * (Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI));
      const value = m2 - base + slope * deviation * z + Math.max(centre + deviation * z, 0);
      first += weight * value;
      second += weight * value * value;
    }
  }
  return [base + first, second - first * first + v2 + slope * v2];
}
