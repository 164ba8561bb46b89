/**
 * Expressions as closures: the meaning of every node, one function a node, no code generated at run time (it must work
 * under a content security policy). Numbers are exact JavaScript numbers up to 53 bits and BigInt beyond, chosen per node.
 *
 * Not here: memory (interpretMemory.ts) and control (interpretKernel.ts). A result that does not fit its declared integer
 * type is a fault of whoever proved the width, so it is raised, never wrapped.
 */
import { floatFromBits } from './build.js';
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import { exprType } from './exprType.js';
import { compileElementLoad, compileIndex, type NumberClosure } from './interpretMemory.js';
import type { Binary, Compare, Condition, ElementType, Expr } from './program.js';
import { compileWide, compileWideToFloat, fitsWide, isWide, type WideClosure } from './interpretWide.js';
import { compileLocalAt, describeNode, isComparison, overflow, type KernelScope } from './interpretBase.js';
import { highHalf } from './valueRange.js';
import { operandsOf } from './walk.js';

/** A closure that raises where an integer value does not fit its type; floats pass. */
function checked(value: NumberClosure, type: ElementType, what: string, scope: KernelScope): NumberClosure {
  if (type === 'float32') return value;
  const { min, max } = describe(type);
  return () => {
    const v = value();
    if (!(v >= min && v <= max)) overflow(scope, what, v, type);
    return v;
  };
}

// ---- Numbers ----

const fround = Math.fround;

/** To the nearest integer, ties to even, keeping -0. */
export function nearestEven(x: number): number {
  if (!(Math.abs(x) < 8388608)) return x;
  const shifted = x + 6755399441055744 - 6755399441055744; // 1.5 * 2^52
  return shifted === 0 ? x * 0 : shifted;
}

function popcount(x: number): number {
  let count = 0;
  for (let v = x >>> 0; v !== 0; v &= v - 1) count++;
  return count;
}

/** Truncates towards zero and saturates; NaN gives 0. */
function saturateFloat(x: number, min: number, max: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.min(Math.max(Math.trunc(x), min), max) + 0; // + 0: never -0
}

/** A float32 operation of two operands. */
function floatBinary(op: Binary, a: NumberClosure, b: NumberClosure): NumberClosure | undefined {
  switch (op) {
    case 'add':
      return () => fround(a() + b());
    case 'sub':
      return () => fround(a() - b());
    case 'mul':
      return () => fround(a() * b());
    case 'div':
      return () => fround(a() / b());
    case 'min':
      return () => Math.min(a(), b());
    case 'max':
      return () => Math.max(a(), b());
    default:
      return undefined;
  }
}

/** An integer operation; exact below 2^53, and beyond that so far off that it cannot fit. */
function integerBinary(op: Binary, type: ElementType, a: NumberClosure, b: NumberClosure, what: string, scope: KernelScope): NumberClosure | undefined {
  const { min, max, bits, signed } = describe(type);
  const fits = (v: number): number => (v >= min && v <= max ? v : overflow(scope, what, v, type));
  const up = 32 - bits;
  const wrap = signed ? (v: number) => (v << up) >> up : (v: number) => (v << up) >>> up;
  const count = (s: number): number => (s >= 0 && s < bits ? s : overflow(scope, `${what}: the shift count`, s, type));
  switch (op) {
    case 'add':
      return () => {
        const v = a() + b();
        return v >= min && v <= max ? v : overflow(scope, what, v, type);
      };
    case 'sub':
      return () => fits(a() - b());
    case 'mul':
      return () => {
        const v = a() * b();
        return v >= min && v <= max ? v + 0 : overflow(scope, what, v, type); // + 0: never -0
      };
    case 'mulLow':
      return () => Math.imul(a(), b()) >>> 0;
    case 'mulHigh':
      return () => highHalf(a(), b());
    case 'min':
      return () => fits(Math.min(a(), b()));
    case 'max':
      return () => fits(Math.max(a(), b()));
    case 'and':
      return () => wrap(a() & b());
    case 'or':
      return () => wrap(a() | b());
    case 'xor':
      return () => wrap(a() ^ b());
    case 'shl':
      return () => wrap(a() << count(b()));
    case 'shr':
      return signed ? () => wrap(a()) >> count(b()) : () => wrap(a()) >>> count(b());
    default:
      return undefined;
  }
}

