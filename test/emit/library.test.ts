/** The AssemblyScript library: every function is documented. */
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const folder = new URL('../../assembly/', import.meta.url);

test('every function of assembly/ has a doc comment', () => {
  let functions = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const lines = readFileSync(new URL(file, folder), 'utf8').split('\n');
    assert.is(lines[0], '/**', `${file} opens with what it is`);
    lines.forEach((line, i) => {
      if (!/^(export )?function /.test(line)) return;
      functions++;
      let above = i - 1;
      while (/^(\/\/ @ts-ignore|@\w+)/.test(lines[above])) above--;
      assert.match(lines[above], /\*\/$/, `${file}: ${line}`);
    });
  }
  assert.ok(functions > 30);
});

test.run();
