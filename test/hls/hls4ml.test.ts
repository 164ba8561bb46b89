/**
 * C simulation against the headers that hls4ml carries, in place of ours: the TFC models, the example models and every ninth
 * sample of the operators (some 120 of more than a thousand) give the interpreter's bits. No more of them, for these headers take
 * g++ three times as long as ours: all would take two minutes. csim.test.ts has all, against ours.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { operators } from '../../codegen/ops/index.js';
import { exampleImages } from '../models/networks.js';
import type { Lowered } from '../ops/harness.js';
import { sharedFile } from '../support/shared.js';
import { circuitOf, exampleCases, imageCase, sampleCases } from './circuits.js';
import { simulate, simulation } from './csim.js';
import { hls4mlHeaders } from './hls4ml.js';

const designs = 24;
const every = 9;
const hasCompiler = spawnSync('g++', ['--version']).status === 0;
if (!hasCompiler) console.log('SKIP C simulation: g++ is missing; apt-get install -y g++');
const headers = hls4mlHeaders();

/** Raises where C simulation gives other bits. */
async function compare(cases: readonly Lowered[]): Promise<void> {
  assert.ok(cases.length > 0);
  const failures: string[] = [];
  for (let i = 0; i < cases.length; i += designs) {
    const part = cases.slice(i, i + designs);
    failures.push(...(await simulate(part, part.map((c, k) => circuitOf(c, i + k)), [headers!, simulation])));
  }
  assert.is(failures.length, 0, `${failures.length} of ${cases.length} failed:\n${failures.slice(0, 20).join('\n')}`);
}

const isThere = hasCompiler && headers !== undefined;
test('hls4ml: TFC models', async () => {
  const { pixels } = exampleImages('mnist');
  const cases = ['TFC_1W1A', 'TFC_2W2A'].flatMap((name, i) => {
    const bytes = sharedFile(`qonnx/models/${name}.onnx`);
    return bytes ? [imageCase(name, bytes, pixels.slice(784 * i, 784 * (i + 1)))] : [];
  });
  if (isThere && cases.length > 0) await compare(cases);
});
test('hls4ml: the example models', () => (isThere ? compare(exampleCases()) : undefined));
test('hls4ml: samples of the operators', () => (isThere ? compare(Object.values(operators).flatMap(sampleCases).filter((_, i) => i % every === 0)) : undefined));
test('hls4ml: comparisons of 32 bits of unlike signs', () => (isThere ? compare(sampleCases(operators.Requantize).filter((c) => c.name.includes('uint32'))) : undefined));

test.run();
