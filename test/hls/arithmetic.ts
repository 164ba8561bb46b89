/**
 * Random programs of ap_int and ap_fixed arithmetic: a list of definitions, each from earlier ones, with the type and the value
 * that exact arithmetic gives (BigInt; rules of the tool's user guide), as texts for our headers, hls4ml's and SystemC. Not a test
 * itself.
 */
import { Random } from '../support/random.js';

/** A number of `bits`, `whole` of them before the point; integers have all there. */
export interface NumberType {
  readonly bits: number;
  readonly whole: number;
  readonly signed: boolean;
  readonly isFixed: boolean;
}
interface Variable {
  readonly type: NumberType;
  /** In units of the lowest bit. */
  readonly raw: bigint;
}
export type Library = 'ours' | 'hls4ml' | 'systemc';
export interface Arithmetic {
  /** The statements for a library; each prints a line. */
  readonly text: Readonly<Record<Library, string>>;
  readonly lines: readonly string[];
}

export const quantizations = ['RND', 'RND_ZERO', 'RND_MIN_INF', 'RND_INF', 'RND_CONV', 'TRN', 'TRN_ZERO'] as const;
export const overflows = ['SAT', 'SAT_ZERO', 'SAT_SYM', 'WRAP'] as const;
type Quantization = (typeof quantizations)[number];
type Overflow = (typeof overflows)[number];

const fit = (n: bigint, bits: number, signed: boolean): bigint => (signed ? BigInt.asIntN(bits, n) : BigInt.asUintN(bits, n));
const fraction = (t: NumberType): number => t.bits - t.whole;
const shift = (n: bigint, left: number): bigint => (left >= 0 ? n << BigInt(left) : n >> BigInt(-left));

/** A number in another type, by the formulas of the modes. */
export function converted(v: Variable, to: NumberType, quantization: Quantization, overflow: Overflow): bigint {
  const left = fraction(to) - fraction(v.type);
  let n = shift(v.raw, left);
  if (left < 0) {
    const unit = 1n << BigInt(-left);
    const twice = 2n * (v.raw - n * unit); // of what is lost, in halves of a unit
    const isNegative = v.raw < 0n;
    const tie = { RND: true, RND_ZERO: isNegative, RND_MIN_INF: false, RND_INF: !isNegative, RND_CONV: (n & 1n) === 1n };
    if (quantization === 'TRN_ZERO' ? isNegative && twice > 0n : quantization !== 'TRN' && (twice > unit || (twice === unit && tie[quantization]))) n += 1n;
  }
  const most = (1n << BigInt(to.signed ? to.bits - 1 : to.bits)) - 1n;
  const least = !to.signed ? 0n : overflow === 'SAT_SYM' ? -most : -most - 1n;
  if (overflow === 'WRAP') return fit(n, to.bits, to.signed);
  if (n >= least && n <= most) return n;
  return overflow === 'SAT_ZERO' ? 0n : n > most ? most : least;
}

function typeText(t: NumberType, library: Library, modes: readonly [Quantization, Overflow] = ['TRN', 'WRAP']): string {
  const isSystemc = library === 'systemc';
  if (!t.isFixed) return isSystemc ? `sc_big${t.signed ? '' : 'u'}int<${t.bits}>` : `ap_${t.signed ? '' : 'u'}int<${t.bits}>`;
  const prefix = isSystemc ? 'SC_' : 'AP_';
  return `${isSystemc ? 'sc' : 'ap'}_${t.signed ? '' : 'u'}fixed<${t.bits}, ${t.whole}, ${modes.map((m) => prefix + m).join(', ')}>`;
}

type Operator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^';

/** The type of a result, as the tool has it. */
function resultType(op: Operator, a: NumberType, b: NumberType): NumberType {
  const isFixed = a.isFixed || b.isFixed;
  const signed = a.signed || b.signed;
  const whole = Math.max(a.whole + (b.signed && !a.signed ? 1 : 0), b.whole + (a.signed && !b.signed ? 1 : 0));
  const places = Math.max(fraction(a), fraction(b));
  switch (op) {
    case '+': case '-':
      return { bits: whole + 1 + places, whole: whole + 1, signed: signed || op === '-', isFixed };
    case '*':
      return { bits: a.bits + b.bits, whole: a.whole + b.whole, signed, isFixed };
    case '/': {
      const extra = b.signed ? 1 : 0;
      return { bits: a.bits + extra + Math.max(fraction(b), 0), whole: a.whole + extra + fraction(b), signed, isFixed };
    }
    case '%': {
      const bits = Math.min(a.bits, b.bits + (a.signed && !b.signed ? 1 : 0));
      return { bits, whole: bits, signed: a.signed, isFixed };
    }
    default:
      return { bits: whole + places, whole, signed, isFixed };
  }
}

function result(op: Operator, a: Variable, b: Variable): bigint {
  const places = Math.max(fraction(a.type), fraction(b.type));
  const [x, y] = [shift(a.raw, places - fraction(a.type)), shift(b.raw, places - fraction(b.type))];
  switch (op) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return a.raw * b.raw;
    case '/': return shift(a.raw, Math.max(fraction(b.type), 0)) / b.raw;
    case '%': return x % y;
    case '&': return x & y;
    case '|': return x | y;
    case '^': return x ^ y;
  }
}

