/** The verifier: for each invariant Programs that break it, with the whole text, and ones that keep it. */
import { test } from 'uvu';
import {
  add, axis, binary, bitcast, compare, constant, convert, div, factor, float, int, load, maximum, minimum, mul, ref, rowMajor, select, sum, times, unary, within,
} from '../../codegen/ir/build.js';
import { lookupTable } from '../../codegen/ir/lookup.js';
import type { Expr, Kernel, Layout, Program, ProgramUnit, Stmt, Tensor } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

const broken = (unit: ProgramUnit, text: string): void => refuses(() => verify(unit), `error [program/invalid] ${text}`);

/** The same unit with another Program. */
const edit = (unit: ProgramUnit, change: (p: Program) => object): ProgramUnit => ({ ...unit, program: { ...unit.program, ...change(unit.program) } });

const io = (n: number, more: Partial<TensorSpec> = {}, out: Partial<TensorSpec> = more): Record<string, TensorSpec> => ({
  x: { shape: [n], role: 'input', ...more },
  y: { shape: [n], role: 'output', ...out },
});
const copy = (): ProgramUnit => makeUnit(io(4), [mapKernel('x', 'y', 4, (x) => x)]);
const stores = (value: Expr, tensors: Record<string, TensorSpec> = io(4)): ProgramUnit =>
  makeUnit(tensors, [makeKernel({ space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('i')], value }] })]);

test('a good Program passes', () => {
  verify(copy());
});

// ---- 1, 2, 8, 9: data, constants, the closed language ----

test('plain data', () => {
  broken(edit(copy(), () => ({ arenaBytes: NaN })), 'test.arenaBytes: the number NaN has no JSON text');
  broken(edit(copy(), () => ({ target: undefined })), 'test.target: undefined is no plain data');
  broken(edit(copy(), () => ({ target: () => 1 })), 'test.target: a function is no plain data');
  broken(edit(copy(), () => ({ inputs: new Set(['x']) })), 'test.inputs: an object of a class is no plain data');
});

test('constants have their bytes, by hash', () => {
  const tensors: Record<string, TensorSpec> = { w: { shape: [4], role: 'constant', data: Float32Array.of(1, 2, 3, 4) }, y: { shape: [4], role: 'output' } };
  const unit = makeUnit(tensors, [mapKernel('w', 'y', 4, (x) => x)]);
  verify(unit);
  const hash = unit.program.buffers.w.hash!;
  broken({ ...unit, data: new Map() }, `w: the constant buffer's bytes (hash ${hash}) are not in the Program's data`);
  broken({ ...unit, data: new Map([[hash, new Uint8Array(8)]]) }, 'w: the constant buffer has 16 bytes, and its data 8');
  broken({ ...unit, data: new Map([[hash, new Uint8Array(16)]]) }, `w: the constant buffer's hash ${hash} is not that of its bytes`);
  const narrow = makeUnit({ w: { shape: [2], dtype: 'int8', role: 'constant', data: Int8Array.of(3, 9), range: [0, 8] }, y: { shape: [2], dtype: 'int8', role: 'output' } }, [mapKernel('w', 'y', 2, (x) => x)]);
  broken(narrow, 'w: its element [1] is 9, outside 0 .. 8');
});

test('names, roles and numbers', () => {
  const unit = copy();
  broken(edit(unit, () => ({ inputs: ['z'] })), 'z: this input of the Program is no tensor');
  broken(edit(unit, () => ({ inputs: ['y'] })), 'y: this input of the Program lies in a buffer of role output');
  broken(edit(unit, (p) => ({ tensors: { ...p.tensors, x: { ...p.tensors.x, name: 'q' } } })), 'x: this tensor calls itself "q"');
  broken(edit(unit, (p) => ({ tensors: { ...p.tensors, x: { ...p.tensors.x, buffer: 'q' } } })), 'x: its buffer "q" does not exist');
  broken(edit(unit, (p) => ({ blocks: [...p.blocks, ...p.blocks] })), 'k: two kernels have this name');
  broken(makeUnit(io(4), [makeKernel({ space: [{ name: 'i', extent: 2.5 }], stores: [{ tensor: 'y', at: [axis('i')], value: float(0) }] })]), 'k: the extent of i is 2.5, and an integer of at least 1 is needed');
  broken(stores(load('x', [axis('i', 1.5)])), 'k: a coefficient of an index is 1.5, and an integer is needed');
  broken(makeUnit(io(4), [makeKernel({ space: [{ name: 'i', extent: 4 }], reduce: [{ name: 'i', extent: 2 }], stores: [{ tensor: 'y', at: [axis('i')], value: float(0) }] })]), 'k: the axis i occurs twice');
});

