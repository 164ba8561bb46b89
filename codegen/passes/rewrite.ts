/**
 * The graph that `streamline` is making: nodes emitted so far, what is known of the old graph's values, and the way back
 * from integers to float. Not here: what each operator does (streamline*.ts), and the arithmetic (integerValue.ts).
 */
import { describe, isInteger, smallestInteger } from '../ir/datatype.js';
import type { Attribute, Constant, Graph, Node, Value } from '../ir/graph.js';
import type { Without } from '../ir/optimization.js';
import { nodeContext, valueInfo } from '../ops/context.js';
import { operator } from '../ops/index.js';
import type { NodeContext, ValueInfo } from '../ops/record.js';
import { describeConstant } from './infer.js';
import { channelConstant, isAffine, offsetOf, scaleOf, type IntegerValue } from './integerValue.js';
import type { QuantizedConstant } from './quantizedConstants.js';

/** Why a node stays float. */
export interface Note {
  /** The node's name. */
  readonly layer: string;
  readonly reason: string;
}

export interface StreamlineOptions extends Without {
  /** Requantizations in integers alone. */
  readonly integersOnly?: boolean;
}

export class Rewrite {
  readonly notes: Note[] = [];
  private readonly nodes: Node[] = [];
  private readonly infos = new Map<string, ValueInfo>();
  private readonly integers = new Map<string, IntegerValue>();
  private readonly producers = new Map<string, Node>();
  private readonly uses = new Map<string, number>();
  private readonly nodeNames = new Set<string>();
  private readonly valueNames: Set<string>;

  /** `old` is inferred, and its constants are folded, quantizers included. */
  constructor(
    readonly old: Graph,
    private readonly quantizedConstants: ReadonlyMap<string, QuantizedConstant>,
    readonly options: StreamlineOptions = {},
  ) {
    this.valueNames = new Set(Object.keys(old.values));
    for (const name of old.inputs) this.infos.set(name, valueInfo(old, name));
    for (const node of old.nodes) {
      for (const name of node.outputs) this.producers.set(name, node);
      for (const name of node.inputs) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
    }
    for (const name of old.outputs) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
  }

  // ---- The old graph ----

  shape(name: string): readonly number[] {
    return valueInfo(this.old, name).shape;
  }

  /** The context of a node of the old graph. */
  context(node: Node): NodeContext {
    return nodeContext(
      node,
      operator(node.op, node.name),
      node.inputs.map((name) => (name === '' ? undefined : valueInfo(this.old, name))),
    );
  }

  constant(name: string): Constant | undefined {
    return Object.hasOwn(this.old.constants, name) ? this.old.constants[name] : undefined;
  }

  /** The integers behind a constant, if it is quantized. */
  quantized(name: string): QuantizedConstant | undefined {
    return this.quantizedConstants.get(name);
  }

  /** The one consumer of a value; undefined where there are several, or it is an output of the graph. */
  onlyConsumer(name: string): Node | undefined {
    return this.uses.get(name) === 1 ? this.old.nodes.find((n) => n.inputs.includes(name)) : undefined;
  }

  // ---- Representations ----

  /** How a value of the old graph follows from integers; undefined where it is float. */
  integer(name: string): IntegerValue | undefined {
    return this.integers.get(name);
  }

  /** Says how the value `name` follows from integers. `from`: the value of which it is another function. */
  represent(name: string, v: IntegerValue, from?: string): void {
    const isShared = from !== undefined && this.uses.get(from) !== 1;
    this.integers.set(name, isShared ? { ...v, source: undefined } : v);
  }

  /** Range of an integer value of the new graph. */
  range(q: string): readonly [number, number] {
    const info = this.info(q);
    const { min, max } = describe(info.dtype);
    return info.range ?? [min, max];
  }

  /**
   * The same value with no negative scale, where the signs can go into the weights; else the value as it is. Where the
   * negated weights would need more bits (-4 of int3), they keep their sign, unless `widen` and a byte still holds them.
   */
  withoutNegativeScales(name: string, widen = false): IntegerValue {
    const v = this.integers.get(name)!;
    const isNegative = Array.from(v.low, (_, c) => v.pieces.some((p) => p.scale[c] < 0));
    if (!v.source || !isNegative.includes(true) || this.uses.get(name) !== 1) return v;
    const at = this.nodes.findIndex((n) => n.name === v.source!.node);
    const node = this.nodes[at];
    const weights = this.info(node.inputs[v.source.weights]);
    const negated = negateChannels(weights.constant!, v.source.weightAxis, isNegative);
    const info = describeConstant(weights.name, negated, undefined);
    const bits = describe(weights.dtype).bits;
    if (describe(smallestInteger(...info.range!)).bits > (widen ? Math.max(bits, 8) : bits)) return v;
    const signed = this.addConstant(`${weights.name}_signs`, { ...negated, dtype: smallestInteger(...info.range!) });
    this.nodes[at] = { ...node, inputs: node.inputs.map((n, i) => (i === v.source!.weights ? signed : n)) };
    for (const later of this.nodes.slice(at)) this.define(later); // ranges follow the weights
    // All values between the layer and here have it as their source, since each has one consumer.
    for (const [other, o] of this.integers) {
      if (o.source?.node !== v.source.node) continue;
      this.integers.set(other, { ...o, pieces: o.pieces.map((p) => ({ ...p, scale: p.scale.map((x, c) => (isNegative[c] ? -x : x)) })) });
    }
    return this.integers.get(name)!;
  }

