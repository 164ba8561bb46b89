/** Conv: convolution over one or two spatial dimensions, with groups, strides, dilations and padding; float32 and integers. */
import { windowFlow } from './dependence.js';
import { add, axis, div, load, mul, ref, sum, times } from '../ir/build.js';
import { smallestInteger } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape, type Attribute } from '../ir/graph.js';
import { convGradient } from './convgradient.js';
import { convSamples } from './convsamples.js';
import { broadcastTo } from './elementwise.js';
import { productMoments } from './productMoments.js';
import {
  accumulatorRange, arithmeticOutput, elementType, intVector, kernelName, makeKernel, partialSums, productRange, rangeOf, strides,
  sumRange, weightSums, zero, type Range,
} from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';
import { positions, spatialInts, visitWindow, windowAccess, windowAttributes, windows } from './window.js';

function parts(context: NodeContext) {
  const [x, w, b] = [context.input(0), context.input(1), context.inputs[2]];
  const group = context.int('group');
  const at = context.node.name;
  if (w.shape.length < 3) {
    fail('graph/shape', at, `the weight ${w.name} is ${formatShape(w.shape)}, and [O, C / group, kernel..] is expected`, 'Correct the weight, or use MatMul.');
  }
  const dims = windows(context, w.shape.slice(2));
  const stated = spatialInts(context, 'kernel_shape', dims.length, 0);
  if (context.has('kernel_shape') && stated.some((k, d) => k !== dims[d].kernel)) {
    fail('graph/shape', at, `kernel_shape is [${stated.join(', ')}] and the weight ${w.name} is ${formatShape(w.shape)}`, 'Remove kernel_shape, or make it that of the weight.');
  }
  const [inChannels, outChannels, perGroup] = [x.shape[1], w.shape[0], w.shape[1]];
  if (group < 1 || outChannels % group !== 0 || inChannels !== perGroup * group) {
    fail(
      'graph/shape', at,
      `${x.name} ${formatShape(x.shape)} has ${inChannels} channels, and the weight ${w.name} ${formatShape(w.shape)} with group ${group} takes ${perGroup} x ${group}`,
      'The channels must be C / group times group, and the outputs a multiple of group.',
    );
  }
  if (b && (b.shape.length !== 1 || b.shape[0] !== outChannels)) {
    fail('graph/shape', at, `the bias ${b.name} is ${formatShape(b.shape)}, and [${outChannels}] is expected`, 'Give one bias an output channel.');
  }
  const shape = [x.shape[0], outChannels, ...dims.map((d) => d.output)];
  return { x, w, b, dims, group, perGroup, outputsPerGroup: outChannels / group, outChannels, shape };
}

/** Range of the sum over a window, before the bias. */
function accumulated(context: NodeContext): Range {
  const { x, w, outChannels } = parts(context);
  const length = elementCount(w.shape.slice(1));
  const sums = w.constant && weightSums(w.constant.data, outChannels, length, (o, k) => o * length + k);
  return accumulatorRange(rangeOf(x), rangeOf(w), length, sums);
}

