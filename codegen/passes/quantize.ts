/**
 * `quantize`: a float network becomes one of few bits, by Quant nodes on its weights and between its layers (fake
 * quantization: everything is still carried in float32). Takes what calibration saw; runs nothing itself.
 *
 *     prepareFloat -> planQuantization -> (calibration) -> quantize -> streamline, or export, or training
 *
 * Weights are symmetric, with a scale for each output channel; activations have one scale a tensor. Biases and results of
 * the network stay float32: on integers they cost nothing, being part of the requantization. Not here: where quantizers go
 * (quantizePlan.ts), ranges (quantizeRanges.ts), how large the error is (quantizeError.ts).
 */
import { DiagnosticError, fail } from '../ir/diagnostic.js';
import { makeConstant, type Attribute, type Constant, type Graph, type Node, type Value } from '../ir/graph.js';
import { clean } from './clean.js';
import { fold } from './fold.js';
import { foldBatchNormalization } from './foldBatchNormalization.js';
import { describeConstant, infer } from './infer.js';
import type { QuantizationPlan, QuantizedNode } from './quantizePlan.js';
import { chooseRange, codesFor, type Codes, type Observed, type RangeMethod } from './quantizeRanges.js';
import { weightScales } from './quantizeWeights.js';

export interface QuantizeSettings {
  /** Bits of activations and of weights, 2 to 8. */
  readonly activationBits: number;
  readonly weightBits: number;
  readonly ranges: RangeMethod;
  /** Of the values, for ranges by percentile. */
  readonly percentile: number;
}

export interface Quantization {
  readonly graph: Graph;
  /** The codes of every value that has a quantizer. */
  readonly codes: ReadonlyMap<string, Codes>;
}

/** A bias never exceeds so many steps of its accumulator: beyond them it would not fit 32 bits. */
const largestBias = 2 ** 28;

/**
 * The float graph as `quantize` takes it: constants folded, batch normalization in the weights, nothing without effect.
 * Inferred for the model's own batch; `restoreBatch` makes it free again, where it was.
 */
export function prepareFloat(graph: Graph): Graph {
  return foldBatchNormalization(clean(fold(freeReshapes(infer(graph), graph))));
}

/** The graph with the interface that `original` has (a symbolic batch, say), and no shapes inside. */
export function restoreBatch(graph: Graph, original: Graph): Graph {
  const { batch: _, ...rest } = graph;
  const values = Object.values(graph.values).map(({ name, annotation }): [string, Value] => [name, original.inputs.includes(name) ? original.values[name] : { name, ...(annotation && { annotation }) }]);
  return { ...rest, values: Object.fromEntries(values) };
}

/**
 * Inferring evaluates shape arithmetic for one batch, so a Reshape's shape holds that batch. Where other batches give other
 * numbers, they become what ONNX has for them: 0 (as in the input) or -1 (what is left).
 */
function freeReshapes(inferred: Graph, original: Graph): Graph {
  let others: readonly Graph[];
  try {
    others = [infer(original, { batch: 5 }), infer(original, { batch: 7 })];
  } catch (error) {
    if (error instanceof DiagnosticError) return inferred; // one batch only
    throw error;
  }
  const targets = others.map((g) => new Map(g.nodes.filter((n) => n.op === 'Reshape').map((n) => [n.name, { shape: g.values[n.inputs[0]].shape!, target: g.constants[n.inputs[1]]?.data }])));
  const constants = { ...inferred.constants };
  const values = { ...inferred.values };
  const nodes = inferred.nodes.map((node) => {
    const [few, many] = targets.map((t) => t.get(node.name));
    if (!few?.target || !many?.target || node.attributes.allowzero === 1 || few.target.every((d, i) => d === many.target![i])) return node;
    const entries = Array.from(few.target, (d, i) => (d === many.target![i] ? d : d === few.shape[i] && many.target![i] === many.shape[i] ? 0 : -1));
    if (entries.filter((d) => d === -1).length > 1) return node;
    let name = `${node.name}_shape`;
    while (Object.hasOwn(values, name)) name += '_';
    constants[name] = makeConstant('int32', [entries.length], entries);
    values[name] = describeConstant(name, constants[name], undefined);
    return { ...node, inputs: [node.inputs[0], name] };
  });
  return { ...inferred, nodes, constants, values };
}

