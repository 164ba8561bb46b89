/**
 * Hostile files: a thousand damaged models each either import (and infer) or raise a diagnostic, never another error.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { fold } from '../../codegen/passes/fold.js';
import { infer } from '../../codegen/passes/infer.js';
import { floats, intAttribute, intsAttribute, modelBytes, node, tensorInput } from '../support/onnxModels.js';
import { sharedFile } from '../support/shared.js';

/** mulberry32: a small seeded generator; equal seeds give equal files on every machine. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Imports and infers; true where it worked, false where a diagnostic was raised. */
function survives(bytes: Uint8Array, what: string): boolean {
  try {
    infer(importOnnx(bytes), { batch: 2 });
    return true;
  } catch (error) {
    if (error instanceof DiagnosticError) return false;
    assert.unreachable(`${what}: ${(error as Error).stack}`);
    return false;
  }
}

/** Mutates mostly where structure is: large tensors would otherwise take nearly every hit. */
function mutate(bytes: Uint8Array, next: () => number): Uint8Array {
  const mutated = bytes.slice();
  const structural = Array.from({ length: 2 }, () => Math.floor(next() * (bytes.length - 4096)));
  for (let i = 0, n = 1 + Math.floor(next() * 6); i < n; i++) {
    const place = next();
    const at = place < 0.3 ? next() * 4096 : place < 0.6 ? bytes.length - 1 - next() * 4096 : structural[i & 1] + next() * 4096;
    mutated[Math.max(0, Math.min(bytes.length - 1, Math.floor(at)))] = next() < 0.5 ? Math.floor(next() * 256) : [0, 1, 0x7f, 0x80, 0xff][Math.floor(next() * 5)];
  }
  return mutated;
}

for (const [path, seed] of [
  ['qonnx/models/TFC_2W2A.onnx', 1],
  ['mlperf_tiny/model_kws.onnx', 2],
] as const) {
  // Files that import are inferred too, and few bytes of structure change without notice: some must, most must not.
  test(`250 truncations and 250 mutations of ${path}`, () => {
    const bytes = sharedFile(path);
    if (!bytes) return;
    const next = random(seed);
    let imported = 0;
    for (let i = 0; i < 250; i++) {
      const length = Math.floor(next() * bytes.length);
      if (survives(bytes.subarray(0, length), `the first ${length} bytes`)) imported++;
    }
    assert.is(imported, 0, 'a truncated model must never pass for a whole one');
    for (let i = 0; i < 250; i++) if (survives(mutate(bytes, next), `mutation ${i} of seed ${seed}`)) imported++;
    assert.ok(imported > 20 && imported < 230, `${imported} of 250 mutations imported: the mutations miss what they are for`);
  });
}

test('500 mutations of a small model, where every byte is structure', () => {
  const bytes = modelBytes({
    inputs: [tensorInput('x', ['N', 2, 4, 4])],
    initializers: [floats('w', [3, 2, 3, 3], new Array<number>(54).fill(0.5)), floats('b', [3], [1, 2, 3])],
    nodes: [node('Conv', ['x', 'w', 'b'], ['c'], [intsAttribute('pads', [1, 1, 1, 1]), intsAttribute('strides', [2, 2])]), node('Relu', ['c'], ['r']), node('Flatten', ['r'], ['y'])],
  });
  const next = random(3);
  for (let i = 0; i < 500; i++) {
    const mutated = bytes.slice();
    for (let k = 0; k < 3; k++) mutated[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
    survives(mutated, `mutation ${i} of seed 3`);
  }
  for (let length = 0; length < bytes.length; length++) assert.not(survives(bytes.subarray(0, length), `the first ${length} bytes`));
});

test('random bytes', () => {
  const next = random(4);
  for (let i = 0; i < 500; i++) assert.not(survives(Uint8Array.from({ length: Math.floor(next() * 300) }, () => next() * 256), `file ${i} of seed 4`));
});

// Small files that ask for much. Nothing here asserts a time: without its limit, each takes minutes or all memory.
test('names of 100,000 characters, and a near miss of one', () => {
  const long = 'n'.repeat(100000);
  assert.not(survives(modelBytes({ inputs: Array.from({ length: 10 }, (_, i) => tensorInput(`${long}${i}`, [1, 4])), nodes: [node('Relu', [`${long}x`], ['y'])] }), 'long names'));
});

test('20,000 inputs and outputs', () => {
  const names = Array.from({ length: 20000 }, (_, i) => `${i}`);
  const bytes = modelBytes({ inputs: names.map((n) => tensorInput(`x${n}`, ['N', 2])), nodes: names.map((n) => node('Relu', [`x${n}`], [`y${n}`])), outputs: names.map((n) => `y${n}`) });
  assert.ok(survives(bytes, 'many outputs'));
});

test('2^24 windows of 2^24 elements over a constant are left for run time', () => {
  const k = 2 ** 12;
  const bytes = modelBytes({
    inputs: [tensorInput('x', [1, 1])],
    initializers: [floats('c', [1, 1, 1, 1], [1])],
    nodes: [node('MaxPool', ['c'], ['p'], [intsAttribute('kernel_shape', [k, k]), intsAttribute('pads', [k - 1, k - 1, k - 1, k - 1])]), node('Add', ['x', 'p'], ['y'])],
  });
  assert.equal(fold(importOnnx(bytes)).nodes.map((n) => n.op), ['MaxPool', 'Add']);
});

test('constants that double with every node are not folded without end', () => {
  const bytes = modelBytes({
    initializers: [floats('v0', [2], [1, 1])],
    nodes: [
      ...Array.from({ length: 26 }, (_, i) => node('Concat', [`v${i}`, `v${i}`], [`v${i + 1}`], [intAttribute('axis', 0)])),
      node('ReduceSum', ['v26'], ['total']),
      node('Add', ['x', 'total'], ['y']),
    ],
  });
  const folded = fold(importOnnx(bytes));
  assert.ok(Object.values(folded.constants).every((c) => c.data.length <= 2 ** 26));
});

test('a tensor of a thousand dimensions', () => {
  assert.not(survives(modelBytes({ initializers: [floats('w', new Array<number>(1000).fill(1), [1])], nodes: [node('Add', ['x', 'w'], ['y'])] }), 'many dimensions'));
});

test.run();
