/**
 * Quantizers against the answers of qonnx's reference executor and of onnxruntime (the vectors beside the project), and
 * the cases that those leave out. Both `reference` and `lower` with the interpreter, equal in every float32.
 */
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataType } from '../../codegen/ir/datatype.js';
import type { Attribute } from '../../codegen/ir/graph.js';
import { readNpz, type NpyArray } from '../../sdk/data/npy.js';
import { chain, run, runSingle, type Input, type Result } from './node.js';

const vectors = new URL('../../../shared/data/qonnx/op_vectors/', import.meta.url);
const available = existsSync(vectors);
if (!available) console.log('SKIP goldens of quantizers: ../shared/data/qonnx/op_vectors is missing');
const golden = available ? test : test.skip;

const npz = (name: string): Record<string, NpyArray> => readNpz(new Uint8Array(readFileSync(new URL(`${name}.npz`, vectors))));
const json = <T>(name: string): T => JSON.parse(readFileSync(new URL(`${name}.json`, vectors), 'utf8')) as T;
const numbers = (a: NpyArray): number[] => Array.from(a.data as ArrayLike<number>, Number);
const asInput = (a: NpyArray, constant = false): Input => ({ shape: a.shape, data: numbers(a), dtype: a.dtype as DataType, constant });
const scalar = (value: number, dtype: DataType = 'float32'): Input => ({ shape: [], data: [dtype === 'float32' ? Math.fround(value) : value], dtype, constant: true });
const vector = (data: readonly number[], dtype: DataType = 'float32', shape: readonly number[] = [data.length]): Input => ({ shape, data, dtype, constant: true });

/** Equal in every element; NaN equals NaN and -0 equals 0. */
function same(found: readonly number[], expected: readonly number[], what: string): void {
  assert.is(found.length, expected.length, `${what}: length`);
  const i = found.findIndex((v, k) => v !== expected[k] && !(Number.isNaN(v) && Number.isNaN(expected[k])));
  if (i >= 0) assert.unreachable(`${what}: element ${i} is ${found[i]}, expected ${expected[i]}`);
}

function bothAre(result: Result, expected: readonly number[], what: string): void {
  same(result.reference, expected, `${what}, reference`);
  same(result.interpreted, expected, `${what}, interpreter`);
}

// ---- Quant ----------------------------------------------------------------------------------------------------------

interface IntQuantCase {
  readonly id: number;
  readonly x: string;
  readonly scale: number | string;
  readonly zeropt: number | string;
  readonly bitwidth: number | string;
  readonly signed: number;
  readonly narrow: number;
  readonly rounding_mode: string;
}

golden('Quant gives the reference executor\'s answers (900 cases)', () => {
  const arrays = npz('intquant');
  const cases = json<IntQuantCase[]>('intquant');
  const parameter = (v: number | string): Input => (typeof v === 'string' ? asInput(arrays[v.slice(1)], true) : scalar(v));
  for (const c of cases) {
    const { signed, narrow, rounding_mode } = c;
    const inputs = [asInput(arrays[c.x]), parameter(c.scale), parameter(c.zeropt), parameter(c.bitwidth)];
    bothAre(runSingle('Quant', { signed, narrow, rounding_mode }, inputs), numbers(arrays[`y${c.id}`]), `case ${c.id} ${JSON.stringify(c)}`);
  }
  assert.is(cases.length, 900);
});

test('Quant: the seven rounding modes at ties and beside them', () => {
  const x = [5.5, 2.5, 1.6, 1.5, 1.1, 0.5, -0.5, -1.1, -1.5, -1.6, -2.5, -5.5];
  const table: Record<string, number[]> = {
    ROUND: [6, 2, 2, 2, 1, 0, 0, -1, -2, -2, -2, -6],
    half_even: [6, 2, 2, 2, 1, 0, 0, -1, -2, -2, -2, -6],
    CEIL: [6, 3, 2, 2, 2, 1, 0, -1, -1, -1, -2, -5],
    Floor: [5, 2, 1, 1, 1, 0, -1, -2, -2, -2, -3, -6],
    UP: [6, 3, 2, 2, 2, 1, -1, -2, -2, -2, -3, -6],
    DOWN: [5, 2, 1, 1, 1, 0, 0, -1, -1, -1, -2, -5],
    HALF_UP: [6, 3, 2, 2, 1, 1, -1, -1, -2, -2, -3, -6],
    HALF_DOWN: [5, 2, 2, 1, 1, 0, 0, -1, -1, -2, -2, -5],
  };
  for (const [mode, expected] of Object.entries(table)) {
    const result = runSingle('Quant', { rounding_mode: mode }, [{ shape: [12], data: x }, scalar(1), scalar(0), scalar(8)]);
    bothAre(result, expected, mode);
  }
  const below = Math.fround(0.5 - 2 ** -25);
  bothAre(runSingle('Quant', { rounding_mode: 'HALF_UP' }, [{ shape: [1], data: [below] }, scalar(1), scalar(0), scalar(8)]), [1], 'HALF_UP below one half');
});

