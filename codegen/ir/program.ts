/**
 * Program: how it is computed. Tensors over buffers, and kernels over tensors, as plain data.
 *
 * A kernel is first declarative (space, reduction, accumulators, epilogue), then also scheduled (a statement tree). Both
 * have one meaning, which `interpret.ts` defines; the verifier's invariants are in `verify.ts`. Indices are always
 * logical coordinates: layouts alone turn them into addresses, so packing, views, channels-last and halos are layouts.
 */
import type { DataType } from './datatype.js';

/** float32, intN or uintN (N up to 64 for values; up to 32 for stored elements). */
export type ElementType = DataType;

// ---- Indices -------------------------------------------------------------------------------------------------------

/** offset + sum of coeff * factor. Integer arithmetic; `div` floors, `rem` is never negative. */
export interface Index {
  readonly offset: number;
  readonly terms: readonly Term[];
}
export interface Term {
  readonly coeff: number;
  readonly of: Factor;
}
/** An axis by name; a quotient or remainder by a positive constant; a data-dependent value clamped to [lo, hi]. */
export type Factor =
  | string
  | { readonly div: Index; readonly by: number }
  | { readonly rem: Index; readonly by: number }
  | { readonly value: Expr; readonly lo: number; readonly hi: number };

/** Holds where lo <= index < hi. A list of conditions holds where all do. */
export interface Condition {
  readonly index: Index;
  readonly lo: number;
  readonly hi: number;
}

// ---- Expressions: a closed language --------------------------------------------------------------------------------

/**
 * float32 operations round once, to nearest even; integer operations are exact, and the result must fit `type` (proved,
 * never wrapped), except for the logic and shifts, which act on two's complement of the width of `type`. Comparisons give uint1.
 * min and max have WebAssembly's meaning (NaN propagates, -0 < +0).
 */
export type Expr =
  | { readonly op: 'float'; readonly bits: string } // 8 hex digits of the binary32
  | { readonly op: 'int'; readonly type: ElementType; readonly value: number }
  | { readonly op: 'load'; readonly tensor: string; readonly at: readonly Index[]; readonly guard?: readonly Condition[]; readonly otherwise?: Expr }
  | { readonly op: 'index'; readonly type: ElementType; readonly index: Index } // an index as an integer value
  | { readonly op: 'ref'; readonly name: string } // a let or, in a declarative kernel, an accumulator
  | { readonly op: 'local'; readonly name: string; readonly at: readonly Index[] } // an element of a register buffer (scheduled form only)
  | { readonly op: Binary; readonly type: ElementType; readonly a: Expr; readonly b: Expr }
  | { readonly op: Unary; readonly type: ElementType; readonly a: Expr }
  | { readonly op: Compare; readonly a: Expr; readonly b: Expr }
  | { readonly op: 'select'; readonly type: ElementType; readonly cond: Expr; readonly a: Expr; readonly b: Expr }
  | { readonly op: 'convert'; readonly type: ElementType; readonly saturate: boolean; readonly a: Expr }
  | { readonly op: 'bitcast'; readonly type: 'float32' | 'int32'; readonly a: Expr }
  /**
   * Sum over `axis` < extent of a * b: integers only; a group of products that an intrinsic may do at once. `bytes`: a is
   * proved to lie in -128 .. 127 and b in 0 .. 127, where 8-bit dot products agree on every machine. `table`: a constant in
   * which such sums of a few products are looked up by the codes of a and b (lookup.ts).
   */
  | { readonly op: 'dot'; readonly type: ElementType; readonly axis: string; readonly extent: number; readonly bytes?: true; readonly table?: string; readonly a: Expr; readonly b: Expr };

export type Binary = 'add' | 'sub' | 'mul' | 'mulLow' | 'mulHigh' | 'div' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr';
export type Unary = 'neg' | 'abs' | 'sqrt' | 'floor' | 'nearest' | 'popcount';
export type Compare = 'lt' | 'le' | 'eq' | 'ne' | 'ge' | 'gt';
/*
 * div: float32 only. mulLow, mulHigh: the low and the high 32 bits of the exact product of two uint32, as uint32. nearest: half to even. shr: arithmetic for signed types. convert: float32 to integer truncates
 * towards zero, saturates, and takes NaN to 0 (saturate must be true); integer to float32 rounds to nearest even; integer
 * to integer clamps where saturate is set, else must be proved to fit. bitcast to float32 must not make a NaN.
 */

export interface Let {
  readonly name: string;
  readonly type: ElementType;
  readonly value: Expr;
}

