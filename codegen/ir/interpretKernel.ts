/**
 * Kernels as closures: the loops, reductions and statements around the expressions of interpretExpr.ts.
 *
 * The declarative form: space axes in order, the last fastest; at every point the accumulators start, the reduction runs
 * in order (P partials interleave along the innermost axis and combine by halves), then come epilogue and stores. The
 * scheduled form: statements as they stand; all loop modes mean serial.
 */
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import { exprType } from './exprType.js';
import { compileLocalAt, describeNode, overflow, type Slot } from './interpretBase.js';
import { compileExpr, compileGuard } from './interpretExpr.js';
import { compileElementStore, compileIndex, type Memory } from './interpretMemory.js';
import { scopeFor, type RepeatAxes, type Scope } from './interpretScope.js';
import { compileWide, fitsWide, isWide } from './interpretWide.js';
import type { Accumulator, Axis, ElementType, Expr, Index, Kernel, Let, Program, Stmt, Store } from './program.js';

export type Action = () => void;

// ---- Parts ---------------------------------------------------------------------------------------------------------

function sequence(actions: readonly Action[]): Action {
  const [a, b, c] = actions;
  switch (actions.length) {
    case 0:
      return () => undefined;
    case 1:
      return a;
    case 2:
      return () => { a(); b(); };
    case 3:
      return () => { a(); b(); c(); };
    default:
      return () => {
        for (let i = 0; i < actions.length; i++) actions[i]();
      };
  }
}

function loop(slot: number, start: number, extent: number, body: Action, axes: Int32Array): Action {
  const end = start + extent;
  return () => {
    for (let i = start; i < end; i++) {
      axes[slot] = i;
      body();
    }
  };
}

function nest(axes: readonly Axis[], body: Action, scope: Scope): Action {
  let action = body;
  for (const axis of [...axes].reverse()) action = loop(scope.slot(axis.name), 0, axis.extent, action, scope.axes);
  return action;
}

function floatMeetsInteger(a: ElementType, b: ElementType): boolean {
  return (a === 'float32') !== (b === 'float32');
}

/** Evaluates an expression into a slot; an integer must fit the slot's type. */
function assign(to: Slot, value: Expr, what: string, scope: Scope): Action {
  const from = exprType(value, scope);
  if (floatMeetsInteger(from, to.type)) fail('program/invalid', scope.kernel, `${what} is ${to.type}, and ${describeNode(value)} is ${from}`);
  const { slot, type } = to;
  const { numbers, wides } = scope;
  if (isWide(type)) {
    if (isWide(from)) {
      const wide = compileWide(value, scope);
      return () => { wides[slot] = fitsWide(wide(), type, what, scope); };
    }
    const narrow = compileExpr(value, scope);
    return () => { wides[slot] = fitsWide(BigInt(narrow()), type, what, scope); };
  }
  const expr: Expr = isWide(from) ? { op: 'convert', type, saturate: false, a: value } : value;
  const get = compileExpr(expr, scope);
  if (type === 'float32' || type === from) return () => { numbers[slot] = get(); };
  const { min, max } = describe(type);
  return () => {
    const v = get();
    numbers[slot] = v >= min && v <= max ? v : overflow(scope, what, v, type);
  };
}

function assignLets(lets: readonly Let[], scope: Scope): Action[] {
  return lets.map((l) => {
    const slotless = assignLater(l, scope);
    return slotless(scope.addRef(l.name, l.type));
  });
}

/** Compiles the value before the name exists, so that a let cannot refer to itself. */
function assignLater(l: Let, scope: Scope): (slot: Slot) => Action {
  const before = scope.inner();
  return (slot) => assign(slot, l.value, `let ${l.name}`, before);
}

