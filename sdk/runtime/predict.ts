/** From an output to an answer: the class, its label and its probability. */
import type { Manifest } from './manifest.js';
import type { TensorView } from './tensor.js';

export interface Prediction {
  /** The class: where the score is greatest (the first, of equals), or what the model itself answered (ArgMax, TopK). */
  readonly index: number;
  /** The class's name, where the model states names. */
  readonly label?: string;
  /** The output's value for this class; absent where the model answers with the class itself. */
  readonly score?: number;
  /**
   * The score as it is where each row of the output is a distribution already (within 0..1, sum 1 within 0.001), else its
   * softmax. Absent for integer outputs, whose scale is not known.
   */
  readonly probability?: number;
}

/** The output that is read as scores of classes: the first; of a network with random weights its mean probabilities. */
export function scoresOf({ outputs: [first] }: Manifest, outputs: Readonly<Record<string, TensorView>>): TensorView {
  return outputs[first.name === 'mean' && 'probabilities' in outputs ? 'probabilities' : first.name];
}

/** One prediction an inference. `output` is [N, classes], or [N] or [N, 1] of integers: classes. */
export function predictions(manifest: Manifest, output: TensorView): Prediction[] {
  const { data } = output;
  const count = output.shape[0] ?? 1;
  const classes = data.length / count;
  const labels = manifest.labels;
  const isFloat = data instanceof Float32Array;
  return Array.from({ length: count }, (_, n) => {
    const scores = data.subarray(n * classes, (n + 1) * classes);
    if (classes === 1 && !isFloat) return { index: scores[0], label: labels?.[scores[0]] };
    let index = 0;
    for (let i = 1; i < classes; i++) if (scores[i] > scores[index]) index = i;
    return { index, label: labels?.[index], score: scores[index], probability: isFloat ? probabilityOf(scores as Float32Array, index) : undefined };
  });
}

function probabilityOf(scores: Float32Array, index: number): number {
  let sum = 0;
  let exponentials = 0;
  let distribution = true;
  for (const score of scores) {
    sum += score;
    exponentials += Math.exp(score - scores[index]);
    distribution &&= score >= 0 && score <= 1;
  }
  return distribution && Math.abs(sum - 1) < 1e-3 ? scores[index] : 1 / exponentials;
}
