/** Calibration factors and temperatures against scipy, which has the network and its likelihood to itself. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { dense, relu, softmax } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { fitCalibration, fitTemperature } from '../../sdk/uncertainty/calibration.js';
import { pythonWith } from '../support/python.js';
import { Random } from '../support/random.js';

const random = new Random(23);
const [features, hidden, count] = [3, 5, 240];
const numbers = (n: number, lo: number, hi: number): number[] => Array.from({ length: n }, () => random.float(lo, hi));
const weights = {
  'fc1.weight': { shape: [hidden, features], mean: numbers(15, -2, 2), deviation: numbers(15, 0.1, 0.5) },
  'fc1.bias': { shape: [hidden], mean: numbers(5, -1, 1), deviation: numbers(5, 0.1, 0.5) },
  'fc2.weight': { shape: [2, hidden], mean: numbers(10, -2, 2), deviation: numbers(10, 0.1, 0.5) },
  'fc2.bias': { shape: [2], mean: numbers(2, -1, 1), deviation: numbers(2, 0.1, 0.5) },
};
const skeleton = network({ name: 'net', input: [features], layers: [dense(hidden, { name: 'fc1' }), relu(), dense(2, { name: 'fc2' }), softmax()] });
const graph: Graph = {
  ...skeleton,
  constants: { ...skeleton.constants, ...Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, makeConstant('float32', w.shape, w.mean)])) },
  posteriors: Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, { deviation: makeConstant('float32', w.shape, w.deviation) }])),
};
const inputs = Float32Array.from(numbers(count * features, -2, 2));
// labels of a doubtful world, so that neither certainty nor doubt is best
const labels = Array.from({ length: count }, (_, n) => Number(inputs[n * features] + random.float(-2, 2) > 0));

const python = pythonWith('scipy', 'numpy');
if (python) {
  const script = fileURLToPath(new URL('../python/calibration.py', import.meta.url));
  const ask = <T = Record<string, number>>(given: object): T => {
    const { stdout, stderr } = spawnSync(python, [script], { input: JSON.stringify({ weights, inputs: [...inputs], labels, ...given }), encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (!stdout) throw new Error(stderr);
    return JSON.parse(stdout);
  };

  test('one factor, and one a layer: no worse than what scipy finds', async () => {
    const whole = await fitCalibration(graph, { inputs, labels }, { batch: 50 });
    const each = await fitCalibration(graph, { inputs, labels }, { batch: 50, by: 'layer' });
    assert.equal(Object.keys(each.layers!), ['fc1', 'fc2']);
    const wanted = ask({ factor: whole.calibration, layers: Object.values(each.layers!) });
    // the module's probabilities are approximations
    assert.ok(Math.abs(whole.before / wanted.before - 1) < 0.01, `${whole.before}, and ${wanted.before} is expected`);
    assert.ok(wanted.atFactor - wanted.least < 3e-4, `${whole.calibration}: ${wanted.atFactor}, and ${wanted.least} at ${wanted.best}`);
    assert.ok(wanted.atLayers - wanted.leastOfLayers < 5e-4, `${JSON.stringify(each.layers)}: ${wanted.atLayers}, and ${wanted.leastOfLayers}`);
    assert.ok(each.after <= whole.after && whole.after < whole.before);
    assert.equal(Object.keys(each.calibration), Object.keys(weights));
  });

  test('a temperature: where scipy has the least likelihood, of known logits, of normal ones and of soft labels', () => {
    const mean = numbers(600, -4, 4);
    const shares = Array.from({ length: 300 }, (_, n) => Math.round(10 / (1 + Math.exp((mean[2 * n] - mean[2 * n + 1]) / 2 + random.float(-1, 1)))) / 10);
    const classes = shares.map((q) => Number(random.float(0, 1) < q));
    const cases = [
      { variance: new Array<number>(600).fill(0), labels: classes, samples: 1, likelihood: 1e-9, temperature: 2e-3 },
      { variance: new Array<number>(600).fill(0), labels: shares, samples: 1, likelihood: 1e-9, temperature: 2e-3 },
      // logarithms of probabilities of 500 draws are off by some 0.03 a row, their mean over 300 rows by some 0.002
      { variance: numbers(600, 0.1, 4), labels: shares, samples: 500, likelihood: 6e-3, temperature: 0.03 },
    ];
    const found = cases.map(({ variance, labels, samples }) => fitTemperature(mean, variance, labels === shares ? shares.flatMap((q) => [1 - q, q]) : classes, 2, { samples }));
    const all = ask<Record<string, number>[]>({ tempered: cases.map(({ variance, labels }, i) => ({ mean, variance, labels, temperature: found[i].temperature })) });
    cases.forEach(({ samples, ...within }, i) => {
      const [{ temperature, before, after }, wanted] = [found[i], all[i]];
      assert.ok(Math.abs(temperature / wanted.temperature - 1) < within.temperature, `${temperature}, and ${wanted.temperature} is expected`);
      assert.ok(wanted.atTemperature - wanted.least < (samples > 1 ? 2e-4 : 1e-6), `${wanted.atTemperature}, and ${wanted.least} is the least`);
      assert.ok(Math.abs(before - wanted.atOne) < within.likelihood && Math.abs(after - wanted.atTemperature) < within.likelihood + 1e-6);
    });
  });
}

test('a temperature is found again, and certainty that is right is not mended', () => {
  // logits three times too large, without variance: the temperature of plain logits
  const [mean, zero] = [Float64Array.from({ length: 4000 }, () => random.float(-3, 3)), new Float64Array(4000)];
  const drawn = Array.from({ length: 2000 }, (_, n) => Number(random.float(0, 1) < 1 / (1 + Math.exp(mean[2 * n] - mean[2 * n + 1]))));
  const found = fitTemperature(mean.map((m) => 3 * m), zero, drawn, 2, { samples: 1 });
  assert.ok(Math.abs(found.temperature - 3) < 0.35, String(found.temperature));
  assert.ok(found.after < found.before);
});

test('what cannot be fitted is refused', async () => {
  const refusal = async (g: Graph, data = { inputs, labels }): Promise<string> => fitCalibration(g, data).then(() => 'none', (error: Error) => error.message);
  const { posteriors: _, ...plain } = graph;
  assert.is(await refusal(plain), 'error [graph/posterior] net: no weight of this network is random, so there is no variance to calibrate\n  Give it a posterior, or fit a temperature.');
  assert.is(await refusal(graph, { inputs: inputs.subarray(1), labels }), 'error [run/shape] input: expected 240 inputs of 3 elements, one a label, found 719 elements\n  Give validation inputs and their labels.');
});

test.run();
