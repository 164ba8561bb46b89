/** `sigmaflow uncertainty`: its figures against those of the same outputs taken by hand, its files, and what it refuses. */
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { readNpz, writeNpy, writeNpz } from '../../sdk/data/npy.js';
import { uncertaintyStudy, type Study } from '../../sdk/metrics/index.js';
import { dense, flatten, relu, softmax } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import type { Fitted } from '../../sdk/cli/fitting.js';
import { readManifest } from '../../sdk/runtime/index.js';
import { scoreOutputs, type Output } from '../../sdk/uncertainty/outputs.js';
import { Random } from '../support/random.js';
import { pair, safetensors } from '../support/safetensors.js';
import { command, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;
const random = new Random(77);
const [classes, side, count] = [3, 2, 40];
const weights = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.float(-2, 2));

const model = save('net.onnx', exportQonnx(network({ name: 'net', input: [1, side, side], layers: [flatten(), dense(6, { name: 'fc1' }), relu(), dense(classes, { name: 'fc2' }), softmax()] })));
const tensors = { ...pair('fc1.weight', [6, 4], weights(24), 0.4), ...pair('fc1.bias', [6], weights(6), 0.1), ...pair('fc2.weight', [classes, 6], weights(18), 0.3), ...pair('fc2.bias', [classes], weights(3), 0) };
const posterior = save('net.safetensors', safetensors(tensors, { preprocessing: '(x / 255 - 0.5) / 0.25' }));
const plain = save('plain.safetensors', safetensors(tensors));

const bytes = (n: number): Uint8Array => Uint8Array.from({ length: n * 4 }, () => random.integer(0, 255));
const idx = (shape: readonly number[], data: Uint8Array): Uint8Array => Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap((d) => [0, 0, d >> 8, d & 255]), ...data]);
const [clean, other, between] = [bytes(count), bytes(30), bytes(10)];
const labels = Uint8Array.from({ length: count }, () => random.integer(0, classes - 1));
const images = save('images.gz', gzipSync(idx([count, side, side], clean)));
const labelFile = save('labels', idx([count], labels));
const archive = save('set.npz', writeNpz({ images: { shape: [count, 1, side, side], data: clean }, labels: { shape: [count], data: labels } }));
const strangers = save('strangers.npy', writeNpy({ shape: [30, side, side], data: Float64Array.from(other, (b) => b / 255) }));
const doubtful = save('doubtful.npy', writeNpy({ shape: [10, 4], data: between }));
const given = ['--posterior', posterior, '--in-domain', `digits=${images},${labelFile}`, '--out-of-domain', `clothing=${strangers}`];

const json = async (...argv: string[]): Promise<Study & Record<string, unknown>> => {
  const { err, status } = await command('uncertainty', model, ...argv, '--json', at('study.json'));
  assert.is(status, 0, err);
  return JSON.parse(fs.readFileSync(at('study.json'), 'utf8'));
};
/** Equal but for rounding. */
const same = (a: unknown, b: unknown): void => {
  const round = (x: unknown): string => JSON.stringify(x, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(9)) : v));
  assert.is(round(a), round(b));
};

test('the study is that of the outputs of run, with the model\'s own preprocessing for every set', async () => {
  const found = await json(...given, '--ambiguous', `between=${doubtful}`, '--samples', '30', '--seed', '5');
  const ready = (data: Uint8Array): Float32Array => Float32Array.from(data, (b) => (b / 255 - 0.5) / 0.25);
  const sets = [];
  for (const [name, role, data] of [['digits', 'in-domain', clean], ['between', 'ambiguous', between], ['clothing', 'out-of-domain', other]] as const) {
    const input = save('x.npy', writeNpy({ shape: [data.length / 4, 1, side, side], data: ready(data) }));
    assert.is((await command('run', model, '--posterior', posterior, '--input', input, '--output', at('y.npz'))).err, '');
    const outputs = readNpz(new Uint8Array(fs.readFileSync(at('y.npz')))) as unknown as Record<string, Output>;
    sets.push({ name, role, ...(name === 'digits' ? { labels } : {}), ...scoreOutputs('net', outputs, { samples: 30, seed: 5 }) });
  }
  const wanted = uncertaintyStudy(sets, classes);
  for (const key of ['sets', 'riskCoverage', 'deferral', 'histograms', 'galleries'] as const) same(found[key], wanted[key]);
  assert.is(found.preprocessing, '(x / 255 - 0.5) / 0.25');
  assert.equal(found.sets.map((s) => [s.name, s.inputs]), [['digits', 40], ['between', 10], ['clothing', 30]]);
});

