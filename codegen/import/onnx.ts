/**
 * `importOnnx`: the bytes of an ONNX or QONNX file -> Graph.
 *
 * The bytes are untrusted: every failure is a diagnostic that names a node or tensor. Names stay as they are; operators
 * come out under one name each, in their newest form (normalize.ts). Shapes other than the inputs' are not read from the
 * file: `infer` computes them.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { parseDataType, type DataType } from '../ir/datatype.js';
import { fail, suggest } from '../ir/diagnostic.js';
import type { Constant, Dim, Graph, Node, Value } from '../ir/graph.js';
import { checkNode } from '../ops/context.js';
import { internalOperators, operators } from '../ops/index.js';
import { describeConstant } from '../passes/infer.js';
import { importAttributes } from './attributes.js';
import { normalizeNode } from './normalize.js';
import { ModelProtoSchema, type GraphProto, type ModelProto, type NodeProto, type TensorProto, type ValueInfoProto } from './onnx_pb.js';
import { sortNodes } from './order.js';
import { modernizeSoftmax } from './softmax.js';
import { carrier, elementTypeName, importTensor, type ReadExternal } from './tensors.js';

export interface ImportOptions {
  /** The graph's name; the file's own where absent. */
  readonly name?: string;
  /** Reads a file beside the model, for models with external data. */
  readonly readExternal?: ReadExternal;
}

/** Opsets of the default domain that are understood. */
export const opsets = { least: 7, greatest: 25 } as const;

/** All spellings of QONNX's domain; files of 2021 have none. */
const qonnxDomains = new Set(['qonnx.custom_op.general', 'onnx.brevitas', 'finn.custom_op.general', 'finn']);
/** QONNX's operators, and the names that they have here. */
const qonnxOperators: Readonly<Record<string, string>> = { IntQuant: 'Quant', Quant: 'Quant', BipolarQuant: 'BipolarQuant', Trunc: 'Trunc', MultiThreshold: 'MultiThreshold' };

const damaged = 'The file is damaged: export or download it again.';

