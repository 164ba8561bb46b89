/**
 * The same network in float32 and in 8, 4, 2 and 1 bits, for measurements and for tests of low-bit kernels. Weights by seed,
 * spread over all levels; activations over all levels too, as training leaves them. Not trained: what they answer means nothing.
 */
import type { Graph } from '../../codegen/ir/graph.js';
import { GraphBuilder } from './graphs.js';
import { Random } from './random.js';

/** Bits of weights and activations; 32 is float32 without quantizers, 1 is bipolar. */
export interface Widths {
  readonly weights: 32 | 8 | 4 | 2 | 1;
  readonly activations: 32 | 8 | 4 | 2 | 1;
  /** Weights as training leaves them: as many levels above zero as below. */
  readonly narrow?: true;
  /** Activations of both signs. */
  readonly signed?: true;
}

export interface ConvolutionShape {
  /** Channels of input and output, and a pair more for each further layer. */
  readonly channels: readonly number[];
  /** Height and width of the input. */
  readonly extent: number;
  readonly kernel: number;
  readonly padding: number;
}

class Net extends GraphBuilder {
  readonly random: Random;
  readonly widths: Widths;

  constructor(widths: Widths, seed: number) {
    super();
    this.widths = widths;
    this.random = new Random(seed);
  }

  weight(name: string, shape: readonly number[]): string {
    const { weights } = this.widths;
    const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => this.random.float(-1, 1));
    const w = this.constant(name, shape, values);
    if (weights === 32) return w;
    if (weights === 1) return this.node('BipolarQuant', [w, this.scalar(1)]);
    // Levels to both ends: -1 .. 1 is a little more than the type.
    return this.quant(w, 2 ** (1 - weights), weights, { signed: 1, narrow: this.widths.narrow ? 1 : 0, rounding_mode: 'ROUND' });
  }

  /** Values of roughly unit spread, quantized: unsigned after a ReLU, bipolar at one bit. */
  activation(x: string): string {
    const { activations } = this.widths;
    if (activations === 32) return this.node('Relu', [x]);
    if (activations === 1) return this.node('BipolarQuant', [x, this.scalar(1)]);
    if (this.widths.signed) return this.quant(x, 2 ** (1 - activations), activations, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
    return this.quant(this.node('Relu', [x]), 2 / (2 ** activations - 1), activations, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  }

  /** Brings a sum of `terms` products back to unit spread. */
  scaled(x: string, terms: number): string {
    return this.widths.activations === 32 ? x : this.node('Mul', [x, this.scalar(1 / Math.sqrt(terms))]);
  }
}

/** Dense layers of the given sizes; `x` float32 [batch, sizes[0]], quantized first. */
export function denseNetwork(sizes: readonly number[], widths: Widths, batch = 1, seed = 1): Graph {
  const net = new Net(widths, seed);
  let x = net.activation(net.input('x', [batch, sizes[0]]));
  for (let i = 1; i < sizes.length; i++) {
    x = net.scaled(net.node('MatMul', [x, net.weight(`w${i}`, [sizes[i - 1], sizes[i]])]), sizes[i - 1]);
    if (i < sizes.length - 1) x = net.activation(x);
  }
  return named(net.build(x), 'dense', sizes.join('_'), widths);
}

/** Convolutions one after the other, then the mean of each channel; `x` float32 [batch, channels, extent, extent], quantized first. */
export function convolutionNetwork(shape: ConvolutionShape, widths: Widths, batch = 1, seed = 1): Graph {
  const net = new Net(widths, seed);
  const { channels, extent, kernel, padding } = shape;
  let x = net.activation(net.input('x', [batch, channels[0], extent, extent]));
  for (let i = 1; i < channels.length; i++) {
    const w = net.weight(`w${i}`, [channels[i], channels[i - 1], kernel, kernel]);
    x = net.activation(net.scaled(net.node('Conv', [x, w], { kernel_shape: [kernel, kernel], pads: [padding, padding, padding, padding] }), channels[i - 1] * kernel * kernel));
  }
  return named(net.build(net.node('GlobalAveragePool', [x])), 'convolution', channels.join('_'), widths);
}

function named(graph: Graph, kind: string, size: string, widths: Widths): Graph {
  return { ...graph, name: `${kind}_${size}_w${widths.weights}a${widths.activations}` };
}