test('the language is closed', () => {
  broken(stores({ op: 'random', type: 'float32' } as unknown as Expr), 'k: there is no operation "random"');
  broken(stores(load('x', ['i']), io(4, { dtype: 'bipolar' as never })), 'x: the tensor has the type bipolar, and a Program has float32, intN and uintN');
  broken(stores(add('int65' as never, int(1), int(1))), 'k: the result of add has the type int65, and at most 64 bits are possible');
});

test('layouts stay inside their buffers, and fields inside their containers', () => {
  const layout = (l: Partial<Layout>): Layout => ({ ...rowMajor([4], 32), ...l });
  broken(stores(float(0), io(4, { layout: layout({ offset: 32 }), bytes: 16 })), 'x: its elements lie in bits 32 to 159 of a buffer of 128 bits');
  broken(stores(float(0), io(4, { layout: layout({ containerBits: 64 as never }) })), 'x: its containers have 64 bits, and 8, 16 or 32 are possible');
  const fields: Layout = { offset: 0, dims: [[{ stride: 3, divisor: 1, modulus: 0 }]], elementBits: 3, containerBits: 8 };
  broken(makeUnit({ w: { shape: [4], dtype: 'uint3', role: 'constant', layout: fields, data: new Uint8Array(2) }, y: { shape: [4], role: 'output' } }, []), 'w: its element [2] of 3 bits crosses its container of 8 bits');
  broken(stores(float(0), io(4, { dtype: 'uint3', layout: fields, bytes: 2 })), 'x: its layout has 8 bits, no multiple of its elements of 3 bits; only constants may');
  broken(stores(float(0), io(4, { dtype: 'int8', layout: { ...fields, dims: [[{ stride: 4, divisor: 1, modulus: 0 }]], elementBits: 4 } })), 'x: values -128 .. 127 of int8 do not fit 4 bits');
});

// ---- 3: bounds ----

test('accesses stay in bounds', () => {
  broken(stores(load('x', [sum('i', 1)])), 'k: a load of x reaches 1 .. 4 in dimension 0, and readable is 0 .. 3\n  The index is i + 1.');
  broken(makeUnit(io(4), [makeKernel({ space: [{ name: 'i', extent: 5 }], stores: [{ tensor: 'y', at: [axis('i')], value: float(0) }] })]), 'k: a store of y reaches 0 .. 4 in dimension 0, and writable is 0 .. 3\n  The index is i.');
  broken(stores(load('x', [])), 'k: a load of x gives 0 indices, and the tensor has 1 dimensions');
  verify(stores(load('x', [div(times('i', 3), 4)])));
});

test('guards narrow, on an axis, on the same sum, and on a sum with a rest', () => {
  const shifted = sum('i', -2);
  verify(stores(load('x', [shifted], [within(shifted, 0, 4)], float(0))));
  verify(stores(load('x', [times(shifted, 2)], [within(shifted, 0, 2)], float(0))));
  const window = (guard: ReturnType<typeof within>) =>
    makeUnit(io(4), [
      makeKernel({
        space: [{ name: 'i', extent: 4 }], reduce: [{ name: 'k', extent: 3 }],
        accumulators: [{ name: 'a', type: 'float32', init: float(0), update: add('float32', ref('a'), load('x', [sum('i', 'k', -1)], [guard], float(0))) }],
        stores: [{ tensor: 'y', at: [axis('i')], value: ref('a') }],
      }),
    ]);
  verify(window(within(sum('i', 'k', -1), 0, 4)));
  broken(window(within(sum('i', 'k', -1), 0, 5)), 'k: a load of x reaches 0 .. 4 in dimension 0, and readable is 0 .. 3\n  The index is i + k - 1, where 0 <= i + k - 1 < 5.');
});