test('tables in the terminal, a page, names of files, a module, an archive: the same figures', async () => {
  const { out, err, status } = await command('uncertainty', model, ...given, '--report', at('study.html'));
  assert.is(status, 0, err);
  assert.match(out, /^net: .*; inputs \(x \/ 255 - 0\.5\) \/ 0\.25; 3 classes\n/);
  assert.match(out, /\n {2}digits \(in domain\) +40 +\d+\.\d\d % /);
  assert.match(out, /\n {2}clothing from digits +epistemic +0\.\d{4} /);
  assert.match(out, 'study.html written');
  const page = fs.readFileSync(at('study.html'), 'utf8');
  assert.match(page, /<img src="data:image\/png;base64,/);
  assert.is((await command('compile', model, '--posterior', posterior, '-o', at('out'), '--batch', '16')).status, 0);
  const figures = (text: string): string => text.split('\n').slice(2, 10).join('\n');
  const module = await command('uncertainty', at('out/net.wasm'), '--in-domain', `digits=${archive}`, '--out-of-domain', `clothing=${strangers}`);
  assert.is(figures(module.out), figures(out), module.err);
  const unnamed = await command('uncertainty', model, '--posterior', plain, '--normalize', '0.5,0.25', '--in-domain', archive, '--out-of-domain', strangers, '--limit', '20');
  assert.match(unnamed.out, /\n {2}set \(in domain\) +20 /, unnamed.err);
  assert.match(unnamed.out, 'strangers from set');
});

test('labels of several annotators, or probabilities: the same study; what is neither is refused', async () => {
  const votes = Uint8Array.from({ length: count * 4 }, (_, i) => (i % 4 === 0 ? labels[i / 4] : random.integer(0, classes - 1)));
  const shares = Float32Array.from({ length: count * classes }, (_, i) => votes.subarray(4 * Math.floor(i / classes)).subarray(0, 4).filter((v) => v === i % classes).length / 4);
  const study = async (file: string): Promise<Study['sets'][number]> => (await json('--posterior', posterior, '--in-domain', `${images},${file}`)).sets[0];
  const [byVotes, byShares] = [await study(save('votes.gz', gzipSync(idx([count, 4], votes)))), await study(save('shares.npy', writeNpy({ shape: [count, classes], data: shares })))];
  same(byVotes, byShares);
  const entropy = shares.reduce((sum, q) => sum - (q > 0 ? q * Math.log(q) : 0), 0) / count;
  assert.ok(Math.abs(byShares.labelEntropy! - entropy) < 1e-9 && byShares.negativeLogLikelihood! > entropy);
  const text = (await command('uncertainty', model, '--posterior', posterior, '--in-domain', `digits=${images},${at('votes.gz')}`)).out;
  assert.match(text, /On digits, whose labels are shares, it names the largest in \d+\.\d\d %; the labels give its answers/);
  const refusal = async (shape: readonly number[], data: Float32Array | Uint8Array): Promise<string> =>
    (await command('uncertainty', model, '--posterior', posterior, '--in-domain', `${images},${save('bad.npy', writeNpy({ shape, data }))}`)).err.replace(/.*bad\.npy: /, '').split('\n')[0];
  assert.is(await refusal([count, classes], shares.map((q, i) => (i >= 6 && i < 9 ? q / 2 : q))), 'row 2 sums to 0.5, and the probabilities of classes sum to 1');
  assert.is(await refusal([count, classes], shares.map((q, i) => (i === 4 ? NaN : q))), 'row 1 has NaN for class 1, and a probability is 0 to 1');
  assert.is(await refusal([count, 2], shares.subarray(0, 2 * count)), 'expected a probability for each of the 3 classes, found [40, 2] floats');
  assert.is(await refusal([20, 6], shares), 'expected labels of 40 images, [N], [N, annotators] or [N, 3], found [20, 6]');
  assert.is(await refusal([count, classes], Uint8Array.from({ length: count * classes }, (_, i) => Number(i % classes === labels[Math.floor(i / classes)]))), 'every row has the same sum: these look like counts of classes, and whole numbers are taken for classes, one an annotator');
  assert.is(await refusal([count, 4], votes.map((v, i) => (i === 9 ? 7 : v))), 'label 1 of image 2 is 7, and the model\'s classes are 0 to 2');
});

test('sampled weights: the module\'s own entropies, with the samples and seed that are given', async () => {
  const found = await json(...given, '--twin', 'sample', '--samples', '20', '--seed', '3');
  assert.equal([found.source, found.sampledWeights, found.samples], ['module', true, 20]);
  const input = save('x.npy', writeNpy({ shape: [count, 1, side, side], data: Float32Array.from(clean, (b) => (b / 255 - 0.5) / 0.25) }));
  assert.is((await command('run', model, '--posterior', posterior, '--twin', 'sample', '--max-samples', '0', '--samples', '20', '--seed', '3', '--input', input, '--output', at('y.npz'))).err, '');
  const { mutualInformation } = readNpz(new Uint8Array(fs.readFileSync(at('y.npz'))));
  const mean = Array.from(mutualInformation.data as Float32Array).reduce((a, b) => a + b) / count;
  assert.ok(mean > 0.01);
  assert.ok(Math.abs(found.sets[0].means.mutualInformation! - mean) < 1e-12);
});

test('the threshold is chosen on validation data, which no set may share', async () => {
  const own = save('own.npz', writeNpz({ images: { shape: [count, side, side], data: bytes(count) }, labels: { shape: [count], data: labels } }));
  const { deferral } = await json(...given, '--validation', own, '--risk', '1');
  assert.equal([deferral!.chosenOn, deferral!.validated], ['validation', true]);
  const refused = async (set: string): Promise<string> => (await command('uncertainty', model, ...given, '--validation', set)).err;
  assert.match(await refused(archive), /\[cli\/usage\] --validation: 40 of its 40 inputs are also in digits\n/);
  assert.match(await refused(`${images},${labelFile}`), /images\.gz is also given for --in-domain\n/);
  assert.match(await refused(strangers), /strangers\.npy is also given for --out-of-domain\n/);
});

test('--fit: the network is studied with the factors that validation data like best', async () => {
  const own = save('own.npz', writeNpz({ images: { shape: [count, side, side], data: bytes(count) }, labels: { shape: [count], data: labels } }));
  for (const by of ['network', 'layer']) {
    const { fit, ...found } = (await json(...given, '--validation', own, '--fit', by)) as Study & Record<string, unknown> & { fit: Fitted };
    const { before, after, layers, calibration } = fit.calibration;
    assert.ok(after < before - 1e-3, JSON.stringify(fit));
    assert.ok(fit.temperature!.after <= fit.temperature!.before);
    assert.equal(Object.keys(layers ?? {}), by === 'layer' ? ['fc1', 'fc2'] : []);
    const factor = layers ? Object.entries(layers).map(([name, x]) => `${name}=${x}`).join(',') : String(calibration);
    const given2 = await json(...given, '--validation', own, '--calibration', factor);
    same(found.sets, given2.sets);
  }
  const { out } = await command('uncertainty', model, ...given, '--validation', own, '--fit', 'network');
  assert.match(out, /^fitted on 40 validation inputs: --calibration [\d.e-]+, negative log likelihood [\d.]+ -> [\d.]+ nats \(\d+ tries\)\n/);
  const refused = async (...argv: string[]): Promise<string> => (await command('uncertainty', model, ...given, ...argv)).err;
  assert.match(await refused('--fit', 'network'), /--fit: a factor is fitted on data that judge nothing\n {2}Give --validation IMAGES,LABELS\./);
  assert.match(await refused('--fit', 'all', '--validation', own), /--fit: expected network or layer, found "all"/);
  assert.match(await refused('--fit', 'network', '--validation', own, '--calibration', '2'), /--fit: --calibration says the factor already/);
  assert.match(await refused('--fit', 'network', '--validation', own, '--twin', 'mean'), /--fit: the twin "mean" has no variances/);
});

test('a deterministic network has one entropy', async () => {
  const { out, err } = await command('uncertainty', model, '--posterior', posterior, '--twin', 'mean', '--in-domain', archive, '--out-of-domain', strangers);
  assert.is(err.includes('error'), false, err);
  assert.match(out, 'This network is deterministic');
  assert.not.match(out, 'epistemic  ');
});

test('what does not fit is refused by its file or option, before anything is compiled', async () => {
  const refusal = async (...argv: string[]): Promise<string> => {
    const result = await command('uncertainty', model, '--posterior', posterior, ...argv);
    assert.is(result.out, '');
    return result.err.replaceAll(path.dirname(at('x')), 'DIR').trimEnd();
  };
  const usage = '\n  See `sigmaflow uncertainty --help`.';
  assert.is(await refusal(), `error [cli/usage] --in-domain: "uncertainty" needs --in-domain IMAGES,LABELS${usage}`);
  assert.match(await refusal('--in-domain', at('none.npy')), /error \[file\/unreadable\] DIR\/none\.npy: there is no such file/);
  assert.is(await refusal('--in-domain', `${images},`), `error [cli/usage] --in-domain: expected [NAME=]IMAGES[,LABELS], found "DIR/images.gz,"\n  Name a file of images, and after a comma one of labels.`);
  const wide = save('wide.npy', writeNpy({ shape: [5, 3, 3], data: new Uint8Array(45) }));
  assert.is(await refusal('--in-domain', wide), 'error [run/shape] DIR/wide.npy: the model takes [N, 1, 2, 2], found [5, 3, 3]\n  Give inputs of the model\'s own size.');
  const empty = save('empty.npy', writeNpy({ shape: [0, 2, 2], data: new Uint8Array(0) }));
  assert.is(await refusal('--in-domain', archive, '--out-of-domain', empty), 'error [run/shape] DIR/empty.npy: expected images [N, ...], found [0, 2, 2]\n  A set has at least one input.');
  const few = save('few.npy', writeNpy({ shape: [7], data: new Uint8Array(7) }));
  assert.is(await refusal('--in-domain', `${images},${few}`), 'error [run/shape] DIR/few.npy: expected labels of 40 images, [N], [N, annotators] or [N, 3], found [7]\n  Give the labels that belong to these images.');
  const strange = save('strange.npy', writeNpy({ shape: [count], data: new Uint8Array(count).fill(9) }));
  assert.is(await refusal('--in-domain', `${images},${strange}`), 'error [run/data-type] DIR/strange.npy: label 0 is 9, and the model\'s classes are 0 to 2\n  Give labels of the model\'s classes, or no labels.');
  assert.is(await refusal('--in-domain', model), 'error [file/unreadable] DIR/net.onnx: expected .npy, .npz or IDX (also gzipped), found other bytes\n  Save the array with numpy.save.');
  assert.is(await refusal('--in-domain', archive, '--out-of-domain', `${images},${labelFile}`), `error [cli/usage] --out-of-domain: DIR/labels: what is not of the model's domain has none of its labels\n  Leave the labels away.${usage}`);
  assert.is(await refusal('--in-domain', `a=${archive}`, '--out-of-domain', `a=${strangers}`), 'error [cli/usage] --out-of-domain: two sets are called "a"\n  Name them: --out-of-domain NAME=DIR/strangers.npy.');
  assert.is(await refusal('--in-domain', archive, '--samples', '0'), `error [cli/usage] --samples: expected a whole number of 1 to 65536, found "0"${usage}`);
  assert.is(await refusal('--in-domain', archive, '--normalize', '0.5'), `error [cli/usage] --normalize: expected a mean and a deviation above 0, or as many of each as there are channels, found "0.5"\n  For MNIST: --normalize 0.1307,0.3081${usage}`);
  assert.is(await refusal('--in-domain', archive, '--normalize', '0.1,0.3'), `error [cli/usage] --normalize: the model itself says (x / 255 - 0.5) / 0.25, found (x / 255 - 0.1) / 0.3\n  Leave --normalize away.${usage}`);
  assert.match(await refusal('--in-domain', archive, '--report', at('.')), /error \[file\/unwritable\]/);
  assert.is(await refusal('--in-domain', archive, '--report', at('a'), '--json', at('a')), `error [cli/usage] --json: DIR/a is to hold the report already\n  Name another file.${usage}`);
  const bare = await command('uncertainty', model, '--posterior', plain, '--in-domain', archive);
  assert.match(bare.err, /error \[run\/data-type\] .*set\.npz: these are bytes, and what the model does to them before they are its input is not known/);
});

test('compile states the preprocessing of a posterior, or of --normalize', async () => {
  const stated = async (...argv: string[]): Promise<string | undefined> => {
    assert.is((await command('compile', model, '-o', at('out'), ...argv)).status, 0);
    return readManifest(new Uint8Array(fs.readFileSync(at('out/net.wasm')))).preprocessing;
  };
  assert.is(await stated('--posterior', posterior), '(x / 255 - 0.5) / 0.25');
  assert.is(await stated('--posterior', plain, '--normalize', '0,1'), 'x / 255');
});

test.after(() => folder.remove());
test.run();
