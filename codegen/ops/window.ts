/**
 * Windows of convolutions and pools: output sizes, padding, coordinates and guards, from ONNX's attributes.
 * Not here: what is done inside a window.
 */
import { axis, sum, within } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import type { Axis, Condition, Index } from '../ir/program.js';
import type { AttributeSchema, NodeContext } from './record.js';

/** One spatial dimension of a window operator. */
export interface Window {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

export const windowAttributes: Readonly<Record<string, AttributeSchema>> = {
  auto_pad: {
    type: 'string', doc: 'NOTSET: pads as given. SAME_UPPER, SAME_LOWER: output is input / stride, rounded up. VALID: no padding.',
    default: 'NOTSET', values: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'],
  },
  dilations: { type: 'ints', doc: 'Distance of the elements of a window, per spatial dimension; 1 where absent.' },
  pads: { type: 'ints', doc: 'Padding before every spatial dimension, then after each; 0 where absent.' },
  strides: { type: 'ints', doc: 'Distance of windows, per spatial dimension; 1 where absent.' },
};

/** An `ints` attribute of one positive entry per spatial dimension. */
export function spatialInts(context: NodeContext, name: string, rank: number, absent: number, least = 1): number[] {
  const given = context.has(name) ? [...context.ints(name)] : [];
  if (given.length === 0) return new Array<number>(rank).fill(absent);
  const expected = name === 'pads' ? 2 * rank : rank;
  if (given.length !== expected || given.some((v) => !Number.isInteger(v) || v < least || v > 2 ** 20)) {
    fail(
      'graph/attribute-type', context.node.name,
      `${name} is [${given.join(', ')}], and ${expected} integers of at least ${least} are expected for ${rank} spatial dimensions`,
      `Correct ${name} in the model.`,
    );
  }
  return given;
}

/** The windows of each spatial dimension of input 0, [N, C, spatial..], for a kernel of this spatial shape. */
export function windows(context: NodeContext, kernelShape: readonly number[], ceilMode = false): Window[] {
  const x = context.input(0);
  const rank = kernelShape.length;
  if (x.shape.length !== rank + 2) {
    fail(
      'graph/shape', context.node.name,
      `${x.name} is ${formatShape(x.shape)}, and a window of ${rank} dimensions needs rank ${rank + 2}: [N, C, ${rank === 1 ? 'X' : 'Y, X'}]`,
      'Correct the shape of the input or the kernel shape.',
    );
  }
  if (rank !== 1 && rank !== 2) {
    fail('graph/unsupported', context.node.name, `${context.node.op} has ${rank} spatial dimensions`, 'One and two spatial dimensions are supported.');
  }
  const strides = spatialInts(context, 'strides', rank, 1);
  const dilations = spatialInts(context, 'dilations', rank, 1);
  const pads = context.has('pads') && context.ints('pads').length > 0 ? spatialInts(context, 'pads', rank, 0, 0) : new Array<number>(2 * rank).fill(0);
  const autoPad = context.text('auto_pad');
  if (autoPad !== 'NOTSET' && pads.some((p) => p !== 0)) {
    fail('graph/attribute-type', context.node.name, `auto_pad is ${autoPad} and pads is [${pads.join(', ')}]`, 'Give one of them.');
  }
  return kernelShape.map((kernel, d) => {
    const [input, stride, dilation] = [x.shape[d + 2], strides[d], dilations[d]];
    const reach = (kernel - 1) * dilation + 1;
    let [before, after] = [pads[d], pads[d + rank]];
    let output: number;
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      output = Math.ceil(input / stride);
      const total = Math.max((output - 1) * stride + reach - input, 0);
      before = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      after = total - before;
    } else {
      const room = input + before + after - reach;
      output = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
      // a window must start inside the input or the padding before it
      if (ceilMode && (output - 1) * stride >= input + before) output--;
    }
    if (output < 1) {
      fail(
        'graph/shape', context.node.name,
        `a window that reaches over ${reach} elements does not fit ${input} elements padded by ${before} and ${after}`,
        'Use a smaller kernel or dilation, or more padding.',
      );
    }
    return { input, output, kernel, stride, dilation, before, after };
  });
}

/** Names of spatial axes and of the window's, outermost first. */
export function windowNames(rank: number): { readonly space: readonly string[]; readonly kernel: readonly string[] } {
  return rank === 1 ? { space: ['x'], kernel: ['kx'] } : { space: ['y', 'x'], kernel: ['ky', 'kx'] };
}

/** Axes over the outputs, axes over the window, input coordinates, and the guards that padding needs. */
export function windowAccess(dims: readonly Window[]): { space: Axis[]; kernel: Axis[]; at: Index[]; guard: Condition[] } {
  const names = windowNames(dims.length);
  const space = dims.map((w, d) => ({ name: names.space[d], extent: w.output }));
  const kernel = dims.map((w, d) => ({ name: names.kernel[d], extent: w.kernel }));
  const at = dims.map((w, d) => sum(axis(names.space[d], w.stride, -w.before), axis(names.kernel[d], w.dilation)));
  const guard = at.flatMap((index, d) => (readsPadding(dims[d]) ? [within(index, 0, dims[d].input)] : []));
  return { space, kernel, at, guard };
}

/** True where some window reaches outside the input. */
export function readsPadding(w: Window): boolean {
  return w.before > 0 || (w.output - 1) * w.stride - w.before + (w.kernel - 1) * w.dilation >= w.input;
}

/** How many elements of the window at `position` are inside [lo, hi) of the input's coordinates. */
export function coveredBy(w: Window, position: number, lo: number, hi: number): number {
  // The taps k with lo <= start + k * dilation < hi; a closed form, since files may state any kernel.
  const start = position * w.stride - w.before;
  const first = Math.max(0, Math.ceil((lo - start) / w.dilation));
  const end = Math.min(w.kernel, Math.ceil((hi - start) / w.dilation));
  return Math.max(0, end - first);
}

/** Calls `visit` for every element of the window at `position` that lies inside the input: naive, for references. The arrays are its own: not to be kept. */
export function visitWindow(dims: readonly Window[], position: readonly number[], visit: (at: readonly number[], tap: readonly number[]) => void): void {
  const [at, tap] = [dims.map(() => 0), dims.map(() => 0)];
  const walk = (d: number): void => {
    if (d === dims.length) return visit(at, tap);
    for (let k = 0; k < dims[d].kernel; k++) {
      const coordinate = position[d] * dims[d].stride + k * dims[d].dilation - dims[d].before;
      if (coordinate < 0 || coordinate >= dims[d].input) continue;
      at[d] = coordinate;
      tap[d] = k;
      walk(d + 1);
    }
  };
  walk(0);
}

/** All positions of an index space, row-major. */
export function* positions(shape: readonly number[]): Generator<number[]> {
  const at = new Array<number>(shape.length).fill(0);
  if (shape.some((extent) => extent === 0)) return;
  for (;;) {
    yield [...at];
    let d = shape.length - 1;
    while (d >= 0 && ++at[d] === shape[d]) at[d--] = 0;
    if (d < 0) return;
  }
}
