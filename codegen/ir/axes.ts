/**
 * Loops as slots of numbers, for walks that follow a body iteration by iteration without its values: what is moved through a
 * stream, what is written.
 */
import { fail } from './diagnostic.js';
import { compileIndex, type IndexScope, type NumberClosure } from './interpretMemory.js';
import type { Condition, Stmt } from './program.js';

/** A slot an axis. An index that depends on data has no number here: `refusal` says so. */
export class Axes implements IndexScope {
  readonly axes: Int32Array;
  private readonly refusal: string;
  private readonly slots: ReadonlyMap<string, number>;
  constructor(axes: Int32Array, refusal: string, slots: ReadonlyMap<string, number> = new Map()) {
    this.axes = axes;
    this.refusal = refusal;
    this.slots = slots;
  }
  slot(axis: string): number {
    return this.slots.get(axis)!;
  }
  value(): NumberClosure {
    return fail('program/invalid', undefined, this.refusal);
  }
  get names(): string[] {
    return [...this.slots.keys()];
  }
  with(axis: string): Axes {
    return new Axes(this.axes, this.refusal, new Map(this.slots).set(axis, this.slots.size));
  }
}

/** True where all of a guard holds. */
export function compileConditions(guard: readonly Condition[], scope: IndexScope): () => boolean {
  const parts = guard.map((c) => ({ index: compileIndex(c.index, scope), lo: c.lo, hi: c.hi }));
  return () => parts.every((c) => { const i = c.index(); return i >= c.lo && i < c.hi; });
}

/** How many loops lie in one another. */
export function loopDepth(body: readonly Stmt[]): number {
  return body.reduce((most, s) => Math.max(most, s.kind === 'loop' ? 1 + loopDepth(s.body) : s.kind === 'if' ? loopDepth(s.body) : 0), 0);
}
