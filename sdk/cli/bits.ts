/** Tensors compared and hashed by their bits, every NaN being one NaN. Not here: where they come from. */
import { formatShape } from '../../codegen/ir/graph.js';
import { sha256 } from '../../codegen/ir/hash.js';
import { coordinates, number } from './text.js';

const canonicalNaN = 0x7fc00000;

/** The 32 bits of each element: of binary32 for float32, of two's complement for integers. */
function words(data: ArrayLike<number>, float: boolean): Uint32Array {
  if (!float) return Uint32Array.from(data as ArrayLike<number>, (v) => v >>> 0);
  const floats = Float32Array.from(data);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < floats.length; i++) if (floats[i] !== floats[i]) bits[i] = canonicalNaN;
  return bits;
}

/** SHA-256 of the logical elements, row-major, 4 little-endian bytes each; its first 16 hex digits. */
export function hashElements(data: ArrayLike<number>, float: boolean): string {
  const bits = words(data, float);
  return sha256(new Uint8Array(bits.buffer)).slice(0, 16);
}

/** The first element in which two tensors differ in a bit, or -1. */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>, float: boolean): number {
  const [p, q] = [words(a, float), words(b, float)];
  if (p.length !== q.length) return Math.min(p.length, q.length);
  return p.findIndex((bits, i) => bits !== q[i]);
}

/** `conv1 [0, 3, 2, 1] is 0.5 (3f000000), should be 0.25 (3e800000)`, and how many differ. */
export function describeDifference(name: string, shape: readonly number[], found: ArrayLike<number>, expected: ArrayLike<number>, float: boolean): string {
  const i = firstDifference(found, expected, float);
  const [p, q] = [words(found, float), words(expected, float)];
  let differing = 0;
  for (let k = 0; k < p.length; k++) if (p[k] !== q[k]) differing++;
  const show = (value: number, bits: number): string => (float ? `${number(value)} (${bits.toString(16).padStart(8, '0')})` : String(value));
  return `${name} ${formatShape(coordinates(i, shape))} is ${show(found[i], p[i])}, should be ${show(expected[i], q[i])}; ${differing} of ${p.length} elements differ`;
}

/**
 * Compares the tensors that both have, in the order of `expected`, and adds their names to `compared`. Returns the first
 * difference in words, or nothing.
 */
export function firstDifferingTensor(
  compared: Set<string>,
  found: ReadonlyMap<string, ArrayLike<number>>,
  expected: ReadonlyMap<string, ArrayLike<number>>,
  tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: string }>>,
): string {
  for (const [name, want] of expected) {
    const got = found.get(name);
    if (!got) continue;
    compared.add(name);
    const { shape, dtype } = tensors[name];
    if (firstDifference(got, want, dtype === 'float32') >= 0) return describeDifference(name, shape, got, want, dtype === 'float32');
  }
  return '';
}

/** The largest |found - expected|, and the largest |expected|; NaN and infinity count where only one side has them. */
export function largestDeviation(found: ArrayLike<number>, expected: ArrayLike<number>): { deviation: number; scale: number } {
  let [deviation, scale] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    if (Object.is(found[i], expected[i])) continue;
    const d = Math.abs(found[i] - expected[i]);
    deviation = Math.max(deviation, Number.isNaN(d) ? Infinity : d);
  }
  for (let i = 0; i < expected.length; i++) if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]));
  return { deviation, scale };
}
