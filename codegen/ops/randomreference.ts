/**
 * Philox4x32-10 and the inverse of the normal distribution in integers of any size and float64: the reference of RandomNormal, written
 * from the paper's definition and from the error function's series, without a look at functions/random.ts.
 */

/** The four words of a counter and a key, as Philox4x32-10 gives them. */
export function referencePhilox(counter: readonly number[], key: readonly number[]): number[] {
  const low = (v: bigint): bigint => v & 0xffffffffn;
  let c = counter.map((v) => low(BigInt(v)));
  let k = key.map((v) => low(BigInt(v)));
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [c[0] * 0xd2511f53n, c[2] * 0xcd9e8d57n];
    c = [(p1 >> 32n) ^ c[1] ^ k[0], low(p1), (p0 >> 32n) ^ c[3] ^ k[1], low(p0)];
    k = [low(k[0] + 0x9e3779b9n), low(k[1] + 0xbb67ae85n)];
  }
  return c.map(Number);
}

/** Phi(-z) for z >= 0: a series near 0, a continued fraction beyond. */
function upperTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let [term, total] = [z, z];
    for (let k = 1; k < 120; k++) total += term *= (z * z) / (2 * k + 1);
    return 0.5 - density * total;
  }
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / (z + fraction);
  return density / (z + fraction);
}

/** Phi^-1 of (w + 2^31 + 1/2) / 2^32, w the word as an int32. */
export function referenceNormal(bits: number): number {
  const w = bits | 0;
  const tail = (w < 0 ? 2 ** 31 + w + 0.5 : 2 ** 31 - w - 0.5) / 2 ** 32;
  let [lo, hi] = [0, 8];
  for (let step = 0; step < 60; step++) {
    const middle = (lo + hi) / 2;
    if (upperTail(middle) > tail) lo = middle;
    else hi = middle;
  }
  return w < 0 ? -lo : lo;
}
