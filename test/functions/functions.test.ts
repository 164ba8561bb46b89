/**
 * exp, expm1, log, sigmoid, tanh, erf, erfc and the tails of the normal distribution as the interpreter computes them, against
 * float64: errors in units in the last place over the whole range, and the special values.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, float } from '../../codegen/ir/build.js';
import type { Expr } from '../../codegen/ir/program.js';
import { divergence } from '../../codegen/functions/divergence.js';
import { erf } from '../../codegen/functions/erf.js';
import { erfc } from '../../codegen/functions/erfc.js';
import { exp, quickExp } from '../../codegen/functions/exp.js';
import { expm1 } from '../../codegen/functions/expm1.js';
import { log } from '../../codegen/functions/log.js';
import { normalTail } from '../../codegen/functions/normalTail.js';
import { sigmoid } from '../../codegen/functions/sigmoid.js';
import { tanh } from '../../codegen/functions/tanh.js';
import { evaluateFunction } from './evaluate.js';

/** Distance of a float32 result from the true value in units in the last place of the true value. */
function ulps(found: number, truth: number): number {
  if (Object.is(Math.fround(truth), found) || (found === 0 && Math.fround(truth) === 0)) return 0;
  if (!Number.isFinite(found) || !Number.isFinite(Math.fround(truth))) return Infinity;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(truth))), -126);
  return Math.abs(found - truth) / 2 ** (exponent - 23);
}

function grid(lo: number, hi: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => lo + ((hi - lo) * i) / (count - 1));
}

/** Both signs, magnitudes spread evenly over the exponents. */
function magnitudes(least: number, greatest: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** (least + ((greatest - least) * i) / (count - 1)));
}

function worst(xs: Float32Array, ys: Float32Array, truth: (x: number) => number): { ulp: number; at: number } {
  let result = { ulp: 0, at: 0 };
  xs.forEach((x, i) => {
    const ulp = ulps(ys[i], truth(x));
    if (ulp > result.ulp) result = { ulp, at: x };
  });
  return result;
}

function within(name: string, xs: Float32Array, ys: Float32Array, truth: (x: number) => number, limit: number): void {
  const found = worst(xs, ys, truth);
  assert.ok(found.ulp <= limit, `${name} is off by ${found.ulp} units in the last place at ${found.at}`);
}

const specials = Float32Array.of(NaN, Infinity, -Infinity, 0, -0, 3e38, -3e38);

test('a part of a divergence: of itself within 1e-6, however near p and q are; never negative', () => {
  const count = 20001;
  // q + d, with d from 1e-9 q to 60 q and down to -q
  const up = Float32Array.from({ length: count }, (_, i) => 10 ** (-9 + (10.8 * i) / (count - 1)));
  const differences = Float32Array.from([...up, ...up.filter((d) => d < 1).map((d) => -d), -1]);
  for (const q of [1, 0.3, 2 ** -20]) {
    const scaled = differences.map((d) => d * q);
    const found = evaluateFunction((scope, d) => divergence(scope, scope.float('p', add('float32', float(q), d)), float(q), d), scaled);
    scaled.forEach((d, i) => {
      const r = d / Math.fround(q);
      // (1 + r) ln(1 + r) - r
      const truth = q * (r === -1 ? 1 : Math.abs(r) < 0.01 ? r * r * [0, 1, 2, 3, 4, 5, 6].reduce((sum, k) => sum + (-r) ** k / ((k + 1) * (k + 2)), 0) : (1 + r) * Math.log(1 + r) - r);
      assert.ok(found[i] >= 0 && Math.abs(found[i] - truth) <= 1e-6 * truth, `q ${q}, d ${d}: ${found[i]} and ${truth}`);
    });
  }
  const zero = evaluateFunction((scope, p) => divergence(scope, p, float(0), p), Float32Array.of(0));
  assert.is(zero[0], 0);
});