/**
 * Reads a model. Raises onnx/*, and graph/* for a graph that is not sound: unknown operators and attributes, missing and
 * doubly defined tensors, cycles, sub-graphs.
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): Graph {
  const model = decode(bytes);
  const proto = model.graph!;
  const versions = new Map(model.opsetImport.map((o) => [o.domain === 'ai.onnx' ? '' : o.domain, Number(o.version)]));
  const opset = checkOpset(versions, proto);
  if (proto.sparseInitializer.length > 0) {
    fail('onnx/data-type', proto.sparseInitializer[0].values?.name, 'sparse tensors are not supported', 'Export the model with dense weights.');
  }
  const readExternal = options.readExternal && memoize(options.readExternal);

  const values = new Map<string, Value>();
  const constants = new Map<string, Constant>();
  const define = (value: Value, by: string): void => {
    if (value.name in Object.prototype) fail('graph/unsupported', by, `the tensor name "${value.name}" is reserved`, 'Rename the tensor.');
    if (values.has(value.name)) fail('graph/doubly-defined', by, `the tensor "${value.name}" is defined twice`, 'Give each tensor a name of its own.');
    values.set(value.name, value);
  };
  const annotations = importAnnotations(proto);
  const defineConstant = (name: string, constant: Constant, by = name): void => {
    define(describeConstant(name, constant, annotations.get(name)), by);
    constants.set(name, constant);
  };

  const initialized = new Set(proto.initializer.map((t) => t.name));
  const inputs = proto.input.filter((v) => !initialized.has(v.name));
  for (const input of inputs) define(importInput(input, annotations.get(input.name)), input.name);
  for (const tensor of proto.initializer) {
    if (tensor.name === '') fail('graph/unsupported', undefined, 'an initializer has no name', damaged);
    defineConstant(tensor.name, importTensor(tensor, tensor.name, readExternal));
  }

  const names = nodeNames(proto.node);
  const imported = proto.node.map((n, i) => importNode(n, names[i], versions, (t) => importTensor(t, names[i], readExternal)));
  const nodes: Node[] = [];
  for (const node of imported) {
    if (node.op === 'Constant') defineConstant(node.outputs[0], constantOf(node), node.name);
    else nodes.push(node);
  }
  const used = new Set([...nodes.flatMap((n) => n.inputs), ...proto.output.map((o) => o.name)]);
  const taken = new Set(imported.flatMap((n) => n.outputs));
  const normalized = nodes.map((node) =>
    normalizeNode(node, opset, {
      isUsed: (value) => used.has(value),
      addConstant(hint, constant) {
        let name = hint;
        for (let i = 1; values.has(name) || taken.has(name); i++) name = `${hint}_${i}`;
        defineConstant(name, constant);
        return name;
      },
    }),
  );
  for (const node of normalized) {
    checkNode(node, operators[node.op]);
    for (const name of node.outputs) {
      const annotation = annotations.get(name);
      if (name !== '') define({ name, ...(annotation && { annotation }) }, node.name);
    }
  }
  const sorted = sortNodes(normalized, new Set([...inputs.map((v) => v.name), ...constants.keys()]));
  const outputs = importOutputs(proto, values);

  const graph: Graph = {
    name: options.name ?? (proto.name || 'model'),
    inputs: inputs.map((v) => v.name),
    outputs,
    values: Object.fromEntries(values),
    constants: Object.fromEntries(constants),
    nodes: sorted,
  };
  return opset < 13 ? modernizeSoftmax(graph) : graph;
}

function decode(bytes: Uint8Array): ModelProto {
  let model: ModelProto | undefined;
  try {
    model = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch {
    // The parser's own words ("illegal tag", "invalid wire type") help nobody.
  }
  if (!model?.graph || (model.graph.node.length === 0 && model.graph.output.length === 0)) {
    fail('onnx/not-a-model', undefined, `expected an ONNX model, found ${bytes.length} bytes that are not one`, 'Give an .onnx file; if it is one, it is truncated or damaged: export or download it again.');
  }
  return model;
}

function checkOpset(versions: ReadonlyMap<string, number>, graph: GraphProto): number {
  const opset = versions.get('');
  const { least, greatest } = opsets;
  if (opset === undefined) {
    const needy = graph.node.find((n) => (n.domain === '' || n.domain === 'ai.onnx') && !Object.hasOwn(qonnxOperators, n.opType));
    if (needy) fail('onnx/opset', needy.name || needy.opType, 'the model does not say which opset of ONNX it uses', `Export it with an opset from ${least} to ${greatest}.`);
    return greatest;
  }
  if (opset < least || opset > greatest) {
    fail('onnx/opset', undefined, `the model uses opset ${opset}; opsets ${least} to ${greatest} are supported`, `Export it with an opset from ${least} to ${greatest}, or convert it with onnx.version_converter.`);
  }
  return opset;
}

function memoize(read: ReadExternal): ReadExternal {
  const files = new Map<string, Uint8Array>();
  return (location) => {
    const file = files.get(location) ?? read(location);
    files.set(location, file);
    return file;
  };
}

/** FINN's and QONNX's `finn_datatype` entries: INT4, UINT8, BIPOLAR, BINARY, TERNARY, FIXED<8,3>, SCALEDINT<4>. */
function importAnnotations(graph: GraphProto): ReadonlyMap<string, DataType> {
  const annotations = new Map<string, DataType>();
  for (const { tensorName, quantParameterTensorNames } of graph.quantizationAnnotation) {
    for (const { key, value } of quantParameterTensorNames) {
      if (key !== 'finn_datatype' || value.startsWith('FLOAT')) continue; // floats restrict nothing
      const dtype = value === 'BINARY' ? 'uint1' : value.toLowerCase().replace(/ /g, '');
      if (!parseDataType(dtype)) {
        fail('onnx/data-type', tensorName, `the annotated data type "${value}" is not known`, 'Use INTn, UINTn (n up to 64), BIPOLAR, TERNARY, FIXED<bits,integer bits>, SCALEDINT<bits> or FLOAT32.');
      }
      annotations.set(tensorName, dtype as DataType);
    }
  }
  return annotations;
}