const relations = { '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b, '==': (a, b) => a === b, '!=': (a, b) => a !== b } as const satisfies Record<string, (a: bigint, b: bigint) => boolean>;

/** `count` statements of numbers to `most` bits; fixed point, or integers alone. */
export function randomArithmetic(seed: number, count: number, isFixed: boolean, most: number): Arithmetic {
  const random = new Random(seed);
  const variables: Variable[] = [];
  const lines: string[] = [];
  const text: Record<Library, string[]> = { ours: [], hls4ml: [], systemc: [] };
  const libraries = Object.keys(text) as Library[];
  /** SystemC's integers have no types of results: in a wide one nothing is lost. */
  const operand = (i: number, library: Library, other?: number): string => {
    const { type } = variables[i];
    if (library !== 'systemc' || type.isFixed) return `v${i}`;
    return other !== undefined && variables[other].type.isFixed ? `sc_fixed<${type.bits + 1}, ${type.bits + 1}>(v${i})` : `wide(v${i})`;
  };
  const freshType = (): NumberType => {
    const bits = random.integer(1, Math.min(most, random.chance(0.2) ? most : 33));
    const fixed = isFixed && random.chance(0.7);
    return { bits, whole: fixed ? random.integer(-3, bits + 3) : bits, signed: random.chance(0.5), isFixed: fixed };
  };
  const define = (type: NumberType, raw: bigint, value: (library: Library) => string, modes?: readonly [Quantization, Overflow]): void => {
    const i = variables.length;
    variables.push({ type, raw });
    for (const library of libraries) text[library].push(`${typeText(type, library, modes)} v${i}(${value(library)}); ${type.isFixed ? `printRaw(v${i}, ${type.bits}, ${fraction(type)})` : `print(v${i})`};`);
    lines.push(String(type.isFixed ? BigInt.asUintN(type.bits, raw) : raw));
  };
  const made = (type: NumberType, raw: bigint, library: Library): string => `make${type.isFixed ? 'Fixed' : ''}<${typeText(type, library)} >("${raw}", ${fraction(type)})`;
  const literal = (): void => {
    const type = freshType();
    const bits = Array.from({ length: type.bits }, () => (random.chance(0.5) ? '1' : '0')).join('');
    const raw = fit(random.chance(0.1) ? -1n : BigInt(`0b${bits}`), type.bits, type.signed);
    define(type, raw, (library) => made(type, raw, library));
  };
  while (lines.length < count) {
    if (variables.length < 8 || random.chance(0.1)) {
      literal();
      continue;
    }
    const [i, j] = [random.integer(0, variables.length - 1), random.integer(0, variables.length - 1)];
    const [a, b] = [variables[i], variables[j]];
    const kind = random.integer(0, 9);
    if (kind <= 5) {
      const operators: readonly Operator[] = !a.type.isFixed && !b.type.isFixed ? ['+', '-', '*', '&', '|', '^', '/', '%'] : ['+', '-', '*', '&', '|', '^', '/'];
      const op = operators[random.integer(0, operators.length - 1)];
      const type = resultType(op, a.type, b.type);
      const aligned = [a, b].map((v) => v.type.bits + Math.max(fraction(a.type), fraction(b.type)) - fraction(v.type));
      if (type.bits > most || type.bits < 1 || Math.max(...aligned) > most || ((op === '/' || op === '%') && b.raw === 0n)) continue;
      const raw = result(op, a, b);
      // SystemC's quotients of fixed point have a precision of their own; hls4ml's quotients and remainders of integers take as
      // many bits of the divisor as the result has, of its sign.
      const isIn = { ours: true, hls4ml: (op !== '/' && op !== '%') || (b.type.bits <= type.bits && a.type.signed === b.type.signed), systemc: !type.isFixed || op === '+' || op === '-' || op === '*' };
      define(type, raw, (library) => (isIn[library] ? `${operand(i, library, j)} ${op} ${operand(j, library, i)}` : made(type, raw, library)));
      for (const library of ['ours', 'hls4ml'] as const) text[library].push(`static_assert(decltype(v${i} ${op} v${j})::width == ${type.bits}, "v${variables.length - 1}");`);
    } else if (kind === 6) {
      const places = Math.max(fraction(a.type), fraction(b.type));
      const whole = Math.max(a.type.whole, b.type.whole) + 1;
      if (places + whole > most || a.type.isFixed !== b.type.isFixed) continue;
      const names = Object.keys(relations) as (keyof typeof relations)[];
      const op = names[random.integer(0, names.length - 1)];
      const common = typeText({ bits: places + whole, whole, signed: true, isFixed: a.type.isFixed }, 'hls4ml');
      for (const library of libraries) text[library].push(library === 'hls4ml' ? `print(${common}(v${i}) ${op} ${common}(v${j}));` : `print(${operand(i, library)} ${op} ${operand(j, library)});`);
      lines.push(relations[op](shift(a.raw, places - fraction(a.type)), shift(b.raw, places - fraction(b.type))) ? '1' : '0');
    } else if (kind === 7 && !a.type.isFixed) {
      const by = random.integer(0, a.type.bits);
      const isLeft = random.chance(0.5);
      define(a.type, fit(shift(a.raw, isLeft ? by : -by), a.type.bits, a.type.signed), (library) => `${operand(i, library)} ${isLeft ? '<<' : '>>'} ${by}`);
    } else {
      const type = freshType();
      const modes = [quantizations[random.integer(0, 6)], overflows[random.integer(0, 3)]] as const;
      const raw = type.isFixed ? converted(a, type, ...modes) : converted(a, type, 'TRN_ZERO', 'WRAP');
      // SystemC's integers are not made of fixed point; hls4ml's numbers cannot lose more bits than they have.
      const isIn = { ours: true, hls4ml: fraction(a.type) - fraction(type) < a.type.bits, systemc: type.isFixed || !a.type.isFixed };
      define(type, raw, (library) => (isIn[library] ? `v${i}` : made(type, raw, library)), modes);
    }
  }
  return { text: { ours: text.ours.join('\n'), hls4ml: text.hls4ml.join('\n'), systemc: text.systemc.join('\n') }, lines };
}