test('exp: within 2 units in the last place, below the least normal within one', () => {
  const normalRange = grid(-87.3, 88.72, 40001);
  within('exp', normalRange, evaluateFunction(exp, normalRange), Math.exp, 2);
  const small = magnitudes(-40, 3, 4001);
  within('exp', small, evaluateFunction(exp, small), Math.exp, 2);
  const tiny = grid(-104.5, -87.3, 4001);
  within('exp', tiny, evaluateFunction(exp, tiny), Math.exp, 1.5);
});

test('exp: special values, overflow and underflow', () => {
  assert.equal([...evaluateFunction(exp, specials)], [NaN, Infinity, 0, 1, 1, Infinity, 0]);
  assert.equal([...evaluateFunction(exp, Float32Array.of(88.73, 89, 200, -104, -150))], [Infinity, Infinity, Infinity, 0, 0]);
});

test('log: within 1 unit in the last place, near 1 and below the least normal too', () => {
  for (const xs of [grid(0.5, 2, 40001), grid(0.999, 1.001, 4001), magnitudes(-149, 127.9, 40001).map(Math.abs)]) within('log', xs, evaluateFunction(log, xs), Math.log, 1);
  assert.equal([...evaluateFunction(log, specials)], [NaN, Infinity, NaN, -Infinity, -Infinity, Math.fround(Math.log(Math.fround(3e38))), NaN]);
});

test('quickExp: within 1e-6 of itself near 0 and 6e-6 up to 86, the ends beyond', () => {
  const error = (limit: number): number => {
    const xs = Float32Array.from({ length: 20001 }, (_, k) => (k / 10000 - 1) * limit);
    return evaluateFunction(quickExp, xs).reduce((worst, y, k) => Math.max(worst, Math.abs(y / Math.exp(xs[k]) - 1)), 0);
  };
  assert.ok(error(8) < 1e-6, `${error(8)}`);
  assert.ok(error(86) < 6e-6, `${error(86)}`);
  const [least, greatest] = [2 ** -125, 2 ** 125].map(Math.fround);
  const ends = evaluateFunction(quickExp, Float32Array.of(-1e30, -Infinity, NaN, 1e30, Infinity, 0));
  [least, least, least, greatest, greatest, 1].forEach((y, k) => assert.ok(Math.abs(ends[k] / y - 1) < 1e-6, `${ends[k]} for ${y}`));
});

const logistic = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

test('sigmoid: small results keep their relative accuracy', () => {
  const xs = grid(-87, 30, 20001);
  within('sigmoid', xs, evaluateFunction(sigmoid, xs), logistic, 3.5);
  assert.equal([...evaluateFunction(sigmoid, specials)], [NaN, 1, 0, 0.5, 0.5, 1, 0]);
});

test('tanh: accurate relative to itself near 0, saturating at 1', () => {
  const xs = grid(-10, 10, 20001);
  within('tanh', xs, evaluateFunction(tanh, xs), Math.tanh, 3);
  const small = magnitudes(-120, 0, 4001);
  within('tanh', small, evaluateFunction(tanh, small), Math.tanh, 3);
  assert.equal([...evaluateFunction(tanh, specials)], [NaN, 1, -1, 0, -0, 1, -1]);
});

/** Phi(-z) for z >= 0, in float64: a series near 0, a continued fraction beyond. */
function upperTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let [term, total] = [z, z];
    for (let k = 1; k < 200; k++) total += term *= (z * z) / (2 * k + 1);
    return 0.5 - density * total;
  }
  let fraction = 0;
  for (let k = 200; k > 0; k--) fraction = k / (z + fraction);
  return density / (z + fraction);
}
const lowerTail = (a: number): number => (a < 0 ? upperTail(-a) : 1 - upperTail(a));

test('erfc: within 1e-6 of itself up to where it is denormal, 3 units there; its limits', () => {
  const xs = grid(-3, 9.19, 8001);
  const ys = evaluateFunction(erfc, xs);
  xs.forEach((x, i) => assert.ok(Math.abs(ys[i] / (2 * lowerTail(-x * Math.SQRT2)) - 1) < 1e-6, `erfc(${x}) is ${ys[i]}`));
  const far = grid(9.2, 10.5, 1001);
  within('erfc', far, evaluateFunction(erfc, far), (x) => 2 * upperTail(x * Math.SQRT2), 3);
  assert.equal([...evaluateFunction(erfc, specials)], [NaN, 0, 2, 1, 1, 0, 2]);
});