/**
 * The graph with quantizers.
 * @param graph prepared (see `prepareFloat`)
 * @param observed of every value in `plan.points`
 * @param corrections for the biases of nodes, by name: what to add, one a channel
 * @throws quantize/calibration where a value was not observed or not finite.
 */
export function quantize(graph: Graph, plan: QuantizationPlan, observed: ReadonlyMap<string, Observed>, settings: QuantizeSettings, corrections: ReadonlyMap<string, Float64Array> = new Map()): Quantization {
  const codes = chooseCodes(plan, observed, settings);
  const editor = new Editor(graph);
  const byName = new Map(plan.nodes.map((n) => [n.node.name, n]));
  const quantized = new Map<string, string>();
  const nodes: Node[] = [];
  const addQuantizer = (name: string): void => {
    const c = codes.get(name);
    if (!c) return;
    const output = editor.value(`${name}_quantized`);
    quantized.set(name, output);
    nodes.push(editor.quantizer(`quantize_${name}`, name, output, makeConstant('float32', [], [c.scale]), c.zeroPoint, c.bits, { signed: c.signed ? 1 : 0, narrow: 0 }));
  };
  graph.inputs.forEach(addQuantizer);
  for (const node of graph.nodes) {
    const own = byName.get(node.name);
    const inputs = node.inputs.map((name) => (plan.kept.has(node.name) ? name : (quantized.get(name) ?? name)));
    if (own?.weights) {
      const { name, axis } = own.weights;
      const weights = graph.constants[name];
      const scales = scalesOf(graph, plan, own, codes, settings.weightBits);
      const shape = weights.shape.map((extent, d) => (d === axis ? extent : 1));
      inputs[1] = editor.value(`${name}_quantized`);
      nodes.push(editor.quantizer(`quantize_${name}`, name, inputs[1], makeConstant('float32', shape, scales), 0, settings.weightBits, { signed: 1, narrow: 1 }));
    }
    const correction = corrections.get(node.name);
    const replaced = { ...node, inputs };
    nodes.push(...(correction && own ? editor.withBias(replaced, own, correction) : [replaced]));
    node.outputs.forEach(addQuantizer);
  }
  return { codes, graph: { ...graph, nodes, values: editor.values, constants: editor.constants } };
}

// ---- Activations ---------------------------------------------------------------------------------------------------

/** A scale that a sum shares may make an operand of products coarser by so much; beyond, the sum is float32. */
const coarsest = 2;

/** Codes that only sums read may have so many bits more. */
const bitsMore = 4;

/** The codes of every point: one for each group, with equal scales where the plan wants them and accuracy allows. */
function chooseCodes(plan: QuantizationPlan, observed: ReadonlyMap<string, Observed>, settings: QuantizeSettings): Map<string, Codes> {
  const ranges = new Map<number, readonly [number, number]>();
  for (const [name, group] of plan.points) {
    const seen = observed.get(name);
    if (!seen || !Number.isFinite(seen.min) || !Number.isFinite(seen.max)) {
      return fail('quantize/calibration', name, seen ? 'with the calibration data this tensor becomes NaN or infinite' : 'calibration has not seen this tensor', 'Calibrate with inputs on which the float model works.');
    }
    const [low, high] = chooseRange(seen, settings.activationBits, settings.ranges, settings.percentile);
    const old = ranges.get(group) ?? [0, 0];
    ranges.set(group, [Math.min(old[0], low), Math.max(old[1], high)]);
  }
  const codes = new Map<number, Codes>();
  for (const groups of plan.ties) {
    const together = tiedCodes(groups.map((group) => ({ range: ranges.get(group)!, sumsOnly: plan.sumsOnly.has(group) })), settings.activationBits);
    groups.forEach((group, i) => codes.set(group, together[i]));
  }
  return new Map([...plan.points].map(([name, group]) => [name, codes.get(group)!]));
}

interface TiedRange {
  readonly range: readonly [number, number];
  readonly sumsOnly: boolean;
}

/**
 * Codes with one scale: the coarsest that an operand of products needs, or where there is none the finest of all; what only
 * sums read takes more bits instead. Each with its own scale where that cannot be.
 */
