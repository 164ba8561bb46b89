/**
 * S networks with weights drawn from a posterior: as one ONNX graph with all sets of weights side by side, which is the fastest form
 * for a web engine, and as files for torch (torchWorker.py). The mean of their logits is what they are compared by.
 */
import { writeFileSync } from 'node:fs';
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { evaluate } from '../../../codegen/passes/evaluate.js';
import { Random } from '../../support/random.js';
import { OnnxWriter } from './onnx.js';

/** Of every weight, S draws one after the other. */
export type Draws = Readonly<Record<string, Float32Array>>;

export function drawWeights(graph: Graph, samples: number): Draws {
  const random = new Random(29);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return Object.fromEntries(Object.entries(graph.posteriors!).map(([name, { deviation }]) => {
    const { data: mean } = graph.constants[name];
    const size = mean.length;
    return [name, Float32Array.from({ length: samples * size }, (_, i) => mean[i % size] + deviation.data[i % size] * normal())];
  }));
}

/** Logits of an example, the mean over all draws, in float64. */
export function meanLogits(graph: Graph, draws: Draws, samples: number, example: readonly number[]): number[] {
  const [input, output] = [graph.inputs[0], graph.outputs[0]];
  const { posteriors: _, ...plain } = graph;
  let sum: number[] = [];
  for (let s = 0; s < samples; s++) {
    const constants = Object.fromEntries(Object.entries(plain.constants).map(([name, { shape, data }]) =>
      [name, makeConstant('float32', shape, draws[name].subarray(s * data.length, (s + 1) * data.length))]));
    const shape = [1, ...(plain.values[input].shape!.slice(1) as number[])];
    const logits = evaluate({ ...plain, constants }, { [input]: { shape, data: Float64Array.from(example) } })[output].data;
    sum = Array.from(logits, (y, i) => (sum[i] ?? 0) + y / samples);
  }
  return sum;
}

/** Sets of weights lie side by side in the channels of convolutions and of the first dense layer, later in a dimension of their own. */
export function sampledOnnx(graph: Graph, draws: Draws, samples: number, batch: number): Uint8Array {
  const w = new OnnxWriter();
  let x = 'x';
  let place: 'none' | 'channels' | 'first' = 'none';
  for (const node of graph.nodes) {
    const [, weight, bias] = node.inputs;
    if (node.op === 'Relu') x = w.node('Relu', [x]);
    else if (node.op === 'MaxPool') x = w.node('MaxPool', [x], { kernel_shape: node.attributes.kernel_shape as number[], strides: node.attributes.strides as number[] });
    else if (node.op === 'Flatten') {
      if (place === 'none') x = w.node('Flatten', [x], { axis: 1 });
      else x = first(w, x, samples, batch);
      if (place !== 'none') place = 'first';
    } else if (node.op === 'Conv') {
      const [o, ...rest] = graph.constants[weight].shape;
      x = w.node('Conv', [x, w.floats([samples * o, ...rest], draws[weight]), w.floats([samples * o], draws[bias])], {
        kernel_shape: node.attributes.kernel_shape as number[], pads: node.attributes.pads as number[], group: place === 'none' ? 1 : samples,
      });
      place = 'channels';
    } else if (node.op === 'Gemm') {
      const [o, k] = graph.constants[weight].shape;
      if (place === 'none') {
        x = first(w, w.node('Gemm', [x, w.floats([samples * o, k], draws[weight]), w.floats([samples * o], draws[bias])], { transB: 1 }), samples, batch);
        place = 'first';
      } else {
        const turned = Float32Array.from(draws[weight], (_, i) => draws[weight][Math.floor(i / (o * k)) * o * k + (i % o) * k + (Math.floor(i / o) % k)]);
        x = w.node('Add', [w.node('MatMul', [x, w.floats([samples, k, o], turned)]), w.floats([samples, 1, o], draws[bias])]);
      }
    } else throw new Error(`the benchmark's ONNX graph has no ${node.op}`);
  }
  return w.file([batch, ...(graph.values[graph.inputs[0]].shape!.slice(1) as number[])], [w.node('ReduceMean', [x], { axes: [0], keepdims: 0 })]);
}

/** [N, S times ..] as [S, N, ..]. */
function first(w: OnnxWriter, x: string, samples: number, batch: number): string {
  if (batch === 1) return w.node('Reshape', [x, w.integers([samples, 1, -1])]);
  return w.node('Transpose', [w.node('Reshape', [x, w.integers([batch, samples, -1])])], { perm: [1, 0, 2] });
}

/** What torchWorker.py reads: FILE.json with the layers, FILE.bin with means, deviations and draws. */
export function writeTorchFiles(file: string, graph: Graph, draws: Draws, samples: number): void {
  const parts: Float32Array[] = [];
  let at = 0;
  const put = (data: ArrayLike<number>): number => {
    const part = Float32Array.from(data);
    parts.push(part);
    at += part.length;
    return at - part.length;
  };
  const weight = (name: string): object => {
    const { shape, data } = graph.constants[name];
    return { shape, mean: put(data), deviation: put(graph.posteriors![name].deviation.data), draws: put(draws[name]) };
  };
  const layers = graph.nodes.map(({ op, inputs, attributes }) => ({
    op, ...(inputs.length > 1 ? { weight: weight(inputs[1]), bias: weight(inputs[2]) } : {}), ...(op === 'Conv' ? { padding: (attributes.pads as number[])[0] } : {}),
  }));
  writeFileSync(`${file}.json`, JSON.stringify({ samples, layers }));
  const all = new Float32Array(at);
  let to = 0;
  for (const part of parts) {
    all.set(part, to);
    to += part.length;
  }
  writeFileSync(`${file}.bin`, new Uint8Array(all.buffer));
}
