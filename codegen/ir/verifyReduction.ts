/**
 * Between which bounds a reduction stays, in any order and for any subset of its points: what an accumulator must hold.
 *
 * Where the terms depend on constants (weights), the constants themselves are added up, output by output; else the term's
 * interval is multiplied by the number of points.
 */
import type { DataType } from './datatype.js';
import { compileElementLoad, type IndexScope, type Memory, type NumberClosure } from './interpretMemory.js';
import type { Axis, Binary, Expr, Kernel, Let } from './program.js';
import { integerBinaryRange, range, type ValueRange } from './valueRange.js';
import { analyse, type ExprScope } from './verifyExpr.js';
import { walkExpr, walkIndex } from './walk.js';

/** Above this many points constants are not added up one by one. */
const mostPoints = 2 ** 26;

/** The interval of one term at the current axis values; `run` brings lo and hi up to date. */
interface PointRange {
  lo: number;
  hi: number;
  run(): void;
}

interface PointScope extends IndexScope {
  readonly expr: ExprScope;
  readonly memory: Memory;
  readonly lets: ReadonlyMap<string, Let>;
}

/** True where the value of an expression follows from constants and intervals, point by point. */
function dependsOnConstants(e: Expr, scope: ExprScope, lets: ReadonlyMap<string, Let>): boolean {
  let found = false;
  walkExpr(e, {
    expr: (x) => {
      if (x.op === 'load' && isConstant(x.tensor, scope)) found = true;
      if (x.op === 'ref' && lets.has(x.name)) found ||= dependsOnConstants(lets.get(x.name)!.value, scope, lets);
    },
  });
  return found;
}

function isConstant(tensor: string, scope: ExprScope): boolean {
  return scope.program.buffers[scope.program.tensors[tensor].buffer].role === 'constant';
}

function compilePoint(e: Expr, scope: PointScope): PointRange {
  const { expr, lets } = scope;
  if (dependsOnConstants(e, expr, lets)) {
    if (e.op === 'load' && !e.guard && isConstant(e.tensor, expr) && expr.program.tensors[e.tensor].dtype !== 'float32') {
      const load = compileElementLoad(expr.program.tensors[e.tensor], e.at, scope.memory, scope);
      return { lo: 0, hi: 0, run() { this.lo = this.hi = load(); } };
    }
    if (e.op === 'ref' && lets.has(e.name)) return compilePoint(lets.get(e.name)!.value, scope);
    if (e.op === 'add' || e.op === 'sub' || e.op === 'mul') return pointBinary(e.op, e.type, compilePoint(e.a, scope), compilePoint(e.b, scope));
    if (e.op === 'convert' && !e.saturate) return compilePoint(e.a, scope);
  }
  const { lo, hi } = analyse(e, expr).value;
  return { lo, hi, run() {} };
}

function pointBinary(op: Binary, type: DataType, a: PointRange, b: PointRange): PointRange {
  const nan = false;
  if (op === 'mul') {
    return {
      lo: 0,
      hi: 0,
      run() {
        a.run();
        b.run();
        const [w, x, y, z] = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
        this.lo = Math.min(w, x, y, z);
        this.hi = Math.max(w, x, y, z);
      },
    };
  }
  return {
    lo: 0,
    hi: 0,
    run() {
      a.run();
      b.run();
      const r = integerBinaryRange(op, type, { lo: a.lo, hi: a.hi, nan }, { lo: b.lo, hi: b.hi, nan });
      this.lo = r.lo;
      this.hi = r.hi;
    },
  };
}

/** The axes on which the constants in an expression depend. */
function constantAxes(e: Expr, scope: ExprScope, lets: ReadonlyMap<string, Let>, into: Set<string>): void {
  walkExpr(e, {
    expr: (x) => {
      if (x.op === 'ref' && lets.has(x.name)) constantAxes(lets.get(x.name)!.value, scope, lets, into);
      if (x.op !== 'load' || !isConstant(x.tensor, scope)) return;
      for (const i of x.at) {
        walkIndex(i, { index: (j) => j.terms.forEach((t) => { if (typeof t.of === 'string') into.add(t.of); }) });
      }
    },
  });
}

/** The interval of every sum of some of the terms: of all points of the reduction, for the worst point of the space. */
export function sumRange(term: Expr, kernel: Kernel, scope: ExprScope, memory: Memory): ValueRange {
  const fixed = analyse(term, scope).value;
  const points = kernel.reduce.reduce((n, a) => n * a.extent, 1);
  const everyPoint = range(points * Math.min(fixed.lo, 0), points * Math.max(fixed.hi, 0));
  const lets = new Map(kernel.body.map((l) => [l.name, l]));
  if (!dependsOnConstants(term, scope, lets)) return everyPoint;
  const used = new Set<string>();
  constantAxes(term, scope, lets, used);
  // an axis of an enclosing repeat or of a dot has no extent here
  const known = new Set([...kernel.space, ...kernel.reduce].map((a) => a.name));
  if ([...used].some((a) => !known.has(a))) return everyPoint;
  const space = kernel.space.filter((a) => used.has(a.name));
  const reduce = kernel.reduce.filter((a) => used.has(a.name));
  const times = points / reduce.reduce((n, a) => n * a.extent, 1);
  if ([...space, ...reduce].reduce((n, a) => n * a.extent, 1) > mostPoints) return everyPoint;

  const slots = new Map([...space, ...reduce].map((a, i) => [a.name, i]));
  const axes = new Int32Array(Math.max(1, slots.size));
  const unknown: NumberClosure = () => 0;
  const point = compilePoint(term, { expr: scope, memory, lets, axes, slot: (a) => slots.get(a) ?? 0, value: () => unknown });
  let [least, greatest] = [0, 0];
  forEach(space, axes, 0, () => {
    let [lo, hi] = [0, 0];
    forEach(reduce, axes, space.length, () => {
      point.run();
      if (point.lo < 0) lo += point.lo;
      if (point.hi > 0) hi += point.hi;
    });
    least = Math.min(least, lo);
    greatest = Math.max(greatest, hi);
  });
  return range(least * times + 0, greatest * times + 0);
}

function forEach(list: readonly Axis[], axes: Int32Array, first: number, visit: () => void): void {
  if (list.length === 0) return visit();
  const [axis, ...rest] = list;
  for (let i = 0; i < axis.extent; i++) {
    axes[first] = i;
    forEach(rest, axes, first + 1, visit);
  }
}
