/**
 * The names of a kernel while it is interpreted: axes, values and register buffers, and the slots in which they are kept.
 */
import { fail } from './diagnostic.js';
import type { KernelScope, LocalSlot, Slot } from './interpretBase.js';
import { compileExpr } from './interpretExpr.js';
import type { Memory, NumberClosure } from './interpretMemory.js';
import type { ElementType, Expr, Kernel, Program, Scheduled, Tensor } from './program.js';
import { walkKernel, walkStmts, type Visitor } from './walk.js';

/** The values of the enclosing repeats' axes, shared by all kernels. */
export interface RepeatAxes {
  readonly names: readonly string[];
  readonly values: Int32Array;
}

export class Scope implements KernelScope {
  readonly kernel: string;
  readonly memory: Memory;
  readonly axes: Int32Array;
  readonly numbers: Float64Array;
  readonly wides: bigint[] = [];
  private readonly tensors: Readonly<Record<string, Tensor>>;
  private readonly next: { axis: number; slot: number };
  private axisSlots = new Map<string, number>();
  private refs = new Map<string, Slot>();
  private locals = new Map<string, LocalSlot>();

  constructor(kernel: string, program: Program, memory: Memory, axes: number, numbers: number) {
    this.kernel = kernel;
    this.memory = memory;
    this.tensors = program.tensors;
    this.axes = new Int32Array(axes);
    this.numbers = new Float64Array(numbers);
    this.next = { axis: 0, slot: 0 };
  }

  /** A scope inside this one: its names end with it. */
  inner(): Scope {
    const copy = Object.create(Scope.prototype) as Scope;
    Object.assign(copy, this);
    copy.axisSlots = new Map(this.axisSlots);
    copy.refs = new Map(this.refs);
    copy.locals = new Map(this.locals);
    return copy;
  }

  withAxis(axis: string): Scope {
    const copy = this.inner();
    copy.axisSlots.set(axis, this.next.axis++);
    return copy;
  }

  addRef(name: string, type: ElementType): Slot {
    const slot = { type, slot: this.next.slot++ };
    if (slot.slot >= this.numbers.length) throw new Error(`kernel ${this.kernel} has more values than were counted`);
    this.refs.set(name, slot);
    return slot;
  }

  addLocal(local: Scheduled['locals'][number]): void {
    this.locals.set(local.name, { type: local.type, slot: this.next.slot, local });
    this.next.slot += local.shape.reduce((a, b) => a * b, 1);
  }

  slot(axis: string): number {
    return this.axisSlots.get(axis) ?? this.missing('axis', axis);
  }
  tensorNamed(name: string): Tensor {
    return Object.hasOwn(this.tensors, name) ? this.tensors[name] : this.missing('tensor', name);
  }
  refNamed(name: string): Slot {
    return this.refs.get(name) ?? this.missing('value', name);
  }
  localNamed(name: string): LocalSlot {
    return this.locals.get(name) ?? this.missing('local', name);
  }
  tensor(name: string): ElementType {
    return this.tensorNamed(name).dtype;
  }
  ref(name: string): ElementType {
    return this.refNamed(name).type;
  }
  local(name: string): ElementType {
    return this.localNamed(name).type;
  }
  value(factor: { readonly value: Expr }): () => number {
    return compileExpr(factor.value, this);
  }

  compile(e: Expr): NumberClosure {
    return compileExpr(e, this);
  }

  private missing(what: string, name: string): never {
    fail('program/invalid', this.kernel, `the ${what} "${name}" is not defined where it is used`);
  }
}

/** A scope with room for all names of the kernel's form. */
export function scopeFor(kernel: Kernel, scheduled: Scheduled | undefined, program: Program, memory: Memory, repeats: RepeatAxes): Scope {
  let axes = repeats.names.length + kernel.space.length + kernel.reduce.length;
  let numbers = (kernel.partials + 3) * kernel.accumulators.length + kernel.body.length + kernel.epilogue.length + kernel.stores.length;
  const count: Visitor = {
    expr: (e) => { if (e.op === 'dot') axes++; },
    stmt: (s) => { if (s.kind === 'loop') axes++; else if (s.kind === 'let' || s.kind === 'set') numbers++; },
  };
  if (scheduled) {
    walkStmts(scheduled.body, count);
    for (const l of scheduled.locals) numbers += l.shape.reduce((a, b) => a * b, 1);
  } else {
    // partial sums compile the updates' operators once more
    for (let i = 0; i < 2; i++) walkKernel(kernel, count);
  }
  let scope = new Scope(kernel.name, program, memory, axes, numbers);
  for (const name of repeats.names) scope = scope.withAxis(name);
  return scope;
}