// ---- Tensors and buffers -------------------------------------------------------------------------------------------

export type Role = 'input' | 'output' | 'constant' | 'temporary' | 'state';

/** Bytes. Tensors of one buffer are views of the same bytes. */
export interface Buffer {
  readonly name: string;
  readonly role: Role;
  readonly bytes: number;
  /** Byte offset in the module's memory, once planned. */
  readonly offset?: number;
  /** For constants: the content hash of the bytes (see ProgramData). */
  readonly hash?: string;
}

/** The address in bits adds stride * ((i div divisor) rem modulus); modulus 0 means no remainder. */
export interface Digit {
  readonly stride: number;
  readonly divisor: number;
  readonly modulus: number;
}

export interface Layout {
  /** In bits. */
  readonly offset: number;
  /** For each logical dimension, its digits. No digits: the dimension is broadcast or has extent 1. */
  readonly dims: readonly (readonly Digit[])[];
  /** Bits of one element as it is stored, sign- or zero-extended. Below 8: fields of a container. */
  readonly elementBits: number;
  /** Bits of the unit that is loaded to get at a field: 8, 16 or 32; equals elementBits for whole elements. */
  readonly containerBits: number;
  /** Fields hold unsigned codes: c stands for base + step * c. So two values of any distance take one bit. */
  readonly code?: { readonly base: number; readonly step: number };
  /**
   * Coordinates that may be read outside [0, extent) along a dimension, as [before, after]. Halo elements hold `haloValue`;
   * padding (`pad` below) holds anything.
   */
  readonly halo?: readonly (readonly [number, number])[];
  readonly haloValue?: number;
  /** How many elements past the extent exist along a dimension and may be read and written as junk lanes. */
  readonly pad?: readonly number[];
}

export interface Tensor {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly buffer: string;
  readonly layout: Layout;
  /** Least and greatest value, where proved narrower than the type; of float32, finite, for constants only. */
  readonly range?: readonly [number, number];
  /** Of a constant: all values are range[0] plus a multiple of this; left out where it is 1. */
  readonly step?: number;
}

// ---- Kernels -------------------------------------------------------------------------------------------------------

export interface Axis {
  readonly name: string;
  readonly extent: number;
}

/**
 * Starts at `init`; at every reduction point all accumulators take the value of their `update` at once. With partials P
 * > 1 the update must be add, min or max of the accumulator and a term: partial p takes the points whose innermost
 * reduction index is p modulo P, each partial starts at `init`, and they combine by halves (p with p + P/2, until one is left).
 */
export interface Accumulator {
  readonly name: string;
  readonly type: ElementType;
  readonly init: Expr;
  readonly update: Expr;
}

export interface Store {
  readonly tensor: string;
  readonly at: readonly Index[];
  readonly value: Expr;
}

export interface Kernel {
  readonly kind: 'kernel';
  readonly name: string;
  /** What it is, for people and for schedule records: dense, convolution, elementwise, copy ... */
  readonly op: string;
  /** Axis names are unique in a kernel. */
  readonly space: readonly Axis[];
  /** In their order of meaning: the last varies fastest. */
  readonly reduce: readonly Axis[];
  /** P; 1 unless `lower` fixed interleaved partial sums. */
  readonly partials: number;
  readonly accumulators: readonly Accumulator[];
  /** Values of one reduction point, in order; may refer to earlier ones. */
  readonly body: readonly Let[];
  /** Values of one space point, after the reduction. */
  readonly epilogue: readonly Let[];
  readonly stores: readonly Store[];
  readonly scheduled?: Scheduled;
}

/** Runs `body` for axis = 0 .. count - 1. A count that an input gives is clamped to 0 .. max. */
export interface Repeat {
  readonly kind: 'repeat';
  readonly axis: string;
  readonly count: number | { readonly input: string; readonly max: number };
  /** What goes from one iteration to the next. */
  readonly carried?: readonly Carried[];
  readonly body: readonly Block[];
}

/**
 * Two tensors of the same type, shape and layout that alone fill one buffer. `before` is written ahead of the repeat; one kernel
 * of the body reads it and writes `after` in place, at the same index, and in the next iteration that is `before`. Elements
 * that are not written stay. `after` may be read once it is written, and behind the repeat, even where that ran no iteration.
 * Stores to `after` alone may have data-dependent indices.
 */
export interface Carried {
  readonly before: string;
  readonly after: string;
}

export type Block = Kernel | Repeat;

