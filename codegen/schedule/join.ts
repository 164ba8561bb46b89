/**
 * Joining: reductions that run over the same points in the same order, and whose results meet in one elementwise kernel or which read
 * the same weights, become one kernel with a tuple of accumulators. So a layer of means and variances is one kernel, and what follows it one epilogue.
 *
 * No bit changes: each sum keeps its order. Not here: what moves into the epilogue (fuse.ts).
 */
import { ref } from '../ir/build.js';
import { mapExpr } from '../ir/indexing.js';
import type { Block, Expr, Kernel, Program, ProgramUnit } from '../ir/program.js';
import { loadsOf } from './fuse.js';

/** Joins as long as anything can be, within each list of blocks. Appends what was done to `steps`. */
export function joinReductions(unit: ProgramUnit, steps: string[]): ProgramUnit {
  return { ...unit, program: joinBlocks(unit.program, steps) };
}

function joinBlocks(whole: Program, steps: string[]): Program {
  let program: Program = { ...whole, blocks: whole.blocks.map((b) => (b.kind === 'repeat' ? { ...b, body: joinBlocks({ ...whole, blocks: b.body }, steps).blocks } : b)) };
  for (let b = 1; b < program.blocks.length; b++) {
    for (let a = 0; a < b; a++) {
      const [first, second] = [program.blocks[a], program.blocks[b]];
      if (first.kind !== 'kernel' || second.kind !== 'kernel' || !haveOneForm(first, second)) continue;
      const joined = tryJoin(program, a, b, first, second);
      if (!joined) continue;
      steps.push(`join ${second.name} and ${first.name}`);
      program = joined;
      b = 0;
      break;
    }
  }
  return program;
}

/** The same points and the same float sums over the same axes. */
function haveOneForm(a: Kernel, b: Kernel): boolean {
  const form = (k: Kernel): string => JSON.stringify([k.op, k.space, k.reduce, k.partials]);
  const sums = (k: Kernel): boolean => k.reduce.length > 0 && k.accumulators.every((s) => s.type === 'float32' && s.update.op === 'add');
  return sums(a) && sums(b) && form(a) === form(b);
}

/** The Program with both as one kernel, where that is legal and they meet. */
function tryJoin(program: Program, a: number, b: number, first: Kernel, second: Kernel): Program | undefined {
  const between = program.blocks.slice(a + 1, b);
  if (!shareConstant(program, first, second)) {
    const [mine, its] = [followers(program, first), followers(program, second)];
    if (![...mine].some((k) => its.has(k))) return undefined;
  }
  const writes = (blocks: readonly Block[]): Set<string> => new Set(blocks.flatMap(storesOf));
  const reads = (blocks: readonly Block[]): Set<string> => new Set(blocks.flatMap(readsOf));
  const meet = (x: ReadonlySet<string>, y: ReadonlySet<string>): boolean => [...x].some((name) => y.has(name));
  const joined = joinKernels(first, second);
  // The first moves down where nothing on the way reads it, or the second up where nothing on the way makes what it reads.
  if (!meet(writes([first]), reads([...between, second]))) return { ...program, blocks: program.blocks.flatMap((k, i) => (i === a ? [] : i === b ? [joined] : [k])) };
  if (!meet(reads([second]), writes([first, ...between]))) return { ...program, blocks: program.blocks.flatMap((k, i) => (i === a ? [joined] : i === b ? [] : [k])) };
  return undefined;
}

function storesOf(block: Block): string[] {
  return block.kind === 'repeat' ? block.body.flatMap(storesOf) : block.stores.map((s) => s.tensor);
}

function readsOf(block: Block): string[] {
  return block.kind === 'repeat' ? block.body.flatMap(readsOf) : loadsOf(block).map((l) => l.tensor);
}

function shareConstant(program: Program, first: Kernel, second: Kernel): boolean {
  const mine = new Set(readsOf(first));
  return readsOf(second).some((t) => mine.has(t) && program.buffers[program.tensors[t].buffer].role === 'constant');
}

/** The elementwise kernels that a kernel's results reach through none but elementwise kernels. */
function followers(program: Program, kernel: Kernel): Set<Kernel> {
  const found = new Set<Kernel>();
  const visit = (k: Kernel): void => {
    const own = new Set(k.stores.map((s) => s.tensor));
    for (const other of program.blocks) {
      if (other.kind !== 'kernel' || other.op === 'copy' || other.reduce.length + other.accumulators.length > 0 || found.has(other)) continue;
      if (!loadsOf(other).some((l) => own.has(l.tensor))) continue;
      found.add(other);
      visit(other);
    }
  };
  visit(kernel);
  return found;
}

/** One kernel of both; the second's names are made unique. */
function joinKernels(first: Kernel, second: Kernel): Kernel {
  const taken = new Set([...first.accumulators, ...first.body, ...first.epilogue].map((l) => l.name));
  const renamed = new Map<string, string>();
  for (const { name } of [...second.accumulators, ...second.body, ...second.epilogue]) {
    let unique = name;
    for (let i = 2; taken.has(unique); i++) unique = `${name}_${i}`;
    taken.add(unique);
    renamed.set(name, unique);
  }
  const rename = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'ref' ? ref(renamed.get(x.name) ?? x.name) : undefined));
  const lets = (list: Kernel['body']): Kernel['body'] => list.map((l) => ({ ...l, name: renamed.get(l.name)!, value: rename(l.value) }));
  return {
    ...first,
    accumulators: [...first.accumulators, ...second.accumulators.map((s) => ({ ...s, name: renamed.get(s.name)!, init: rename(s.init), update: rename(s.update) }))],
    body: [...first.body, ...lets(second.body)],
    epilogue: [...first.epilogue, ...lets(second.epilogue)],
    stores: [...first.stores, ...second.stores.map((s) => ({ ...s, value: rename(s.value) }))],
  };
}