const comparisons: Readonly<Record<Compare, (a: NumberClosure, b: NumberClosure) => NumberClosure>> = {
  lt: (a, b) => () => (a() < b() ? 1 : 0),
  le: (a, b) => () => (a() <= b() ? 1 : 0),
  eq: (a, b) => () => (a() === b() ? 1 : 0),
  ne: (a, b) => () => (a() !== b() ? 1 : 0),
  ge: (a, b) => () => (a() >= b() ? 1 : 0),
  gt: (a, b) => () => (a() > b() ? 1 : 0),
};

const floatUnaries: Readonly<Record<string, (a: NumberClosure) => NumberClosure>> = {
  neg: (a) => () => -a(),
  abs: (a) => () => Math.abs(a()),
  sqrt: (a) => () => fround(Math.sqrt(a())),
  floor: (a) => () => Math.floor(a()),
  nearest: (a) => () => nearestEven(a()),
};

// ---- Conditions ----

/** A closure that tells whether all conditions hold. */
export function compileGuard(guard: readonly Condition[], scope: KernelScope): () => boolean {
  const parts = guard.map((c) => {
    const index = compileIndex(c.index, scope);
    const { lo, hi } = c;
    return () => {
      const i = index();
      return i >= lo && i < hi;
    };
  });
  if (parts.length === 1) return parts[0];
  if (parts.length === 2) return () => parts[0]() && parts[1]();
  return () => parts.every((holds) => holds());
}

// ---- Expressions ----

/** A closure for an expression of up to 53 bits; raises for wider ones (see compileWide). */
export function compileExpr(e: Expr, scope: KernelScope): NumberClosure {
  const type = exprType(e, scope);
  if (isWide(type)) fail('program/invalid', scope.kernel, `${describeNode(e)} of type ${type} stands where at most 53 bits are possible`);
  const operands = operandsOf(e);
  if (e.op === 'convert' && type === 'float32' && isWide(exprType(e.a, scope))) return compileWideToFloat(e.a, scope);
  if (operands.some((x) => isWide(exprType(x, scope)))) return narrowed(compileWide(e, scope), type, describeNode(e), scope);
  switch (e.op) {
    case 'float': {
      const value = floatFromBits(e.bits);
      return () => value;
    }
    case 'int': {
      const { value } = e;
      return checked(() => value, type, 'an integer constant', scope);
    }
    case 'load': {
      const value = compileElementLoad(scope.tensorNamed(e.tensor), e.at, scope.memory, scope);
      if (!e.guard || e.guard.length === 0) return value;
      if (!e.otherwise) fail('program/invalid', scope.kernel, `the guarded load of ${e.tensor} has no "otherwise"`);
      const holds = compileGuard(e.guard, scope);
      const otherwise = compileExpr(e.otherwise, scope);
      return () => (holds() ? value() : otherwise());
    }
    case 'index':
      return checked(compileIndex(e.index, scope), type, 'an index', scope);
    case 'ref': {
      const { numbers } = scope;
      const { slot } = scope.refNamed(e.name);
      return () => numbers[slot];
    }
    case 'local': {
      const { numbers } = scope;
      const at = compileLocalAt(e.name, e.at, scope);
      const value = () => numbers[at()];
      return type === 'float32' ? value : checked(value, type, describeNode(e), scope);
    }
    case 'select': {
      const cond = compileExpr(e.cond, scope);
      const a = compileExpr(e.a, scope);
      const b = compileExpr(e.b, scope);
      return checked(() => (cond() !== 0 ? a() : b()), type, describeNode(e), scope);
    }
    case 'convert':
      return compileConvert(e, scope);
    case 'bitcast':
      return compileBitcast(e, scope);
    case 'dot': {
      const inner = scope.withAxis(e.axis);
      const slot = inner.slot(e.axis);
      const a = compileExpr(e.a, inner);
      const b = compileExpr(e.b, inner);
      const { axes } = scope;
      const { extent } = e;
      return checked(() => {
        let total = 0;
        for (axes[slot] = 0; axes[slot] < extent; axes[slot]++) total += a() * b();
        return total;
      }, type, describeNode(e), scope);
    }
    case 'neg':
    case 'abs':
    case 'sqrt':
    case 'floor':
    case 'nearest': {
      const a = compileExpr(e.a, scope);
      if (type === 'float32') return floatUnaries[e.op](a);
      if (e.op === 'neg') return checked(() => 0 - a(), type, describeNode(e), scope);
      if (e.op === 'abs') return checked(() => Math.abs(a()), type, describeNode(e), scope);
      fail('program/invalid', scope.kernel, `${e.op} is for float32, not for ${type}`);
    }
    case 'popcount': {
      const a = compileExpr(e.a, scope);
      const { bits } = describe(exprType(e.a, scope));
      if (bits > 32) return narrowed(compileWide(e, scope), type, describeNode(e), scope);
      const mask = bits === 32 ? -1 : (1 << bits) - 1;
      return checked(() => popcount(a() & mask), type, describeNode(e), scope);
    }
    default: {
      if (isComparison(e.op)) return comparisons[e.op](compileExpr(e.a, scope), compileExpr(e.b, scope));
      return compileBinary(e as Expr & { op: Binary }, type, scope);
    }
  }
}

