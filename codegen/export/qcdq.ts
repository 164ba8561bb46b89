/**
 * `exportQcdq`: a graph with Quant nodes -> the bytes of an ONNX file with QuantizeLinear, Clip and DequantizeLinear
 * instead, which every ONNX runtime runs. Clip is there where fewer codes are used than the stored type has. Weights are
 * stored as integers behind a DequantizeLinear. Codes of 9 to 16 bits are int16 or uint16 (opset 21), and clipped as float32
 * values before: runtimes lack the Clip of these types.
 *
 * Not in this form: more than 16 bits, bipolar codes, other rounding modes, parameters computed at run time, scales that
 * vary along more than one dimension. Each is refused by the quantizer's name.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { makeConstant, type Constant, type Graph, type Node, type Value } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { dropUnused } from '../passes/clean.js';
import { infer } from '../passes/infer.js';
import { alongAxis } from '../passes/integerValue.js';
import { findQuantizedConstants } from '../passes/quantizedConstants.js';
import { readQuantizer, type Quantizer } from '../passes/quantizers.js';
import { exportQonnx } from './qonnx.js';

/** Writes a graph with Quant nodes as QCDQ. Raises graph/unsupported for what has no such form. */
export function exportQcdq(graph: Graph): Uint8Array {
  return exportQonnx(toQcdq(graph));
}

/** The graph with every Quant replaced. Where a zero point is odd, exact ties may round to the other side. */
export function toQcdq(graph: Graph): Graph {
  const inferred = infer(graph);
  const quantized = findQuantizedConstants(inferred);
  const values: Record<string, Value> = { ...graph.values };
  const constants: Record<string, Constant> = { ...graph.constants };
  const define = (hint: string): string => {
    let name = hint;
    for (let i = 2; Object.hasOwn(values, name); i++) name = `${hint}_${i}`;
    values[name] = { name };
    return name;
  };
  const constant = (hint: string, value: Constant): string => {
    const name = define(hint);
    constants[name] = value;
    return name;
  };
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'Quant') return [node];
    const [x, y] = [node.inputs[0], node.outputs[0]];
    const quantizer = readFor(inferred, node);
    const scale = alongAxis(quantizer.scale, inferred.values[x].shape as readonly number[]);
    if (!scale) return refuse(node, 'its scale varies along more than one dimension');
    const { zeroPoint, min, max } = quantizer;
    const isWide = min < -128 || max > (min < 0 ? 127 : 255);
    const dtype: DataType = `${min < 0 ? 'int' : 'uint'}${isWide ? 16 : 8}`;
    const info = describe(dtype);
    if (min < info.min || max > info.max) return refuse(node, `it has codes of ${min} to ${max}, more than 16 bits`);
    if (zeroPoint < info.min || zeroPoint > info.max) return refuse(node, `its zero point ${zeroPoint} is none of ${dtype}`);
    const shape = scale.axis < 0 ? [] : [scale.values.length];
    const axis: Node['attributes'] = scale.axis < 0 ? {} : { axis: scale.axis };
    const parameters = [constant(`${y}_qcdq_scale`, makeConstant('float32', shape, scale.values)), constant(`${y}_qcdq_zero`, makeConstant(dtype, shape, new Float64Array(scale.values.length).fill(zeroPoint)))];
    const back = (codes: string): Node => ({ name: node.name, op: 'DequantizeLinear', inputs: [codes, ...parameters], outputs: [y], attributes: axis });
    const known = quantized.get(y);
    if (known) {
      const codes = Int32Array.from(known.codes.data, (q) => q + zeroPoint);
      return [back(constant(`${y}_codes`, { shape: known.codes.shape, dtype, data: codes }))];
    }
    const isWhole = min === info.min && max === info.max;
    if (isWide && !isWhole && scale.axis >= 0) return refuse(node, `it has codes of ${min} to ${max} and a scale for each channel`);
    const codes = define(`${y}_codes`);
    const clip = (from: string, to: string, type: DataType, least: number, greatest: number): Node => {
      const bound = (what: string, value: number): string => constant(`${y}_${what}`, makeConstant(type, [], [value]));
      return { name: `${node.name}_clip`, op: 'Clip', inputs: [from, bound('least', least), bound('greatest', greatest)], outputs: [to], attributes: {} };
    };
    if (isWide && !isWhole) {
      const inside = define(`${y}_inside`);
      const [least, greatest] = [min, max].map((code) => (code - zeroPoint) * scale.values[0]);
      return [clip(x, inside, 'float32', least, greatest), { name: `${node.name}_codes`, op: 'QuantizeLinear', inputs: [inside, ...parameters], outputs: [codes], attributes: axis }, back(codes)];
    }
    const quantize: Node = { name: `${node.name}_codes`, op: 'QuantizeLinear', inputs: [x, ...parameters], outputs: [codes], attributes: axis };
    if (isWhole) return [quantize, back(codes)];
    const clipped = define(`${y}_clipped`);
    return [quantize, clip(codes, clipped, dtype, min, max), back(clipped)];
  });
  return dropUnused({ ...graph, nodes, values, constants });
}

function readFor(graph: Graph, node: Node): Quantizer {
  const quantizer = readQuantizer(graph, node);
  if (typeof quantizer === 'string') return refuse(node, quantizer);
  if (quantizer.kind !== 'quantize' || quantizer.bipolar) return refuse(node, 'it is bipolar');
  const mode = graphContext(graph, node, operator('Quant', node.name)).text('rounding_mode').toUpperCase();
  if (mode !== 'ROUND' && mode !== 'HALF_EVEN') return refuse(node, `it rounds by ${mode}`);
  return quantizer;
}

function refuse(node: Node, reason: string): never {
  return fail('graph/unsupported', node.name, `this Quant has no form in QCDQ: ${reason}`, 'Export the model as QONNX.');
}
