/**
 * `errorGraph`: a float network and its quantized form side by side in one graph, which measures what quantization does to
 * every layer, and by how much each layer's mean is off (bias correction). The driver that runs it is sdk/quantize.ts.
 *
 * For every quantized node, per inference (sums over its elements, in float32):
 *   signal  the squares of its float result
 *   alone   squared differences to what the quantized node makes of the float network's values, quantized
 *   total   squared differences to what it makes in the quantized network; this also of nodes that stay float
 * For every layer with weights, per output channel, over the batch:
 *   shift   mean of the float result less the quantized one, before correction
 * The quantized network adds to each layer `onTheFly` * shift + (1 - onTheFly) * correction. With the switch at 1 every
 * layer is measured behind corrected ones, in one run: empirical bias correction in the layers' order (Nagel et al.,
 * arXiv:1906.04721, section 4.2). With the switch at 0 the corrections are what was given.
 */
import { makeConstant, type Constant, type Graph, type Node, type Shape, type Value } from '../ir/graph.js';
import { dropUnused } from './clean.js';
import { otherAxes, type QuantizationPlan } from './quantizePlan.js';
import type { Codes } from './quantizeRanges.js';
import type { Quantization } from './quantize.js';

/** Values of the error graph that belong to one node. */
export interface Probe {
  readonly node: string;
  readonly signal: string;
  /** Absent where the node stays float. */
  readonly alone?: string;
  readonly total: string;
  /** For layers with weights: output and input of the shape [1, .., channels, .., 1]. */
  readonly shift?: string;
  readonly correction?: string;
  readonly channels?: number;
}

export interface ErrorGraph {
  readonly graph: Graph;
  /** Input of one element. */
  readonly onTheFly: string;
  readonly probes: readonly Probe[];
}

const prefix = 'quantized/';

/**
 * @param float prepared, inferred graph of which `quantization` was made
 * @param inputs as the error graph is to have them (see `restoreBatch`)
 */
export function errorGraph(float: Graph, plan: QuantizationPlan, quantization: Quantization, inputs: Readonly<Record<string, Value>>): ErrorGraph {
  const builder = new Builder(float, quantization.graph, inputs);
  const planned = new Map(plan.nodes.map((n) => [n.node.name, n]));
  const onTheFly = builder.input('error/onTheFly', [1]);
  const given = builder.node('Sub', builder.constant(makeConstant('float32', [1], [1])), onTheFly);
  const probes: Probe[] = [];
  const known = new Map<string, string>();
  /** A float value as the codes that its source has. */
  const asCodes = (name: string): string => {
    if (!known.has(name)) known.set(name, builder.quantizer(name, quantization.codes.get(plan.sources.get(name)![0])!));
    return known.get(name)!;
  };
  const renamed = (name: string): string => builder.renamed(name);

  for (const node of quantization.graph.nodes) {
    const inputs = node.inputs.map(renamed);
    const outputs = node.outputs.map(renamed);
    const own = planned.get(node.name);
    const power = (value: string): string => builder.output(builder.sumOfSquares(value, (float.values[node.outputs[0]].shape ?? []).length));
    if (!own) {
      builder.push({ ...node, name: `${prefix}${node.name}`, inputs, outputs });
      if (plan.kept.has(node.name)) probes.push({ node: node.name, signal: power(node.outputs[0]), total: power(builder.node('Sub', node.outputs[0], outputs[0])) });
      continue;
    }
    const [y] = own.node.outputs;
    const shape = float.values[y].shape as Shape;
    const alone = builder.node(node.op, ...node.inputs.map((_, i) => (own.inputs.includes(i) ? asCodes(own.node.inputs[i]) : inputs[i])), node.attributes);
    const raw = own.weights ? `${outputs[0]}/raw` : outputs[0];
    builder.push({ ...node, name: `${prefix}${node.name}`, inputs, outputs: own.weights ? [raw] : outputs });
    let correction: Pick<Probe, 'shift' | 'correction' | 'channels'> = {};
    let corrected = alone;
    if (own.weights) {
      const rest = otherAxes(shape, own.weights.outputAxis);
      const channels = shape[own.weights.outputAxis];
      const shift = builder.output(builder.node('ReduceMean', builder.node('Sub', y, raw), builder.axes(rest), {}));
      const input = builder.input(`error/${node.name}/correction`, shape.map((d, i) => (rest.includes(i) ? 1 : d)));
      const added = builder.node('Add', builder.node('Mul', shift, onTheFly), builder.node('Mul', input, given));
      builder.push({ name: `${prefix}${node.name}/correct`, op: 'Add', inputs: [raw, added], outputs, attributes: {} });
      corrected = builder.node('Add', alone, added);
      correction = { shift, correction: input, channels };
    }
    probes.push({
      node: node.name,
      signal: power(y),
      alone: power(builder.node('Sub', y, corrected)),
      total: power(builder.node('Sub', y, outputs[0])),
      ...correction,
    });
  }
  return { graph: builder.finish(), onTheFly, probes };
}

