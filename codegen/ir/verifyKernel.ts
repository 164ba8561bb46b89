/**
 * Invariants 3, 5 and 6 on kernels: names, types, bounds; accumulators wide enough and no wider; partial sums that may be
 * combined; the order of float reductions kept by the scheduled form.
 *
 * That a scheduled form computes the same bits as the declarative one is left to tests; where an integer register stands
 * for an accumulator, it takes the interval that was proved for that.
 */
import { describe, smallestInteger } from './datatype.js';
import type { Interval } from './verifyBounds.js';
import type { Memory } from './interpretMemory.js';
import type { Accumulator, Expr, Kernel, Let, Program, Scheduled, Stmt } from './program.js';
import { hasCodes, progressionOf } from './progression.js';
import { fits, range, rangeOfType, union, type ValueRange } from './valueRange.js';
import { verifyType } from './verifyData.js';
import { analyse, analyseLocal, checkAccess, checkIndex, invalid, requireFits, type ExprScope, type Facts, type LocalFacts, type Named } from './verifyExpr.js';
import { verifyOrder } from './verifyOrder.js';
import { sumRange } from './verifyReduction.js';
import { narrowAxes } from './verifyBounds.js';
import { walkExpr } from './walk.js';

/** Checks both forms of a kernel. `outer`: bounds of the axes of the repeats around it. */
export function verifyKernel(kernel: Kernel, program: Program, memory: Memory, outer: ReadonlyMap<string, Interval>): void {
  const site = { kernel: kernel.name, op: kernel.op };
  const scope: ExprScope = { site, program, ranges: outer, refs: new Map(), locals: new Map(), memory };
  const proved = verifyDeclarative(kernel, scope, memory);
  if (kernel.scheduled) {
    verifyScheduled(kernel.scheduled, kernel, scope, proved);
    verifyOrder(kernel);
  }
}

function withLets(lets: readonly Let[], scope: ExprScope): ExprScope {
  const refs = new Map(scope.refs);
  const inner = { ...scope, refs };
  for (const l of lets) refs.set(l.name, checkLet(l, inner));
  return inner;
}

function checkLet(l: Let, scope: ExprScope): Named {
  verifyType(l.type, scope.site.kernel, `let ${l.name}`);
  const facts = analyse(l.value, scope);
  requireFits(facts, l.type, `let ${l.name}`, scope);
  return { type: l.type, value: facts.value };
}

/** A value that reaches a tensor: of its kind, and within its range. */
function checkStored(tensor: string, expression: Expr, value: Facts, scope: ExprScope): void {
  const t = scope.program.tensors[tensor];
  requireFits(value, t.dtype, `what is stored to ${tensor}`, scope);
  const { haloValue } = t.layout;
  const isHalo = scope.site.op === 'halo' && value.value.lo === haloValue && value.value.hi === haloValue;
  if (t.range && !isHalo && (value.value.lo < t.range[0] || value.value.hi > t.range[1])) {
    invalid(scope, `what is stored to ${tensor} can be ${value.value.lo} .. ${value.value.hi}, and its range is ${t.range.join(' .. ')}`);
  }
  const { code } = t.layout;
  if (code && !hasCodes(progressionOf(expression, scope.program), code)) invalid(scope, `what is stored to ${tensor} is not proved to be ${code.base} plus a multiple of ${code.step}, which its codes stand for`);
  const role = scope.program.buffers[t.buffer].role;
  if (role === 'constant' || role === 'input') invalid(scope, `it stores to ${tensor}, which is of role ${role}`);
}

// ---- The declarative form ------------------------------------------------------------------------------------------

