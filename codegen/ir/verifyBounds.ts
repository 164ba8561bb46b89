/**
 * Invariant 3: every access is in bounds, by interval arithmetic over axis extents; guards narrow the intervals.
 */
import { sum, times } from './build.js';
import { fail } from './diagnostic.js';
import { interval, simplify, type Ranges } from './indexing.js';
import { printCondition, printIndex } from './print.js';
import type { Condition, Index, Tensor } from './program.js';

export type Interval = readonly [number, number];

/** Axis ranges under which all conditions that speak of a single axis hold; undefined where none can. */
export function narrowAxes(guard: readonly Condition[], ranges: Ranges): Ranges | undefined {
  const narrowed = new Map(ranges);
  for (const c of guard) {
    const index = simplify(c.index, ranges);
    const [lo, hi] = interval(index, ranges);
    if (hi < c.lo || lo >= c.hi) return undefined;
    if (index.terms.length !== 1 || typeof index.terms[0].of !== 'string') continue;
    const { coeff, of } = index.terms[0];
    const old = narrowed.get(of)!;
    // c.lo <= offset + coeff * axis <= c.hi - 1
    const ends = [(c.lo - index.offset) / coeff, (c.hi - 1 - index.offset) / coeff].sort((a, b) => a - b);
    const next: Interval = [Math.max(old[0], Math.ceil(ends[0])), Math.min(old[1], Math.floor(ends[1]))];
    if (next[0] > next[1]) return undefined;
    narrowed.set(of, next);
  }
  return narrowed;
}

/** Bounds of an index where the conditions hold; `ranges` should be narrowed already. */
export function guardedInterval(index: Index, guard: readonly Condition[], ranges: Ranges): Interval {
  let [lo, hi] = interval(simplify(index, ranges), ranges);
  for (const c of guard) {
    // index = c.index + rest, so it lies in the condition's interval plus that of the rest
    const rest = interval(simplify(sum(index, times(c.index, -1)), ranges), ranges);
    lo = Math.max(lo, c.lo + rest[0]);
    hi = Math.min(hi, c.hi - 1 + rest[1]);
  }
  return [lo, hi];
}

/** Whose access it is, for messages and for the rules on halos. */
export interface AccessSite {
  readonly kernel: string;
  readonly op: string;
}

/**
 * The box of coordinates that an access may touch, proved to lie inside the tensor: in a load also halo and padding, in a
 * store padding, and the halo only in kernels of op "halo". Undefined where the conditions never hold.
 */
export function accessBox(t: Tensor, at: readonly Index[], guard: readonly Condition[], ranges: Ranges, site: AccessSite, kind: 'load' | 'store'): Interval[] | undefined {
  if (at.length !== t.shape.length) {
    fail('program/invalid', site.kernel, `a ${kind} of ${t.name} gives ${at.length} indices, and the tensor has ${t.shape.length} dimensions`);
  }
  const narrowed = narrowAxes(guard, ranges);
  if (!narrowed) return undefined;
  return at.map((index, d) => {
    const [lo, hi] = guardedInterval(index, guard, narrowed);
    const halo = kind === 'load' || site.op === 'halo' ? (t.layout.halo?.[d] ?? [0, 0]) : [0, 0];
    const least = -halo[0];
    const end = t.shape[d] + Math.max(halo[1], t.layout.pad?.[d] ?? 0);
    if (lo < least || hi >= end) {
      const under = guard.length === 0 ? '' : `, where ${guard.map(printCondition).join(' and ')}`;
      fail(
        'program/invalid',
        site.kernel,
        `a ${kind} of ${t.name} reaches ${lo} .. ${hi} in dimension ${d}, and ${kind === 'load' ? 'readable' : 'writable'} is ${least} .. ${end - 1}`,
        `The index is ${printIndex(index)}${under}.`,
      );
    }
    return [lo, hi];
  });
}