function importInput(proto: ValueInfoProto, annotation: DataType | undefined): Value {
  const { name } = proto;
  const tensor = proto.type?.value.case === 'tensorType' ? proto.type.value.value : undefined;
  if (name === '') fail('graph/unsupported', undefined, 'an input of the model has no name', damaged);
  if (!tensor) fail('onnx/data-type', name, 'this input is not a tensor, or has no type', 'Export the model with tensors as inputs.');
  const dtype = carrier(tensor.elemType);
  if (!dtype || ['DOUBLE', 'FLOAT16', 'BFLOAT16'].includes(elementTypeName(tensor.elemType))) {
    fail('onnx/data-type', name, `inputs of element type ${elementTypeName(tensor.elemType)} are not supported`, 'Export the model with float32 inputs.');
  }
  if (!tensor.shape) fail('graph/dynamic-shape', name, 'this input has no shape', 'Export the model with fixed shapes; only the batch may be symbolic.');
  const shape = tensor.shape.dim.map((d, i): Dim => {
    if (d.value.case === 'dimParam' && d.value.value !== '') return d.value.value;
    if (d.value.case !== 'dimValue') return i === 0 ? 'N' : `unknown_${i}`;
    if (d.value.value < 1n) fail('graph/shape', name, `dimension ${i} of this input is ${d.value.value}, but must be at least 1`, 'Export the model with fixed shapes; only the batch may be symbolic.');
    return Number(d.value.value);
  });
  return { name, shape, dtype, ...(annotation && { annotation }) };
}

function importOutputs(graph: GraphProto, values: ReadonlyMap<string, Value>): string[] {
  if (graph.output.length === 0) fail('graph/missing-tensor', undefined, 'the model has no output', damaged);
  const outputs = new Set<string>();
  for (const { name } of graph.output) {
    if (!values.has(name)) fail('graph/missing-tensor', name, 'nothing in the model defines this output', suggest(name, [...values.keys()], 'tensor'));
    if (outputs.has(name)) fail('graph/doubly-defined', name, 'this tensor is an output twice', 'Name each output once.');
    outputs.add(name);
  }
  return [...outputs];
}

/** Every node's own name, or its operator and a number where it has none; unique. */
function nodeNames(nodes: readonly NodeProto[]): string[] {
  const taken = new Set(nodes.map((n) => n.name));
  const seen = new Set<string>();
  const count = new Map<string, number>();
  const next = (stem: string): string => {
    for (;;) {
      const i = count.get(stem) ?? 0;
      count.set(stem, i + 1);
      if (!taken.has(`${stem}_${i}`)) return `${stem}_${i}`;
    }
  };
  return nodes.map((n) => {
    const name = n.name === '' ? next(n.opType) : seen.has(n.name) ? next(n.name) : n.name;
    seen.add(name);
    return name;
  });
}

function importNode(proto: NodeProto, name: string, versions: ReadonlyMap<string, number>, importTensor: (t: TensorProto) => Constant): Node {
  const { opType, domain } = proto;
  const attributes = importAttributes(proto.attribute, name, importTensor);
  const standard = domain === '' || domain === 'ai.onnx';
  const valid = [...Object.keys(operators).filter((o) => !internalOperators.has(o)), 'IntQuant'];
  const op = (standard || qonnxDomains.has(domain)) && Object.hasOwn(qonnxOperators, opType) ? qonnxOperators[opType] : standard ? opType : undefined;
  if (op === undefined || !Object.hasOwn(operators, op) || internalOperators.has(op)) {
    fail('graph/unknown-operator', name, `the operator "${opType}" of the domain "${domain || 'ai.onnx'}" is not supported`, suggest(opType, valid.filter((o) => o !== opType), 'operator'), 'Replace it by supported operators before export.');
  }
  // The domain's version says which Trunc it is; files that do not import it show it by their inputs.
  if (op === 'Trunc') attributes.version = (versions.get(domain) ?? 1) >= 2 || proto.input.length > 5 ? 2 : 1;
  return { name, op, inputs: proto.input, outputs: proto.output, attributes };
}

function constantOf(node: Node): Constant {
  if (node.outputs.length !== 1 || node.outputs[0] === '') fail('graph/arity', node.name, `Constant has 1 output, found ${node.outputs.length}`, damaged);
  const entries = Object.entries(node.attributes);
  const [key, value] = entries[0] ?? [];
  const floats = key === 'value_float' || key === 'value_floats';
  if (entries.length === 1 && key === 'value' && typeof value === 'object' && 'data' in value) return value;
  if (entries.length === 1 && (floats || key === 'value_int' || key === 'value_ints')) {
    const numbers = typeof value === 'number' ? [value] : (value as readonly number[]);
    const shape = typeof value === 'number' ? [] : [numbers.length];
    return floats
      ? { dtype: 'float32', shape, data: Float32Array.from(numbers) }
      : { dtype: 'int32', shape, data: Int32Array.from(numbers, (x) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, x))) };
  }
  return fail('graph/unsupported', node.name, `a Constant needs one attribute, a tensor or numbers; found ${entries.map(([k]) => k).join(', ') || 'none'}`, 'Texts and sparse tensors are not supported.');
}
