/**
 * Bipolar networks for tests of counted bits: channels that fill words of 64 bits, of 32 to 8, and none; many producers of bits.
 */
import type { Graph } from '../../codegen/ir/graph.js';
import { GraphBuilder } from './graphs.js';
import { convolutionNetwork, denseNetwork } from './lowBitNetworks.js';
import { Random } from './random.js';

export const bipolar = { weights: 1, activations: 1 } as const;

/** A first layer of more bits, whose outputs are bipolar; convolutions, a pool between them, and an output with places. */
function mixedNetwork(): Graph {
  const b = new GraphBuilder();
  const random = new Random(5);
  const weight = (name: string, shape: readonly number[]): string => b.node('BipolarQuant', [b.constant(name, shape, Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.float(-1, 1))), b.scalar(1)]);
  const bias = b.constant('bias', [64], Array.from({ length: 64 }, () => random.float(-3, 3)));
  const sign = (x: string): string => b.node('BipolarQuant', [x, b.scalar(1)]);
  let x = b.quant(b.input('x', [2, 3, 11, 9]), 0.02, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  x = sign(b.node('Conv', [x, weight('w0', [64, 3, 3, 3]), bias], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1], group: 1 }));
  x = sign(b.node('Conv', [x, weight('w1', [128, 64, 3, 3])], { kernel_shape: [3, 3], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 }));
  x = sign(b.node('Conv', [x, weight('w2', [64, 128, 1, 1]), bias], { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [2, 2], group: 1 }));
  x = b.node('Conv', [x, weight('w3', [5, 64, 2, 3])], { kernel_shape: [2, 3], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 });
  return { ...b.build(x), name: 'mixed' };
}

/** Bipolar layers behind pools with and without overlap and padding, behind a concatenation and a flatten: all but the first count matches. */
export function pooledNetwork(): Graph {
  const b = new GraphBuilder();
  const random = new Random(9);
  const weight = (name: string, shape: readonly number[]): string => b.node('BipolarQuant', [b.constant(name, shape, Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.float(-1, 1))), b.scalar(1)]);
  const sign = (x: string): string => b.node('BipolarQuant', [x, b.scalar(1)]);
  const conv = (x: string, name: string, shape: readonly number[]): string => b.node('Conv', [x, weight(name, shape)], { kernel_shape: shape.slice(2), pads: [0, 0, 0, 0], strides: [1, 1], group: 1 });
  const pool = (x: string, size: number, stride: number, pad: number): string => b.node('MaxPool', [x], { kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad] });
  const x = b.quant(b.input('x', [1, 3, 14, 14]), 0.02, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  const first = pool(sign(conv(x, 'w0', [8, 3, 3, 3])), 2, 2, 0);
  const second = pool(sign(conv(first, 'w1', [6, 8, 3, 3])), 3, 2, 1);
  const third = pool(sign(conv(first, 'w2', [10, 8, 3, 3])), 3, 2, 1);
  const joined = b.node('Concat', [second, third], { axis: 1 });
  const last = b.node('Flatten', [pool(sign(conv(joined, 'w3', [12, 16, 1, 1])), 2, 1, 0)]);
  return { ...b.build(b.node('MatMul', [sign(b.node('MatMul', [last, weight('w4', [12, 20])])), weight('w5', [20, 4])])), name: 'pooled' };
}

/** Bipolar networks around the edges of words, bytes and lanes. Inputs are called x. */
export const bipolarNetworks = (): Graph[] => [
  // One word, several, more than are written out; outputs that fill no byte, bytes, and an odd number of them.
  denseNetwork([64, 40, 7], bipolar),
  denseNetwork([192, 64, 33], bipolar, 3),
  denseNetwork([2560, 3], bipolar, 2),
  // Words of 32, 16 and 8 bits, which only targets without lookups count.
  denseNetwork([96, 48, 24, 5], bipolar),
  convolutionNetwork({ channels: [64, 128], extent: 5, kernel: 3, padding: 0 }, bipolar),
  // Places that lanes do not divide, and fewer than lanes.
  convolutionNetwork({ channels: [64, 64, 10], extent: 7, kernel: 2, padding: 0 }, bipolar, 2),
  convolutionNetwork({ channels: [64, 3], extent: 1, kernel: 1, padding: 0 }, bipolar, 2),
  mixedNetwork(),
  pooledNetwork(),
];
