/**
 * Constants that are integers times a scale: weights behind a quantizer, and float32 constants whose elements are
 * integers. Not here: activations (streamlineQuantizers.ts).
 */
import { smallestInteger } from '../ir/datatype.js';
import { elementCount, type Constant, type Graph, type Node } from '../ir/graph.js';
import { roundNumber } from '../functions/rounding.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { toConstant, toNdArray } from '../ops/ndarray.js';
import type { NdArray } from '../ops/record.js';
import { readQuantizer } from './quantizers.js';

/** value = codes * scale, element by element; the scale has one element or the shape of the codes. */
export interface QuantizedConstant {
  readonly codes: Constant;
  readonly scale: NdArray;
}

/** Operators that move elements and leave them as they are. */
const movements = new Set(['Transpose', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity']);

/** Operators between float weights and their DequantizeLinear; their results are integers already. */
const storageOperators = new Set(['QuantizeLinear', 'Clip']);

const f32 = Math.fround;

/** Every quantized constant of a graph that has its constant quantizers still as nodes. */
export function findQuantizedConstants(graph: Graph): Map<string, QuantizedConstant> {
  const found = new Map<string, QuantizedConstant>();
  const constants = { ...graph.constants };
  const known = { ...graph, constants };
  for (const node of graph.nodes) {
    const areOthersKnown = node.inputs.slice(1).every((name) => name === '' || Object.hasOwn(constants, name));
    if (!areOthersKnown) continue;
    const isKnown = Object.hasOwn(constants, node.inputs[0]);
    if (isKnown && storageOperators.has(node.op)) {
      const record = operator(node.op, node.name);
      const [result] = record.reference(graphContext(known, node, record), node.inputs.map((name) => (name === '' ? undefined : toNdArray(constants[name]))));
      constants[node.outputs[0]] = toConstant(result, graph.values[node.outputs[0]].dtype!);
      continue;
    }
    const quantized = movements.has(node.op) ? moveConstant(known, node, found.get(node.inputs[0])) : isKnown ? quantizeConstant(known, node) : undefined;
    if (quantized) found.set(node.outputs[0], quantized);
  }
  return found;
}

/** The integers of a float32 constant that holds nothing else, up to 16 bits; undefined where it does. */
export function integerConstant(constant: Constant): QuantizedConstant | undefined {
  if (!constant.data.every((x) => Number.isInteger(x) && Math.abs(x) < 2 ** 15)) return undefined;
  return { codes: integers(constant.shape, Int32Array.from(constant.data)), scale: { shape: [], data: Float64Array.of(1) } };
}

function integers(shape: readonly number[], data: Int32Array): Constant {
  const least = data.reduce((a, b) => Math.min(a, b), 0);
  const greatest = data.reduce((a, b) => Math.max(a, b), 0);
  return { shape, dtype: smallestInteger(least, greatest), data };
}

function moveConstant(graph: Graph, node: Node, x: QuantizedConstant | undefined): QuantizedConstant | undefined {
  if (!x) return undefined;
  const record = operator(node.op, node.name);
  const context = graphContext(graph, node, record);
  const others = node.inputs.slice(1).map((name) => (name === '' ? undefined : toNdArray(graph.constants[name])));
  const move = (array: NdArray): NdArray => record.reference(context, [array, ...others])[0];
  const codes = move({ shape: x.codes.shape, data: Float64Array.from(x.codes.data) });
  return {
    codes: { ...x.codes, shape: codes.shape, data: Int32Array.from(codes.data) },
    scale: x.scale.data.length === 1 ? x.scale : move(x.scale),
  };
}

function quantizeConstant(graph: Graph, node: Node): QuantizedConstant | undefined {
  if (node.op !== 'Quant' && node.op !== 'BipolarQuant' && node.op !== 'DequantizeLinear') return undefined;
  const quantizer = readQuantizer(graph, node);
  if (typeof quantizer === 'string') return undefined;
  const x = graph.constants[node.inputs[0]];
  const count = elementCount(x.shape);
  const scale = expand(quantizer.scale, x.shape);
  const at = (i: number): number => scale.data[scale.data.length === 1 ? 0 : i];
  const codes = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    if (quantizer.kind === 'dequantize') {
      codes[i] = x.data[i] - quantizer.zeroPoint;
      continue;
    }
    const u = quantizer.bipolar && !quantizer.divides ? x.data[i] : f32(f32(x.data[i] / at(i)) + quantizer.zeroPoint);
    if (Number.isNaN(u)) return undefined;
    if (quantizer.bipolar) codes[i] = u >= 0 ? 1 : -1;
    else codes[i] = roundNumber(quantizer.mode, Math.min(Math.max(u, quantizer.min), quantizer.max)) - quantizer.zeroPoint;
  }
  return { codes: integers(x.shape, codes), scale };
}

/** A scale of one element as it is; another one at every element of the shape. */
function expand(scale: NdArray, shape: readonly number[]): NdArray {
  if (scale.data.length === 1) return { shape: [], data: scale.data };
  const skip = shape.length - scale.shape.length;
  const data = new Float64Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let from = 0;
    let stride = 1;
    for (let d = shape.length - 1; d >= skip; d--) {
      const extent = scale.shape[d - skip];
      if (extent !== 1) from += (rest % shape[d]) * stride;
      stride *= extent;
      rest = Math.floor(rest / shape[d]);
    }
    data[i] = scale.data[from];
  }
  return { shape, data };
}
