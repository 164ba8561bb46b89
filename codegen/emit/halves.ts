/**
 * Lanes that lie in two places, two neighbours in each: of loads and stores where the lanes are over two loops, as where six channels
 * of two positions are three vectors.
 */
import type { Index, Tensor } from '../ir/program.js';
import type { Context } from './context.js';
import { place } from './place.js';
import type { Scope } from './scope.js';

/** One pointer, and the byte offsets of the two places from it. */
export interface Halves {
  readonly pointer: string;
  readonly offsets: readonly [number, number];
  /** Lanes 0 and 2 lie in the first place, 1 and 3 in the second. */
  readonly crossed: boolean;
}

/** Undefined where four lanes of 32 bits do not lie so. */
export function halves(tensor: Tensor, at: readonly Index[], scope: Scope, context: Context): Halves | undefined {
  const { lane } = context;
  const { elementBits, containerBits } = tensor.layout;
  if (lane === undefined || context.target.lanes !== 4 || elementBits !== 32 || containerBits !== 32) return undefined;
  const range = context.ranges.get(lane)!;
  context.lane = undefined;
  const places = [0, 1, 2, 3].map((i) => {
    context.ranges.set(lane, [range[0] + i, range[0] + i]);
    return place(tensor, at, undefined, scope, context);
  });
  context.ranges.set(lane, range);
  context.lane = lane;
  const [a, b, c, d] = places;
  if (!a || !b || !c || !d || places.some((p) => p!.pointer !== a.pointer)) return undefined;
  if (b.offset === a.offset + 4 && d.offset === c.offset + 4) return { pointer: a.pointer, offsets: [a.offset, c.offset], crossed: false };
  return c.offset === a.offset + 4 && d.offset === b.offset + 4 ? { pointer: a.pointer, offsets: [a.offset, b.offset], crossed: true } : undefined;
}

export function loadHalves({ pointer, offsets: [low, high], crossed }: Halves): string {
  if (crossed) return cross(loadHalves({ pointer, offsets: [low, high], crossed: false }));
  return low === high ? `v128.load64_splat(${pointer}, ${low})` : `v128.load64_lane(${pointer}, v128.load64_zero(${pointer}, ${low}), 1, ${high})`;
}

/** `value` is a name. */
export function storeHalves({ pointer, offsets, crossed }: Halves, value: string): string[] {
  const [lines, name] = crossed ? [[`const ${value}_crossed: v128 = ${cross(value)};`], `${value}_crossed`] : [[], value];
  return [...lines, ...offsets.map((offset, half) => `v128.store64_lane(${pointer}, ${name}, ${half}, ${offset});`)];
}

/** Lanes 1 and 2 change places. */
function cross(vector: string): string {
  return `v128.shuffle<i32>(${vector}, ${vector}, 0, 2, 1, 3)`;
}
