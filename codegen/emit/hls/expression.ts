/**
 * Expressions and indices of a circuit as C++ for high-level synthesis: integers are ap_int and ap_uint of the proved widths,
 * floats binary32. Helpers that the language lacks are in sigmaflow_hls.h. No statement, no stream.
 */
import { floatFromBits } from '../../ir/build.js';
import { describe } from '../../ir/datatype.js';
import { fail } from '../../ir/diagnostic.js';
import { exprType, type TypeScope } from '../../ir/exprType.js';
import { address, interval, rowMajorIndex, simplify } from '../../ir/indexing.js';
import type { Compare, Condition, ElementType, Expr, Factor, Index, Program, Tensor } from '../../ir/program.js';

/** The C++ type of a value. */
export function typeText(type: ElementType): string {
  if (type === 'float32') return 'float';
  const { bits, signed } = describe(type);
  return `${signed ? 'ap_int' : 'ap_uint'}<${bits}>`;
}

type NameKind = 'axis' | 'let' | 'local';
const prefixes: Readonly<Record<NameKind, string>> = { axis: 'i_', let: 'v_', local: 'r_' };

/** Letters, digits and single underscores, beginning with a letter where a prefix does. */
export const identifier = (name: string): string => name.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');

/** Distinct identifiers for names. */
export class Names {
  private readonly taken = new Set<string>();
  private readonly known = new Map<string, string>();
  of(prefix: string, name: string): string {
    const key = `${prefix} ${name}`;
    const known = this.known.get(key);
    if (known) return known;
    let text = prefix + identifier(name);
    for (let i = 2; this.taken.has(text); i++) text = `${prefix}${identifier(name)}_${i}`;
    this.taken.add(text);
    this.known.set(key, text);
    return text;
  }
}

/** How a process names arrays of tensors. */
export interface Arrays {
  readonly program: Program;
  text(buffer: string): string;
}

/** What the names of a block stand for; ends with it, as in C++. */
export class Scope implements TypeScope {
  private readonly names = new Map<string, { readonly text: string; readonly type: ElementType }>();
  private readonly shapes = new Map<string, readonly number[]>();
  readonly ranges = new Map<string, readonly [number, number]>();
  readonly arrays: Arrays;
  /** True where the float operations of the kernel share cores. */
  readonly isShared: boolean;
  private readonly kernel: string;

  constructor(arrays: Arrays, kernel: string, isShared: boolean, outer?: Scope) {
    this.arrays = arrays;
    this.isShared = isShared;
    this.kernel = kernel;
    for (const [key, value] of outer?.names ?? []) this.names.set(key, value);
    for (const [local, shape] of outer?.shapes ?? []) this.shapes.set(local, shape);
    for (const [axis, range] of outer?.ranges ?? []) this.ranges.set(axis, range);
  }
  get program(): Program {
    return this.arrays.program;
  }
  inner(): Scope {
    return new Scope(this.arrays, this.kernel, this.isShared, this);
  }
  declare(kind: NameKind, name: string, type: ElementType): string {
    let text = prefixes[kind] + identifier(name);
    while ([...this.names.values()].some((n) => n.text === text)) text += '_';
    this.names.set(`${kind} ${name}`, { text, type });
    return text;
  }
  declareAxis(axis: string, first: number, extent: number): string {
    this.ranges.set(axis, [first, first + extent - 1]);
    return this.declare('axis', axis, 'int32');
  }
  declareLocal(name: string, type: ElementType, shape: readonly number[]): string {
    this.shapes.set(name, shape);
    return this.declare('local', name, type);
  }
  shapeOf(local: string): readonly number[] {
    return this.shapes.get(local) ?? fail('program/invalid', this.kernel, `the local ${local} is used before it is bound`);
  }
  private find(kind: NameKind, name: string): { readonly text: string; readonly type: ElementType } {
    return this.names.get(`${kind} ${name}`) ?? fail('program/invalid', this.kernel, `the ${kind} ${name} is used before it is bound`);
  }
  text(kind: NameKind, name: string): string {
    return this.find(kind, name).text;
  }
  tensor(name: string): ElementType {
    return this.program.tensors[name].dtype;
  }
  ref(name: string): ElementType {
    return this.find('let', name).type;
  }
  local(name: string): ElementType {
    return this.find('local', name).type;
  }
}

// ---- Indices and places --------------------------------------------------------------------------------------------

export function indexText(index: Index, scope: Scope): string {
  const { offset, terms } = simplify(index, scope.ranges);
  const parts = terms.map(({ coeff, of }) => (coeff === 1 ? factorText(of, scope) : `${coeff < 0 ? `(${coeff})` : coeff} * ${factorText(of, scope)}`));
  if (offset !== 0 || parts.length === 0) parts.push(offset < 0 ? `(${offset})` : String(offset));
  return parts.join(' + ');
}

