/**
 * Repeats in the walk of verifyCoverage.ts: what starts anew in each iteration, and what is left to follow once the first
 * iteration has been followed whole.
 */
import type { Block, Expr, Index, Kernel, Program, Repeat, Stmt } from './program.js';
import { dependsOn, walkKernel, walkStmts, type Visitor } from './walk.js';

type Load = Extract<Expr, { op: 'load' }>;

const moves = (at: readonly Index[], axis: string): boolean => at.some((i) => dependsOn(i, axis));

/** Buffers whose content does not outlive an iteration: temporaries that are empty before the repeat, and whose stores ignore its axis. */
export function freshBuffers({ axis, body }: Repeat, program: Program, isWritten: (buffer: string) => boolean): Set<string> {
  const fresh = new Set<string>();
  const kept = new Set<string>();
  const visit = (blocks: readonly Block[]): void => {
    for (const b of blocks) {
      if (b.kind === 'repeat') visit(b.body);
      else for (const s of b.stores) (moves(s.at, axis) ? kept : fresh).add(program.tensors[s.tensor].buffer);
    }
  };
  visit(body);
  return new Set([...fresh].filter((name) => !kept.has(name) && program.buffers[name].role === 'temporary' && !isWritten(name)));
}

/**
 * What differs between iterations: kernels with the stores that move with the axis. Undefined where iterations differ in
 * more than the places that they write to, so that all of each has to be followed.
 */
export function movingOnly({ axis, body }: Repeat, fresh: ReadonlySet<string>, program: Program): Kernel[] | undefined {
  const left: Kernel[] = [];
  for (const kernel of body) {
    if (kernel.kind === 'repeat') return undefined;
    const loads = loadsOf(kernel).filter((l) => moves(l.at, axis));
    if (loads.some((l) => fresh.has(program.tensors[l.tensor].buffer))) return undefined;
    if (kernel.stores.some((s) => moves(s.at, axis) === fresh.has(program.tensors[s.tensor].buffer))) return undefined;
    if (kernel.stores.some((s) => program.buffers[program.tensors[s.tensor].buffer].role === 'state')) return undefined;
    const needsLoads = loads.some((l) => program.buffers[program.tensors[l.tensor].buffer].role === 'temporary');
    const stores = kernel.stores.filter((s) => moves(s.at, axis));
    if (stores.length === 0 && !needsLoads) continue;
    const only: Kernel = { ...kernel, stores, ...(kernel.scheduled ? { scheduled: { ...kernel.scheduled, body: movingStores(kernel.scheduled.body, axis, needsLoads) } } : {}) };
    left.push(needsLoads ? only : { ...only, accumulators: [], body: [], epilogue: [], stores: stores.map((s) => ({ ...s, value: nothing })) });
  }
  return left;
}

/** Stands for a value that has been followed. */
const nothing: Expr = { op: 'float', bits: '00000000' };

function movingStores(body: readonly Stmt[], axis: string, withValues: boolean): Stmt[] {
  return body.flatMap((s): Stmt[] => {
    if (s.kind === 'loop' || s.kind === 'if') {
      const inner = movingStores(s.body, axis, withValues);
      return inner.length > 0 ? [{ ...s, body: inner }] : [];
    }
    if (s.kind !== 'store') return withValues ? [s] : [];
    return moves(s.at, axis) ? [withValues ? s : { ...s, value: nothing }] : [];
  });
}

function loadsOf(kernel: Kernel): Load[] {
  const found: Load[] = [];
  const visitor: Visitor = { expr: (e) => { if (e.op === 'load') found.push(e); } };
  walkKernel(kernel, visitor);
  if (kernel.scheduled) walkStmts(kernel.scheduled.body, visitor);
  return found;
}
