/** `sigmaflow tune` as a user meets it: the file, going on, hosts elsewhere, and what is refused. */
import fs from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { command, example, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;

test('a search, its file, a compile with it, and going on', async () => {
  const file = at('records.json');
  const first = await command('tune', example, '-o', file, '--budget', '0.5');
  assert.is(first.status, 0, first.err);
  assert.match(first.out, /^kernel +tried +time +splits\n/);
  assert.match(first.out, /left with schedules to try|Nothing is left to try/);
  const records = JSON.parse(fs.readFileSync(file, 'utf8')) as { kernels: object };
  assert.ok(Object.keys(records.kernels).length > 0);
  const again = await command('tune', example, '-o', file, '--budget', '600');
  assert.match(again.out, /^.*records\.json: going on from \d kernels?\n/);
  assert.match(again.out, /\nNothing is left to try\.\n/);
  const compiled = await command('compile', example, '-o', at('out'), '--tuning', file);
  assert.is(compiled.status, 0, compiled.err);
  const other = await command('compile', example, '-o', at('out2'), '--tuning', file, '--target', 'scalar');
  assert.is(other.status, 1);
  assert.match(other.err, /^error \[tuning\/record\] simd128: the records were measured for the target simd128/);
  assert.not.ok(fs.existsSync(at('out2')));
  const mixed = await command('tune', example, '-o', file, '--target', 'scalar');
  assert.is(mixed.status, 2);
  assert.match(mixed.err, /holds records for the target simd128, and this search is for scalar\n  Name another file\./);
});

test('a page for another machine', async () => {
  const made = await command('tune', example, '-o', at('tune.html'), '--host', 'browser');
  assert.is(made.status, 0, made.err);
  assert.match(made.out, /schedules of \d+ kernels/);
  assert.match(fs.readFileSync(at('tune.html'), 'utf8'), /^<!doctype html>/);
});

test('refusals', async () => {
  const says = async (status: number, text: RegExp, ...argv: string[]): Promise<void> => {
    const { status: found, out, err } = await command('tune', ...argv);
    assert.is(found, status, err);
    assert.is(out, '');
    assert.match(err, text);
  };
  await says(2, /^error \[cli\/usage\] -o: "tune" needs -o FILE/, example);
  await says(2, /^error \[cli\/usage\] --budget: expected a time such as 90s or 5m, at most a day; found "soon"/, example, '-o', at('x.json'), '--budget', 'soon');
  await says(2, /^error \[cli\/usage\] --times: --host writes what measures/, example, '-o', at('x'), '--host', 'wasi', '--times', 'y');
  await says(2, /^error \[cli\/usage\] --budget: there is no search with --host/, example, '-o', at('x'), '--host', 'wasi', '--budget', '3s');
  await says(1, /^error \[file\/unwritable\] .*expected the name of a file, found a folder/, example, '-o', at('.'));
  await says(1, /^error \[tuning\/record\] .*broken\.json: this is no tuning file: it is no JSON/, example, '-o', save('broken.json', '{'));
  await says(1, /^error \[tuning\/record\] .*these are times of something else/, example, '-o', at('x.json'), '--times', save('times.json', '{"plan":"x","times":[]}'));
  assert.not.ok(fs.existsSync(at('x.json')));
});

test.after(folder.remove);
test.run();