function tiedCodes(ranges: readonly TiedRange[], bits: number): readonly Codes[] {
  const rounded = (codes: Codes): Codes => ({ ...codes, scale: Math.fround(codes.scale) });
  const own = ranges.map(({ range }) => rounded(codesFor(...range, bits)));
  if (ranges.length === 1) return own;
  const fixed = own.filter((_, i) => !ranges[i].sumsOnly).map((c) => c.scale);
  let scale = fixed.length > 0 ? Math.max(...fixed) : Math.min(...own.map((c) => c.scale));
  const least = fixed.length > 0 ? Math.min(...fixed) : scale;
  // Sharing a scale may move a zero point, and that the scale: until nothing grows.
  while (scale <= least * coarsest) {
    const codes = ranges.map(({ range, sumsOnly }) => {
      let found = rounded(codesFor(...range, bits, scale));
      for (let more = 1; sumsOnly && more <= bitsMore && found.scale > scale; more++) found = rounded(codesFor(...range, bits + more, scale));
      return found;
    });
    const grown = Math.max(...codes.map((c) => c.scale));
    if (grown <= scale) return codes;
    scale = grown;
  }
  return own;
}

// ---- Weights -------------------------------------------------------------------------------------------------------

function scalesOf(graph: Graph, plan: QuantizationPlan, { node, weights }: QuantizedNode, codes: ReadonlyMap<string, Codes>, bits: number): Float32Array {
  const { scale } = codes.get(plan.sources.get(node.inputs[0])![0])!;
  const bias = graph.constants[node.inputs[2] ?? ''];
  const channels = graph.constants[weights!.name].shape[weights!.axis];
  const least = (c: number): number => (bias ? Math.abs(bias.data[bias.data.length === channels ? c : 0]) / scale / largestBias : 0);
  return weightScales(graph.constants[weights!.name], weights!.axis, bits, least);
}

// ---- Editing -------------------------------------------------------------------------------------------------------

class Editor {
  readonly values: Record<string, Value>;
  readonly constants: Record<string, Constant>;
  private readonly nodeNames: Set<string>;

  constructor(private readonly graph: Graph) {
    this.values = { ...graph.values };
    this.constants = { ...graph.constants };
    this.nodeNames = new Set(graph.nodes.map((n) => n.name));
  }

  value(hint: string): string {
    let name = hint;
    for (let i = 2; Object.hasOwn(this.values, name); i++) name = `${hint}_${i}`;
    this.values[name] = { name };
    return name;
  }

  constant(hint: string, constant: Constant): string {
    const name = this.value(hint);
    this.constants[name] = constant;
    return name;
  }

  quantizer(hint: string, input: string, output: string, scale: Constant, zeroPoint: number, bits: number, attributes: Readonly<Record<string, Attribute>>): Node {
    const scalar = (what: string, value: number): string => this.constant(`${output}_${what}`, makeConstant('float32', [], [value]));
    return {
      name: this.node(hint), op: 'Quant', outputs: [output],
      inputs: [input, this.constant(`${output}_scale`, scale), scalar('zeropt', zeroPoint), scalar('bitwidth', bits)],
      attributes: { ...attributes, rounding_mode: 'ROUND' },
    };
  }

  /** The layer with so much added to its results, one a channel: in its bias where it has a place for one. */
  withBias(layer: Node, { node, weights }: QuantizedNode, added: Float64Array): Node[] {
    const old = this.graph.constants[node.inputs[2] ?? ''];
    const isPlain = !node.inputs[2] || (old && [1, added.length].includes(old.data.length) && (old.data.length === 1 || old.shape[old.shape.length - 1] === added.length));
    if (node.op !== 'MatMul' && isPlain && (node.attributes.beta ?? 1) === 1) {
      const values = Float32Array.from(added, (d, c) => d + (old ? old.data[old.data.length === 1 ? 0 : c] : 0));
      const name = this.constant(`${node.inputs[2] || node.name}_corrected`, makeConstant('float32', [values.length], values));
      return [{ ...layer, inputs: [layer.inputs[0], layer.inputs[1], name] }];
    }
    const raw = this.value(`${layer.outputs[0]}_uncorrected`);
    const rank = (this.graph.values[node.outputs[0]].shape ?? []).length;
    const shape = Array.from({ length: rank - weights!.outputAxis }, (_, d) => (d === 0 ? added.length : 1));
    const name = this.constant(`${node.name}_correction`, makeConstant('float32', shape, added));
    return [{ ...layer, outputs: [raw] }, { name: this.node(`${node.name}_correct`), op: 'Add', inputs: [raw, name], outputs: layer.outputs, attributes: {} }];
  }

  private node(hint: string): string {
    let name = hint;
    for (let i = 2; this.nodeNames.has(name); i++) name = `${hint}_${i}`;
    this.nodeNames.add(name);
    return name;
  }
}
