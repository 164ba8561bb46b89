/** Packing: the order of reading becomes the order of bits; values come back as they were, with zeros where loops overrun. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axis, constant, div, load, rowMajor, storageBits, sum, times } from '../../codegen/ir/build.js';
import { describe, type DataType } from '../../codegen/ir/datatype.js';
import { addressAt } from '../../codegen/ir/indexing.js';
import { makeConstant } from '../../codegen/ir/graph.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Index, Tensor } from '../../codegen/ir/program.js';
import { constantBytes } from '../../codegen/schedule/lower.js';
import { codedField, fieldBits, packedLayout, repack, type PackLoop } from '../../codegen/schedule/pack.js';
import { makeKernel, makeUnit, type TensorSpec } from '../support/programs.js';
import { Random } from '../support/random.js';

const loops = (spec: string): PackLoop[] => spec.split(' ').map((s) => ({ name: s.split('<')[0], extent: Number(s.split('<')[1]) }));
const digits = (...parts: readonly (readonly [number, string])[]): Index => sum(...parts.map(([c, name]) => axis(name, c)));

interface Packed {
  readonly tensor: Tensor;
  readonly values: readonly number[];
  readonly bytes: Uint8Array;
}

/** A constant of random values, packed; every value is read back by the interpreter. */
function roundTrip(dtype: DataType, range: readonly [number, number], shape: readonly number[], at: readonly Index[], order: PackLoop[], elementBits: number, containerBits: number): Packed {
  const random = new Random(elementBits * 100 + containerBits);
  const count = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, (_, i) => (i < 2 ? range[i] : dtype === 'float32' ? random.float(...range) : random.integer(...range)));
  const bits = storageBits(dtype, (d) => describe(d).bits);
  const plain: Tensor = { name: 'w', dtype, shape, buffer: 'w', layout: rowMajor(shape, bits), ...(dtype === 'float32' ? {} : { range }) };
  const packed = packedLayout(shape, at, { order, elementBits, containerBits });
  assert.ok(packed, 'it can be packed');
  const { tensor, bytes, buffer } = repack(plain, constantBytes(makeConstant(dtype, shape, values), bits), 'w', packed!.layout, packed!.bits);
  assert.is(buffer.bytes, bytes.length);
  assert.is(bytes.length * 8, packed!.bits);
  const axes = shape.map((extent, d) => ({ name: `d${d}`, extent }));
  const tensors: Record<string, TensorSpec> = { w: { dtype, shape, role: 'constant', layout: tensor.layout, data: bytes, ...(dtype === 'float32' ? {} : { range }) }, y: { dtype, shape, role: 'output' } };
  const copy = makeKernel({ space: axes, stores: [{ tensor: 'y', at: axes.map((a) => axis(a.name)), value: load('w', axes.map((a) => a.name)) }] });
  assert.equal(Array.from(interpret(makeUnit(tensors, [copy]), {}).get('y')!), dtype === 'float32' ? values.map(Math.fround) : values);
  return { tensor, values, bytes };
}

test('fields of 1 to 7 bits, signed and not, in containers of 8 and 16 bits', () => {
  for (let bits = 1; bits <= 7; bits++) {
    for (const containerBits of [8, 16]) {
      for (const signed of [false, true]) {
        const range = signed ? ([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] as const) : ([0, 2 ** bits - 1] as const);
        // as many fields as a container holds, read innermost; o in groups of 4 over 6 outputs
        const fields = Math.floor(containerBits / bits);
        const order = loops(`o.o<2 k.o<3 o.i<4 k.i<${fields}`);
        const { bytes } = roundTrip(signed ? 'int8' : 'uint8', range, [6, 3 * fields], [digits([4, 'o.o'], [1, 'o.i']), digits([fields, 'k.o'], [1, 'k.i'])], order, bits, containerBits);
        assert.is(bytes.length, (2 * 3 * 4 * containerBits) / 8);
      }
    }
  }
});

test('digits of a loop: some of its iterations share a byte, and the lanes run between them and the others', () => {
  const order = [{ name: 'k.o', extent: 2 }, { name: 'k.i', extent: 3, by: 4 }, { name: 'o', extent: 16 }, { name: 'k.i', extent: 4 }];
  const { tensor, bytes } = roundTrip('int8', [-2, 1], [24, 10], [digits([12, 'k.o'], [1, 'k.i']), axis('o')], order, 2, 8);
  assert.is(bytes.length, 2 * 3 * 16);
  assert.is(addressAt(tensor.layout, [12 + 4 + 3, 5]), ((3 + 1) * 16 + 5) * 8 + 3 * 2);
});

