/**
 * Networks of one shape in several widths, with seeded weights: what fewer bits gain, everything else equal. Made with the
 * Graph API; answers come from the float64 reference. Not trained: speed does not ask what a network knows.
 */
import type { Graph } from '../../codegen/ir/graph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { macsOf, type Network } from './networks.js';

/** Bits of weights and of activations between layers; 32 is float32, 1 is bipolar. The first input is 8-bit where others are. */
export type Bits = 1 | 2 | 4 | 8 | 32;

interface Layer {
  readonly op: 'dense' | 'conv' | 'pool' | 'flatten' | 'mean';
  /** Outputs of a dense layer or convolution; window of a pool. */
  readonly size?: number;
  readonly kernel?: number;
  readonly pad?: number;
}

interface Shape {
  readonly input: readonly number[];
  readonly layers: readonly Layer[];
  /** The input itself is one bit wide where the layers are. */
  readonly narrowInput?: boolean;
  readonly bits: readonly Bits[];
}

const dense = (size: number): Layer => ({ op: 'dense', size });
const conv = (size: number, kernel: number, pad = 0): Layer => ({ op: 'conv', size, kernel, pad });

/** By name. No padding where bipolar convolutions are: they have no zero. */
export const shapes: Readonly<Record<string, Shape>> = {
  'mlp 784-64-64-64-10': { input: [784], layers: [dense(64), dense(64), dense(64), dense(10)], bits: [32, 8, 4, 2, 1] },
  'lenet 8-16-64-10': { input: [1, 28, 28], layers: [conv(8, 5, 2), { op: 'pool', size: 2 }, conv(16, 5), { op: 'pool', size: 2 }, { op: 'flatten' }, dense(64), dense(10)], bits: [32, 8, 4, 2] },
  'cnn 32-32-64-64': { input: [3, 20, 20], layers: [conv(32, 3), conv(32, 3), { op: 'pool', size: 2 }, conv(64, 3), conv(64, 3), { op: 'mean' }, { op: 'flatten' }, dense(10)], bits: [32, 8, 4, 2, 1] },
  'dense 1024x1024': { input: [1024], layers: [dense(1024)], narrowInput: true, bits: [32, 8, 4, 2, 1] },
  'conv 3x3 64-64 16x16': { input: [64, 18, 18], layers: [conv(64, 3)], narrowInput: true, bits: [32, 8, 4, 2, 1] },
};

class Writer {
  private readonly b = new GraphBuilder();
  private readonly random = new Random(7);
  private count = 0;
  private x: string;
  private shape: number[];
  /** Mean square of the values, from which the next quantizer's scale follows. */
  private square = 1;

  constructor(private readonly bits: Bits, input: readonly number[]) {
    this.x = this.b.input('input', [1, ...input]);
    this.shape = [...input];
  }

  /** A quantizer of the current value, unsigned after ReLU. */
  quantize(bits: number, signed: boolean): void {
    if (this.bits === 32) return;
    if (bits === 1) this.x = this.b.node('BipolarQuant', [this.x, this.b.scalar(1)]);
    else {
      const scale = Math.fround((2.7 * Math.sqrt(this.square)) / (signed ? 2 ** (bits - 1) : 2 ** bits));
      this.x = this.b.quant(this.x, scale, bits, { signed: signed ? 1 : 0, narrow: 0, rounding_mode: 'ROUND' });
    }
    if (bits === 1) this.square = 1;
  }

  /** Weights of about unit square sum over a reduction of this length. */
  private weights(shape: readonly number[], reduction: number): string {
    const name = `w${this.count++}`;
    const top = this.bits === 32 ? 1 : this.bits === 1 ? 1 : 2 ** (this.bits - 1) - 1;
    const scale = Math.fround(1.7 / Math.sqrt(reduction) / top);
    const count = shape.reduce((a, d) => a * d, 1);
    const codes = Array.from({ length: count }, () => (this.bits === 1 ? this.random.integer(0, 1) * 2 - 1 : this.bits === 32 ? this.random.float(-1, 1) : this.random.integer(-top, top)));
    const constant = this.b.constant(name, shape, codes.map((c) => Math.fround(c * scale)));
    if (this.bits === 32) return constant;
    return this.bits === 1 ? this.b.node('BipolarQuant', [constant, this.b.scalar(scale)]) : this.b.quant(constant, scale, this.bits, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
  }

  private bias(size: number): string {
    return this.b.constant(`b${this.count++}`, [size], Array.from({ length: size }, () => this.random.float(-0.3, 0.3)));
  }

  layer(layer: Layer, last: boolean): void {
    const { size = 1, kernel = 1, pad = 0 } = layer;
    if (layer.op === 'flatten') {
      this.x = this.b.node('Flatten', [this.x], { axis: 1 });
      this.shape = [this.shape.reduce((a, d) => a * d, 1)];
    } else if (layer.op === 'pool') {
      this.x = this.b.node('MaxPool', [this.x], { kernel_shape: [size, size], strides: [size, size] });
      this.shape = [this.shape[0], Math.floor(this.shape[1] / size), Math.floor(this.shape[2] / size)];
    } else if (layer.op === 'mean') {
      this.x = this.b.node('GlobalAveragePool', [this.x]);
      this.shape = [this.shape[0], 1, 1];
      this.quantize(8, false);
    } else {
      if (layer.op === 'dense') {
        const [inputs] = this.shape;
        this.x = this.b.node('Gemm', [this.x, this.weights([size, inputs], inputs), this.bias(size)], { transB: 1 });
        this.shape = [size];
      } else {
        const [channels, h, w] = this.shape;
        this.x = this.b.node('Conv', [this.x, this.weights([size, channels, kernel, kernel], channels * kernel * kernel), this.bias(size)], { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], strides: [1, 1], group: 1 });
        this.shape = [size, h + 2 * pad - kernel + 1, w + 2 * pad - kernel + 1];
      }
      this.square = 1;
      if (last) return;
      if (this.bits !== 1) this.x = this.b.node('Relu', [this.x]);
      this.quantize(this.bits, false);
    }
  }

  build(): Graph {
    return this.b.build(this.x);
  }
}

/** The network of a shape in one width. */
export function generatedGraph(name: string, bits: Bits): Graph {
  const { input, layers, narrowInput } = shapes[name];
  const w = new Writer(bits, input);
  w.quantize(narrowInput ? bits : 8, true);
  layers.forEach((layer, i) => w.layer(layer, i === layers.length - 1));
  return { ...w.build(), name: `${name} ${bits}` };
}

/** With two inputs and their answers by the float64 reference. */
export function generatedNetwork(name: string, bits: Bits): Network {
  return withReference(name, bits === 32 ? 'f32' : `w${bits}a${bits}`, generatedGraph(name, bits), shapes[name].input);
}

/** A graph as a network of the benchmark: two seeded inputs, their answers by the float64 reference. */
export function withReference(name: string, kind: string, graph: Graph, shape: readonly number[]): Network {
  const random = new Random(11);
  const size = shape.reduce((a, d) => a * d, 1);
  const examples = [0, 1].map(() => Array.from({ length: size }, () => random.float(-1, 1)));
  const golden = examples.map((data) => Array.from(evaluate(graph, { [graph.inputs[0]]: { shape: [1, ...shape], data: Float64Array.from(data) } })[graph.outputs[0]].data));
  return { name, kind, file: '', graph, shape, examples, golden, goldenFloat: golden, macs: macsOf(graph) };
}
