/** The interpreter: the meaning of every operation at its edges, reductions, layouts, both forms, faults. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  add, axis, binary, bitcast, compare, constant, convert, divide, factor, float, floatFromBits, int, load, maximum, minimum, mul, ref, rem,
  select, sub, sum, times, unary, within,
} from '../../codegen/ir/build.js';
import { interpret, createInterpreter } from '../../codegen/ir/interpret.js';
import type { Binary, ElementType, Expr, Kernel, Layout } from '../../codegen/ir/program.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

/** value(a, b) over pairs. */
function pairs(type: ElementType, out: ElementType, a: readonly number[], b: readonly number[], value: (a: Expr, b: Expr) => Expr): number[] {
  const n = a.length;
  const unit = makeUnit(
    { a: { shape: [n], dtype: type, role: 'input' }, b: { shape: [n], dtype: type, role: 'input' }, y: { shape: [n], dtype: out, role: 'output' } },
    [makeKernel({ space: [{ name: 'i', extent: n }], stores: [{ tensor: 'y', at: [axis('i')], value: value(load('a', ['i']), load('b', ['i'])) }] })],
  );
  return [...interpret(unit, { a, b }).get('y')!];
}

function map(type: ElementType, out: ElementType, x: readonly number[], value: (x: Expr) => Expr): number[] {
  return pairs(type, out, x, x, value);
}

const same = (found: readonly number[], expected: readonly number[]): void =>
  assert.ok(found.length === expected.length && found.every((v, i) => Object.is(v, expected[i])), `${found} is not ${expected}`);

const f32 = (op: Binary) => (a: Expr, b: Expr): Expr => binary(op, 'float32', a, b);

test('float32 operations round once', () => {
  const f = Math.fround;
  same(pairs('float32', 'float32', [16777216, 0.1, 1e38], [1, 0.2, 1e38], f32('add')), [16777216, f(f(0.1) + f(0.2)), f(f(1e38) + f(1e38))]);
  same(pairs('float32', 'float32', [1, 0, 1], [3, 0, 0], divide), [f(1 / 3), NaN, Infinity]);
  same(pairs('float32', 'float32', [0.1, 3e38, 1e-30], [0.1, 2, 1e-20], f32('mul')), [f(f(0.1) * f(0.1)), Infinity, 0]);
  same(map('float32', 'float32', [2, -1, -0], (x) => unary('sqrt', 'float32', x)), [f(Math.SQRT2), NaN, -0]);
});

test('min and max propagate NaN and order zeros', () => {
  same(pairs('float32', 'float32', [-0, 0, NaN, 1], [0, -0, 1, NaN], f32('min')), [-0, -0, NaN, NaN]);
  same(pairs('float32', 'float32', [-0, 0, NaN, 1], [0, -0, 1, NaN], f32('max')), [0, 0, NaN, NaN]);
});

test('nearest takes halves to even and keeps the sign of zero', () => {
  const x = [0.5, 1.5, 2.5, -0.5, -1.5, -0, 0.49999997, 8388609, -8388607.5, Infinity, NaN];
  same(map('float32', 'float32', x, (v) => unary('nearest', 'float32', v)), [0, 2, 2, -0, -2, -0, 0, 8388609, -8388608, Infinity, NaN]);
  same(map('float32', 'float32', [-0.5, -0, 1.9], (v) => unary('floor', 'float32', v)), [-1, -0, 1]);
});

test('float32 to integer truncates and saturates, NaN gives 0', () => {
  same(map('float32', 'int4', [7.9, -8.9, 100, -100, NaN, Infinity, -0.5], (x) => convert('int4', x)), [7, -8, 7, -8, 0, 7, 0]);
  same(map('float32', 'uint32', [4294967296, -1, 3.5], (x) => convert('uint32', x)), [4294967295, 0, 3]);
  same(map('float32', 'int32', [3e9, -3e9], (x) => convert('int32', x)), [2147483647, -2147483648]);
});

