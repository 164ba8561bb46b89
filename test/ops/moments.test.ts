/**
 * Every record's `moments`: mean and variance of the output against seeded Monte Carlo with independent normal inputs, a million draws
 * of each. Known values and limits are in momentLimits.test.ts, accuracy over whole ranges in momentAccuracy.test.ts.
 *
 * With names as arguments, those operators only: `... test/ops/moments.test.ts Conv Quant`.
 *
 * A sample mean may be off by 5 of its standard errors, a sample variance by 5 of its own (from the fourth moment): of some 650
 * comparisons, true rules would fail one with a probability of 4 in 10,000 at most (Bonferroni). Rules that approximate state what
 * they may be off besides. Each case is also shown to be sharp: a variance 1 % off, or a mean off by 1 % of the deviation, would fail it.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attribute } from '../../codegen/ir/graph.js';
import { operators } from '../../codegen/ops/index.js';
import { byInterpreter, byReference, momentGraph, monteCarlo, type Given, type Grow, type MomentGraph } from './momentGraphs.js';

const ERRORS = 5;

interface Case {
  readonly given: readonly Given[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Without it a call takes one draw, which is slow. */
  readonly grow?: Grow;
  /** Of an approximate rule: what the mean may be off in standard deviations, and the variance relative to itself. */
  readonly bound?: { readonly mean: number; readonly variance: number };
}

function check(name: string, m: MomentGraph, { grow, bound: { mean, variance } = { mean: 0, variance: 0 } }: Case): void {
  const found = byReference(m);
  const narrow = byInterpreter(m);
  assert.ok(found.variance, `${name}: no variance`);
  const caught = { mean: false, variance: false };
  monteCarlo(m, narrow.mean, grow).forEach((truth, e) => {
    const deviation = Math.sqrt(truth.variance);
    const bias = { mean: mean * deviation, variance: variance * truth.variance };
    // What a rule might be wrong by, and be seen.
    const wrong = { mean: (0.01 + 2 * mean) * deviation, variance: (0.01 + 2 * variance) * found.variance![e] };
    for (const what of ['mean', 'variance'] as const) {
      const [x, y] = [narrow[what][e], found[what]![e]];
      const off = (value: number): boolean => Math.abs(value - truth[what]) > ERRORS * truth[`${what}Error`] + bias[what] + 1e-9;
      assert.not.ok(off(y), `${name}: the ${what} of element ${e} is ${y}, and ${truth[what]} +- ${truth[`${what}Error`]} by Monte Carlo`);
      assert.ok(Math.abs(x - y) <= 2e-5 * Math.max(1, Math.abs(y)) + bias[what], `${name}: the ${what} of element ${e} is ${x} in float32 and ${y} by reference`);
      caught[what] ||= off(y + wrong[what]) && off(y - wrong[what]);
    }
  });
  for (const what of ['mean', 'variance'] as const) assert.ok(caught[what], `${name}: an error of the ${what} by 1 % of the deviation or variance would not be seen`);
}

/** Every input that repeats does so by rows, as does the output; the others are parameters. */
const rows = (inputs: number, parameters = 0): Grow => ({ inputs: [...new Array<number>(inputs).fill(0), ...new Array<undefined>(parameters).fill(undefined)], output: 0 });
/** Each draw is a group of channels of its own. */
const groups = (attributes: Readonly<Record<string, Attribute>>, own = 1): Grow => ({ inputs: [1, 0, 0], output: 1, attributes: (draws) => ({ ...attributes, group: draws * own }) });
/** Each draw has output channels of its own, of the same input. */
const channels: Grow = { inputs: [undefined, 0, 0], output: 1 };

