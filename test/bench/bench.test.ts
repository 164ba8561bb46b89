/** The pure parts of the benchmark: statistics, command line, counting of bytes, tables, verdicts. No time is asserted. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { bayesianExamples, bayesianGraph, bayesianNames } from './bayesian/networks.js';
import { drawWeights, meanLogits, sampledOnnx } from './bayesian/sampled.js';
import { logicalBytes } from './bytes.js';
import { benchmarksDocument, withSections } from './document.js';
import { generatedGraph, shapes } from './generated.js';
import { readOptions, sections } from './options.js';
import type { Results } from './results.js';
import { geometricMean, quantile, sampleOf, timesFaster } from './statistics.js';
import { format, markdownTable, terminalTable } from './table.js';
import { verdicts } from './targets.js';

test('quantiles lie between the nearest values', () => {
  assert.is(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.is(quantile([5], 0.25), 5);
  assert.equal([sampleOf([1, 2, 3, 4, 5]).low, sampleOf([1, 2, 3, 4, 5]).high], [2, 4]);
  assert.ok(Math.abs(geometricMean([1, 4, 2]) - 2) < 1e-12);
});

test('a ratio compares rounds that were neighbours', () => {
  // The machine was three times slower in the last two rounds: the ratio of the medians would be 3 or 1.
  assert.is(timesFaster(sampleOf([2, 2, 6]), sampleOf([1, 1, 3])).median, 2);
  assert.ok(Number.isNaN(timesFaster(undefined, sampleOf([1])).median));
});

test('options', () => {
  const all = readOptions([], 'models');
  assert.equal(all.sections, sections.filter((s) => s !== 'instructions'));
  assert.equal([all.batches, all.kinds, all.rounds, all.clock], [[1, 10, 100], ['f32', 'qdq_u8s8'], 15, 'wall']);
  assert.equal(readOptions(['--quick', '--only', 'mlp, lenet5'], 'models').only, ['mlp', 'lenet5']);
  assert.equal(readOptions(['--quick'], 'models').batches, [1]);
  assert.throws(() => readOptions(['--section', 'inferences'], 'm'), /--section: there is no inferences; there are inference/);
  assert.throws(() => readOptions(['--rounds', '0'], 'm'), /--rounds: expected a whole number above 0, found 0/);
  assert.throws(() => readOptions(['--batch', '1,x'], 'm'), /--batch/);
  assert.throws(() => readOptions(['--clock', 'sun'], 'm'), /--clock: expected wall or cpu, found sun/);
  assert.throws(() => readOptions(['--write', '--quick'], 'm'), /--write needs whole sections: leave away --quick/);
});

test('tables', () => {
  const table = { title: 'T', header: ['net', 'us'], rows: [['mlp', '5.5'], ['a|b', '10.0']], notes: ['N'] };
  assert.is(terminalTable(table), 'T\nnet    us\nmlp   5.5\na|b  10.0\nN');
  assert.is(markdownTable(table), '### T\n\n| net | us |\n|---|---:|\n| mlp | 5.5 |\n| a\\|b | 10.0 |\n\nN');
  assert.equal([format(123.4), format(12.34), format(1.234), format(NaN)], ['123', '12.3', '1.23', '-']);
});

test('logical bytes count bits, not storage', () => {
  const weights = 784 * 64 + 64 * 64 + 64 * 64 + 64 * 10;
  const float = logicalBytes(runPasses(generatedGraph('mlp 784-64-64-64-10', 32), 1));
  assert.is(float, 4 * (weights + 64 * 3 + 10));
  const narrow = logicalBytes(runPasses(generatedGraph('mlp 784-64-64-64-10', 2), 1));
  assert.ok(narrow > weights / 4 && narrow < weights / 4 + 64 * 3 * 3 * 4 + 200, `${narrow}`);
});

test('every shape has float32 and 8-bit to be compared with', () => {
  for (const [name, { bits }] of Object.entries(shapes)) assert.ok(bits.includes(32) && bits.includes(8), name);
});

const empty: Results = {
  date: '2026-01-02', machine: 'a machine', load: [0.1, 0.2], busy: [0.99], clock: 'wall', rounds: 15, milliseconds: 60, hosts: { 'Node 20': 'v20' }, versions: { peer: '1.0' }, settings: { peer: 'one thread' },
  absent: ['relaxed SIMD: no engine.'], inference: [], relaxed: [], batches: [], widths: [], trained: [], kernels: [], dense: [], bytes: [], cold: [], compile: [], threads: [], bayesian: [], instructions: [],
};

const inference = (network: string, kind: string, ours: number, theirs: number): Results['inference'][number] =>
  ({ network, kind, batch: 1, host: 'Node 20', macs: 100, times: { 'sigmaflow simd128': sampleOf([ours]), litert: sampleOf([theirs]), tfjs: sampleOf([theirs * 2]) }, peaks: {}, deviations: {}, missing: {} });

test('verdicts: the worst network decides, and by how much is said', () => {
  assert.ok(verdicts(empty).every((v) => v.verdict === 'not measured'));
  const results = { ...empty, inference: [inference('mlp', 'f32', 10, 40), inference('lenet5', 'f32', 10, 9)], bytes: [{ network: 'mlp', kind: 'f32', build: 'simd128', module: 40000, weights: 10000 }] };
  const found = (start: string): { found: string; verdict: string } => verdicts(results).find((v) => v.target.startsWith(start))!;
  assert.is(found('float32, simd128, batch 1: ratio').found, 'worst of 2: 0.90 (lenet5)');
  assert.is(found('float32, simd128, batch 1: ratio').verdict, 'missed by 10 %: lenet5 0.90');
  assert.is(found('the same, geometric mean').verdict, 'met');
  assert.is(found('module bytes').verdict, 'missed by 22 %');
});

test('Bayesian networks: sets of weights in one ONNX graph give the mean of the single networks', () => {
  for (const name of bayesianNames) {
    const graph = bayesianGraph(name);
    const draws = drawWeights(graph, 3);
    const examples = bayesianExamples(2);
    const found = evaluate(importOnnx(sampledOnnx(graph, draws, 3, 2), {}), { x: { shape: [2, 1, 28, 28], data: Float64Array.from(examples.flat()) } });
    const [logits] = Object.values(found).slice(-1);
    assert.equal(logits.shape, [2, 10]);
    examples.forEach((example, n) => meanLogits(graph, draws, 3, example).forEach((y, i) => assert.ok(Math.abs(logits.data[n * 10 + i] - y) < 1e-5, `${name} ${n} ${i}`)));
  }
});

test('Bayesian networks: verdicts on moments and on the fastest way to sample', () => {
  const times = { 'sigmaflow moments': sampleOf([10]), 'sigmaflow deterministic': sampleOf([4]), 'onnxruntime-web moments': sampleOf([50]), 'torch, fresh samples 30': sampleOf([900]), 'torch, S sets in one graph 30': sampleOf([70]) };
  const found = verdicts({ ...empty, bayesian: [{ network: 'mlp', batch: 1, times, missing: {} }, { network: 'mlp', batch: 10, times: {}, missing: {} }] }).filter((v) => v.verdict !== 'not measured');
  assert.equal(found.map((v) => [v.found, v.verdict]), [['5.00 (mlp)', 'met'], ['2.50 (mlp)', 'met'], ['7.00 (mlp)', 'met']]);
});

test('the document names date, machine, versions, and what was not measured', () => {
  const text = benchmarksDocument({ ...empty, inference: [inference('mlp', 'f32', 10, 40)] });
  for (const part of ['2026-01-02', 'a machine', 'peer: 1.0', 'one thread', 'relaxed SIMD: no engine.', '| mlp | 10.0 (10.0..10.0) |', '4.00']) assert.ok(text.includes(part), part);
});

test('sections of a later run take the place of their own in the document, and say when they were measured', () => {
  const document = benchmarksDocument({ ...empty, inference: [inference('mlp', 'f32', 10, 40)], bytes: [{ network: 'mlp', kind: 'f32', build: 'simd128', module: 40000, weights: 10000 }] });
  const later = { ...empty, date: '2026-02-03' };
  const times = { 'sigmaflow moments': sampleOf([10]), 'sigmaflow deterministic': sampleOf([4]) };
  const text = withSections(document, { ...later, bytes: [{ network: 'mlp', kind: 'f32', build: 'simd128', module: 30123, weights: 10000 }], bayesian: [{ network: 'mlp', batch: 1, times, missing: {} }] });
  assert.ok(document.includes('40000') && !text.includes('40000') && text.includes('30123'));
  const headings = (t: string): string[] => t.match(/^## .*/gm)!;
  assert.equal(headings(text), [...headings(document), '## Bayesian networks']);
  assert.is(text.match(/Measured on 2026-02-03: a machine/g)!.length, 2);
  assert.ok(text.startsWith(document.slice(0, document.indexOf('\n\n## Bytes'))));
});

test.run();
