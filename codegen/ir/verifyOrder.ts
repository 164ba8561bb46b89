/**
 * Invariant 6 on scheduled kernels: order is meaning. A float sum runs its reduction axes in their order, the split parts of
 * an axis from coarse to fine, and every point once; lanes, tiles and unrolling run over outputs or partial sums.
 *
 * Loops are told by their names, which schedule steps keep: `k.o` and `k.i` are parts of `k`, `k.p` its partial sums,
 * `ky_kx` is `ky` and `kx` joined.
 */
import { fail } from './diagnostic.js';
import type { Expr, Kernel, Stmt } from './program.js';
import { walkExpr } from './walk.js';

interface Part {
  /** Position among the reduction axes. */
  readonly axis: number;
  /** `o`, `i`, `o.i` ... : sorts from coarse to fine. */
  readonly path: string;
  readonly name: string;
  readonly extent: number;
  readonly start: number;
}

/** Which reduction axis a loop is a part of, if any; a joined loop counts as the outermost of its parts. */
function partOf(name: string, kernel: Kernel): { axis: number; path: string } | undefined {
  for (let end = name.length; end > 0; end = name.lastIndexOf('_', end - 1)) {
    const [root, ...path] = name.slice(0, end).split('.');
    const axis = kernel.reduce.findIndex((a) => a.name === root);
    if (axis >= 0 && path.every((p) => p === 'o' || p === 'i' || p === 'p')) return { axis, path: path.map((p) => (p === 'o' ? 'a' : p)).join('.') };
  }
  return undefined;
}

function isFloatSum(e: Expr, local: string): boolean {
  if (e.op !== 'add' || e.type !== 'float32') return false;
  let own = false;
  walkExpr(e, { expr: (x) => { if (x.op === 'local' && x.name === local) own = true; } });
  return own;
}

/** Raises where a float sum of the scheduled body leaves the order of the declarative form. */
export function verifyOrder(kernel: Kernel): void {
  const partials = kernel.partials;
  const visit = (body: readonly Stmt[], loops: readonly (Stmt & { kind: 'loop' })[]): void => {
    for (const s of body) {
      if (s.kind === 'loop') visit(s.body, [...loops, s]);
      else if (s.kind === 'if') visit(s.body, loops);
      else if (s.kind === 'set' && isFloatSum(s.value, s.name)) checkSum(s, loops);
    }
  };
  const checkSum = (s: Stmt & { kind: 'set' }, loops: readonly (Stmt & { kind: 'loop' })[]): void => {
    const parts: Part[] = loops.flatMap((l) => {
      const part = partOf(l.axis, kernel);
      return part ? [{ ...part, name: l.axis, extent: l.extent, start: l.start }] : [];
    });
    if (parts.length === 0) return; // partial sums are combined, or nothing is reduced
    // the lanes of partial sums may run anywhere inside
    const ordered = parts.filter((p) => !(partials > 1 && p.path.split('.').includes('p')));
    ordered.forEach((p, i) => {
      const next = ordered[i + 1];
      if (next && (next.axis < p.axis || (next.axis === p.axis && next.path < p.path))) {
        fail('program/invalid', kernel.name, `the float sum ${s.name} runs loop ${p.name} outside loop ${next.name}`, `Its order is ${kernel.reduce.map((a) => a.name).join(', ')}, coarse before fine.`);
      }
    });
    const points = parts.reduce((n, p) => n * p.extent, 1);
    const expected = kernel.reduce.reduce((n, a) => n * a.extent, 1);
    if (points !== expected || parts.some((p) => p.start !== 0)) {
      fail('program/invalid', kernel.name, `the float sum ${s.name} runs over ${points} points, and the reduction has ${expected}`);
    }
  };
  visit(kernel.scheduled?.body ?? [], []);
}