const cases: Readonly<Record<string, readonly Case[]>> = {
  MatMul: [
    { grow: rows(2), given: [{ shape: [1, 1, 3], random: true }, { shape: [1, 3, 2], random: true }] },
    { grow: rows(1, 1), given: [{ shape: [2, 3], random: true }, { shape: [3, 2] }] },
    { grow: rows(2), given: [{ shape: [1, 2, 3] }, { shape: [1, 3, 2], random: true }] },
  ],
  Gemm: [
    { attributes: { transB: 1 }, given: [{ shape: [2, 3], random: true }, { shape: [2, 3], random: true }, { shape: [2], random: true }] },
    { grow: { inputs: [undefined, 0, 1], output: 1 }, attributes: { transB: 1 }, given: [{ shape: [1, 3] }, { shape: [2, 3], random: true }, { shape: [1, 2], random: true }] },
    { attributes: { alpha: 0.5, beta: -2 }, grow: { inputs: [0, undefined, 0], output: 0 }, given: [{ shape: [2, 4], random: true }, { shape: [4, 3] }, { shape: [2, 3], random: true }] },
    { attributes: { transA: 1, beta: 3 }, grow: { inputs: [undefined, 1, undefined], output: 1 }, given: [{ shape: [4, 2] }, { shape: [4, 3], random: true }, { shape: [2, 1] }] },
    { grow: { inputs: [undefined, 1, 0], output: 1 }, given: [{ shape: [2, 4] }, { shape: [4, 3] }, { shape: [3], random: true }] },
    // a deterministic layer after a random one
    { grow: rows(1, 2), given: [{ shape: [1, 4], random: true }, { shape: [4, 3] }, { shape: [3] }] },
  ],
  Conv: [
    { attributes: { pads: [1, 1, 0, 0], strides: [2, 1] }, grow: groups({ pads: [1, 1, 0, 0], strides: [2, 1] }), given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [1, 2, 2, 2], random: true, variance: new Array<number>(8).fill(0.1) }, { shape: [1], random: true }] },
    { attributes: { group: 2 }, grow: rows(1, 1), given: [{ shape: [1, 4, 3], random: true }, { shape: [2, 2, 3] }] },
    { grow: channels, given: [{ shape: [1, 2, 2, 2] }, { shape: [2, 2, 2, 2], random: true }, { shape: [2] }] },
    { grow: channels, given: [{ shape: [1, 1, 2, 2] }, { shape: [2, 1, 2, 2] }, { shape: [2], random: true }] },
    // depthwise, also with two outputs a channel
    { attributes: { group: 2 }, grow: groups({}, 2), given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [2, 1, 1, 2], random: true }, { shape: [2], random: true }] },
    { attributes: { group: 2 }, grow: groups({}, 2), given: [{ shape: [1, 2, 3], random: true }, { shape: [4, 1, 2], random: true }, { shape: [4] }] },
  ],
  Add: [
    { grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] },
    { grow: { inputs: [1, 0], output: 1 }, given: [{ shape: [2, 3] }, { shape: [3], random: true }] },
  ],
  Sub: [{ grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] }, { grow: { inputs: [0, undefined], output: 1 }, given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
  Mul: [{ grow: rows(2), given: [{ shape: [1, 2, 2], random: true }, { shape: [1, 1, 2], random: true }] }, { grow: { inputs: [0, undefined], output: 1 }, given: [{ shape: [3], random: true }, { shape: [2, 1] }] }],
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
    { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, grow: rows(1), given: [{ shape: [1, 1, 2, 2], random: true }] },
  ],
  GlobalAveragePool: [{ grow: rows(1), given: [{ shape: [1, 2, 2, 2], random: true }] }],
  BatchNormalization: [{ grow: rows(1, 4), given: [{ shape: [1, 2, 2, 2], random: true }, { shape: [2], constant: [0.5, -2] }, { shape: [2], constant: [1, 3] }, { shape: [2], constant: [-1, 0.5] }, { shape: [2], constant: [0.25, 2] }] }],
  Neg: [{ grow: rows(1), given: [{ shape: [1, 6], random: true }] }],
  Concat: [
    { attributes: { axis: 1 }, grow: rows(2), given: [{ shape: [1, 3], random: true }, { shape: [1, 1], random: true }] },
    { attributes: { axis: 0 }, grow: { inputs: [1, 1], output: 1 }, given: [{ shape: [1, 3] }, { shape: [2, 3], random: true }] },
  ],
  Abs: [{ grow: rows(1), given: [{ shape: [1, 5], random: true }] }],
  Exp: [{ grow: rows(1), given: [{ shape: [1, 4], random: true, variance: [0.01, 0.1, 0.3, 0.5] }] }],
  Clip: [
    { grow: rows(1, 2), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [-0.5] }, { shape: [], constant: [1] }] },
    { grow: rows(1, 1), given: [{ shape: [2, 3], random: true }, { shape: [], constant: [0.25] }] },
  ],
  Div: [{ grow: rows(1, 1), given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.5, -2, 4] }] }],
  Pow: [{ grow: rows(1, 1), given: [{ shape: [2, 3], random: true }, { shape: [], constant: [2] }] }],
  ReduceMean: [{ attributes: { keepdims: 0 }, grow: rows(1, 1), given: [{ shape: [2, 2, 2], random: true }, { shape: [1], integers: [1] }] }],
  ReduceSum: [{ given: [{ shape: [2, 2], random: true, mean: [1, -0.5, 0.25, 2] }] }],
  ConvTranspose: [{ attributes: { strides: [2], pads: [1, 0] }, grow: groups({ strides: [2], pads: [1, 0] }), given: [{ shape: [1, 2, 2], random: true }, { shape: [2, 1, 3], random: true }, { shape: [1], random: true }] }],
  // Sums over all thresholds up to 4 bits; of 8 bits the bound that RoundMoments states.
  Quant: [
    { grow: rows(1, 3), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.25] }, { shape: [], constant: [0] }, { shape: [], constant: [4] }] },
    { attributes: { signed: 0, narrow: 1, rounding_mode: 'CEIL' }, grow: rows(1, 3), given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.5, 0.3, 1] }, { shape: [], constant: [1] }, { shape: [], constant: [2] }] },
    { attributes: { rounding_mode: 'DOWN' }, grow: rows(1, 3), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.5] }, { shape: [], constant: [0] }, { shape: [], constant: [3] }] },
    { attributes: { rounding_mode: 'UP' }, grow: rows(1, 3), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.5] }, { shape: [], constant: [0] }, { shape: [], constant: [3] }] },
    { grow: rows(1, 3), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.7] }, { shape: [], constant: [0] }, { shape: [], constant: [1] }] },
    { attributes: { rounding_mode: 'FLOOR' }, grow: rows(1, 3), given: [{ shape: [1, 7], random: true }, { shape: [], constant: [0.25] }, { shape: [], constant: [3] }, { shape: [], constant: [6] }], bound: { mean: 0.02, variance: 0.02 } },
    { grow: rows(1, 3), given: [{ shape: [1, 7], random: true, mean: [0, 1.2, -1.27, 0.3, 1.25, 0.5, -0.1], variance: [1e-5, 4e-5, 1e-4, 1, 0.25, 0.04, 9] }, { shape: [], constant: [0.01] }, { shape: [], constant: [0] }, { shape: [], constant: [8] }], bound: { mean: 0.02, variance: 0.02 } },
  ],
  BipolarQuant: [{ grow: rows(1, 1), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.75] }] }],
  MultiThreshold: [{ attributes: { out_dtype: 'UINT4', out_scale: 0.5, out_bias: -1, data_layout: 'NCW' }, grow: rows(1, 1), given: [{ shape: [1, 2, 2], random: true }, { shape: [2, 3], constant: [0.5, -1, 1, -0.5, 0, 0.25] }] }],
  Trunc: [{ attributes: { version: 2 }, grow: rows(1, 5), given: [{ shape: [1, 5], random: true }, { shape: [], constant: [0.0625] }, { shape: [], constant: [0] }, { shape: [], constant: [8] }, { shape: [], constant: [0.5] }, { shape: [], constant: [3] }] }],
  QuantizeLinear: [
    { attributes: { axis: 1, output_dtype: 22 }, grow: rows(1, 1), given: [{ shape: [2, 3], random: true }, { shape: [3], constant: [0.3, 0.5, 1] }] },
    { grow: rows(1, 2), given: [{ shape: [2, 3], random: true }, { shape: [], constant: [0.02] }, { shape: [], dtype: 'uint8', constant: [100] }], bound: { mean: 0.02, variance: 0.02 } },
  ],
  DequantizeLinear: [{ attributes: { axis: 1 }, grow: rows(1, 2), given: [{ shape: [2, 3], random: true, dtype: 'int8' }, { shape: [3], constant: [0.3, 0.5, 1] }, { shape: [3], dtype: 'int8', constant: [0, 3, -7] }] }],
  Dropout: [{ grow: rows(1), given: [{ shape: [1, 6], random: true }] }],
  Flatten: [{ grow: rows(1), given: [{ shape: [1, 3, 2], random: true }] }],
  Gather: [{ grow: { inputs: [1, undefined], output: 1 }, given: [{ shape: [4, 2], random: true }, { shape: [3], integers: [2, 0, 2] }] }],
  Identity: [{ grow: rows(1), given: [{ shape: [1, 6], random: true }] }],
  Pad: [{ grow: rows(1, 1), given: [{ shape: [1, 2, 3], random: true }, { shape: [6], integers: [0, 0, 1, 0, 1, 0] }] }],
  Reshape: [{ grow: rows(1, 1), given: [{ shape: [1, 2, 3], random: true }, { shape: [3], integers: [-1, 3, 2] }] }],
  Slice: [{ grow: rows(1, 3), given: [{ shape: [1, 5], random: true }, { shape: [1], integers: [1] }, { shape: [1], integers: [4] }, { shape: [1], integers: [1] }] }],
  Squeeze: [{ grow: rows(1, 1), given: [{ shape: [2, 1, 3], random: true }, { shape: [1], integers: [1] }] }],
  Transpose: [{ attributes: { perm: [0, 2, 1] }, grow: rows(1), given: [{ shape: [1, 2, 3], random: true }] }],
  Unsqueeze: [{ grow: rows(1, 1), given: [{ shape: [1, 3], random: true }, { shape: [1], integers: [1] }] }],
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
    list.forEach((c, i) => check(`${op} ${i}`, momentGraph(op, c.given, c.attributes, 10 + i), c));
  });
}

test.run();
