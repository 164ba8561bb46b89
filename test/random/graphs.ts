/**
 * Random graphs by seed: float networks, fake-quantized ones (Quant nodes around MatMul and Conv), integer ones, random weights. Small,
 * always valid, the same for the same seed. Not models of anything: they bring operators together as no sample does.
 */
import { makeConstant, type Attribute, type Constant, type Graph, type Node, type Value } from '../../codegen/ir/graph.js';
import type { DataType } from '../../codegen/ir/datatype.js';
import { infer } from '../../codegen/passes/infer.js';
import { Random } from '../support/random.js';

export type Kind = 'float' | 'quantized' | 'integer';
export const kinds: readonly Kind[] = ['float', 'quantized', 'integer'];

export interface RandomCase {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

/** A graph under construction, with a current value of known shape. */
class Net {
  readonly random: Random;
  readonly integer: boolean;
  private readonly values: Record<string, Value> = {};
  private readonly constants: Record<string, Constant> = {};
  private readonly nodes: Node[] = [];
  private inferred: Graph;

  constructor(seed: number, inputShape: readonly number[], dtype: DataType) {
    this.random = new Random(seed);
    this.integer = dtype !== 'float32';
    this.values.x = { name: 'x', shape: inputShape, dtype };
    this.inferred = this.graph('x');
  }

  shape(name: string): readonly number[] {
    return this.inferred.values[name].shape as readonly number[];
  }
  range(name: string): readonly [number, number] {
    return this.inferred.values[name].range!;
  }

  constant(shape: readonly number[], fill: () => number, dtype: DataType = 'float32'): string {
    const name = `c${Object.keys(this.constants).length}`;
    const count = shape.reduce((a, b) => a * b, 1);
    this.constants[name] = makeConstant(dtype, shape, Array.from({ length: count }, fill));
    this.values[name] = { name, shape, dtype };
    return name;
  }
  scalar(value: number): string {
    return this.constant([], () => value);
  }
  ints(values: readonly number[]): string {
    let i = 0;
    return this.constant([values.length], () => values[i++], 'int32');
  }

  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const name = `v${this.nodes.length}`;
    this.values[name] = { name };
    this.nodes.push({ name: `${op}_${this.nodes.length}`, op, inputs, outputs: [name], attributes });
    this.inferred = infer(this.graph(name));
    return name;
  }

  graph(output: string): Graph {
    return { name: 'random', inputs: ['x'], outputs: [output], values: { ...this.values }, constants: { ...this.constants }, nodes: [...this.nodes] };
  }
}

type Layer = (net: Net, x: string) => string;

const isImage = (net: Net, x: string): boolean => net.shape(x).length === 4;

// ---- Parts that the kinds share ----

/** Attributes of a window that fits the image. */
function windowOf(net: Net, x: string, odd = false): { kernel: number[]; attributes: Record<string, Attribute> } {
  const { random } = net;
  const [, , h, w] = net.shape(x);
  const kernel = [h, w].map((extent) => random.integer(1, Math.min(3, extent)));
  const pads = kernel.map((k) => (odd ? 0 : random.integer(0, k - 1)));
  const attributes: Record<string, Attribute> = { pads: [...pads, ...pads], strides: [random.integer(1, 2), random.integer(1, 2)] };
  return { kernel, attributes };
}

function convolution(net: Net, x: string, weight: (shape: readonly number[]) => string, bias?: (n: number) => string): string {
  const { random } = net;
  const channels = net.shape(x)[1];
  const { kernel, attributes } = windowOf(net, x);
  const depthwise = random.chance(0.25);
  const outputs = depthwise ? channels : random.pick([1, 3, 4, 5, 8, 13]);
  const inputs = [x, weight([outputs, depthwise ? 1 : channels, ...kernel])];
  if (bias && random.chance(0.6)) inputs.push(bias(outputs));
  return net.node('Conv', inputs, depthwise ? { ...attributes, group: channels } : attributes);
}

const flatten: Layer = (net, x) => net.node('Flatten', [x]);

const maxPool: Layer = (net, x) => {
  const { kernel, attributes } = windowOf(net, x);
  return net.node('MaxPool', [x], { ...attributes, kernel_shape: kernel });
};

/** Two branches of one value, side by side. */
const concat: Layer = (net, x) => net.node('Concat', [x, net.node('Relu', [x])], { axis: 1 });

const transpose: Layer = (net, x) => net.node('Transpose', [x], { perm: [0, 1, 3, 2] });

// ---- Float ----

const uniform = (net: Net, most = 1) => (): number => net.random.float(-most, most);
const activations = ['Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Sqrt'];