test('integer to float32 rounds to nearest even, also beyond 53 bits', () => {
  same(map('int32', 'float32', [16777217, 16777219, -2147483647], (x) => convert('float32', x)), [16777216, 16777220, -2147483648]);
  // 2^62 + 2^38 + 1 lies just above a tie: rounding through a double would go down to the even neighbour
  const wide = (x: Expr): Expr => add('int64', add('int64', binary('shl', 'int64', x, int(62)), binary('shl', 'int64', x, int(38))), x);
  same(map('int8', 'float32', [1], (x) => convert('float32', wide(x))), [2 ** 62 + 2 ** 39]);
});

test('shifts and logic act on the two\'s complement of the type', () => {
  same(pairs('int32', 'int32', [-8, -1, 1], [1, 31, 31], (a, b) => binary('shr', 'int32', a, b)), [-4, -1, 0]);
  same(pairs('int32', 'uint32', [-8, -1, 1], [1, 31, 31], (a, b) => binary('shr', 'uint32', a, b)), [2147483644, 1, 0]);
  same(pairs('int8', 'int8', [100, -1, 1], [1, 4, 7], (a, b) => binary('shl', 'int8', a, b)), [-56, -16, -128]);
  same(pairs('int32', 'uint32', [-1, 5], [12, 3], (a, b) => binary('and', 'uint32', a, b)), [12, 1]);
  same(pairs('int4', 'int4', [-8, 5], [3, -1], (a, b) => binary('xor', 'int4', a, b)), [-5, -6]);
  same(map('int4', 'int32', [-1, 5], (x) => unary('popcount', 'int32', x)), [4, 2]);
});

test('64-bit integers are exact: high and low half of a product of 32-bit ones', () => {
  const product = (a: Expr, b: Expr): Expr => mul('uint64', a, b);
  const high = pairs('uint32', 'uint32', [0xd2511f53, 0xffffffff], [0xcd9e8d57, 0xffffffff], (a, b) => convert('uint32', binary('shr', 'uint64', product(a, b), int(32)), false));
  const low = pairs('uint32', 'uint32', [0xd2511f53, 0xffffffff], [0xcd9e8d57, 0xffffffff], (a, b) => convert('uint32', binary('and', 'uint64', product(a, b), int(0xffffffff, 'uint32')), false));
  const expected = [0xd2511f53n * 0xcd9e8d57n, 0xffffffffn * 0xffffffffn];
  same(high, expected.map((v) => Number(v >> 32n)));
  same(low, expected.map((v) => Number(v & 0xffffffffn)));
});

test('bitcast goes both ways and refuses to make a NaN', () => {
  same(map('float32', 'int32', [1, -0, Infinity], (x) => bitcast('int32', x)), [0x3f800000, -2147483648, 0x7f800000]);
  same(map('int32', 'float32', [0x3f800000, -2147483648], (x) => bitcast('float32', x)), [1, -0]);
  refuses(() => map('int32', 'float32', [0x7fc00000], (x) => bitcast('float32', x)), 'error [program/invalid] k: bitcast of 2143289344 made a NaN');
});

test('compare and select with NaN', () => {
  const x = [1, NaN, -1];
  same(map('float32', 'float32', x, (v) => select('float32', compare('ge', v, float(0)), v, float(9))), [1, 9, 9]);
  same(map('float32', 'uint1', x, (v) => compare('ne', v, v)), [0, 1, 0]);
});

test('an integer that does not fit its type is a fault', () => {
  refuses(
    () => pairs('int8', 'int8', [100], [100], (a, b) => add('int8', a, b)),
    'error [program/invalid] k: add int8 gave 200, which does not fit int8 (-128 .. 127)\n  The width was not proved: use a wider type, or saturate.',
  );
  refuses(() => map('int8', 'int4', [9], (x) => x), 'error [program/invalid] k: 9 is stored to y, which holds int4 in -8 .. 7');
  same(map('int8', 'int4', [9, -128], (x) => convert('int4', x)), [7, -8]);
});

