/**
 * What a scheduled kernel moves through streams, word by word and in order. For the verifier, which compares the two ends of a
 * stream, and for the simulation of a circuit in time.
 *
 * What one run of an unrolled loop (with all inside it) moves of a tensor is moved at once, as one word or several; outside
 * such loops, a single element.
 */
import { Axes, compileConditions, loopDepth } from './axes.js';
import { rowMajorIndex } from './indexing.js';
import { compileIndex } from './interpretMemory.js';
import type { Expr, Index, Kernel, Program, Stmt } from './program.js';
import { walkExpr } from './walk.js';

/** Takes the row-major number of each element that is moved, and the end of what is moved at once. */
export interface TrafficVisitor {
  element(tensor: string, number: number): void;
  word(tensor: string): void;
}

/** Elements of each tensor of the interface that its port to memory moves in a cycle: those of a word, or one. */
export function memoryLanes({ inputs, outputs, dataflow }: Program): Map<string, number> {
  return new Map([...inputs, ...outputs].map((tensor) => [tensor, dataflow?.memory?.find((m) => m.tensor === tensor)?.lanes ?? 1]));
}

/** Loops around what is moved. */
export const trafficAxes = (axes: Int32Array): Axes => new Axes(axes, 'a stream is read or written at a data-dependent index');

/** The tensors that a statement moves: what it stores, and a load that is the whole value of a let or a set. */
export function moved(s: Stmt): { readonly tensor: string; readonly at: readonly Index[] } | undefined {
  if (s.kind === 'store') return s;
  if ((s.kind === 'let' || s.kind === 'set') && s.value.op === 'load') return s.value;
  return undefined;
}

/** The load of `tensor` that is part of a larger expression or guarded, if any: no word of a stream can be read there. */
export function hiddenLoad(body: readonly Stmt[], tensor: string): Expr | undefined {
  let found: Expr | undefined;
  const search = (e: Expr, isWhole: boolean): void => walkExpr(e, { expr: (x) => { if (x.op === 'load' && x.tensor === tensor && !(isWhole && x === e && !x.guard)) found = x; } });
  const visit = (list: readonly Stmt[]): void => {
    for (const s of list) {
      if (s.kind === 'loop' || s.kind === 'if') visit(s.body);
      else search(s.value, s.kind !== 'store');
    }
  };
  visit(body);
  return found;
}

/** True where a body moves one of these tensors. */
export function moves(body: readonly Stmt[], tensors: ReadonlySet<string>): boolean {
  return body.some((s) => (s.kind === 'loop' || s.kind === 'if' ? moves(s.body, tensors) : tensors.has(moved(s)?.tensor ?? '')));
}

/** Visits all that a scheduled kernel moves of the given tensors, in its order. */
export function traffic(kernel: Kernel, program: Program, tensors: ReadonlySet<string>, visitor: TrafficVisitor): void {
  const body = kernel.scheduled!.body;
  compile(body, program, tensors, trafficAxes(new Int32Array(loopDepth(body))), visitor, false)?.();
}

function compile(body: readonly Stmt[], program: Program, tensors: ReadonlySet<string>, scope: Axes, visitor: TrafficVisitor, inWord: boolean): (() => void) | undefined {
  const actions: (() => void)[] = [];
  for (const s of body) {
    if (s.kind === 'loop') {
      const inner = scope.with(s.axis);
      const slot = inner.slot(s.axis);
      const isWord = !inWord && s.mode === 'unrolled';
      const run = compile(s.body, program, tensors, inner, visitor, inWord || isWord);
      if (!run) continue;
      const ended = isWord ? [...tensors].filter((t) => moves(s.body, new Set([t]))) : [];
      actions.push(() => {
        for (let i = s.start; i < s.start + s.extent; i++) {
          scope.axes[slot] = i;
          run();
        }
        for (const t of ended) visitor.word(t);
      });
    } else if (s.kind === 'if') {
      const run = compile(s.body, program, tensors, scope, visitor, inWord);
      const holds = compileConditions(s.guard, scope);
      if (run) actions.push(() => { if (holds()) run(); });
    } else {
      const access = moved(s);
      if (!access || !tensors.has(access.tensor)) continue;
      const { tensor } = access;
      const number = compileIndex(rowMajorIndex(program.tensors[tensor].shape, access.at), scope);
      const holds = s.kind === 'store' && s.guard ? compileConditions(s.guard, scope) : undefined;
      actions.push(() => {
        if (holds && !holds()) return;
        visitor.element(tensor, number());
        if (!inWord) visitor.word(tensor);
      });
    }
  }
  return actions.length === 0 ? undefined : () => { for (const a of actions) a(); };
}
