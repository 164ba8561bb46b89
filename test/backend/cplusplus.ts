/**
 * A second back end, on trial: scheduled Programs as plain C++17, one function a kernel, one entry, one arena of bytes.
 *
 * It shows how little an emitter needs (CONTRIBUTING.md, "Adding a back end"), and it checks that Programs say everything:
 * nothing is decided here, no interval is proved, no loop is moved. Loop modes are hints, for all of them mean serial.
 * Operations that C++ lacks are in cplusplus.hpp. Compile with -ffp-contract=off -fno-fast-math: float32 rounds once an operation. Not part of the product.
 */
import { floatFromBits } from '../../codegen/ir/build.js';
import { describe } from '../../codegen/ir/datatype.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import { exprType, type TypeScope } from '../../codegen/ir/exprType.js';
import { address, simplify } from '../../codegen/ir/indexing.js';
import type { Block, Condition, ElementType, Expr, Factor, Index, Kernel, Program, ProgramUnit, Stmt, Tensor } from '../../codegen/ir/program.js';

// ---- Types ---------------------------------------------------------------------------------------------------------

/** The C++ type that carries values of a type. */
function carrier(type: ElementType): string {
  if (type === 'float32') return 'float';
  const { bits, signed } = describe(type);
  if (bits > 32) return signed ? 'int64_t' : 'uint64_t';
  return bits === 32 && !signed ? 'uint32_t' : 'int32_t';
}

/** A C++ type in which an integer operation is exact whose operands and result have these types. */
function exactType(...types: ElementType[]): string {
  const carriers = types.map(carrier);
  if (carriers.every((c) => c === 'int32_t')) return 'int32_t';
  return carriers.includes('uint64_t') ? 'wide' : 'int64_t';
}

function memoryType(bits: number, dtype: ElementType): string {
  return dtype === 'float32' ? 'float' : `${describe(dtype).signed ? '' : 'u'}int${bits}_t`;
}

function floatText(bits: string): string {
  const x = floatFromBits(bits);
  if (Number.isNaN(x)) return 'NAN';
  if (!Number.isFinite(x)) return x < 0 ? '(-INFINITY)' : 'INFINITY';
  const digits = Object.is(x, -0) ? '-0.0' : String(x);
  const text = `${/[.e]/.test(digits) ? digits : `${digits}.0`}f`;
  return text.startsWith('-') ? `(${text})` : text;
}

function integerText(value: bigint, type: ElementType): string {
  const c = carrier(type);
  const suffix = c.startsWith('u') ? 'u' : '';
  const size = c.includes('64') ? 'll' : '';
  if (value === -(1n << 63n) || value === -(1n << 31n)) return `(${value + 1n}${size} - 1)`; // the literal is a minus before a number too large
  return value < 0n ? `(${value}${suffix}${size})` : `${value}${suffix}${size}`;
}

/** Least and greatest value of an integer type, as literals. */
function boundsText(type: ElementType): string {
  const { bits, signed } = describe(type);
  const b = BigInt(bits);
  const [lo, hi] = signed ? [-(1n << (b - 1n)), (1n << (b - 1n)) - 1n] : [0n, (1n << b) - 1n];
  return `${integerText(lo, type)}, ${integerText(hi, type)}`;
}

// ---- Names ---------------------------------------------------------------------------------------------------------

type NameKind = 'axis' | 'let' | 'local';
const prefixes: Readonly<Record<NameKind, string>> = { axis: 'i_', let: 'v_', local: 'r_' };

const identifier = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_');

/** What the names of a block stand for; ends with it, as in C++. */
class Scope implements TypeScope {
  private readonly names = new Map<string, { readonly text: string; readonly type: ElementType }>();
  readonly ranges = new Map<string, readonly [number, number]>();
  readonly program: Program;
  private readonly kernel: string;