function factorText(of: Factor, scope: Scope): string {
  if (typeof of === 'string') return scope.text('axis', of);
  if ('value' in of) return `clampIndex(${exprText(of.value, scope)}, ${of.lo}, ${of.hi})`;
  const inner = 'div' in of ? of.div : of.rem;
  const text = indexText(inner, scope);
  if (interval(simplify(inner, scope.ranges), scope.ranges)[0] >= 0) return `(${text.includes(' ') ? `(${text})` : text} ${'div' in of ? '/' : '%'} ${of.by})`;
  return `${'div' in of ? 'floorDivide' : 'floorRemainder'}(${text}, ${of.by})`;
}

/** The conditions that the ranges do not decide; undefined where all hold. */
export function guardText(guard: readonly Condition[], scope: Scope): string | undefined {
  const parts = guard.flatMap((c): string[] => {
    const index = simplify(c.index, scope.ranges);
    const [lo, hi] = interval(index, scope.ranges);
    const text = indexText(index, scope);
    if (c.hi === c.lo + 1) return lo === c.lo && hi === c.lo ? [] : [`${text} == ${c.lo}`];
    return [...(lo >= c.lo ? [] : [`${c.lo} <= ${text}`]), ...(hi < c.hi ? [] : [`${text} < ${c.hi}`])];
  });
  return parts.length === 0 ? undefined : parts.join(' && ');
}

/** An element of the array of a tensor. */
export function elementText(tensor: Tensor, at: readonly Index[], scope: Scope): string {
  const { elementBits, containerBits } = tensor.layout;
  const bits = address(tensor.layout, at, scope.ranges);
  if (elementBits !== containerBits || [bits.offset, ...bits.terms.map((t) => t.coeff)].some((n) => n % elementBits !== 0)) fail('program/invalid', tensor.name, 'an array in a circuit has whole elements');
  const index = { offset: bits.offset / elementBits, terms: bits.terms.map((t) => ({ coeff: t.coeff / elementBits, of: t.of })) };
  return `${scope.arrays.text(tensor.buffer)}[${indexText(index, scope)}]`;
}

/** An element of a local, whose array is flat. */
export function localText(name: string, at: readonly Index[], scope: Scope): string {
  const shape = scope.shapeOf(name);
  const text = scope.text('local', name);
  return shape.every((n) => n === 1) ? text : `${text}[${indexText(rowMajorIndex(shape, at), scope)}]`;
}

// ---- Values --------------------------------------------------------------------------------------------------------

/** A finite float in digits that C++ reads as the same value. */
export function decimalText(x: number): string {
  const digits = Object.is(x, -0) ? '-0.0' : String(x);
  return `${/[.e]/.test(digits) ? digits : `${digits}.0`}f`;
}

function floatText(bits: string): string {
  const x = floatFromBits(bits);
  if (!Number.isFinite(x)) return `floatOf(0x${bits}u)`;
  const text = decimalText(x);
  return text.startsWith('-') ? `(${text})` : text;
}

export function integerText(value: bigint, type: ElementType): string {
  const { bits, signed } = describe(type);
  const suffix = bits <= 31 ? '' : signed ? 'll' : 'ull';
  const digits = signed && value === -(1n << 63n) ? '-9223372036854775807ll - 1' : `${value}${suffix}`;
  return `${typeText(type)}(${digits})`;
}

const symbols = { add: '+', sub: '-', mul: '*', and: '&', or: '|', xor: '^', lt: '<', le: '<=', eq: '==', ne: '!=', ge: '>=', gt: '>' } as const;

/**
 * A condition as bool. Integers of unlike signs are compared in a type that holds both: the tool's own headers compare 32 and 64
 * bits as C++ does, which makes the signed one unsigned.
 */
function conditionText(e: Expr, scope: Scope): string {
  if (e.op !== 'lt' && e.op !== 'le' && e.op !== 'eq' && e.op !== 'ne' && e.op !== 'ge' && e.op !== 'gt') return `${exprText(e, scope)} != 0`;
  const types = [exprType(e.a, scope), exprType(e.b, scope)] as const;
  const [a, b] = [exprText(e.a, scope), exprText(e.b, scope)];
  if (types.includes('float32')) return floatCondition(e.op, a, b);
  if (describe(types[0]).signed === describe(types[1]).signed) return `${a} ${symbols[e.op]} ${b}`;
  const both = commonType(...types);
  return `${both}(${a}) ${symbols[e.op]} ${both}(${b})`;
}

/** The order of two floats, by the functions of sigmaflow_hls.h. */
function floatCondition(op: Compare, a: string, b: string): string {
  switch (op) {
    case 'lt': return `isLess(${a}, ${b})`;
    case 'gt': return `isLess(${b}, ${a})`;
    case 'le': return `isAtMost(${a}, ${b})`;
    case 'ge': return `isAtMost(${b}, ${a})`;
    case 'eq': return `isEqual(${a}, ${b})`;
    case 'ne': return `!isEqual(${a}, ${b})`;
  }
}

