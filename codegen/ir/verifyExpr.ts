/**
 * Invariants 3 and 5 on expressions: every access in bounds, operands of one kind, and every integer result proved to fit
 * its type by interval arithmetic. `analyse` gives the interval of an expression's value.
 */
import { floatFromBits } from './build.js';
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import { interval, simplify, type Ranges } from './indexing.js';
import type { Memory } from './interpretMemory.js';
import { dotOperands, lookupTable } from './lookup.js';
import { printExpr, printIndex } from './print.js';
import type { Accumulator, Binary, Condition, ElementType, Expr, Index, Local, Program, Tensor, Unary } from './program.js';
import { fits, floatBinaryRange, integerBinaryRange, range, rangeOfType, saturatedRange, unaryRange, union, type ValueRange } from './valueRange.js';
import { accessBox, guardedInterval, narrowAxes, type AccessSite } from './verifyBounds.js';
import { storedRange } from './verifyData.js';

export interface Named {
  readonly type: ElementType;
  readonly value: ValueRange;
}

/** A register buffer; where it stands for an accumulator, that one and the interval proved for it. */
export interface LocalFacts {
  readonly local: Local;
  readonly value: ValueRange;
  readonly accumulator?: Accumulator;
}

export interface ExprScope {
  readonly site: AccessSite;
  readonly program: Program;
  readonly ranges: Ranges;
  /** The conditions of the statements around it; those on a single axis are in the ranges too. */
  readonly guard?: readonly Condition[];
  readonly refs: ReadonlyMap<string, Named>;
  readonly locals: ReadonlyMap<string, LocalFacts>;
  /** The bytes of constants. */
  readonly memory?: Memory;
  /** The node that updates a register which stands for an accumulator. */
  readonly update?: { readonly local: string; readonly node: Expr };
}

export interface Facts {
  readonly type: ElementType;
  readonly value: ValueRange;
}

export function invalid(scope: { readonly site: AccessSite }, message: string, ...notes: string[]): never {
  fail('program/invalid', scope.site.kernel, message, ...notes);
}

const isFloat = (t: ElementType): boolean => t === 'float32';

/** Raises where a value does not fit an integer type or is of the other kind. */
export function requireFits(f: Facts, type: ElementType, what: string, scope: ExprScope): void {
  if (isFloat(f.type) !== isFloat(type)) invalid(scope, `${what} is ${type}, and its value is ${f.type}`, 'There is no implicit conversion: use convert.');
  if (!isFloat(type) && !fits(f.value, type)) {
    const { min, max } = describe(type);
    invalid(scope, `${what} can be ${f.value.lo} .. ${f.value.hi}, and ${type} holds ${min} .. ${max}`, 'Use a wider type, or a saturating convert.');
  }
}

function tensorOf(name: string, scope: ExprScope): Tensor {
  if (!Object.hasOwn(scope.program.tensors, name)) invalid(scope, `there is no tensor "${name}"`);
  return scope.program.tensors[name];
}

/** Data-dependent parts of indices are expressions of their own; axes must be in scope. */
export function checkIndex(index: Index, scope: ExprScope): void {
  for (const { of } of index.terms) {
    if (typeof of === 'string') {
      if (!scope.ranges.has(of)) invalid(scope, `the axis "${of}" is not in scope in the index ${printIndex(index)}`);
    } else if ('div' in of) checkIndex(of.div, scope);
    else if ('rem' in of) checkIndex(of.rem, scope);
    else if (isFloat(analyse(of.value, scope).type)) invalid(scope, `the index ${printIndex(index)} depends on a float32 value`);
  }
}

/** A store or load: indices, bounds. Gives the box that is touched, or undefined where the guard never holds. */
export function checkAccess(name: string, at: readonly Index[], own: readonly Condition[] | undefined, scope: ExprScope, kind: 'load' | 'store') {
  const tensor = tensorOf(name, scope);
  for (const c of own ?? []) checkIndex(c.index, scope);
  const guard = [...(scope.guard ?? []), ...(own ?? [])];
  const inside = narrowAxes(guard, scope.ranges);
  if (inside) for (const i of at) checkIndex(i, { ...scope, ranges: inside });
  return { tensor, box: accessBox(tensor, at, guard, scope.ranges, scope.site, kind) };
}

