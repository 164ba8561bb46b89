/**
 * Small hand-written Programs with what few operators or none make today, for emitters: integers up to 64 bits and of mixed kinds,
 * indices below zero and from data, fields of every width, repeats. Each with inputs and the interpreter's results.
 */
import { add, axis, binary, bitcast, compare, convert, div, factor, float, int, load, maximum, minimum, mul, mulHigh, mulLow, rem, rowMajor, select, sub, sum, times, unary, within } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { ElementType, Expr, Kernel, Layout, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import type { Inputs, Lowered } from '../ops/harness.js';
import { makeKernel, makeUnit, type TensorSpec } from './programs.js';

function caseOf(name: string, unit: ProgramUnit, inputs: Inputs): Lowered {
  verify(unit);
  const graph = { name, inputs: [], outputs: [], values: {}, constants: {}, nodes: [] };
  return { name, graph, expanded: graph, inputs, unit, results: interpret(unit, inputs) };
}

/** out[i] = value(a[i], b[i], f[i]) over the edges of their types. */
function valueCase(name: string, out: ElementType, value: (a: Expr, b: Expr, f: Expr) => Expr): Lowered {
  const a = [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1, 12345, -98765, 7];
  const b = [2 ** 32 - 1, 0, 2 ** 31, 1, 3, 65535, 100000, 2 ** 31 + 5];
  const f = [NaN, Infinity, -Infinity, -0, 2.5, -3.5, 3e19, -1e10];
  const extent = a.length;
  const tensors: Record<string, TensorSpec> = {
    a: { shape: [extent], dtype: 'int32', role: 'input' }, b: { shape: [extent], dtype: 'uint32', role: 'input' },
    f: { shape: [extent], role: 'input' }, y: { shape: [extent], dtype: out, role: 'output' },
  };
  const store = { tensor: 'y', at: [axis('i')], value: value(load('a', ['i']), load('b', ['i']), load('f', ['i'])) };
  return caseOf(name, makeUnit(tensors, [makeKernel({ space: [{ name: 'i', extent }], stores: [store] })]), { a, b, f });
}

const shiftLeft = (type: ElementType, x: Expr, by: number): Expr => binary('shl', type, x, int(by));
const shiftRight = (type: ElementType, x: Expr, by: number): Expr => binary('shr', type, x, int(by));

const values: readonly Lowered[] = [
  valueCase('int64 to float32', 'float32', (a, b) => convert('float32', add('int64', mul('int64', a, b), int(1)))),
  valueCase('uint64 to float32', 'float32', (_, b) => convert('float32', mul('uint64', b, b))),
  valueCase('uint64 shifts', 'uint32', (_, b) => convert('uint32', shiftRight('uint64', shiftLeft('uint64', b, 31), 32))),
  valueCase('int64 shifts', 'int32', (a) => convert('int32', shiftRight('int64', shiftLeft('int64', a, 31), 40))),
  valueCase('int12 wraps', 'int12', (a) => shiftLeft('int12', a, 3)),
  valueCase('uint5 wraps', 'uint5', (a) => shiftLeft('uint5', a, 2)),
  valueCase('int7 shifts right', 'int7', (a) => shiftRight('int7', a, 2)),
  valueCase('uint35 wraps', 'uint32', (_, b) => convert('uint32', shiftLeft('uint35', b, 4))),
  valueCase('logic wraps', 'int12', (a, b) => binary('xor', 'int12', binary('and', 'int12', a, b), binary('or', 'uint9', a, b))),
  valueCase('logic of kinds', 'int32', (a, b) => binary('xor', 'int32', binary('and', 'int32', a, b), binary('or', 'int32', a, int(85)))),
  valueCase('minimum of kinds', 'int32', (a, b) => minimum('int32', a, b)),
  valueCase('maximum of kinds', 'uint32', (a, b) => maximum('uint32', a, b)),
  valueCase('maximum with uint64', 'float32', (a, b) => convert('float32', maximum('uint64', a, mul('uint64', b, b)))),
  valueCase('comparison of kinds', 'uint1', (a, b) => compare('lt', a, b)),
  valueCase('difference of kinds', 'int32', (a, b) => convert('int32', sub('int34', a, b))),
  valueCase('halves of products', 'uint32', (a, b) => binary('xor', 'uint32', mulLow(b, b), mulHigh(b, unary('abs', 'uint32', a)))),
  valueCase('halves of products with constants', 'uint32', (_, b) => binary('xor', 'uint32', mulLow(b, int(0xd2511f53, 'uint32')), mulHigh(int(0xcd9e8d57, 'uint32'), b))),
  valueCase('halves of products of constants', 'uint32', (_, b) => binary('xor', 'uint32', b, mulHigh(int(0xd2511f53, 'uint32'), int(0xcd9e8d57, 'uint32')))),
  valueCase('wrapped sum', 'uint32', (a, b) => binary('and', 'uint32', add('int34', a, b), int(0xffffffff, 'uint32'))),
  valueCase('saturation down', 'int8', (a, b) => convert('int8', mul('int64', a, b))),
  valueCase('saturation of uint64', 'int16', (_, b) => convert('int16', mul('uint64', b, b))),
  valueCase('float32 to int40', 'int32', (_a, _b, f) => convert('int32', shiftRight('int40', convert('int40', f), 9))),
  valueCase('float32 to uint3', 'uint3', (_a, _b, f) => convert('uint3', f)),
  valueCase('magnitudes', 'uint32', (a) => unary('abs', 'uint32', a)),
  valueCase('negation', 'float32', (_, b) => convert('float32', unary('neg', 'int34', b))),
  valueCase('ones of int32', 'uint7', (a) => unary('popcount', 'uint7', a)),
  valueCase('ones of int64', 'uint7', (a) => unary('popcount', 'uint7', mul('int64', a, int(3)))),
  valueCase('selection of kinds', 'float32', (a, b) => convert('float32', select('int34', compare('ge', a, int(0)), a, b))),
  valueCase('float32 minima', 'float32', (a, _, f) => minimum('float32', maximum('float32', f, float(-0)), convert('float32', a))),
  valueCase('nearest and floor', 'float32', (_a, _b, f) => add('float32', unary('nearest', 'float32', f), unary('floor', 'float32', f))),
  valueCase('bits of float32', 'int32', (a) => bitcast('int32', bitcast('float32', binary('and', 'int32', a, int(0xffffff))))),
];

/** One load from x of twelve elements, at indices that fall below zero, or that data gives. */
function indexCase(name: string, at: readonly ReturnType<typeof axis>[], extent = 12): Lowered {
  const tensors: Record<string, TensorSpec> = {
    x: { shape: [12], role: 'input' }, place: { shape: [12], dtype: 'int32', role: 'input' }, y: { shape: [extent], role: 'output' },
  };
  const guarded = load('x', at, [within(at[0], 2, 11)], float(-7));
  const unit = makeUnit(tensors, [makeKernel({ space: [{ name: 'i', extent }], stores: [{ tensor: 'y', at: [axis('i')], value: add('float32', guarded, float(0.5)) }] })]);
  return caseOf(name, unit, { x: Array.from({ length: 12 }, (_, i) => i + 1), place: [-5, 0, 3, 99, 11, 12, 2, 1, 7, -1, 8, 10] });
}

const indices: readonly Lowered[] = [
  indexCase('remainders below zero', [rem(sum(times('i', -3), -2), 12)]),
  indexCase('quotients below zero', [sum(div(sum(times('i', -3), 1), 4), 9)]),
  indexCase('indices from data', [factor({ value: load('place', ['i']), lo: 0, hi: 11 })]),
  indexCase('indices that leave the tensor', [sum(times('i', 2), -6)]),
];

/** Fields of a width within containers, all read by a loop. */
function fieldCase(elementBits: number, containerBits: number, dtype: ElementType): Lowered {
  const extent = 3 * Math.floor(containerBits / elementBits);
  const perContainer = extent / 3;
  const layout: Layout = { offset: 0, dims: [[{ stride: elementBits, divisor: 1, modulus: perContainer }, { stride: containerBits, divisor: perContainer, modulus: 0 }]], elementBits, containerBits };
  const data = Uint8Array.from({ length: (3 * containerBits) / 8 }, (_, i) => (i * 151 + 90) & 255);
  const unit = makeUnit(
    { w: { shape: [extent], dtype, role: 'constant', layout, data }, y: { shape: [extent], dtype, role: 'output', layout: rowMajor([extent], 8) } },
    [makeKernel({ space: [{ name: 'i', extent }], stores: [{ tensor: 'y', at: [axis('i')], value: load('w', ['i']) }] })],
  );
  return caseOf(`fields of ${dtype} in ${containerBits} bits`, unit, {});
}

const fields = [fieldCase(1, 8, 'uint1'), fieldCase(2, 8, 'int2'), fieldCase(3, 16, 'int3'), fieldCase(4, 16, 'uint4'), fieldCase(5, 32, 'int5'), fieldCase(7, 32, 'uint7')];

/** The last x[t] for t below a count that an input of a byte gives. */
function repeatCase(count: number): Lowered {
  const tensors: Record<string, TensorSpec> = {
    x: { shape: [6], role: 'input' }, n: { shape: [], dtype: 'int8', role: 'input' },
    last: { shape: [1], role: 'state' }, y: { shape: [1], role: 'output' },
  };
  const kernel = (name: string, to: string, value: Expr): Kernel => makeKernel({ name, space: [{ name: 'i', extent: 1 }], stores: [{ tensor: to, at: [axis('i')], value }] });
  const step = kernel('step', 'last', add('float32', load('x', ['t']), float(0.5)));
  const unit = makeUnit(tensors, [{ kind: 'repeat', axis: 't', count: { input: 'n', max: 6 }, body: [step] }, kernel('show', 'y', load('last', ['i']))]);
  return caseOf(`a repeat of ${count}`, unit, { x: [1, 2, 4, 8, 16, 32], n: [count] });
}

/** All of them. */
export function languageCases(): Lowered[] {
  return [...values, ...indices, ...fields, ...[-3, 0, 4, 99].map(repeatCase)];
}
