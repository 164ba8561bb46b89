/**
 * Evenly spread draws of normal logits, the same at every call: a rank-one lattice (Korobov 1959) through the inverse of the normal
 * distribution. For error bars that move no more than the picture does. Entropies are the module's own business.
 */

/** A prime, so that every class meets each of its levels once. */
export const draws = 251;
/** Multiplier from one class to the next; its powers are distinct for a dozen classes. */
const generator = 31;

/** [draws, classes] of standard normal variables, row-major. */
export function normalLattice(classes: number): Float64Array {
  const levels = Float64Array.from({ length: draws }, (_, i) => normalQuantile((i + 0.5) / draws));
  const result = new Float64Array(draws * classes);
  let multiplier = 1;
  for (let c = 0; c < classes; c++) {
    for (let s = 0; s < draws; s++) result[s * classes + c] = levels[(s * multiplier) % draws];
    multiplier = (multiplier * generator) % draws;
  }
  return result;
}

/** Where the standard normal distribution function has this value, 1e-4 to 1 - 1e-4: Newton's method on its series. */
export function normalQuantile(probability: number): number {
  let x = 0;
  for (let step = 0; step < 40; step++) {
    let [term, sum] = [x, x];
    for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) sum += term *= (x * x) / (2 * k + 1);
    const density = Math.exp(-(x * x) / 2) / Math.sqrt(2 * Math.PI);
    const move = (0.5 + density * sum - probability) / density;
    // far out the tangent overshoots
    x -= Math.min(0.5, Math.max(-0.5, move));
    if (Math.abs(move) < 1e-13) break;
  }
  return x;
}