  constructor(program: Program, kernel: string, outer?: Scope) {
    this.program = program;
    this.kernel = kernel;
    for (const [key, value] of outer?.names ?? []) this.names.set(key, value);
    for (const [axis, range] of outer?.ranges ?? []) this.ranges.set(axis, range);
  }
  inner(): Scope {
    return new Scope(this.program, this.kernel, this);
  }
  declare(kind: NameKind, name: string, type: ElementType): string {
    let text = prefixes[kind] + identifier(name);
    while ([...this.names.values()].some((n) => n.text === text)) text += '_';
    this.names.set(`${kind} ${name}`, { text, type });
    return text;
  }
  declareAxis(axis: string, first: number, extent: number): string {
    this.ranges.set(axis, [first, first + extent - 1]);
    return this.declare('axis', axis, 'int64');
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

function indexText(index: Index, scope: Scope): string {
  const { offset, terms } = simplify(index, scope.ranges);
  const parts = terms.map(({ coeff, of }) => (coeff === 1 ? factorText(of, scope) : `${factorText(of, scope)} * ${coeff}`));
  if (offset !== 0 || parts.length === 0) parts.push(String(offset));
  return parts.join(' + ');
}

function factorText(of: Factor, scope: Scope): string {
  if (typeof of === 'string') return scope.text('axis', of);
  if ('div' in of) return `floorDiv(${indexText(of.div, scope)}, ${of.by})`;
  if ('rem' in of) return `floorRem(${indexText(of.rem, scope)}, ${of.by})`;
  return `std::clamp<int64_t>(${exprText(of.value, scope)}, ${of.lo}, ${of.hi})`;
}

function guardText(guard: readonly Condition[], scope: Scope): string {
  return guard.map((c) => `within(${indexText(c.index, scope)}, ${c.lo}, ${c.hi})`).join(' && ');
}

function baseOf(tensor: Tensor, program: Program): number {
  return program.buffers[tensor.buffer].offset ?? fail('program/invalid', tensor.name, 'its buffer has no place in memory');
}

/** The address of a whole element. */
function elementAt(tensor: Tensor, at: readonly Index[], scope: Scope): string {
  const bits = address(tensor.layout, at, scope.ranges);
  if ([bits.offset, ...bits.terms.map((t) => t.coeff)].some((n) => n % 8 !== 0)) fail('program/invalid', tensor.name, 'a whole element does not start at a byte');
  const bytes = { offset: bits.offset / 8 + baseOf(tensor, scope.program), terms: bits.terms.map((t) => ({ coeff: t.coeff / 8, of: t.of })) };
  return `arena + ${indexText(bytes, scope)}`;
}

function loadText(tensor: Tensor, at: readonly Index[], scope: Scope): string {
  const { elementBits, containerBits } = tensor.layout;
  if (elementBits === containerBits) return `${carrier(tensor.dtype)}(read<${memoryType(elementBits, tensor.dtype)}>(${elementAt(tensor, at, scope)}))`;
  const bit = indexText(address(tensor.layout, at, scope.ranges), scope);
  const { code } = tensor.layout;
  const field = `readField<uint${containerBits}_t, ${elementBits}, ${!code && describe(tensor.dtype).signed}>(arena + ${baseOf(tensor, scope.program)}, ${bit})`;
  return code ? `(${code.base} + ${code.step} * ${field})` : field;
}

// ---- Expressions ---------------------------------------------------------------------------------------------------

const symbols = { add: '+', sub: '-', mul: '*', div: '/', and: '&', or: '|', xor: '^', lt: '<', le: '<=', eq: '==', ne: '!=', ge: '>=', gt: '>' } as const;

function exprText(e: Expr, scope: Scope): string {
  const typeOf = (x: Expr): ElementType => exprType(x, scope);
  const type = typeOf(e);
  const to = carrier(type);
  /** An operand as a C++ type. */
  const as = (x: Expr, c: string): string => (carrier(typeOf(x)) === c ? exprText(x, scope) : `${c}(${exprText(x, scope)})`);
  /** A result that was computed in a C++ type. */
  const back = (text: string, from: string): string => (from === to ? `(${text})` : `${to}(${text})`);
  switch (e.op) {
    case 'float':
      return floatText(e.bits);
    case 'int':
      return integerText(BigInt(e.value), type);
    case 'load': {
      const value = loadText(scope.program.tensors[e.tensor], e.at, scope);
      return e.guard && e.guard.length > 0 ? `(${guardText(e.guard, scope)} ? ${value} : ${as(e.otherwise!, to)})` : value;
    }
    case 'index':
      return `${to}(${indexText(e.index, scope)})`;
    case 'ref':
      return scope.text('let', e.name);
    case 'local':
      return registerText(e.name, e.at, scope);
    case 'select':
      return `(${exprText(e.cond, scope)} ? ${as(e.a, to)} : ${as(e.b, to)})`;
    case 'bitcast':
      return `bitcast<${to}>(${exprText(e.a, scope)})`;
    case 'convert': {
      const from = typeOf(e.a);
      if (type === 'float32') return as(e.a, to);
      if (from === 'float32') return `saturate<${to}>(${exprText(e.a, scope)}, ${boundsText(type)})`;
      if (!e.saturate) return as(e.a, to);
      const exact = exactType(from, type);
      return back(`std::clamp<${exact}>(${exprText(e.a, scope)}, ${boundsText(type)})`, exact);
    }
    case 'dot': {
      const exact = exactType(typeOf(e.a), typeOf(e.b), type, 'int64');
      const products = Array.from({ length: e.extent }, (_, k) => {
        const inner = scope.inner();
        inner.declareAxis(e.axis, k, 1);
        return `${exact}(${exprText(e.a, inner)}) * ${exprText(e.b, inner)}`;
      });
      return back(products.join(' + '), exact);
    }
    case 'sqrt':
    case 'floor':
      return `std::${e.op}(${exprText(e.a, scope)})`;
    case 'nearest':
      return `std::nearbyint(${exprText(e.a, scope)})`;
    case 'neg':
    case 'abs': {
      const exact = type === 'float32' ? 'float' : exactType(typeOf(e.a), type);
      if (e.op === 'neg') return back(`-${as(e.a, exact)}`, exact);
      return type === 'float32' ? `std::fabs(${exprText(e.a, scope)})` : back(`magnitude<${exact}>(${exprText(e.a, scope)})`, exact);
    }
    case 'popcount':
      return `__builtin_popcountll(wrap<uint64_t, ${describe(typeOf(e.a)).bits}, false>(${as(e.a, 'uint64_t')}))`;
    case 'and': case 'or': case 'xor': case 'shl': case 'shr': {
      const { bits, signed } = describe(type);
      const wrap = `wrap<${to}, ${bits}, ${signed}>`;
      const a = as(e.a, 'uint64_t');
      if (e.op === 'shr') return `(${wrap}(${a}) >> ${exprText(e.b, scope)})`;
      return e.op === 'shl' ? `${wrap}(${a} << ${exprText(e.b, scope)})` : `${wrap}(${a} ${symbols[e.op]} ${as(e.b, 'uint64_t')})`;
    }
    case 'mulLow':
      return `(${as(e.a, 'uint32_t')} * ${as(e.b, 'uint32_t')})`;
    case 'mulHigh':
      return `uint32_t(${as(e.a, 'uint64_t')} * ${as(e.b, 'uint64_t')} >> 32)`;
    case 'min':
    case 'max': {
      if (type === 'float32') return `${e.op}imum(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`;
      const exact = exactType(typeOf(e.a), typeOf(e.b), type);
      return back(`std::${e.op}<${exact}>(${exprText(e.a, scope)}, ${exprText(e.b, scope)})`, exact);
    }
    case 'add': case 'sub': case 'mul': case 'div': {
      const exact = type === 'float32' ? 'float' : exactType(typeOf(e.a), typeOf(e.b), type);
      return back(`${as(e.a, exact)} ${symbols[e.op]} ${as(e.b, exact)}`, exact);
    }
    default: {
      const exact = typeOf(e.a) === 'float32' ? 'float' : exactType(typeOf(e.a), typeOf(e.b));
      return `(${as(e.a, exact)} ${symbols[e.op]} ${as(e.b, exact)})`;
    }
  }
}

function registerText(local: string, at: readonly Index[], scope: Scope): string {
  return scope.text('local', local) + at.map((i) => `[${indexText(i, scope)}]`).join('');
}

// ---- Statements, kernels, the whole --------------------------------------------------------------------------------

const indented = (lines: readonly string[]): string[] => lines.map((l) => (l.startsWith('#') ? l : `  ${l}`));

function bodyLines(body: readonly Stmt[], scope: Scope): string[] {
  return body.flatMap((s): string[] => {
    switch (s.kind) {
      case 'loop': {
        const inner = scope.inner();
        const i = inner.declareAxis(s.axis, s.start, s.extent);
        const hint = s.mode === 'unrolled' && s.extent > 1 ? [`#pragma GCC unroll ${s.extent}`] : [];
        return [...hint, `for (int64_t ${i} = ${s.start}; ${i} < ${s.start + s.extent}; ++${i}) {`, ...indented(bodyLines(s.body, inner)), '}'];
      }
      case 'let': {
        const value = exprText(s.value, scope);
        return [`const ${carrier(s.type)} ${scope.declare('let', s.name, s.type)} = ${value};`];
      }
      case 'set':
        return [`${registerText(s.name, s.at, scope)} = ${exprText(s.value, scope)};`];
      case 'store': {
        const tensor = scope.program.tensors[s.tensor];
        const { elementBits, containerBits, code } = tensor.layout;
        const { base, step } = code ?? { base: 0, step: 1 };
        const line = elementBits !== containerBits
          ? `writeField<uint${containerBits}_t, ${elementBits}>(arena + ${baseOf(tensor, scope.program)}, ${indexText(address(tensor.layout, s.at, scope.ranges), scope)}, (${exprText(s.value, scope)} - (${base})) / ${step});`
          : `write<${memoryType(tensor.layout.elementBits, tensor.dtype)}>(${elementAt(tensor, s.at, scope)}, ${exprText(s.value, scope)});`;
        return [s.guard && s.guard.length > 0 ? `if (${guardText(s.guard, scope)}) ${line}` : line];
      }
      case 'if':
        return [`if (${guardText(s.guard, scope)}) {`, ...indented(bodyLines(s.body, scope.inner())), '}'];
    }
  });
}

/** The function of a scheduled kernel; its parameters are the axes of the repeats around it. */
function kernelText(kernel: Kernel, name: string, program: Program, repeats: ReadonlyMap<string, number>): string {
  if (!kernel.scheduled) fail('program/invalid', kernel.name, 'a kernel without a schedule reached the emitter');
  const scope = new Scope(program, kernel.name);
  const parameters = [...repeats].map(([axis, most]) => `[[maybe_unused]] int64_t ${scope.declareAxis(axis, 0, most)}`);
  const locals = kernel.scheduled.locals.map((l) => `${carrier(l.type)} ${scope.declare('local', l.name, l.type)}${l.shape.map((n) => `[${n}]`).join('')};`);
  const steps = kernel.scheduled.steps.map((s) => `// ${s}`);
  return [`// ${kernel.op}`, ...steps, `static void ${name}(${parameters.join(', ')}) {`, ...indented([...locals, ...bodyLines(kernel.scheduled.body, scope)]), '}', ''].join('\n');
}

/** A scheduled Program as `namespace NAME` with its `arena`, where inputs and outputs lie, and `run()`. It needs cplusplus.hpp. */
export function emitCplusplus({ program, data }: ProgramUnit, name: string): string {
  const kernels: string[] = [];
  const calls = (blocks: readonly Block[], repeats: ReadonlyMap<string, number>): string[] =>
    blocks.flatMap((b): string[] => {
      const counters = [...repeats.keys()].map((axis) => `n_${identifier(axis)}`).join(', ');
      if (b.kind === 'kernel') {
        const call = `k${kernels.length}_${identifier(b.name)}`;
        kernels.push(kernelText(b, call, program, repeats));
        return [`${call}(${counters});`];
      }
      const { count } = b;
      const most = typeof count === 'number' ? count : count.max;
      const end = typeof count === 'number' ? String(count) : `std::clamp<int64_t>(${loadText(program.tensors[count.input], [], new Scope(program, b.axis))}, 0, ${count.max})`;
      const i = `n_${identifier(b.axis)}`;
      return [`for (int64_t ${i} = 0, end = ${end}; ${i} < end; ++${i}) {`, ...indented(calls(b.body, new Map(repeats).set(b.axis, most))), '}'];
    });
  const body = calls(program.blocks, new Map());
  return [
    `// ${program.name}, compiled by sigmaflow for ${program.target}.`,
    `namespace ${name} {`,
    `uint8_t arena[${program.arenaBytes}] = {${constantBytes(program, data).join(',')}};`,
    '',
    ...kernels,
    'void run() {',
    ...indented(body),
    '}',
    `} // namespace ${name}`,
    '',
  ].join('\n');
}

/** The arena up to its last constant. */
function constantBytes(program: Program, data: ProgramUnit['data']): Uint8Array {
  const constants = Object.values(program.buffers).flatMap((b) => (b.hash === undefined ? [] : [{ offset: b.offset!, bytes: data.get(b.hash)! }]));
  const bytes = new Uint8Array(Math.max(1, ...constants.map((c) => c.offset + c.bytes.length)));
  for (const c of constants) bytes.set(c.bytes, c.offset);
  return bytes;
}