/** An expression of exactly its own type. */
export function exprText(e: Expr, scope: Scope): string {
  const type = exprType(e, scope);
  const to = typeText(type);
  const isFloat = type === 'float32';
  const cast = (x: Expr): string => (exprType(x, scope) === type ? exprText(x, scope) : `${to}(${exprText(x, scope)})`);
  switch (e.op) {
    case 'float':
      return floatText(e.bits);
    case 'int':
      return integerText(BigInt(e.value), type);
    case 'load': {
      const tensor = scope.program.tensors[e.tensor];
      const isNative = type !== 'float32' && scope.program.buffers[tensor.buffer].role !== 'temporary';
      const element = elementText(tensor, e.at, scope);
      const value = isNative ? `${to}(${element})` : element;
      const guard = e.guard && guardText(e.guard, scope);
      return guard ? `(${guard} ? ${to}(${value}) : ${cast(e.otherwise!)})` : value;
    }
    case 'index':
      return `${to}(${indexText(e.index, scope)})`;
    case 'ref':
      return scope.text('let', e.name);
    case 'local':
      return localText(e.name, e.at, scope);
    case 'select':
      return `(${conditionText(e.cond, scope)} ? ${cast(e.a)} : ${cast(e.b)})`;
    case 'bitcast':
      return isFloat ? `floatOf(${exprText(e.a, scope)})` : `bitsOf(${exprText(e.a, scope)})`;
    case 'convert': {
      const from = exprType(e.a, scope);
      if (isFloat) return from === 'float32' ? exprText(e.a, scope) : `toFloat(${exprText(e.a, scope)})`;
      const { bits, signed } = describe(type);
      if (from === 'float32') return `truncated<${bits}, ${signed}>(${exprText(e.a, scope)})`;
      return e.saturate ? `clamped<${bits}, ${signed}>(${exprText(e.a, scope)})` : cast(e.a);
    }
    case 'dot':
      return fail('program/invalid', scope.program.name, 'a group of products reached the circuit, which has no such instruction');
    case 'sqrt':
      return `squareRoot(${exprText(e.a, scope)})`;
    case 'floor':
      return `roundDown(${exprText(e.a, scope)})`;
    case 'nearest':
      return `nearest(${exprText(e.a, scope)})`;
    case 'neg':
      return isFloat ? `opposite(${exprText(e.a, scope)})` : `${to}(-${exprText(e.a, scope)})`;
    case 'abs':
      return isFloat ? `magnitude(${exprText(e.a, scope)})` : `${to}(magnitude(${exprText(e.a, scope)}))`;
    case 'popcount':
      return `${to}(countOnes(${exprText(e.a, scope)}))`;
    case 'and': case 'or': case 'xor':
      return `${to}(${cast(e.a)} ${symbols[e.op]} ${cast(e.b)})`;
    case 'shl': case 'shr':
      return `${to}(${cast(e.a)} ${e.op === 'shl' ? '<<' : '>>'} ${shiftText(e.b, scope)})`;
    case 'mulLow':
      return `${scope.isShared ? 'sharedLow' : 'productLow'}(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`;
    case 'mulHigh':
      return `${scope.isShared ? 'sharedHigh' : 'productHigh'}(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`;
    case 'min': case 'max': {
      if (isFloat) return `${e.op}imum(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`;
      const both = commonType(exprType(e.a, scope), exprType(e.b, scope));
      const text = `${e.op === 'min' ? 'least' : 'greatest'}<${both} >(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`;
      return both === to ? text : `${to}(${text})`;
    }
    case 'div':
      return `(${exprText(e.a, scope)} / ${exprText(e.b, scope)})`;
    case 'add': case 'sub': case 'mul': {
      if (isFloat && e.op === 'sub' && scope.isShared) return `(${exprText(e.a, scope)} + opposite(${exprText(e.b, scope)}))`;
      const text = `${exprText(e.a, scope)} ${symbols[e.op]} ${exprText(e.b, scope)}`;
      return isFloat ? `(${text})` : `${to}(${text})`;
    }
    default:
      return `ap_uint<1>(${conditionText(e, scope)})`;
  }
}

/** The narrowest integer type of all values of two. */
function commonType(a: ElementType, b: ElementType): string {
  const [x, y] = [describe(a), describe(b)];
  if (x.signed === y.signed) return `${x.signed ? 'ap_int' : 'ap_uint'}<${Math.max(x.bits, y.bits)}>`;
  return `ap_int<${x.signed ? Math.max(x.bits, y.bits + 1) : Math.max(x.bits + 1, y.bits)}>`;
}

function shiftText(e: Expr, scope: Scope): string {
  return e.op === 'int' ? String(e.value) : `(${exprText(e, scope)}).to_int()`;
}
