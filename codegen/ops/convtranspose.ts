/** ConvTranspose: the transposed convolution, for float32; the cotangent of a convolution's data. */
import { add, axis, div, float, load, mul, ref, rem, sum, times, within } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Condition, Index } from '../ir/program.js';
import { broadcastTo } from './elementwise.js';
import { floatOutput, given, intVector, kernelName, makeKernel, operandKind, partialSums, strides as rowStrides, weight } from './operands.js';
import { productMoments } from './productMoments.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';
import { positions, spatialInts, windowAttributes, windowNames } from './window.js';

function parts(context: NodeContext) {
  const [x, w, b] = [context.input(0), context.input(1), context.inputs[2]];
  const at = context.node.name;
  const rank = w.shape.length - 2;
  const group = context.int('group');
  if ((rank !== 1 && rank !== 2) || x.shape.length !== w.shape.length) {
    fail('graph/unsupported', at, `ConvTranspose of ${x.name} ${formatShape(x.shape)} by ${w.name} ${formatShape(w.shape)}`, 'One and two spatial dimensions are supported, the same of both.');
  }
  if (context.text('auto_pad') !== 'NOTSET' || context.has('output_shape')) {
    fail('graph/unsupported', at, 'ConvTranspose has auto_pad or output_shape', 'Give pads and output_padding.');
  }
  if (group < 1 || x.shape[1] !== w.shape[0] || x.shape[1] % group !== 0) {
    fail('graph/shape', at, `${x.name} ${formatShape(x.shape)} has ${x.shape[1]} channels, and the weight ${w.name} ${formatShape(w.shape)} with group ${group} takes ${w.shape[0]}`, 'Give a weight of shape [C, O / group, kernel..].');
  }
  const [stride, dilation] = [spatialInts(context, 'strides', rank, 1), spatialInts(context, 'dilations', rank, 1)];
  const outputPadding = spatialInts(context, 'output_padding', rank, 0, 0);
  const pads = context.has('pads') ? spatialInts(context, 'pads', rank, 0, 0) : new Array<number>(2 * rank).fill(0);
  const dims = stride.map((s, d) => {
    const [input, kernel, before] = [x.shape[d + 2], w.shape[d + 2], pads[d]];
    const output = (input - 1) * s + outputPadding[d] + (kernel - 1) * dilation[d] + 1 - before - pads[d + rank];
    return { input, kernel, stride: s, dilation: dilation[d], before, output };
  });
  if (dims.some((d) => d.output < 1)) fail('graph/shape', at, `the output would be ${formatShape(dims.map((d) => d.output))}`, 'Use less padding.');
  const outputsPerGroup = w.shape[1];
  const outChannels = outputsPerGroup * group;
  if (b && (b.shape.length !== 1 || b.shape[0] !== outChannels)) fail('graph/shape', at, `the bias ${b.name} is ${formatShape(b.shape)}, and [${outChannels}] is expected`, 'Give one bias an output channel.');
  return { x, w, b, group, dims, outputsPerGroup, outChannels, perGroup: x.shape[1] / group, shape: [x.shape[0], outChannels, ...dims.map((d) => d.output)] };
}