test('two values far apart take one bit, and the last ones stand where there are no more', () => {
  const values = Array.from({ length: 3 * 5 }, (_, i) => (i % 4 < 2 ? -3 : 5));
  const plain: Tensor = { name: 'w', dtype: 'int8', shape: [3, 5], buffer: 'w', layout: rowMajor([3, 5], 8), range: [-3, 5], step: 8 };
  const { bits, code } = codedField(plain);
  assert.equal([bits, code], [1, { base: -3, step: 8 }]);
  assert.equal(codedField({ ...plain, step: 1 }), { bits: 4 });
  const packed = packedLayout([3, 5], [axis('k'), axis('o')], { order: loops('k<3 o<8'), elementBits: 1, containerBits: 8, code })!;
  const { bytes } = repack(plain, constantBytes(makeConstant('int8', [3, 5], values), 8), 'w', packed.layout, packed.bits);
  // -3 is 0 and 5 is 1; outputs 5 to 7 repeat output 4.
  assert.equal([...bytes], [0b000_01100, 0b000_00110, 0b111_10011]);
});

test('whole elements of 8, 16 and 32 bits in reading order', () => {
  const order = loops('o.o<2 k<5 o.i<4');
  const at = [digits([4, 'o.o'], [1, 'o.i']), axis('k')];
  roundTrip('int8', [-128, 127], [8, 5], at, order, 8, 8);
  roundTrip('int16', [-32768, 32767], [8, 5], at, order, 16, 16);
  roundTrip('float32', [-2, 2], [8, 5], at, order, 32, 32);
  const { tensor } = roundTrip('int8', [-128, 127], [8, 5], at, order, 8, 8);
  // o.i varies fastest, then k, then o.o
  assert.equal([[0, 0], [1, 0], [3, 0], [0, 1], [4, 0], [7, 4]].map((p) => addressAt(tensor.layout, p) / 8), [0, 1, 3, 4, 20, 39]);
});

test('where loops overrun, the bytes are zero, and the layout says so', () => {
  const { tensor, bytes } = roundTrip('uint8', [1, 255], [6, 2], [digits([4, 'o.o'], [1, 'o.i']), axis('k')], loops('o.o<2 k<2 o.i<4'), 8, 8);
  assert.equal(tensor.layout.pad, [2, 0]);
  assert.is(bytes.length, 16);
  assert.equal(Array.from(bytes, (b) => (b === 0 ? 0 : 1)), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0]);
});

test('a mixed radix of three digits in one dimension, in any order of reading', () => {
  const at = [digits([12, 'a'], [3, 'b'], [1, 'c'])];
  for (const order of ['a<2 b<4 c<3', 'c<3 a<2 b<4', 'b<4 c<3 a<2']) roundTrip('int8', [-5, 5], [24], at, loops(order), 8, 8);
  const { layout } = packedLayout([24], at, { order: loops('c<3 a<2 b<4'), elementBits: 8, containerBits: 8 })!;
  assert.equal(layout.dims, [[{ stride: 32, divisor: 12, modulus: 0 }, { stride: 8, divisor: 3, modulus: 4 }, { stride: 64, divisor: 1, modulus: 3 }]]);
});

test('dimensions of extent 1 have no digits', () => {
  roundTrip('int8', [-5, 5], [1, 4, 1], [constant(0), axis('c'), constant(0)], loops('c<4'), 8, 8);
});

test('what is no mixed radix over the loops is not packed', () => {
  const no = (shape: number[], at: Index[], order: string, elementBits = 8, containerBits = 8): void =>
    assert.is(packedLayout(shape, at, { order: loops(order), elementBits, containerBits }), undefined);
  no([8], [axis('i', 1, 1)], 'i<7'); // an offset
  no([8], [axis('i', 2)], 'i<4'); // places that nothing reads
  no([8], [digits([3, 'a'], [1, 'b'])], 'a<2 b<4'); // digits that overlap
  no([8], [digits([5, 'a'], [1, 'b'])], 'a<2 b<4'); // digits with a hole between
  no([8], [axis('i')], 'i<7'); // not all of it
  no([8, 8], [axis('i'), axis('i')], 'i<8'); // a diagonal
  no([8], [axis('i')], 'i<8 j<2'); // a loop that reads all of it again
  no([8], [axis('j')], 'i<8'); // a loop that is not given
  no([8], [axis('i', -1)], 'i<8');
  no([8], [div('i', 2)], 'i<16');
  no([8], [constant(0)], 'i<8');
  no([8], [times('i', 0)], 'i<8');
  no([8], [axis('i')], 'i<8', 3, 8); // 24 bits of fields that 8 cannot hold
});

test('the narrowest field of a range', () => {
  const bits = (dtype: DataType, range?: readonly [number, number]): number =>
    fieldBits({ name: 'w', dtype, shape: [1], buffer: 'w', layout: rowMajor([1], 8), ...(range ? { range } : {}) });
  assert.equal([bits('int8', [-1, 1]), bits('int8', [-2, 1]), bits('int8', [-2, 2]), bits('int8', [-1, 0]), bits('int8', [0, 0])], [2, 2, 3, 1, 1]);
  assert.equal([bits('uint8', [0, 1]), bits('uint8', [0, 2]), bits('uint8', [5, 7]), bits('uint8', [0, 128])], [1, 2, 3, 8]);
  assert.equal([bits('int8', [-128, 5]), bits('int8'), bits('int16', [-100, 100]), bits('int4')], [8, 8, 8, 4]);
});

test.run();