  // ---- The new graph ----

  info(name: string): ValueInfo {
    return this.infos.get(name)!;
  }

  addConstant(hint: string, constant: Constant): string {
    const name = unique(hint, this.valueNames);
    this.infos.set(name, { ...describeConstant(name, constant, undefined), shape: constant.shape, dtype: constant.dtype, constant });
    return name;
  }

  /** Adds a node and infers its outputs. Names that are taken get a suffix; returns the outputs' names. */
  emit(op: string, name: string, inputs: readonly string[], outputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): readonly string[] {
    const node: Node = { op, name: unique(name, this.nodeNames), inputs, outputs: outputs.map((o) => (o === '' ? '' : unique(o, this.valueNames))), attributes };
    this.define(node);
    this.nodes.push(node);
    return node.outputs;
  }

  /** Adds a node in the place of one of the old graph, under its name; outputs are named as said. */
  emitAs(node: Node, inputs: readonly string[], outputs: readonly string[]): void {
    const replaced = { ...node, name: unique(node.name, this.nodeNames), inputs, outputs };
    this.define(replaced);
    this.nodes.push(replaced);
  }

  /** The name of the node that was emitted last. */
  lastNode(): string {
    return this.nodes[this.nodes.length - 1].name;
  }

  /** True where the exact integer result of such a node fits 32 bits, and one step beyond it too. */
  fits(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): boolean {
    const record = operator(op, op);
    const node: Node = { op, name: op, inputs, outputs: ['result'], attributes };
    const range = record.integer!.range(nodeContext(node, record, inputs.map((n) => (n === '' ? undefined : this.info(n)))));
    return range[0] > -(2 ** 31) + 1 && range[1] < 2 ** 31 - 1;
  }

  private define(node: Node): void {
    const record = operator(node.op, node.name);
    const inferred = record.infer(nodeContext(node, record, node.inputs.map((n) => (n === '' ? undefined : this.info(n)))));
    node.outputs.forEach((output, i) => {
      if (output !== '') this.infos.set(output, { name: output, ...inferred[i] });
    });
  }

  /** Keeps a node as the old graph has it; its inputs become what they were there. */
  keep(node: Node): void {
    const inputs = node.inputs.map((name) => (name === '' ? '' : this.plain(name)));
    const kept = { ...node, name: unique(node.name, this.nodeNames), inputs };
    this.define(kept);
    this.nodes.push(kept);
  }

  /** Makes a value of the old graph available under its own name, as the old graph carries it; returns the name. */
  plain(name: string): string {
    if (this.infos.has(name)) return name;
    const constant = this.constant(name);
    if (constant) {
      const value = this.old.values[name];
      this.infos.set(name, { ...describeConstant(name, constant, value.annotation), shape: constant.shape, dtype: constant.dtype, constant });
      return name;
    }
    const v = this.integers.get(name)!;
    const producer = this.producers.get(name)!;
    if (!isAffine(v) || isInteger(valueInfo(this.old, name).dtype)) {
      this.keep(producer);
      return name;
    }
    const scale = this.addConstant(`${name}_scale`, channelConstant(scaleOf(v)));
    const hasOffset = offsetOf(v).values.some((x) => x !== 0);
    const inputs = [v.q, scale, ...(hasOffset ? [this.addConstant(`${name}_offset`, channelConstant(offsetOf(v)))] : [])];
    const node: Node = { op: 'Dequantize', name: unique(`${producer.name}_dequantize`, this.nodeNames), inputs, outputs: [name], attributes: v.axis < 0 ? {} : { axis: v.axis } };
    this.define(node);
    this.nodes.push(node);
    return name;
  }

  /** Notes why a node stays as it is. */
  note(node: Node, reason: string): void {
    this.notes.push({ layer: node.name, reason });
  }

  finish(): Graph {
    const outputs = this.old.outputs.map((name) => this.plain(name));
    const values: Record<string, Value> = {};
    const constants: Record<string, Constant> = {};
    for (const [name, { constant, ...value }] of this.infos) {
      values[name] = value;
      if (constant) constants[name] = constant;
    }
    for (const name of this.old.inputs) values[name] = this.old.values[name];
    return { ...this.old, outputs, nodes: this.nodes, values, constants };
  }
}

function unique(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`;
  taken.add(name);
  return name;
}

/** The constant with the channels along `axis` negated where `isNegative` says so. */
function negateChannels(constant: Constant, axis: number, isNegative: readonly boolean[]): Constant {
  const inner = constant.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channels = constant.shape[axis];
  const data = Int32Array.from(constant.data, (x, i) => (isNegative[Math.floor(i / inner) % channels] ? 0 - x : x));
  return { ...constant, data };
}
