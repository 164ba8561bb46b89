/**
 * Small ONNX files for the tests, written field by field, so that they can also be wrong. Not the exporter.
 */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as T,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from '../../codegen/import/onnx_pb.js';

export type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;
export type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
export type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
export type ValueInit = MessageInitShape<typeof ValueInfoProtoSchema>;

export interface ModelInit {
  opset?: number;
  /** Further opset imports by domain. */
  domains?: Record<string, number>;
  inputs?: ValueInit[];
  outputs?: string[];
  initializers?: TensorInit[];
  nodes?: NodeInit[];
  graph?: MessageInitShape<typeof GraphProtoSchema>;
}

/** A model's bytes. Without inputs it takes x: float32 [1, 4]; without outputs it gives y. */
export function modelBytes(m: ModelInit): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: BigInt(m.opset ?? 17) }, ...Object.entries(m.domains ?? {}).map(([domain, v]) => ({ domain, version: BigInt(v) }))],
      graph: {
        name: 'small',
        input: m.inputs ?? [tensorInput('x', [1, 4])],
        output: (m.outputs ?? ['y']).map((name) => ({ name })),
        initializer: m.initializers ?? [],
        node: m.nodes ?? [],
        ...m.graph,
      },
    }),
  );
}

export function tensorInput(name: string, shape: readonly (number | string)[], elemType: number = T.FLOAT): ValueInit {
  const dim = shape.map((d) => ({ value: typeof d === 'number' ? { case: 'dimValue' as const, value: BigInt(d) } : { case: 'dimParam' as const, value: d } }));
  return { name, type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } } };
}

export function node(opType: string, input: string[], output: string[], attribute: AttributeInit[] = [], more: NodeInit = {}): NodeInit {
  return { opType, input, output, attribute, ...more };
}

export const floats = (name: string, dims: number[], values: number[]): TensorInit => ({ name, dims: dims.map(BigInt), dataType: T.FLOAT, floatData: values });
export const ints = (name: string, dims: number[], values: number[]): TensorInit => ({ name, dims: dims.map(BigInt), dataType: T.INT64, int64Data: values.map(BigInt) });

export const intAttribute = (name: string, value: number): AttributeInit => ({ name, type: A.INT, i: BigInt(value) });
export const intsAttribute = (name: string, values: number[]): AttributeInit => ({ name, type: A.INTS, ints: values.map(BigInt) });
export const floatAttribute = (name: string, value: number): AttributeInit => ({ name, type: A.FLOAT, f: value });
export const textAttribute = (name: string, value: string): AttributeInit => ({ name, type: A.STRING, s: new TextEncoder().encode(value) });
