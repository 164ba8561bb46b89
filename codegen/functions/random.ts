/**
 * Random numbers as expressions of the closed language: the generator Philox4x32-10, and one standard normal number of one word.
 *
 * Philox (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011) has no state: ten rounds of
 * multiplications take a counter of four words and a key of two to four random words. So a number depends on its counter and key
 * alone, never on what was drawn before, in which order or on which lane.
 */
import { add, binary, bitcast, convert, divide, float, int, mul, mulHigh, mulLow, sub } from '../ir/build.js';
import type { Expr } from '../ir/program.js';
import { polynomial } from './exp.js';
import type { Scope } from './scope.js';

const f = 'float32';
const u = 'uint32';
const i = 'int32';

export const PHILOX_ROUNDS = 10;
/** By which the words of a counter are multiplied, the first and the third. */
export const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
/** What each round adds to the two words of the key. */
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;

const xor = (a: Expr, b: Expr): Expr => binary('xor', u, a, b);

/** The low 32 bits of an integer. */
export const word = (a: Expr): Expr => binary('and', u, a, int(0xffffffff, u));

/** What round `round` adds to word `j` of the key, modulo 2^32. */
export function keyIncrement(round: number, j: number): number {
  return Number((BigInt(round) * BigInt(WEYL[j])) & 0xffffffffn);
}

/**
 * One of the four words of Philox4x32-10. `counter`: four uint32, references or loads. `key(r, j)`: word j of the key of round r,
 * that is key[j] + keyIncrement(r, j) modulo 2^32. `multiplier(j)`: MULTIPLIERS[j], where it is better loaded. The last word takes the fewest operations: no other word needs all of the
 * last three rounds either, and it is a low half.
 */
export function philox(scope: Scope, counter: readonly [Expr, Expr, Expr, Expr], key: (round: number, j: number) => Expr, which: 0 | 1 | 2 | 3, multiplier = (j: number): Expr => int(MULTIPLIERS[j], u)): Expr {
  /** Word w after so many rounds: only what a result needs is ever made. */
  const known = new Map<string, Expr>();
  const after = (rounds: number, w: number): Expr => {
    if (rounds === 0) return counter[w];
    const name = `philox${rounds}_${w}`;
    const old = known.get(name);
    if (old) return old;
    const [first, second] = [multiplier(0), multiplier(1)];
    const r = rounds - 1;
    const value =
      w === 0 ? xor(xor(mulHigh(after(r, 2), second), after(r, 1)), key(r, 0))
      : w === 1 ? mulLow(after(r, 2), second)
      : w === 2 ? xor(xor(mulHigh(after(r, 0), first), after(r, 3)), key(r, 1))
      : mulLow(after(r, 0), first);
    const bound = scope.bind(name, u, value);
    known.set(name, bound);
    return bound;
  };
  return after(PHILOX_ROUNDS, which);
}

/** Added to an integer, so that a word stands for the middle of its share. */
const HALF = 0.5;
const HIGHEST = 0x7fffffff;
/** Exponent bits of 2^62, the greatest q. */
const GREATEST_EXPONENT = 189;
/** log2(1 + g) / g for g of [0, 1], to 2.1e-6 of the logarithm. */
const logarithm = [-0.026457244530320168, 0.12345093488693237, -0.2795375883579254, 0.4582705497741699, -0.7182818651199341, 1.442553162574768];
/** z / x in v = t / (t + SHIFT), to 8.6e-7 of itself. */
const SHIFT = 12.75;
const quantile = [
  189.76246643066406, -479.7881774902344, 476.0274658203125, -215.56536865234375, 47.27723693847656, -9.226497650146484, 3.83614182472229,
  4.148123264312744, 2.9002013206481934, 1.2533130645751953,
].map((c) => c * 2 ** -31);

/**
 * A standard normal number of one random word, by the inverse distribution function: symmetric, finite, and growing
 * with the word as an int32 w (up to rounding).
 *
 * w stands for x = (w + 1/2) 2^-31 of (-1, 1), and z = Phi^-1((1 + x) / 2). With y = 1 - |x|, from the integer so that it is right
 * to float32 in the tail, and t = -log2(y (2 - y)) of [0, 31]: z = x r(t), a smooth function, by a polynomial of degree 9 in
 * t / (t + 12.75). (M. Giles, "Approximating the erfinv function", 2010, takes two polynomials in t and its root instead.) Both
 * polynomials are fitted to the least greatest error (Lawson's weights) against scipy's ndtri.
 *
 * z is right to 1.5e-6 of itself for every word; the greatest is 6.338, so tails end at probability 2^-33 a side.
 */
export function standardNormal(scope: Scope, bits: Expr): Expr {
  const w = scope.bind('normalW', i, binary('and', i, bits, int(-1)));
  const sign: Expr = { op: 'shr', type: i, a: w, b: int(31) };
  const rest = binary('and', i, binary('xor', i, binary('xor', i, w, sign), int(HIGHEST)), int(HIGHEST));
  const y = scope.float('normalY', add(f, convert(f, rest), float(HALF)));
  // 2^62 y (2 - y)
  const q = scope.bind('normalQ', i, bitcast(i, mul(f, y, sub(f, float(2 ** 32), y))));
  const g = scope.float('normalG', sub(f, bitcast(f, add(i, binary('and', i, q, int(0x7fffff)), int(0x3f800000))), float(1)));
  const exponent = convert(f, sub(i, int(GREATEST_EXPONENT), { op: 'shr', type: i, a: q, b: int(23) }));
  const t = scope.float('normalT', sub(f, exponent, mul(f, polynomial(g, logarithm), g)));
  const v = scope.float('normalV', divide(t, add(f, t, float(SHIFT))));
  return scope.float('normal', mul(f, add(f, convert(f, w), float(HALF)), polynomial(v, quantile)));
}