test('data-dependent indices are bounded by their clamp', () => {
  const at = (hi: number): ProgramUnit => stores(load('x', [factor({ value: load('j', ['i']), lo: 0, hi })]), { ...io(4), j: { shape: [4], dtype: 'int8', role: 'input' } });
  verify(at(3));
  broken(at(4), 'k: a load of x reaches 0 .. 4 in dimension 0, and readable is 0 .. 3\n  The index is clamp(j[i], 0, 4).');
});

const haloLayout: Layout = { offset: 32, dims: [[{ stride: 32, divisor: 1, modulus: 0 }]], elementBits: 32, containerBits: 32, halo: [[1, 1]], haloValue: 0 };
const haloUnit = (op: string, extent = 2): ProgramUnit =>
  makeUnit({ ...io(4), p: { shape: [4], layout: haloLayout, bytes: 24 } }, [
    makeKernel({ name: 'border', op, space: [{ name: 'e', extent }], stores: [{ tensor: 'p', at: [sum(times('e', 5), -1)], value: float(0) }] }),
    mapKernel('x', 'p', 4, (x) => x, 'fill'),
    makeKernel({ space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [axis('i')], value: add('float32', load('p', [sum('i', -1)]), load('p', [sum('i', 1)])) }] }),
  ]);

test('the halo is written by kernels of op halo alone', () => {
  verify(haloUnit('halo'));
  broken(haloUnit('copy'), 'border: a store of p reaches -1 .. 4 in dimension 0, and writable is 0 .. 3\n  The index is 5*e - 1.');
  broken(haloUnit('halo', 1), 'k: it reads p[4], which nothing has written');
});

// ---- 4: written before read, and once ----

test('every element is written before it is read', () => {
  const t: Record<string, TensorSpec> = { ...io(4), t: { shape: [4] } };
  broken(makeUnit(t, [mapKernel('t', 'y', 4, (x) => x, 'b'), mapKernel('x', 't', 4, (x) => x, 'a')]), 'b: it reads t[0], which nothing has written');
  broken(makeUnit(t, [mapKernel('x', 't', 3, (x) => x, 'a'), mapKernel('t', 'y', 4, (x) => x, 'b')]), 'b: it reads t[3], which nothing has written');
  broken(makeUnit(io(4), [mapKernel('x', 'y', 3, (x) => x)]), 'y: nothing writes the element [3] of this output');
});

test('writers of a tensor write disjoint regions', () => {
  broken(makeUnit(io(4), [mapKernel('x', 'y', 4, (x) => x, 'a'), mapKernel('x', 'y', 4, (x) => x, 'b')]), 'b: it writes over elements of y that another kernel has written');
  broken(makeUnit(io(4), [makeKernel({ space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'y', at: [div('i', 2)], value: float(0) }] })]), 'k: it writes an element of y twice');
  const half = (name: string, from: number): Kernel => makeKernel({ name, space: [{ name: 'i', extent: 2 }], stores: [{ tensor: 'y', at: [sum('i', from)], value: load('x', ['i']) }] });
  verify(makeUnit(io(4), [half('a', 0), half('b', 2)]));
});

test('concatenation without copies: views of one buffer', () => {
  const view = (offset: number): TensorSpec => ({ shape: [2], buffer: 't', layout: { ...rowMajor([2], 32), offset } });
  const tensors: Record<string, TensorSpec> = { ...io(4), t: { shape: [4] }, left: view(0), right: view(64) };
  const part = (to: string): Kernel => makeKernel({ name: to, space: [{ name: 'i', extent: 2 }], stores: [{ tensor: to, at: [axis('i')], value: load('x', ['i']) }] });
  verify(makeUnit(tensors, [part('left'), part('right'), mapKernel('t', 'y', 4, (x) => x)]));
  broken(makeUnit(tensors, [part('left'), mapKernel('t', 'y', 4, (x) => x)]), 'k: it reads t[2], which nothing has written');
});

test('in place needs the same index, and ends the old tensor', () => {
  const tensors: Record<string, TensorSpec> = { ...io(4), t: { shape: [4] }, u: { shape: [4], buffer: 't' } };
  const fill = mapKernel('x', 't', 4, (x) => x, 'fill');
  const negate = mapKernel('t', 'u', 4, (x) => unary('neg', 'float32', x), 'negate');
  verify(makeUnit(tensors, [fill, negate, mapKernel('u', 'y', 4, (x) => x)]));
  broken(makeUnit(tensors, [fill, negate, mapKernel('t', 'y', 4, (x) => x)]), 'k: it reads t, which negate has overwritten');
  const reversed = makeKernel({ name: 'reverse', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'u', at: [axis('i')], value: load('t', [axis('i', -1, 3)]) }] });
  broken(makeUnit(tensors, [fill, reversed, mapKernel('u', 'y', 4, (x) => x)]), 'reverse: it reads t and writes u in place, and not at the same index');
});

