/**
 * What emitting one function carries along: axes in scope, values bound, registers; texts of names and conditions.
 *
 * Below kernel.ts, expression.ts and memory.ts, which need one another's results only through `Context.expression`.
 */
import { describe, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { interval, simplify } from '../ir/indexing.js';
import type { Condition, Expr, Index, Kernel, Program, Stmt } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { indexText, type Names, type Scope } from './scope.js';

export interface Value {
  readonly text: string;
  readonly type: DataType;
  readonly shape: 'scalar' | 'vector';
  /** A comparison: a bool, or lanes of all ones and zeros. */
  readonly mask?: boolean;
  /** Lanes of 64 bits (wide.ts): `text` holds the first two, this the others. */
  readonly high?: string;
  /** A float that is never -0. */
  readonly notMinusZero?: boolean;
}

/** A buffer that a parameter of the function points into, so that kernels can share one text. */
export interface Base {
  readonly name: string;
  /** The parameter points to this byte of the buffer. */
  readonly origin: number;
  /** The first byte that constants of addresses reach. */
  least: number;
}

/** What emitting one function carries along. */
export interface Context {
  readonly program: Program;
  readonly target: Target;
  readonly kernel: Kernel;
  readonly names: Names;
  /** Where buffers lie that are parameters of the function, in order of use; undefined where all addresses are constants. */
  readonly bases?: Map<string, Base>;
  /** Bounds of all axes in scope; a single value for those of unrolled loops. */
  readonly ranges: Map<string, readonly [number, number]>;
  /** The axis whose iterations are lanes, inside a vector loop. */
  lane?: string;
  /** The one lane that is being emitted, where no instruction does them all. */
  onlyLane?: number;
  readonly lets: Map<string, Value>;
  /** Emits an expression (expression.ts). */
  readonly expression: (e: Expr, scope: Scope, context: Context) => Value;
  readonly locals: Map<string, Register>;
  /** Sums that wait to be written side by side: by lookups (lookup.ts), or two outputs a lane (shared.ts). */
  readonly sums: PendingSum[];
  /** Sums by counted bits that wait for the other words (popcount.ts). */
  readonly counts: PendingCount[];
  /** Lines before and after the loops that are reductions with two outputs a lane. */
  readonly shared: Map<Stmt, { readonly before: readonly string[]; readonly after: readonly string[] }>;
  /** Vectors that are computed and not yet stored (pending.ts). */
  pending?: PendingStores;
  /** Whole vectors of 32 bits a lane that are stored once their neighbours are computed; undefined where nothing gains by it (store.ts). */
  readonly held?: { readonly buffer: string; readonly scope: Scope; readonly line: string }[];
  /** Bits that are computed and not yet stored (bits.ts). */
  pendingBits?: PendingBits;
}

/** A variable that holds an element of a local, or a vector of them. */
export interface Register {
  readonly type: string;
  readonly vector: boolean;
  /** Eight lanes of 16 bits instead of four of 32; two neighbouring names of lanes share it. */
  readonly half?: boolean;
}

/** `local` += the sums of a dot in the lanes of a vector loop, by lookups where it has a table. */
export interface PendingSum {
  readonly local: string;
  readonly at: readonly Index[];
  readonly dot: Extract<Expr, { op: 'dot' }>;
  /** Two outputs share a byte (sharedBytes.ts). */
  readonly bytes?: true;
  readonly lane: string;
  /** Bounds of the axes where it stands. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>;
}

/** `register` += the sum of a dot of bipolar words. */
export interface PendingCount {
  readonly register: string;
  /** Of a vector register; undefined of a scalar. */
  readonly lane?: number;
  readonly dot: Extract<Expr, { op: 'dot' }>;
  /** Bounds of the axes where it stands. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>;
}

/** Neighbouring bits on their way to memory. */
export interface PendingBits {
  readonly scope: Scope;
  readonly buffer: string;
  readonly pointer: string;
  /** Where the first bit lies: its byte, and its place in that. */
  readonly offset: number;
  readonly shift: number;
  /** Bits from one lane to the next; undefined where there are no lanes. */
  readonly laneStride?: number;
  /** Names: a bit (0 or 1), or a vector of lanes of all ones or zeros. */
  readonly parts: readonly string[];
}

/** Neighbouring vectors on their way to memory. */
export interface PendingStores {
  readonly scope: Scope;
  readonly buffer: string;
  /** Of one element in memory. */
  readonly bits: number;
  readonly signed: boolean;
  /** To which every value is to be clamped; undefined where it fits. */
  readonly bounds?: readonly [number, number];
  /** Names of vectors of 32-bit lanes. */
  readonly parts: readonly string[];
  /** Where they go: so many of them, one after the other, from a place on. */
  readonly runs: readonly { readonly pointer: string; readonly offset: number; readonly count: number }[];
}

/** Where a buffer starts: a parameter (or `0`), and what constants add to it for byte `at` of the buffer. */
export function baseOf(buffer: string, at: number, context: Context): { readonly base: string; readonly offset: number } {
  const { offset } = context.program.buffers[buffer];
  if (offset === undefined) fail('program/invalid', buffer, 'this buffer has no place in memory');
  if (!context.bases) return { base: '0', offset: offset + at };
  let own = context.bases.get(buffer);
  if (!own) context.bases.set(buffer, (own = { name: `base${context.bases.size}`, origin: 0, least: at }));
  own.least = Math.min(own.least, at);
  return { base: own.name, offset: at - own.origin };
}

/** A TypeScript identifier from any name. */
export function identifier(name: string): string {
  const text = name.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[A-Za-z_]/.test(text) ? text : `_${text}`;
}

/** Words of the language, its types and built-in functions: names that a function of the module cannot take. */
const words = new Set(
  `abstract any as asserts async await bool boolean break case catch class const constructor continue debugger declare default delete do
  else enum export extends false finally for from function get if implements import in infer instanceof interface is isize keyof let
  module namespace never new null number object of override package private protected public readonly return set static string super
  switch symbol this throw true try type typeof undefined unique unknown usize var void while with yield
  i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 v128 i8x16 i16x8 i32x4 i64x2 f32x4 f64x2 auto anyref externref funcref
  abs add ceil changetype clz copysign ctz div eq floor idof inline instantiate isNaN isFinite load lazy max memory min mul ne nameof nearest
  offsetof operator popcnt reinterpret rem rotl rotr select sizeof alignof sqrt start store sub trunc unchecked unmanaged unreachable
  atomic bswap call_indirect lengthof heap console performance process trace abort seed
  Array ArrayBuffer BigInt Boolean Date Error Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array JSON Map Math Mathf
  NaN NativeMath NativeMathf Number Object Promise RegExp Set StaticArray String Symbol Uint16Array Uint32Array Uint8Array globalThis
  __data_end __heap_base __memory_base`.split(/\s+/),
);

/** True for an identifier that a function of the module cannot have. */
export const isWord = (name: string): boolean => words.has(name);

/** The AssemblyScript type of a scalar. */
export function scalarType(type: DataType): 'f32' | 'i32' | 'u32' | 'i64' | 'u64' {
  if (type === 'float32') return 'f32';
  const { bits, signed } = describe(type);
  if (bits < 32 || (bits === 32 && signed)) return 'i32';
  return bits === 32 ? 'u32' : signed ? 'i64' : 'u64';
}

/** A scalar as the given type. */
export function as(v: Value, type: DataType): string {
  const to = scalarType(type);
  if (v.mask) return `<${to}>(${v.text})`;
  return scalarType(v.type) === to ? v.text : `<${to}>(${v.text})`;
}

export function registerName(local: string, at: readonly number[]): string {
  return [identifier(local), ...at].join('_');
}

/**
 * The register of a local's element; `laneAt` where one lane of a vector register is meant, `high` where the lanes are the
 * upper four of eight. Lanes beyond four have registers of their own, numbered by fours (by eights where they are halves).
 */
export function localRegister(local: string, at: readonly Index[], context: Context): { name: string; laneAt?: number; high?: boolean } {
  const fixed = at.map((i) => simplify(i, context.ranges));
  const last = fixed[fixed.length - 1];
  const inLanes = last && context.lane !== undefined && last.terms.length === 1 && last.terms[0].of === context.lane;
  const all = (inLanes ? fixed.slice(0, -1) : fixed).map((i) => constantOf(i, context));
  // The last index of a vector local is a lane, also where as many registers are numbered.
  const own = registerName(local, all);
  if (!inLanes && context.locals.get(own)?.vector === false) return { name: own };
  const first = inLanes ? last.offset + context.ranges.get(context.lane!)![0] : all.pop()!;
  const whole = registerName(local, all);
  if (context.locals.has(whole)) return { name: whole, ...(inLanes ? {} : { laneAt: first }) };
  const eight = context.locals.get(registerName(local, [...all, 0]))!.half;
  const name = registerName(local, [...all, Math.floor(first / (eight ? 8 : 4))]);
  return { name, ...(inLanes ? { high: first % 8 >= 4 } : { laneAt: first % (eight ? 8 : 4) }) };
}

function constantOf(i: Index, context: Context): number {
  if (i.terms.length > 0) fail('program/invalid', context.kernel.name, 'registers are addressed by a loop that is not unrolled');
  return i.offset;
}

/** `true`, `false`, or the text of the conditions that the ranges leave open. */
export function conditionText(guard: readonly Condition[], scope: Scope, context: Context): string {
  const parts: string[] = [];
  for (const c of guard) {
    const index = simplify(c.index, context.ranges);
    const [lo, hi] = interval(index, context.ranges);
    if (lo >= c.hi || hi < c.lo) return 'false';
    const text = (): string => indexText(scope.loop, index, context.ranges);
    if (lo < c.lo && hi >= c.hi) parts.push(`<u32>(${text()} - ${c.lo}) < ${c.hi - c.lo}`);
    else if (lo < c.lo) parts.push(`${text()} >= ${c.lo}`);
    else if (hi >= c.hi) parts.push(`${text()} < ${c.hi}`);
  }
  return parts.length === 0 ? 'true' : parts.join(' && ');
}

// ---- Shared values and splats ----

/** A vector of these scalars, lane by lane. */
export function fromLanes(kind: 'f32x4' | 'i32x4', lanes: readonly string[]): string {
  return lanes.slice(1).reduce((text, lane, i) => `${kind}.replace_lane(${text}, ${i + 1}, ${lane})`, `${kind}.splat(${lanes[0]})`);
}

/** A value that is computed once in a scope. */
export function share(key: string, buffer: string | undefined, type: string, text: string, scope: Scope, context: Context): string {
  const old = scope.values.get(key);
  if (old) return old.text;
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: ${type} = ${text};`);
  scope.values.set(key, { text: name, buffer });
  return name;
}

function splat(v: Value, scope: Scope, context: Context): string {
  if (/^-?[\d.e+-]+$/.test(v.text) && v.type !== 'float32') return `i32x4.splat(${v.text})`;
  const text = `${v.type === 'float32' ? 'f32x4' : 'i32x4'}.splat(${v.text})`;
  // Registers change; only values that are bound once can be shared.
  return /^\w+$/.test(v.text) && !context.locals.has(v.text) ? share(`splat ${v.text} ${v.type === 'float32'}`, undefined, 'v128', text, scope, context) : text;
}

export function toVector(v: Value, scope: Scope, context: Context): string {
  if (v.shape === 'vector') return v.mask ? `v128.and(${v.text}, i32x4.splat(1))` : v.text;
  return splat(v.mask ? { ...v, text: `<i32>(${v.text})` } : v, scope, context);
}
