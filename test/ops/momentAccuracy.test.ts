/**
 * Accuracy of approximate rules and of ReLU over whole ranges, in float32, against scipy in float64; and of MaxPool's and the
 * quantizers' bounds. Points that a bound names are tested densely.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { erfc } from '../../codegen/functions/erfc.js';
import { evaluateFunction } from '../functions/evaluate.js';
import { pythonWith } from '../support/python.js';
import { byInterpreter, byReference, momentGraph } from './momentGraphs.js';

type Pairs = { mean: number[]; variance: number[] };

/** Every mean with every variance, as float32. */
function grid(means: readonly number[], variances: (m: number) => readonly number[]): Pairs {
  const all = means.flatMap((m) => variances(m).map((v) => [Math.fround(m), Math.fround(v)]));
  return { mean: all.map((p) => p[0]), variance: all.map((p) => p[1]) };
}

const range = (count: number, from: number, to: number): number[] => Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
const powers = (count: number, from: number, to: number): number[] => range(count, Math.log(from), Math.log(to)).map(Math.exp);

function off(op: string, { mean, variance }: Pairs, truth: readonly (readonly [number, number])[]): { mean: number; variance: number; at: string } {
  const found = byInterpreter(momentGraph(op, [{ shape: [mean.length], random: true, mean, variance }]));
  const worst = { mean: 0, variance: 0, at: '' };
  truth.forEach(([m, v], e) => {
    // what float32 cannot hold of a mean near 1 is not the rule's
    worst.mean = Math.max(worst.mean, (Math.abs(found.mean[e] - m) - 1.2e-7) / Math.sqrt(v));
    const relative = Math.abs(found.variance[e] / v - 1);
    if (!(relative <= worst.variance)) [worst.variance, worst.at] = [relative, `N(${mean[e]}, ${variance[e]}): ${found.variance[e]} and ${v}`];
  });
  return worst;
}

const python = pythonWith('numpy', 'scipy');
if (python) {
  const cases = {
    sigmoid: grid(range(41, -8, 8), () => powers(30, 1e-4, 16)),
    tanh: grid(range(41, -8, 8), () => powers(30, 1e-4, 16)),
    // by a = m / s
    relu: grid(powers(10, 1e-3, 1e3), (s) => [s * s]).variance.reduce<Pairs>((all, v) => {
      const means = range(97, -8, 16).map((a) => Math.fround(a * Math.sqrt(v)));
      return { mean: [...all.mean, ...means], variance: [...all.variance, ...means.map(() => v)] };
    }, { mean: [], variance: [] }),
  };
  const erfcAt = [...range(601, -4, 9.19), ...range(51, 9.2, 10.2)].map(Math.fround);
  const script = fileURLToPath(new URL('../python/moments.py', import.meta.url));
  const run = spawnSync(python, [script], { input: JSON.stringify({ moments: cases, erfc: erfcAt }), encoding: 'utf8', maxBuffer: 2 ** 26 });
  const { moments, erfc: erfcTruth } = JSON.parse(run.stdout || `{"error": ${JSON.stringify(run.stderr)}}`) as { moments: Record<keyof typeof cases, [number, number][]>; erfc: number[] };

  for (const [name, op] of [['sigmoid', 'Sigmoid'], ['tanh', 'Tanh']] as const) {
    test(`${name}: variance within 1 % for |m| <= 8 and v of 1e-4 to 16, mean within 0.02 deviations`, () => {
      const worst = off(op, cases[name], moments[name]);
      assert.ok(worst.variance < 0.01, `variance off by ${worst.variance} at ${worst.at}`);
      assert.ok(worst.mean < 0.02, `mean off by ${worst.mean} deviations`);
    });
  }

  test('erfc: within 1e-6 of scipy, to where it is denormal; there within 3 of its least steps', () => {
    const found = evaluateFunction(erfc, Float32Array.from(erfcAt));
    erfcTruth.forEach((y, i) => assert.ok(Math.abs(found[i] - y) <= Math.max(1e-6 * y, y < 1.2e-38 ? 3 * 2 ** -149 : 0), `erfc(${erfcAt[i]}) is ${found[i]}, expected ${y}`));
  });

  test('relu: mean and variance within 1e-3 of themselves for a >= -8', () => {
    const { mean, variance } = cases.relu;
    const found = byInterpreter(momentGraph('Relu', [{ shape: [mean.length], random: true, mean, variance }]));
    moments.relu.forEach(([m, v], e) => {
      assert.ok(Math.abs(found.mean[e] / m - 1) < 1e-3, `mean of N(${mean[e]}, ${variance[e]}) is ${found.mean[e]}, expected ${m}`);
      assert.ok(Math.abs(found.variance[e] / v - 1) < 1e-3, `variance of N(${mean[e]}, ${variance[e]}) is ${found.variance[e]}, expected ${v}`);
    });
  });
}

test('sigmoid and tanh: beyond the bounds too the variance is that of a quadrature, to 1 %', () => {
  const { mean, variance } = grid(range(9, -12, 12), () => [20, 200, 2000]);
  for (const op of ['Sigmoid', 'Tanh']) {
    const graph = momentGraph(op, [{ shape: [mean.length], random: true, mean, variance }]);
    const [found, truth] = [byInterpreter(graph).variance, byReference(graph).variance!];
    found.forEach((v, e) => assert.ok(Math.abs(v / truth[e] - 1) < 0.01, `${op} of N(${mean[e]}, ${variance[e]}): ${v} and ${truth[e]}`));
  }
});

test('quantizers of 8 bits: mean within 0.02 steps, variance within 4 % of itself and 1/12 step^2, at every width and at the bounds', () => {
  const { mean, variance } = grid([...range(9, 0, 1), ...range(13, -131, -125), ...range(13, 124, 130)], () => powers(25, 1e-3, 100));
  const step = 0.25;
  const graph = momentGraph('Quant', [
    { shape: [mean.length], random: true, mean: mean.map((m) => m * step), variance: variance.map((v) => v * step * step) },
    { shape: [], constant: [step] }, { shape: [], constant: [0] }, { shape: [], constant: [8] },
  ]);
  const [found, truth] = [byInterpreter(graph), byReference(graph)];
  truth.variance!.forEach((v, e) => {
    const at = `N(${mean[e]}, ${variance[e]}) steps`;
    assert.ok(Math.abs(found.mean[e] - truth.mean[e]) < 0.02 * step, `${at}: mean ${found.mean[e]} and ${truth.mean[e]}`);
    const bound = mean[e] > -128 && mean[e] < 127 ? 0.01 : 0.04;
    assert.ok(Math.abs(found.variance[e] - v) < bound * (v + (step * step) / 12), `${at}: variance ${found.variance[e]} and ${v}`);
  });
});

test('max pool of four standard normals: within 6 % of the true variance, and 0.001 of the true mean', () => {
  const found = byInterpreter(momentGraph('MaxPool', [{ shape: [1, 1, 2, 2], random: true, mean: [0, 0, 0, 0], variance: [1, 1, 1, 1] }], { kernel_shape: [2, 2] }));
  assert.ok(Math.abs(found.mean[0] - 1.0293754) < 0.001 && Math.abs(found.variance[0] / 0.4917152 - 1) < 0.06, `${found.mean[0]}, ${found.variance[0]}`);
});

test.run();
