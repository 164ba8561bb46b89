/**
 * The operator record: all that the compiler knows of one operator, in one file of this folder.
 *
 * A new operator is one file that exports one record, and one line in `index.ts`. What can be an `expand` into other
 * operators is one; the other fields then follow from it.
 */
import type { DataType } from '../ir/datatype.js';
import type { Attribute, Constant, Node, Value } from '../ir/graph.js';
import type { Kernel } from '../ir/program.js';

// ---- What every function of a record gets ----

/** An input or output of a node, with all that is known of it. */
export interface ValueInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DataType;
  readonly annotation?: DataType;
  /** Least and greatest value of an integer tensor; equals the type's where nothing narrower is proved. */
  readonly range?: readonly [number, number];
  /** Where it is known at compile time. */
  readonly constant?: Constant;
}

export interface NodeContext {
  readonly node: Node;
  /** Undefined where an optional input is absent. */
  readonly inputs: readonly (ValueInfo | undefined)[];
  /** An input that must be there (arity is checked before any function of a record runs). */
  input(i: number): ValueInfo;
  /** A constant input; raises graph/not-constant where it is not known at compile time. */
  constant(i: number): Constant;
  /** Attributes with the schema's default where absent. */
  int(name: string): number;
  ints(name: string): readonly number[];
  float(name: string): number;
  floats(name: string): readonly number[];
  text(name: string): string;
  tensor(name: string): Constant;
  /** True where the node gives the attribute itself. */
  has(name: string): boolean;
}

/** What `infer` says of one output. */
export interface Inferred {
  readonly shape: readonly number[];
  readonly dtype: DataType;
  readonly annotation?: DataType;
  readonly range?: readonly [number, number];
}

/** A tensor of the reference: float64, row-major. Integers are exact in it up to 2^53. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface LowerContext extends NodeContext {
  readonly outputs: readonly ValueInfo[];
  /** Adds a constant tensor that the kernel needs (a folded scale, a table) and returns its tensor name. */
  addConstant(hint: string, constant: Constant): string;
  /** Adds a temporary tensor between two kernels of this node and returns its name. */
  addTemporary(hint: string, shape: readonly number[], dtype: DataType): string;
  /** The axis of the graph's loop, inside it. */
  readonly loopAxis?: string;
  /** Of a record that carries values: the tensor that holds what the iteration before left in output i. Its kernel writes the output in place. */
  before(i: number): string;
}

/** Adds nodes to a graph; returns value names. Shapes and types are inferred as nodes are added. */
export interface FragmentBuilder {
  node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, Attribute>>): string;
  nodes(op: string, inputs: readonly string[], outputs: number, attributes?: Readonly<Record<string, Attribute>>): readonly string[];
  constant(value: Constant): string;
  /** A float32 constant of rank 0. */
  scalar(value: number): string;
  info(name: string): ValueInfo;
}

// ---- Fields ----

export interface AttributeSchema {
  readonly type: 'int' | 'ints' | 'float' | 'floats' | 'string' | 'tensor';
  readonly doc: string;
  /** Absent and not required: the function of the record says what absence means (`has`). */
  readonly default?: Attribute;
  readonly required?: boolean;
  /** For strings and ints: the values allowed. */
  readonly values?: readonly (string | number)[];
}

export interface InputSchema {
  readonly name: string;
  readonly optional?: boolean;
  /** Takes all remaining inputs (Concat). */
  readonly variadic?: boolean;
}

/** A stochastic value: a mean with a variance (never a bare flag; DESIGN invariant 9). */
export interface MomentPair {
  readonly mean: string;
  /** Undefined: deterministic. */
  readonly variance?: string;
}

/** How the elements of one input reach the output. */
export interface MomentFlow {
  /** Dimensions of the input along which several elements meet in one element of the output. */
  readonly meets: readonly number[];
  /**
   * By dimension of the output: dimensions of the input such that elements of the output that differ in the one take their own
   * elements of the input, which differ in one of the others at least. Undefined where they may share some.
   */
  readonly keeps: readonly (readonly number[] | undefined)[];
}

