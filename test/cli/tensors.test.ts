/** Inputs of the commands: from files, drawn, cut into calls; outputs put together. Files: written whole or not at all. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFolder, externalReader, readBytes, writeAll } from '../../sdk/cli/files.js';
import { checkOutput, outputBytes, randomInputs, readInputs, runInBatches, type Slot } from '../../sdk/cli/tensors.js';
import { coordinates, formatTensor } from '../../sdk/cli/text.js';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../sdk/data/npy.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigmaflow-cli-'));
const at = (name: string): string => path.join(folder, name);
const save = (name: string, bytes: Uint8Array | string): string => {
  fs.writeFileSync(at(name), bytes);
  return at(name);
};
/** The text of what is thrown, with the folder's name taken out. */
function refusal(what: () => unknown): string {
  try {
    what();
  } catch (error) {
    return (error as Error).message.replaceAll(folder, 'DIR');
  }
  throw new Error('was accepted');
}

const x: Slot = { name: 'x', shape: [2, 3], dtype: 'float32', batched: true };
const codes: Slot = { name: 'codes', shape: [2], dtype: 'int4', batched: true };
const table: Slot = { name: 'table', shape: [4], dtype: 'float32', batched: false };

test('one input, by its file; several, by name or archive', () => {
  const file = save('x.npy', writeNpy({ shape: [5, 3], data: Float32Array.from({ length: 15 }, (_, i) => i) }));
  const one = readInputs([file], [x]);
  assert.is(one.count, 5);
  assert.equal([...one.tensors.x.data], Array.from({ length: 15 }, (_, i) => i));

  const c = save('c=1.npy', writeNpy({ shape: [5], data: BigInt64Array.from([-8n, 7n, 0n, 1n, 2n]) }));
  const t = save('t.npy', writeNpy({ shape: [4], data: Float64Array.of(0.1, 2, 3, 4) }));
  const three = readInputs([`x=${file}`, `codes=${c}`, `table=${t}`], [x, codes, table]);
  assert.equal([...three.tensors.codes.data], [-8, 7, 0, 1, 2]);
  assert.is(three.tensors.table.data[0], Math.fround(0.1));

  const archive = save('all.npz', writeNpz({ x: { shape: [1, 3], data: Float32Array.of(1, 2, 3) }, codes: { shape: [1], data: Int8Array.of(3) }, other: { shape: [], data: Int8Array.of(0) } }));
  assert.equal(Object.keys(readInputs([archive], [x, codes]).tensors), ['x', 'codes']);
  assert.is(readInputs([archive, `table=${t}`], [x, codes, table]).count, 1);
});

test('inputs that do not fit are refused by name', () => {
  const file = save('x.npy', writeNpy({ shape: [5, 3], data: new Float32Array(15) }));
  const flat = save('flat.npy', writeNpy({ shape: [15], data: new Float32Array(15) }));
  const none = save('none.npy', writeNpy({ shape: [0, 3], data: new Float32Array(0) }));
  const archive = save('y.npz', writeNpz({ y: { shape: [1, 3], data: new Float32Array(3) } }));
  const two = save('two.npy', writeNpy({ shape: [2], data: Int8Array.of(1, 2) }));
  assert.is(refusal(() => readInputs([], [x])), 'error [run/missing-input] x: this input of the model was not given (float32 of shape [N, 3])\n  Give it with --input FILE.npy.');
  assert.is(refusal(() => readInputs([`x=${file}`], [x, codes])), 'error [run/missing-input] codes: this input of the model was not given (int4 of shape [N])\n  Give it with --input codes=FILE.npy.');
  assert.is(refusal(() => readInputs([flat], [x])), 'error [run/shape] x: expected float32 of shape [N, 3], found shape [15] in DIR/flat.npy\n  Reshape it: N inputs are [N, 3].');
  assert.is(refusal(() => readInputs([none], [x])), 'error [run/shape] x: expected float32 of shape [N, 3], found shape [0, 3] in DIR/none.npy\n  Reshape it: N inputs are [N, 3].');
  assert.is(refusal(() => readInputs([`x=${file}`, `codes=${two}`], [x, codes])), 'error [run/shape] codes: expected 5 inputs as in "x", found 2 in DIR/two.npy\n  Give every input the same first dimension.');
  assert.is(refusal(() => readInputs([`z=${file}`], [x])), 'error [run/unknown-input] z: the model has no input "z"\n  Did you mean "x"?');
  assert.is(refusal(() => readInputs([file, file], [x])), 'error [run/unknown-input] x: the input is given twice, the second time by DIR/x.npy\n  Give each input once.');
  assert.is(refusal(() => readInputs([file], [x, codes])), `error [cli/usage] --input DIR/x.npy: the model has 2 inputs: x, codes\n  Say which one it is: --input x=DIR/x.npy.`);
  assert.is(refusal(() => readInputs([archive], [x])), "error [run/missing-input] x: DIR/y.npz has no array of this name; it has y\n  Save it with numpy.savez under the input's name.");
  assert.is(refusal(() => readInputs([`x=${archive}`], [x])), 'error [run/missing-input] x: DIR/y.npz has no array of this name\n  Did you mean "y"?');
});

