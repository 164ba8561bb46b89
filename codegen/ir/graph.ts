/**
 * Graph: what is computed. SSA values (tensors) and operators over them, as plain data.
 *
 * Not here: loops, bytes, layouts (see program.ts). Graphs are immutable: a pass returns a new one.
 */
import type { DataType } from './datatype.js';

/** A dimension: fixed, or a name (only the batch may stay a name, and only until it is fixed). */
export type Dim = number | string;
export type Shape = readonly number[];

export interface Value {
  readonly name: string;
  /** Row-major logical shape. Undefined until `infer` has run. */
  readonly shape?: readonly Dim[];
  /**
   * How elements are carried. QONNX graphs carry everything in float32; after `streamline`, integer values are carried as
   * integers. Undefined until `infer` has run.
   */
  readonly dtype?: DataType;
  /** QONNX's quantization annotation: to what the values are restricted, whatever carries them. */
  readonly annotation?: DataType;
  /** For integers: least and greatest value, where proved narrower than the type. */
  readonly range?: readonly [number, number];
  /** Of an input that is no data, but says how to run. */
  readonly control?: Control;
}

/** An input that runtimes know, and fill in where it is not given. */
export interface Control {
  /**
   * samples: how many samples are drawn. seed: of the random numbers. batchOffset: the place of a call's first inference among
   * all that are run, so that random numbers do not depend on how these are cut into calls.
   */
  readonly meaning: 'samples' | 'seed' | 'batchOffset';
  readonly default: readonly number[];
}

export type ConstantData = Float32Array | Int32Array | Uint32Array;

/** A constant tensor, row-major. float32 in Float32Array, uint32 in Uint32Array, all other integers in Int32Array. */
export interface Constant {
  readonly shape: Shape;
  readonly dtype: DataType;
  readonly data: ConstantData;
}

export type Attribute = number | string | readonly number[] | readonly string[] | Constant;

export interface Node {
  /** Unique in the graph; used in diagnostics and as kernel names. */
  readonly name: string;
  /** A name in `ops/index.ts`; never a domain (importers map domains to names). */
  readonly op: string;
  /** Value names; '' where an optional input is absent. */
  readonly inputs: readonly string[];
  /** Value names; '' where an optional output is not wanted. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * A constant that is a random variable: normal, each element apart from all others. Its mean is the constant itself.
 */
export interface Posterior {
  /** Standard deviation of each element: float32, of the constant's shape, finite, not negative. */
  readonly deviation: Constant;
  /** Where it is quantized; the constant and `deviation` are then what the codes stand for. */
  readonly quantized?: QuantizedPosterior;
}

/** A posterior in codes (passes/twins/quantizePosterior.ts). Scales have one element, or one for each coordinate along `axis`. */
export interface QuantizedPosterior {
  readonly axis: number;
  /** Mean and standard deviation as they are stored; absent where both stay float32. */
  readonly codes?: {
    /** intN: a code c is c * meanScale. */
    readonly mean: Constant;
    readonly meanScale: Constant;
    /** uintN: a code k is deviationScale * 2^(k - greatest), and with `hasZero` code 0 is 0. */
    readonly deviation: Constant;
    readonly deviationScale: Constant;
    readonly greatest: number;
    readonly hasZero: boolean;
  };
  /** Drawn weights become the nearest multiple of `step`, at most `greatest` steps from 0; absent where they stay as drawn. */
  readonly rounding?: { readonly step: Constant; readonly greatest: number };
}

/**
 * Nodes that depend on the index run once an iteration, the others once: before, or behind, where they depend on an operator
 * that carries values (OperatorRecord.carries). Results of an iteration reach the outside through such operators alone.
 */
export interface Loop {
  /** The output of the node LoopIndex: 0, 1, ... as an int32 scalar. */
  readonly index: string;
  /** The int32 input of one element that says how often, 1 to `max`. */
  readonly count: string;
  readonly max: number;
}

export interface Graph {
  readonly name: string;
  /** In the order of the interface; not including constants. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Every value by name: inputs, constants, results. */
  readonly values: Readonly<Record<string, Value>>;
  readonly constants: Readonly<Record<string, Constant>>;
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** Which constants are random, by name. Only the twin passes know of them: after `mean`, `sample` or `moments` there are none. */
  readonly posteriors?: Readonly<Record<string, Posterior>>;
  /** Part of the graph runs several times. */
  readonly loop?: Loop;
  /** Batch of which shapes were inferred, where the batch is known (see passes/infer.ts). */
  readonly batch?: number;
}

/** The number of elements of a fixed shape. */
export function elementCount(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

export function isConstantAttribute(a: Attribute | undefined): a is Constant {
  return typeof a === 'object' && a !== null && !Array.isArray(a) && 'data' in a;
}

/** A shape as users read it: `[1, 3, 32, 32]`, `scalar`. */
export function formatShape(shape: readonly Dim[]): string {
  return shape.length === 0 ? 'scalar' : `[${shape.join(', ')}]`;
}

/** Makes the typed array that holds a constant of this type. */
export function constantData(dtype: DataType, values: ArrayLike<number> | number): ConstantData {
  const C = dtype === 'float32' ? Float32Array : dtype === 'uint32' ? Uint32Array : Int32Array;
  return typeof values === 'number' ? new C(values) : C.from(values as ArrayLike<number>);
}

export function makeConstant(dtype: DataType, shape: Shape, values: ArrayLike<number>): Constant {
  return { dtype, shape, data: constantData(dtype, values) };
}
