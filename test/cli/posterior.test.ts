/** Models with random weights on the command line: a built-in architecture and an ONNX model with a safetensors file, twins, refusals. */
import fs from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { readNpz, writeNpy } from '../../sdk/data/npy.js';
import { architectures } from '../../sdk/model/architectures.js';
import { dense, relu } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { pair, safetensors } from '../support/safetensors.js';
import { command, temporaryFolder } from './command.js';

const { at, save } = temporaryFolder();

const model = save('net.onnx', exportQonnx(network({ name: 'net', input: [2], layers: [dense(2, { name: 'fc' }), relu()] })));
const posterior = save('net.safetensors', safetensors({ ...pair('fc.weight', [2, 2], [1, 2, -3, 1], 0.5), ...pair('fc.bias', [2], [10, 1], 0) }));
const input = save('x.npy', writeNpy({ shape: [1, 2], data: Float32Array.of(1, 2) }));

test('an ONNX model with a posterior gives mean and variance; the mean twin its own output', async () => {
  assert.is((await command('run', model, '--posterior', posterior, '--input', input, '--output', at('y.npz'))).err, '');
  const y = readNpz(new Uint8Array(fs.readFileSync(at('y.npz'))));
  // 1 + 4 + 10 = 15 with variance 0.25 + 1, far above 0; -3 + 2 + 1 = 0 with the same variance: a half normal
  assert.ok(Math.abs(Number(y.mean.data[0]) - 15) < 1e-5 && Math.abs(Number(y.variance.data[0]) - 1.25) < 1e-5);
  assert.ok(Math.abs(Number(y.mean.data[1]) - 0.3989423 * Math.sqrt(1.25)) < 1e-5 && Math.abs(Number(y.variance.data[1]) - 0.3408451 * 1.25) < 1e-5);
  const { out } = await command('run', model, '--posterior', posterior, '--twin', 'mean', '--input', input);
  assert.match(out, /output: float32 \[1, 2\]\n.*15\s+0/);
});

test('all engines agree in every bit', async () => {
  const { out, status } = await command('verify', model, '--posterior', posterior);
  assert.is(status, 0, out);
  assert.match(out, 'All engines agree in every bit.');
});

test('weights are drawn, as often and with the seed that is said, by a model and by its module', async () => {
  const results = async (...argv: string[]): Promise<Record<string, number[]>> => {
    const { err } = await command('run', ...argv, '--input', input, '--output', at('drawn.npz'));
    assert.is(err, '');
    return Object.fromEntries(Object.entries(readNpz(new Uint8Array(fs.readFileSync(at('drawn.npz'))))).map(([name, { data }]) => [name, Array.from(data as ArrayLike<number>, Number)]));
  };
  const sampled = [model, '--posterior', posterior, '--twin', 'sample', '--max-samples', '3'];
  const two = await results(...sampled, '--samples', '2', '--seed', '7');
  assert.equal(Object.keys(two), ['mean', 'variance', 'draws']);
  assert.is(two.draws.length, 6);
  assert.ok(Math.abs((two.draws[0] + two.draws[2]) / 2 - two.mean[0]) < 1e-5 && two.draws[4] === 0);
  assert.is.not((await results(...sampled, '--samples', '2', '--seed', '8')).mean[0], two.mean[0]);
  const many = await results(...sampled, '--samples', '3000');
  assert.ok(Math.abs(many.mean[0] - 15) < 5 * Math.sqrt(1.25 / 3000) && Math.abs(many.variance[0] - 1.25) < 0.2);
  assert.is((await command('compile', model, '--posterior', posterior, '--twin', 'sample', '--max-samples', '3', '-o', at('out'))).err, '');
  assert.equal(await results(at('out/net.wasm'), '--samples', '2', '--seed', '7'), two);
  assert.equal(await results(at('out/net.wasm'), '--samples', '2', '--seed', '7', '--threads', '2'), two);
  assert.match(fs.readFileSync(at('out/net.d.ts'), 'utf8'), /\/\*\* int32 scalar; 30 where it is not given \*\/\n {4}samples\?: Int32Array;/);
  for (const way of [[], ['--local-reparameterization']]) {
    const { out, status } = await command('verify', model, '--posterior', posterior, '--twin', 'sample', ...way);
    assert.is(status, 0, out);
  }
});

test('steps of a sampled twin are timed, each as often as samples are drawn by default', async () => {
  const { err } = await command('profile', model, '--posterior', posterior, '--twin', 'sample', '--budget', '1', '--json', at('profile.json'));
  assert.is(err, '');
  const { steps } = JSON.parse(fs.readFileSync(at('profile.json'), 'utf8')) as { steps: { name: string; repeats: number }[] };
  assert.is(steps.find((s) => s.name === 'fc_weight_RandomNormal')?.repeats, 30);
  assert.is(steps.find((s) => s.name === 'fc_weight_RandomNormal_keys')?.repeats, 1);
});

test('calibration scales the variances of weights', async () => {
  const { out } = await command('run', model, '--posterior', posterior, '--calibration', '4', '--input', input);
  assert.match(out, /variance: float32 \[1, 2\]\n\s*\[0\]\s+5\s/);
});

