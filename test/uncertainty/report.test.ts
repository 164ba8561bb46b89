/** The page of a study and its parts: it needs nothing else, says everything, and nothing of a model becomes markup. */
import { inflateSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deterministicScores, logitUncertainty, meanVariance, scoresOf, softmax, uncertaintyStudy, type ScoredSet } from '../../sdk/metrics/index.js';
import { scoreOutputs, sourceOf } from '../../sdk/uncertainty/outputs.js';
import { png, shrink, type Picture } from '../../sdk/uncertainty/png.js';
import { describeNormalization, normalize, parseNormalization } from '../../sdk/uncertainty/preprocessing.js';
import { uncertaintyReport } from '../../sdk/uncertainty/report.js';
import { refuses } from '../support/refuses.js';
import { facts, handMadeStudy } from './studies.js';

const picture = (): Picture => ({ width: 2, height: 2, channels: 1, pixels: Uint8Array.of(0, 255, 128, 3) });

test('the page needs no address but data, and has every section, set, score and picture', () => {
  const study = handMadeStudy();
  const page = uncertaintyReport(study, facts, picture);
  const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"|url\(([^)]*)\)/g)].map((m) => m[1] ?? m[2]);
  assert.ok(addresses.length > 8 && addresses.every((a) => a.startsWith('data:')));
  assert.not.match(page, /<script|https?:|NaN|undefined|Infinity/);
  for (const title of ['The sets', 'Told apart', 'Two kinds of doubt', 'How it is spread', 'Is it as sure as it is right?', 'When it should defer', 'Inputs worth a look', 'Where these figures come from']) assert.match(page, `>${title}<`);
  for (const { name } of study.sets) assert.match(page, name);
  assert.is([...page.matchAll(/<img /g)].length, study.galleries.reduce((sum, g) => sum + g.inputs.length, 0));
  // every picture and drawing says what it shows, and every drawing of many figures has a table beside it
  assert.is([...page.matchAll(/<svg [^>]*role="img" aria-label="[^"]{30,}"/g)].length, [...page.matchAll(/<svg /g)].length);
  assert.is([...page.matchAll(/<img [^>]*alt="Input \d+ of /g)].length, [...page.matchAll(/<img /g)].length);
  assert.is([...page.matchAll(/The figures as a table/g)].length, study.histograms.length + study.reliability.length + 1);
});

test('figures of the study stand in the page', () => {
  const study = handMadeStudy();
  const page = uncertaintyReport(study, facts);
  assert.match(page, study.detections[2].auroc.toFixed(4));
  assert.match(page, study.sets[0].negativeLogLikelihood!.toFixed(4));
  assert.match(page, `${(100 * study.deferral!.sets[0].coverage).toFixed(1)} %`);
});

test('names are texts, not markup', () => {
  const page = uncertaintyReport(handMadeStudy('<b>&"'), { ...facts, model: '<script>alert(1)</script>' });
  assert.not.match(page, '<script');
  assert.not.match(page, '<b>&"');
});

test('a deterministic model says what it cannot say; sets without labels have no calibration', () => {
  const set: ScoredSet = { name: 'a', role: 'in-domain', ...deterministicScores([0.5, 0.5, 0.9, 0.1], 2) };
  const page = uncertaintyReport(uncertaintyStudy([set], 2), { ...facts, source: 'none' });
  assert.match(page, 'This network is deterministic');
  assert.not.match(page, /Two kinds of doubt|When it should defer|Is it as sure|Told apart|NaN|undefined/);
});

test('PNG: what zlib unpacks is the picture; chunks have their checksums', () => {
  for (const p of [picture(), { width: 200, height: 150, channels: 3 as const, pixels: Uint8Array.from({ length: 90000 }, (_, i) => (i * 7) & 255) }]) {
    const file = Buffer.from(png(p));
    assert.is(file.subarray(1, 4).toString(), 'PNG');
    const at = file.indexOf('IDAT');
    const lines = inflateSync(file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4))); // checks Adler-32
    const row = p.width * p.channels;
    for (let y = 0; y < p.height; y++) assert.equal([...lines.subarray(y * (row + 1), (y + 1) * (row + 1))], [0, ...p.pixels.subarray(y * row, (y + 1) * row)]);
  }
  // the checksum of an empty IEND, as every PNG file has it
  assert.is(Buffer.from(png(picture())).subarray(-4).toString('hex'), 'ae426082');
  assert.equal(shrink({ width: 4, height: 2, channels: 1, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }, 2), { width: 2, height: 1, channels: 1, pixels: Uint8Array.of(1, 3) });
});

test('preprocessing: texts and numbers are one another, channels first', () => {
  for (const [text, mean, deviation] of [['x / 255', [0], [1]], ['(x / 255 - 0.1307) / 0.3081', [0.1307], [0.3081]], ['(x / 255 - [0.5, 0.4]) / [0.2, 0.1]', [0.5, 0.4], [0.2, 0.1]]] as const) {
    assert.is(describeNormalization({ mean, deviation }), text);
    assert.equal(parseNormalization(text), { mean, deviation });
  }
  for (const text of ['x', '(x / 255 - 0.5) / 0', '(x / 255 - [0.5]) / [1, 2]', '(x - 3) / 4', '(x / 255 - a) / b']) assert.is(parseNormalization(text), undefined);
  const images = { name: 'a.npy', shape: [2, 1, 1] };
  assert.equal([...normalize({ ...images, data: [0, 255, 51, 102], bytes: true }, { mean: [0, 0.5], deviation: [1, 0.5] })].map((x) => Number(x.toFixed(6))), [0, 1, 0.2, -0.2]);
  assert.equal([...normalize({ ...images, data: [0.25, -3], bytes: false }, undefined)], [0.25, -3]);
  refuses(() => normalize({ ...images, data: [1], bytes: true }, undefined), 'error [run/data-type] a.npy: these are bytes, and what the model does to them before they are its input is not known\n  Say it with --normalize MEAN,DEVIATION, for (x / 255 - MEAN) / DEVIATION; --normalize 0,1 only divides by 255.');
  refuses(() => normalize({ ...images, data: [0.5, 1.5], bytes: false }, { mean: [0], deviation: [1] }), "error [run/data-type] a.npy: element 1 is 1.5, and the model's preprocessing takes numbers of 0 to 1 (or bytes)\n  Give the images as they are, not normalized: every set goes through the model's own preprocessing.");
  refuses(() => normalize({ ...images, data: [300], bytes: true }, { mean: [0], deviation: [1] }), 'error [run/data-type] a.npy: element 0 is 300, and whole numbers are taken as bytes, 0 to 255\n  Give the images as bytes, or as numbers of 0 to 1.');
  refuses(() => normalize({ ...images, data: [1], bytes: true }, { mean: [0, 0, 0], deviation: [1, 1, 1] }), 'error [run/shape] a.npy: the normalization has 3 channels, and inputs are [2, 1, 1]\n  Give one mean and deviation, or one a channel, and inputs with channels first.');
});

test('scores of whichever outputs a model has', () => {
  const [mean, variance] = [Float32Array.of(1, 2, 3, 0, 1, 0), Float32Array.of(1, 0.5, 2, 1, 1, 0)];
  const at = (data: ArrayLike<number>, shape = [2, 3]) => ({ shape, data });
  const drawn = scoreOutputs('net', { mean: at(mean), variance: at(variance), probabilities: at(mean) }, { samples: 7, seed: 3 });
  const { probabilities, scores } = scoresOf(logitUncertainty(mean, variance, { classes: 3, count: 7, seed: 3 }), meanVariance(variance, 3));
  assert.equal(drawn, { classes: 3, source: 'logits', probabilities, scores });
  const [p, h] = [softmax(mean, 3), Float32Array.of(0.5, 0.25)];
  const own = scoreOutputs('net', { mean: at(mean), variance: at(variance), probabilities: at(p), predictiveEntropy: at(h, [2]), softmaxEntropy: at(h, [2]), mutualInformation: at(h, [2]) });
  assert.equal([own.source, [...own.probabilities as Float64Array], [...own.scores.mutualInformation as Float64Array]], ['module', [...p], [0.5, 0.25]]);
  for (const data of [mean, p]) assert.equal([...scoreOutputs('net', { y: at(data) }).probabilities as Float64Array], [...p]);
  refuses(() => sourceOf('net', [{ name: 'y', shape: [2, 8, 8] }]), 'error [run/shape] net: expected a classifier, whose output is [N, classes]; found y [2, 8, 8]\n  Uncertainty is studied of classifiers with one output of logits or probabilities.');
  refuses(() => scoreOutputs('net', { y: at([1, NaN, 2]) }), 'error [run/status] net: its output y is NaN at element 1\n  Look at the inputs and the weights: a number is not finite.');
});

test.run();
