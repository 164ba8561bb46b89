/**
 * How a kernel touches memory: the stride of every access along every loop of a nest. What schedule defaults reason with.
 */
import { address, isAxis, simplify, substitute } from '../ir/indexing.js';
import type { Expr, Index, Program } from '../ir/program.js';
import { dependsOn, factorDependsOn } from '../ir/walk.js';
import { loadsOf } from './fuse.js';
import { rangesOf, type Nest } from './nest.js';

export interface Access {
  readonly tensor: string;
  readonly store: boolean;
  /** Coordinates over loops. */
  readonly at: readonly Index[];
  readonly constant: boolean;
  readonly guarded: boolean;
  /** Loops that guards depend on. */
  readonly guardLoops: ReadonlySet<string>;
  readonly elementBits: number;
  /** Bits per iteration of a loop, where the address is affine in it; undefined where it is not. */
  stride(loop: string): number | undefined;
  /** Of a loop of pairs, i = 2 p + q: by p elements are neighbours, or stay, and by q they lie anywhere. Lanes of it are two and two. */
  pairs(loop: string): boolean;
  /** True where the coordinates depend on the loop. */
  depends(loop: string): boolean;
}

/** Every load and store of a nest, in the coordinates of its loops. */
export function accesses(nest: Nest, program: Program): Access[] {
  const ranges = rangesOf(nest);
  const make = (tensor: string, coordinates: readonly Index[], store: boolean, load?: Extract<Expr, { op: 'load' }>): Access => {
    const t = program.tensors[tensor];
    const at = coordinates.map((i) => simplify(substitute(i, nest.axes), ranges));
    const bits = address(t.layout, at, ranges);
    const guardLoops = new Set<string>();
    for (const c of load?.guard ?? []) {
      const index = substitute(c.index, nest.axes);
      for (const l of nest.loops) if (dependsOn(index, l.name)) guardLoops.add(l.name);
    }
    return {
      tensor, store, at, guardLoops,
      constant: program.buffers[t.buffer].role === 'constant',
      guarded: (load?.guard ?? []).length > 0,
      elementBits: t.layout.elementBits,
      stride(loop) {
        let found = 0;
        for (const term of bits.terms) {
          if (term.of === loop) found = term.coeff;
          else if (factorDependsOn(term.of, loop)) return undefined;
        }
        return found;
      },
      pairs(loop) {
        const own = bits.terms.filter(({ of }) => factorDependsOn(of, loop));
        const halves = (i: Index, by: number): boolean => by === 2 && isAxis(i, loop);
        return own.length > 0 && own.every(({ coeff, of }) => typeof of !== 'string' && ('rem' in of ? halves(of.rem, of.by) : 'div' in of && coeff === t.layout.elementBits && halves(of.div, of.by)));
      },
      depends: (loop) => at.some((i) => dependsOn(i, loop)),
    };
  };
  return [
    ...loadsOf(nest.kernel).map((l) => make(l.tensor, l.at, false, l)),
    ...nest.kernel.stores.map((s) => make(s.tensor, s.at, true)),
  ];
}
