/** Constant vectors are written once in a straight-line text, and the module holds them so. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shareConstants } from '../../codegen/emit/constants.js';
import { Names } from '../../codegen/emit/scope.js';
import { compile } from '../../sdk/index.js';
import { GraphBuilder } from '../support/graphs.js';

test('a constant vector that occurs twice gets a variable before its first use', () => {
  const lines = [
    'const t0: v128 = v128.load(p0, 16);',
    'const t1: v128 = i32x4.min_s(i32x4.max_s(t0, i32x4.splat((-128))), i32x4.splat(127));',
    'const t2: v128 = i32x4.max_s(f32x4.splat(<f32>-1.5e-7), i32x4.splat((-128)));',
  ];
  assert.equal(shareConstants(lines, new Names()), [
    lines[0],
    'const constant0: v128 = i32x4.splat((-128));',
    'const t1: v128 = i32x4.min_s(i32x4.max_s(t0, constant0), i32x4.splat(127));',
    'const t2: v128 = i32x4.max_s(f32x4.splat(<f32>-1.5e-7), constant0);',
  ]);
});

test('variables, values that are constants themselves, and inner blocks stay', () => {
  const lines = [
    'const t0: v128 = i32x4.splat(0);',
    'const t1: v128 = i32x4.splat((-1));',
    'const t2: v128 = i32x4.add(i32x4.splat(n), i32x4.splat(n));',
    'do {',
    '  v128.store(p0, i32x4.splat(0), 0);',
    '  v128.store(p0, i32x4.splat(0), 16);',
    '} while (p0 != end0);',
  ];
  assert.equal(shareConstants(lines, new Names()), lines);
});

test('the code section of an unrolled 8-bit layer names its clamp once, not once a tile row', async () => {
  const b = new GraphBuilder();
  const codes = (x: string): string => b.quant(x, 0.05, 8, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  const weights = b.constant('w', [16, 16, 1, 1], Array.from({ length: 256 }, (_, i) => ((i * 7) % 31) - 15));
  const w = b.quant(weights, 1, 8, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
  const x = codes(b.node('Relu', [b.input('x', [1, 16, 8, 8])]));
  const y = codes(b.node('Relu', [b.node('Conv', [x, w], { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1], group: 1 })]));
  const { stages } = await compile(b.build(y));
  const kernel = stages.source.slice(stages.source.indexOf('/** convolution'));
  assert.ok(kernel.includes('const constant0: v128 ='), 'no constant of the convolution is shared');
  assert.is(kernel.split('f32x4.splat(<f32>12582912.0)').length - 1, 1);
});

test.run();
