/**
 * The slower path of the interpreter: integer nodes that have, or whose operands have, more than 53 bits, as closures that
 * give BigInt. Same meaning as interpretExpr.ts, node by node.
 */
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import { exprType } from './exprType.js';
import { compileLocalAt, describeNode, isComparison, overflow, type KernelScope } from './interpretBase.js';
import type { NumberClosure } from './interpretMemory.js';
import type { ElementType, Expr } from './program.js';
import { operandsOf } from './walk.js';

export type WideClosure = () => bigint;

/** True for types that JavaScript numbers do not hold exactly. */
export function isWide(type: ElementType): boolean {
  return type !== 'float32' && describe(type).bits > 53;
}

function bounds(type: ElementType): readonly [bigint, bigint] {
  const { bits, signed } = describe(type);
  const b = BigInt(bits);
  return signed ? [-(1n << (b - 1n)), (1n << (b - 1n)) - 1n] : [0n, (1n << b) - 1n];
}

/** The value, or the fault that it does not fit. */
export function fitsWide(v: bigint, type: ElementType, what: string, scope: KernelScope): bigint {
  const [min, max] = bounds(type);
  return v >= min && v <= max ? v : overflow(scope, what, v, type);
}

/** An integer of any size to the nearest binary32, ties to even: the bits that a double would drop first stay as a sticky bit. */
export function wideToFloat(v: bigint): number {
  const magnitude = v < 0n ? -v : v;
  if (magnitude < 1n << 53n) return Math.fround(Number(v));
  const sticky = (magnitude & 2047n) === 0n ? 0n : 1n;
  const rounded = Math.fround(Number((magnitude >> 11n) | sticky)) * 2048;
  return v < 0n ? -rounded : rounded;
}

function operand(e: Expr, scope: KernelScope): WideClosure {
  const type = exprType(e, scope);
  if (isWide(type)) return compileWide(e, scope);
  if (type === 'float32') fail('program/invalid', scope.kernel, `${describeNode(e)} is float32 where an integer is needed`);
  const value = scope.compile(e);
  return () => BigInt(value());
}

/** A closure for an integer node whose type or operands are wide. Comparisons give 0 or 1. */
export function compileWide(e: Expr, scope: KernelScope): WideClosure {
  const type = exprType(e, scope);
  const what = describeNode(e);
  switch (e.op) {
    case 'int': {
      const value = fitsWide(BigInt(e.value), type, what, scope);
      return () => value;
    }
    case 'ref': {
      const { slot } = scope.refNamed(e.name);
      return () => scope.wides[slot];
    }
    case 'local': {
      const at = compileLocalAt(e.name, e.at, scope);
      return () => scope.wides[at()] ?? overflow(scope, what, NaN, type);
    }
    case 'select': {
      const cond = scope.compile(e.cond);
      const a = operand(e.a, scope);
      const b = operand(e.b, scope);
      return () => fitsWide(cond() !== 0 ? a() : b(), type, what, scope);
    }
    case 'convert':
      return compileConvert(e, type, scope);
    case 'dot': {
      const inner = scope.withAxis(e.axis);
      const slot = inner.slot(e.axis);
      const a = operand(e.a, inner);
      const b = operand(e.b, inner);
      return () => {
        let total = 0n;
        for (scope.axes[slot] = 0; scope.axes[slot] < e.extent; scope.axes[slot]++) total += a() * b();
        return fitsWide(total, type, what, scope);
      };
    }
    case 'index': {
      const value = scope.compile({ ...e, type: 'int53' });
      return () => fitsWide(BigInt(value()), type, what, scope);
    }
    case 'load':
      fail('program/invalid', scope.kernel, `${e.tensor} is of type ${type}, and stored elements have at most 32 bits`);
  }
  const operands = operandsOf(e).map((x) => operand(x, scope));
  const [a, b] = operands;
  const { bits, signed } = describe(type);
  const wrap = (v: bigint): bigint => (signed ? BigInt.asIntN(bits, v) : BigInt.asUintN(bits, v));
  const count = (s: bigint): bigint => (s >= 0n && s < BigInt(bits) ? s : overflow(scope, `${what}: the shift count`, s, type));
  if (isComparison(e.op)) {
    const { op } = e;
    return () => {
      const [x, y] = [a(), b()];
      const holds = { lt: x < y, le: x <= y, eq: x === y, ne: x !== y, ge: x >= y, gt: x > y }[op];
      return holds ? 1n : 0n;
    };
  }
  const exact: Readonly<Record<string, WideClosure>> = {
    add: () => a() + b(),
    sub: () => a() - b(),
    mul: () => a() * b(),
    min: () => smaller(a(), b()),
    max: () => -smaller(-a(), -b()),
    neg: () => -a(),
    abs: () => { const v = a(); return v < 0n ? -v : v; },
  };
  const bitwise: Readonly<Record<string, WideClosure>> = {
    and: () => wrap(a() & b()),
    or: () => wrap(a() | b()),
    xor: () => wrap(a() ^ b()),
    shl: () => wrap(wrap(a()) << count(b())),
    shr: () => wrap(a()) >> count(b()),
    popcount: () => ones(BigInt.asUintN(describe(exprType((e as { a: Expr }).a, scope)).bits, a())),
  };
  const value = exact[e.op];
  if (value) return () => fitsWide(value(), type, what, scope);
  return bitwise[e.op] ?? fail('program/invalid', scope.kernel, `there is no operation ${e.op} on ${type}`);
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function ones(v: bigint): bigint {
  let count = 0n;
  for (let rest = v; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

function compileConvert(e: Expr & { readonly op: 'convert' }, type: ElementType, scope: KernelScope): WideClosure {
  const [min, max] = bounds(type);
  const clamp = (v: bigint): bigint => (v < min ? min : v > max ? max : v);
  if (exprType(e.a, scope) === 'float32') {
    const a: NumberClosure = scope.compile(e.a);
    return () => {
      const v = a();
      if (Number.isNaN(v)) return 0n;
      if (!Number.isFinite(v)) return v < 0 ? min : max;
      return clamp(BigInt(Math.trunc(v)));
    };
  }
  const a = operand(e.a, scope);
  return e.saturate ? () => clamp(a()) : () => fitsWide(a(), type, describeNode(e), scope);
}

/** A closure for the conversion of a wide integer to float32. */
export function compileWideToFloat(a: Expr, scope: KernelScope): NumberClosure {
  const value = compileWide(a, scope);
  return () => wideToFloat(value());
}
