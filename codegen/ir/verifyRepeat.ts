/**
 * Repeats in the walk of verifyCoverage.ts: what starts anew in each iteration, what is carried from one to the next, and what is
 * left to follow once the first iterations have been followed whole.
 */
import { fail } from './diagnostic.js';
import type { Block, Carried, Expr, Index, Kernel, Program, Repeat, Stmt } from './program.js';
import { dependsOn, walkKernel, walkStmts, type Visitor } from './walk.js';

type Load = Extract<Expr, { op: 'load' }>;

const moves = (at: readonly Index[], axis: string): boolean => at.some((i) => dependsOn(i, axis));

/** Two names of one place, one kernel that writes it, and none that writes it otherwise. */
export function verifyCarried({ axis, carried = [], body }: Repeat, program: Program): void {
  const seen = new Set<string>();
  for (const { before, after } of carried) {
    const [a, b] = [before, after].map((name) => {
      if (!Object.hasOwn(program.tensors, name)) fail('program/invalid', axis, `the repeat carries "${name}", which is no tensor`);
      return program.tensors[name];
    });
    const facts = ({ dtype, shape, buffer, layout, range }: typeof a): string => JSON.stringify([dtype, shape, buffer, layout, range ?? null]);
    if (before === after || facts(a) !== facts(b)) fail('program/invalid', axis, `the repeat carries ${before} to ${after}, which are not two names of one place`);
    const other = Object.values(program.tensors).find((t) => t.buffer === a.buffer && t.name !== before && t.name !== after);
    if (other || seen.has(a.buffer)) fail('program/invalid', axis, `the repeat carries ${before} to ${after}, and ${other?.name ?? 'another pair'} lies in the same buffer`);
    seen.add(a.buffer);
    const writers = (blocks: readonly Block[], tensor: string): number => blocks.reduce((n, k) => n + (k.kind === 'repeat' ? writers(k.body, tensor) : +k.stores.some((s) => s.tensor === tensor)), 0);
    if (writers(body, after) !== 1 || writers(program.blocks, after) !== 1) fail('program/invalid', axis, `${after} is carried by the repeat, and one kernel of its body must write it, and no other`);
    if (writers(body, before) > 0) fail('program/invalid', axis, `${before} is carried by the repeat, and a kernel of its body writes it`);
  }
}

/** Carried tensors in one iteration of the repeats around: which name stands for what is there now. */
export class Iterations {
  /** By the name of `after`. */
  private readonly pairs = new Map<string, Carried & { stored: boolean }>();

  /** An iteration begins. */
  begin({ carried = [] }: Repeat): void {
    for (const c of carried) this.pairs.set(c.after, { ...c, stored: false });
  }

  /** The repeat has ended: what was carried is there under its last name. */
  end({ carried = [] }: Repeat): void {
    for (const { after } of carried) this.pairs.get(after)!.stored = true;
  }

  carries(tensor: string): boolean {
    return this.pairs.has(tensor);
  }

  /** A kernel stores to a carried tensor. */
  store(tensor: string): void {
    this.pairs.get(tensor)!.stored = true;
  }

  /** Why a tensor cannot be read now; undefined where it can. */
  unreadable(tensor: string): string | undefined {
    for (const { before, after, stored } of this.pairs.values()) {
      if (tensor === after && !stored) return `it reads ${after} before this iteration has stored it`;
      if (tensor === before && stored) return `it reads ${before}, which is overwritten by ${after}`;
    }
    return undefined;
  }
}

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
 * more than the places that they write to, so that all of each has to be followed. Where something is carried, the first two are
 * followed whole.
 */
export function movingOnly({ axis, body, carried = [] }: Repeat, fresh: ReadonlySet<string>, program: Program): Kernel[] | undefined {
  const left: Kernel[] = [];
  const kept = new Set(carried.map((c) => program.tensors[c.after].buffer));
  for (const kernel of body) {
    if (kernel.kind === 'repeat') {
      // A repeat inside that knows nothing of this one is followed with the first iterations.
      const inner = movingOnly({ ...kernel, axis, carried }, fresh, program);
      if (inner?.length !== 0) return undefined;
      continue;
    }
    const loads = loadsOf(kernel).filter((l) => moves(l.at, axis));
    if (loads.some((l) => fresh.has(program.tensors[l.tensor].buffer))) return undefined;
    const own = kernel.stores.filter((s) => !kept.has(program.tensors[s.tensor].buffer));
    if (own.length < kernel.stores.length && kernel.stores.some((s) => moves(s.at, axis))) return undefined;
    if (own.some((s) => moves(s.at, axis) === fresh.has(program.tensors[s.tensor].buffer))) return undefined;
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
