/**
 * Indices that data decide. What does not change while a kernel runs is read once, ahead of all loops, and is then a place as an
 * axis of a repeat is one.
 *
 * Not here: places in a table that each element has for itself (memory.ts).
 */
import { fail } from '../ir/diagnostic.js';
import { factorKey, mapExpr } from '../ir/indexing.js';
import type { Condition, Expr, Factor, Index, Kernel, Stmt } from '../ir/program.js';
import { walkExpr, walkStmts } from '../ir/walk.js';

export type DataFactor = Extract<Factor, { value: Expr }>;

/** The scheduled body with a name in the place of each such factor that no loop changes. */
export function nameDataIndices(kernel: Kernel): { readonly body: readonly Stmt[]; readonly named: ReadonlyMap<string, DataFactor> } {
  const body = kernel.scheduled!.body;
  const names = new Map<string, string>();
  const named = new Map<string, DataFactor>();
  walkStmts(body, { index: (i) => { for (const { of } of i.terms) if (typeof of !== 'string' && 'value' in of) find(of); } });
  if (named.size === 0) return { body, named };
  return { body: body.map(statement), named };

  function find(of: DataFactor): void {
    const key = factorKey(of);
    if (names.has(key)) return;
    let moves = false;
    walkExpr(of.value, {
      expr: (e) => { if (e.op === 'ref' || e.op === 'local') fail('program/invalid', kernel.name, 'an index depends on a value that the kernel computes'); },
      index: (i) => { moves ||= i.terms.length > 0; },
    });
    if (moves) return;
    const name = `data ${names.size}`;
    names.set(key, name);
    named.set(name, of);
  }
  function index(i: Index): Index {
    return { offset: i.offset, terms: i.terms.map((t) => ({ coeff: t.coeff, of: factor(t.of) })) };
  }
  function factor(of: Factor): Factor {
    if (typeof of === 'string') return of;
    if ('value' in of) return names.get(factorKey(of)) ?? of;
    return 'div' in of ? { div: index(of.div), by: of.by } : { rem: index(of.rem), by: of.by };
  }
  function expr(e: Expr): Expr {
    return mapExpr(e, index);
  }
  function conditions(guard: readonly Condition[]): Condition[] {
    return guard.map((c) => ({ ...c, index: index(c.index) }));
  }
  function statement(s: Stmt): Stmt {
    switch (s.kind) {
      case 'loop': return { ...s, body: s.body.map(statement) };
      case 'if': return { ...s, guard: conditions(s.guard), body: s.body.map(statement) };
      case 'let': return { ...s, value: expr(s.value) };
      case 'set': return { ...s, at: s.at.map(index), value: expr(s.value) };
      case 'store': return { ...s, at: s.at.map(index), value: expr(s.value), ...(s.guard ? { guard: conditions(s.guard) } : {}) };
    }
  }
}
