/** What tests of sampled twins share: a small classifier with random weights, its inputs, and runs of a twin. */
import type { Graph } from '../../../codegen/ir/graph.js';
import { compile, type Options } from '../../../sdk/compile.js';
import { dense, gaussian, relu, softmax } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { Random } from '../../support/random.js';

const random = new Random(8);
export const drawn = (count: number, lo: number, hi: number): number[] => Array.from({ length: count }, () => random.float(lo, hi));
export const weights = (count: number, spread = 0.3) => gaussian(drawn(count, -1, 1), drawn(count, 0, spread));

/** 3 - 7 - 4 with softmax. */
export const classifier = network({ name: 'small', input: [3], layers: [dense(7, { name: 'b', weight: weights(21), bias: weights(7) }), relu(), dense(4, { name: 'a', weight: weights(28), bias: weights(4) }), softmax()] });
export const x = (count: number, size = 3): Float32Array => Float32Array.from({ length: count * size }, (_, i) => Math.sin(1.7 * i));

export type Outputs = Record<string, Float32Array>;

/** Runs a sampled twin; outputs by name, in memory of their own. */
export async function runner(graph: Graph, options: Options = {}): Promise<(input: Float32Array, more?: Record<string, number | readonly number[]>) => Outputs> {
  const model = loadSync((await compile(graph, { twin: 'sample', ...options })).wasm);
  return (input, more = {}) => Object.fromEntries(Object.entries(model.run({ input, ...more })).map(([name, view]) => [name, view.data.slice() as Float32Array]));
}
