/**
 * The second half of `sigmaflow demo`: a Bayesian LeNet-5 of examples/bayesian sees a digit, a digit between two classes and a piece
 * of clothing, in one pass of means and variances each, and says how sure it is.
 */
import path from 'node:path';
import { architectures } from '../model/architectures.js';
import { compile } from '../compile.js';
import { readIdx } from '../data/idx.js';
import { auroc } from '../metrics/index.js';
import type { Context } from './command.js';
import { moduleEngine } from './engines.js';
import { readBytes } from './files.js';
import { bar, percent, picture } from './pictures.js';
import { count, duration, table } from './text.js';

const pixels = 28 * 28;
/** As the network was trained. */
const [center, spread] = [0.1307, 0.3081];
/** Share of clear digits that may be called doubtful. */
const falseAlarms = 0.05;
const classes = ['T-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];

/** What the network says of one image; entropies in nats. */
interface Reading {
  readonly probabilities: readonly number[];
  /** Softmax entropy: more than one answer fits. */
  readonly aleatoric: number;
  /** Mutual information: the weights do not agree. */
  readonly epistemic: number;
}

interface Images {
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

export async function uncertainPictures(digits: Images, context: Context): Promise<void> {
  const file = (...parts: string[]): string => path.join(context.root, 'examples', ...parts);
  const idx = (name: string): ArrayLike<number> => readIdx(readBytes(file('data', name)), name).data;
  const ambiguous: Images = { images: idx('ambiguous1000-images.idx3-ubyte.gz'), labels: idx('ambiguous1000-labels.idx2-ubyte.gz') };
  const clothing: Images = { images: idx('fashion600-images.idx3-ubyte.gz'), labels: idx('fashion600-labels.idx1-ubyte.gz') };

  const start = performance.now();
  const artifact = await compile(architectures.lenet5(), { name: 'lenet5', posterior: readBytes(file('bayesian', 'lenet5.safetensors')) });
  context.print(`lenet5: a Bayesian network, every weight a normal distribution. Means and
variances go through it in one pass.
Compiled in ${duration(performance.now() - start)} to one WebAssembly module of ${count(artifact.wasm.length)} bytes.
`);

  const { session } = moduleEngine(artifact.wasm);
  const input = Object.values(session.inputs)[0].data;
  const times: number[] = [];
  const read = ({ images }: Images, i: number): Reading => {
    for (let p = 0; p < pixels; p++) input[p] = (images[i * pixels + p] / 255 - center) / spread;
    const before = performance.now();
    session.run();
    times.push(1000 * (performance.now() - before));
    const { probabilities, softmaxEntropy, mutualInformation } = session.outputs;
    return { probabilities: Array.from(probabilities.data, Number), aleatoric: Number(softmaxEntropy.data[0]), epistemic: Number(mutualInformation.data[0]) };
  };
  const all = (set: Images): Reading[] => Array.from({ length: set.images.length / pixels }, (_, i) => read(set, i));
  const [clear, unclear, foreign] = [digits, ambiguous, clothing].map(all);
  const aleatoric = (r: Reading): number => r.aleatoric;
  const epistemic = (r: Reading): number => r.epistemic;
  const limits = { aleatoric: quantile(clear.map(aleatoric), 1 - falseAlarms), epistemic: quantile(clear.map(epistemic), 1 - falseAlarms) };

  const between = firstBetween(ambiguous.labels);
  const drawn = [...new Set(Array.from({ length: 10 }, (_, k) => ambiguous.labels[10 * between + k]))].sort().join(' or ');
  const shown: [Images, number, Reading, string][] = [
    [digits, 0, clear[0], `a digit, ${digits.labels[0]}`],
    [ambiguous, between, unclear[between], `an ambiguous digit, ${drawn}`],
    [clothing, 0, foreign[0], `clothing, ${/^[aeiou]/.test(classes[clothing.labels[0]]) ? 'an' : 'a'} ${classes[clothing.labels[0]]}`],
  ];
  for (const [{ images }, i, reading, what] of shown) {
    const beside = verdict(reading, what, limits);
    picture(images, i, 2).forEach((line, row) => context.print(`${line}   ${beside[row] ?? ''}`.trimEnd()));
    context.print('');
  }

  const right = clear.filter((r, i) => best(r.probabilities) === digits.labels[i]).length;
  context.print(
    table([
      ['accuracy', `${((100 * right) / clear.length).toFixed(2)} % (${right} of ${clear.length} digits)`],
      ['clothing', `told from digits by its epistemic uncertainty: AUROC ${auroc(clear.map(epistemic), foreign.map(epistemic)).toFixed(3)}`],
      ['ambiguous', `told from clear digits by its aleatoric uncertainty: AUROC ${auroc(clear.map(aleatoric), unclear.map(aleatoric)).toFixed(3)}`],
      ['time', `${times.sort((a, b) => a - b)[times.length >> 1].toFixed(1)} microseconds an image (median), its uncertainty included`],
    ]),
  );
}

/** Lines beside a picture: what it is, what is read, how sure. */
function verdict({ probabilities, aleatoric, epistemic }: Reading, what: string, limits: { aleatoric: number; epistemic: number }): string[] {
  const order = probabilities.map((_, digit) => digit).sort((a, b) => probabilities[b] - probabilities[a]);
  const sentence =
    epistemic > limits.epistemic ? 'may be unlike what it was trained on' :
    aleatoric > limits.aleatoric ? 'more than one answer fits' :
    'sure';
  const nats = (value: number, limit: number): string => `${value.toFixed(3)} nats${value > limit ? ` (19 of 20 digits: below ${limit.toFixed(3)})` : ''}`;
  return [
    what,
    '',
    ...order.slice(0, 3).map((digit) => `${digit}  ${percent(probabilities[digit]).padStart(8)}  ${bar(probabilities[digit], 16)}`),
    '',
    `aleatoric  ${nats(aleatoric, limits.aleatoric)}`,
    `epistemic  ${nats(epistemic, limits.epistemic)}`,
    `-> ${sentence}`,
  ];
}

/** The first image whose ten labels name just two digits, each at least four times. */
function firstBetween(labels: ArrayLike<number>): number {
  for (let i = 0; 10 * i < labels.length; i++) {
    const counts = new Map<number, number>();
    for (let k = 0; k < 10; k++) counts.set(labels[10 * i + k], (counts.get(labels[10 * i + k]) ?? 0) + 1);
    if (counts.size === 2 && [...counts.values()].every((n) => n >= 4)) return i;
  }
  return 0;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const best = (probabilities: readonly number[]): number => probabilities.indexOf(Math.max(...probabilities));
