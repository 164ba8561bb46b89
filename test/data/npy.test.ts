/** .npy and .npz: what NumPy writes is read, what is written NumPy's way is read back, bad bytes are named. */
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readNpy, readNpyStream, readNpz, writeNpy, writeNpz } from '../../sdk/data/npy.js';

/** A .npy file with this header text, padded as NumPy pads. */
function npy(descr: string, shape: string, data: number[], { fortran = 'False', version = 1 } = {}): Uint8Array {
  const text = `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const size = version === 1 ? [length & 255, length >> 8] : [length & 255, length >> 8, 0, 0];
  const header = [...`${text.padEnd(length - 1)}\n`].map((c) => c.charCodeAt(0));
  return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...size, ...header, ...data]);
}

const floats = (values: number[]) => [...new Uint8Array(Float32Array.from(values).buffer)];

function text(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

test('element types, byte orders, header versions', () => {
  assert.equal(readNpy(npy("'<f4'", '(2, 2)', floats([1, 2, 3, 4]))), { shape: [2, 2], dtype: 'float32', data: Float32Array.of(1, 2, 3, 4) });
  assert.equal(readNpy(npy("'>i2'", '(3,)', [0, 1, 255, 254, 1, 44])).data, Int16Array.of(1, -2, 300));
  assert.equal(readNpy(npy("'|b1'", '(2,)', [1, 0])), { shape: [2], dtype: 'bool', data: Uint8Array.of(1, 0) });
  assert.equal(readNpy(npy("'<i8'", '()', [255, 255, 255, 255, 255, 255, 0xdf, 255])), { shape: [], dtype: 'int64', data: BigInt64Array.of(-(2n ** 53n) - 1n) });
  assert.equal(readNpy(npy("'|u1'", '(1,)', [7], { version: 2 })).data, Uint8Array.of(7));
  assert.equal(readNpy(npy("'<u4'", '(1,)', [7, 0, 0, 0], { version: 3 })).data, Uint32Array.of(7));
  assert.equal(readNpy(npy("'<f8'", '(0, 3)', [])).shape, [0, 3]);
});

test('a Buffer at any offset is copied', () => {
  const bytes = Buffer.concat([Buffer.from('x'), writeNpy({ shape: [2], data: Float32Array.of(1, 2) })]).subarray(1);
  const { data } = readNpy(bytes);
  bytes.fill(0);
  assert.equal(data, Float32Array.of(1, 2));
});

test('float16 is widened exactly', () => {
  const bytes = [0x00, 0x3e, 0x00, 0x80, 0x01, 0x00, 0xff, 0x7b, 0x00, 0x7c, 0x00, 0xfc, 0x00, 0x7e];
  const { data, dtype } = readNpy(npy("'<f2'", '(7,)', bytes));
  assert.is(dtype, 'float16');
  assert.equal([...(data as Float32Array)].map((x) => (Object.is(x, -0) ? '-0' : String(x))), ['1.5', '-0', String(2 ** -24), '65504', 'Infinity', '-Infinity', 'NaN']);
});

test('Fortran order becomes row-major', () => {
  const read = readNpy(npy("'<f4'", '(2, 3)', floats([0, 3, 1, 4, 2, 5]), { fortran: 'True' }));
  assert.equal([...(read.data as Float32Array)], [0, 1, 2, 3, 4, 5]);
  const cube = Array.from({ length: 24 }, (_, i) => i);
  const fortran = cube.map((_, i) => (i % 2) * 12 + (Math.floor(i / 2) % 3) * 4 + Math.floor(i / 6));
  assert.equal([...(readNpy(npy("'<f4'", '(2, 3, 4)', floats(fortran), { fortran: 'True' })).data as Float32Array)], cube);
});

test('written arrays are read back, alone, in a stream and in an archive', () => {
  const a = { shape: [2, 1], data: Float32Array.of(-0, 1.5e-42), dtype: 'float32' as const };
  const b = { shape: [], data: BigUint64Array.of(2n ** 64n - 1n), dtype: 'uint64' as const };
  const c = { shape: [3], data: Uint8Array.of(1, 0, 1), dtype: 'bool' as const };
  for (const array of [a, b, c]) {
    const bytes = writeNpy(array);
    assert.equal(readNpy(bytes), array);
    assert.is((bytes.length - array.data.byteLength) % 64, 0);
  }
  const stream = [a, b, c].map(writeNpy);
  assert.equal(readNpyStream(Uint8Array.from(stream.flatMap((s) => [...s]))), [a, b, c]);
  assert.equal(readNpz(writeNpz({ a, b, c })), { a, b, c });
  assert.equal(writeNpz({ a }), writeNpz({ a }));
});

test('an archive that numpy.savez_compressed wrote', () => {
  const bytes = Buffer.from(
    'UEsDBC0AAAAIAAAAIQC2jIZT//////////8FABQAeC5ucHkBABAAjAAAAAAAAABLAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC4GMGiwBxIOAFBLAwQtAAAACAAAACEAO8m61v//////////BQAUAHkubnB5AQAQAIgAAAAAAAAATQAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mirqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgqGmjoKtQpkAy5GBgYGJiAGAFBLAQItAy0AAAAIAAAAIQC2jIZTSwAAAIwAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQA7ybrWTQAAAIgAAAAFAAAAAAAAAAAAAACAAYIAAAB5Lm5weVBLBQYAAAAAAgACAGYAAAAGAQAAAAA=',
    'base64',
  );
  assert.equal(readNpz(bytes), {
    x: { shape: [3], dtype: 'float32', data: Float32Array.of(0, 1, 2) },
    y: { shape: [2, 1], dtype: 'int32', data: Int32Array.of(1, 2) },
  });
});

test('files of the golden data', () => {
  const file = (path: string) => new URL(`../../../shared/data/${path}`, import.meta.url);
  if (!existsSync(file('bench/mlp.golden.npz'))) return console.log('SKIP files of the golden data: ../shared/data is missing');
  const golden = readNpz(readFileSync(file('bench/mlp.golden.npz')));
  assert.ok(Object.keys(golden).length >= 2);
  for (const array of Object.values(golden)) assert.is(array.data.length, array.shape.reduce((a, b) => a * b, 1));
  assert.is(readNpy(readFileSync(file('qonnx/finn_repo/build_dataflow/input.npy'))).data.length > 0, true);
});

test('bad bytes are named', () => {
  const good = npy("'<f4'", '(2,)', floats([1, 2]));
  assert.is(
    text(() => readNpy(new TextEncoder().encode('P5 28 28'), 'x.npy')),
    'error [file/not-npy] x.npy: expected a .npy file, which begins with \\x93NUMPY; found other bytes\n  Write the file again with numpy.save.',
  );
  assert.is(
    text(() => readNpy(good.subarray(0, good.length - 3), 'x.npy')),
    'error [file/not-npy] x.npy: expected 8 bytes of data for shape (2) of float32, found 5\n  The file is cut off. Write the file again with numpy.save.',
  );
  assert.match(text(() => readNpy(good.subarray(0, 9))), 'the file ends inside its header');
  assert.match(text(() => readNpy(good.subarray(0, 40))), 'the file ends inside its header');
  assert.match(text(() => readNpy(Uint8Array.from([...good, 0]))), `expected ${good.length} bytes by its header, found ${good.length + 1}`);
  assert.match(text(() => readNpy(npy("'<c8'", '(1,)', [0, 0, 0, 0, 0, 0, 0, 0]))), 'element type "<c8" is not supported');
  assert.match(text(() => readNpy(npy("[('a', '<f4')]", '(1,)', [0, 0, 0, 0]))), 'a structured array');
  assert.match(text(() => readNpy(npy("'<f4'", '(99999999, 99999999)', []))), /expected 39999999200000\d+ bytes/);
  assert.match(text(() => readNpy(npy("'<f4'", 'None', []))), "the header does not say 'shape'");
  assert.match(text(() => readNpz(good, 'x.npz')), 'error [file/not-npy] x.npz: expected a .npz archive');
  for (let cut = 0; cut < good.length; cut++) assert.match(text(() => readNpy(good.subarray(0, cut))), 'file/not-npy');
});

test.run();
