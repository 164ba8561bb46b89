/**
 * `sigmaflow demo`: compiles a trained quantized network of examples/models, reads handwritten digits with it, and says
 * how well and how fast; then the same for a Bayesian one, which says how sure it is (demoUncertainty.ts). What `npm start` runs.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import { compile } from '../compile.js';
import { readIdx } from '../data/idx.js';
import type { Command, Context } from './command.js';
import { moduleEngine } from './engines.js';
import { readBytes } from './files.js';
import { uncertainPictures } from './demoUncertainty.js';
import { readModel } from './models.js';
import { bar, percent, picture } from './pictures.js';
import { count, duration, table } from './text.js';

const models = [
  { file: 'lenet_w4a4.onnx', what: 'a convolutional network with 4-bit weights and activations' },
  { file: 'mlp_w2a2.onnx', what: 'a multilayer perceptron with 2-bit weights and activations' },
];
const side = 28;
const pixels = side * side;

export const command: Command = {
  name: 'demo',
  usage: '',
  about: `Compiles a trained quantized network from examples/models and reads handwritten digits (MNIST) with it: pictures,
predictions with their probabilities, accuracy on 600 images, time, bytes. Then a Bayesian LeNet-5 from examples/bayesian sees a
digit, an ambiguous one and a piece of clothing, and says how sure it is of each.`,
  positionals: [],
  options: [],
  examples: ['sigmaflow demo'],
  async run(_args, context) {
    const folder = path.join(context.root, 'examples');
    const model = models.find((m) => fs.existsSync(path.join(folder, 'models', m.file)));
    if (!model) fail('file/unreadable', path.join(folder, 'models', models[0].file), 'the example model is not there', 'Clone the repository again: it holds the model.');
    const { name, bytes } = readModel(path.join(folder, 'models', model.file));
    const images = readIdx(readBytes(path.join(folder, 'data', 'mnist600-images.idx3-ubyte.gz')), 'mnist600-images').data;
    const labels = readIdx(readBytes(path.join(folder, 'data', 'mnist600-labels.idx1-ubyte.gz')), 'mnist600-labels').data;

    const start = performance.now();
    const artifact = await compile(bytes, { name });
    const compileTime = performance.now() - start;
    context.print(`${name}: ${model.what},\ncompiled in ${duration(compileTime)} to one WebAssembly module of ${count(artifact.wasm.length)} bytes.\n`);

    const read = reader(artifact.wasm);
    const readings = Array.from(labels, (label, i) => ({ i, label, probabilities: read.probabilities(images.subarray(i * pixels, (i + 1) * pixels)) }));
    const right = readings.filter((r) => best(r.probabilities) === r.label);
    printPanels(choose(readings), images, context);

    const time = read.microseconds(Array.from({ length: 64 }, (_, i) => images.subarray(i * pixels, (i + 1) * pixels)));
    context.print(
      table([
        ['accuracy', `${((100 * right.length) / readings.length).toFixed(2)} % (${right.length} of ${readings.length} images)`],
        ['time', `${time.toFixed(1)} microseconds an image (median; one thread, ${artifact.manifest.target})`],
        ['module', `${count(artifact.wasm.length)} bytes, of these ${count(artifact.manifest.constantBytes)} weights; no imports`],
        ['memory', `${count(artifact.manifest.arenaBytes)} bytes at most, known before it runs`],
      ]),
    );
    context.print('');
    await uncertainPictures({ images, labels }, context);
    return 0;
  },
};

interface Reading {
  readonly i: number;
  readonly label: number;
  readonly probabilities: readonly number[];
}

/** Runs single images through the module: pixels 0..255 become 0..1, logits become probabilities. */
function reader(wasm: Uint8Array): { probabilities(image: ArrayLike<number>): number[]; microseconds(images: readonly ArrayLike<number>[]): number } {
  const { session } = moduleEngine(wasm);
  const [input] = Object.values(session.inputs);
  const [output] = Object.values(session.outputs);
  const put = (image: ArrayLike<number>): void => {
    for (let p = 0; p < pixels; p++) input.data[p] = image[p] / 255;
  };
  return {
    probabilities(image) {
      put(image);
      session.run();
      return softmax(Array.from(output.data as Float32Array));
    },
    microseconds(images) {
      const times: number[] = [];
      for (let round = 0; round < 41; round++) {
        for (const image of images) {
          put(image);
          const start = performance.now();
          session.run();
          times.push(1000 * (performance.now() - start));
        }
      }
      return times.sort((a, b) => a - b)[times.length >> 1];
    },
  };
}

function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

const best = (probabilities: readonly number[]): number => probabilities.indexOf(Math.max(...probabilities));

/** Three digits read rightly, all different, and the one that was misread with the most doubt. */
function choose(readings: readonly Reading[]): Reading[] {
  const shown: Reading[] = [];
  for (const r of readings) if (shown.length < 3 && best(r.probabilities) === r.label && !shown.some((s) => s.label === r.label)) shown.push(r);
  const wrong = readings.filter((r) => best(r.probabilities) !== r.label);
  const doubtful = (wrong.length > 0 ? wrong : readings).reduce((a, b) => (Math.max(...a.probabilities) < Math.max(...b.probabilities) ? a : b));
  return [...shown, doubtful];
}

// ---- Pictures: two to a line of 80 columns ----

function printPanels(readings: readonly Reading[], images: ArrayLike<number>, { print }: Context): void {
  for (let i = 0; i < readings.length; i += 2) {
    const [left, right] = readings.slice(i, i + 2).map((r) => panel(r, images));
    left.forEach((line, row) => print(`${line.padEnd(37)}${right?.[row] ?? ''}`.trimEnd()));
    print('');
  }
}

/** Eleven lines: the picture, and beside it the verdict and a bar for each digit's probability. */
function panel({ i, label, probabilities }: Reading, images: ArrayLike<number>): string[] {
  const guess = best(probabilities);
  const verdict = `${guess}  ${percent(probabilities[guess])}${guess === label ? '' : `, is a ${label}`}`;
  const bars = probabilities.map((p, digit) => `${digit} ${bar(p, 10)}`.trimEnd());
  return picture(images, i).map((line, row) => `${line}  ${row === 0 ? verdict : bars[row - 1]}`);
}
