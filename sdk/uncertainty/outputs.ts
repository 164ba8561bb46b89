/**
 * From a classifier's outputs to scores of uncertainty, whichever outputs it has. Not here: running it.
 */
import { fail } from '../../codegen/ir/diagnostic.js';
import { deterministicScores, logitUncertainty, meanVariance, scoresOf, softmax, wrongDistribution, type ScoredSet } from '../metrics/index.js';

/** A tensor of N inferences, row-major. */
export interface Output {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * module: the module gives probabilities and entropies. logits: drawn here from the logits' means and variances. none: one output,
 * logits or probabilities, of a model that is not random.
 */
export type ScoreSource = 'module' | 'logits' | 'none';

export interface Scored extends Pick<ScoredSet, 'probabilities' | 'scores'> {
  readonly classes: number;
  readonly source: ScoreSource;
}

export interface ScoreOptions {
  /** Samples of logits where they are drawn here, default 100, and their seed, default 1. */
  readonly samples?: number;
  readonly seed?: number;
}

const entropies = ['probabilities', 'predictiveEntropy', 'softmaxEntropy', 'mutualInformation'] as const;

/** Where a model of these outputs gets its scores from. @throws run/shape where it is no classifier. */
export function sourceOf(model: string, outputs: readonly { readonly name: string; readonly shape: readonly number[] }[]): ScoreSource {
  const names = outputs.map((o) => o.name);
  const rows = (name: string): boolean => isRows(outputs.find((o) => o.name === name)!.shape);
  if (entropies.every((name) => names.includes(name)) && rows('probabilities')) return 'module';
  if (names.includes('mean') && names.includes('variance') && rows('mean')) return 'logits';
  if (outputs.length === 1 && rows(names[0])) return 'none';
  const found = outputs.map((o) => `${o.name} [${o.shape.join(', ')}]`).join(', ');
  return fail('run/shape', model, `expected a classifier, whose output is [N, classes]; found ${found}`, 'Uncertainty is studied of classifiers with one output of logits or probabilities.');
}

/** [N, classes], perhaps with ones behind. */
const isRows = (shape: readonly number[]): boolean => shape.length >= 2 && shape[1] >= 2 && shape.slice(2).every((d) => d === 1);

/** The scores of all inputs of a set. */
export function scoreOutputs(model: string, outputs: Readonly<Record<string, Output>>, { samples = 100, seed = 1 }: ScoreOptions = {}): Scored {
  const source = sourceOf(model, Object.entries(outputs).map(([name, { shape }]) => ({ name, shape })));
  for (const [name, { data }] of Object.entries(outputs)) {
    const bad = Array.prototype.findIndex.call(data, (x: number) => !Number.isFinite(x));
    if (bad >= 0) fail('run/status', model, `its output ${name} is ${data[bad]} at element ${bad}`, 'Look at the inputs and the weights: a number is not finite.');
  }
  if (source === 'none') {
    const [{ data, shape }] = Object.values(outputs);
    return { classes: shape[1], source, ...deterministicScores(wrongDistribution(data, shape[1]) ? softmax(data, shape[1]) : data, shape[1]) };
  }
  const { variance } = outputs;
  const classes = outputs[source === 'module' ? 'probabilities' : 'mean'].shape[1];
  const ofLogits = variance && meanVariance(variance.data, classes);
  if (source === 'logits') return { classes, source, ...scoresOf(logitUncertainty(outputs.mean.data, variance.data, { classes, count: samples, seed }), ofLogits) };
  const [probabilities, predictiveEntropy, softmaxEntropy, mutualInformation] = entropies.map((name) => Float64Array.from(outputs[name].data));
  return { classes, source, ...scoresOf({ probabilities, predictiveEntropy, softmaxEntropy, mutualInformation }, ofLogits) };
}
