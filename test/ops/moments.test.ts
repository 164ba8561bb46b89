/**
 * Every record's `moments`: mean and variance of the output against seeded Monte Carlo with independent normal inputs, a million
 * samples each where the operator takes many at once, else 20,000. Known values and limits are in momentLimits.test.ts, accuracy over whole ranges in momentAccuracy.test.ts.
 *
 * With names as arguments, those operators only: `... test/ops/moments.test.ts Conv Quant`.
 *
 * A sample mean may be off by 5 of its standard errors, a sample variance by 5 of its own (from the fourth moment); rules that
 * approximate state what they may be off besides.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attribute } from '../../codegen/ir/graph.js';
import { operators } from '../../codegen/ops/index.js';
import { byInterpreter, byReference, momentGraph, monteCarlo, type Given, type Grow, type MomentGraph } from './momentGraphs.js';

/** Where one call of the reference takes many draws, and where it takes one. */
const DRAWS = { many: 1e6, single: 20000 };
const ERRORS = 5;

interface Case {
  readonly given: readonly Given[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Of an approximate rule: what the mean may be off in standard deviations, and the variance relative to itself. */
  readonly grow?: Grow;
  readonly bound?: { readonly mean: number; readonly variance: number };
}

function check(name: string, m: MomentGraph, seed: number, { grow, bound: { mean, variance } = { mean: 0, variance: 0 } }: Case): void {
  const found = byReference(m);
  const narrow = byInterpreter(m);
  assert.ok(found.variance, `${name}: no variance`);
  monteCarlo(m, narrow.mean, grow ? DRAWS.many : DRAWS.single, seed, grow).forEach((truth, e) => {
    const near = (what: string, value: number, expected: number, error: number, bias: number): void =>
      assert.ok(Math.abs(value - expected) <= ERRORS * error + bias + 1e-9, `${name}: ${what} of element ${e} is ${value}, and ${expected} +- ${error} by Monte Carlo`);
    const bias = { mean: mean * Math.sqrt(truth.variance), variance: variance * truth.variance };
    near('the mean', found.mean[e], truth.mean, truth.meanError, bias.mean);
    near('the variance', found.variance![e], truth.variance, truth.varianceError, bias.variance);
    for (const what of ['mean', 'variance'] as const) {
      const [x, y] = [narrow[what][e], found[what]![e]];
      assert.ok(Math.abs(x - y) <= 2e-5 * Math.max(1, Math.abs(y)) + bias[what], `${name}: the ${what} of element ${e} is ${x} in float32 and ${y} by reference`);
    }
  });
}

/** Rows of every input and of the output are draws. */
const rows = (inputs: number): Grow => ({ inputs: new Array<number>(inputs).fill(0), output: 0 });
/** The first input row by row; the others are parameters. */
const data = (inputs: number): Grow => ({ inputs: Array.from({ length: inputs }, (_, i) => (i === 0 ? 0 : undefined)), output: 0 });
/** Each draw is a group of channels of its own. */
const groups = (attributes: Readonly<Record<string, Attribute>>, own = 1): Grow => ({ inputs: [1, 0, 0], output: 1, attributes: (draws) => ({ ...attributes, group: draws * own }) });

const cases: Readonly<Record<string, readonly Case[]>> = {
  MatMul: [
    { grow: rows(2), given: [{ shape: [1, 1, 3], random: true }, { shape: [1, 3, 2], random: true }] },
    { given: [{ shape: [1, 2, 3], random: true }, { shape: [1, 3, 2] }] },
    { given: [{ shape: [1, 2, 3] }, { shape: [1, 3, 2], random: true }] },
    { given: [{ shape: [2, 5], random: true }, { shape: [5, 3], random: true }] },
  ],
  Gemm: [
    { attributes: { transB: 1 }, given: [{ shape: [2, 4], random: true }, { shape: [3, 4], random: true }, { shape: [3], random: true }] },
    { grow: { inputs: [undefined, 0, 1], output: 1 }, attributes: { transB: 1 }, given: [{ shape: [1, 3] }, { shape: [2, 3], random: true }, { shape: [1, 2], random: true }] },
    { attributes: { alpha: 0.5, beta: -2 }, given: [{ shape: [2, 4], random: true }, { shape: [4, 3] }, { shape: [3], random: true }] },
    { attributes: { transA: 1, beta: 3 }, given: [{ shape: [4, 2] }, { shape: [4, 3], random: true }, { shape: [2, 1] }] },
    { given: [{ shape: [2, 4] }, { shape: [4, 3] }, { shape: [3], random: true }] },
    // a deterministic layer after a random one
    { given: [{ shape: [1, 4], random: true }, { shape: [4, 3] }, { shape: [3] }] },
  ],
  Conv: [
    { attributes: { pads: [1, 1, 0, 0], strides: [2, 1] }, grow: groups({ pads: [1, 1, 0, 0], strides: [2, 1] }), given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [1, 2, 2, 2], random: true }, { shape: [1], random: true }] },
    { attributes: { group: 2 }, given: [{ shape: [1, 4, 4], random: true }, { shape: [2, 2, 3] }] },
    { given: [{ shape: [1, 2, 3, 3] }, { shape: [2, 2, 2, 2], random: true }, { shape: [2] }] },
    { given: [{ shape: [1, 1, 3, 3] }, { shape: [2, 1, 2, 2] }, { shape: [2], random: true }] },
    // depthwise, also with two outputs a channel
    { attributes: { group: 3 }, given: [{ shape: [1, 3, 3, 3], random: true }, { shape: [3, 1, 2, 2], random: true }, { shape: [3], random: true }] },
    { attributes: { group: 2 }, grow: groups({}, 2), given: [{ shape: [1, 2, 3], random: true }, { shape: [4, 1, 2], random: true }, { shape: [4] }] },
  ],
  Add: [
    { grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] },
    { given: [{ shape: [2, 3] }, { shape: [3], random: true }] },
  ],
  Sub: [{ grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] }, { given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
  Mul: [{ grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] }, { given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
  Relu: [{ grow: rows(1), given: [{ shape: [1, 5], random: true }] }],
  LeakyRelu: [
    { attributes: { alpha: 0.3 }, grow: rows(1), given: [{ shape: [1, 5], random: true }] },
    { attributes: { alpha: -0.5 }, grow: rows(1), given: [{ shape: [1, 5], random: true }] },
  ],
  Sigmoid: [{ grow: rows(1), given: [{ shape: [1, 5], random: true }], bound: { mean: 0.001, variance: 0.006 } }],
  Tanh: [{ grow: rows(1), given: [{ shape: [1, 5], random: true }], bound: { mean: 0.001, variance: 0.006 } }],
  // Of pairs the moments are exact; of larger windows approximate (tested in momentLimits).
  MaxPool: [{ attributes: { kernel_shape: [1, 2], strides: [1, 2] }, grow: rows(1), given: [{ shape: [1, 1, 2, 4], random: true }] }],
  AveragePool: [
    { attributes: { kernel_shape: [2, 2], strides: [2, 2] }, grow: rows(1), given: [{ shape: [1, 1, 2, 4], random: true }] },
    { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, given: [{ shape: [1, 1, 3, 4], random: true }] },
  ],
  GlobalAveragePool: [{ grow: rows(1), given: [{ shape: [1, 2, 2, 2], random: true }] }],
  BatchNormalization: [{ given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [2], constant: [0.5, -2] }, { shape: [2], constant: [1, 3] }, { shape: [2], constant: [-1, 0.5] }, { shape: [2], constant: [0.25, 2] }] }],
  Neg: [{ given: [{ shape: [1, 6], random: true }] }],
  Concat: [
    { attributes: { axis: 1 }, grow: rows(2), given: [{ shape: [1, 3], random: true }, { shape: [1, 1], random: true }] },
    { attributes: { axis: 0 }, given: [{ shape: [1, 3] }, { shape: [2, 3], random: true }] },
  ],
  Abs: [{ grow: rows(1), given: [{ shape: [1, 5], random: true }] }],
  Exp: [{ grow: rows(1), given: [{ shape: [1, 4], random: true, variance: [0.01, 0.1, 0.3, 0.5] }] }],
  Clip: [
    { grow: data(3), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [-0.5] }, { shape: [], constant: [1] }] },
    { given: [{ shape: [2, 3], random: true }, { shape: [], constant: [0.25] }] },
  ],
  Div: [{ given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.5, -2, 4] }] }],
  Pow: [{ given: [{ shape: [2, 3], random: true }, { shape: [], constant: [2] }] }],
  ReduceMean: [{ attributes: { keepdims: 0 }, given: [{ shape: [2, 3, 2], random: true }, { shape: [1], integers: [1] }] }],
  ReduceSum: [{ given: [{ shape: [2, 3], random: true }] }],
  ConvTranspose: [{ attributes: { strides: [2], pads: [1, 0] }, given: [{ shape: [1, 2, 3], random: true }, { shape: [2, 2, 3], random: true }, { shape: [2], random: true }] }],
  // Sums over all thresholds up to 4 bits; of 8 bits the bound that RoundMoments states.
  Quant: [
    { grow: data(4), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.25] }, { shape: [], constant: [0] }, { shape: [], constant: [4] }] },
    { attributes: { signed: 0, narrow: 1, rounding_mode: 'CEIL' }, given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.5, 0.3, 1] }, { shape: [], constant: [1] }, { shape: [], constant: [2] }] },
    { attributes: { rounding_mode: 'DOWN' }, given: [{ shape: [5], random: true }, { shape: [], constant: [0.5] }, { shape: [], constant: [0] }, { shape: [], constant: [3] }] },
    { attributes: { rounding_mode: 'UP' }, given: [{ shape: [5], random: true }, { shape: [], constant: [0.5] }, { shape: [], constant: [0] }, { shape: [], constant: [3] }] },
    { given: [{ shape: [5], random: true }, { shape: [], constant: [0.7] }, { shape: [], constant: [0] }, { shape: [], constant: [1] }] },
    { attributes: { rounding_mode: 'FLOOR' }, given: [{ shape: [7], random: true }, { shape: [], constant: [0.25] }, { shape: [], constant: [3] }, { shape: [], constant: [6] }], bound: { mean: 0.02, variance: 0.02 } },
    { given: [{ shape: [7], random: true, mean: [0, 1.2, -1.27, 0.3, 1.25, 0.5, -0.1], variance: [1e-5, 4e-5, 1e-4, 1, 0.25, 0.04, 9] }, { shape: [], constant: [0.01] }, { shape: [], constant: [0] }, { shape: [], constant: [8] }], bound: { mean: 0.02, variance: 0.02 } },
  ],
  BipolarQuant: [{ grow: data(2), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.75] }] }],
  MultiThreshold: [{ attributes: { out_dtype: 'UINT4', out_scale: 0.5, out_bias: -1 }, given: [{ shape: [1, 2, 2], random: true }, { shape: [2, 3], constant: [0.5, -1, 1, -0.5, 0, 0.25] }] }].map((c) => ({ ...c, attributes: { ...c.attributes, data_layout: 'NCW' } })),
  Trunc: [{ attributes: { version: 2 }, given: [{ shape: [5], random: true }, { shape: [], constant: [0.0625] }, { shape: [], constant: [0] }, { shape: [], constant: [8] }, { shape: [], constant: [0.5] }, { shape: [], constant: [3] }] }],
  QuantizeLinear: [
    { attributes: { axis: 1, output_dtype: 22 }, given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.3, 0.5, 1] }] },
    { given: [{ shape: [2, 3], random: true }, { shape: [], constant: [0.02] }, { shape: [], dtype: 'uint8', constant: [100] }], bound: { mean: 0.02, variance: 0.02 } },
  ],
  DequantizeLinear: [{ attributes: { axis: 1 }, given: [{ shape: [2, 3], random: true, dtype: 'int8' }, { shape: [3], constant: [0.3, 0.5, 1] }, { shape: [3], dtype: 'int8', constant: [0, 3, -7] }] }],
  Dropout: [{ given: [{ shape: [1, 6], random: true }] }],
  Flatten: [{ given: [{ shape: [1, 3, 2], random: true }] }],
  Gather: [{ given: [{ shape: [4, 2], random: true }, { shape: [3], integers: [2, 0, 2] }] }],
  Identity: [{ given: [{ shape: [1, 6], random: true }] }],
  Pad: [{ given: [{ shape: [2, 3], random: true }, { shape: [4], integers: [0, 1, 1, 0] }] }],
  Reshape: [{ given: [{ shape: [2, 3], random: true }, { shape: [2], integers: [3, 2] }] }],
  Slice: [{ given: [{ shape: [1, 5], random: true }, { shape: [1], integers: [1] }, { shape: [1], integers: [4] }, { shape: [1], integers: [1] }] }],
  Squeeze: [{ given: [{ shape: [2, 1, 3], random: true }, { shape: [1], integers: [1] }] }],
  Transpose: [{ attributes: { perm: [0, 2, 1] }, given: [{ shape: [1, 2, 3], random: true }] }],
  Unsqueeze: [{ given: [{ shape: [1, 3], random: true }, { shape: [1], integers: [1] }] }],
};

test('dense, convolution, relu and add have moments', () => {
  for (const name of ['MatMul', 'Gemm', 'Conv', 'Relu', 'Add']) assert.ok(operators[name].moments, name);
});

test('every record with moments has a case here', () => {
  const without = Object.values(operators).filter((r) => r.moments && !cases[r.name]).map((r) => r.name);
  assert.equal(without, [], 'add what each is given to `cases`');
});

const asked = process.argv.slice(2);
for (const [op, list] of Object.entries(cases)) {
  if (asked.length > 0 && !asked.includes(op)) continue;
  test(`${op}: moments against Monte Carlo`, () => {
    list.forEach((c, i) => check(`${op} ${i}`, momentGraph(op, c.given, c.attributes, 10 + i), 100 + i, c));
  });
}

test.run();