const floatImage: readonly Layer[] = [
  (net, x) => convolution(net, x, (shape) => net.constant(shape, uniform(net)), (n) => net.constant([n], uniform(net))),
  maxPool,
  (net, x) => {
    const { kernel, attributes } = windowOf(net, x);
    return net.node('AveragePool', [x], { ...attributes, kernel_shape: kernel, count_include_pad: net.random.integer(0, 1) });
  },
  (net, x) => {
    const c = net.shape(x)[1];
    const positive = (): number => net.random.float(0.5, 2);
    return net.node('BatchNormalization', [x, net.constant([c], positive), net.constant([c], uniform(net)), net.constant([c], uniform(net)), net.constant([c], positive)]);
  },
  (net, x) => net.node('Mul', [x, net.constant([1, net.shape(x)[1], 1, 1], uniform(net, 2))]),
  concat,
  transpose,
  (net, x) => net.node('Pad', [x, net.ints([0, 0, 1, 0, 0, 0, 0, 2])]),
  (net, x) => net.node('Add', [x, net.node('Tanh', [x])]),
  (net, x) => net.node('GlobalAveragePool', [x]),
];

const floatVector: readonly Layer[] = [
  (net, x) => net.node('MatMul', [x, net.constant([net.shape(x)[1], net.random.pick([1, 2, 5, 8, 16, 21])], uniform(net))]),
  (net, x) => {
    const n = net.random.pick([3, 10, 12]);
    return net.node('Gemm', [x, net.constant([n, net.shape(x)[1]], uniform(net)), net.constant([n], uniform(net))], { transB: 1 });
  },
  (net, x) => net.node('Sub', [net.constant([net.shape(x)[1]], uniform(net)), x]),
  (net, x) => net.node('Div', [x, net.scalar(net.random.float(0.5, 3))]),
  (net, x) => net.node('Softmax', [x], { axis: -1 }),
  (net, x) => net.node('Clip', [x, net.scalar(-0.75), net.scalar(0.5)]),
  concat,
];

const floatLayer: Layer = (net, x) => {
  const y = net.random.pick(isImage(net, x) ? floatImage : floatVector)(net, x);
  if (!net.random.chance(0.5)) return y;
  const op = net.random.pick(activations);
  return op === 'Sqrt' ? net.node('Sqrt', [net.node('Relu', [y])]) : net.node(op, [y]);
};

// ---- Quantized: as training tools export them ----

function quant(net: Net, x: string, bits: number, signed: boolean, scale: number, narrow = false): string {
  return net.node('Quant', [x, net.scalar(scale), net.scalar(0), net.scalar(bits)], { signed: signed ? 1 : 0, narrow: narrow ? 1 : 0, rounding_mode: 'ROUND' });
}

/** Scales as they come out of training: no powers of two. */
const scaleOf = (net: Net): number => net.random.pick([0.0371, 0.11, 0.25, 0.0625, 0.0893]);

function quantizedWeight(net: Net, shape: readonly number[]): string {
  const bits = net.random.pick([2, 3, 4, 8]);
  const weight = net.constant(shape, uniform(net));
  if (bits === 2 && net.random.chance(0.3)) return net.node('BipolarQuant', [weight, net.scalar(scaleOf(net))]);
  return quant(net, weight, bits, true, Math.fround(1 / 2 ** (bits - 1)) * 1.07, net.random.chance(0.5));
}

const quantizedLayer: Layer = (net, x) => {
  const { random } = net;
  let y: string;
  if (isImage(net, x)) {
    if (random.chance(0.25)) return maxPool(net, x);
    y = convolution(net, x, (shape) => quantizedWeight(net, shape), (n) => net.constant([n], uniform(net)));
    if (random.chance(0.4)) y = floatImage[3](net, y);
  } else {
    y = net.node('MatMul', [x, quantizedWeight(net, [net.shape(x)[1], random.pick([3, 8, 10, 17])])]);
    if (random.chance(0.5)) y = net.node('Add', [y, net.constant([net.shape(y)[1]], uniform(net))]);
  }
  const unsigned = random.chance(0.6);
  if (unsigned) y = net.node('Relu', [y]);
  const bits = random.pick([2, 3, 4, 8]);
  const scale = scaleOf(net);
  y = quant(net, y, bits, !unsigned, scale);
  // a residual of one scale
  return random.chance(0.2) ? quant(net, net.node('Add', [y, y]), bits, !unsigned, scale) : y;
};

// ---- Integer: what streamline leaves, by hand ----

