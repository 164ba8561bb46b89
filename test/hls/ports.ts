/**
 * Which memories of a circuit are asked for more at once than they have ports, as a synthesis tool sees it: an access whose bank is
 * not the same in every iteration can need any of them. Reads the scheduled statements; knows nothing of how they were made.
 */
import { address, indexKey, rowMajorIndex, simplify, substitute, type Ranges } from '../../codegen/ir/indexing.js';
import type { Expr, Index, Kernel, LoopStmt, Program, Stmt } from '../../codegen/ir/program.js';
import { gcd } from '../../codegen/ir/progression.js';
import { processesOf } from '../../codegen/ir/verifyDataflow.js';
import { kernelsOf, walkExpr, walkStmts } from '../../codegen/ir/walk.js';

/** More accesses of an array in one iteration than its banks have ports. */
export interface Conflict {
  readonly kernel: string;
  readonly array: string;
  readonly banks: number;
  readonly elements: number;
  /** Of the fullest bank. */
  readonly reads: number;
  readonly writes: number;
}

interface Access {
  readonly array: string;
  readonly at: Index;
  readonly isWrite: boolean;
}

/** A memory has two ports, of which a constant's uses one; an array with a bank for each element is registers. */
export function portConflicts(program: Program): Conflict[] {
  const streamed = new Set(program.dataflow!.streams.map((s) => s.tensor));
  const processes = processesOf(program);
  return processes.flatMap((p) => kernelsOf(p.body).flatMap((k) => conflictsOf(k, program, streamed)));
}

function conflictsOf(kernel: Kernel, program: Program, streamed: ReadonlySet<string>): Conflict[] {
  const { locals, banks = {}, body } = kernel.scheduled!;
  const found: Conflict[] = [];
  const sizes = new Map(locals.map((l) => [l.name, l.shape.reduce((a, b) => a * b, 1)]));
  const check = (pipeline: LoopStmt, ranges: Ranges): void => {
    const byArray = new Map<string, Map<string, Access>>();
    for (const a of accessesOf(pipeline.body, ranges, kernel, program)) {
      const role = program.buffers[program.tensors[a.array]?.buffer]?.role;
      if (!sizes.has(a.array) && (streamed.has(a.array) || role === 'input' || role === 'output')) continue;
      if (!byArray.has(a.array)) byArray.set(a.array, new Map());
      byArray.get(a.array)!.set(`${a.isWrite} ${indexKey(a.at)}`, a);
    }
    for (const [array, accesses] of byArray) {
      const elements = sizes.get(array) ?? program.tensors[array].shape.reduce((a, b) => a * b, 1);
      const n = banks[array] ?? 1;
      if (n >= elements) continue;
      const count = (isWrite: boolean): number => {
        const perBank = new Array<number>(n).fill(0);
        for (const { at, isWrite: writes } of accesses.values()) {
          if (writes !== isWrite) continue;
          const step = at.terms.reduce((g, t) => gcd(g, Math.abs(t.coeff)), n);
          for (let bank = ((at.offset % step) + step) % step; bank < n; bank += step) perBank[bank]++;
        }
        return Math.max(...perBank);
      };
      const [reads, writes] = [count(false), count(true)];
      const isConstant = !sizes.has(array) && program.buffers[program.tensors[array].buffer].role === 'constant';
      if (reads > (isConstant || writes > 0 ? 1 : 2) || writes > (reads > 0 ? 1 : 2)) found.push({ kernel: kernel.name, array, banks: n, elements, reads, writes });
    }
  };
  const visit = (list: readonly Stmt[], ranges: Ranges): void => {
    for (const s of list) {
      if (s.kind === 'if') visit(s.body, ranges);
      if (s.kind !== 'loop') continue;
      const inner = new Map(ranges).set(s.axis, [s.start, s.start + s.extent - 1] as const);
      if (s.mode === 'pipeline' && (s.initiationInterval ?? 1) === 1) check(s, inner);
      else visit(s.body, inner);
    }
  };
  visit(body, new Map());
  return found;
}

/** Every access of an iteration, each copy of an unrolled loop by itself, as the number of an element. */
function accessesOf(body: readonly Stmt[], ranges: Ranges, kernel: Kernel, program: Program): Access[] {
  const shapes = new Map(kernel.scheduled!.locals.map((l) => [l.name, l.shape]));
  const found: Access[] = [];
  const all = new Map(ranges);
  walkStmts(body, { stmt: (s) => void (s.kind === 'loop' && all.set(s.axis, [s.start, s.start + s.extent - 1])) });
  const flat = (array: string, at: readonly Index[]): Index => {
    const shape = shapes.get(array);
    if (shape) return simplify(rowMajorIndex(shape, at), all);
    const { layout } = program.tensors[array];
    const { offset, terms } = address(layout, at, all);
    return { offset: offset / layout.elementBits, terms: terms.map((t) => ({ ...t, coeff: t.coeff / layout.elementBits })) };
  };
  const visit = (list: readonly Stmt[], fixed: ReadonlyMap<string, Index>): void => {
    const place = (array: string, at: readonly Index[]): Index => simplify(substitute(flat(array, at), fixed), ranges);
    const read = (e: Expr): void => walkExpr(e, {
      expr: (x) => {
        if (x.op === 'load') found.push({ array: x.tensor, at: place(x.tensor, x.at), isWrite: false });
        if (x.op === 'local') found.push({ array: x.name, at: place(x.name, x.at), isWrite: false });
      },
    });
    for (const s of list) {
      if (s.kind === 'loop') for (let i = 0; i < s.extent; i++) visit(s.body, new Map(fixed).set(s.axis, { offset: s.start + i, terms: [] }));
      else if (s.kind === 'if') visit(s.body, fixed);
      else {
        read(s.value);
        if (s.kind === 'set') found.push({ array: s.name, at: place(s.name, s.at), isWrite: true });
        if (s.kind === 'store') found.push({ array: s.tensor, at: place(s.tensor, s.at), isWrite: true });
      }
    }
  };
  visit(body, new Map());
  return found;
}