/** Type and interval of an expression; raises program/invalid for what breaks an invariant. */
export function analyse(e: Expr, scope: ExprScope): Facts {
  const facts = analyseNode(e, scope);
  if (!isFloat(facts.type) && !fits(facts.value, facts.type)) {
    const { min, max } = describe(facts.type);
    invalid(
      scope,
      `${e.op} gives ${facts.value.lo} .. ${facts.value.hi}, and its type ${facts.type} holds ${min} .. ${max}`,
      `The expression is ${shorten(printExpr(e))}.`,
      'Use a wider type, or a saturating convert.',
    );
  }
  return facts;
}

function shorten(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)} ...`;
}

function analyseNode(e: Expr, scope: ExprScope): Facts {
  switch (e.op) {
    case 'float': {
      const v = floatFromBits(e.bits);
      return { type: 'float32', value: Number.isNaN(v) ? range(-Infinity, Infinity, true) : range(v, v) };
    }
    case 'int':
      if (isFloat(e.type)) invalid(scope, 'an integer constant has the type float32');
      return { type: e.type, value: range(e.value, e.value) };
    case 'load':
      return analyseLoad(e, scope);
    case 'index': {
      if (isFloat(e.type)) invalid(scope, 'an index has the type float32');
      checkIndex(e.index, scope);
      const [lo, hi] = interval(simplify(e.index, scope.ranges), scope.ranges);
      return { type: e.type, value: range(lo, hi) };
    }
    case 'ref':
      return scope.refs.get(e.name) ?? invalid(scope, `the value "${e.name}" is not defined where it is used`);
    case 'local':
      return analyseLocal(e.name, e.at, scope);
    case 'select':
      return analyseSelect(e, scope);
    case 'convert':
      return analyseConvert(e, scope);
    case 'bitcast':
      return analyseBitcast(e, scope);
    case 'dot': {
      const inner = { ...scope, ranges: new Map(scope.ranges).set(e.axis, [0, e.extent - 1]) };
      const [a, b] = [analyse(e.a, inner), analyse(e.b, inner)];
      if ([a.type, b.type, e.type].some(isFloat)) invalid(scope, 'dot is for integers');
      if (e.bytes) requireBytes(a.value, b.value, scope);
      if (e.table !== undefined) verifyTable(e, scope);
      const product = integerBinaryRange('mul', e.type, a.value, b.value);
      // every partial sum must fit, whatever the grouping
      return { type: e.type, value: range(e.extent * Math.min(product.lo, 0), e.extent * Math.max(product.hi, 0)) };
    }
    case 'neg': case 'abs': case 'sqrt': case 'floor': case 'nearest': case 'popcount':
      return analyseUnary(e, scope);
    case 'lt': case 'le': case 'eq': case 'ne': case 'ge': case 'gt': {
      const [a, b] = [analyse(e.a, scope), analyse(e.b, scope)];
      if (isFloat(a.type) !== isFloat(b.type)) invalid(scope, `${e.op} compares ${a.type} with ${b.type}`, 'There is no implicit conversion: use convert.');
      return { type: 'uint1', value: range(0, 1) };
    }
    default:
      return analyseBinary(e, scope);
  }
}

/** Engines agree on the 8-bit dot product for a signed first operand and a second one of seven bits; the proof is here. */
function requireBytes(a: ValueRange, b: ValueRange, scope: ExprScope): void {
  const bound = (v: ValueRange, lo: number, hi: number, which: string): void => {
    if (v.lo < lo || v.hi > hi) invalid(scope, `the ${which} operand of an 8-bit dot product can be ${v.lo} .. ${v.hi}, and must be proved to lie in ${lo} .. ${hi}`, 'Use a dot product of wider operands.');
  };
  bound(a, -128, 127, 'first');
  bound(b, 0, 127, 'second');
}

/** The table of a dot is a constant with the sums that its operands' codes stand for. */
function verifyTable(e: Expr & { readonly op: 'dot' }, scope: ExprScope): void {
  const table = tensorOf(e.table!, scope);
  const operands = dotOperands(e, scope.program);
  const expected = operands && lookupTable(operands.data, operands.weight);
  if (!expected) invalid(scope, `the table ${e.table} has no meaning: its dot is not over fields of half a byte`);
  const buffer = scope.program.buffers[table.buffer];
  const bytes = buffer.role === 'constant' && scope.memory ? new Int8Array(scope.memory.get(buffer.name)!.bytes) : undefined;
  if (table.dtype !== 'int8' || table.layout.elementBits !== 8 || table.layout.offset !== 0 || buffer.bytes !== expected.length || (bytes && expected.some((v, i) => v !== bytes[i]))) {
    invalid(scope, `the table ${e.table} does not hold the sums of products of ${operands.data.name} and ${operands.weight.name}`);
  }
}

function analyseLoad(e: Expr & { readonly op: 'load' }, scope: ExprScope): Facts {
  const { tensor, box } = checkAccess(e.tensor, e.at, e.guard, scope, 'load');
  const { dtype, layout } = tensor;
  const [lo, hi] = storedRange(tensor);
  let value = isFloat(dtype) && !tensor.range ? rangeOfType(dtype) : range(lo, hi);
  if (layout.haloValue !== undefined && !isFloat(dtype)) value = union(value, range(layout.haloValue, layout.haloValue));
  if (!e.guard || e.guard.length === 0) {
    if (e.otherwise) invalid(scope, `the load of ${e.tensor} has an "otherwise" and no guard`);
    return { type: dtype, value };
  }
  if (!e.otherwise) invalid(scope, `the guarded load of ${e.tensor} has no "otherwise"`);
  const otherwise = analyse(e.otherwise, scope);
  requireFits(otherwise, dtype, `the "otherwise" of the load of ${e.tensor}`, scope);
  return { type: dtype, value: box ? union(value, otherwise.value) : otherwise.value };
}

/** Bounds of a register access. */
export function analyseLocal(name: string, at: readonly Index[], scope: ExprScope): Facts {
  const facts = scope.locals.get(name);
  if (!facts) invalid(scope, `the local "${name}" does not exist`);
  const { shape, type } = facts.local;
  if (at.length !== shape.length) invalid(scope, `local ${name} has ${shape.length} dimensions, and ${at.length} indices are given`);
  at.forEach((index, d) => {
    checkIndex(index, scope);
    const [lo, hi] = guardedInterval(index, scope.guard ?? [], scope.ranges);
    if (lo < 0 || hi >= shape[d]) invalid(scope, `local ${name} is accessed at ${lo} .. ${hi} in dimension ${d} of extent ${shape[d]}`);
  });
  return { type, value: facts.value };
}

/** Where the condition holds only for a number (an ordered comparison), a branch that is one of its operands is no NaN. */
function analyseSelect(e: Expr & { readonly op: 'select' }, scope: ExprScope): Facts {
  const cond = analyse(e.cond, scope);
  if (cond.type !== 'uint1') invalid(scope, `the condition of select is ${cond.type}, and uint1 is needed`);
  const [a, b] = [analyse(e.a, scope), analyse(e.b, scope)];
  if (isFloat(a.type) !== isFloat(e.type) || isFloat(b.type) !== isFloat(e.type)) {
    invalid(scope, `select of ${e.type} has branches of ${a.type} and ${b.type}`, 'There is no implicit conversion: use convert.');
  }
  const c = e.cond;
  const ordered = c.op === 'eq' || c.op === 'lt' || c.op === 'le' || c.op === 'gt' || c.op === 'ge';
  const isBranch = (x: Expr): boolean => JSON.stringify(x) === JSON.stringify(e.a);
  const first = ordered && isBranch(c.a);
  if (!ordered || !(first || isBranch(c.b))) return { type: e.type, value: union(a.value, b.value) };
  // And the comparison bounds it.
  const { value: other } = analyse(first ? c.b : c.a, scope);
  const isLess = first ? c.op === 'lt' || c.op === 'le' : c.op === 'gt' || c.op === 'ge';
  const isGreater = first ? c.op === 'gt' || c.op === 'ge' : c.op === 'lt' || c.op === 'le';
  const taken = range(isGreater ? Math.max(a.value.lo, other.lo) : a.value.lo, isLess ? Math.min(a.value.hi, other.hi) : a.value.hi);
  return { type: e.type, value: taken.lo <= taken.hi ? union(taken, b.value) : b.value };
}

function analyseConvert(e: Expr & { readonly op: 'convert' }, scope: ExprScope): Facts {
  const a = analyse(e.a, scope);
  if (isFloat(e.type)) {
    if (isFloat(a.type)) invalid(scope, 'convert from float32 to float32');
    return { type: e.type, value: range(Math.fround(a.value.lo), Math.fround(a.value.hi)) };
  }
  if (isFloat(a.type)) {
    if (!e.saturate) invalid(scope, `convert from float32 to ${e.type} does not saturate`);
    return { type: e.type, value: saturatedRange(a.value, e.type) };
  }
  return { type: e.type, value: e.saturate ? saturatedRange(a.value, e.type) : a.value };
}

const infinityBits = 0x7f800000;

function analyseBitcast(e: Expr & { readonly op: 'bitcast' }, scope: ExprScope): Facts {
  const a = analyse(e.a, scope);
  if (e.type === 'int32') {
    if (!isFloat(a.type)) invalid(scope, `bitcast from ${a.type} to int32`);
    if (a.value.nan) invalid(scope, 'bitcast of a value that can be a NaN', 'Take another value first where it is one: select(x == x, x, ..).');
    // The bits of positive numbers are in their order.
    return { type: e.type, value: a.value.lo > 0 ? range(floatBits(a.value.lo), floatBits(a.value.hi)) : rangeOfType('int32') };
  }
  if (isFloat(a.type) || !fits(a.value, 'int32')) invalid(scope, `bitcast from ${a.type} (${a.value.lo} .. ${a.value.hi}) to float32, and an int32 is needed`);
  const { lo, hi } = a.value;
  const positive = lo >= 0 && hi <= infinityBits;
  const negative = hi < 0 && hi <= infinityBits - 2 ** 31;
  if (!positive && !negative) invalid(scope, `bitcast of ${lo} .. ${hi} to float32 can make a NaN`);
  const value = (x: number): number => { scratch.setInt32(0, x); return scratch.getFloat32(0); };
  return { type: e.type, value: positive ? range(value(lo), value(hi)) : range(value(hi), value(lo)) };
}

const scratch = new DataView(new ArrayBuffer(4));

function floatBits(x: number): number {
  scratch.setFloat32(0, x);
  return scratch.getInt32(0);
}

function analyseUnary(e: Expr & { readonly op: Unary }, scope: ExprScope): Facts {
  const a = analyse(e.a, scope);
  const float = isFloat(a.type);
  if (e.op === 'popcount') {
    if (float || isFloat(e.type)) invalid(scope, 'popcount is for integers');
    return { type: e.type, value: range(0, describe(a.type).bits) };
  }
  if (float !== isFloat(e.type)) invalid(scope, `${e.op} of ${e.type} has an operand of ${a.type}`, 'There is no implicit conversion: use convert.');
  if (!float && e.op !== 'neg' && e.op !== 'abs') invalid(scope, `${e.op} is for float32, not for ${e.type}`);
  return { type: e.type, value: unaryRange(e.op, a.value) };
}

const floatOperations: readonly Binary[] = ['add', 'sub', 'mul', 'div', 'min', 'max'];

function analyseBinary(e: Expr & { readonly op: Binary }, scope: ExprScope): Facts {
  const { op, type } = e;
  const proved = accumulatedRange(e, scope);
  // a group of the accumulator's own terms is one of the partial sums that were proved, tighter than any interval here
  const ownGroup = proved !== undefined && e.b.op === 'dot' && e.b.type === type;
  const [a, b] = [analyse(e.a, scope), ownGroup ? analyseNode(e.b, scope) : analyse(e.b, scope)];
  if (isFloat(a.type) !== isFloat(type) || isFloat(b.type) !== isFloat(type)) {
    invalid(scope, `${op} of ${type} has operands of ${a.type} and ${b.type}`, 'There is no implicit conversion: use convert.');
  }
  if (isFloat(type)) {
    if (!floatOperations.includes(op)) invalid(scope, `${op} is for integers, not for float32`);
    return { type, value: floatBinaryRange(op, a.value, b.value) };
  }
  if (op === 'div') invalid(scope, `div is for float32, not for ${type}`);
  if ((op === 'shl' || op === 'shr') && (b.value.lo < 0 || b.value.hi >= describe(type).bits)) {
    invalid(scope, `${op} of ${type} shifts by ${b.value.lo} .. ${b.value.hi}`);
  }
  if ((op === 'mulLow' || op === 'mulHigh') && (type !== 'uint32' || [a, b].some((f) => describe(f.type).bits > 32 || !fits(f.value, type)))) {
    invalid(scope, `${op} of ${type} takes ${a.type} (${a.value.lo} .. ${a.value.hi}) and ${b.type} (${b.value.lo} .. ${b.value.hi}), and is for uint32`, 'Logic and shifts of uint32 take the low 32 bits of a value.');
  }
  return { type, value: proved ?? integerBinaryRange(op, type, a.value, b.value) };
}

/** An update of a register that stands for an accumulator stays in what was proved of the whole reduction. */
function accumulatedRange(e: Expr & { readonly op: Binary }, scope: ExprScope): ValueRange | undefined {
  if (e !== scope.update?.node || e.a.op !== 'local' || e.a.name !== scope.update.local) return undefined;
  const facts = scope.locals.get(e.a.name);
  const a = facts?.accumulator;
  return a && a.update.op === e.op && a.type === e.type ? facts.value : undefined;
}