function compileBinary(e: Expr & { readonly op: Binary }, type: ElementType, scope: KernelScope): NumberClosure {
  const { bits } = describe(type);
  const bitwise = e.op === 'and' || e.op === 'or' || e.op === 'xor' || e.op === 'shl' || e.op === 'shr';
  if (bitwise && bits > 32) return narrowed(compileWide(e, scope), type, describeNode(e), scope);
  const a = compileExpr(e.a, scope);
  const b = compileExpr(e.b, scope);
  const value = type === 'float32' ? floatBinary(e.op, a, b) : integerBinary(e.op, type, a, b, describeNode(e), scope);
  if (!value) fail('program/invalid', scope.kernel, `there is no operation ${e.op} on ${type}`);
  return value;
}

function compileConvert(e: Expr & { readonly op: 'convert' }, scope: KernelScope): NumberClosure {
  const from = exprType(e.a, scope);
  const a = compileExpr(e.a, scope);
  if (e.type === 'float32') return from === 'float32' ? a : () => fround(a());
  const { min, max } = describe(e.type);
  if (from === 'float32') return () => saturateFloat(a(), min, max);
  if (e.saturate) return () => Math.min(Math.max(a(), min), max);
  return checked(a, e.type, describeNode(e), scope);
}

function compileBitcast(e: Expr & { readonly op: 'bitcast' }, scope: KernelScope): NumberClosure {
  const a = compileExpr(e.a, scope);
  const view = new DataView(new ArrayBuffer(4));
  if (e.type === 'int32') {
    // a NaN's bits differ between engines; a value that depends on them is outside the language
    return () => {
      const v = a();
      if (Number.isNaN(v)) return 0x7fc00000;
      view.setFloat32(0, v);
      return view.getInt32(0);
    };
  }
  return () => {
    view.setInt32(0, a());
    const v = view.getFloat32(0);
    if (Number.isNaN(v)) fail('program/invalid', scope.kernel, `bitcast of ${view.getInt32(0)} made a NaN`);
    return v;
  };
}

function narrowed(value: WideClosure, type: ElementType, what: string, scope: KernelScope): NumberClosure {
  if (type === 'float32') fail('program/invalid', scope.kernel, `${what} takes integers beyond 53 bits where float32 is declared`);
  const { min, max } = describe(type);
  return () => {
    const v = fitsWide(value(), type, what, scope);
    const n = Number(v);
    return n >= min && n <= max ? n : overflow(scope, what, v, type);
  };
}
