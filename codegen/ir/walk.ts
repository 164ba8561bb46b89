/**
 * Visits every expression, index and condition of a kernel, also those inside data-dependent indices. For the interpreter,
 * the verifier and the printer; rewriting is in indexing.ts.
 */
import type { Block, Condition, Expr, Factor, Index, Kernel, Stmt } from './program.js';

export interface Visitor {
  expr?(e: Expr): void;
  index?(i: Index): void;
  stmt?(s: Stmt): void;
}

export function walkIndex(index: Index, v: Visitor): void {
  v.index?.(index);
  for (const { of } of index.terms) {
    if (typeof of === 'string') continue;
    if ('div' in of) walkIndex(of.div, v);
    else if ('rem' in of) walkIndex(of.rem, v);
    else walkExpr(of.value, v);
  }
}

/** The first load of a tensor in an expression. */
export function findLoad(e: Expr, tensor: string): Extract<Expr, { op: 'load' }> | undefined {
  let found: Extract<Expr, { op: 'load' }> | undefined;
  walkExpr(e, { expr: (x) => { if (x.op === 'load' && x.tensor === tensor) found ??= x; } });
  return found;
}

/** The first load of a tensor in statements. */
export function firstLoad(body: readonly Stmt[], tensor: string): ReturnType<typeof findLoad> {
  for (const s of body) {
    const found = s.kind === 'loop' || s.kind === 'if' ? firstLoad(s.body, tensor) : findLoad(s.value, tensor);
    if (found) return found;
  }
  return undefined;
}

/** The kernels of blocks, also those inside repeats. */
export function kernelsOf(blocks: readonly Block[]): Kernel[] {
  return blocks.flatMap((b) => (b.kind === 'kernel' ? [b] : kernelsOf(b.body)));
}

/** The tensors that repeats carry, under both names. */
export function carriedTensors(blocks: readonly Block[]): Set<string> {
  return new Set(blocks.flatMap((b) => (b.kind === 'kernel' ? [] : [...(b.carried ?? []).flatMap((c) => [c.before, c.after]), ...carriedTensors(b.body)])));
}

/** True where a factor changes with the axis. */
export function factorDependsOn(of: Factor, axis: string): boolean {
  return typeof of === 'string' ? of === axis : dependsOn({ offset: 0, terms: [{ coeff: 1, of }] }, axis);
}

/** True where an index changes with the axis, also inside quotients, remainders and data-dependent values. */
export function dependsOn(index: Index, axis: string): boolean {
  let found = false;
  walkIndex(index, { index: (i) => { found ||= i.terms.some((t) => t.of === axis); } });
  return found;
}

/** The axes of an index, also inside quotients, remainders and data-dependent values. */
export function axesIn(index: Index): Set<string> {
  const found = new Set<string>();
  walkIndex(index, { index: (i) => { for (const { of } of i.terms) if (typeof of === 'string') found.add(of); } });
  return found;
}

function walkGuard(guard: readonly Condition[] | undefined, v: Visitor): void {
  for (const c of guard ?? []) walkIndex(c.index, v);
}

export function walkExpr(e: Expr, v: Visitor): void {
  v.expr?.(e);
  if (e.op === 'load') {
    for (const i of e.at) walkIndex(i, v);
    walkGuard(e.guard, v);
    if (e.otherwise) walkExpr(e.otherwise, v);
    return;
  }
  if (e.op === 'local') for (const i of e.at) walkIndex(i, v);
  if (e.op === 'index') walkIndex(e.index, v);
  for (const x of operandsOf(e)) walkExpr(x, v);
}

/** The operands of a node that are expressions of their own (not a load's `otherwise`). */
export function operandsOf(e: Expr): readonly Expr[] {
  if ('cond' in e) return [e.cond, e.a, e.b];
  if ('b' in e) return [e.a, e.b];
  return 'a' in e ? [e.a] : [];
}

export function walkStmts(body: readonly Stmt[], v: Visitor): void {
  for (const s of body) {
    v.stmt?.(s);
    switch (s.kind) {
      case 'loop':
        walkStmts(s.body, v);
        break;
      case 'if':
        walkGuard(s.guard, v);
        walkStmts(s.body, v);
        break;
      case 'let':
        walkExpr(s.value, v);
        break;
      default:
        for (const i of s.at) walkIndex(i, v);
        if (s.kind === 'store') walkGuard(s.guard, v);
        walkExpr(s.value, v);
    }
  }
}

/** The declarative form of a kernel. */
export function walkKernel(kernel: Kernel, v: Visitor): void {
  for (const a of kernel.accumulators) {
    walkExpr(a.init, v);
    walkExpr(a.update, v);
  }
  for (const l of [...kernel.body, ...kernel.epilogue]) walkExpr(l.value, v);
  for (const s of kernel.stores) {
    for (const i of s.at) walkIndex(i, v);
    walkExpr(s.value, v);
  }
}
