/**
 * The generator against its authors' known answers, and the transform to normal numbers against scipy's inverse distribution
 * function, live. The distribution of what they make together: test/ops/randomnormal.test.ts.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { philox, keyIncrement, standardNormal } from '../../codegen/functions/random.js';
import { Scope } from '../../codegen/functions/scope.js';
import { axis, int, load } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { verify } from '../../codegen/ir/verify.js';
import { referenceNormal, referencePhilox } from '../../codegen/ops/randomreference.js';
import { makeKernel, makeUnit } from '../support/programs.js';
import { pythonWith } from '../support/python.js';
import { Random } from '../support/random.js';

/** Random123, kat_vectors, philox4x32 with 10 rounds: counter, key, result. */
const knownAnswers: readonly (readonly [readonly number[], readonly number[], readonly number[]])[] = [
  [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
];

/** One word of the expressions' generator, by the interpreter. */
function generated(counter: readonly number[], key: readonly number[], which: 0 | 1 | 2 | 3): number {
  const scope = new Scope();
  const of = (w: number) => load('counter', [w]);
  const value = philox(scope, [of(0), of(1), of(2), of(3)], (r, j) => int((key[j] + keyIncrement(r, j)) % 2 ** 32, 'uint32'), which);
  const unit = makeUnit(
    { counter: { shape: [4], dtype: 'uint32', role: 'input' }, y: { shape: [], dtype: 'uint32', role: 'output' } },
    [makeKernel({ epilogue: scope.lets, stores: [{ tensor: 'y', at: [], value }] })],
  );
  verify(unit);
  return interpret(unit, { counter }).get('y')![0];
}

test('Philox4x32-10: the published known answers, all four words', () => {
  for (const [counter, key, result] of knownAnswers) {
    assert.equal(referencePhilox(counter, key), result);
    assert.equal(([0, 1, 2, 3] as const).map((which) => generated(counter, key, which)), result);
  }
});

/** Normal numbers of words, by the interpreter. */
function normals(words: Uint32Array): Float32Array {
  const scope = new Scope(['i']);
  const value = standardNormal(scope, scope.bind('bits', 'uint32', load('w', ['i'])));
  const unit = makeUnit(
    { w: { shape: [words.length], dtype: 'uint32', role: 'input' }, y: { shape: [words.length], role: 'output' } },
    [makeKernel({ space: [{ name: 'i', extent: words.length }], epilogue: scope.lets, stores: [{ tensor: 'y', at: [axis('i')], value }] })],
  );
  verify(unit);
  return interpret(unit, { w: words }).get('y') as Float32Array;
}

/** Words of both signs, as near to 0 and to the tails as every power of two, and all of the extreme ones. */
const random = new Random(5);
const spread = Uint32Array.from({ length: 31 }, (_, e) => e).reduce<number[]>((all, e) => {
  for (let k = 0; k < 300; k++) {
    const near = Math.floor(2 ** e * random.float(1, 2 - 1e-9));
    all.push(near, 0x7fffffff - near, ~near, ~(0x7fffffff - near));
  }
  return all;
}, []);
const extremes = [...Array(32).keys()].flatMap((k) => [k, 0x7fffffff - k, 0x80000000 + k, 0xffffffff - k]);
const words = Uint32Array.from([...extremes, ...spread]);

const python = pythonWith('scipy', 'numpy');
if (python) {
  test('normal numbers: within 1.5e-6 of scipy\'s ndtri, of themselves, over all exponents and at the extreme words', () => {
    // (w + 1/2) 2^-32 is exact in float64; the smaller tail is asked for, so that nothing cancels
    const script = 'import json, sys; import numpy as np; from scipy.special import ndtri; w = np.array(json.load(sys.stdin), dtype=np.int64); s = np.where(w < 2**31, w, w - 2**32); '
      + 'p = np.where(s < 0, 2**31 + s + .5, 2**31 - s - .5) * 2.0**-32; z = ndtri(p); print(json.dumps(np.where(s < 0, z, -z).tolist()))';
    const { stdout } = spawnSync(python, ['-c', script], { input: JSON.stringify([...words]), encoding: 'utf8', maxBuffer: 2 ** 26 });
    const wanted = JSON.parse(stdout) as number[];
    const found = normals(words);
    wanted.forEach((z, i) => {
      assert.ok(Math.abs(found[i] / z - 1) < 1.5e-6, `word ${words[i]}: ${found[i]}, and ${z} is expected`);
      assert.ok(Math.abs(referenceNormal(words[i]) / z - 1) < 1e-9 || Math.abs(z) < 1e-6, `reference of word ${words[i]}: ${referenceNormal(words[i])}, and ${z} is expected`);
    });
    assert.ok(Math.abs(Math.max(...found) - 6.33796) < 1e-4);
  });
}

test('normal numbers are symmetric and monotone, but for rounding', () => {
  const signed = [...new Set(Int32Array.from(words))].sort((a, b) => a - b);
  const found = normals(Uint32Array.from(signed));
  const opposite = normals(Uint32Array.from(signed, (w) => ~w));
  signed.forEach((w, i) => {
    assert.ok(Math.abs(opposite[i] / found[i] + 1) < 4e-7, `word ${w}: ${found[i]}, and ${opposite[i]} of its complement`);
    if (i > 0) assert.ok(found[i] >= found[i - 1] - 2e-6 * Math.abs(found[i]), `word ${w} lies below its neighbour`);
  });
});

test.run();
