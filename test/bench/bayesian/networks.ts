/** Bayesian networks of the benchmark: built-in architectures up to the logits, with seeded means and deviations. Speed does not ask what they know. */
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { infer } from '../../../codegen/passes/infer.js';
import { peelHead } from '../../../codegen/passes/twins/head.js';
import { poolFirst } from '../../../codegen/passes/twins/poolFirst.js';
import { architectures } from '../../../sdk/model/architectures.js';
import { Random } from '../../support/random.js';

export const bayesianNames = ['mlp', 'lenet5'] as const;
export type BayesianName = (typeof bayesianNames)[number];

/** Weights of about unit square sum over a reduction, with deviations of a fifth to a half of that: variances are of the size of the means' squares. */
export function bayesianGraph(name: BayesianName): Graph {
  const plain = infer(peelHead(infer(architectures[name](), { batch: 1 }))!.graph);
  const random = new Random(19);
  const constants = { ...plain.constants };
  const posteriors: Record<string, { deviation: ReturnType<typeof makeConstant> }> = {};
  for (const [weight, { shape, data }] of Object.entries(plain.constants)) {
    const scale = 1 / Math.sqrt(data.length / shape[0]);
    constants[weight] = makeConstant('float32', shape, Float32Array.from(data, () => random.float(-1.7, 1.7) * scale));
    posteriors[weight] = { deviation: makeConstant('float32', shape, Float32Array.from(data, () => random.float(0.2, 0.5) * scale)) };
  }
  return { ...plain, constants, posteriors };
}

/** As `makeTwin` sees it: pools before ReLU. */
export const pooledFirst = (name: BayesianName): Graph => infer(poolFirst(bayesianGraph(name)), { batch: 1 });

/** Images with a dark ground, as digits have. */
export function bayesianExamples(count: number): number[][] {
  const random = new Random(23);
  return Array.from({ length: count }, () => Array.from({ length: 784 }, () => (random.chance(0.7) ? Math.fround(-0.42) : random.float(-0.42, 2.8))));
}