function integerConstant(net: Net, shape: readonly number[], bits: number): string {
  const [lo, hi] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  return net.constant(shape, () => net.random.integer(lo, hi), `int${bits}`);
}

/** Brings an accumulator back to few bits, by thresholds over its range. */
function requantize(net: Net, x: string): string {
  const { random } = net;
  const channels = net.shape(x)[1];
  const levels = random.pick([1, 3, 15, 31]);
  const [lo, hi] = net.range(x);
  const rows = random.chance(0.5) ? channels : 1;
  const table = Array.from({ length: rows }, () => Array.from({ length: levels }, () => random.integer(lo, hi)).sort((a, b) => a - b)).flat();
  let i = 0;
  const thresholds = net.constant([rows, levels], () => table[i++], 'int32');
  return net.node('Requantize', [x, thresholds], { base: random.pick([0, -Math.ceil(levels / 2)]) });
}

const integerLayer: Layer = (net, x) => {
  const { random } = net;
  const bits = random.pick([2, 4, 8]);
  if (isImage(net, x)) {
    switch (random.integer(0, 5)) {
      case 0: return maxPool(net, x);
      case 1: return transpose(net, x);
      case 2: return requantize(net, net.node('Add', [x, net.node('Relu', [x])]));
      default: return requantize(net, convolution(net, x, (shape) => integerConstant(net, shape, bits), (n) => integerConstant(net, [n], 8)));
    }
  }
  switch (random.integer(0, 4)) {
    case 0: return requantize(net, net.node('Mul', [x, integerConstant(net, [net.shape(x)[1]], 4)]));
    case 1: return requantize(net, net.node('Sub', [x, integerConstant(net, [net.shape(x)[1]], 6)]));
    default: return requantize(net, net.node('MatMul', [x, integerConstant(net, [net.shape(x)[1], random.pick([2, 7, 10, 16])], bits)]));
  }
};

// ---- Whole graphs ----

const layerOf: Readonly<Record<Kind, Layer>> = { float: floatLayer, quantized: quantizedLayer, integer: integerLayer };

/** The graph of a kind and seed, with one input `x` and values for it. */
export function randomCase(kind: Kind, seed: number): RandomCase {
  const shapes = new Random(seed ^ 0x5eed);
  const image = shapes.chance(0.65);
  const batch = shapes.pick([1, 1, 3]);
  const shape = image ? [batch, shapes.integer(1, 5), shapes.integer(3, 9), shapes.integer(3, 9)] : [batch, shapes.integer(2, 40)];
  const dtype: DataType = kind === 'integer' ? shapes.pick(['int4', 'uint8', 'int8', 'uint2'] as const) : 'float32';
  const net = new Net(seed, shape, dtype);
  let y = 'x';
  if (kind === 'quantized') y = quant(net, y, 8, true, 0.0157);
  const layers = net.random.integer(2, 5);
  for (let i = 0; i < layers; i++) {
    // the second half of an image network is dense
    if (isImage(net, y) && i >= layers / 2) y = flatten(net, y);
    y = layerOf[kind](net, y);
  }
  const graph = net.graph(y);
  const count = shape.reduce((a, b) => a * b, 1);
  const data = new Random(seed + 1);
  const range: Readonly<Record<string, readonly [number, number]>> = { int4: [-8, 7], uint8: [0, 255], int8: [-128, 127], uint2: [0, 3] };
  const values = Array.from({ length: count }, () => (dtype === 'float32' ? data.float(-2, 2) : data.integer(...range[dtype])));
  return { name: `${kind} ${seed}`, graph, inputs: { x: values } };
}

/** The same with random weights in its products, and what its sampled twin takes beside x; undefined where it has no product. */
export function sampledCase(kind: 'float' | 'quantized', seed: number): RandomCase | undefined {
  const { name, graph, inputs } = randomCase(kind, seed);
  // of a quantized weight the float one that the quantizer takes
  const weights = graph.nodes.flatMap((n) => (['Conv', 'Gemm', 'MatMul'].includes(n.op) ? n.inputs.slice(1) : n.op === 'Quant' ? n.inputs.slice(0, 1) : [])).filter((w) => graph.constants[w]?.dtype === 'float32');
  if (weights.length === 0) return undefined;
  const posteriors = Object.fromEntries(weights.map((w) => [w, { deviation: makeConstant('float32', graph.constants[w].shape, Array.from(graph.constants[w].data, (_, e) => 0.1 + (e % 3) / 10)) }]));
  return { name: `sampled ${name}`, graph: { ...graph, posteriors }, inputs: { ...inputs, samples: [3], seed: [seed, 1], batchOffset: [0] } };
}