test('a value that is read before it is set is a fault', () => {
  const kernel: Kernel = {
    ...mapKernel('x', 'y', 1, (x) => x),
    scheduled: { steps: [], locals: [{ name: 'r', type: 'int8', shape: [2] }], body: [{ kind: 'store', tensor: 'y', at: [constant(0)], value: { op: 'local', name: 'r', at: [constant(1)] } }] },
  };
  const unit = makeUnit({ x: { shape: [1], dtype: 'int8', role: 'input' }, y: { shape: [1], dtype: 'int8', role: 'output' } }, [kernel]);
  refuses(() => interpret(unit, { x: [1] }), 'error [program/invalid] k: local r gave NaN, which does not fit int8 (-128 .. 127)\n  A value was read before it was set.');
});

// ---- Reductions ----

const dense = (partials: number): Kernel =>
  makeKernel({
    op: 'dense', space: [{ name: 'o', extent: 2 }], reduce: [{ name: 'k', extent: 8 }], partials,
    accumulators: [{ name: 'a', type: 'float32', init: float(0), update: add('float32', ref('a'), mul('float32', load('x', ['k']), load('w', ['o', 'k']))) }],
    stores: [{ tensor: 'y', at: [axis('o')], value: maximum('float32', add('float32', ref('a'), float(0.5)), float(0)) }],
  });
const denseTensors: Record<string, TensorSpec> = {
  x: { shape: [8], role: 'input' },
  w: { shape: [2, 8], role: 'constant', data: Float32Array.from({ length: 16 }, (_, i) => Math.sin(i + 1)) },
  y: { shape: [2], role: 'output' },
};
const x8 = Float32Array.from([1, 1e8, -1e8, 3, 0.1, 0.2, 7, -2.5]);

test('a reduction runs in order, and partial sums interleave and combine by halves', () => {
  const f = Math.fround;
  const term = (o: number, k: number): number => f(x8[k] * f(Math.sin(o * 8 + k + 1)));
  const expected = [1, 4].map((P) =>
    [0, 1].map((o) => {
      const parts = new Array<number>(P).fill(0);
      for (let k = 0; k < 8; k++) parts[k % P] = f(parts[k % P] + term(o, k));
      for (let half = P / 2; half >= 1; half /= 2) for (let p = 0; p < half; p++) parts[p] = f(parts[p] + parts[p + half]);
      return Math.max(f(parts[0] + 0.5), 0);
    }),
  );
  [1, 4].forEach((P, i) => same([...interpret(makeUnit(denseTensors, [dense(P)]), { x: x8 }).get('y')!], expected[i]));
  assert.not.equal(expected[0], expected[1]);
});

test('a tuple of accumulators takes its new values at once', () => {
  // Fibonacci: (a, b) := (b, a + b)
  const kernel = makeKernel({
    reduce: [{ name: 'k', extent: 10 }],
    accumulators: [
      { name: 'a', type: 'int32', init: int(0), update: ref('b') },
      { name: 'b', type: 'int32', init: int(1), update: convert('int32', add('int33', ref('a'), ref('b'))) },
    ],
    stores: [{ tensor: 'y', at: [constant(0)], value: ref('a') }, { tensor: 'z', at: [constant(0)], value: ref('b') }],
  });
  const result = interpret(makeUnit({ y: { shape: [1], dtype: 'int32', role: 'output' }, z: { shape: [1], dtype: 'int32', role: 'output' } }, [kernel]), {});
  assert.equal([result.get('y')![0], result.get('z')![0]], [55, 89]);
});

test('guarded loads take their else-value, quotients and remainders floor', () => {
  const kernel = makeKernel({
    space: [{ name: 'i', extent: 6 }],
    stores: [{ tensor: 'y', at: [axis('i')], value: load('x', [sum('i', -2)], [within(sum('i', -2), 0, 3)], int(9, 'int8')) }],
  });
  const wrap = makeKernel({ name: 'wrap', space: [{ name: 'i', extent: 6 }], stores: [{ tensor: 'z', at: [axis('i')], value: load('x', [rem(sum('i', -4), 3)]) }] });
  const unit = makeUnit({ x: { shape: [3], dtype: 'int8', role: 'input' }, y: { shape: [6], dtype: 'int8', role: 'output' }, z: { shape: [6], dtype: 'int8', role: 'output' } }, [kernel, wrap]);
  const result = interpret(unit, { x: [1, 2, 3] });
  assert.equal([...result.get('y')!], [9, 9, 1, 2, 3, 9]);
  assert.equal([...result.get('z')!], [3, 1, 2, 3, 1, 2]);
});