test('junk in padding must not fall on what is needed', () => {
  const view = (offset: number, pad: number): TensorSpec => ({ shape: [3], buffer: 't', layout: { ...rowMajor([3], 32), offset, pad: [pad] } });
  const tensors: Record<string, TensorSpec> = { ...io(3), t: { shape: [7] }, left: view(0, 1), right: view(96, 1) };
  const lanes = (to: string, name = to): Kernel => ({
    ...makeKernel({ name, space: [{ name: 'i', extent: 3 }], stores: [{ tensor: to, at: [axis('i')], value: load('x', ['i']) }] }),
    scheduled: { steps: [], locals: [], body: [{ kind: 'loop', axis: 'i', start: 0, extent: 4, mode: 'vector', body: [{ kind: 'store', tensor: to, at: [axis('i')], value: float(1) }] }] },
  });
  const show = mapKernel('left', 'y', 3, (x) => x);
  verify(makeUnit(tensors, [lanes('left'), lanes('right'), show]));
  broken(makeUnit(tensors, [lanes('right'), lanes('left'), show]), 'left: padding lanes of left fall on elements that are written already');
});

test('state: the old value is read before the new one overwrites it', () => {
  const tensors: Record<string, TensorSpec> = { ...io(1), s: { shape: [1], role: 'state' }, next: { shape: [1], buffer: 's' } };
  const update = makeKernel({ name: 'update', stores: [{ tensor: 'next', at: [constant(0)], value: add('float32', load('s', [0]), load('x', [0])) }] });
  const show = (from: string): Kernel => makeKernel({ name: 'show', stores: [{ tensor: 'y', at: [constant(0)], value: load(from, [0]) }] });
  verify(makeUnit(tensors, [update, show('next')]));
  verify(makeUnit(tensors, [show('s'), update]));
  broken(makeUnit(tensors, [update, show('s')]), 'show: it reads s, which update has overwritten');
});

test('a repeat starts without what its last iteration left', () => {
  const tensors: Record<string, TensorSpec> = { ...io(4), t: { shape: [4] } };
  const body = [makeKernel({ name: 'late', stores: [{ tensor: 'y', at: [axis('r')], value: load('t', [0]) }] }), mapKernel('x', 't', 4, (x) => x, 'fill')];
  broken(makeUnit(tensors, [{ kind: 'repeat', axis: 'r', count: 4, body }]), 'late: it reads t[0], which nothing has written');
  verify(makeUnit(tensors, [{ kind: 'repeat', axis: 'r', count: 4, body: [...body].reverse() }]));
});

test('iterations of a repeat write apart', () => {
  const tensors: Record<string, TensorSpec> = { x: { shape: [4], role: 'input' }, y: { shape: [8], role: 'output' } };
  const write = (coeff: number): Kernel => makeKernel({ name: 'write', space: [{ name: 'i', extent: 2 }], stores: [{ tensor: 'y', at: [{ offset: 0, terms: [{ coeff, of: 'r' }, { coeff: 1, of: 'i' }] }], value: load('x', ['r']) }] });
  verify(makeUnit(tensors, [{ kind: 'repeat', axis: 'r', count: 4, body: [write(2)] }]));
  broken(makeUnit(tensors, [{ kind: 'repeat', axis: 'r', count: 4, body: [write(1)] }]), 'write: it writes over elements of y that another kernel has written');
});

// ---- 5: types ----

const int8s = io(4, { dtype: 'int8' });

