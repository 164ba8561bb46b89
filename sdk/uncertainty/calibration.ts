/**
 * `fitCalibration`: the factor of the variances of a posterior, one for the network or one a layer, at which validation data have the
 * least negative log likelihood. Takes validation data and nothing else: a factor that has seen the data it is judged by, or data
 * out of domain, means nothing.
 *
 * The network is compiled once (and scheduled once more a layer): the factors multiply constants in the memory of an instance, so that
 * a try is a run over the data, some 30 of them for the network, some 15 more for each layer and sweep. `fitTemperature` is the other
 * way to mend confidence, and needs no compiler. Not here: temperatures of plain logits
 * (metrics/calibration.ts).
 */
import { build, runPasses, targetOf } from '../../codegen/compile.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { compile } from '../compile.js';
import { likelihoodFloor, logitUncertainty, minimize, negativeLogLikelihood } from '../metrics/index.js';
import { loadSync, Session } from '../runtime/index.js';
import { scoreOutputs, type Output, type ScoreOptions } from './outputs.js';

/** Data that neither trained the network nor will judge it. */
export interface ValidationData {
  /** [N, ...] as the model takes them, preprocessed. */
  readonly inputs: Float32Array;
  /** [N] classes, or soft: [N, classes] probabilities. */
  readonly labels: ArrayLike<number>;
}

export interface CalibrationFit {
  /** For `calibration` of `compile`: a number, or factors by the names of weights. */
  readonly calibration: number | Readonly<Record<string, number>>;
  /** By layer, where there is one a layer. */
  readonly layers?: Readonly<Record<string, number>>;
  /** On the validation data, nats: with factor 1, and with what was found. */
  readonly before: number;
  readonly after: number;
  /** Runs over the validation data. */
  readonly tries: number;
  /** The factor lies at an end of what was searched, 1/1000 to 1000: the least likelihood may lie beyond. */
  readonly atEnd: boolean;
}

export interface FitOptions extends ScoreOptions {
  /** One factor for the network (default), or one a layer: from the network's on, layer after layer until that gains nothing. */
  readonly by?: 'network' | 'layer';
  /** Inferences in one call, default 100. */
  readonly batch?: number;
  onTry?(tries: number, likelihood: number): void;
}

const reach = Math.log(1000);

/**
 * @throws graph/posterior for a network that is not random, or of which the variances are no longer constants (fit before quantizing);
 * run/shape for data that do not fit; what compiling throws.
 */
export async function fitCalibration(graph: Graph, { inputs, labels }: ValidationData, options: FitOptions = {}): Promise<CalibrationFit> {
  const { by = 'network', batch = 100, onTry } = options;
  const layers = layersOf(graph);
  const names = Object.keys(layers);
  if (names.length === 0) fail('graph/posterior', graph.name, 'no weight of this network is random, so there is no variance to calibrate', 'Give it a posterior, or fit a temperature.');
  const run = await adjustable(graph, layers, inputs, labels.length, batch);
  let tries = 0;
  const likelihood = (logarithms: readonly number[]): number => {
    const { probabilities, classes } = scoreOutputs(graph.name, run(logarithms.map(Math.exp)), options);
    const found = negativeLogLikelihood(probabilities, labels, classes, { floor: likelihoodFloor });
    onTry?.(++tries, found);
    return found;
  };
  const all = (x: number): number[] => names.map(() => x);
  const before = likelihood(all(0));
  const best = searchFactor((x) => likelihood(all(x)), -reach, reach);
  let found = all(best);
  let after = likelihood(found);
  if (by === 'layer') {
    for (let sweep = 0; sweep < 4; sweep++) {
      const start = after;
      names.forEach((_, i) => {
        const at = (x: number): number[] => found.map((f, j) => (i === j ? x : f));
        const x = minimize((y) => likelihood(at(y)), Math.max(-reach, found[i] - Math.log(10)), Math.min(reach, found[i] + Math.log(10)), 0.02);
        const reached = likelihood(at(x));
        if (reached < after) [found, after] = [at(x), reached];
      });
      if (start - after < 1e-5) break;
    }
  }
  if (before <= after) [found, after] = [all(0), before];
  const factors = found.map((x) => Number(Math.exp(x).toPrecision(4)));
  const byLayer = Object.fromEntries(names.map((name, i) => [name, factors[i]]));
  return {
    ...(by === 'network' ? { calibration: factors[0] } : { calibration: Object.fromEntries(names.flatMap((name) => layers[name].map((weight) => [weight, byLayer[name]]))), layers: byLayer }),
    before, after, tries, atEnd: found.some((x) => Math.abs(x) > reach - 0.05),
  };
}

/** The logarithm at which a function is least: on a grid of half decades first, since there may be several minima, then by golden section. */
export function searchFactor(f: (x: number) => number, from: number, to: number): number {
  const step = Math.log(10) / 2;
  const count = Math.round((to - from) / step);
  const grid = Array.from({ length: count + 1 }, (_, i) => from + ((to - from) * i) / count);
  const values = grid.map(f);
  const least = values.indexOf(Math.min(...values));
  return minimize(f, grid[Math.max(0, least - 1)], grid[Math.min(count, least + 1)], 0.002);
}

