/** Writes ONNX files of a few operators, for the peers: nodes in order, constants, one input, float32. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as A, type AttributeProtoSchema, ModelProtoSchema, TensorProto_DataType as T } from '../../../codegen/import/onnx_pb.js';

type Attribute = number | readonly number[];

export class OnnxWriter {
  private readonly nodes: { opType: string; input: string[]; output: string[]; attribute: MessageInitShape<typeof AttributeProtoSchema>[] }[] = [];
  private readonly constants: { name: string; dims: bigint[]; dataType: T; rawData: Uint8Array }[] = [];

  /** A node of `outputs` results; whole numbers are integer attributes. */
  nodesOf(op: string, input: readonly string[], outputs: number, attributes: Readonly<Record<string, Attribute>> = {}): string[] {
    const output = Array.from({ length: outputs }, (_, i) => `${op}${this.nodes.length}_${i}`);
    const attribute = Object.entries(attributes).map(([name, value]) =>
      typeof value === 'number' ? { name, type: A.INT, i: BigInt(value) } : { name, type: A.INTS, ints: value.map(BigInt) });
    this.nodes.push({ opType: op, input: [...input], output, attribute });
    return output;
  }

  node(op: string, input: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodesOf(op, input, 1, attributes)[0];
  }

  floats(shape: readonly number[], values: ArrayLike<number>): string {
    const data = Float32Array.from(values);
    return this.constant(shape, T.FLOAT, new Uint8Array(data.buffer));
  }

  scalar(value: number): string {
    return this.floats([], [value]);
  }

  /** Shapes and axes. */
  integers(values: readonly number[]): string {
    return this.constant([values.length], T.INT64, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer));
  }

  private constant(shape: readonly number[], dataType: T, rawData: Uint8Array): string {
    const name = `c${this.constants.length}`;
    this.constants.push({ name, dims: shape.map(BigInt), dataType, rawData });
    return name;
  }

  /** The file: opset 17, the input `x` of this shape. */
  file(shape: readonly number[], outputs: readonly string[]): Uint8Array {
    const describe = (name: string, dims: readonly number[] | undefined) => ({
      name,
      type: { value: { case: 'tensorType' as const, value: { elemType: T.FLOAT, ...(dims ? { shape: { dim: dims.map((d) => ({ value: { case: 'dimValue' as const, value: BigInt(d) } })) } } : {}) } } },
    });
    return toBinary(ModelProtoSchema, create(ModelProtoSchema, {
      irVersion: 8n, producerName: 'sigmaflow-bench', opsetImport: [{ domain: '', version: 17n }],
      graph: { name: 'bayesian', node: this.nodes, initializer: this.constants, input: [describe('x', shape)], output: outputs.map((name) => describe(name, undefined)) },
    }));
  }
}