test('no implicit conversion', () => {
  broken(stores(load('x', ['i']), io(4, { dtype: 'int8' }, {})), 'k: what is stored to y is float32, and its value is int8\n  There is no implicit conversion: use convert.');
  broken(stores(add('float32', load('x', ['i']), float(1)), io(4, { dtype: 'int8' }, {})), 'k: add of float32 has operands of int8 and float32\n  There is no implicit conversion: use convert.');
  broken(stores(select('float32', compare('lt', load('x', ['i']), int(1)), float(1), float(0))), 'k: lt compares float32 with int32\n  There is no implicit conversion: use convert.');
  broken(stores(unary('sqrt', 'int8', load('x', ['i'])), int8s), 'k: sqrt is for float32, not for int8');
  broken(stores(binary('shl', 'float32', load('x', ['i']), float(1))), 'k: shl is for integers, not for float32');
  broken(stores(binary('div', 'int8', load('x', ['i']), int(2)), int8s), 'k: div is for float32, not for int8');
  broken(stores(convert('int8', load('x', ['i']), false), io(4, {}, { dtype: 'int8' })), 'k: convert from float32 to int8 does not saturate');
  broken(stores({ op: 'load', tensor: 'x', at: [axis('i')], guard: [within('i', 0, 2)] }), 'k: the guarded load of x has no "otherwise"');
});

test('integer results are proved to fit', () => {
  const widened = add('int8', load('x', ['i']), int(1, 'int8'));
  broken(stores(widened, int8s), 'k: add gives -127 .. 128, and its type int8 holds -128 .. 127\n  The expression is (x[i] + 1:int8):int8.\n  Use a wider type, or a saturating convert.');
  verify(stores(widened, { ...int8s, x: { ...int8s.x, range: [-128, 126] } }));
  broken(stores(convert('int4', load('x', ['i']), false), { ...int8s, y: { shape: [4], dtype: 'int4', role: 'output' } }), 'k: convert gives -128 .. 127, and its type int4 holds -8 .. 7\n  The expression is convert(x[i]):int4.\n  Use a wider type, or a saturating convert.');
  verify(stores(convert('int4', load('x', ['i'])), { ...int8s, y: { shape: [4], dtype: 'int4', role: 'output' } }));
  broken(stores(load('x', ['i']), { ...int8s, y: { ...int8s.y, range: [-8, 7] } }), 'k: what is stored to y can be -128 .. 127, and its range is -8 .. 7');
});

test('float intervals prove what a quantizer stores, NaN included', () => {
  const quantized = (lo: number): Expr => convert('int8', unary('nearest', 'float32', maximum('float32', minimum('float32', load('x', ['i']), float(7)), float(lo))));
  verify(stores(quantized(-7), io(4, {}, { dtype: 'int8', range: [-7, 7] })));
  broken(stores(quantized(1), io(4, {}, { dtype: 'int8', range: [1, 7] })), 'k: what is stored to y can be 0 .. 7, and its range is 1 .. 7');
});

test('bitcast is refused on a possible NaN', () => {
  const x = load('x', ['i']);
  const out = io(4, {}, { dtype: 'int32' });
  broken(stores(bitcast('int32', x), out), 'k: bitcast of a value that can be a NaN\n  Take another value first where it is one: select(x == x, x, ..).');
  verify(stores(bitcast('int32', select('float32', compare('eq', x, x), x, float(0))), out));
  broken(stores(bitcast('float32', load('x', ['i'])), io(4, { dtype: 'int32' }, { dtype: 'float32' })), 'k: bitcast of -2147483648 .. 2147483647 to float32 can make a NaN');
  verify(stores(bitcast('float32', binary('shl', 'int32', load('x', ['i']), int(23))), io(4, { dtype: 'uint8', range: [0, 255] }, { dtype: 'float32' })));
});

const dense = (type: 'int12' | 'int14' | 'int16' | 'int20', w: number[], update?: Expr): ProgramUnit =>
  makeUnit(
    { x: { shape: [4], dtype: 'uint8', role: 'input' }, w: { shape: [4], dtype: 'int4', role: 'constant', data: Int8Array.from(w), range: [-8, 7] }, y: { shape: [1], dtype: 'int12', role: 'output' } },
    [makeKernel({
      reduce: [{ name: 'k', extent: 4 }],
      accumulators: [{ name: 'a', type, init: int(0), update: update ?? add(type, ref('a'), mul('int12', load('x', ['k']), load('w', ['k']))) }],
      stores: [{ tensor: 'y', at: [constant(0)], value: convert('int12', ref('a')) }],
    })],
  );

