/**
 * The published Bayesian 784-100-100-10 as a whole: accuracy of its moments on all of MNIST's test set, and its moments against
 * sampling all weights. Its answers for 64 inputs are in test/passes/twins/moments.test.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyPosterior } from '../../codegen/import/posterior.js';
import { readSafetensors } from '../../codegen/import/safetensors.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { compile } from '../../sdk/compile.js';
import { readNpz, writeNpy } from '../../sdk/data/npy.js';
import { architectures } from '../../sdk/model/architectures.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { dataset, normalized } from '../support/datasets.js';
import { pythonWith, runPython } from '../support/python.js';
import { sharedFile } from '../support/shared.js';

const posterior = sharedFile('bnn/mlp_posterior.safetensors');
const golden = sharedFile('bnn/mlp_golden_pfp.npz');
const published = (): Graph => applyPosterior(architectures.mlp(), readSafetensors(posterior!), { all: true });

/** Means and variances of the logits, row after row. */
async function byModule(x: Float32Array, batch: number): Promise<{ mean: Float32Array; variance: Float32Array }> {
  const model = loadSync((await compile(published(), { batch })).wasm);
  const result = { mean: new Float32Array((x.length / 784) * 10), variance: new Float32Array((x.length / 784) * 10) };
  for (let row = 0; row < x.length / 784; row += batch) {
    const found = model.run({ input: x.subarray(row * 784, (row + batch) * 784) });
    for (const name of ['mean', 'variance'] as const) result[name].set((found[name] as { data?: Float32Array }).data ?? (found[name] as unknown as Float32Array), row * 10);
  }
  return result;
}

const digits = posterior && dataset('mnist');
if (digits) {
  test('accuracy on the 10,000 digits: 97.32 % within 0.05', async () => {
    const { mean } = await byModule(normalized(digits.images), 100);
    let right = 0;
    for (let i = 0; i < digits.count; i++) {
      const row = mean.subarray(i * 10, i * 10 + 10);
      if (row.indexOf(Math.max(...row)) === digits.labels[i]) right++;
    }
    assert.is(digits.count, 10000);
    assert.ok(Math.abs(right / 100 - 97.32) <= 0.05, `${right / 100} %`);
  });
}

/** Mean and variance of every logit over networks whose weights are all drawn, in float64, by numpy. */
function bySampling(python: string, graph: Graph, x: Float32Array, samples: number): { mean: Float64Array; variance: Float64Array } {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-sampling-'));
  try {
    const save = (name: string, shape: readonly number[], data: ArrayLike<number>): void => writeFileSync(join(folder, `${name}.npy`), writeNpy({ shape, data: Float32Array.from(data) }));
    save('x', [x.length / 784, 784], x);
    for (const [name, { deviation }] of Object.entries(graph.posteriors!)) {
      save(`${name}.mean`, deviation.shape, graph.constants[name].data);
      save(`${name}.std`, deviation.shape, deviation.data);
    }
    const { mean, variance } = JSON.parse(runPython(python, 'sampling.py', [folder, String(samples)])) as { mean: number[]; variance: number[] };
    return { mean: Float64Array.from(mean), variance: Float64Array.from(variance) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (posterior && golden) {
  test('moments against 4,000 networks with drawn weights: means within 0.1 deviations, variances within 10 % in the median', async () => {
    const python = pythonWith('numpy');
    if (!python) return;
    const inputs = readNpz(golden);
    const count = 16;
    const x = new Float32Array(count * 784);
    x.set((inputs.x_mnist.data as Float32Array).subarray(0, 8 * 784));
    x.set((inputs.x_fashion.data as Float32Array).subarray(0, 8 * 784), 8 * 784);
    const found = await byModule(x, count);
    const truth = bySampling(python, published(), x, 4000);
    const off = [...truth.mean].map((m, e) => Math.abs(found.mean[e] - m) / Math.sqrt(truth.variance[e]));
    assert.ok(Math.max(...off) < 0.1, `a mean is off by ${Math.max(...off)} deviations`);
    for (const [set, first] of [['digits', 0], ['clothing', 80]] as const) {
      const ratios = [...truth.variance].slice(first, first + 80).map((v, e) => found.variance[first + e] / v).sort((a, b) => a - b);
      const median = (ratios[39] + ratios[40]) / 2;
      assert.ok(median > 0.9 && median < 1.1, `${set}: the median ratio of variances is ${median}`);
    }
  });
}

test.run();
