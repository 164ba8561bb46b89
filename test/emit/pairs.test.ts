/**
 * The text of 8-bit convolutions: what is not done twice. Weights are read as wide as products take them, a datum whose partner
 * has a zero weight is not masked, rows of one vector are narrowed together. That the bits are right is the operators' test.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses } from '../../codegen/compile.js';
import { emitAssemblyScript } from '../../codegen/emit/assemblyscript.js';
import { simd128 } from '../../codegen/targets/target.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';

/** The function of a 3x3 convolution between quantizers, with 3 input and 4 output channels, or 12 channels of their own. */
function convolution(depthwise: boolean, size: number): string {
  const b = new GraphBuilder();
  const random = new Random(5);
  const quantizer = (x: string): string => b.quant(x, 1 / 64, 8, { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
  const [channels, outputs] = depthwise ? [12, 12] : [3, 4];
  const shape = [outputs, depthwise ? 1 : channels, 3, 3];
  const weights = b.constant('w', shape, Array.from({ length: shape.reduce((x, y) => x * y) }, () => random.integer(-127, 127) / 128));
  const x = quantizer(b.input('input', [1, channels, size, size]));
  const w = b.quant(weights, 1 / 128, 8, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
  const y = quantizer(b.node('Conv', [x, w], { kernel_shape: [3, 3], group: depthwise ? channels : 1 }));
  // Another layer, so that the first one's outputs are stored as codes.
  const graph = b.build(quantizer(b.node('MaxPool', [y], { kernel_shape: [2, 2], strides: [2, 2] })));
  const { program } = build(runPasses(graph), simd128);
  return /^function Conv_\d+\([^]*?^}/m.exec(emitAssemblyScript(program, simd128))![0];
}

const has = (text: string, part: RegExp): boolean => part.test(text);

test('weights are widened at each read where few outputs share them, and never where many do', () => {
  assert.ok(has(convolution(false, 5), /load_ext<i8>/));
  assert.not.ok(has(convolution(false, 10), /load_ext<i8>/));
});

test('the third of three channels is not masked: the weight that it would meet is zero', () => {
  const text = convolution(false, 10);
  assert.ok(has(text, /dot_i16x8_s/));
  assert.not.ok(has(text, /splat\(65535\)/));
});

test('rows of one vector are narrowed two at a time', () => {
  assert.match(convolution(true, 10), /const (t\d+): v128 = [^;]*narrow_i32x4_u\(t\d+, t\d+\)[^;]*;\n *v128\.store64_lane\(\w+, \1, 0, \d+\);\n *v128\.store64_lane\(\w+, \1, 1, \d+\);/);
});

test.run();