test('accumulators: wide enough by the weights themselves, and no wider', () => {
  // 255 * (7 + 1) = 2040 and 255 * -8 = -2040 fit 12 bits; four times -8 would need 14
  verify(dense('int12', [7, 1, -8, 0]));
  broken(dense('int12', [7, 1, -8, -1]), 'k: accumulator a can reach -2295 .. 2040, and int12 holds -2048 .. 2047\n  Use a wider accumulator.');
  broken(dense('int14', [7, 1, -8, 0]), 'k: accumulator a is int14, and -2040 .. 2040 needs no more than int12\n  Make it no wider than proved.');
  broken(dense('int12', [7, 1, -8, 0], add('int12', ref('a'), mul('int8', load('x', ['k']), load('w', ['k'])))), 'k: mul gives -2040 .. 1785, and its type int8 holds -128 .. 127\n  The expression is (x[k] * w[k]):int8.\n  Use a wider type, or a saturating convert.');
});

test('a scheduled group of products is one of the accumulator\'s proved sums', () => {
  const unit = dense('int12', [7, 1, -8, 0]);
  const [kernel] = unit.program.blocks as readonly Kernel[];
  const group = (a: Expr): ProgramUnit => {
    const dot: Expr = { op: 'dot', type: 'int12', axis: 'j', extent: 2, a: load('x', [sum(times('k', 2), 'j')]), b: load('w', [sum(times('k', 2), 'j')]) };
    const body: readonly Stmt[] = [
      { kind: 'set', name: 'a', at: [], value: int(0) },
      { kind: 'loop', axis: 'k', start: 0, extent: 2, mode: 'serial', body: [{ kind: 'set', name: 'a', at: [], value: add('int12', a, dot) }] },
      { kind: 'store', tensor: 'y', at: [constant(0)], value: { op: 'local', name: 'a', at: [] } },
    ];
    return edit(unit, () => ({ blocks: [{ ...kernel, scheduled: { steps: [], locals: [{ name: 'a', type: 'int12', shape: [] }], body } }] }));
  };
  verify(group({ op: 'local', name: 'a', at: [] }));
  broken(group(int(0)), 'k: dot gives -4080 .. 3570, and its type int12 holds -2048 .. 2047\n  The expression is dot(j<2: x[2*k + j] * w[2*k + j]):int12.\n  Use a wider type, or a saturating convert.');
});

test('the table of a dot holds the sums of products that the codes of its operands stand for', () => {
  const layout: Layout = { offset: 0, dims: [[{ stride: 2, divisor: 1, modulus: 0 }]], elementBits: 2, containerBits: 8 };
  const looked = (change: (table: Int8Array) => Int8Array, weight: Partial<TensorSpec> = {}): ProgramUnit => {
    const data: TensorSpec = { dtype: 'uint2', shape: [4], role: 'input' };
    const w: TensorSpec = { dtype: 'int2', shape: [4], role: 'constant', layout, data: Uint8Array.of(0b11_00_01_10), ...weight };
    const tensor = (t: TensorSpec): Tensor => ({ name: '', dtype: t.dtype!, shape: t.shape, buffer: '', layout: t.layout ?? rowMajor(t.shape, 8) });
    const table = change(lookupTable(tensor(data), tensor({ ...w, layout }))!);
    const tensors: Record<string, TensorSpec> = {
      x: data, w, table: { dtype: 'int8', shape: [table.length], role: 'constant', data: table }, y: { dtype: 'int8', shape: [1], role: 'output' },
    };
    const kernel = makeKernel({
      space: [], reduce: [{ name: 'k', extent: 4 }],
      accumulators: [{ name: 'a', type: 'int5', init: int(0), update: add('int5', ref('a'), mul('int4', load('x', ['k']), load('w', ['k']))) }],
      stores: [{ tensor: 'y', at: [constant(0)], value: ref('a') }],
    });
    const dot: Expr = { op: 'dot', type: 'int8', axis: 'k', extent: 4, a: load('x', ['k']), b: load('w', ['k']), table: 'table' };
    const a: Expr = { op: 'local', name: 'a', at: [] };
    const body: readonly Stmt[] = [{ kind: 'set', name: 'a', at: [], value: int(0) }, { kind: 'set', name: 'a', at: [], value: add('int5', a, dot) }, { kind: 'store', tensor: 'y', at: [constant(0)], value: a }];
    return makeUnit(tensors, [{ ...kernel, scheduled: { steps: [], locals: [{ name: 'a', type: 'int5', shape: [] }], body } }]);
  };
  verify(looked((t) => t));
  broken(looked((t) => t.map((v, i) => (i === 17 ? v + 1 : v))), 'k: the table table does not hold the sums of products of x and w');
  broken(looked((t) => t.slice(16)), 'k: the table table does not hold the sums of products of x and w');
  broken(looked((t) => t, { layout: rowMajor([4], 8), data: Int8Array.of(-2, 1, 0, -1) }), 'k: the table table has no meaning: its dot is not over fields of half a byte');
});

