/**
 * Which loop of a nest can be lanes, and how far lanes may run past its end.
 */
import { describe } from '../../ir/datatype.js';
import { exprType } from '../../ir/exprType.js';
import { dependsOn, walkKernel } from '../../ir/walk.js';
import type { Expr, Kernel, Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses, type Access } from '../access.js';
import type { Loop, Nest } from '../nest.js';

/** The space loop (or the partial sums) whose iterations can be lanes: unit stride in every access that is not constant. */
export function laneLoop(nest: Nest, program: Program, target: Target): string | undefined {
  const { kernel } = nest;
  if (usesWideIntegers(kernel, program, target)) return undefined;
  const all = accesses(nest, program);
  const candidates = nest.loops.filter((l) => {
    if (l.kind === 'reduce' || l.extent < 2) return false;
    if (arePairs(nest, all, l, target)) return true;
    return all.every((a) => {
      if (a.guardLoops.has(l.name)) return false;
      const stride = a.stride(l.name);
      if (l.kind === 'partial') return a.store || stride === 0 || stride === a.elementBits || (a.constant && isPackable(a));
      if (a.store) return stride === a.elementBits;
      return stride === 0 || stride === a.elementBits || (a.constant && isPackable(a));
    });
  });
  if (candidates.some((l) => l.kind === 'partial')) return candidates.find((l) => l.kind === 'partial')!.name;
  const best = candidates.sort((a, b) => b.extent - a.extent)[0];
  return best && (best.extent >= 4 || kernel.reduce.length > 0) ? best.name : undefined;
}

/** True of outputs of which neighbours are two sums of one channel (../interleave.ts), and which fill their lanes. */
export function arePairs({ kernel }: Nest, all: readonly Access[], loop: Loop, target: Target): boolean {
  if (target.lanes !== 4 || loop.kind !== 'space' || loop.extent % 4 !== 0 || kernel.reduce.length === 0) return false;
  return all.every((a) => (a.constant && isPackable(a)) || a.stride(loop.name) === 0 || (a.elementBits === 32 && a.pairs(loop.name))) && all.every((a) => !a.store || a.pairs(loop.name));
}

/** True of what packing gives the lanes' order, and of tables, which lanes look up one by one. */
function isPackable(a: Access): boolean {
  return a.at.every((i) => i.terms.length === 0 || (i.offset === 0 && i.terms.every((t) => typeof t.of === 'string' ? t.coeff >= 1 : 'value' in t.of)));
}

/** True where a kernel computes with integers of more than 32 bits in a way that the target's lanes do not. */
export function usesWideIntegers(kernel: Kernel, program: Program, target: Target): boolean {
  if (kernel.accumulators.some((a) => describe(a.type).bits > 32)) return true;
  const named = new Map([...kernel.body, ...kernel.epilogue, ...kernel.accumulators].map((l) => [l.name, l.type]));
  const scope = { tensor: (name: string) => program.tensors[name].dtype, ref: (name: string) => named.get(name)!, local: (name: string) => named.get(name)! };
  const wide = (e: Expr): boolean => describe(exprType(e, scope)).bits > 32;
  return count(kernel, (e) => {
    if (e.op === 'convert' && e.saturate && !wide(e) && wide(e.a)) return true;
    if (!wide(e) || e.op === 'int' || e.op === 'ref') return false;
    if (!target.wideOperations.includes(e.op)) return true;
    return (e.op === 'shr' && e.b.op !== 'int') || (e.op === 'convert' && exprType(e.a, scope) === 'float32');
  }) > 0;
}

/** True where all that is touched along the loop has room past its end. */
export function canOverrun(nest: Nest, program: Program, loop: string, by: number, guardedStores = false): boolean {
  return accesses(nest, program).every((a) => {
    if (!a.depends(loop) || a.constant || (a.store && guardedStores)) return true;
    const { pad } = program.tensors[a.tensor].layout;
    return a.at.every((i, d) => !dependsOn(i, loop) || (pad?.[d] ?? 0) >= by);
  });
}

/** Expressions of a kernel for which the test holds. */
export function count(kernel: Kernel, counts: (e: Expr) => boolean): number {
  let n = 0;
  walkKernel(kernel, { expr: (e) => { if (counts(e)) n++; } });
  return n;
}

/** The first candidate that divides n; 1 where none does. */
export const divisorIn = (n: number, candidates: readonly number[]): number => candidates.find((c) => n % c === 0) ?? 1;