export const convtranspose: OperatorRecord = {
  name: 'ConvTranspose',
  doc: 'Y[n, o, y * stride + ky * dilation - pad, ..] += X[n, c, y, ..] * W[c, o, ky, ..], plus B[o]; with group, each group of channels makes its own outputs; one or two spatial dimensions.',
  inputs: [{ name: 'X' }, { name: 'W' }, { name: 'B', optional: true }],
  outputs: ['Y'],
  attributes: {
    ...windowAttributes,
    group: { type: 'int', doc: 'Number of groups of channels.', default: 1 },
    kernel_shape: { type: 'ints', doc: 'That of W.' },
    output_padding: { type: 'ints', doc: 'Elements added after the output, per spatial dimension; 0 where absent.' },
    output_shape: { type: 'ints', doc: 'Not supported.' },
  },
  infer(context) {
    operandKind(context, [0, 1, 2], false);
    return [floatOutput(parts(context).shape)];
  },
  reference(context, [x, w, b]) {
    const { dims, shape, perGroup, outputsPerGroup, outChannels } = parts(context);
    const [xStrides, wStrides, yStrides] = [rowStrides(x!.shape), rowStrides(w!.shape), rowStrides(shape)];
    const area = elementCount(shape.slice(2));
    const data = new Float64Array(elementCount(shape));
    if (b) data.forEach((_, e) => (data[e] = b.data[Math.floor(e / area) % outChannels]));
    // scatter: every input element to all the outputs that it reaches
    for (const at of positions(x!.shape)) {
      const v = x!.data[at.reduce((flat, coordinate, d) => flat + coordinate * xStrides[d], 0)];
      for (const tap of positions(w!.shape.slice(1))) {
        const o = Math.floor(at[1] / perGroup) * outputsPerGroup + tap[0];
        const to = dims.map((d, i) => at[i + 2] * d.stride + tap[i + 1] * d.dilation - d.before);
        if (to.some((coordinate, i) => coordinate < 0 || coordinate >= dims[i].output)) continue;
        const factor = w!.data[at[1] * wStrides[0] + tap.reduce((flat, coordinate, d) => flat + coordinate * wStrides[d + 1], 0)];
        data[at[0] * yStrides[0] + o * yStrides[1] + to.reduce((flat, coordinate, i) => flat + coordinate * yStrides[i + 2], 0)] += v * factor;
      }
    }
    return [{ shape, data }];
  },
  lower(context) {
    const { x, w, b, dims, group, shape, perGroup, outputsPerGroup } = parts(context);
    const names = windowNames(dims.length);
    const f = 'float32';
    const space = [{ name: 'n', extent: shape[0] }, { name: 'o', extent: shape[1] }, ...dims.map((d, i) => ({ name: names.space[i], extent: d.output }))];
    const reduce = [...dims.map((d, i) => ({ name: names.kernel[i], extent: d.kernel })), { name: 'c', extent: perGroup }];
    // which input, if any, reaches output y through tap ky: (y + pad - ky * dilation) / stride
    const guard: Condition[] = [];
    const at = dims.map((d, i): Index => {
      const scaled = sum(axis(names.space[i], 1, d.before), axis(names.kernel[i], -d.dilation));
      if (d.stride > 1) guard.push(within(rem(scaled, d.stride), 0, 1));
      const index = div(scaled, d.stride);
      guard.push(within(index, 0, d.input));
      return index;
    });
    const channel = group === 1 ? sum('c') : sum(times(div('o', outputsPerGroup), perGroup), 'c');
    const data = load(x.name, ['n', channel, ...at], guard, float(0));
    const factor = load(w.name, [channel, group === 1 ? 'o' : rem('o', outputsPerGroup), ...names.kernel]);
    return [
      makeKernel({
        name: kernelName(context),
        op: 'convolution',
        space,
        reduce,
        partials: partialSums(space, reduce, f, 'n'),
        accumulators: [{ name: 'acc', type: f, init: float(0), update: add(f, ref('acc'), mul(f, data, factor)) }],
        stores: [{ tensor: context.outputs[0].name, at: space.map((s) => axis(s.name)), value: b ? add(f, ref('acc'), load(b.name, ['o'])) : ref('acc') }],
      }),
    ];
  },
  moments: {
    label: 'exact',
    rule(context, [x, w, b], build, form) {
      const { attributes } = context.node;
      const { outChannels, dims } = parts(context);
      const apply = (bias: string | undefined) => (data: string, factor: string) => build.node('ConvTranspose', bias === undefined ? [data, factor] : [data, factor, bias], attributes);
      const { mean, variance } = productMoments(build, form, x, w, apply(b?.mean), apply(undefined));
      if (b?.variance === undefined) return { mean, variance };
      const bias = build.node('Reshape', [b.variance, build.constant(intVector([1, outChannels, ...dims.map(() => 1)]))]);
      return { mean, variance: variance === undefined ? broadcastTo(build, bias, build.info(mean).shape) : build.node('Add', [variance, bias]) };
    },
    dependence: {
      flows(context) {
        const { dims, group, perGroup } = parts(context);
        const spatial = dims.map((_, d) => d + 2);
        const none = dims.map(() => undefined);
        return [
          { meets: [...(perGroup > 1 ? [1] : []), ...spatial], keeps: [[0], undefined, ...none] },
          { meets: [0, ...spatial], keeps: [undefined, group === 1 ? [1] : undefined, ...none] },
          { meets: [], keeps: [undefined, [0], ...none] },
        ];
      },
    },
  },
  samples: transposeSamples(),
};

function transposeSamples(): Sample[] {
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    { name: 'plain', inputs: [given([1, 3, 4, 4]), weight([3, 8, 3, 3]), weight([8])] },
    { name: 'stride 2', attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] }, inputs: [given([3, 4, 3, 4]), weight([4, 5, 3, 3])] },
    { name: 'dilated, uneven', attributes: { strides: [3, 1], dilations: [1, 2], pads: [0, 1, 1, 2] }, inputs: [given([1, 2, 3, 5]), weight([2, 4, 2, 3]), weight([4])] },
    { name: 'groups', attributes: { group: 2, strides: [2, 2] }, inputs: [given([1, 6, 3, 3]), weight([6, 2, 2, 2])] },
    { name: 'depthwise', attributes: { group: 8, pads: [1, 1, 1, 1] }, inputs: [given([1, 8, 4, 4]), weight([8, 1, 3, 3])] },
    { name: 'one dimension', attributes: { strides: [2] }, inputs: [given([1, 3, 5]), weight([3, 4, 3])] },
  ];
  return cases.map((c, i) => ({ ...c, seed: 2200 + i, tolerance: 2e-6 }));
}
