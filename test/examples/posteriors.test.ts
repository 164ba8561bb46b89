/**
 * The trained posteriors of examples/bayesian on whole test sets, by our own modules: accuracy, what separates clothing and ambiguous
 * digits from clear ones, and the one pass of moments beside the sampled network.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { readIdx } from '../../sdk/data/idx.js';
import { accuracy, auroc } from '../../sdk/metrics/index.js';
import { architectures } from '../../sdk/model/architectures.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { dataset, normalized } from '../support/datasets.js';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const bytes = (...path: string[]): Uint8Array => new Uint8Array(readFileSync(join(examples, ...path)));
const idx = (name: string): Uint8Array => readIdx(bytes('data', name), name).data as Uint8Array;

interface Scores {
  readonly probabilities: Float32Array;
  readonly softmaxEntropy: Float32Array;
  readonly mutualInformation: Float32Array;
}

/** The outputs of a twin of a network with its trained posterior, for each set of images. */
async function scores(name: 'lenet5' | 'mlp', twin: 'moments' | 'sample', sets: readonly Uint8Array[]): Promise<Scores[]> {
  const { wasm } = await compile(architectures[name](), { posterior: bytes('bayesian', `${name}.safetensors`), twin, batch: 100, maxSamples: 0 });
  const model = loadSync(wasm);
  return sets.map((images) => {
    const input = normalized(images);
    const out = twin === 'sample' ? model.run({ input, samples: [30], seed: [1, 2] }) : model.run({ input });
    return Object.fromEntries(['probabilities', 'softmaxEntropy', 'mutualInformation'].map((k) => [k, out[k].data])) as unknown as Scores;
  });
}

const clear = dataset('mnist');
const clothing = dataset('fashion');
if (clear && clothing) {
  test('lenet5: accuracy 98.5 %, clothing by mutual information 0.95, ambiguous digits by softmax entropy 0.90; moments beside samples 0.02', async () => {
    const found: Record<string, { accuracy: number; clothing: number; ambiguous: number }> = {};
    for (const twin of ['moments', 'sample'] as const) {
      const [digits, clothes, between] = await scores('lenet5', twin, [clear.images, clothing.images, idx('ambiguous1000-images.idx3-ubyte.gz')]);
      found[twin] = {
        accuracy: accuracy(digits.probabilities, clear.labels, 10),
        clothing: auroc(digits.mutualInformation, clothes.mutualInformation),
        ambiguous: auroc(digits.softmaxEntropy, between.softmaxEntropy),
      };
    }
    const said = JSON.stringify(found);
    for (const { accuracy: right, clothing: foreign, ambiguous } of Object.values(found)) {
      assert.ok(right >= 0.985, said);
      assert.ok(foreign >= 0.95, said);
      assert.ok(ambiguous >= 0.9, said);
    }
    assert.ok(Math.abs(found.moments.clothing - found.sample.clothing) <= 0.02, said);
    assert.ok(Math.abs(found.moments.ambiguous - found.sample.ambiguous) <= 0.02, said);
  });

  test('mlp: the accuracy of its training', async () => {
    const { accuracy: trained } = JSON.parse(new TextDecoder().decode(bytes('bayesian', 'mlp.json'))) as { accuracy: number };
    const [digits] = await scores('mlp', 'moments', [clear.images]);
    const right = accuracy(digits.probabilities, clear.labels, 10);
    assert.ok(Math.abs(right - trained) <= 0.003, `${right}, ${trained}`);
  });
}

test('ambiguous digits: 1,000 images with ten labels each, of which many differ', () => {
  const [images, labels] = [idx('ambiguous1000-images.idx3-ubyte.gz'), idx('ambiguous1000-labels.idx2-ubyte.gz')];
  assert.is(images.length, 1000 * 784);
  assert.is(labels.length, 10000);
  assert.ok(labels.every((l) => l < 10));
  const split = Array.from({ length: 1000 }, (_, i) => new Set(labels.subarray(10 * i, 10 * i + 10)).size).filter((n) => n > 1).length;
  assert.ok(split > 350, `${split} of 1000 images have more than one label`);
});

test.run();
