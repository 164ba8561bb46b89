/**
 * What the quantizers of the three dialects say, in one form: Quant, BipolarQuant, QuantizeLinear, DequantizeLinear.
 * Not here: what is done with it (quantizedConstants.ts for weights, streamlineQuantizers.ts for activations).
 */
import { describe } from '../ir/datatype.js';
import type { Graph, Node } from '../ir/graph.js';
import { roundingMode, type RoundingMode } from '../functions/rounding.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { codeBounds } from '../ops/quantization.js';
import { linearAxis } from '../ops/quantizelinear.js';
import type { NdArray, NodeContext } from '../ops/record.js';

/** code = round(clamp(x / scale + zeroPoint, min, max)), or +-1; q = code - zeroPoint; value = q * valueScale + valueOffset. */
export interface Quantizer {
  readonly kind: 'quantize';
  /** Positive; broadcasts to x. */
  readonly scale: NdArray;
  readonly zeroPoint: number;
  readonly min: number;
  readonly max: number;
  readonly mode: RoundingMode;
  /** q is +1 where x (divided by the scale if `divides`) + zeroPoint >= 0, else -1. */
  readonly bipolar: boolean;
  readonly divides: boolean;
  readonly valueScale: NdArray;
  readonly valueOffset: number;
}

/** value = (q - zeroPoint) * scale. */
export interface Dequantizer {
  readonly kind: 'dequantize';
  readonly scale: NdArray;
  readonly zeroPoint: number;
}

/** Codes of more bits are not exact in the float32 steps of Quantize. */
const maxBits = 24;

/** The quantizer that a node of an inferred graph is, or the reason why it cannot become integers. */
export function readQuantizer(graph: Graph, node: Node): Quantizer | Dequantizer | string {
  for (const name of node.inputs.slice(1)) {
    if (name !== '' && !Object.hasOwn(graph.constants, name)) return `its parameter "${name}" is computed at run time`;
  }
  const context = graphContext(graph, node, operator(node.op, node.name));
  const scale = tensor(context, 1);
  if (!scale.data.every((x) => x > 0 && Number.isFinite(x))) return `its scale "${node.inputs[1]}" is not positive everywhere`;
  if (node.op === 'Quant') return readQuant(context, scale);
  if (node.op === 'BipolarQuant') {
    return { kind: 'quantize', scale, zeroPoint: 0, min: -1, max: 1, mode: 'ROUND', bipolar: true, divides: false, valueScale: scale, valueOffset: 0 };
  }
  return readLinear(context, scale);
}

function readQuant(context: NodeContext, scale: NdArray): Quantizer | string {
  const zeroPoint = shared(tensor(context, 2));
  const bitWidth = shared(tensor(context, 3));
  if (zeroPoint === undefined || !Number.isInteger(zeroPoint)) return 'its zero point is not one integer';
  if (bitWidth === undefined || !Number.isInteger(bitWidth)) return 'its bit width is not one integer';
  if (bitWidth > maxBits) return `it has ${bitWidth} bits, more than ${maxBits}`;
  const isSigned = context.int('signed') === 1;
  const bipolar = isSigned && bitWidth === 1;
  if (bipolar && zeroPoint !== 0) return 'it is bipolar with a zero point';
  const [min, max] = bipolar ? [-1, 1] : codeBounds(isSigned, context.int('narrow') === 1, bitWidth);
  if (min === max) return 'it has one level only';
  const mode = roundingMode(context.text('rounding_mode'), context.node.name);
  return { kind: 'quantize', scale, zeroPoint, min, max, mode, bipolar, divides: true, valueScale: scale, valueOffset: 0 };
}

/** ONNX rounds before it adds the zero point: the code without the zero point is rounded, between shifted bounds. */
function readLinear(context: NodeContext, scale: NdArray): Quantizer | Dequantizer | string {
  const zeroPoint = context.inputs[2] ? shared(tensor(context, 2)) : 0;
  if (zeroPoint === undefined) return 'its zero point differs between channels';
  const rank = context.input(0).shape.length;
  const shape = scale.data.length === 1 ? [] : [scale.data.length, ...new Array<number>(rank - 1 - linearAxis(context)).fill(1)];
  const broadcast = { shape, data: scale.data };
  if (context.node.op === 'DequantizeLinear') return { kind: 'dequantize', scale: broadcast, zeroPoint };
  const [result] = operator('QuantizeLinear', context.node.name).infer(context);
  const { min, max } = describe(result.dtype);
  return {
    kind: 'quantize', scale: broadcast, zeroPoint: 0, min: min - zeroPoint, max: max - zeroPoint, mode: 'ROUND', bipolar: false, divides: true,
    valueScale: { shape: [], data: Float64Array.of(1) }, valueOffset: zeroPoint,
  };
}

function tensor(context: NodeContext, i: number): NdArray {
  const constant = context.constant(i);
  return { shape: constant.shape, data: Float64Array.from(constant.data) };
}

function shared(array: NdArray): number | undefined {
  return array.data.length > 0 && array.data.every((x) => x === array.data[0]) ? array.data[0] : undefined;
}