function compileStore(tensorName: string, at: readonly Index[], value: Expr, scope: Scope): Action {
  const tensor = scope.tensorNamed(tensorName);
  const from = exprType(value, scope);
  if (floatMeetsInteger(from, tensor.dtype)) {
    fail('program/invalid', scope.kernel, `${tensorName} holds ${tensor.dtype}, and ${describeNode(value)} is ${from}`);
  }
  const store = compileElementStore(tensor, at, scope.memory, scope);
  const get = compileExpr(isWide(from) ? { op: 'convert', type: tensor.dtype, saturate: false, a: value } : value, scope);
  if (tensor.dtype === 'float32') return () => store(get());
  const info = describe(tensor.dtype);
  const [min, max] = tensor.range ?? [info.min, info.max];
  const { haloValue } = tensor.layout;
  // lanes past the extent are junk, and may hold junk
  const junk = (tensor.layout.pad ?? []).flatMap((pad, d) => (pad > 0 ? [{ index: compileIndex(at[d], scope), extent: tensor.shape[d] }] : []));
  return () => {
    const v = get();
    if (!(v >= min && v <= max) && v !== haloValue && junk.every((j) => j.index() < j.extent)) {
      fail('program/invalid', scope.kernel, `${v} is stored to ${tensorName}, which holds ${tensor.dtype} in ${min} .. ${max}`);
    }
    store(v);
  };
}

// ---- The declarative form ------------------------------------------------------------------------------------------

function compileDeclarative(kernel: Kernel, outer: Scope): Action {
  let scope = outer;
  for (const axis of [...kernel.space, ...kernel.reduce]) scope = scope.withAxis(axis.name);
  const accumulators = kernel.accumulators.map((a) => ({ ...a, slot: undefined as unknown as Slot }));
  const inits: Action[] = [];
  const initScope = scope.inner();
  for (const a of accumulators) {
    a.slot = scope.addRef(a.name, a.type);
    inits.push(assign(a.slot, a.init, `accumulator ${a.name}`, initScope));
  }
  const actions = [...inits];
  if (accumulators.length > 0) {
    const inside = scope.inner();
    const step = sequence([...assignLets(kernel.body, inside), ...updates(accumulators, inside)]);
    if (kernel.partials > 1) {
      const partial = partials(kernel, accumulators, step, inside);
      actions.push(partial.spread, nest(kernel.reduce, partial.step, scope), partial.combine);
    } else {
      actions.push(nest(kernel.reduce, step, scope));
    }
  }
  actions.push(...assignLets(kernel.epilogue, scope));
  actions.push(...storeAll(kernel.stores, scope));
  return nest(kernel.space, sequence(actions), scope);
}

/** All accumulators take their new values at once. */
function updates(accumulators: readonly (Accumulator & { slot: Slot })[], scope: Scope): Action[] {
  if (accumulators.length === 1) return [assign(accumulators[0].slot, accumulators[0].update, `accumulator ${accumulators[0].name}`, scope)];
  const fresh = accumulators.map((a) => scope.addRef(`next ${a.name}`, a.type));
  return [
    ...accumulators.map((a, i) => assign(fresh[i], a.update, `accumulator ${a.name}`, scope)),
    ...accumulators.map((a, i) => move(fresh[i], a.slot, scope)),
  ];
}

function move(from: Slot, to: Slot, scope: Scope): Action {
  const bank = bankOf(from.type, scope);
  return () => { bank[to.slot] = bank[from.slot]; };
}

function bankOf(type: ElementType, scope: Scope): { [slot: number]: unknown } {
  return isWide(type) ? scope.wides : scope.numbers;
}

/** Partial p takes the points whose innermost reduction index is p modulo P; then p combines with p + P/2, until one is left. */
function partials(kernel: Kernel, accumulators: readonly (Accumulator & { slot: Slot })[], step: Action, scope: Scope) {
  const P = kernel.partials;
  const inner = scope.slot(kernel.reduce[kernel.reduce.length - 1].name);
  const { axes } = scope;
  const parts = accumulators.map((a) => {
    const slots = Array.from({ length: P }, (_, p) => scope.addRef(`partial ${a.name} ${p}`, a.type));
    const combine: Action[] = [];
    for (let half = P / 2; half >= 1; half /= 2) {
      for (let p = 0; p < half; p++) {
        const names = [`partial ${a.name} ${p}`, `partial ${a.name} ${p + half}`];
        const value = { op: a.update.op, type: a.type, a: { op: 'ref', name: names[0] }, b: { op: 'ref', name: names[1] } } as Expr;
        combine.push(assign(slots[p], value, `accumulator ${a.name}`, scope));
      }
    }
    combine.push(move(slots[0], a.slot, scope));
    return { bank: bankOf(a.type, scope), slot: a.slot.slot, first: slots[0].slot, combine: sequence(combine) };
  });
  return {
    spread: () => {
      for (const { bank, slot, first } of parts) for (let p = 0; p < P; p++) bank[first + p] = bank[slot];
    },
    step: () => {
      const p = axes[inner] % P;
      for (const { bank, slot, first } of parts) bank[slot] = bank[first + p];
      step();
      for (const { bank, slot, first } of parts) bank[first + p] = bank[slot];
    },
    combine: sequence(parts.map((x) => x.combine)),
  };
}