test('numbers that the input does not hold are refused by element', () => {
  const refuse = (slot: Slot, data: Parameters<typeof writeNpy>[0]['data']): string => {
    const file = save('v.npy', writeNpy({ shape: [data.length, ...slot.shape.slice(1)], data }));
    return refusal(() => readInputs([file], [slot]));
  };
  const float: Slot = { name: 'f', shape: [1], dtype: 'float32', batched: true };
  assert.is(refuse(float, Float64Array.of(1, 1e300)), 'error [run/data-type] f: element 1 of DIR/v.npy is 1e+300, beyond the range of float32\n  The input takes float32: scale or round the data first.');
  assert.is(refuse(float, Int32Array.of(2 ** 24 + 1)), 'error [run/data-type] f: element 0 of DIR/v.npy is 16777217, which float32 does not hold exactly\n  The input takes float32: scale or round the data first.');
  assert.is(refuse(float, BigInt64Array.of(2n ** 60n + 1n)), 'error [run/data-type] f: element 0 of DIR/v.npy is 1152921504606846977, which float32 does not hold exactly\n  The input takes float32: scale or round the data first.');
  assert.is(refuse(codes, Int8Array.of(0, 8)), 'error [run/data-type] codes: element 1 of DIR/v.npy is 8, outside the values of int4\n  The input takes int4 (-8 to 7): scale or round the data first.');
  assert.is(refuse(codes, Float32Array.of(0.5)), 'error [run/data-type] codes: element 0 of DIR/v.npy is 0.5, which is no whole number\n  The input takes int4 (-8 to 7): scale or round the data first.');
  assert.is(refuse(codes, Float32Array.of(NaN)), 'error [run/data-type] codes: element 0 of DIR/v.npy is NaN, which is no whole number\n  The input takes int4 (-8 to 7): scale or round the data first.');
  assert.match(refuse({ ...codes, dtype: 'bipolar' }, Int8Array.of(0)), 'is 0, outside the values of bipolar');
  // NaN and infinity are float32 values: they pass.
  const file = save('nan.npy', writeNpy({ shape: [3], data: Float64Array.of(NaN, Infinity, -Infinity) }));
  assert.equal([...readInputs([file], [float]).tensors.f.data], [NaN, Infinity, -Infinity]);
});

test('random inputs are the same for the same seed and stay in the type', () => {
  const a = randomInputs([x, codes], 50, 7).tensors;
  assert.equal(a, randomInputs([x, codes], 50, 7).tensors);
  assert.not.equal([...a.x.data], [...randomInputs([x, codes], 50, 8).tensors.x.data]);
  assert.equal(a.x.shape, [50, 3]);
  const many = randomInputs([{ ...x, shape: [1, 1] }, { ...codes, dtype: 'bipolar', name: 'signs' }, codes], 4000, 1).tensors;
  const values = [...many.x.data];
  const mean = values.reduce((s, v) => s + v, 0) / 4000;
  const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / 4000;
  assert.ok(Math.abs(mean) < 0.08 && Math.abs(variance - 1) < 0.12, `mean ${mean}, variance ${variance}`);
  assert.equal([...new Set(many.signs.data)].sort(), [-1, 1]);
  assert.equal([...new Set(many.codes.data)].sort((p, q) => p - q), Array.from({ length: 16 }, (_, i) => i - 8));
});

test('N inputs run in ceil(N / batch) calls, the last padded with zeros and trimmed', () => {
  const inputs = { tensors: { x: { shape: [5, 3], data: Float32Array.from({ length: 15 }, (_, i) => i + 1) } }, count: 5 };
  const seen: number[][] = [];
  const sum: Slot = { name: 'sum', shape: [2, 1], dtype: 'float32', batched: true };
  const outputs = runInBatches(inputs, [x], [sum], 2, (call) => {
    const d = call.x.data;
    seen.push([...d]);
    return { sum: [d[0] + d[1] + d[2], d[3] + d[4] + d[5]] };
  });
  assert.equal(seen, [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], [13, 14, 15, 0, 0, 0]]);
  assert.equal(outputs.sum.shape, [5, 1]);
  assert.equal([...outputs.sum.data], [6, 15, 24, 33, 42]);
  const total: Slot = { name: 'total', shape: [], dtype: 'float32', batched: false };
  assert.is(
    refusal(() => runInBatches(inputs, [x], [total], 2, () => ({ total: [0] }))),
    'error [run/shape] total: this output belongs to a whole batch of 2, but 5 inputs were given\n  Give 2, or compile with --batch 5.',
  );
});

