/**
 * examples/bayesian/export.py against the live packages: posteriors of a Pyro AutoNormal guide, of its stored parameters and of a
 * plain PyTorch module arrive here as Pyro and PyTorch have them, and the moments twin agrees with weights that Pyro drew.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyPosterior } from '../../codegen/import/posterior.js';
import { readSafetensors } from '../../codegen/import/safetensors.js';
import { compile } from '../../sdk/compile.js';
import { dense } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { pythonWith, runPython } from '../support/python.js';

interface Expected {
  readonly sites: Readonly<Record<string, { shape: number[]; mean: number[]; deviation: number[] }>>;
  readonly inputs: number[][];
  readonly draws: number;
  readonly hidden: { mean: number[][]; variance: number[][] };
  readonly pytorch: { mean: number[]; u: number[] };
  readonly refusals: { negative: string; unpaired: string };
}

const python = pythonWith('torch', 'pyro', 'safetensors');
if (python) {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
  runPython(python, 'export_posteriors.py', [folder]);
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  const tensors = (name: string): ReturnType<typeof readSafetensors> => readSafetensors(new Uint8Array(readFileSync(join(folder, name))));

  for (const file of ['pyro.safetensors', 'store.safetensors']) {
    test(`${file}: means and deviations are Pyro's quantiles`, () => {
      const found = tensors(file);
      assert.equal(Object.keys(found).sort(), Object.keys(expected.sites).flatMap((name) => [`${name}.mean`, `${name}.std`]).sort());
      for (const [name, { shape, mean, deviation }] of Object.entries(expected.sites)) {
        assert.equal(found[`${name}.mean`].shape, shape);
        assert.equal([...found[`${name}.mean`].data], mean.map(Math.fround), name);
        // the quantile at one deviation is a difference of float32 numbers
        [...found[`${name}.std`].data].forEach((s, i) => assert.ok(Math.abs(s - deviation[i]) <= 1e-5 * deviation[i] + 3e-7, `${name} ${i}: ${s}, ${deviation[i]}`));
      }
    });
  }

  test('the deviation of a PyTorch module is softplus of what it stores', () => {
    const found = tensors('pytorch.safetensors');
    assert.equal([...found['fc1.weight.mean'].data], expected.pytorch.mean.map(Math.fround));
    [...found['fc1.weight.std'].data].forEach((s, i) => {
      const wanted = Math.log1p(Math.exp(expected.pytorch.u[i]));
      assert.ok(Math.abs(s - wanted) <= 1e-6 * wanted, `${i}: ${s}, ${wanted}`);
    });
  });

  test('mean and variance of a layer are those of weights that Pyro drew', async () => {
    const all = tensors('pyro.safetensors');
    const first = Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith('fc1.')));
    const layer = applyPosterior(network({ name: 'layer', input: [4], layers: [dense(3, { name: 'fc1' })] }), first, { all: true });
    const found = loadSync((await compile(layer)).wasm).run({ input: Float32Array.from(expected.inputs.flat()) });
    const [mean, variance] = [found.mean.data, found.variance.data] as Float32Array[];
    const { draws, hidden } = expected;
    hidden.mean.flat().forEach((wanted, i) => {
      const spread = hidden.variance.flat()[i];
      // five standard errors of the mean and of the variance of normal draws
      assert.ok(Math.abs(mean[i] - wanted) <= 5 * Math.sqrt(spread / draws), `mean ${i}: ${mean[i]}, ${wanted}`);
      assert.ok(Math.abs(variance[i] / spread - 1) <= 5 * Math.sqrt(2 / draws), `variance ${i}: ${variance[i]}, ${spread}`);
    });
  });

  test('a spread that cannot be a deviation and a mean without one are refused by name', () => {
    assert.is(expected.refusals.negative, 'fc1: a deviation is negative or not finite; is `transform` right?');
    assert.is(expected.refusals.unpaired, 'fc1 has a mean and no deviation');
  });

  test.after(() => rmSync(folder, { recursive: true }));
}

test.run();