/** Gives the proved interval of every accumulator. */
function verifyDeclarative(kernel: Kernel, outer: ExprScope, memory: Memory): ReadonlyMap<string, ValueRange> {
  const ranges = new Map(outer.ranges);
  for (const a of kernel.space) ranges.set(a.name, [0, a.extent - 1]);
  const space: ExprScope = { ...outer, ranges };
  const inits = kernel.accumulators.map((a) => {
    verifyType(a.type, kernel.name, `accumulator ${a.name}`);
    const facts = analyse(a.init, space);
    requireFits(facts, a.type, `the start of accumulator ${a.name}`, space);
    return facts.value;
  });
  const inside = new Map(ranges);
  for (const a of kernel.reduce) inside.set(a.name, [0, a.extent - 1]);
  const accumulators = new Map<string, Named>(kernel.accumulators.map((a) => [a.name, { type: a.type, value: rangeOfType(a.type) }]));
  const point = withLets(kernel.body, { ...space, ranges: inside, refs: accumulators });
  verifyPartials(kernel, point);
  const proved = new Map(kernel.accumulators.map((a, i) => [a.name, accumulatorRange(a, inits[i], kernel, point, memory)]));
  const after = withLets(kernel.epilogue, {
    ...space,
    refs: new Map(kernel.accumulators.map((a) => [a.name, { type: a.type, value: proved.get(a.name)! }])),
  });
  for (const s of kernel.stores) {
    checkAccess(s.tensor, s.at, undefined, after, 'store');
    checkStored(s.tensor, s.value, analyse(s.value, after), after);
  }
  return proved;
}

/** The other operand of an update that is `op(accumulator, term)`, where the term knows no accumulator. */
function combinedTerm(a: Accumulator, kernel: Kernel): Expr | undefined {
  const u = a.update;
  if (u.op !== 'add' && u.op !== 'min' && u.op !== 'max') return undefined;
  const isSelf = (e: Expr): boolean => e.op === 'ref' && e.name === a.name;
  const term = isSelf(u.a) ? u.b : isSelf(u.b) ? u.a : undefined;
  return term && !mentionsAccumulator(term, kernel) ? term : undefined;
}

function mentionsAccumulator(e: Expr, kernel: Kernel): boolean {
  let found = false;
  walkExpr(e, {
    expr: (x) => {
      if (x.op !== 'ref') return;
      if (kernel.accumulators.some((a) => a.name === x.name)) found = true;
      const l = kernel.body.find((y) => y.name === x.name);
      if (l) found ||= mentionsAccumulator(l.value, kernel);
    },
  });
  return found;
}

function accumulatorRange(a: Accumulator, init: ValueRange, kernel: Kernel, scope: ExprScope, memory: Memory): ValueRange {
  const what = `accumulator ${a.name}`;
  const term = combinedTerm(a, kernel);
  if (a.type === 'float32' || !term || !('type' in a.update) || a.update.type !== a.type) {
    const facts = analyse(a.update, scope);
    requireFits(facts, a.type, what, scope);
    return union(init, facts.value);
  }
  const facts = analyse(term, scope);
  if (facts.type === 'float32') invalid(scope, `${what} is ${a.type}, and its term is float32`, 'There is no implicit conversion: use convert.');
  if (a.update.op !== 'add') {
    const value = union(init, facts.value);
    requireFits({ type: a.type, value }, a.type, what, scope);
    return value;
  }
  const sum = sumRange(term, kernel, scope, memory);
  const value = range(kernel.partials * Math.min(init.lo, 0) + Math.max(init.lo, 0) + sum.lo, kernel.partials * Math.max(init.hi, 0) + Math.min(init.hi, 0) + sum.hi);
  if (!fits(value, a.type)) {
    const { min, max } = describe(a.type);
    invalid(scope, `${what} can reach ${value.lo} .. ${value.hi}, and ${a.type} holds ${min} .. ${max}`, 'Use a wider accumulator.');
  }
  const needed = smallestInteger(Math.min(value.lo, -1), value.hi);
  // the type of the result, which the epilogue may need (a bias), is never too wide
  const results = kernel.stores.map((s) => describe(scope.program.tensors[s.tensor]?.dtype ?? 'int1').bits);
  if (describe(a.type).bits > Math.max(describe(needed).bits, ...results)) {
    invalid(scope, `${what} is ${a.type}, and ${value.lo} .. ${value.hi} needs no more than ${needed}`, 'Make it no wider than proved.');
  }
  return value;
}

