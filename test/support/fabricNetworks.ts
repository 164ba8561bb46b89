/**
 * Networks of the shapes that FPGA submissions to MLPerf Tiny and a tutorial of FINN have, with random weights: their circuits have
 * those sizes, and what they answer means nothing.
 */
import type { Graph } from '../../codegen/ir/graph.js';
import { GraphBuilder } from './graphs.js';
import { Random } from './random.js';

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** KWS-W3A3: 490-256-256-256-12, weights and activations of 3 bits, an input of 8. */
export function keywordNetwork(seed = 1): Graph {
  const net = new GraphBuilder();
  const random = new Random(seed);
  const sizes = [490, 256, 256, 256, 12];
  let x = net.quant(net.input('x', [1, sizes[0]]), 0.33674246, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  for (let i = 1; i < sizes.length; i++) {
    const values = Array.from({ length: sizes[i - 1] * sizes[i] }, () => random.float(-1, 1));
    const w = net.quant(net.constant(`w${i}`, [sizes[i - 1], sizes[i]], values), 0.33, 3, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
    x = net.node('Mul', [net.node('MatMul', [x, w]), net.scalar(1 / Math.sqrt(sizes[i - 1] * (i === 1 ? 50 : 1)))]);
    if (i < sizes.length - 1) x = net.quant(net.node('Relu', [x]), 0.2, 3, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  }
  return { ...net.build(x), name: 'keywords' };
}

/** CNV of one or two bits: six convolutions of 3x3 without padding, two pools of 2x2, three dense layers behind an input of 8 bits. */
export function imageNetwork(bits: 1 | 2, classes: number, seed = 1): Graph {
  const net = new GraphBuilder();
  const random = new Random(seed);
  const quantized = (x: string): string => (bits === 1 ? net.node('BipolarQuant', [x, net.scalar(1)]) : net.quant(x, 0.6, bits, { signed: 1, narrow: 1, rounding_mode: 'ROUND' }));
  const weight = (name: string, shape: readonly number[]): string => quantized(net.constant(name, shape, Array.from({ length: product(shape) }, () => random.float(-1, 1))));
  const activation = (x: string, products: number): string => quantized(bits === 1 ? x : net.node('Mul', [x, net.scalar(1 / Math.sqrt(products))]));
  let x = net.quant(net.input('x', [1, 3, 32, 32]), 1 / 128, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  const channels = [3, 64, 64, 128, 128, 256, 256];
  for (let i = 1; i < channels.length; i++) {
    x = activation(net.node('Conv', [x, weight(`conv${i}`, [channels[i], channels[i - 1], 3, 3])], { kernel_shape: [3, 3] }), 9 * channels[i - 1]);
    if (i === 2 || i === 4) x = net.node('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
  }
  x = net.node('Flatten', [x]);
  const sizes = [256, 512, 512, classes];
  for (let i = 1; i < sizes.length; i++) {
    x = net.node('MatMul', [x, weight(`dense${i}`, [sizes[i - 1], sizes[i]])]);
    if (i < sizes.length - 1) x = activation(x, sizes[i - 1]);
  }
  return { ...net.build(x), name: 'images' };
}

/** CNV-W1A1 of ten classes, bipolar behind its input. */
export const bipolarImageNetwork = (seed = 1): Graph => imageNetwork(1, 10, seed);

/** FINN's tutorial network for intrusions: 600-64-64-64-1, weights and activations of 2 bits, inputs of 1. */
export function intrusionNetwork(seed = 3): Graph {
  const net = new GraphBuilder();
  const random = new Random(seed);
  const sizes = [600, 64, 64, 64, 1];
  let x = net.node('BipolarQuant', [net.input('x', [1, sizes[0]]), net.scalar(1)]);
  for (let i = 1; i < sizes.length; i++) {
    const shape = [sizes[i - 1], sizes[i]];
    const w = net.quant(net.constant(`w${i}`, shape, Array.from({ length: product(shape) }, () => random.float(-1, 1))), 0.6, 2, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
    x = net.node('MatMul', [x, w]);
    if (i < sizes.length - 1) x = net.quant(net.node('Relu', [net.node('Mul', [x, net.scalar(1 / Math.sqrt(sizes[i - 1]))])]), 0.4, 2, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  }
  return { ...net.build(x), name: 'intrusion' };
}
