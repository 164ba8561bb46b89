/** IDX: the committed digits are read; bad bytes are named. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readIdx } from '../../sdk/data/idx.js';

test('the committed digits', () => {
  const file = (name: string) => readFileSync(new URL(`../../examples/data/${name}`, import.meta.url));
  const images = readIdx(file('mnist600-images.idx3-ubyte.gz'));
  const labels = readIdx(file('mnist600-labels.idx1-ubyte.gz'));
  assert.equal(images.shape.slice(1), [28, 28]);
  assert.equal(labels.shape, [images.shape[0]]);
  assert.ok(labels.data.every((label: number) => label < 10));
  assert.is(Math.max(...images.data.subarray(0, 784)), 255);
});

test('element types are big endian', () => {
  assert.equal(readIdx(Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 255, 254, 1, 0)), { shape: [2], data: Int16Array.of(-2, 256) });
  assert.equal(readIdx(Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0)).data, Float32Array.of(1.5));
});

test('bad bytes are named', () => {
  const message = (bytes: Uint8Array) => {
    try {
      readIdx(bytes, 'digits.idx');
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('nothing was thrown');
  };
  assert.is(
    message(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 1, 2)),
    'error [file/unreadable] digits.idx: expected an IDX file (idx1-ubyte, idx3-ubyte, plain or .gz): shape [3] takes 3 bytes, found 2\n  Get the file again: it is not the one that was published.',
  );
  assert.match(message(Uint8Array.of(1, 2, 3)), 'does not begin with 0, 0');
  assert.match(message(new Uint8Array()), 'does not begin with 0, 0');
  assert.match(message(Uint8Array.of(0, 0, 8, 3, 0, 0)), 'ends inside its header');
  const packed = gzipSync(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 5));
  assert.equal(readIdx(packed).data, Uint8Array.of(5));
  assert.match(message(packed.subarray(0, 12)), 'gzip layer is cut off');
  assert.match(message(Uint8Array.from([...packed.subarray(0, 10), 255, 255, 255, ...packed.subarray(13)])), 'gzip layer is damaged');
});

test.run();
