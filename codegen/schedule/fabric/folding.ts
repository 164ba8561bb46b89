/** Which foldings the kernels of a circuit can have. One that a user gives is read in sdk/cli/hls.ts. */
import { kernelsOf } from '../../ir/walk.js';
import { foldableLoops } from './kernel.js';
import { isMover } from './movers.js';
import type { Processes } from './prepare.js';

/** A kernel that can be folded, and the numbers that divide its loops, from 1 to the whole. */
export interface Foldable {
  readonly name: string;
  readonly pe: readonly number[];
  readonly simd: readonly number[];
}

export function divisorsOf(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}

/** The kernels of a prepared Program in order, with their foldings. */
export function foldables({ unit: { program } }: Processes): Foldable[] {
  return kernelsOf(program.blocks).filter((k) => !isMover(k)).map((k): Foldable => {
    const { outputs, products } = foldableLoops(k, program);
    return { name: k.name, pe: divisorsOf(outputs?.extent ?? 1), simd: divisorsOf(products?.extent ?? 1) };
  });
}
