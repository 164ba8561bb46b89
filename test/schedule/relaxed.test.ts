/**
 * The 8-bit dot product of relaxed SIMD: chosen where its operands are proved to be ones on which all engines agree, and
 * nowhere else; and refused by the verifier where a Program's ranges no longer prove it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataType } from '../../codegen/ir/datatype.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { printProgram } from '../../codegen/ir/print.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { relaxed, simd128 } from '../../codegen/targets/target.js';
import { compile } from '../../sdk/compile.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareScheduled, lowerCase, runOnEmitters, type Lowered } from '../ops/harness.js';
import { hostFor } from '../support/hosts.js';
import { Random } from '../support/random.js';
import { refuses } from '../support/refuses.js';

interface Shape {
  readonly channels?: number;
  readonly outputs?: number;
  readonly group?: number;
  readonly kernel?: readonly [number, number];
  readonly stride?: number;
}

/** A convolution of quantized values in a range, by weights in a range. */
function convolution(range: readonly [number, number], weights: readonly [number, number], { channels = 8, group = 1, outputs = group === 1 ? 8 : group, kernel = [3, 3], stride = 1 }: Shape = {}): Lowered {
  const random = new Random(5);
  const shape = [outputs, channels / group, ...kernel];
  const w = makeConstant(weights[1] > 127 ? 'int9' : 'int8', shape, [...weights, ...Array.from({ length: shape.reduce((x, y) => x * y, 1) - 2 }, () => random.integer(...weights))]);
  const pads = [...kernel, ...kernel].map((k) => Math.floor(k / 2));
  const graph: Graph = {
    name: 'convolution', inputs: ['x'], outputs: ['y'],
    constants: { w, scale: makeConstant('float32', [], [1]) },
    values: { x: { name: 'x', shape: [1, channels, 7, 7], dtype: 'float32' }, q: { name: 'q' }, y: { name: 'y' } },
    nodes: [
      { name: 'quantize', op: 'Quantize', inputs: ['x', 'scale'], outputs: ['q'], attributes: { min: range[0], max: range[1], zeroPoint: 0, roundingMode: 'ROUND' } },
      { name: 'conv', op: 'Conv', inputs: ['q', 'w'], outputs: ['y'], attributes: { pads, group, strides: [stride, stride] } },
    ],
  };
  return lowerCase({ name: `convolution ${channels} ${outputs} ${kernel} ${stride} ${group} ${range} ${weights}`, graph, inputs: { x: Array.from({ length: 49 * channels }, () => random.float(-300, 300)) } });
}

const usesBytes = (l: Lowered): boolean => /dot8\(/.test(printProgram(schedule(l.unit, relaxed).program));

test('both operands proved: one dot product of bytes, from values stored in bytes', () => {
  const l = convolution([0, 127], [-128, 127]);
  compareScheduled(l, relaxed);
  const { program } = schedule(l.unit, relaxed);
  assert.match(printProgram(program), /dot8\(c\.i<4: "?w@conv"?\[.*\] \* q\[/);
  assert.is(program.tensors.q.layout.elementBits, 8);
  assert.is(schedule(l.unit, simd128).program.tensors.q.layout.elementBits, 16);
  assert.ok(usesBytes(convolution([0, 15], [-8, 7])));
});

test('groups with members missing, first layers and depthwise convolutions: the bits of the interpreter', async () => {
  const cases: Lowered[] = [];
  const signed: readonly (readonly [readonly [number, number], readonly [number, number]])[] = [[[0, 127], [-128, 127]], [[-128, 127], [0, 127]]];
  for (const [range, weights] of signed) {
    for (const kernel of [[1, 1], [1, 2], [3, 3], [5, 5], [10, 4], [2, 6]] as const) {
      for (const stride of [1, 2]) {
        for (const shape of [{ channels: 1 }, { channels: 3, outputs: 6 }, { channels: 6 }, { channels: 8, group: 8 }, { channels: 12, group: 12 }]) {
          cases.push(convolution(range, weights, { kernel, stride, ...shape }));
        }
      }
    }
  }
  for (const l of cases) compareScheduled(l, relaxed);
  assert.ok(cases.filter(usesBytes).length > cases.length * 0.8);
  const host = hostFor('relaxed');
  if (host) assert.equal(await runOnEmitters(cases, relaxed, toolchain(), host), []);
});

test('weights can be the operand of seven bits', () => {
  const l = convolution([-128, 127], [0, 127]);
  compareScheduled(l, relaxed);
  assert.match(printProgram(schedule(l.unit, relaxed).program), /dot8\(c\.i<4: q\[.*\] \* "?w@conv/);
});

test('no operand of seven bits, or one of more than eight: no dot product of bytes', () => {
  for (const [range, weights] of [[[0, 128], [0, 200]], [[-1, 127], [-128, 127]], [[0, 127], [-1, 128]]] as const) {
    const l = convolution(range, weights);
    compareScheduled(l, relaxed);
    assert.not(usesBytes(l), `${range.join(' .. ')} by ${weights.join(' .. ')}`);
  }
});

/** The scheduled Program with another type and range of a tensor, and no range of what is made of it. */
function withRange(unit: ProgramUnit, name: string, dtype: DataType, range: readonly [number, number]): ProgramUnit {
  const { program } = unit;
  const free = Object.entries(program.tensors).map(([key, { range: old, ...t }]) => [key, key === name ? { ...t, dtype, range } : old && program.buffers[t.buffer].role === 'constant' ? { ...t, range: old } : t]);
  return { ...unit, program: { ...program, tensors: Object.fromEntries(free) } };
}

test('a manifest says that relaxed SIMD is needed where the module has such an instruction', async () => {
  const folder = new URL('../../examples/models/', import.meta.url);
  for (const file of readdirSync(folder).filter((f) => f.endsWith('.onnx'))) {
    for (const target of ['simd128', 'relaxed'] as const) {
      const { manifest, stages } = await compile(readFileSync(new URL(file, folder)), { target });
      assert.is(manifest.features.includes('relaxed-simd'), /\.relaxed_/.test(stages.source), `${file} for ${target}`);
    }
  }
});

test('the verifier refuses ranges that prove too little, and ranges that are not kept', () => {
  const unit = schedule(convolution([0, 100], [-128, 127]).unit, relaxed);
  verify(unit);
  verify(withRange(unit, 'q', 'uint8', [0, 127]));
  refuses(() => verify(withRange(unit, 'q', 'uint8', [0, 128])), 'error [program/invalid] conv: the second operand of an 8-bit dot product can be 0 .. 128, and must be proved to lie in 0 .. 127\n  Use a dot product of wider operands.');
  refuses(() => verify(withRange(unit, 'q', 'uint8', [0, 90])), 'error [program/invalid] quantize: what is stored to q can be 0 .. 100, and its range is 0 .. 90');
  const swapped = schedule(convolution([-128, 127], [0, 100]).unit, relaxed);
  refuses(() => verify(withRange(swapped, 'w@conv', 'int8', [-1, 100])), 'error [program/invalid] conv: the second operand of an 8-bit dot product can be -1 .. 100, and must be proved to lie in 0 .. 127\n  Use a dot product of wider operands.');
  refuses(() => verify(withRange(swapped, 'q', 'int9', [-128, 128])), 'error [program/invalid] q: values -128 .. 128 of int9 do not fit 8 bits');
});

test.run();