export const conv: OperatorRecord = {
  name: 'Conv',
  doc: 'Y[n, o, y, x] = B[o] + sum over ky, kx, c of X[n, c, y * stride + ky * dilation - pad, ..] * W[o, c, ky, kx]; with group, each group of outputs sees its own channels; one or two spatial dimensions.',
  inputs: [{ name: 'X' }, { name: 'W' }, { name: 'B', optional: true }],
  outputs: ['Y'],
  attributes: {
    ...windowAttributes,
    group: { type: 'int', doc: 'Number of groups of channels.', default: 1 },
    kernel_shape: { type: 'ints', doc: 'Spatial shape of the kernel; that of W where absent.' },
  },
  infer(context) {
    const { shape } = parts(context);
    finiteWeights(context);
    return arithmeticOutput(context, [0, 1, 2], shape, conv);
  },
  reference(context, [x, w, b]) {
    const { dims, perGroup, outputsPerGroup, shape } = parts(context);
    const [xStrides, wStrides] = [strides(x!.shape), strides(w!.shape)];
    const data = new Float64Array(elementCount(shape));
    let e = 0;
    for (const [n, o, ...position] of positions(shape)) {
      const firstChannel = Math.floor(o / outputsPerGroup) * perGroup;
      let total = b ? b.data[o] : 0;
      for (let c = 0; c < perGroup; c++) {
        visitWindow(dims, position, (at, tap) => {
          let [i, j] = [n * xStrides[0] + (firstChannel + c) * xStrides[1], o * wStrides[0] + c * wStrides[1]];
          at.forEach((coordinate, d) => (i += coordinate * xStrides[d + 2]));
          tap.forEach((coordinate, d) => (j += coordinate * wStrides[d + 2]));
          total += x!.data[i] * w!.data[j];
        });
      }
      data[e++] = total;
    }
    return [{ shape, data }];
  },
  integer: {
    maxBits: 32,
    range(context) {
      const total = accumulated(context);
      return context.inputs[2] ? sumRange(total, rangeOf(context.inputs[2])) : total;
    },
  },
  lower(context) {
    const { x, w, b, dims, group, perGroup, outputsPerGroup, outChannels, shape } = parts(context);
    const y = context.outputs[0];
    const window = windowAccess(dims);
    const depthwise = perGroup === 1;
    const space = [{ name: 'n', extent: shape[0] }, { name: 'o', extent: outChannels }, ...window.space];
    const reduce = depthwise ? window.kernel : [...window.kernel, { name: 'c', extent: perGroup }];
    const firstChannel = group === 1 ? 0 : times(div('o', outputsPerGroup), perGroup);
    const channel = depthwise ? firstChannel : sum(firstChannel, 'c');
    const type = elementType(y);
    const isFloat = type === 'float32';
    const sumType = isFloat ? type : smallestInteger(...accumulated(context));
    const [lo, hi] = rangeOf(x);
    const product = isFloat ? type : smallestInteger(...productRange([Math.min(lo, 0), Math.max(hi, 0)], rangeOf(w)));
    const data = load(x.name, ['n', channel, ...window.at], window.guard, zero(elementType(x)));
    const factor = load(w.name, ['o', depthwise ? 0 : 'c', ...window.kernel.map((k) => k.name)]);
    return [
      makeKernel({
        name: kernelName(context),
        op: depthwise ? 'depthwise' : 'convolution',
        space,
        reduce,
        partials: partialSums(space, reduce, sumType, 'n'),
        accumulators: [{ name: 'acc', type: sumType, init: zero(sumType), update: add(sumType, ref('acc'), mul(product, data, factor)) }],
        stores: [{ tensor: y.name, at: space.map((s) => axis(s.name)), value: b ? add(type, ref('acc'), load(b.name, ['o'])) : ref('acc') }],
      }),
    ];
  },
  gradient(context, _outputs, [dy], build) {
    const { group, dims, w, b } = parts(context);
    return convGradient(build, { x: context.input(0), w, b, dy, dims, group });
  },
  moments: {
    label: 'exact',
    rule(context, [x, w, b], build, form) {
      const attributes: Readonly<Record<string, Attribute>> = context.node.attributes;
      const { outChannels, dims } = parts(context);
      const { mean, variance } = productMoments(
        build, form, x, w,
        (data, factor) => build.node('Conv', b ? [data, factor, b.mean] : [data, factor], attributes),
        (data, factor) => build.node('Conv', [data, factor], attributes),
      );
      if (b?.variance === undefined) return { mean, variance };
      const bias = build.node('Reshape', [b.variance, build.constant(intVector([1, outChannels, ...dims.map(() => 1)]))]);
      return { mean, variance: variance === undefined ? broadcastTo(build, bias, build.info(mean).shape) : build.node('Add', [variance, bias]) };
    },
    // positions share the weights, channels of a group the data
    dependence: {
      flows(context) {
        const { outChannels, dims } = parts(context);
        const channels = context.input(1).shape[1];
        const toOutput = [[0], ...dims.map(() => undefined)];
        return [
          windowFlow(dims, { meet: channels > 1, own: context.int('group') === outChannels }),
          { meets: context.input(1).shape.map((_, d) => d).slice(1), keeps: [undefined, ...toOutput] },
          { meets: [], keeps: [undefined, ...toOutput] },
        ];
      },
    },
  },
  samples: convSamples,
};

/** Padding adds zeros times weights: with an infinite weight that would be NaN, and padding, peeling and skipping would differ. */
function finiteWeights(context: NodeContext): void {
  const { constant, name } = context.input(1);
  const bad = constant?.dtype === 'float32' ? constant.data.findIndex((v) => !Number.isFinite(v)) : -1;
  if (bad >= 0) {
    fail('graph/unsupported', context.node.name, `weight ${bad} of "${name}" is ${constant!.data[bad]}, and convolution weights must be finite`, 'Repair the weights before export.');
  }
}
