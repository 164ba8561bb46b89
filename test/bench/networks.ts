/** The networks that the peers run too: files, golden inputs and outputs, and how far an engine may be from them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { infer } from '../../codegen/passes/infer.js';
import { layers } from '../../sdk/cli/layers.js';
import { readNpz } from '../../sdk/data/npy.js';

export interface Network {
  readonly name: string;
  /** f32, qdq_u8s8 ... */
  readonly kind: string;
  readonly file: string;
  readonly graph: Graph;
  /** One inference's. */
  readonly shape: readonly number[];
  readonly examples: readonly (readonly number[])[];
  /** Outputs of the file itself, and of the float network that it was made from. */
  readonly golden: readonly (readonly number[])[];
  readonly goldenFloat: readonly (readonly number[])[];
  /** Multiply-adds of one inference. */
  readonly macs: number;
}

/** Networks that `sigmaflow quantize` made from the float ones (quantized.ts): 8-bit weights, 7-bit activations. */
export const quantizedKind = 'w8a7';

/** In the order in which the tables name them. */
const order = ['mlp', 'lenet5', 'kws_dscnn', 'ad_ae', 'ic_resnet8', 'vww_mbv1'];

/** The networks of one kind; `NAME.KIND.onnx` beside `NAME.golden.npz`. */
export function benchNetworks(folder: string, kind: string, only?: readonly string[]): Network[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((f) => f.endsWith(`.${kind}.onnx`)).map((f) => f.slice(0, -`.${kind}.onnx`.length));
  const place = (name: string): number => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return names.filter((name) => !only || only.includes(name)).sort((a, b) => place(a) - place(b)).map((name) => readNetwork(folder, name, kind));
}

function readNetwork(folder: string, name: string, kind: string): Network {
  const file = path.join(folder, `${name}.${kind}.onnx`);
  const graph = importOnnx(new Uint8Array(readFileSync(file)), { name });
  const arrays = readNpz(new Uint8Array(readFileSync(path.join(folder, `${name}.golden.npz`))));
  const rows = (key: string): number[][] => {
    const { shape, data } = arrays[key];
    const size = data.length / shape[0];
    return Array.from({ length: shape[0] }, (_, i) => Array.from(data.subarray(i * size, (i + 1) * size) as Float32Array));
  };
  return {
    name, kind, file, graph,
    shape: arrays.x.shape.slice(1),
    examples: rows('x'),
    golden: rows(`y_${kind}`),
    goldenFloat: rows('y_f32'),
    macs: macsOf(graph),
  };
}

/** Multiply-adds of one inference. */
export function macsOf(graph: Graph): number {
  const inferred = infer(graph, { batch: 1 });
  return layers(inferred).reduce((sum, l) => sum + l.macs, 0);
}

/** The largest difference of two sets of outputs, in units of the largest golden value. */
export function deviation(outputs: readonly (readonly number[])[], golden: readonly (readonly number[])[]): number {
  const top = Math.max(...golden.flat().map(Math.abs));
  return Math.max(...golden.flatMap((row, i) => row.map((v, k) => Math.abs(v - outputs[i][k]) || (Number.isNaN(outputs[i][k]) ? Infinity : 0)))) / top;
}
