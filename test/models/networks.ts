/**
 * The whole networks that the tests of this folder run: the examples of this repository and the shared data beside it.
 * Not here: what they should answer (golden.test.ts) and whether the engines agree (engines.test.ts).
 */
import { readFileSync } from 'node:fs';
import { elementCount, type Graph } from '../../codegen/ir/graph.js';
import { readIdx } from '../../sdk/data/idx.js';
import { Random } from '../support/random.js';
import { sharedFile } from '../support/shared.js';

export interface Network {
  /** Path within `examples/models` or the shared data. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What `examples/models/expected.json` says of one model; made by evaluate.py there. */
export interface Expected {
  readonly file: string;
  readonly data: 'mnist' | 'fashion';
  readonly images600: { readonly correct: number; readonly predictions: string };
  readonly first16: { readonly maxAbsLogit: number; readonly logits: readonly (readonly number[])[] };
}

const examples = new URL('../../examples/', import.meta.url);
const readExample = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, examples)));

export const exampleAnswers: Readonly<Record<string, Expected>> = JSON.parse(readFileSync(new URL('models/expected.json', examples), 'utf8')).models;

export function exampleNetworks(): Network[] {
  return Object.values(exampleAnswers).map(({ file }) => ({ name: file, bytes: readExample(`models/${file}`) }));
}

/** The 600 images (float32 in 0..1, one after another) and labels of a data set. */
export function exampleImages(data: Expected['data']): { readonly pixels: Float32Array; readonly labels: readonly number[] } {
  const [images, labels] = [readIdx(readExample(`data/${data}600-images.idx3-ubyte.gz`)), readIdx(readExample(`data/${data}600-labels.idx1-ubyte.gz`))];
  return { pixels: Float32Array.from(images.data, (byte) => byte / 255), labels: Array.from(labels.data) };
}

export const benchNames = ['mlp', 'lenet5', 'kws_dscnn', 'ad_ae', 'ic_resnet8', 'vww_mbv1'];

const sharedNames: readonly string[] = [
  'qonnx/models/TFC_1W1A.onnx',
  'qonnx/models/TFC_2W2A.onnx',
  'qonnx/finn_repo/build_dataflow/model.onnx',
  'qonnx/qonnx_repo/mnist-conv/model.onnx',
  'qonnx/qonnx_repo/residual_block_clean.onnx',
  'qonnx/qonnx_repo/matmul_update/sdp.onnx',
  'mlperf_tiny/model_kws.onnx',
  'mlperf_tiny/model_ic.onnx',
  ...benchNames.flatMap((name) => [`bench/${name}.f32.onnx`, `bench/${name}.qdq_u8s8.onnx`]),
];

/** Those that are there; what is missing is said. */
export function sharedNetworks(): Network[] {
  return sharedNames.flatMap((name) => {
    const bytes = sharedFile(name);
    return bytes ? [{ name, bytes }] : [];
  });
}

export type Inputs = Readonly<Record<string, Float32Array>>;

/** Inputs of one call of an inferred graph, all float32, uniform in -2 .. 2: of the size for which these networks were trained. */
export function randomInputs(graph: Graph, seed: number): Inputs {
  const random = new Random(seed);
  return Object.fromEntries(
    graph.inputs.map((name) => [name, Float32Array.from({ length: elementCount(graph.values[name].shape as readonly number[]) }, () => random.float(-2, 2))]),
  );
}
