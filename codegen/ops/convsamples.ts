/** Cases of Conv for the operator harness: tile edges, strides, padding, groups, dilations, auto_pad, one dimension, integers. */
import { given, weight } from './operands.js';
import type { Sample } from './record.js';

const tolerance = 3e-6;

/** [O, C, kernel, H, W] at channel counts around tile edges. */
const edges = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((o, i): Sample => ({
  name: `outputs ${o}`,
  attributes: { pads: [1, 1, 1, 1] },
  inputs: [given([1, 1 + (i % 5), 5, 4 + (i % 3)]), weight([o, 1 + (i % 5), 3, 3]), weight([o])],
  seed: 500 + i,
  tolerance,
}));

const forms: Omit<Sample, 'seed' | 'tolerance'>[] = [
  { name: '1x1', inputs: [given([3, 8, 3, 5]), weight([16, 8, 1, 1]), weight([16])] },
  { name: 'no bias, no padding', inputs: [given([1, 3, 6, 6]), weight([8, 3, 3, 3])] },
  { name: 'stride 2', attributes: { strides: [2, 2], pads: [1, 1, 1, 1] }, inputs: [given([1, 4, 7, 8]), weight([9, 4, 3, 3]), weight([9])] },
  { name: 'uneven strides and pads', attributes: { strides: [1, 3], pads: [0, 2, 1, 0], kernel_shape: [2, 4] }, inputs: [given([3, 3, 5, 9]), weight([5, 3, 2, 4]), weight([5])] },
  { name: 'dilation', attributes: { dilations: [2, 3], pads: [2, 3, 2, 3] }, inputs: [given([1, 3, 7, 8]), weight([8, 3, 3, 3]), weight([8])] },
  { name: 'SAME_UPPER', attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] }, inputs: [given([1, 3, 6, 7]), weight([8, 3, 3, 4]), weight([8])] },
  { name: 'SAME_LOWER', attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] }, inputs: [given([1, 3, 6, 7]), weight([8, 3, 3, 4]), weight([8])] },
  { name: 'SAME_UPPER stride above kernel', attributes: { auto_pad: 'SAME_UPPER', strides: [3, 3] }, inputs: [given([1, 2, 7, 8]), weight([4, 2, 2, 2])] },
  { name: 'VALID', attributes: { auto_pad: 'VALID', strides: [1, 2] }, inputs: [given([2, 3, 5, 6]), weight([4, 3, 2, 3]), weight([4])] },
  { name: 'groups', attributes: { group: 2, pads: [1, 1, 1, 1] }, inputs: [given([1, 6, 4, 5]), weight([8, 3, 3, 3]), weight([8])] },
  { name: 'groups of 4 outputs', attributes: { group: 4 }, inputs: [given([3, 8, 3, 3]), weight([16, 2, 2, 2])] },
  { name: 'depthwise 3', attributes: { group: 3, pads: [1, 1, 1, 1] }, inputs: [given([1, 3, 5, 5]), weight([3, 1, 3, 3]), weight([3])] },
  { name: 'depthwise 16', attributes: { group: 16, pads: [1, 1, 1, 1] }, inputs: [given([1, 16, 5, 5]), weight([16, 1, 3, 3]), weight([16])] },
  { name: 'depthwise 17 stride 2', attributes: { group: 17, strides: [2, 2], auto_pad: 'SAME_UPPER' }, inputs: [given([3, 17, 6, 6]), weight([17, 1, 3, 3]), weight([17])] },
  { name: 'depthwise multiplier 2', attributes: { group: 5 }, inputs: [given([1, 5, 4, 4]), weight([10, 1, 3, 3]), weight([10])] },
  { name: 'one dimension', attributes: { pads: [2, 1], strides: [2] }, inputs: [given([3, 4, 11]), weight([9, 4, 4]), weight([9])] },
  { name: 'one dimension, depthwise, dilated', attributes: { group: 8, dilations: [2] }, inputs: [given([1, 8, 9]), weight([8, 1, 3]), weight([8])] },
  { name: 'one dimension, SAME_LOWER', attributes: { auto_pad: 'SAME_LOWER' }, inputs: [given([1, 2, 6]), weight([3, 2, 4])] },
  { name: 'one output, partial sums', inputs: [given([1, 16, 3, 3]), weight([1, 16, 3, 3]), weight([1])] },
  { name: 'padding wider than the kernel', attributes: { pads: [3, 3, 3, 3] }, inputs: [given([1, 2, 2, 2]), weight([4, 2, 2, 2]), weight([4])] },
  { name: 'weights at run time', inputs: [given([1, 3, 4, 4]), given([4, 3, 3, 3]), given([4])] },
];

const integers: Omit<Sample, 'seed' | 'tolerance'>[] = [
  { name: 'int8', attributes: { pads: [1, 1, 1, 1] }, inputs: [given([1, 5, 4, 5], { dtype: 'int8' }), weight([17, 5, 3, 3], { dtype: 'int8' }), weight([17], { dtype: 'int18' })] },
  { name: 'uint8 and int4', attributes: { strides: [2, 2], pads: [1, 1, 0, 0] }, inputs: [given([3, 4, 5, 5], { dtype: 'uint8' }), weight([8, 4, 3, 3], { dtype: 'int4' })] },
  { name: 'uint4 and int4', inputs: [given([1, 8, 4, 4], { dtype: 'uint4' }), weight([16, 8, 3, 3], { dtype: 'int4' }), weight([16], { dtype: 'int8' })] },
  { name: 'int2 and int2, padded', attributes: { auto_pad: 'SAME_UPPER' }, inputs: [given([1, 3, 4, 4], { dtype: 'int2' }), weight([9, 3, 2, 2], { dtype: 'int2' })] },
  { name: 'int8 depthwise', attributes: { group: 16, pads: [1, 1, 1, 1] }, inputs: [given([1, 16, 4, 4], { dtype: 'int8' }), weight([16, 1, 3, 3], { dtype: 'int8' }), weight([16], { dtype: 'int16' })] },
  { name: 'uint8 groups', attributes: { group: 2 }, inputs: [given([1, 6, 3, 3], { dtype: 'uint8' }), weight([4, 3, 2, 2], { dtype: 'int8' })] },
  { name: 'uint8 of a narrower range', attributes: { pads: [1, 1, 1, 1] }, inputs: [given([1, 4, 4, 4], { dtype: 'uint8', range: [3, 100] }), weight([8, 4, 3, 3], { dtype: 'int3' }), weight([8], { dtype: 'int9' })] },
  { name: 'int12 one dimension', attributes: { pads: [1, 1] }, inputs: [given([1, 3, 7], { dtype: 'int12' }), weight([5, 3, 3], { dtype: 'int6' })] },
];

export const convSamples: readonly Sample[] = [
  ...edges,
  ...forms.map((s, i) => ({ ...s, seed: 520 + i, tolerance })),
  ...integers.map((s, i) => ({ ...s, seed: 550 + i, tolerance: 0 })),
];
