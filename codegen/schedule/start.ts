/**
 * A bias that is added to the sum of an integer reduction becomes where the sum starts: an addition less an output. A
 * program-level step, after fusing; integers are exact in any order, so no bit changes.
 */
import { mapExpr } from '../ir/indexing.js';
import { describe, isInteger } from '../ir/datatype.js';
import type { Block, Expr, Kernel, Program } from '../ir/program.js';
import { dependsOn, walkExpr } from '../ir/walk.js';

/** Appends what was done to `steps`. */
export function startAtBias(program: Program, steps: string[]): Program {
  const map = (block: Block): Block => {
    if (block.kind === 'repeat') return { ...block, body: block.body.map(map) };
    const started = withBias(block, program);
    if (!started) return block;
    steps.push(`start ${block.name} at its bias`);
    return started;
  };
  return { ...program, blocks: program.blocks.map(map) };
}

/** Undefined where the sum is used elsewhere too, or nothing constant is added to it. */
function withBias(kernel: Kernel, program: Program): Kernel | undefined {
  const [acc] = kernel.accumulators;
  if (kernel.accumulators.length !== 1 || kernel.partials !== 1 || !isInteger(acc.type) || acc.init.op !== 'int' || acc.init.value !== 0) return undefined;
  if (acc.update.op !== 'add' || acc.update.a.op !== 'ref' || acc.update.a.name !== acc.name) return undefined;
  // Names of the sum itself: a let that only repeats it.
  const names = new Set([acc.name]);
  for (const l of kernel.epilogue) if (l.value.op === 'ref' && names.has(l.value.name)) names.add(l.name);
  const isSum = (e: Expr): boolean => e.op === 'ref' && names.has(e.name);
  let uses = 0;
  const found: Extract<Expr, { op: 'add' }>[] = [];
  const visit = (e: Expr): void => walkExpr(e, {
    expr(x) {
      if (isSum(x)) uses++;
      if (x.op === 'add' && isInteger(x.type) && describe(x.type).bits <= 32 && isSum(x.a) && isBias(x.b, kernel, program)) found.push(x as Extract<Expr, { op: 'add' }>);
    },
  });
  for (const l of kernel.epilogue) if (!names.has(l.name)) visit(l.value);
  for (const s of kernel.stores) visit(s.value);
  if (uses !== 1 || found.length !== 1) return undefined;
  const [{ type, a, b }] = found;
  const rewrite = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x === found[0] ? a : undefined));
  return {
    ...kernel,
    accumulators: [{ ...acc, type, init: b, update: { ...acc.update, type } }],
    epilogue: kernel.epilogue.map((l) => (names.has(l.name) ? { ...l, type } : { ...l, value: rewrite(l.value) })),
    stores: kernel.stores.map((s) => ({ ...s, value: rewrite(s.value) })),
  };
}

/** An integer constant that depends on the output alone. */
function isBias(e: Expr, kernel: Kernel, program: Program): boolean {
  if (e.op !== 'load' || e.guard || program.buffers[program.tensors[e.tensor].buffer].role !== 'constant' || !isInteger(program.tensors[e.tensor].dtype)) return false;
  return e.at.every((i) => kernel.reduce.every((r) => !dependsOn(i, r.name)) && i.terms.every((t) => typeof t.of === 'string'));
}
