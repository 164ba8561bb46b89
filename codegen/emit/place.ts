/**
 * Where an element lies in memory, as AssemblyScript text: pointer, immediate offset, the strides of lanes and groups. What is loaded
 * from there is in memory.ts, what is stored in store.ts.
 */
import { address, interval } from '../ir/indexing.js';
import type { Index, Tensor, Term } from '../ir/program.js';
import { factorDependsOn } from '../ir/walk.js';
import { baseOf, type Context } from './context.js';
import { pointer, type Scope } from './scope.js';

/** Where an element lies: text of the pointer, immediate byte offset, and for fields the bit within the container. */
export interface Place {
  readonly pointer: string;
  readonly offset: number;
  readonly shift: number;
  /** Stride of the lanes and of the group's axis, in bits. */
  readonly laneStride: number;
  readonly groupStride: number;
  /** The pointer is a multiple of eight bytes. */
  readonly even: boolean;
}

/** Undefined where lanes or fields do not lie evenly. */
export function place(tensor: Tensor, at: readonly Index[], group: string | undefined, scope: Scope, context: Context): Place | undefined {
  const { layout } = tensor;
  const bits = address(layout, at, context.ranges);
  let laneStride = 0;
  let groupStride = 0;
  let from = bits.offset;
  const rest: Term[] = [];
  for (const t of bits.terms) {
    if (t.of === context.lane) {
      laneStride = t.coeff;
      // A vector of a longer loop begins further on.
      from += t.coeff * context.ranges.get(context.lane)![0];
    } else if (group !== undefined && t.of === group) groupStride = t.coeff;
    else if (mentions(t, context.lane) || mentions(t, group)) return undefined;
    else rest.push(t);
  }
  if (rest.some((t) => t.coeff % layout.containerBits !== 0)) return undefined;
  const whole = Math.floor(from / layout.containerBits) * layout.containerBits;
  const terms = rest.map((t) => ({ coeff: t.coeff / 8, of: t.of }));
  const start = baseOf(tensor.buffer, whole / 8, context);
  let { offset } = start;
  let text = pointer(scope.loop, terms, context.names, context.ranges, start.base);
  // The engine adds the immediate without wrapping around, so the pointer itself must not lie below zero.
  if (offset < 0 || interval({ offset: 0, terms }, context.ranges)[0] < 0) {
    text = `(${text} + ${offset})`;
    offset = 0;
  }
  return { pointer: text, offset, shift: from - whole, laneStride, groupStride, even: !text.startsWith('(') && rest.every((t) => t.coeff % 64 === 0) };
}

export function mentions(t: Term, axis: string | undefined): boolean {
  return axis !== undefined && factorDependsOn(t.of, axis);
}
