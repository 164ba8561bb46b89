/**
 * AttributeProto -> Attribute. Names and types only: what an operator allows is in its record.
 */
import { fail } from '../ir/diagnostic.js';
import type { Attribute, Constant } from '../ir/graph.js';
import { AttributeProto_AttributeType as A, AttributeProtoSchema, type AttributeProto, type TensorProto } from './onnx_pb.js';
import { isFieldSet } from '@bufbuild/protobuf';

/** Gives the attributes of a node by name. `at` is the node's name. Raises graph/unsupported and graph/attribute-type. */
export function importAttributes(protos: readonly AttributeProto[], at: string, importTensor: (proto: TensorProto) => Constant): Record<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const proto of protos) {
    if (attributes.has(proto.name)) fail('graph/attribute-type', at, `the attribute "${proto.name}" is given twice`, 'The file is damaged: export or download it again.');
    attributes.set(proto.name, importAttribute(proto, at, importTensor));
  }
  return Object.fromEntries(attributes);
}

function importAttribute(proto: AttributeProto, at: string, importTensor: (proto: TensorProto) => Constant): Attribute {
  if (proto.refAttrName !== '') fail('graph/unsupported', at, `the attribute "${proto.name}" belongs to a local function, which is not supported`, 'Inline functions before export.');
  const type = proto.type === A.UNDEFINED ? typeOf(proto) : proto.type;
  switch (type) {
    case A.FLOAT:
      return proto.f;
    case A.INT:
      return integer(proto.i);
    case A.STRING:
      return text(proto.s, proto.name, at);
    case A.TENSOR:
      if (!proto.t) fail('graph/attribute-type', at, `the attribute "${proto.name}" has no tensor`, 'The file is damaged: export or download it again.');
      return importTensor(proto.t);
    case A.FLOATS:
      return [...proto.floats];
    case A.INTS:
      return proto.ints.map(integer);
    case A.STRINGS:
      return proto.strings.map((s) => text(s, proto.name, at));
    case A.GRAPH:
    case A.GRAPHS:
      return fail('graph/unsupported', at, `the attribute "${proto.name}" is a sub-graph, which is not supported`, 'Export the model without control flow (If, Loop, Scan).');
    default:
      return fail('graph/unsupported', at, `the attribute "${proto.name}" is of type ${A[type] ?? String(type)}, which is not supported`);
  }
}

/** The type of an attribute of a file that does not say it (before IR version 2). */
function typeOf(proto: AttributeProto): A {
  const { field } = AttributeProtoSchema;
  if (isFieldSet(proto, field.f)) return A.FLOAT;
  if (isFieldSet(proto, field.i)) return A.INT;
  if (isFieldSet(proto, field.s)) return A.STRING;
  if (isFieldSet(proto, field.t)) return A.TENSOR;
  if (proto.floats.length > 0) return A.FLOATS;
  if (proto.strings.length > 0) return A.STRINGS;
  return A.INTS;
}

function integer(x: bigint): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(x > limit ? limit : x < -limit ? -limit : x);
}

function text(bytes: Uint8Array, name: string, at: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return fail('graph/attribute-type', at, `the attribute "${name}" is not text (UTF-8)`, 'The file is damaged: export or download it again.');
  }
}