test('data-dependent indices are clamped', () => {
  const at = factor({ value: load('i', ['n']), lo: 0, hi: 2 });
  const kernel = makeKernel({ space: [{ name: 'n', extent: 4 }], stores: [{ tensor: 'y', at: [axis('n')], value: load('x', [at]) }] });
  const unit = makeUnit({ i: { shape: [4], dtype: 'int8', role: 'input' }, x: { shape: [3], role: 'input' }, y: { shape: [4], role: 'output' } }, [kernel]);
  assert.equal([...interpret(unit, { i: [-5, 0, 1, 9], x: [10, 20, 30] }).get('y')!], [10, 10, 20, 30]);
});

test('dot adds groups of products', () => {
  const kernel = makeKernel({
    reduce: [{ name: 'k', extent: 2 }],
    accumulators: [{ name: 'a', type: 'int20', init: int(0), update: add('int20', ref('a'), { op: 'dot', type: 'int18', axis: 'j', extent: 2, a: load('x', [sum(times('k', 2), 'j')]), b: load('w', [sum(times('k', 2), 'j')]) }) }],
    stores: [{ tensor: 'y', at: [constant(0)], value: ref('a') }],
  });
  const unit = makeUnit({ x: { shape: [4], dtype: 'int8', role: 'input' }, w: { shape: [4], dtype: 'int8', role: 'input' }, y: { shape: [1], dtype: 'int20', role: 'output' } }, [kernel]);
  assert.equal([...interpret(unit, { x: [1, 2, 3, -128], w: [5, -6, 7, 127] }).get('y')!], [5 - 12 + 21 - 128 * 127]);
});

// ---- Layouts ----

const digits = (...strides: number[]) => strides.map((stride) => [{ stride, divisor: 1, modulus: 0 }]);