test('erf: accurate relative to itself near 0, its sign and its limits', () => {
  const xs = magnitudes(-120, 4, 8001);
  within('erf', xs, evaluateFunction(erf, xs), (x) => (Math.abs(x) < 0.5 ? 2 * x * halfDensity(x) : Math.sign(x) * (1 - 2 * upperTail(Math.abs(x) * Math.SQRT2))), 4);
  assert.equal([...evaluateFunction(erf, specials)], [NaN, 1, -1, 0, -0, 1, -1]);
});

/** erf(x) / (2 x) by its series at 0. */
function halfDensity(x: number): number {
  let [term, total] = [1, 1];
  for (let k = 1; k < 40; k++) total += (term *= (-x * x) / k) / (2 * k + 1);
  return total / Math.sqrt(Math.PI);
}

test('expm1: both results accurate relative to themselves', () => {
  const xs = grid(-86, 87, 20001);
  within('expm1', xs, evaluateFunction((s, x) => expm1(s, x).expm1, xs), Math.expm1, 3);
  within('exp of expm1', xs, evaluateFunction((s, x) => expm1(s, x).exp, xs), Math.exp, 3);
  const small = magnitudes(-100, 2, 4001);
  within('expm1', small, evaluateFunction((s, x) => expm1(s, x).expm1, small), Math.expm1, 3);
});

test('the tail for moments: to 6e-6 of itself up to 8, and the variance that ReLU makes of it to 1e-3', () => {
  const phi = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const off = (found: number, truth: number): number => Math.abs(found / truth - 1);
  for (const s of [1, 1e-12, 3e14, 0.7]) {
    const variance = Math.fround(s * s);
    const deviation = Math.fround(Math.sqrt(variance));
    const distances = grid(0, 8, 8001).map((z) => z * deviation);
    const part = (pick: (tail: ReturnType<typeof normalTail>) => Expr) => evaluateFunction((scope, x) => pick(normalTail(scope, x, float(variance), float(deviation))), distances);
    const [tail, excess] = [part((t) => t.tail), part((t) => t.excess)];
    distances.forEach((d, i) => {
      const z = d / Math.sqrt(variance);
      const upper = lowerTail(-z);
      // The quotient of distance and variance is rounded too.
      assert.ok(off(tail[i], upper) < (s === 1 ? 6e-6 : 8e-6), `Phi at ${z}: ${tail[i]} and ${upper}`);
      const r = phi(z) - z * upper;
      assert.ok(off(excess[i], r * Math.sqrt(variance)) < 3e-5, `r at ${z}: ${excess[i]} and ${r}`);
      const found = Math.fround(Math.fround(variance * tail[i]) - Math.fround(Math.fround(d + excess[i]) * excess[i]));
      assert.ok(off(found, variance * (upper - (z + r) * r)) < 1e-3, `variance at ${-z}`);
    });
  }
});

test('the tail for moments: limits', () => {
  const at = (distance: number, variance: number): number[] => {
    const [v, s] = [float(variance), float(Math.fround(Math.sqrt(variance)))];
    return (['tail', 'excess'] as const).map((part) => evaluateFunction((scope, x) => normalTail(scope, x, v, s)[part], Float32Array.of(distance))[0]);
  };
  assert.equal([at(0, 0), at(1, 0), at(3e38, 0), at(3e38, 1), at(1e34, 1e-30), at(14, 1)], Array(6).fill([0, 0]));
  for (const [distance, variance] of [[1e-38, 1e-38], [1e-45, 1e-45], [1e19, 3e38], [0, 3e38], [13, 1], [1e-20, 1e-40]]) {
    const [tail, excess] = at(distance, variance);
    assert.ok(tail >= 0 && tail <= 0.5001 && excess >= 0 && excess <= 0.4 * Math.sqrt(variance), `${tail}, ${excess} at ${distance}, ${variance}`);
  }
  assert.ok(at(NaN, 1).every(Number.isNaN));
});

test.run();
