/**
 * `exportQonnx`: Graph -> the bytes of a QONNX file (ONNX opset 17, later where a node needs it, and `qonnx.custom_op.general` for the quantizers).
 *
 * Import, export, import is the identity on the printed graph. Not for graphs after `streamline`: their integer operators
 * have no name in ONNX, and are refused.
 */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { fail } from '../ir/diagnostic.js';
import type { DataType } from '../ir/datatype.js';
import { isConstantAttribute, type Attribute, type Constant, type Dim, type Graph, type Node } from '../ir/graph.js';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as T,
  TensorProtoSchema,
  TypeProtoSchema,
} from '../import/onnx_pb.js';
import { internalOperators, operator } from '../ops/index.js';
import { infer, symbolicShapes } from '../passes/infer.js';

const domain = 'qonnx.custom_op.general';
const qonnxOperators = new Set(['Quant', 'BipolarQuant', 'Trunc', 'MultiThreshold']);

/** The element types that ONNX has for our carriers; int32 is decided by use (see `integerTypes`). */
const elementTypes: Partial<Record<DataType, T>> = {
  float32: T.FLOAT,
  int8: T.INT8,
  uint8: T.UINT8,
  int16: T.INT16,
  uint16: T.UINT16,
  int32: T.INT32,
  uint32: T.UINT32,
  uint1: T.BOOL,
  int4: T.INT4,
  uint4: T.UINT4,
  int2: T.INT2,
  uint2: T.UINT2,
};

/** Bits of an element in raw data. */
const elementBits: Partial<Record<T, number>> = {
  [T.INT64]: 64,
  [T.FLOAT]: 32,
  [T.INT32]: 32,
  [T.UINT32]: 32,
  [T.INT16]: 16,
  [T.UINT16]: 16,
  [T.INT8]: 8,
  [T.UINT8]: 8,
  [T.BOOL]: 8,
  [T.INT4]: 4,
  [T.UINT4]: 4,
  [T.INT2]: 2,
  [T.UINT2]: 2,
};

/** Writes a graph of float32 (and ONNX's own integer) carriers. Raises graph/unsupported for what ONNX cannot say. */
export function exportQonnx(graph: Graph): Uint8Array {
  for (const node of graph.nodes) {
    if (internalOperators.has(node.op)) {
      fail('graph/unsupported', node.name, `${node.op} has no form in QONNX`, 'Export the graph before it is streamlined to integers.');
    }
  }
  const typed = infer(graph);
  const wide = int64Values(graph, typed);
  const shapes = symbolicShapes(graph);
  const elementType = (name: string): T => {
    const dtype = typed.values[name].dtype!;
    if (wide.has(name)) return T.INT64;
    const type = elementTypes[dtype];
    if (type === undefined) fail('graph/unsupported', name, `a tensor of ${dtype} has no form in QONNX`, 'Export the graph before it is streamlined to integers.');
    return type;
  };
  const describe = (name: string, shape: readonly Dim[]): { name: string; type: MessageInitShape<typeof TypeProtoSchema> } => ({
    name,
    type: { value: { case: 'tensorType', value: { elemType: elementType(name), shape: { dim: shape.map(dimension) } } } },
  });
  const quantized = graph.nodes.some((n) => qonnxOperators.has(n.op));
  const newTrunc = graph.nodes.some((n) => n.op === 'Trunc' && n.attributes.version === 2);
  if (newTrunc && graph.nodes.some((n) => n.op === 'Trunc' && n.attributes.version !== 2)) {
    fail('graph/unsupported', graph.nodes.find((n) => n.op === 'Trunc')!.name, 'versions 1 and 2 of Trunc cannot be in one file', 'Use one of them.');
  }

  const opset = neededOpset(graph);
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: opset >= 25 ? 12n : opset >= 21 ? 10n : opset >= 19 ? 9n : 8n,
      producerName: 'sigmaflow',
      opsetImport: [{ domain: '', version: BigInt(opset) }, ...(quantized ? [{ domain, version: newTrunc ? 2n : 1n }] : [])],
      graph: {
        name: graph.name,
        node: graph.nodes.map(exportNode),
        initializer: Object.entries(graph.constants).map(([name, c]) => exportTensor(name, c, wide.has(name))),
        input: graph.inputs.map((name) => describe(name, graph.values[name].shape ?? typed.values[name].shape!)),
        output: graph.outputs.map((name) => describe(name, shapes[name])),
        quantizationAnnotation: Object.values(graph.values).flatMap(({ name, annotation }) =>
          annotation ? [{ tensorName: name, quantParameterTensorNames: [{ key: 'finn_datatype', value: annotationName(annotation) }] }] : [],
        ),
      },
    }),
  );
}

/**
 * Which int32 values ONNX has as int64: all but the model's inputs, the operands of (De)QuantizeLinear, and what moves or
 * adds those. ONNX wants int64 for shapes, axes, counts and indices, which is what int32 constants are for.
 */
