/** Erf: the error function for float32; what GELU is made of. */
import { erf as erfOf } from '../functions/erf.js';
import { functionRecord } from './unary.js';

export const erf = functionRecord({
  name: 'Erf',
  doc: 'y = 2 / sqrt(pi) times the integral of e^(-u^2) from 0 to x, element by element; within 2e-7 of itself.',
  element: (x, scope) => erfOf(scope, x),
  reference: errorFunction,
  seed: 960,
  tolerance: 2e-7,
  ranges: [[-2, 2], [-0.01, 0.01], [-12, 12]],
  specials: [NaN, Infinity, -Infinity, 0, -0, 1e-45, 1, -0.99, 4, -5.5, 3e38, -3e38],
});

/** In float64: the series of x e^(-x^2) near 0, a continued fraction of erfc beyond. */
function errorFunction(x: number): number {
  const z = Math.abs(x);
  if (!(z > 0)) return x;
  if (z > 6) return Math.sign(x);
  const density = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z);
  if (z < 2) {
    let [term, total] = [z, z];
    for (let k = 1; k < 100; k++) total += term *= (2 * z * z) / (2 * k + 1);
    return Math.sign(x) * density * total;
  }
  let fraction = 0;
  for (let k = 200; k > 0; k--) fraction = k / 2 / (z + fraction);
  return Math.sign(x) * (1 - density / 2 / (z + fraction));
}
