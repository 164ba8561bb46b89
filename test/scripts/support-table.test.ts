/**
 * docs/operators.md is what scripts/support-table.ts makes from the records.
 */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { operators } from '../../codegen/ops/index.js';
import { supportTable, supportTableFile } from '../../scripts/support-table.js';

test('the committed table is the generated one', () => {
  assert.fixture(readFileSync(supportTableFile, 'utf8'), supportTable(), 'Run: node --import ./scripts/typescript.mjs scripts/support-table.ts');
});

test('the table has one row for each operator', () => {
  const rows = supportTable().split('\n').filter((line) => /^\| [A-Z]/.test(line));
  assert.equal(rows.map((line) => line.split(' ')[1]), Object.keys(operators).sort());
});

test.run();
