/**
 * Multiply-adds, weights and shapes of a model, from the ONNX file alone: a second computation that knows nothing of the
 * compiler's graphs. Only the operators of the networks that the tests use.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type NodeProto } from '../../codegen/import/onnx_pb.js';

export interface NodeCost {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly multiplyAdds: number;
}
export interface Costs {
  readonly nodes: readonly NodeCost[];
  /** Of every tensor, initializers included. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly initializers: ReadonlySet<string>;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function onnxCosts(bytes: Uint8Array, batch: number): Costs {
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  const shapes = new Map<string, readonly number[]>();
  for (const t of graph!.initializer) shapes.set(t.name, t.dims.map(Number));
  const initializers = new Set(shapes.keys());
  for (const input of graph!.input) {
    if (initializers.has(input.name) || input.type?.value.case !== 'tensorType') continue;
    shapes.set(input.name, input.type.value.value.shape!.dim.map((d, i) => (i === 0 ? batch : Number(d.value.value))));
  }
  const nodes = graph!.node.map((node): NodeCost => {
    const inputs = node.input.map((name) => shapes.get(name) ?? []);
    const { shape, reduction } = outcome(node, inputs);
    node.output.forEach((name) => shapes.set(name, shape));
    return { name: node.name, op: node.opType, inputs: node.input, outputs: node.output, multiplyAdds: reduction === 0 ? 0 : size(shape) * reduction };
  });
  return { nodes, shapes, initializers };
}

/** The output's shape, and how many products each output element sums. */
function outcome(node: NodeProto, inputs: readonly (readonly number[])[]): { shape: readonly number[]; reduction: number } {
  const [x, w] = inputs;
  const ints = (name: string, otherwise: number[]): number[] => node.attribute.find((a) => a.name === name)?.ints.map(Number) ?? otherwise;
  const int = (name: string, otherwise: number): number => Number(node.attribute.find((a) => a.name === name)?.i ?? otherwise);
  const windows = (kernel: readonly number[]): number[] => {
    const auto = new TextDecoder().decode(node.attribute.find((a) => a.name === 'auto_pad')?.s ?? new Uint8Array());
    const strides = ints('strides', kernel.map(() => 1));
    const pads = ints('pads', kernel.flatMap(() => [0, 0]));
    return kernel.map((k, d) => {
      const extent = x[d + 2];
      if (auto.startsWith('SAME')) return Math.ceil(extent / strides[d]);
      return Math.floor((extent + pads[d] + pads[d + kernel.length] - k) / strides[d]) + 1;
    });
  };
  switch (node.opType) {
    case 'Conv':
      return { shape: [x[0], w[0], ...windows(w.slice(2))], reduction: size(w) / w[0] };
    case 'Gemm':
      return { shape: [x[0], int('transB', 0) === 1 ? w[0] : w[1]], reduction: x[1] };
    case 'MatMul':
      return { shape: [...x.slice(0, -1), w[w.length - 1]], reduction: x[x.length - 1] };
    case 'MaxPool':
    case 'AveragePool':
      return { shape: [x[0], x[1], ...windows(ints('kernel_shape', []))], reduction: 0 };
    case 'GlobalAveragePool':
      return { shape: [x[0], x[1], 1, 1], reduction: 0 };
    case 'Flatten':
      return { shape: [x[0], size(x.slice(1))], reduction: 0 };
    case 'Transpose':
      return { shape: ints('perm', x.map((_, d) => x.length - 1 - d)).map((d) => x[d]), reduction: 0 };
    case 'Add':
    case 'Relu':
    case 'Softmax':
    case 'Quant':
    case 'BatchNormalization':
    case 'QuantizeLinear':
    case 'DequantizeLinear':
    case 'Clip':
      return { shape: x, reduction: 0 };
    default:
      throw new Error(`this test knows no ${node.opType}`);
  }
}
