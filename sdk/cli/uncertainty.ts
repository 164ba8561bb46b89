/** `sigmaflow uncertainty`: what a classifier knows of its own doubt, on data of its domain and on data that is not. */
import path from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import { batchFor, rebatches } from '../calibrate.js';
import { statedPreprocessing } from '../compile.js';
import { uncertaintyStudy, type ScoredSet, type SetRole } from '../metrics/index.js';
import { loadSync, readManifest, type Session, type TensorData } from '../runtime/index.js';
import { fitTemperature } from '../uncertainty/calibration.js';
import { scoreOutputs, sourceOf, type Output } from '../uncertainty/outputs.js';
import { describeNormalization } from '../uncertainty/preprocessing.js';
import { uncertaintyReport, type StudyFacts } from '../uncertainty/report.js';
import { usage, type Arguments, type Command } from './command.js';
import { imageInput, nameSets, normalizationFor, normalizeOption, readSet, sharedInputs, splitSet, type DataSet, type SetFiles } from './datasets.js';
import { build, importModel, plan } from './engines.js';
import { checkFile, writeAll, type Output as File } from './files.js';
import { factorsText, fitModel, fitOf, fitOption, fittedText, type Fitted } from './fitting.js';
import { builtIn, isModule, modelFile, posteriorOptions, readModelBytes, type ModelFile } from './models.js';
import { progressLine } from './progress.js';
import { studyText } from './studyText.js';
import { count } from './text.js';

const outputs = ['report', 'json'] as const;

/** Samples are not looked at one by one here. */
const modelOptions = posteriorOptions.filter((o) => o.name !== 'max-samples');

/** Samples at most, of weights or logits. */
const mostSamples = 65536;