test('codes in fields, and the steps between values', () => {
  const coded = (more: Partial<TensorSpec>, bytes = Uint8Array.of(0b0101)): ProgramUnit =>
    makeUnit({ w: { dtype: 'int2', shape: [4], role: 'constant', range: [-1, 1], data: bytes, layout: { offset: 0, dims: [[{ stride: 1, divisor: 1, modulus: 0 }]], elementBits: 1, containerBits: 8, code: { base: -1, step: 2 } }, ...more }, y: { dtype: 'int2', shape: [4], role: 'output' } }, [mapKernel('w', 'y', 4, (x) => x)]);
  verify(coded({}));
  const layout = (more: object): Layout => ({ offset: 0, dims: [[{ stride: 1, divisor: 1, modulus: 0 }]], elementBits: 1, containerBits: 8, ...more });
  broken(coded({ layout: layout({}) }), 'w: values -1 .. 1 of int2 do not fit 1 bits');
  broken(coded({ layout: layout({ code: { base: -1, step: 1 } }) }), 'w: values -1 .. 1 of int2 do not fit 1 bits');
  broken(coded({ layout: layout({ code: { base: -1, step: 0 } }) }), 'w: the step of its codes is 0, and an integer of at least 1 is needed');
  broken(coded({ layout: { ...rowMajor([4], 8), code: { base: -1, step: 2 } }, data: Int8Array.of(1, -1, 1, -1) }), 'w: codes are for integers in fields');
});

test('the epilogue of a scheduled form adds to the accumulator, and is no part of it', () => {
  const unit = dense('int12', [7, 1, -8, 0]);
  const [kernel] = unit.program.blocks as readonly Kernel[];
  const local: Expr = { op: 'local', name: 'a', at: [] };
  const product = mul('int12', load('x', ['k']), load('w', ['k']));
  const body: readonly Stmt[] = [
    { kind: 'set', name: 'a', at: [], value: int(0) },
    { kind: 'loop', axis: 'k', start: 0, extent: 4, mode: 'serial', body: [{ kind: 'set', name: 'a', at: [], value: add('int12', local, product) }] },
    { kind: 'store', tensor: 'y', at: [constant(0)], value: add('int12', local, int(8)) },
  ];
  broken(
    edit(unit, () => ({ blocks: [{ ...kernel, scheduled: { steps: [], locals: [{ name: 'a', type: 'int12', shape: [] }], body } }] })),
    'k: add gives -2032 .. 2048, and its type int12 holds -2048 .. 2047\n  The expression is (a{} + 8:int32):int12.\n  Use a wider type, or a saturating convert.',
  );
});

// ---- 6: order ----

const sums = (partials: number, extent: number, update: Expr, scheduled?: readonly Stmt[]): ProgramUnit =>
  makeUnit({ x: { shape: [extent, 2], role: 'input' }, y: { shape: [1], role: 'output' } }, [
    {
      ...makeKernel({
        reduce: [{ name: 'k', extent }, { name: 'j', extent: 2 }], partials,
        accumulators: [{ name: 'a', type: 'float32', init: float(0), update }],
        stores: [{ tensor: 'y', at: [constant(0)], value: ref('a') }],
      }),
      ...(scheduled && { scheduled: { steps: [], locals: [{ name: 'a', type: 'float32' as const, shape: [] }], body: scheduled } }),
    },
  ]);
const term = load('x', ['k', 'j']);

