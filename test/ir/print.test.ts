/** The printer: whole texts; equal data gives equal text, and what differs in meaning differs in print. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  add, axis, bitcast, compare, constant, convert, div, factor, float, int, load, maximum, mul, ref, rem, select, sum, times, unary, within,
} from '../../codegen/ir/build.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { printExpr, printGraph, printIndex, printProgram } from '../../codegen/ir/print.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { makeKernel, makeUnit } from '../support/programs.js';

test('indices', () => {
  assert.is(printIndex(constant(0)), '0');
  assert.is(printIndex(constant(-3)), '-3');
  assert.is(printIndex(sum(times('y', 2), 'ky', -1)), '2*y + ky - 1');
  assert.is(printIndex(sum(axis('a', -1), axis('b', -4), 5)), '-a - 4*b + 5');
  assert.is(printIndex(sum(div(sum('n', 1), 4), times(rem('n', 4), 3))), '(n + 1 div 4) + 3*(n rem 4)');
  assert.is(printIndex(factor({ value: load('i', ['n']), lo: 0, hi: 9 })), 'clamp(i[n], 0, 9)');
});

test('expressions', () => {
  assert.is(printExpr(float(1)), 'f32:3f800000');
  assert.is(printExpr(float(NaN)), 'f32:7fc00000');
  assert.is(printExpr(int(-1, 'int4')), '-1:int4');
  assert.is(printExpr(add('float32', ref('a'), mul('float32', load('x', ['n']), float(2)))), '(a + (x[n] * f32:40000000))');
  assert.is(printExpr(add('int20', ref('a'), int(1, 'int8'))), '(a + 1:int8):int20');
  assert.is(printExpr(maximum('float32', ref('a'), float(0))), 'max(a, f32:00000000)');
  assert.is(printExpr(select('int4', compare('ge', ref('a'), ref('b')), int(1, 'int4'), int(0, 'int4'))), 'select((a >= b), 1:int4, 0:int4):int4');
  assert.is(printExpr(load('x/1', [sum('i', -1)], [within(sum('i', -1), 0, 8)], float(0))), '("x/1"[i - 1] if 0 <= i - 1 < 8 else f32:00000000)');
  assert.is(printExpr(convert('int8', unary('nearest', 'float32', ref('v')))), 'saturate(nearest(v)):int8');
  assert.is(printExpr(convert('int8', ref('v'), false)), 'convert(v):int8');
  assert.is(printExpr(bitcast('int32', ref('v'))), 'bitcast(v):int32');
  assert.is(printExpr({ op: 'local', name: 'acc', at: [constant(0), axis('i')] }), 'acc{0, i}');
  assert.is(printExpr({ op: 'index', type: 'int8', index: sum('i', 1) }), 'index(i + 1):int8');
  assert.is(printExpr({ op: 'dot', type: 'int18', axis: 'j', extent: 2, a: ref('a'), b: ref('b') }), 'dot(j<2: a * b):int18');
  assert.is(printExpr({ op: 'dot', type: 'int18', axis: 'j', extent: 4, bytes: true, a: ref('a'), b: ref('b') }), 'dot8(j<4: a * b):int18');
});

const kernel: Kernel = {
  ...makeKernel({
    name: 'dense_1', op: 'dense', space: [{ name: 'n', extent: 1 }, { name: 'o', extent: 4 }], reduce: [{ name: 'k', extent: 8 }], partials: 4,
    accumulators: [{ name: 'a', type: 'float32', init: float(0), update: add('float32', ref('a'), ref('p')) }],
    body: [{ name: 'p', type: 'float32', value: mul('float32', load('x', ['n', 'k']), load('w', ['o', 'k'])) }],
    epilogue: [{ name: 'v', type: 'float32', value: maximum('float32', ref('a'), float(0)) }],
    stores: [{ tensor: 'y', at: [axis('n'), axis('o')], value: ref('v') }],
  }),
  scheduled: {
    steps: ['split o by 4', 'vectorize o.i'],
    locals: [{ name: 'a', type: 'float32', shape: [4] }],
    body: [
      { kind: 'loop', axis: 'k', start: 0, extent: 8, mode: 'pipeline', initiationInterval: 1, body: [
        { kind: 'let', name: 'p', type: 'float32', value: load('x', [0, 'k']) },
        { kind: 'loop', axis: 'o.i', start: 1, extent: 3, mode: 'vector', body: [{ kind: 'set', name: 'a', at: [axis('o.i')], value: ref('p') }] },
      ] },
      { kind: 'if', guard: [within('n', 0, 1)], body: [{ kind: 'store', tensor: 'y', at: [constant(0), axis('n')], value: float(0), guard: [within('n', 0, 4)] }] },
    ],
  },
};

test('a whole Program', () => {
  const unit = makeUnit(
    {
      x: { shape: [1, 8], role: 'input', offset: 64 },
      w: { shape: [4, 8], role: 'constant', data: new Float32Array(32), offset: 96, layout: { offset: 0, dims: [[{ stride: 32, divisor: 1, modulus: 4 }, { stride: 1024, divisor: 4, modulus: 0 }], [{ stride: 128, divisor: 1, modulus: 0 }]], elementBits: 32, containerBits: 32 } },
      y: { shape: [1, 4], role: 'output', offset: 224 },
      q: { shape: [5], dtype: 'int4', range: [-7, 7], layout: { offset: 8, dims: [[{ stride: 4, divisor: 1, modulus: 0 }]], elementBits: 4, containerBits: 8, halo: [[1, 2]], haloValue: 0, pad: [3] } },
    },
    [kernel, { kind: 'repeat', axis: 's', count: { input: 'n', max: 9 }, body: [makeKernel({ name: 'inner', stores: [{ tensor: 'y', at: [constant(0), axis('s')], value: float(1) }] })] }],
    256,
  );
  const expected = `program test for simd128
inputs x
outputs y
arena 256 bytes
buffer q: temporary, 3 bytes
buffer w: constant, 128 bytes at 96, sha256 38723a2e5e8a17aa7950dc008209944e
buffer x: input, 32 bytes at 64
buffer y: output, 16 bytes at 224
tensor q: int4 [5] in -7..7 in q, 4 of 8 bits, strides [4] from 8, halo 1:2 of 0, pad 3
tensor w: float32 [4, 8] in w, 32 bits, strides [32*(i rem 4) + 1024*(i div 4), 128]
tensor x: float32 [1, 8] in x, 32 bits, strides [256, 32]
tensor y: float32 [1, 4] in y, 32 bits, strides [128, 32]
kernel dense_1: dense
  space   n<1 o<4
  reduce  k<8, partials 4
  acc     a: float32 = f32:00000000
  each    let p: float32 = (x[n, k] * w[o, k])
  each    a := (a + p)
  out     let v: float32 = max(a, f32:00000000)
  out     y[n, o] = v
  scheduled
    step    split o by 4
    step    vectorize o.i
    local   a: float32 [4]
    loop k<8 pipeline(1)
      let p: float32 = x[0, k]
      loop 1<=o.i<4 vector
        a{o.i} := p
    if 0 <= n < 1
      y[0, n] = f32:00000000 if 0 <= n < 4
repeat s<n (at most 9)
  kernel inner: elementwise
    out     y[0, s] = f32:3f800000
`;
  const program = { ...unit.program, target: 'simd128' };
  assert.is(printProgram(program), expected);
  // the order in which records were filled is no difference
  const reversed = { ...program, tensors: Object.fromEntries(Object.entries(program.tensors).reverse()), buffers: Object.fromEntries(Object.entries(program.buffers).reverse()) };
  assert.is(printProgram(reversed), expected);
});

const graph: Graph = {
  name: 'net', inputs: ['x'], outputs: ['y'], batch: 1,
  values: {
    x: { name: 'x', shape: ['N', 3], dtype: 'float32' },
    w: { name: 'w', annotation: 'int2' },
    h: { name: 'h' },
    y: { name: 'y', shape: [1, 2], dtype: 'int4', range: [-3, 3] },
  },
  constants: { w: makeConstant('float32', [3, 2], [1, -1, 0, 1, 1, -1]), 'layer/0:b': makeConstant('int8', [2], [1, 2]) },
  nodes: [
    { name: 'n0', op: 'Gemm', inputs: ['x', 'w', ''], outputs: ['h'], attributes: { transB: 0, alpha: 0.5 } },
    { name: 'n1', op: 'Odd', inputs: ['h'], outputs: ['y', ''], attributes: { mode: 'up', list: [1, -0], words: ['a'], table: makeConstant('int32', [1], [7]) } },
  ],
};

test('a whole Graph', () => {
  assert.is(
    printGraph(graph),
    // the hashes are those of sha256sum on the elements' bytes
    `graph net batch 1
input x: float32 [N, 3]
constant "layer/0:b": int8 [2] sha256 34fb5c825de7ca4a
constant w: float32 [3, 2] as int2 sha256 8df090966d961a11
node n0: Gemm(x, w, -) {alpha=0.5 transB=0} -> h
node n1: Odd(h) {list=[1, -0] mode="up" table=int32 [1] sha256 e8613f5a5bc9f9fe words=["a"]} -> y: int4 [1, 2] in -3..3; -
output y
`,
  );
});

test('one bit of a constant changes the text', () => {
  const other = { ...graph, constants: { ...graph.constants, w: makeConstant('float32', [3, 2], [1, -1, -0, 1, 1, -1]) } };
  assert.is.not(printGraph(other), printGraph(graph));
});

test.run();
