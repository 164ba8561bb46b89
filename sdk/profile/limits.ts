/**
 * The limit of a step by the roofline model: its multiply-adds at the measured peak rate, or the bytes that it reads or
 * writes at the measured bandwidths, whichever takes longest. (Williams, Waterman, Patterson: Roofline, Communications of the ACM 52(4), 2009.)
 */
import type { Products, StepFacts } from './facts.js';
import type { RateName } from './peaks.js';

/** What the micro-kernels reached in the same run. */
export interface Limits {
  /** Billions of multiply-adds a second. */
  readonly rates: readonly { readonly name: RateName; readonly gigaMultiplyAdds: number }[];
  /** Gigabytes a second, by the bytes of the working set; ascending. */
  readonly bandwidths: readonly Bandwidth[];
}

export interface Bandwidth {
  readonly bytes: number;
  readonly read: number;
  readonly written: number;
}

export interface StepLimit {
  /** What bounds the step: a rate of multiplying, or memory. */
  readonly by: RateName | 'memory';
  /** The least time that it could take. */
  readonly microseconds: number;
}

/** A way of multiplying, at the rate that operands see. */
export interface Way {
  readonly name: RateName;
  /** Instructions that a group of products takes. */
  readonly instructions: 1 | 2;
  /** Billions of multiply-adds a second. */
  readonly gigaMultiplyAdds: number;
}

/** The fastest of the measured ways that can multiply such operands. */
export function rateOf(products: Products, rates: Limits['rates']): Way {
  const ways: Way[] = [];
  const add = (name: RateName, instructions: 1 | 2 = 1): void => {
    const measured = rates.find((r) => r.name === name);
    if (measured) ways.push({ name, instructions, gigaMultiplyAdds: measured.gigaMultiplyAdds / instructions });
  };
  add(products.kind === 'float' ? 'float32' : 'int32');
  if (products.kind === 'bits') add('popcount');
  if (products.kind === 'integer' && products.bits <= 16) add('dot16');
  // An operand of eight bits is a seven-bit one and a bit: two relaxed dot products.
  if (products.kind === 'integer' && products.bits <= 9) add('dot8', products.seven ? 1 : 2);
  return ways.reduce((best, way) => (way.gigaMultiplyAdds > best.gigaMultiplyAdds ? way : best));
}

/** The bandwidth of a working set: between two measured sizes on the line through both, on logarithmic axes. */
export function bandwidthOf(bytes: number, bandwidths: Limits['bandwidths'], way: 'read' | 'written'): number {
  const above = bandwidths.findIndex((b) => b.bytes >= bytes);
  if (above <= 0) return bandwidths[above < 0 ? bandwidths.length - 1 : 0][way];
  const [low, high] = [bandwidths[above - 1], bandwidths[above]];
  const place = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low[way] * (high[way] / low[way]) ** place;
}

/** The bytes that a step moves, each element once. */
export function movedBytes({ bytes }: Pick<StepFacts, 'bytes'>): number {
  return bytes.weights + bytes.read + bytes.written;
}

/** The bytes that a step works on at a time. */
export function workingSet({ bytes, repeats }: Pick<StepFacts, 'bytes' | 'repeats'>): number {
  return bytes.weights + (bytes.read + bytes.written) / repeats;
}

/** The limit of a step. */
export function limitOf(facts: StepFacts, limits: Limits): StepLimit {
  const all = workingSet(facts);
  const { weights, read, written } = facts.bytes;
  // Loads and stores overlap.
  const memory = Math.max((weights + read) / bandwidthOf(all, limits.bandwidths, 'read'), written / bandwidthOf(all, limits.bandwidths, 'written')) / 1000;
  if (facts.multiplyAdds === 0) return { by: 'memory', microseconds: memory };
  const { name, gigaMultiplyAdds } = rateOf(facts.products, limits.rates);
  const compute = facts.multiplyAdds / gigaMultiplyAdds / 1000;
  return compute >= memory ? { by: name, microseconds: compute } : { by: 'memory', microseconds: memory };
}