test('posteriors in few bits: smaller, with the same bits on all engines, and refusals', async () => {
  const { out, status } = await command('verify', model, '--posterior', posterior, '--posterior-bits', '4', '--posterior-scheme', 'jq', '--posterior-granularity', 'tensor', '--posterior-clip', '99.9');
  assert.is(status, 0, out);
  assert.match(out, 'All engines agree in every bit.');
  // weights -3 .. 2 in steps of 3/7: 15.3 - 0.3, and the deviation is a power of two already
  const { out: values } = await command('run', model, '--posterior', posterior, '--posterior-bits', '4', '--posterior-clip', 'max', '--posterior-granularity', 'tensor', '--input', input);
  assert.match(values, /variance: float32 \[1, 2\]\n\s*\[0\]\s+1\.25\s/);
  assert.match((await command('run', model, '--posterior', posterior, '--posterior-scheme', 'spq', '--input', input)).err, '--posterior-scheme: it says how random weights are quantized, and not to how many bits\n  Give --posterior-bits N as well.\n');
  assert.match((await command('run', model, '--posterior', posterior, '--posterior-bits', '1', '--input', input)).err, 'expected a whole number of 2 to 8, found "1"');
  assert.match((await command('run', model, '--posterior', posterior, '--posterior-bits', '4', '--posterior-clip', 'most', '--input', input)).err, '--posterior-clip: expected max, mse or a percentile, found "most"');
});

test('a built-in architecture needs a posterior, and one that is its own', async () => {
  assert.is((await command('run', 'lenet5', '--input', input)).err, 'error [graph/posterior] lenet5: this is a built-in architecture, and its weights are not known\n  Give them with --posterior FILE.safetensors.\n');
  const wrong = await command('run', 'mlp', '--posterior', posterior, '--input', input);
  assert.is(wrong.err, 'error [graph/posterior] fc.weight.mean: the graph has no float32 weight fc.weight\n  Did you mean "fc1.weight"?\n  A posterior belongs to one architecture: compile it with the graph that it was trained with.\n');
  const means = Object.fromEntries(Object.entries(architectures.mlp().constants).map(([name, c]) => [name, { shape: c.shape, data: Float32Array.from(c.data, (_, i) => (i % 7) / 7) }]));
  const plain = save('plain.safetensors', safetensors(means));
  const inspected = await command('inspect', 'mlp', '--posterior', plain);
  assert.is(inspected.err, '');
  assert.match(inspected.out, 'output');
});

test('a deviation that is none is refused by every command', async () => {
  for (const std of [-0.5, NaN]) {
    const bad = save('bad.safetensors', safetensors({ ...pair('fc.weight', [2, 2], [1, 2, -3, 1], std), ...pair('fc.bias', [2], [10, 1], 0) }));
    for (const argv of [['inspect', model], ['run', model, '--input', input, '--engine', 'reference'], ['compile', model, '-o', at('bad')]]) {
      const { err, status } = await command(...argv as [string, ...string[]], '--posterior', bad);
      assert.is(status, 1, argv[0]);
      assert.match(err, new RegExp(`error \\[graph/posterior\\] fc\\.weight: the standard deviation of element 0 is ${std}\\n`), argv[0]);
    }
  }
});

test('options that do not fit are refused', async () => {
  const refusal = async (...argv: string[]) => (await command('run', model, '--input', input, ...argv)).err;
  assert.is(await refusal('--twin', 'moments'), 'error [graph/posterior] net: no weight of this network is random, so there are no moments\n  Give it a posterior: a safetensors file of NAME.mean and NAME.std.\n');
  assert.is(await refusal('--posterior', posterior, '--samples', '5'), 'error [cli/usage] --samples: this model draws no random numbers\n  Leave --samples away, or take --twin sample of a model with random weights.\n  See `sigmaflow run --help`.\n');
  assert.match(await refusal('--posterior', posterior, '--twin', 'sample', '--samples', '0'), /--samples: expected a whole number of 1 to 65536, found "0"/);
  assert.match(await refusal('--posterior', posterior, '--twin', 'sample', '--max-samples', '65537'), /--max-samples: expected a whole number of 0 to 65536, found "65537"/);
  assert.match(await refusal('--posterior', posterior, '--logit-samples', '0'), /--logit-samples: expected a whole number of 1 to 65536, found "0"/);
  assert.match(await refusal('--posterior', posterior, '--logit-samples', '5'), /error \[graph\/posterior\] logitSamples: this network does not end in a Softmax/);
  assert.match(await refusal('--posterior', posterior, '--calibration', 'fc1=x'), /--calibration: expected NAME=FACTOR with factors of 0 to 1000000, found "fc1=x"/);
  assert.is(await refusal('--posterior', posterior, '--local-reparameterization'), 'error [graph/posterior] localReparameterization: it is a way of drawing, and nothing is drawn here\n  Take the twin "sample", or leave it away.\n');
  assert.match(await refusal('--posterior', posterior, '--calibration', '-1'), /--calibration: expected a number of 0 to 1000000, found "-1"/);
  assert.match(await refusal('--posterior', model), /error \[file\/not-safetensors\] .*net\.onnx: these bytes are no safetensors file/);
  const cut = save('cut.safetensors', new Uint8Array(fs.readFileSync(posterior)).subarray(0, -8));
  assert.match(await refusal('--posterior', cut), /error \[file\/not-safetensors\] .*cut\.safetensors: \S+: F32 \[\d+\] takes \d+ bytes, and the file has \d+ for it\n {2}Write the file anew/);
  assert.match(await refusal('--posterior', posterior, '--max-samples', '5'), /--max-samples: nothing is drawn here that could be returned\n {2}Leave it away, or take --twin sample or --logit-samples/);
  assert.match(await refusal('--posterior', at('missing.safetensors')), /there is no such file/);
});

test.run();