test('partial sums must be combinable and divide the innermost reduction', () => {
  verify(sums(2, 4, add('float32', ref('a'), term)));
  broken(sums(4, 4, add('float32', ref('a'), term)), 'k: 4 partial sums do not divide the innermost reduction, j<2');
  broken(sums(3, 4, add('float32', ref('a'), term)), 'k: 3 partial sums do not combine by halves');
  broken(sums(2, 4, mul('float32', ref('a'), term)), 'k: accumulator a cannot have partial sums: its update is not add, min or max of itself and a term');
  broken(sums(2, 4, add('float32', ref('a'), mul('float32', ref('a'), term))), 'k: accumulator a cannot have partial sums: its update is not add, min or max of itself and a term');
});

test('a scheduled float sum keeps its order', () => {
  const update = add('float32', ref('a'), term);
  const loop = (name: string, extent: number, body: readonly Stmt[], start = 0): Stmt => ({ kind: 'loop', axis: name, start, extent, mode: 'serial', body });
  const body = (nest: (s: Stmt) => Stmt, k: Expr = load('x', ['k', 'j'])): readonly Stmt[] => [
    { kind: 'set', name: 'a', at: [], value: float(0) },
    nest({ kind: 'set', name: 'a', at: [], value: add('float32', { op: 'local', name: 'a', at: [] }, k) }),
    { kind: 'store', tensor: 'y', at: [constant(0)], value: { op: 'local', name: 'a', at: [] } },
  ];
  verify(sums(1, 4, update, body((s) => loop('k', 4, [loop('j', 2, [s])]))));
  broken(sums(1, 4, update, body((s) => loop('j', 2, [loop('k', 4, [s])]))), 'k: the float sum a runs loop j outside loop k\n  Its order is k, j, coarse before fine.');
  const parts = load('x', [sum(times('k.o', 2), 'k.i'), 'j']);
  verify(sums(1, 4, update, body((s) => loop('k.o', 2, [loop('k.i', 2, [loop('j', 2, [s])])]), parts)));
  broken(sums(1, 4, update, body((s) => loop('k.i', 2, [loop('k.o', 2, [loop('j', 2, [s])])]), parts)), 'k: the float sum a runs loop k.i outside loop k.o\n  Its order is k, j, coarse before fine.');
  const joined = load('x', [sum(times('k.o_k.i.o', 1), 'k.i.i'), 'j']);
  verify(sums(1, 4, update, body((s) => loop('k.o_k.i.o', 4, [loop('k.i.i', 1, [loop('j', 2, [s])])]), joined)));
  broken(sums(1, 4, update, body((s) => loop('k.i.i', 1, [loop('k.o_k.i.o', 4, [loop('j', 2, [s])])]), joined)), 'k: the float sum a runs loop k.i.i outside loop k.o_k.i.o\n  Its order is k, j, coarse before fine.');
  broken(sums(1, 4, update, body((s) => loop('k', 3, [loop('j', 2, [s])]))), 'k: the float sum a runs over 6 points, and the reduction has 8');
});

// ---- 7: the plan ----

test('the memory plan', () => {
  const unit = (offsets: readonly (number | undefined)[], arena?: number): ProgramUnit =>
    makeUnit(
      { x: { shape: [4], role: 'input', offset: offsets[0] }, t: { shape: [4], offset: offsets[1] }, u: { shape: [4], offset: offsets[2] }, v: { shape: [4], offset: offsets[3] }, y: { shape: [4], role: 'output', offset: offsets[4] } },
      [mapKernel('x', 't', 4, (x) => x, 'a'), mapKernel('t', 'u', 4, (x) => x, 'b'), mapKernel('u', 'v', 4, (x) => x, 'c'), mapKernel('v', 'y', 4, (x) => x, 'd')],
      arena,
    );
  verify(unit([64, 96, 112, 96, 80], 144));
  broken(unit([64, 96, 96, 112, 80], 144), 'u: bytes 96 to 111 overlap t (96 to 111), and both are live');
  broken(unit([64, 96, 112, 64, 80], 144), 'v: bytes 64 to 79 overlap x (64 to 79), and both are live');
  broken(unit([64, 96, 112, 100, 80], 144), 'v: its offset 100 is no multiple of 16');
  broken(unit([64, 96, 112, 96, 80], 143), 'u: it ends at byte 128, and the arena of 143 bytes keeps the last 16 free');
  broken(unit([64, undefined, 112, 96, 80], 144), 't: this buffer has no offset, and others have');
  broken(unit([64, 96, 112, 96, 80]), 'test: its buffers have offsets, and its arena has no size');
});

test.run();