class Builder {
  private readonly nodes: Node[];
  private readonly values: Record<string, Value>;
  private readonly constants: Record<string, Constant>;
  private readonly outputs: string[] = [];
  private readonly inputs: string[];
  private readonly results: ReadonlySet<string>;
  private count = 0;

  constructor(private readonly float: Graph, quantized: Graph, inputs: Readonly<Record<string, Value>>) {
    this.nodes = [...float.nodes];
    this.constants = { ...float.constants, ...quantized.constants };
    this.values = Object.fromEntries([...Object.keys(quantized.values), ...Object.keys(float.values)].map((name) => [name, inputs[name] ?? { name }]));
    this.inputs = [...float.inputs];
    this.results = new Set(quantized.nodes.flatMap((n) => n.outputs));
  }

  /** Results of the quantized network have names of their own. */
  renamed(name: string): string {
    return this.results.has(name) && name !== '' ? `${prefix}${name}` : name;
  }

  push(node: Node): void {
    this.nodes.push(node);
    for (const name of node.outputs) if (name !== '') this.values[name] = { name };
  }

  /** Adds a node of one output; attributes may come last. */
  node(op: string, ...given: (string | Node['attributes'])[]): string {
    const last = given[given.length - 1];
    const attributes = typeof last === 'object' ? last : {};
    const inputs = given.filter((x): x is string => typeof x === 'string');
    const name = `error/${op}_${this.count++}`;
    this.push({ name, op, inputs, outputs: [`${name}/out`], attributes });
    return `${name}/out`;
  }

  constant(constant: Constant): string {
    const name = `error/constant_${this.count++}`;
    this.constants[name] = constant;
    this.values[name] = { name };
    return name;
  }

  axes(axes: readonly number[]): string {
    return this.constant(makeConstant('int32', [axes.length], axes));
  }

  input(name: string, shape: Shape): string {
    this.values[name] = { name, shape, dtype: 'float32' };
    this.inputs.push(name);
    return name;
  }

  output(name: string): string {
    this.outputs.push(name);
    return name;
  }

  quantizer(x: string, { scale, zeroPoint, bits, signed }: Codes): string {
    const scalar = (value: number): string => this.constant(makeConstant('float32', [], [value]));
    return this.node('Quant', x, scalar(scale), scalar(zeroPoint), scalar(bits), { signed: signed ? 1 : 0, narrow: 0, rounding_mode: 'ROUND' });
  }

  /** Over all dimensions but the first. */
  sumOfSquares(x: string, rank: number): string {
    const squares = this.node('Mul', x, x);
    return rank < 2 ? squares : this.node('ReduceSum', squares, this.axes(Array.from({ length: rank - 1 }, (_, d) => d + 1)), { keepdims: 0 });
  }

  finish(): Graph {
    const { batch: _, ...rest } = this.float;
    return dropUnused({ ...rest, name: `${this.float.name}_error`, inputs: this.inputs, outputs: this.outputs, nodes: this.nodes, values: this.values, constants: this.constants });
  }
}
