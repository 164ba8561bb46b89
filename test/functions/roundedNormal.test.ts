/** The normal distribution's tail and the moments of rounded normal variables, against numerical integration and Monte Carlo. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { roundedMoments, upperTail } from '../../codegen/functions/roundedNormal.js';
import { Random } from '../support/random.js';

/** By Simpson's rule over the density. */
function integrated(z: number): number {
  const [end, steps] = [z + 12, 24000];
  const h = (end - z) / steps;
  const f = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  let sum = f(z) + f(end);
  for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * f(z + i * h);
  return (sum * h) / 3;
}

test('the upper tail is that of the integral, far out too', () => {
  for (const z of [0, 0.0078, 0.1, 1, 1.9999, 3.99, 4.01, 6.3, 8.777]) {
    assert.ok(Math.abs(upperTail(z) / integrated(z) - 1) < 1e-8, `${z}: ${upperTail(z)} instead of ${integrated(z)}`);
    assert.ok(Math.abs(upperTail(z) + upperTail(-z) - 1) < 1e-15);
  }
  assert.is(upperTail(50), 0);
  assert.is(upperTail(-50), 1);
});

/** Draws of rounded variables: their mean and variance, and the standard errors of both. */
function drawn(mean: number, deviation: number, greatest: number, random: Random): { mean: number; variance: number; errors: [number, number] } {
  const count = 200000;
  const values = Float64Array.from({ length: count }, () => {
    const z = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    return Math.min(Math.max(Math.round(mean + deviation * z), -greatest), greatest);
  });
  const m = values.reduce((a, b) => a + b, 0) / count;
  const moment = (p: number): number => values.reduce((sum, v) => sum + (v - m) ** p, 0) / count;
  const variance = moment(2);
  return { mean: m, variance, errors: [Math.sqrt(variance / count), Math.sqrt(Math.max(0, moment(4) - variance ** 2) / count)] };
}

test('moments of rounded and clipped variables are those of draws, within five standard errors', () => {
  const random = new Random(77);
  for (const [mean, deviation, greatest] of [[0, 1, 7], [0.3, 0.7, 7], [0.5, 0.05, 7], [6.4, 2, 7], [-2.8, 30, 127], [5, 3, 1], [0.2, 0.3, 1], [-9, 1.5, 7]]) {
    const exact = roundedMoments(mean, deviation, greatest);
    const found = drawn(mean, deviation, greatest, random);
    assert.ok(Math.abs(exact.mean - found.mean) <= 5 * found.errors[0] + 1e-9, `mean of ${mean}, ${deviation}, ${greatest}: ${exact.mean}, drawn ${found.mean}`);
    assert.ok(Math.abs(exact.variance - found.variance) <= 5 * found.errors[1] + 1e-9, `variance of ${mean}, ${deviation}, ${greatest}: ${exact.variance}, drawn ${found.variance}`);
  }
});

test('without deviation nothing is random; far beyond the clip next to nothing is', () => {
  assert.equal(roundedMoments(2.5, 0, 7), { mean: 2, variance: 0 });
  assert.equal(roundedMoments(-3.5, 0, 3), { mean: -3, variance: 0 });
  const clipped = roundedMoments(100, 3, 7);
  assert.is(clipped.mean, 7);
  assert.ok(clipped.variance >= 0 && clipped.variance < 1e-100);
});

test.run();