export const command: Command = {
  name: 'uncertainty',
  usage: 'MODEL --in-domain IMAGES,LABELS --out-of-domain IMAGES [options]',
  about: `What a classifier knows of its own doubt: accuracy, likelihood and calibration on data of its domain, how well each score of
uncertainty tells other data from it, and from where on it should defer. MODEL is what "run" takes. Every set goes through the
model's own preprocessing. Sets are [NAME=]IMAGES[,LABELS]: .npy, .npz or IDX, also gzipped. Labels are
classes [N], classes of several annotators [N, K], or probabilities [N, classes].`,
  positionals: ['MODEL'],
  options: [
    { name: 'in-domain', value: 'SET', doc: 'what the model is for; labels make accuracy, calibration and deferral known' },
    { name: 'out-of-domain', value: 'SET', doc: 'what it should know that it does not know', repeated: true },
    { name: 'ambiguous', value: 'SET', doc: 'of its domain, and doubtful by itself', repeated: true },
    normalizeOption,
    ...modelOptions,
    { name: 'samples', value: 'S', doc: 'of the weights, or of the logits where a pass gives their moments (default 100)' },
    { name: 'seed', value: 'N', doc: 'of the samples (default 1)' },
    { name: 'limit', value: 'N', doc: 'only the first N inputs of each set' },
    { name: 'validation', value: 'SET', doc: 'labelled inputs that are in no other set, to choose the threshold to defer at on, and to fit on' },
    fitOption,
    { name: 'risk', value: 'X', doc: 'the part of answers that may be wrong, for the threshold to defer at (default half of what is)' },
    { name: 'report', value: 'FILE.html', doc: 'draw it: one page that needs nothing else' },
    { name: 'json', value: 'FILE', doc: 'write it as JSON' },
  ],
  examples: [
    'sigmaflow uncertainty mlp --posterior mlp.safetensors --in-domain digits.npz --out-of-domain clothing=fashion.npz --report study.html',
    'sigmaflow uncertainty out/lenet.wasm --in-domain t10k-images-idx3-ubyte.gz,t10k-labels-idx1-ubyte.gz --out-of-domain clothing.npy --json study.json',
  ],
  async run(args, context) {
    const [file] = args.positionals;
    const samples = args.integer('samples', 1, mostSamples) ?? 100;
    const seed = args.integer('seed', 0, 2 ** 32 - 1) ?? 1;
    const limit = args.integer('limit', 1, 2 ** 31 - 1);
    const risk = args.number('risk', 0, 1);
    const places = placesOf(args);
    const given = setsOf(args);
    const held = validationOf(args, given.map((g) => g.files));
    const { model, module } = openModel(file, args);
    const fitBy = fitOf(args, model);

    // Sets are read before anything is compiled: what is wrong with them is soon told.
    const batch = model && batchOf(model, limit);
    const manifest = model ? plan(model, { target: 'simd128', batch }).manifest : readManifest(module! as Uint8Array<ArrayBuffer>);
    const input = imageInput(manifest, 'Uncertainty is studied of classifiers of one input.');
    const source = sourceOf(manifest.name, manifest.outputs.filter((o) => o.name !== 'draws'));
    const classes = manifest.outputs.find((o) => o.name === { module: 'probabilities', logits: 'mean', none: o.name }[source])!.shape[1];
    const normalization = normalizationFor(args, manifest, model && statedPreprocessing(model.posterior));
    const names = nameSets(given.map((g) => g.files));
    const sets = given.map(({ files, role }, i) => ({ role, data: readSet(names[i], files, { input, classes, normalization, limit }) }));

    const heldOut = held && readSet('validation', held, { input, classes, normalization, limit });
    if (heldOut) for (const { data } of sets) checkApart(heldOut, data);

    const progress = progressLine();
    try {
      const fitted = fitBy && (await fitModel(model!, fitBy, heldOut!, batch, { samples, seed }, (tries) => progress.show(`fitting, ${count(tries)} tries`)));
      const calibrated = fitted ? fitted.model : model;
      if (calibrated) progress.show(`compiling ${calibrated.name}`);
      const wasm = calibrated ? (await build(calibrated, { target: 'simd128', batch })).wasm : module!;
      const session = loadSync(wasm as Uint8Array<ArrayBuffer>).session();
      const run = (data: DataSet): Record<string, Output> => runSet(session, input.name, data, { samples, seed }, (done) => progress.show(`${data.name}: ${count(done)} of ${count(data.count)} inputs`));
      const score = (role: SetRole, data: DataSet, outputs = run(data)): ScoredSet => {
        const { probabilities, scores } = scoreOutputs(manifest.name, outputs, { samples, seed });
        return { name: data.name, role, probabilities, scores, labels: data.labels };
      };
      const heldOutputs = heldOut && run(heldOut);
      const study = uncertaintyStudy(sets.map(({ role, data }) => score(role, data)), classes, { risk, ...(heldOut ? { validation: score('in-domain', heldOut, heldOutputs) } : {}) });
      const fit = fitted && fittedOn(fitted.fit, heldOut!, heldOutputs!, classes, { samples, seed });
      const facts: StudyFacts = {
        model: manifest.name, source, samples, seed, preprocessing: normalization && describeNormalization(normalization), compiler: manifest.compiler, programHash: manifest.programHash,
        sampledWeights: manifest.inputs.some((i) => i.control?.meaning === 'samples'), calibration: fit ? `${factorsText(fit.calibration)} (fitted)` : args.text('calibration'), date: new Date().toISOString(),
        sets: sets.map(({ data }) => ({ name: data.name, file: path.basename(data.file) })),
      };
      progress.end();
      const texts: Record<(typeof outputs)[number], () => string> = {
        report: () => uncertaintyReport(study, facts, (set, index) => pictureOf(sets.find(({ data }) => data.name === set)!.data, index)),
        json: () => `${JSON.stringify({ ...facts, ...(fit ? { fit } : {}), ...study }, null, 2)}\n`,
      };
      writeAll(places.map(({ name, file }): File => ({ file, bytes: texts[name]() })), places.map(({ name }) => `--${name}`).join(' or '));
      if (fit) context.print(`${fittedText(fit)}\n`);
      context.print(studyText(study, facts));
      for (const { file } of places) context.print(`${file} written`);
      return 0;
    } finally {
      progress.end();
    }
  },
};

/** Where results go; what can be refused is refused before anything runs. */
function placesOf(args: Arguments): { name: (typeof outputs)[number]; file: string }[] {
  const places = outputs.filter((name) => args.flag(name)).map((name) => ({ name, file: args.text(name)! }));
  for (const { name, file } of places) {
    if (file === '') usage(command, `--${name}`, 'expected a file, found an empty name');
    checkFile(file, `--${name}`);
  }
  if (places.length === 2 && path.resolve(places[0].file) === path.resolve(places[1].file)) usage(command, '--json', `${places[1].file} is to hold the report already`, 'Name another file.');
  return places;
}

function setsOf(args: Arguments): { role: SetRole; files: SetFiles }[] {
  if (!args.flag('in-domain')) usage(command, '--in-domain', '"uncertainty" needs --in-domain IMAGES,LABELS');
  const sets = (['in-domain', 'ambiguous', 'out-of-domain'] as const).flatMap((role) => args.texts(role).map((text) => ({ role, files: splitSet(`--${role}`, text) })));
  const labelled = sets.find(({ role, files }) => role === 'out-of-domain' && files.labels !== undefined);
  if (labelled) usage(command, '--out-of-domain', `${labelled.files.labels}: what is not of the model's domain has none of its labels`, 'Leave the labels away.');
  return sets;
}

