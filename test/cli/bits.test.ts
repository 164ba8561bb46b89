/** What `verify` stands on: a single differing bit is found and named; NaNs are one. */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeDifference, firstDifference, firstDifferingTensor, hashElements, largestDeviation } from '../../sdk/cli/bits.js';

/** A float32 of these bits. */
const bits = (...words: number[]): Float32Array => new Float32Array(Uint32Array.from(words).buffer);

test('every bit counts, but those of NaN', () => {
  assert.is(firstDifference(bits(0x7fc00000, 0x3f800000), bits(0xffc00001, 0x3f800000), true), -1);
  assert.is(firstDifference([0, 1], [0, 1], true), -1);
  assert.is(firstDifference([1, 0], [1, -0], true), 1);
  assert.is(firstDifference(bits(0x3f800000, 0x3f800001), bits(0x3f800000, 0x3f800000), true), 1);
  assert.is(firstDifference([1, -1], [1, 2 ** 32 - 1], false), -1); // two's complement
  assert.is(firstDifference([1, 2], [1, 2, 3], false), 2);
});

test('the hash is SHA-256 of the elements, NaN canonical', () => {
  const expected = (words: number[]): string => createHash('sha256').update(new Uint8Array(Uint32Array.from(words).buffer)).digest('hex').slice(0, 16);
  assert.is(hashElements(bits(0xffc12345, 0x80000000), true), expected([0x7fc00000, 0x80000000]));
  assert.is(hashElements([-1, 7], false), expected([0xffffffff, 7]));
  assert.not.equal(hashElements([0], true), hashElements([-0], true));
});

test('the first differing tensor and element are named', () => {
  const tensors = { x: { shape: [2], dtype: 'float32' }, conv: { shape: [1, 2, 2], dtype: 'float32' }, codes: { shape: [3], dtype: 'int4' } };
  const expected = new Map<string, number[]>([['x', [1, 2]], ['gone', [1]], ['conv', [1, 2, 3, 4]], ['codes', [1, 2, 3]]]);
  const compared = new Set<string>();
  assert.is(firstDifferingTensor(compared, new Map([['conv', [1, 2, 3, 4]], ['codes', [1, 2, 3]], ['x', [1, 2]]]), expected, tensors), '');
  assert.equal([...compared], ['x', 'conv', 'codes']);
  const found = new Map([['codes', [0, 2, 3]], ['conv', [1, 2, 3.5, 5]]]);
  assert.is(firstDifferingTensor(new Set(), found, expected, tensors), 'conv [0, 1, 0] is 3.5 (40600000), should be 3 (40400000); 2 of 4 elements differ');
  assert.is(describeDifference('codes', [3], [0, 2, 3], [1, 2, 3], false), 'codes [0] is 0, should be 1; 1 of 3 elements differ');
});

test('deviation from the reference', () => {
  assert.equal(largestDeviation([1, 2.5, NaN], [1, 2, NaN]), { deviation: 0.5, scale: 2 });
  assert.equal(largestDeviation([NaN, 1], [3, 1]), { deviation: Infinity, scale: 3 });
  assert.equal(largestDeviation([Infinity], [Infinity]), { deviation: 0, scale: 0 });
});

test.run();
