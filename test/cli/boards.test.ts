/** `--board`: target and processor of a module, by the board that it is for; boards that commands refuse. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { arm64 } from '../../codegen/targets/processor.js';
import { readManifest } from '../../sdk/runtime/index.js';
import { spaceOf } from '../../sdk/tune/tune.js';
import { command, example, root, temporaryFolder } from './command.js';

const folder = temporaryFolder();
test.after(() => folder.remove());
const module = (name: string): Uint8Array => new Uint8Array(readFileSync(folder.at(`${name}/mlp_w2a2.wasm`)));
const compileFor = async (...options: string[]): Promise<Uint8Array> => {
  const { status, out, err } = await command('compile', example, '-o', folder.at(options.join()), ...options);
  assert.is(status, 0, err);
  if (options[0] === '--board') assert.match(out, /\nfor (Raspberry Pi \d.*|a browser): target (simd128|relaxed|scalar), tiles for (arm64|x86-64)\n$/);
  return module(options.join());
};
const refused = async (...argv: string[]): Promise<string> => {
  const { status, err } = await command(...argv);
  assert.is.not(status, 0);
  return err.trimEnd();
};

test('a board chooses target and processor, and nothing else', async () => {
  const pi4 = await compileFor('--board', 'raspberry-pi-4');
  assert.equal(pi4, await compileFor('--target', 'simd128', '--processor', 'arm64'));
  assert.equal(pi4, await compileFor('--board', 'raspberry-pi-3'));
  assert.equal(await compileFor('--board', 'browser'), await compileFor('--target', 'simd128'));
  const pi5 = await compileFor('--board', 'raspberry-pi-5');
  assert.is(readManifest(pi5 as Uint8Array<ArrayBuffer>).target, 'relaxed');
  assert.equal(await compileFor('--board', 'raspberry-pi-5', '--target', 'simd128'), pi4);
});

test('a board file of one\'s own', async () => {
  const mine = { ...(JSON.parse(readFileSync(`${root}boards/raspberry-pi-4/board.json`, 'utf8')) as object), features: [] };
  folder.save('mine.json', JSON.stringify(mine));
  assert.is(readManifest((await compileFor('--board', folder.at('mine.json'))) as Uint8Array<ArrayBuffer>).target, 'scalar');
});

test('inspect and verify take it too; tune makes its tiles for the processor', async () => {
  assert.is(JSON.parse((await command('inspect', example, '--board', 'raspberry-pi-5', '--json')).out).target, 'relaxed');
  const verified = await command('verify', example, '--board', 'raspberry-pi-4', '--random', '1');
  assert.match(verified.out, /^mlp_w2a2: 1 input .*, batch 1, modules for Raspberry Pi 4 Model B\n[^]*All engines agree in every bit\.\n$/);
  assert.is(spaceOf(new Uint8Array(readFileSync(example)), { processor: 'arm64' }).target.processor, arm64);
});

test('what is refused, in words', async () => {
  for (const name of ['compile', 'inspect', 'verify', 'tune']) {
    const output = name === 'compile' || name === 'tune' ? ['-o', folder.at('none')] : [];
    assert.is(await refused(name, example, '--board', 'pynq-z2', ...output), 'error [target/unsupported] pynq-z2: PYNQ-Z2 is an FPGA, on which no WebAssembly runs\n  For a circuit: npx sigmaflow hls MODEL.onnx --board pynq-z2 -o DIR');
  }
  const at = ['-o', folder.at('none')];
  assert.is(await refused('compile', example, '--board', 'raspbery-pi-4', ...at), 'error [target/board] raspbery-pi-4: there is no such board\n  Did you mean "raspberry-pi-4"?\n  A board of your own: give its file, BOARD.json.');
  assert.is(await refused('compile', example, '--board', 'browser', '--processor', 'arm64', ...at), 'error [cli/usage] --processor: the board says its processor\n  Leave --processor away, or --board.\n  See `sigmaflow compile --help`.');
  assert.is(await refused('compile', example, '--board', 'raspberry-pi-4', '--target', 'relaxed', ...at), 'error [target/unsupported] raspberry-pi-4: the target relaxed needs relaxed-simd, and Raspberry Pi 4 Model B has simd\n  Leave --target away: the board\'s is simd128.');
  assert.is(await refused('compile', example, '--board', 'raspberry-pi-4', '--fast-math', ...at), 'error [cli/usage] --fast-math: fast math is relaxed SIMD\n  Say --target relaxed, or leave --fast-math away.\n  See `sigmaflow compile --help`.');
});

test.run();