/** Invariant 6: interleaved partial sums of combinable updates that divide the innermost reduction. */
function verifyPartials(kernel: Kernel, scope: ExprScope): void {
  const P = kernel.partials;
  if (P === 1) return;
  if ((P & (P - 1)) !== 0) invalid(scope, `${P} partial sums do not combine by halves`);
  const inner = kernel.reduce[kernel.reduce.length - 1];
  if (!inner || inner.extent % P !== 0) invalid(scope, `${P} partial sums do not divide the innermost reduction${inner ? `, ${inner.name}<${inner.extent}` : ', which is missing'}`);
  for (const a of kernel.accumulators) {
    if (!combinedTerm(a, kernel)) invalid(scope, `accumulator ${a.name} cannot have partial sums: its update is not add, min or max of itself and a term`);
  }
}

// ---- The scheduled form --------------------------------------------------------------------------------------------

/** The accumulator that a register buffer stands for: its name, perhaps after a prefix and a dot. */
export function accumulatorOf(local: string, type: string, kernel: Kernel): Accumulator | undefined {
  return kernel.accumulators.find((a) => a.type === type && (local === a.name || local.endsWith(`.${a.name}`)));
}

function verifyScheduled(s: Scheduled, kernel: Kernel, outer: ExprScope, proved: ReadonlyMap<string, ValueRange>): void {
  const locals = new Map<string, LocalFacts>();
  for (const local of s.locals) {
    if (locals.has(local.name)) invalid(outer, `the local "${local.name}" is declared twice`);
    verifyType(local.type, kernel.name, `local ${local.name}`);
    const accumulator = accumulatorOf(local.name, local.type, kernel);
    locals.set(local.name, { local, accumulator, value: accumulator ? proved.get(accumulator.name)! : local.range ? range(...local.range) : rangeOfType(local.type) });
  }
  verifyBody(s.body, { ...outer, locals });
}

function verifyBody(body: readonly Stmt[], outer: ExprScope): void {
  const refs = new Map(outer.refs);
  const scope = { ...outer, refs };
  for (const s of body) {
    switch (s.kind) {
      case 'loop':
        if (scope.ranges.has(s.axis)) invalid(scope, `the loop ${s.axis} is inside another of this name`);
        verifyBody(s.body, { ...scope, ranges: new Map(scope.ranges).set(s.axis, [s.start, s.start + s.extent - 1]) });
        break;
      case 'let':
        // a tuple's new values are bound before they are set
        refs.set(s.name, checkLet(s, { ...scope, update: { local: s.name.replace(/\.next$/, ''), node: s.value } }));
        break;
      case 'set': {
        const { type } = analyseLocal(s.name, s.at, scope);
        const facts = analyse(s.value, { ...scope, update: { local: s.name, node: s.value } });
        requireFits(facts, type, `local ${s.name}`, scope);
        const own = scope.locals.get(s.name)!.local.range;
        if (own && (facts.value.lo < own[0] || facts.value.hi > own[1])) invalid(scope, `local ${s.name} is set to ${facts.value.lo} .. ${facts.value.hi}, and its range is ${own.join(' .. ')}`);
        break;
      }
      case 'if': {
        for (const c of s.guard) checkIndex(c.index, scope);
        const inside = narrowAxes(s.guard, scope.ranges);
        if (inside) verifyBody(s.body, { ...scope, ranges: inside, guard: [...(scope.guard ?? []), ...s.guard] });
        break;
      }
      case 'store': {
        const { box } = checkAccess(s.tensor, s.at, s.guard, scope, 'store');
        if (box) checkStored(s.tensor, s.value, analyse(s.value, { ...scope, ranges: narrowAxes(s.guard ?? [], scope.ranges) ?? scope.ranges }), scope);
        break;
      }
    }
  }
}