// ---- The scheduled form --------------------------------------------------------------------------------------------

export type LoopMode = 'serial' | 'unrolled' | 'vector' | 'pipeline' | 'dataflow';

export type Stmt =
  /** axis takes start, start + 1, ... start + extent - 1. All modes have the meaning of `serial`. */
  | { readonly kind: 'loop'; readonly axis: string; readonly start: number; readonly extent: number; readonly mode: LoopMode; readonly initiationInterval?: number; readonly body: readonly Stmt[] }
  | { readonly kind: 'let'; readonly name: string; readonly type: ElementType; readonly value: Expr }
  | { readonly kind: 'set'; readonly name: string; readonly at: readonly Index[]; readonly value: Expr }
  | { readonly kind: 'store'; readonly tensor: string; readonly at: readonly Index[]; readonly value: Expr; readonly guard?: readonly Condition[] }
  | { readonly kind: 'if'; readonly guard: readonly Condition[]; readonly body: readonly Stmt[] };

export type LoopStmt = Extract<Stmt, { readonly kind: 'loop' }>;

/** A buffer of registers, written by `set`, read by `local`. */
export interface Local {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Least and greatest value of what is set, where narrower than the type. */
  readonly range?: readonly [number, number];
}

/** Circuits that operations share: of float32 arithmetic, of which `add` also subtracts, and whole products of two uint32. */
export const coreNames = ['add', 'mul', 'div', 'sqrt', 'product'] as const;
export type Core = (typeof coreNames)[number];

export interface Scheduled {
  /** The steps that led here, as they print. */
  readonly steps: readonly string[];
  readonly locals: readonly Local[];
  /** Of a local or a tensor in a circuit: so many neighbours are read or written at once, from as many banks. */
  readonly banks?: Readonly<Record<string, number>>;
  /** Of a constant in a circuit: the memory that holds it. */
  readonly memories?: Readonly<Record<string, 'lutram' | 'bram'>>;
  /** Of a circuit whose operations share cores: how many of each kind there are. */
  readonly cores?: Readonly<Partial<Record<Core, number>>>;
  readonly body: readonly Stmt[];
}

// ---- Circuits ------------------------------------------------------------------------------------------------------

/**
 * The blocks of a Program as processes of a circuit, which all run at once and are joined by streams. The meaning stays that
 * of the blocks in order; verifyDataflow.ts proves that the streams keep it.
 */
export interface Dataflow {
  /** In order; together they have all blocks. */
  readonly processes: readonly Process[];
  readonly streams: readonly Stream[];
  /** Tensors of the interface that words of a bus carry; an element at a time goes to and from the others. */
  readonly memory?: readonly MemoryPort[];
}

/**
 * A tensor of the interface in memory outside of the circuit, as words of a bus: `bits` of the tensor's bytes as they lie there, the
 * lowest first. One kernel moves its elements in their order, `lanes` at once and no more than a word has; the last word may
 * have bytes behind the tensor's end.
 */
export interface MemoryPort {
  readonly tensor: string;
  readonly bits: number;
  readonly lanes: number;
}

/** So many blocks, behind those of the process before. */
export interface Process {
  readonly name: string;
  readonly blocks: number;
}

/**
 * A first-in, first-out queue from the process that writes a tensor to one that reads it: every element once, in one order, as
 * words of `lanes` elements. What unrolled loops move at once is a whole number of words.
 */
export interface Stream {
  readonly tensor: string;
  /** The process that reads. */
  readonly to: string;
  readonly lanes: number;
  /** Words that the queue holds. */
  readonly depth: number;
}

// ---- The whole -----------------------------------------------------------------------------------------------------

export interface Program {
  readonly name: string;
  /** The target that it was scheduled for; undefined before. */
  readonly target?: string;
  readonly buffers: Readonly<Record<string, Buffer>>;
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Interface order; names of tensors. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly blocks: readonly Block[];
  /** Steps on the whole Program that led here, as they print (fuse, stage, halo, view); those of kernels are with them. */
  readonly steps?: readonly string[];
  /** Where it is scheduled for a circuit. */
  readonly dataflow?: Dataflow;
  /** Bytes of the whole arena once planned (constants, interface, temporaries, slack). */
  readonly arenaBytes?: number;
}

/** Constant bytes by content hash; kept beside a Program so that the Program stays small, printable data. */
export type ProgramData = ReadonlyMap<string, Uint8Array>;

/** A Program with its constants. */
export interface ProgramUnit {
  readonly program: Program;
  readonly data: ProgramData;
}
