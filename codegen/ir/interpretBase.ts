/**
 * What the two expression compilers of the interpreter share: the scope of a kernel, names of nodes, faults, registers.
 */
import { sum, times } from './build.js';
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import type { TypeScope } from './exprType.js';
import { compileIndex, type IndexScope, type Memory, type NumberClosure } from './interpretMemory.js';
import type { Compare, ElementType, Expr, Index, Local, Tensor } from './program.js';

/** Where a name's value is kept while a kernel runs: `numbers[slot]`, or `wides[slot]` for types beyond 53 bits. */
export interface Slot {
  readonly type: ElementType;
  readonly slot: number;
}

/** A register buffer: its elements are `numbers[slot + i]` or `wides[slot + i]`. */
export interface LocalSlot extends Slot {
  readonly local: Local;
}

/** All that the closures of one kernel share. */
export interface KernelScope extends IndexScope, TypeScope {
  readonly kernel: string;
  readonly memory: Memory;
  readonly numbers: Float64Array;
  readonly wides: bigint[];
  tensorNamed(name: string): Tensor;
  refNamed(name: string): Slot;
  localNamed(name: string): LocalSlot;
  /** A closure for an expression of up to 53 bits (interpretExpr.ts). */
  compile(e: Expr): NumberClosure;
  /** The same scope with one more axis (of a dot). */
  withAxis(axis: string): KernelScope;
}

// ---- Faults ----

/** A short name of a node, for messages. */
export function describeNode(e: Expr): string {
  if (e.op === 'load') return `load ${e.tensor}`;
  if (e.op === 'ref' || e.op === 'local') return `${e.op} ${e.name}`;
  return 'type' in e ? `${e.op} ${e.type}` : e.op;
}

export function overflow(scope: KernelScope, what: string, value: number | bigint, type: ElementType): never {
  const { min, max } = describe(type);
  fail(
    'program/invalid',
    scope.kernel,
    `${what} gave ${value}, which does not fit ${type} (${min} .. ${max})`,
    Number.isNaN(Number(value)) ? 'A value was read before it was set.' : 'The width was not proved: use a wider type, or saturate.',
  );
}

/** True for the comparisons, which give 0 or 1. */
export function isComparison(op: string): op is Compare {
  return ['lt', 'le', 'eq', 'ne', 'ge', 'gt'].includes(op);
}

/** A closure that gives the slot of a register; raises where it is outside its buffer. */
export function compileLocalAt(name: string, at: readonly Index[], scope: KernelScope): NumberClosure {
  const { local, slot } = scope.localNamed(name);
  const { shape } = local;
  if (at.length !== shape.length) fail('program/invalid', scope.kernel, `local ${name} has ${shape.length} dimensions, and ${at.length} indices are given`);
  let size = 1;
  const parts: Index[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    parts.push(times(at[d], size));
    size *= shape[d];
  }
  const index = compileIndex(sum(slot, ...parts), scope);
  const end = slot + size;
  return () => {
    const i = index();
    return i >= slot && i < end ? i : fail('program/invalid', scope.kernel, `local ${name}: element ${i - slot} is outside its ${size} elements`);
  };
}