function int64Values(graph: Graph, typed: Graph): ReadonlySet<string> {
  const narrow = new Set(graph.inputs);
  const neighbours = (node: Node): readonly string[] => {
    if (node.op === 'DequantizeLinear') return [node.inputs[0], node.inputs[2] ?? ''];
    if (['Shape', 'ArgMax', 'QuantizeLinear'].includes(node.op)) return [];
    const moved = operator(node.op, node.name).inputs.length > 1 && !['Add', 'Sub', 'Mul', 'Div', 'Concat'].includes(node.op) ? node.inputs.slice(0, 1) : node.inputs;
    return [...moved, ...(node.op === 'TopK' ? node.outputs.slice(0, 1) : node.outputs)];
  };
  for (let size = -1; size !== narrow.size; ) {
    size = narrow.size;
    for (const node of graph.nodes) {
      const names = neighbours(node).filter((n) => n !== '');
      if (node.op === 'DequantizeLinear' || names.some((n) => narrow.has(n))) names.forEach((n) => narrow.add(n));
    }
  }
  const wide = new Set<string>();
  for (const value of Object.values(typed.values)) if (value.dtype === 'int32' && !narrow.has(value.name)) wide.add(value.name);
  return wide;
}

/** 17, or the least later opset that has all forms in the graph. */
function neededOpset(graph: Graph): number {
  const wide = (name: string | undefined): boolean => ['int16', 'uint16'].includes(graph.constants[name ?? '']?.dtype);
  let opset = 17;
  const need = (n: number, when: boolean): void => {
    if (when) opset = Math.max(opset, n);
  };
  for (const { op, inputs, attributes } of graph.nodes) {
    need(18, (op === 'ReduceMean' || op === 'ReduceMax') && (inputs.length > 1 || 'noop_with_empty_axes' in attributes));
    need(18, op === 'Pad' && (inputs.length > 3 || attributes.mode === 'wrap'));
    need(19, op === 'AveragePool' && 'dilations' in attributes);
    need(19, op === 'QuantizeLinear' && 'saturate' in attributes);
    need(21, (op === 'QuantizeLinear' || op === 'DequantizeLinear') && ('block_size' in attributes || 'output_dtype' in attributes || wide(inputs[2])));
  }
  for (const { dtype } of Object.values(graph.constants)) {
    need(21, dtype === 'int4' || dtype === 'uint4');
    need(25, dtype === 'int2' || dtype === 'uint2');
  }
  return opset;
}

function dimension(d: Dim): { value: { case: 'dimValue'; value: bigint } | { case: 'dimParam'; value: string } } {
  return { value: typeof d === 'number' ? { case: 'dimValue', value: BigInt(d) } : { case: 'dimParam', value: d } };
}

function annotationName(dtype: DataType): string {
  return dtype === 'uint1' ? 'BINARY' : dtype.toUpperCase();
}

function exportNode(node: Node): MessageInitShape<typeof NodeProtoSchema> {
  const schemas = operator(node.op, node.name).attributes;
  const attributes = Object.entries(node.attributes).filter(([name]) => !(node.op === 'Trunc' && name === 'version'));
  return {
    name: node.name,
    opType: node.op,
    domain: qonnxOperators.has(node.op) ? domain : '',
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: attributes.map(([name, value]) => exportAttribute(name, value, schemas[name]?.type)),
  };
}

function exportAttribute(name: string, value: Attribute, type: string | undefined): MessageInitShape<typeof AttributeProtoSchema> {
  if (isConstantAttribute(value)) return { name, type: A.TENSOR, t: exportTensor('', value, value.dtype === 'int32') };
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (typeof value === 'string') return { name, type: A.STRING, s: bytes(value) };
  if (typeof value === 'number') return type === 'float' ? { name, type: A.FLOAT, f: value } : { name, type: A.INT, i: BigInt(value) };
  if (value.some((v) => typeof v === 'string')) return { name, type: A.STRINGS, strings: value.map((v) => bytes(String(v))) };
  const numbers = value as readonly number[];
  return type === 'floats' ? { name, type: A.FLOATS, floats: [...numbers] } : { name, type: A.INTS, ints: numbers.map(BigInt) };
}

function exportTensor(name: string, constant: Constant, asInt64: boolean): MessageInitShape<typeof TensorProtoSchema> {
  const { data, dtype, shape } = constant;
  const type = asInt64 ? T.INT64 : elementTypes[dtype];
  if (type === undefined) fail('graph/unsupported', name, `a constant of ${dtype} has no form in QONNX`, 'Export the graph before it is streamlined to integers.');
  const bits = elementBits[type]!;
  const bytes = new Uint8Array(Math.ceil((data.length * bits) / 8));
  const view = new DataView(bytes.buffer);
  data.forEach((x, i) => {
    if (type === T.FLOAT) view.setFloat32(4 * i, x, true);
    else if (bits === 64) view.setBigInt64(8 * i, BigInt(x), true);
    else if (bits === 32) view.setInt32(4 * i, x, true);
    else if (bits === 16) view.setInt16(2 * i, x, true);
    else bytes[(i * bits) >> 3] |= (x & (2 ** bits - 1)) << ((i * bits) & 7);
  });
  return { name, dims: shape.map(BigInt), dataType: type, rawData: bytes };
}
