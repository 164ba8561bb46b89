/**
 * `streamline`: a quantized network as integers between its layers.
 *
 * Every value of the old graph gets a representation as the walk meets it: float, or a function of an integer value that
 * exists in the new graph (integerValue.ts). Affine operators and activations only change the function; layers and
 * movement work on the integers; a quantizer turns the function into one Requantize (requantization.ts). No node is moved
 * past another, so forks need no care. Where a consumer wants the float value, it is made there: one Dequantize, or the
 * old nodes again. What cannot become integers stays as it is, with a note.
 *
 * The field does the same by rewriting (Umuroglu and Jahre, Streamlined deployment for quantized neural networks,
 * arXiv:1709.04060).
 */
import type { Graph, Node } from '../ir/graph.js';
import { clean, dropUnused } from './clean.js';
import { fold } from './fold.js';
import { findQuantizedConstants } from './quantizedConstants.js';
import { Rewrite, type Note, type StreamlineOptions } from './rewrite.js';
import { activation, arithmetic, batchNormalization, choose, concat, movement, pad, pass } from './streamlineElements.js';
import { averagePool, conv, gemm, matMul, maxPool, reduce } from './streamlineLayers.js';
import { dequantizeLinear, multiThreshold, quantize, sign, trunc } from './streamlineQuantizers.js';

export type { Note, StreamlineOptions } from './rewrite.js';

/** Answers true where the node is done, else why it stays float. */
type Rule = (s: Rewrite, node: Node) => true | string;

/** Rules for any input. */
const always: Readonly<Record<string, Rule>> = {
  Quant: quantize,
  BipolarQuant: quantize,
  QuantizeLinear: quantize,
  DequantizeLinear: dequantizeLinear,
  MultiThreshold: multiThreshold,
  MatMul: matMul,
  Gemm: gemm,
  Conv: conv,
};

/** Rules for nodes of which an input follows from integers; all but arithmetic and Concat look at the first input. */
const onIntegers: Readonly<Record<string, Rule>> = {
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Concat: concat,
  BatchNormalization: batchNormalization,
  Relu: activation,
  Clip: activation,
  LeakyRelu: activation,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: averagePool,
  ReduceMean: reduce,
  ReduceSum: reduce,
  Identity: pass,
  Dropout: pass,
  Flatten: movement,
  Reshape: movement,
  Transpose: movement,
  Squeeze: movement,
  Unsqueeze: movement,
  Slice: movement,
  Pad: pad,
  Trunc: trunc,
  Sign: sign,
  ArgMax: choose,
  TopK: choose,
};

const quantizers = new Set(['Quant', 'BipolarQuant', 'QuantizeLinear', 'DequantizeLinear', 'MultiThreshold', 'Trunc']);
const anyInput = new Set(['Add', 'Sub', 'Mul', 'Div', 'Concat']);

/**
 * The streamlined graph, inferred and cleaned. Raises what `infer` raises. `integersOnly`: requantizations are thresholds, or a
 * multiplier and shift of as few bits as agree with them, as circuits want; else also float32 lines, which processors do faster.
 */
export function streamline(graph: Graph, options: StreamlineOptions = {}): Graph {
  return streamlineWithNotes(graph, options).graph;
}

/** The same, and why nodes stay float that have something quantized to work with. */
export function streamlineWithNotes(graph: Graph, options: StreamlineOptions = {}): { graph: Graph; notes: readonly Note[] } {
  const withQuantizers = fold(clean(graph));
  const folded = fold(withQuantizers, { quantizers: true });
  const s = new Rewrite(folded, findQuantizedConstants(withQuantizers), options);
  for (const node of folded.nodes) {
    const takesIntegers = anyInput.has(node.op) ? node.inputs.some((name) => s.integer(name)) : s.integer(node.inputs[0]) !== undefined;
    const isLeftOut = node.op === 'BatchNormalization' && options.without?.includes('normalization');
    const rule = isLeftOut ? undefined : always[node.op] ?? (takesIntegers ? onIntegers[node.op] : undefined);
    const answer = rule ? rule(s, node) : `${node.op} has no integer form`;
    if (answer === true) continue;
    if (quantizers.has(node.op) || node.inputs.some((name) => s.integer(name) || s.quantized(name))) s.note(node, answer);
    s.keep(node);
  }
  return { graph: dropUnused(s.finish()), notes: s.notes };
}