test('Quant: NaN stays NaN, infinities clamp; bipolar takes NaN to -1', () => {
  const x: Input = { shape: [3], data: [NaN, Infinity, -Infinity] };
  bothAre(runSingle('Quant', {}, [x, scalar(0.5), scalar(0), scalar(4)]), [NaN, 3.5, -4], '4 bit');
  bothAre(runSingle('Quant', {}, [x, scalar(0.5), scalar(0), scalar(1)]), [-0.5, 0.5, -0.5], 'bipolar');
});

test('Quant annotates its output', () => {
  const annotation = (scale: Input, zero: number, bits: number, attributes: Record<string, Attribute> = {}): DataType | undefined =>
    runSingle('Quant', attributes, [{ shape: [2], data: [1, 2] }, scale, scalar(zero), scalar(bits)]).value.annotation;
  assert.is(annotation(scalar(1), 0, 4), 'int4');
  assert.is(annotation(scalar(1), 0, 4, { narrow: 1 }), 'int4');
  assert.is(annotation(scalar(1), 0, 4, { signed: 0 }), 'uint4');
  assert.is(annotation(scalar(1), 0, 1), 'bipolar');
  assert.is(annotation(scalar(1), 0, 1, { signed: 0 }), 'uint1');
  assert.is(annotation(scalar(0.5), 0, 3), 'scaledint<3>');
  assert.is(annotation(vector([1, 0.5]), 0, 3), 'scaledint<3>');
  assert.is(annotation(scalar(1), 1, 4), undefined);
  assert.is(annotation(scalar(1), 0, 2.5), undefined);
});

