/**
 * Bayesian networks: our probabilistic forward pass beside the same as an ONNX graph in onnxruntime-web, beside our deterministic
 * network, and beside sampling in all its forms. Measures and returns plain data; what it means is in report.ts.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Graph } from '../../../codegen/ir/graph.js';
import { evaluate } from '../../../codegen/passes/evaluate.js';
import { makeTwin, type TwinName } from '../../../codegen/passes/twins/twin.js';
import { compiled, scratch } from '../compiled.js';
import type { Load } from '../engines/engine.js';
import type { Host } from '../process.js';
import { singleRace, type Contestant, type Setting } from '../race.js';
import type { Sample } from '../statistics.js';
import { bayesianExamples, bayesianGraph, pooledFirst, type BayesianName } from './networks.js';
import { pfpOnnx } from './pfp.js';
import { drawWeights, meanLogits, sampledOnnx, writeTorchFiles } from './sampled.js';

export const ours = 'sigmaflow moments';
export const deterministic = 'sigmaflow deterministic';
export const web = 'onnxruntime-web moments';

/** Numbers of samples that the forward pass is compared with. */
export const sampleCounts = [30, 100] as const;

/** Forms of sampling, without their S. */
export const forms = {
  fresh: 'torch, fresh samples', sets: 'torch, S sets of weights', graph: 'torch, S sets in one graph', local: 'torch, local reparameterization',
  web: 'onnxruntime-web, S sets in one graph', own: 'sigmaflow, sampled twin', ownLocal: 'sigmaflow, local reparameterization',
} as const;

export interface Bayesian {
  readonly network: string;
  readonly batch: number;
  /** Microseconds per inference by label; of sampling by `FORM S`. */
  readonly times: Readonly<Record<string, Sample>>;
  readonly missing: Readonly<Record<string, string>>;
}

/** Outputs differ by rounding and by Erf and Exp of the engines; means of few fresh samples by chance. */
const limits = { moments: 1e-3, sets: 1e-3, chance: 1 };

const folder = path.join(scratch, 'bayesian');

/** One network and batch, all engines in one race. `torch`: its host, or why there is none. */
export async function measureBayesian(name: BayesianName, batch: number, host: Host, torch: Host | string, withPeers: boolean, setting: Setting): Promise<Bayesian> {
  mkdirSync(folder, { recursive: true });
  const graph = bayesianGraph(name);
  const examples = bayesianExamples(1);
  const load = (engine: Load['engine'], file: string, more: Partial<Load> = {}): Omit<Load, 'kind'> => ({ engine, file, batch, shape: [1, 28, 28], examples, ...more });
  const contestants: Contestant[] = [];

  const wanted = [momentsOf(graph, examples[0])];
  const both = ['mean', 'variance'];
  contestants.push({ label: ours, load: load('sigmaflow', await moduleOf(name, graph, 'moments', batch), { outputs: both }), golden: wanted, limit: limits.moments });
  contestants.push({ label: deterministic, load: load('sigmaflow', await moduleOf(name, graph, 'mean', batch)), golden: [meanOf(graph, examples[0])], limit: limits.moments });
  if (withPeers) contestants.push({ label: web, load: load('onnxruntime-web', write(`${name}.moments.b${batch}.onnx`, pfpOnnx(pooledFirst(name), batch)), { outputs: both }), golden: wanted, limit: limits.moments });

  for (const samples of sampleCounts) {
    const draws = drawWeights(graph, samples);
    const golden = [meanLogits(graph, draws, samples, examples[0])];
    if (withPeers) contestants.push({ label: `${forms.web} ${samples}`, load: load('onnxruntime-web', write(`${name}.s${samples}.b${batch}.onnx`, sampledOnnx(graph, draws, samples, batch))), golden, limit: limits.sets });
    if (withPeers && typeof torch !== 'string') {
      const file = path.join(folder, `${name}.s${samples}`);
      writeTorchFiles(file, graph, draws, samples);
      const isDense = graph.nodes.every((n) => n.op !== 'Conv');
      for (const variant of ['fresh', 'sets', 'graph', ...(isDense ? ['local' as const] : [])] as const) {
        const byChance = variant === 'fresh' || variant === 'local';
        contestants.push({ label: `${forms[variant]} ${samples}`, host: torch, load: load('torch', file, { variant }), golden, limit: byChance ? limits.chance : limits.sets });
      }
    }
    const given = { samples: [samples], seed: [1, 2] };
    for (const [form, module] of [[forms.own, await moduleOf(name, graph, 'sample', batch)], [forms.ownLocal, await moduleOf(name, graph, 'sample', batch, true)]]) {
      contestants.push({ label: `${form} ${samples}`, load: load('sigmaflow', module, { outputs: ['mean'], given, ...(form === forms.ownLocal ? { drawsByRow: true as const } : {}) }), golden, limit: limits.chance });
    }
  }
  const result = await singleRace(contestants, [], host, setting);
  for (const [label, why] of Object.entries(result.missing)) setting.say(`  ${name} batch ${batch}: no ${label}: ${why}`);
  return { network: name, batch, times: result.times, missing: result.missing };
}

async function moduleOf(name: string, graph: Graph, twin: TwinName, batch: number, localReparameterization?: true): Promise<string> {
  return (await compiled(`bayesian.${name}.${localReparameterization ? 'local' : twin}`, graph, { target: 'simd128', twin, localReparameterization }, batch)).file;
}

function write(name: string, bytes: Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

/** Mean and variance of an example's logits, in float64 and by quadrature. */
function momentsOf(graph: Graph, example: readonly number[]): number[] {
  const twin = makeTwin(graph).graph;
  const found = evaluate(twin, { [graph.inputs[0]]: { shape: [1, 1, 28, 28], data: Float64Array.from(example) } });
  return [...found.mean.data, ...found.variance.data];
}

function meanOf(graph: Graph, example: readonly number[]): number[] {
  const { posteriors: _, ...plain } = graph;
  return [...evaluate(plain, { [graph.inputs[0]]: { shape: [1, 1, 28, 28], data: Float64Array.from(example) } })[graph.outputs[0]].data];
}