export interface TemperatureFit {
  readonly temperature: number;
  readonly before: number;
  readonly after: number;
}

/** The temperature T for which normal logits, [N, classes], divided by T (variances by T squared) have the least negative log likelihood. */
export function fitTemperature(mean: ArrayLike<number>, variance: ArrayLike<number>, labels: ArrayLike<number>, classes: number, { samples = 100, seed = 1 }: ScoreOptions = {}): TemperatureFit {
  const likelihood = (x: number): number => {
    const t = Math.exp(x);
    const { probabilities } = logitUncertainty(Float64Array.from(mean, (m) => m / t), Float64Array.from(variance, (v) => v / (t * t)), { classes, count: samples, seed });
    return negativeLogLikelihood(probabilities, labels, classes, { floor: likelihoodFloor });
  };
  const [before, x] = [likelihood(0), searchFactor(likelihood, -reach, reach)];
  return { temperature: Number(Math.exp(x).toPrecision(4)), before, after: likelihood(x) };
}

/** Random weights by the node that takes them: the layer's name is what its weights' names begin with, or the node's. */
function layersOf(graph: Graph): Record<string, string[]> {
  const layers: Record<string, string[]> = {};
  const random = new Set(Object.entries(graph.posteriors ?? {}).filter(([, p]) => p.deviation.data.some((s) => s > 0)).map(([name]) => name));
  for (const node of graph.nodes) {
    const weights = node.inputs.filter((name) => random.delete(name));
    if (weights.length === 0) continue;
    const prefix = weights[0].replace(/[./][^./]*$/, '');
    const name = prefix !== '' && prefix !== weights[0] && weights.every((w) => w.startsWith(prefix)) ? prefix : node.name;
    (layers[name] ??= []).push(...weights);
  }
  return layers;
}

/** Constants of a module that a layer's factor multiplies: where they lie, and what they are at factor 1. */
interface Scaled {
  readonly layer: number;
  readonly offset: number;
  readonly words: Float32Array;
}

/**
 * A run over all inputs for given factors of the layers, in their order. Variances of weights are constants of the module, and nothing
 * else depends on the factors: they are multiplied in the memory of an instance. Which they are is seen by doubling each factor.
 */
async function adjustable(graph: Graph, layers: Readonly<Record<string, readonly string[]>>, inputs: Float32Array, count: number, batch: number): Promise<(factors: readonly number[]) => Record<string, Output>> {
  if (graph.inputs.length !== 1) fail('run/shape', graph.name, `expected a network with one input, found ${graph.inputs.length}`, 'Calibration is fitted for networks of one input.');
  const options = { twin: 'moments', batch } as const;
  const { wasm, unit } = await compile(graph, options);
  const scaled = Object.values(layers).flatMap((weights, layer) => {
    const doubled = build(runPasses(graph, batch, { ...options, calibration: Object.fromEntries(weights.map((w) => [w, 2])) }), targetOf('simd128'));
    return scaledConstants(graph.name, unit, doubled, layer);
  });
  const { module, manifest } = loadSync(wasm as Uint8Array<ArrayBuffer>);
  const instance = new WebAssembly.Instance(module);
  const memory = (instance.exports.memory as WebAssembly.Memory).buffer;
  const session = new Session(manifest, instance);
  const [name] = graph.inputs;
  const size = session.inputs[name].data.length / manifest.batch;
  // soft labels are several an input
  if (count === 0 || inputs.length === 0 || inputs.length % size !== 0 || count % (inputs.length / size) !== 0) fail('run/shape', name, `expected ${count} inputs of ${size} elements, one a label, found ${inputs.length} elements`, 'Give validation inputs and their labels.');
  return (factors) => {
    for (const { layer, offset, words } of scaled) new Float32Array(memory, offset, words.length).set(words.map((w) => w * factors[layer]));
    const found = session.run({ [name]: inputs });
    return Object.fromEntries(Object.values(found).map((o) => [o.name, { shape: o.shape, data: o.data.slice() }]));
  };
}

/** The constants that doubled. @throws graph/posterior where one changed in another way. */
function scaledConstants(name: string, unit: ProgramUnit, doubled: ProgramUnit, layer: number): Scaled[] {
  const words = ({ program, data }: ProgramUnit, buffer: string): Float32Array => {
    const bytes = data.get(program.buffers[buffer].hash!)!.slice();
    return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  };
  return Object.values(unit.program.buffers).filter((b) => b.hash !== undefined && b.hash !== doubled.program.buffers[b.name]?.hash).map((b): Scaled => {
    const own = words(unit, b.name);
    const other = doubled.program.buffers[b.name]?.hash === undefined ? undefined : words(doubled, b.name);
    if (!other || own.some((w, i) => other[i] !== 2 * w)) fail('graph/posterior', name, `the constant ${b.name} is not proportional to the variances`, 'Fit the calibration before posteriors are quantized.');
    return { layer, offset: b.offset!, words: own };
  });
}
