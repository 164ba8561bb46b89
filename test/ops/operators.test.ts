/**
 * Every sample of every operator record: reference, interpreter, scheduled forms, compiled modules (see harness.ts).
 * With names as arguments, those operators only: `... test/ops/operators.test.ts Relu Clip`.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { operator, operators } from '../../codegen/ops/index.js';
import { targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { hostFor } from '../support/hosts.js';
import { compareScheduled, compareWithReference, Difference, lowerCase, runOnEmitters, sampleCase, type Lowered } from './harness.js';

/** The message of what `f` raises; undefined where it raises nothing. */
function failureOf(name: string, f: () => void): string | undefined {
  try {
    f();
    return undefined;
  } catch (error) {
    if (error instanceof Difference) return error.message;
    if (error instanceof DiagnosticError) return `${name}: ${error.message}`;
    throw error;
  }
}

function assertNone(failures: readonly (string | undefined)[]): void {
  const found = failures.filter((f) => f !== undefined);
  assert.is(found.length, 0, `${found.length} of ${failures.length} failed:\n${found.slice(0, 20).join('\n')}`);
}

const names = process.argv.slice(2);
const records = names.length === 0 ? Object.values(operators) : names.map((name) => operator(name, 'test/ops/operators.test.ts'));
const lowered: Lowered[] = [];

for (const record of records) {
  test(`${record.name}: interpreter against reference`, () => {
    assert.ok(record.samples.length > 0, `${record.name} has no samples: give it some, so that it is tested on every engine`);
    assertNone(
      record.samples.map((sample) =>
        failureOf(`${record.name}: ${sample.name}`, () => {
          const l = lowerCase(sampleCase(record, sample));
          lowered.push(l);
          compareWithReference(l, sample.tolerance);
        }),
      ),
    );
  });
}

for (const target of Object.values(targets)) {
  test(`scheduled for ${target.name}: the bits of the lowered form`, () => {
    assertNone(lowered.map((l) => failureOf(l.name, () => compareScheduled(l, target))));
  });

  test(`compiled for ${target.name}: the bits of the interpreter`, async () => {
    const host = hostFor(target.name);
    if (!host) return;
    const failures = await runOnEmitters(lowered, target, toolchain(), host);
    assert.is(failures.length, 0, `${failures.length} of ${lowered.length} failed:\n${failures.slice(0, 20).join('\n')}`);
  });
}

test.run();
