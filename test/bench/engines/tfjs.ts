/**
 * TensorFlow.js on its WebAssembly backend, float32: the network written by hand with the fused operators, channels last,
 * which is its best case. Built from the ONNX file's nodes and weights. It has no 8-bit operators.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { importOnnx } from '../../../codegen/import/onnx.js';
import type { Graph, Node } from '../../../codegen/ir/graph.js';
import { channelsLast, channelsLastShape, type Load, type Runner } from './engine.js';

interface Tensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array;
  dispose(): void;
}

type Four = [number, number, number, number];

interface Tfjs {
  env(): { set(flag: string, value: boolean): void; getAsync(flag: string): Promise<unknown> };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  tidy<T>(f: () => T): T;
  keep<T extends Tensor>(t: T): T;
  add(a: Tensor, b: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  mean(x: Tensor, axes: readonly number[]): Tensor;
  softmax(x: Tensor): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  maxPool(x: Tensor, size: readonly number[], strides: readonly number[], pad: string): Tensor;
  readonly fused: {
    matMul(o: { a: Tensor; b: Tensor; bias: Tensor; activation: string }): Tensor;
    conv2d(o: object): Tensor;
    depthwiseConv2d(o: object): Tensor;
  };
}

type Values = Map<string, Tensor>;
type Step = (values: Values) => void;

const list = (node: Node, name: string): readonly number[] => (node.attributes[name] ?? []) as readonly number[];

/** Steps over named tensors; `shapes` says how a flattened tensor lay, channels first. */
function steps(graph: Graph, tf: Tfjs): Step[] {
  const users = (name: string): Node[] => graph.nodes.filter((n) => n.inputs.includes(name));
  const fusedRelu = new Set<Node>();
  const flattened = new Map<string, string>();
  const spatial = new Map<string, readonly number[]>();
  const weight = (name: string): { data: Float32Array; shape: readonly number[] } => ({ data: graph.constants[name].data as Float32Array, shape: graph.constants[name].shape });
  const bias = (node: Node): Tensor => tf.tensor(weight(node.inputs[2]).data, [weight(node.inputs[2]).data.length]);

  return graph.nodes.filter((node) => !fusedRelu.has(node)).flatMap((node): Step[] => {
    if (fusedRelu.has(node)) return [];
    const [x] = node.inputs;
    let [out] = node.outputs;
    let activation = 'linear';
    const next = users(out);
    if ((node.op === 'Conv' || node.op === 'Gemm') && next.length === 1 && next[0].op === 'Relu') {
      fusedRelu.add(next[0]);
      [out] = next[0].outputs;
      activation = 'relu';
    }
    if (node.op === 'Conv') {
      const w = weight(node.inputs[1]);
      const [o, c, kh, kw] = w.shape as Four;
      const pad = list(node, 'pads').some((p) => p > 0) ? 'same' : 'valid';
      const strides = [...list(node, 'strides')];
      const depthwise = (node.attributes.group as number) > 1;
      // [O, C, y, x] to [y, x, C, O]; depthwise, where C is 1, to [y, x, O, 1].
      const turned = new Float32Array(w.data.length);
      for (let i = 0; i < o; i++) {
        for (let j = 0; j < c; j++) {
          for (let k = 0; k < kh * kw; k++) turned[(k * c + j) * o + i] = w.data[(i * c + j) * kh * kw + k];
        }
      }
      const filter = tf.tensor(turned, depthwise ? [kh, kw, o, 1] : [kh, kw, c, o]);
      const b = bias(node);
      const run = depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
      return [(v) => void v.set(out, run({ x: v.get(x)!, filter, strides, pad, bias: b, activation }))];
    }
    if (node.op === 'Gemm') {
      const w = weight(node.inputs[1]);
      const [o, k] = w.shape; // transB
      const from = flattened.get(x);
      const b = bias(node);
      const place = (i: number): number => {
        const shape = from === undefined ? undefined : spatial.get(from);
        if (!shape) return i;
        const [, h, width, c] = shape;
        return Math.floor(i / (h * width)) + (i % (h * width)) * c; // channels first to channels last
      };
      let matrix: Tensor | undefined;
      return [(v) => {
        if (!matrix) {
          const turned = new Float32Array(o * k);
          for (let i = 0; i < k; i++) {
            for (let j = 0; j < o; j++) turned[place(i) * o + j] = w.data[j * k + i];
          }
          matrix = tf.keep(tf.tensor(turned, [k, o]));
        }
        v.set(out, tf.fused.matMul({ a: v.get(x)!, b: matrix, bias: b, activation }));
      }];
    }
    if (node.op === 'Flatten') {
      flattened.set(out, x);
      return [(v) => {
        const t = v.get(x)!;
        spatial.set(x, t.shape.length === 4 && t.shape[1] * t.shape[2] > 1 ? t.shape : [0, 1, 1, 1]);
        v.set(out, tf.reshape(t, [t.shape[0], t.shape.slice(1).reduce((a, d) => a * d, 1)]));
      }];
    }
    if (node.op === 'GlobalAveragePool') return [(v) => void v.set(out, tf.mean(v.get(x)!, [1, 2]))];
    if (node.op === 'MaxPool') return [(v) => void v.set(out, tf.maxPool(v.get(x)!, list(node, 'kernel_shape'), list(node, 'strides'), 'valid'))];
    if (node.op === 'Relu') return [(v) => void v.set(out, tf.relu(v.get(x)!))];
    if (node.op === 'Add') return [(v) => void v.set(out, tf.add(v.get(x)!, v.get(node.inputs[1])!))];
    if (node.op === 'Softmax') return [(v) => void v.set(out, tf.softmax(v.get(x)!))];
    throw new Error(`tfjs: the operator ${node.op} has no rule here`);
  });
}

/** The network that is written by hand below, from its ONNX file. */
export function readNetwork(file: string): Graph {
  return importOnnx(new Uint8Array(readFileSync(file)), {});
}

export async function tfjs(message: Load): Promise<Runner> {
  return tfjsOf(readNetwork(message.file), message);
}

export async function tfjsOf(graph: Graph, message: Load): Promise<Runner> {
  const require = createRequire(import.meta.url);
  const tf = require('@tensorflow/tfjs-core') as Tfjs;
  const backend = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(folder: string): void };
  backend.setWasmPaths(`${path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs: the WebAssembly backend does not start');
  await tf.ready();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const program = steps(graph, tf);
  const shape = [message.batch, ...message.shape];
  let input: Tensor | undefined;
  return {
    settings: `WebAssembly backend, ${simd ? 'SIMD' : 'no SIMD'}, one thread, hand-written fused operators, channels-last input`,
    feed(values) {
      input?.dispose();
      input = tf.tensor(channelsLast(values, shape), channelsLastShape(shape));
    },
    infer: () => tf.tidy(() => {
      const values: Values = new Map([[graph.inputs[0], input!]]);
      for (const step of program) step(values);
      return values.get(graph.outputs[0])!.dataSync();
    }),
  };
}