test('outputs become .npy or .npz', () => {
  const one = { y: { shape: [2], data: Float32Array.of(1, 2) } };
  const both = { ...one, z: { shape: [1], data: Int32Array.of(3) } };
  assert.equal([...readNpy(outputBytes('y.npy', one)).data], [1, 2]);
  assert.equal(Object.keys(readNpz(outputBytes('y.npz', one))), ['y']);
  assert.equal(Object.keys(readNpz(outputBytes('y.NPZ', both))), ['y', 'z']);
  const slots = ['y', 'z'].map((name): Slot => ({ name, shape: [1], dtype: 'float32', batched: true }));
  checkOutput(at('y.npz'), slots);
  checkOutput(at('y.npy'), slots.slice(1));
  assert.is(refusal(() => checkOutput('y.npy', slots)), 'error [cli/usage] --output y.npy: the model has 2 outputs (y, z), which a .npy file cannot hold\n  Name a .npz file.');
});

test('files: all or none, and every failure named', () => {
  writeAll([{ file: at('new/deep/a.txt'), bytes: 'a' }, { file: at('new/deep/b.txt'), bytes: Uint8Array.of(98) }]);
  assert.is(fs.readFileSync(at('new/deep/b.txt'), 'utf8'), 'b');
  fs.mkdirSync(at('folder'));
  const wrong = (): void => writeAll([{ file: at('other/c.txt'), bytes: 'c' }, { file: at('folder'), bytes: 'd' }]);
  assert.is(refusal(wrong), 'error [file/unwritable] DIR/folder: expected the name of a file, found a folder\n  Name a file in it.');
  assert.not.ok(fs.existsSync(at('other')));
  assert.equal(fs.readdirSync(at('folder')), []);
  save('plain', 'text');
  assert.is(refusal(() => writeAll([{ file: at('plain/e.txt'), bytes: 'e' }])), 'error [file/unwritable] DIR/plain/e.txt: a part of the path is a file, not a folder\n  Choose another place with -o or --output.');
  assert.match(refusal(() => checkFolder(at('plain/sub'))), /^error \[file\/unwritable\] DIR\/plain\/sub: expected a folder, found that .*plain is a file\n  Choose another place with -o or --output\.$/);
  checkFolder(at('not/yet/there'));
  assert.not.ok(fs.existsSync(at('not')));

  assert.is(refusal(() => readBytes(at('plian'))), 'error [file/unreadable] DIR/plian: there is no such file\n  Did you mean "plain"?');
  assert.is(refusal(() => readBytes(folder)), 'error [file/unreadable] DIR: expected a file, found a folder\n  Name a file in it.');
  assert.is(refusal(() => readBytes(at('plain/x'))), 'error [file/unreadable] DIR/plain/x: a part of the path is a file, not a folder\n  Check the path and its permissions.');
  assert.is(refusal(() => readBytes('/dev/null')), 'error [file/unreadable] /dev/null: expected a file, found a device');
});

test('external data stays in the model\'s folder', () => {
  fs.mkdirSync(at('model/sub'), { recursive: true });
  save('model/sub/w.bin', 'w');
  save('secret.bin', 's');
  fs.symlinkSync(at('secret.bin'), at('model/link.bin'));
  const read = externalReader(at('model/net.onnx'));
  assert.is(read('sub/w.bin').length, 1);
  const note = "\n  Put the file into the model's folder, DIR/model, or save the model with its data inside.";
  const outside = (location: string): string => `error [onnx/external-data] ${location}: the external data lies outside the model's folder${note}`;
  for (const location of ['../secret.bin', 'link.bin', 'sub/../../secret.bin', '']) assert.is(refusal(() => read(location)), outside(location));
  assert.is(refusal(() => read(at('secret.bin'))), outside('DIR/secret.bin'));
  assert.is(refusal(() => read('none.bin')), `error [onnx/external-data] none.bin: the file with the external data is not there${note}`);
});

test('tensors as text', () => {
  assert.is(formatTensor([2, 3], [1, -2.5, 0.1234567891, 10, NaN, -0]), '  [0]   1  -2.5  0.1234568\n  [1]  10   NaN         -0');
  assert.is(formatTensor([], [7]), '  7');
  assert.is(formatTensor([6], [1, 2, 3, 4, 5, 6], 4, 4), '  1  2  ...  5  6');
  assert.is(formatTensor([5, 1], [1, 2, 3, 4, 5], 4), '  [0]  1\n  [1]  2\n  ... 1 row not shown\n  [3]  4\n  [4]  5');
  assert.equal(coordinates(7, [2, 2, 3]), [1, 0, 1]);
});

test.after(() => fs.rmSync(folder, { recursive: true, force: true }));
test.run();