/** What `moments` needs to know to say where independence is assumed but does not hold. */
export interface MomentDependence {
  /** By input, given the shape of the output; undefined: each element apart, broadcast. */
  flows(context: NodeContext, to: readonly number[]): readonly (MomentFlow | undefined)[];
  /** True where elements of different inputs never meet (Concat). */
  readonly apart?: true;
  /** True where the output is input 0 under another shape. */
  readonly isView?: true;
}

/** How `moments` is asked to compute. */
export interface MomentForm {
  /**
   * Of the variance of products: 'expanded' E[x^2] var(w) + var(x) E[w]^2, whose terms are not negative, or 'raw' E[x^2] E[w^2] -
   * E[x]^2 E[w]^2, which cancels.
   */
  readonly products: 'expanded' | 'raw';
}

export type MomentLabel = 'exact' | 'matched' | 'approximate';

/** One case for the harness: it is compiled and compared on every engine. */
export interface Sample {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly inputs: readonly SampleInput[];
  readonly outputs?: number;
  readonly seed: number;
  /** Largest error of the interpreter against `reference`, relative to the largest value; 0 for integers. */
  readonly tolerance: number;
}

export interface SampleInput {
  readonly shape: readonly number[];
  readonly dtype?: DataType; // float32 unless said
  /** Known at compile time, with these values or random ones. */
  readonly constant?: boolean;
  readonly values?: readonly number[];
  /** Random values: uniform in this range (default -2 .. 2; the type's whole range for integers). */
  readonly range?: readonly [number, number];
  /** Absent optional input. */
  readonly absent?: boolean;
}

export interface OperatorRecord {
  readonly name: string;
  /** One sentence and the shapes. */
  readonly doc: string;
  readonly inputs: readonly InputSchema[];
  /** Names of outputs; the first is required. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeSchema>>;
  /** Shapes, types and ranges of the outputs; raises diagnostics. */
  infer(context: NodeContext): readonly Inferred[];
  /** Naive float64 loops, written independently of `lower`. Of a record that carries values, its old outputs follow the inputs. */
  reference(context: NodeContext, inputs: readonly (NdArray | undefined)[]): readonly NdArray[];
  /**
   * Where the operator takes integers: the exact range of its result (for reductions: the accumulator, which is made no
   * wider), and the widest operands allowed. `infer` uses it for the type of the output.
   */
  readonly integer?: {
    readonly maxBits: number;
    range(context: NodeContext): readonly [number, number];
  };
  /** The unscheduled kernels; tensors are named as the values are. Exactly one of `lower`, `expand` and neither (constants only). */
  lower?(context: LowerContext): readonly Kernel[];
  /** The same as other operators; returns the values that take the outputs' places. */
  expand?(context: NodeContext, build: FragmentBuilder): readonly string[];
  /** Cotangents of the inputs, given those of the outputs, as graph nodes; undefined where there is none. */
  gradient?(context: NodeContext, outputs: readonly Value[], cotangents: readonly string[], build: FragmentBuilder): readonly (string | undefined)[];
  /** Mean and variance of the output, given independent inputs, as graph nodes. */
  readonly moments?: {
    readonly label: MomentLabel;
    /** Where it is better for some nodes than `label` says. */
    labelOf?(context: NodeContext): MomentLabel;
    rule(context: NodeContext, inputs: readonly MomentPair[], build: FragmentBuilder, form: MomentForm): MomentPair;
    /** How the rule's assumption, independent inputs, can fail; without it the operator works on each element apart. */
    readonly dependence?: MomentDependence;
  };
  /** Its outputs go from one iteration of the graph's loop to the next, from zeros on, and are there behind the loop. */
  readonly carries?: true;
  /** Of constants it stays a node: its operands take fewer bytes than its result, which is computed where it is read. */
  readonly isCompact?: true;
  readonly samples: readonly Sample[];
}