/** All values of a point are there before the first store. */
function storeAll(stores: readonly Store[], scope: Scope): Action[] {
  if (stores.length === 1) return [compileStore(stores[0].tensor, stores[0].at, stores[0].value, scope)];
  const simple = stores.map((s) => s.value.op === 'ref' || s.value.op === 'float' || s.value.op === 'int');
  const lets = stores.flatMap((s, i): Let[] => (simple[i] ? [] : [{ name: `store ${i}`, type: exprType(s.value, scope), value: s.value }]));
  const before = assignLets(lets, scope);
  return [
    ...before,
    ...stores.map((s, i) => compileStore(s.tensor, s.at, simple[i] ? s.value : { op: 'ref', name: `store ${i}` }, scope)),
  ];
}

// ---- The scheduled form --------------------------------------------------------------------------------------------

function compileBody(body: readonly Stmt[], outer: Scope): Action {
  const scope = outer.inner();
  return sequence(body.map((s) => compileStmt(s, scope)));
}

function compileStmt(s: Stmt, scope: Scope): Action {
  switch (s.kind) {
    case 'loop': {
      const inner = scope.withAxis(s.axis);
      return loop(inner.slot(s.axis), s.start, s.extent, compileBody(s.body, inner), scope.axes);
    }
    case 'let':
      return assignLets([s], scope)[0];
    case 'set':
      return compileSet(s, scope);
    case 'store': {
      const store = compileStore(s.tensor, s.at, s.value, scope);
      if (!s.guard || s.guard.length === 0) return store;
      const holds = compileGuard(s.guard, scope);
      return () => { if (holds()) store(); };
    }
    case 'if': {
      const holds = compileGuard(s.guard, scope);
      const body = compileBody(s.body, scope);
      return () => { if (holds()) body(); };
    }
  }
}

function compileSet(s: Stmt & { readonly kind: 'set' }, scope: Scope): Action {
  const { type } = scope.localNamed(s.name);
  const at = compileLocalAt(s.name, s.at, scope);
  if (type === 'float32' && exprType(s.value, scope) === 'float32') {
    const value = compileExpr(s.value, scope);
    const { numbers } = scope;
    return () => {
      const v = value();
      numbers[at()] = v;
    };
  }
  const buffer: Slot = { type, slot: scope.addRef(`set ${s.name}`, type).slot };
  const evaluate = assign(buffer, s.value, `local ${s.name}`, scope);
  const bank = bankOf(type, scope);
  return () => {
    evaluate();
    bank[at()] = bank[buffer.slot];
  };
}

/** A closure that runs a kernel once: its scheduled form where it has one and that is wanted, else the declarative one. */
export function compileKernel(kernel: Kernel, program: Program, memory: Memory, repeats: RepeatAxes, scheduledForm: boolean): Action {
  const scheduled = scheduledForm ? kernel.scheduled : undefined;
  const scope = scopeFor(kernel, scheduled, program, memory, repeats);
  for (const l of scheduled?.locals ?? []) scope.addLocal(l);
  const run = scheduled ? compileBody(scheduled.body, scope) : compileDeclarative(kernel, scope);
  return () => {
    for (let i = 0; i < repeats.names.length; i++) scope.axes[i] = repeats.values[i];
    // what is read before it is set shows as NaN, which fits no integer type
    scope.numbers.fill(NaN);
    scope.wides.length = 0;
    run();
  };
}