test('layouts: strides, offsets, split digits, broadcast dimensions', () => {
  const split: Layout = { offset: 64, dims: [[{ stride: 32 * 6, divisor: 2, modulus: 0 }, { stride: 32, divisor: 1, modulus: 2 }], [{ stride: 64, divisor: 1, modulus: 0 }]], elementBits: 32, containerBits: 32 };
  const unit = makeUnit(
    {
      x: { shape: [4, 3], role: 'input' },
      s: { shape: [4, 3], layout: split, bytes: 56 },
      flat: { shape: [14], buffer: 's' },
      b: { shape: [4, 3], buffer: 'x', layout: { offset: 32, dims: [[], digits(32)[0]], elementBits: 32, containerBits: 32 } },
      y: { shape: [4, 3], role: 'output' },
      z: { shape: [4, 3], role: 'output' },
    },
    ['s', 'y', 'z'].map((to, i) => makeKernel({ name: to, space: [{ name: 'i', extent: 4 }, { name: 'j', extent: 3 }], stores: [{ tensor: to, at: [axis('i'), axis('j')], value: load(['x', 's', 'b'][i], ['i', 'j']) }] })),
  );
  const x = Array.from({ length: 12 }, (_, i) => i);
  const result = interpret(unit, { x });
  assert.equal([...result.get('y')!], x);
  assert.equal([...result.get('z')!], [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
  assert.not.ok(result.has('flat'), 'a tensor that was not wholly written is left out');
  // rows 0 and 1 interleave, then rows 2 and 3
  const bytes = makeUnit({ ...{ x: { shape: [4, 3], role: 'input' as const }, s: { shape: [4, 3], layout: { ...split, offset: 0 }, bytes: 48 }, flat: { shape: [12], buffer: 's' } } }, unit.program.blocks.slice(0, 1));
  assert.equal([...interpret(bytes, { x }).get('flat')!], [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
});

test('sub-byte fields: signed and unsigned, in containers of 8, 16 and 32 bits, neighbours untouched', () => {
  for (const containerBits of [8, 16, 32]) {
    for (const [dtype, bits, lo, hi] of [['int4', 4, -8, 7], ['uint2', 2, 0, 3], ['int2', 2, -2, 1], ['uint1', 1, 0, 1]] as const) {
      const layout: Layout = { offset: 0, dims: digits(bits), elementBits: bits, containerBits };
      const unit = makeUnit(
        { x: { shape: [32], dtype, role: 'input' }, p: { shape: [32], dtype, layout, bytes: 4 * bits }, y: { shape: [32], dtype, role: 'output' } },
        [mapKernel('x', 'p', 32, (v) => v, 'pack'), mapKernel('p', 'y', 32, (v) => v, 'unpack')],
      );
      const x = Array.from({ length: 32 }, (_, i) => lo + ((i * 7) % (hi - lo + 1)));
      assert.equal([...interpret(unit, { x }).get('y')!], x);
    }
  }
});

test('a packed constant reads as its values', () => {
  const unit = makeUnit(
    { w: { shape: [5], dtype: 'int4', role: 'constant', layout: { offset: 0, dims: digits(4), elementBits: 4, containerBits: 8 }, data: Uint8Array.from([0x7f, 0x08, 0x05]) }, y: { shape: [5], dtype: 'int4', role: 'output' } },
    [mapKernel('w', 'y', 5, (v) => v)],
  );
  assert.equal([...interpret(unit, {}).get('y')!], [-1, 7, -8, 0, 5]);
});

test('halo: written by a kernel of op halo, read outside the extent', () => {
  const layout: Layout = { offset: 32, dims: digits(32), elementBits: 32, containerBits: 32, halo: [[1, 1]], haloValue: 0 };
  const halo = makeKernel({ name: 'border', op: 'halo', space: [{ name: 'e', extent: 2 }], stores: [{ tensor: 'p', at: [sum(times('e', 5), -1)], value: float(0) }] });
  const read = makeKernel({ name: 'read', space: [{ name: 'i', extent: 6 }], stores: [{ tensor: 'y', at: [axis('i')], value: load('p', [sum('i', -1)]) }] });
  const unit = makeUnit({ x: { shape: [4], role: 'input' }, p: { shape: [4], layout, bytes: 24 }, y: { shape: [6], role: 'output' } }, [halo, mapKernel('x', 'p', 4, (v) => v, 'fill'), read]);
  assert.equal([...interpret(unit, { x: [1, 2, 3, 4] }).get('y')!], [0, 1, 2, 3, 4, 0]);
});

// ---- Forms, repeats, calls ----

test('the scheduled form runs where there is one, and only if wanted', () => {
  const kernel: Kernel = {
    ...mapKernel('x', 'y', 6, (x) => x),
    scheduled: {
      steps: ['split i by 3'],
      locals: [{ name: 'r', type: 'float32', shape: [3] }],
      body: [{
        kind: 'loop', axis: 'i.o', start: 0, extent: 2, mode: 'serial',
        body: [
          { kind: 'loop', axis: 'i.i', start: 0, extent: 3, mode: 'vector', body: [
            { kind: 'let', name: 'v', type: 'float32', value: load('x', [sum(times('i.o', 3), 'i.i')]) },
            { kind: 'set', name: 'r', at: [axis('i.i')], value: mul('float32', ref('v'), float(2)) },
          ] },
          { kind: 'loop', axis: 'i.i', start: 0, extent: 3, mode: 'unrolled', body: [
            { kind: 'store', tensor: 'y', at: [sum(times('i.o', 3), 'i.i')], value: { op: 'local', name: 'r', at: [axis('i.i')] }, guard: [within(sum(times('i.o', 3), 'i.i'), 0, 5)] },
          ] },
          { kind: 'if', guard: [within('i.o', 1, 2)], body: [{ kind: 'store', tensor: 'y', at: [constant(5)], value: float(-1) }] },
        ],
      }],
    },
  };
  const unit = makeUnit({ x: { shape: [6], role: 'input' }, y: { shape: [6], role: 'output' } }, [kernel]);
  const x = [1, 2, 3, 4, 5, 6];
  assert.equal([...interpret(unit, { x }).get('y')!], [2, 4, 6, 8, 10, -1]);
  assert.equal([...interpret(unit, { x }, { scheduled: false }).get('y')!], x);
});

test('repeats: constant and given by an input; state lives on between calls', () => {
  const step = makeKernel({ stores: [{ tensor: 'next', at: [constant(0)], value: add('float32', load('s', [0]), add('float32', float(1), convert('float32', { op: 'index', type: 'int8', index: axis('t') }))) }] });
  const show = makeKernel({ name: 'show', stores: [{ tensor: 'y', at: [constant(0)], value: load('s', [0]) }] });
  const tensors: Record<string, TensorSpec> = { n: { shape: [], dtype: 'int8', role: 'input' }, s: { shape: [1], role: 'state' }, next: { shape: [1], buffer: 's' }, y: { shape: [1], role: 'output' } };
  const unit = makeUnit(tensors, [{ kind: 'repeat', axis: 't', count: { input: 'n', max: 4 }, body: [step] }, show]);
  const interpreter = createInterpreter(unit);
  assert.equal([...interpreter.run({ n: [3] }).get('y')!], [1 + 2 + 3]);
  assert.equal([...interpreter.run({ n: [100] }).get('y')!], [6 + 1 + 2 + 3 + 4]);
  assert.equal([...interpreter.run({ n: [-1] }).get('y')!], [16]);
});

test('inputs that are missing, unknown, too short or of another type are refused', () => {
  const unit = makeUnit({ image: { shape: [2], dtype: 'uint4', role: 'input' }, y: { shape: [2], dtype: 'uint4', role: 'output' } }, [mapKernel('image', 'y', 2, (x) => x)]);
  refuses(() => interpret(unit, {}), 'error [run/missing-input] image: the input was not given\n  Give a value for "image".');
  refuses(() => interpret(unit, { image: [1, 2], imag: [1] }), 'error [run/unknown-input] imag: the Program has no such input\n  Did you mean "image"?');
  refuses(() => interpret(unit, { image: [1] }), 'error [run/shape] image: [2] takes 2 elements, and 1 were given\n  Give the elements in row-major order.');
  refuses(() => interpret(unit, { image: [1, 16] }), 'error [run/data-type] image: element 1 is 16, and uint4 takes integers from 0 to 15\n  Quantize the input first.');
});

test('memory that nothing wrote is junk, also in a second call', () => {
  const unit = makeUnit({ x: { shape: [1], role: 'input' }, t: { shape: [2] }, y: { shape: [1], role: 'output' } }, [
    makeKernel({ stores: [{ tensor: 'y', at: [constant(0)], value: load('t', [1]) }] }),
    makeKernel({ name: 'late', stores: [{ tensor: 't', at: [constant(1)], value: load('x', [0]) }] }),
  ]);
  const interpreter = createInterpreter(unit);
  for (let call = 0; call < 2; call++) assert.is(interpreter.run({ x: [1] }).get('y')![0], floatFromBits('a5a5a5a5'));
});

test('integer min, sub, neg and abs', () => {
  same(pairs('int8', 'int8', [3, -4], [-5, 7], (a, b) => minimum('int8', a, b)), [-5, -4]);
  same(pairs('int8', 'int9', [3, -128], [-5, 127], (a, b) => sub('int9', a, b)), [8, -255]);
  same(map('int8', 'int9', [-128, 0], (x) => unary('neg', 'int9', x)), [128, 0]);
  same(map('int8', 'uint8', [-128, 5], (x) => unary('abs', 'uint8', x)), [128, 5]);
});

test.run();