function diagnostic(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

test('Quant refuses what it cannot mean', () => {
  const x: Input = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
  const message = (inputs: Input[], attributes = {}): string => diagnostic(() => runSingle('Quant', attributes, inputs));
  assert.is(
    message([x, scalar(1), scalar(0), scalar(4)], { rounding_mode: 'HALF_UPP' }),
    'error [graph/attribute-type] node0: the rounding mode "HALF_UPP" is not one of ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN\n  Did you mean "HALF_UP"?',
  );
  assert.is(
    message([x, vector([1, 2]), scalar(0), scalar(4)]),
    'error [graph/shape] node0: the scale "x1" of shape [2] does not broadcast to the input "x0" of shape [2, 3]\n  Give the scale one element, or the input\'s rank with 1 where it does not vary.',
  );
  assert.is(
    message([x, scalar(1), scalar(0), vector([1, 2, 3])]),
    'error [graph/unsupported] node0: signed bit widths that vary by channel and hold a 1 (bipolar)\n  Give all channels one bit width, or at least 2 bits each.',
  );
  assert.is(
    message([x, scalar(1), scalar(0), scalar(0)]),
    'error [graph/unsupported] node0: the bit width "x3" holds 0, expected more than 0 and at most 32\n  Quantize to 1 to 32 bits.',
  );
  assert.is(
    message([x, scalar(0), scalar(0), scalar(4)]),
    'error [graph/unsupported] node0: the scale "x1" holds 0, expected finite numbers other than 0\n  Export the model with valid scales.',
  );
});

// ---- Trunc, BipolarQuant, MultiThreshold ----------------------------------------------------------------------------

interface TruncCase {
  readonly id: number;
  readonly version: 1 | 2;
  readonly x: string;
  readonly scale: number;
  readonly zeropt: number;
  readonly in_bitwidth: number;
  readonly out_scale?: number;
  readonly out_bitwidth: number;
  readonly signed?: number;
  readonly narrow?: number;
  readonly rounding_mode: string;
}

golden('Trunc gives the reference executor\'s answers (420 cases, both versions)', () => {
  const arrays = npz('trunc');
  const cases = json<TruncCase[]>('trunc');
  for (const c of cases) {
    const inputs = [asInput(arrays[c.x]), scalar(c.scale), scalar(c.zeropt), scalar(c.in_bitwidth)];
    if (c.version === 2) inputs.push(scalar(c.out_scale!));
    inputs.push(scalar(c.out_bitwidth));
    const attributes: Record<string, Attribute> = { version: c.version, rounding_mode: c.rounding_mode };
    if (c.version === 2) Object.assign(attributes, { signed: c.signed, narrow: c.narrow });
    bothAre(runSingle('Trunc', attributes, inputs), numbers(arrays[`y${c.id}`]), `case ${c.id} ${JSON.stringify(c)}`);
  }
  assert.is(cases.length, 420);
});

test('Trunc refuses inputs of the other version', () => {
  const inputs = [{ shape: [1], data: [1] }, scalar(1), scalar(0), scalar(8), scalar(4)];
  assert.is(
    diagnostic(() => runSingle('Trunc', { version: 2 }, inputs)),
    'error [graph/arity] node0: Trunc of version 2 takes 6 inputs, found 5\n  The version follows from the opset of its domain: set that to the version that the inputs have.',
  );
});

golden('BipolarQuant gives the reference executor\'s answers', () => {
  const a = npz('bipolarquant');
  numbers(a.scale).forEach((scale, i) => bothAre(runSingle('BipolarQuant', {}, [asInput(a.x), scalar(scale)]), numbers(a[`y${i}`]), `scale ${scale}`));
  bothAre(runSingle('BipolarQuant', {}, [asInput(a.x3), asInput(a.scale3, true)]), numbers(a.y3), 'per channel');
});

golden('MultiThreshold gives the reference executor\'s answers', () => {
  const a = npz('multithreshold');
  const v = asInput(a.v);
  bothAre(runSingle('MultiThreshold', { out_dtype: 'UINT3', data_layout: 'NCHW' }, [v, asInput(a.th, true)]), numbers(a.y_nchw), 'per channel');
  const scaled = { out_dtype: 'INT6', out_scale: 2, out_bias: -1 };
  bothAre(runSingle('MultiThreshold', scaled, [v, asInput(a.th1, true)]), numbers(a.y_global), 'one row for all');
  const last: Input = { shape: [2, 3, 3, 4], data: channelsLast(numbers(a.v), [2, 4, 3, 3]) };
  const half = { out_dtype: 'FLOAT32', out_scale: 0.5, out_bias: -3, data_layout: 'NHWC' };
  bothAre(runSingle('MultiThreshold', half, [last, asInput(a.th, true)]), numbers(a.y_nhwc), 'channels last');
});

test('MultiThreshold counts by reduction beyond 16 thresholds as it does by comparisons', () => {
  const thresholds = Array.from({ length: 17 }, (_, i) => i * 0.5 - 4);
  const x: Input = { shape: [1, 9], data: [-5, -4, -3.75, 0, 0.25, 3.5, 4, 9, NaN] };
  bothAre(runSingle('MultiThreshold', { out_dtype: 'UINT5' }, [x, vector(thresholds, 'float32', [1, 17])]), [0, 1, 1, 9, 9, 16, 17, 17, 0], '17');
  bothAre(runSingle('MultiThreshold', { out_dtype: 'UINT4' }, [x, vector(thresholds.slice(0, 16), 'float32', [1, 16])]), [0, 1, 1, 9, 9, 16, 16, 16, 0], '16');
});

test('MultiThreshold annotates its output where scale and bias are integers', () => {
  const annotation = (attributes: Record<string, Attribute>): DataType | undefined =>
    runSingle('MultiThreshold', attributes, [{ shape: [1, 2], data: [1, 2] }, vector([0], 'float32', [1, 1])]).value.annotation;
  assert.is(annotation({ out_dtype: 'BIPOLAR', out_scale: 2, out_bias: -1 }), 'bipolar');
  assert.is(annotation({ out_dtype: 'BINARY' }), 'uint1');
  assert.is(annotation({ out_dtype: 'UINT4', out_scale: 0.5 }), undefined);
});

function channelsLast(x: number[], [n, c, h, w]: number[]): number[] {
  const y: number[] = [];
  for (let b = 0; b < n; b++) for (let p = 0; p < h * w; p++) for (let k = 0; k < c; k++) y.push(x[(b * c + k) * h * w + p]);
  return y;
}

// ---- QuantizeLinear, DequantizeLinear -------------------------------------------------------------------------------

golden('QuantizeLinear, Clip and DequantizeLinear give onnxruntime\'s answers (QDQ and QCDQ)', () => {
  const arrays = npz('ort_vectors');
  const { cases } = json<{ cases: string[] }>('ort_vectors');
  const linear = cases.filter((c) => c.startsWith('qdq_') || c.startsWith('qcdq_'));
  for (const name of linear) {
    const inputs: Record<string, Input> = {};
    for (const key of Object.keys(arrays)) {
      const m = /^(.*)\/in\/(.*)$/.exec(key);
      if (m?.[1] === name) inputs[m[2]] = asInput(arrays[key], m[2] !== 'x');
    }
    const clip = 'lo' in inputs;
    const steps = [
      { op: 'QuantizeLinear', inputs: ['x', 's', 'z'], output: 'q' },
      ...(clip ? [{ op: 'Clip', inputs: ['q', 'lo', 'hi'], output: 'c' }] : []),
      { op: 'DequantizeLinear', inputs: [clip ? 'c' : 'q', 's', 'z'], output: 'y' },
    ];
    const results = run(chain(inputs, steps, [clip ? 'c' : 'q', 'y']), inputs);
    for (const [output, result] of Object.entries(results)) bothAre(result, numbers(arrays[`${name}/out/${output}`]), `${name} ${output}`);
  }
  assert.is(linear.length, 10);
});

test('QuantizeLinear rounds before the zero point, Quant after', () => {
  const x: Input = { shape: [2], data: [0.5, 1.5] };
  const linear = runSingle('QuantizeLinear', {}, [x, scalar(1), scalar(1, 'int8')]);
  bothAre(linear, [1, 3], 'QuantizeLinear');
  assert.is(linear.dtype, 'int8');
  bothAre(runSingle('Quant', {}, [x, scalar(1), scalar(1), scalar(8)]), [1, 1], 'Quant');
});

test('QuantizeLinear: NaN becomes 0 and infinities saturate; without a zero point it makes uint8', () => {
  const result = runSingle('QuantizeLinear', {}, [{ shape: [4], data: [NaN, Infinity, -Infinity, 3.4e38] }, scalar(0.1)]);
  bothAre(result, [0, 255, 0, 255], 'uint8');
  assert.is(result.dtype, 'uint8');
  bothAre(runSingle('QuantizeLinear', { output_dtype: 5 }, [{ shape: [2], data: [1e9, -1e9] }, scalar(1)]), [32767, -32768], 'int16');
});

test('DequantizeLinear takes 8 to 32 bits, per axis', () => {
  bothAre(runSingle('DequantizeLinear', { axis: 0 }, [{ shape: [2, 2], data: [0, 255, 7, 8], dtype: 'uint8' }, vector([0.5, 2]), vector([128, 7], 'uint8')]), [-64, 63.5, 0, 2], 'uint8');
  const big = 2147483647;
  bothAre(runSingle('DequantizeLinear', {}, [{ shape: [2], data: [big, -3], dtype: 'int32' }, scalar(0.5)]), [Math.fround(big) / 2, -1.5], 'int32');
});

test('QuantizeLinear and DequantizeLinear refuse blocks and zero points of 32 bits', () => {
  const x: Input = { shape: [2, 4], data: new Array<number>(8).fill(1) };
  assert.is(
    diagnostic(() => runSingle('QuantizeLinear', { block_size: 2 }, [x, vector([1, 1, 1, 1], 'float32', [2, 2])])),
    'error [graph/unsupported] node0: blocked quantization is not supported (block_size 2, scale of 2 dimensions)\n  Quantize per tensor or per axis.',
  );
  assert.is(
    diagnostic(() => runSingle('DequantizeLinear', {}, [{ ...x, dtype: 'int32' }, scalar(1), scalar(1, 'int32')])),
    'error [graph/unsupported] node0: a zero point other than 0 with an input of type int32\n  ONNX allows only 0 for 32-bit integers: leave the zero point out.',
  );
});

// ---- Quantize, Requantize, Dequantize -------------------------------------------------------------------------------

golden('Quantize gives the codes of Quant (whole bit widths, scalar parameters, bipolar apart)', () => {
  const arrays = npz('intquant');
  let count = 0;
  for (const c of json<IntQuantCase[]>('intquant')) {
    if (typeof c.scale !== 'number' || typeof c.zeropt !== 'number' || !Number.isInteger(c.bitwidth)) continue;
    const bits = c.bitwidth as number;
    if (c.signed && bits === 1) continue;
    const [min, max] = c.signed ? [-(2 ** (bits - 1)) + c.narrow, 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1 - c.narrow];
    const result = runSingle('Quantize', { min, max, zeroPoint: c.zeropt, roundingMode: c.rounding_mode }, [asInput(arrays[c.x]), scalar(c.scale)]);
    const scale = Math.fround(c.scale);
    same(result.interpreted, result.reference, `case ${c.id}`);
    same(result.interpreted.map((q) => Math.fround(q * scale)), numbers(arrays[`y${c.id}`]), `case ${c.id}`);
    count++;
  }
  assert.is(count, 576);
});

test('Quantize: NaN has the code of an unshifted 0, infinities clamp', () => {
  const x: Input = { shape: [3], data: [NaN, Infinity, -Infinity] };
  const shifted = runSingle('Quantize', { min: 0, max: 255, zeroPoint: 128 }, [x, scalar(0.5)]);
  bothAre(shifted, [-128, 127, -128], 'zero point 128');
  assert.is(shifted.dtype, 'int8');
  assert.equal(shifted.value.range, [-128, 127]);
  bothAre(runSingle('Quantize', { min: -7, max: 7, zeroPoint: 1 }, [x, scalar(0.5)]), [-1, 6, -8], 'narrow');
  const bipolar = runSingle('Quantize', { bipolar: 1 }, [x, scalar(0.5)]);
  bothAre(bipolar, [-1, 1, -1], 'bipolar');
  assert.is(bipolar.dtype, 'int2');
  assert.is(bipolar.value.annotation, 'bipolar');
});

test('Requantize counts thresholds; equal columns count as often as they stand', () => {
  const acc: Input = { shape: [1, 2, 4], data: [-5, 0, 3, 9, -5, 0, 3, 9], dtype: 'int8' };
  const table = vector([0, 0, 3, 3, -5, 1, 3, 9], 'int32', [2, 4]);
  const result = runSingle('Requantize', { base: -2 }, [acc, table]);
  bothAre(result, [-2, 0, 2, 2, -1, -1, 1, 2], 'two rows');
  assert.is(result.dtype, 'int3');
  assert.equal(result.value.range, [-2, 2]);
  bothAre(runSingle('Requantize', { base: -1 }, [acc, vector([0, 0], 'int32', [1, 2])]), [-1, 1, 1, 1, -1, 1, 1, 1], 'bipolar');
});

test('Requantize: directions turn the accumulator, the least one too', () => {
  const acc: Input = { shape: [2, 2], data: [-128, 5, -128, 5], dtype: 'int8' };
  const directions = vector([-1, 1], 'int32');
  bothAre(runSingle('Requantize', {}, [acc, vector([0, 128], 'int32', [1, 2]), directions]), [2, 1, 2, 1], 'comparisons');
  const many = vector(Array.from({ length: 16 }, (_, i) => i * 16 - 112), 'int32', [1, 16]);
  bothAre(runSingle('Requantize', {}, [acc, many, directions]), [16, 8, 16, 8], 'reduction');
});

test('Requantize by scale rounds ties to even and clamps', () => {
  const acc: Input = { shape: [1, 2, 5], data: [-100, 1, 3, 5, 1000, -100, 1, 3, 5, 1000], dtype: 'int16' };
  const none = vector([], 'int32', [2, 0]);
  const attributes = { form: 'scale', base: -3, levels: 6 };
  const result = runSingle('Requantize', attributes, [acc, none, undefined, vector([0.5, -1]), vector([0, 2])]);
  bothAre(result, [-3, 0, 2, 2, 3, 3, 1, -1, -3, -3], 'scale');
  assert.equal(result.value.range, [-3, 3]);
});

test('Dequantize rounds the product, then the sum', () => {
  const q: Input = { shape: [2, 2], data: [-3, 7, 100, -128], dtype: 'int8' };
  const scale = vector([0.1, 0.3].map(Math.fround));
  const bias = vector([0.7, -0.2].map(Math.fround));
  const expected = q.data as number[];
  const f = Math.fround;
  bothAre(runSingle('Dequantize', {}, [q, scale, bias]), expected.map((v, i) => f(f(v * f([0.1, 0.3][i % 2])) + f([0.7, -0.2][i % 2]))), 'with bias');
  bothAre(runSingle('Dequantize', {}, [q, scalar(0.1)]), expected.map((v) => f(v * f(0.1))), 'without');
});

test.run();