/** Data to choose on, which must be no data to judge by. */
function validationOf(args: Arguments, others: readonly SetFiles[]): SetFiles | undefined {
  const text = args.text('validation');
  if (text === undefined) return undefined;
  const files = splitSet('--validation', text);
  const same = others.find((o) => path.resolve(o.images) === path.resolve(files.images));
  if (same && !files.images.endsWith('.npz')) usage(command, '--validation', `${files.images} is also given for ${same.option}`, 'Choose on data that judge nothing: neither the set in domain nor others.');
  return files;
}

/** Refuses validation data of which more than one in a hundred are in a set that is judged. */
function checkApart(validation: DataSet, set: DataSet): void {
  if (!validation.labels) usage(command, '--validation', `${validation.file} has no labels`, 'Give IMAGES,LABELS.');
  const both = sharedInputs(validation, set);
  if (both > 0.01 * validation.count) usage(command, '--validation', `${count(both)} of its ${count(validation.count)} inputs are also in ${set.name}`, 'Choose on data that judge nothing: neither the set in domain nor others.');
}

/** The fit, and beside it the temperature of the logits that came of it, where their moments are known. */
function fittedOn(calibration: Fitted['calibration'], { labels, count: inputs }: DataSet, { mean, variance }: Record<string, Output>, classes: number, options: { samples: number; seed: number }): Fitted {
  return { calibration, inputs, ...(mean && variance ? { temperature: fitTemperature(mean.data, variance.data, labels!, classes, options) } : {}) };
}

function openModel(file: string, args: Arguments): { model?: ModelFile; module?: Uint8Array } {
  const { bytes, architecture } = readModelBytes(file);
  if (!isModule(bytes)) {
    const model = architecture ? builtIn(file, architecture, args) : modelFile(file, bytes, args);
    return { model: { ...model, twin: { ...model.twin, maxSamples: 0 } } };
  }
  for (const { name } of modelOptions) if (args.flag(name)) usage(command, `--${name}`, 'a module runs as it was compiled', `Leave --${name} away, or give the .onnx file.`);
  return { module: bytes };
}

/** Inferences in one call: many, where the model allows it. */
function batchOf(model: ModelFile, limit = 10_000): number | undefined {
  const graph = importModel(model);
  return rebatches(graph) ? batchFor(graph, { count: limit, rebatches: true }) : undefined;
}

/** Inferences between two words of progress. */
const chunk = 2500;

/** Every output of a set, [N, ...]. */
function runSet(session: Session, input: string, { inputs, count, name }: DataSet, { samples, seed }: { samples: number; seed: number }, onProgress: (done: number) => void): Record<string, Output> {
  const size = inputs.length / count;
  const { manifest } = session;
  const controls = (first: number): Record<string, TensorData> => Object.fromEntries(manifest.inputs.flatMap(({ name, control }) => (control ? [[name, { samples: Int32Array.of(samples), seed: Uint32Array.of(seed, 0), batchOffset: Int32Array.of(first) }[control.meaning]]] : [])));
  const results = Object.fromEntries(manifest.outputs.filter((o) => o.batched && o.name !== 'draws').map((o) => [o.name, { shape: [count, ...o.shape.slice(1)], data: new Float32Array((o.shape.reduce((a, b) => a * b, 1) / manifest.batch) * count) }]));
  const step = Math.ceil(chunk / manifest.batch) * manifest.batch;
  for (let first = 0; first < count; first += step) {
    const found = session.run({ ...controls(first), [input]: inputs.subarray(first * size, Math.min(count, first + step) * size) });
    for (const [output, { data }] of Object.entries(results)) data.set(found[output].data, first * (data.length / count));
    if (count > chunk) onProgress(Math.min(count, first + step));
  }
  if (Object.keys(results).length === 0) fail('run/shape', name, 'the model has no output for each inference', 'Uncertainty is studied of classifiers.');
  return results;
}

/** An image as bytes, [height, width, channels]; undefined where inputs are not images. */
function pictureOf({ raw, bytes, shape }: DataSet, index: number): { width: number; height: number; channels: 1 | 3; pixels: Uint8Array } | undefined {
  const dims = shape.length === 2 ? [1, ...shape] : shape;
  if (dims.length !== 3 || (dims[0] !== 1 && dims[0] !== 3)) return undefined;
  const [channels, height, width] = dims;
  const size = channels * height * width;
  const item = Float64Array.from({ length: size }, (_, i) => raw[index * size + i]);
  const inUnit = !bytes && item.every((x) => x >= 0 && x <= 1);
  const [least, greatest] = bytes ? [0, 255] : inUnit ? [0, 1] : [item.reduce((a, b) => Math.min(a, b)), item.reduce((a, b) => Math.max(a, b))];
  const plane = height * width;
  const pixels = new Uint8Array(size);
  for (let p = 0; p < plane; p++) for (let c = 0; c < channels; c++) pixels[p * channels + c] = Math.round((255 * (item[c * plane + p] - least)) / (greatest - least || 1));
  return { width, height, channels: channels as 1 | 3, pixels };
}
