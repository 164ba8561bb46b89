/**
 * What the arithmetic operators share: which element types meet, integer ranges, kernel names, partial sums.
 * Not here: broadcasting (elementwise.ts), reductions (reduction.ts), windows (window.ts).
 */
import { float, int } from '../ir/build.js';
import { describe, isInteger, plainInteger, smallestInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, type Constant } from '../ir/graph.js';
import type { Axis, Expr, Kernel } from '../ir/program.js';
import type { Inferred, NodeContext, OperatorRecord, SampleInput, ValueInfo } from './record.js';

export type Range = readonly [number, number];

/** A kernel's name: the node's, made an identifier, and a suffix where a node has several kernels. */
export function kernelName(context: NodeContext, suffix = ''): string {
  const name = context.node.name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
  return suffix === '' ? name : `${name}_${suffix}`;
}

/** A kernel with the defaults that most have: no reduction, no partial sums, nothing bound. */
export function makeKernel(fields: Pick<Kernel, 'name' | 'op' | 'space' | 'stores'> & Partial<Kernel>): Kernel {
  return { kind: 'kernel', reduce: [], partials: 1, accumulators: [], body: [], epilogue: [], ...fields };
}

/**
 * Interleaved partial sums: 4 where fewer than 4 outputs would leave lanes idle and the innermost reduction divides by
 * them, else 1. From the shape alone, so that no target changes a bit; and without its batch axis, so that an inference has
 * the same bits alone and in a batch. Sums of integers are exact in any order: there all outputs count.
 */
export function partialSums(space: readonly Axis[], reduce: readonly Axis[], type: DataType, batch?: string): number {
  const outputs = space.reduce((count, a) => (type === 'float32' && a.name === batch ? count : count * a.extent), 1);
  const inner = reduce.length === 0 ? 0 : reduce[reduce.length - 1].extent;
  return outputs < 4 && inner >= 16 && inner % 4 === 0 ? 4 : 1;
}

// ---- Element types --------------------------------------------------------------------------------------------------

/**
 * 'float' where the given inputs are all float32, 'integer' where they are all integers.
 * @throws graph/data-type where they are mixed, of another type, or integers where `integers` says no.
 */
export function operandKind(context: NodeContext, which: readonly number[], integers = true): 'float' | 'integer' {
  const { node } = context;
  const present = which.map((i) => context.inputs[i]).filter((info): info is ValueInfo => info !== undefined);
  for (const info of present) {
    if (info.dtype === 'float32' || (integers && isInteger(info.dtype))) continue;
    fail(
      'graph/data-type', node.name,
      `${node.op} takes ${integers ? 'float32 or integers' : 'float32'}, and ${info.name} is ${info.dtype}`,
      'Put a Dequantize in front of it, or give it a tensor of a type that it takes.',
    );
  }
  const first = present[0];
  const other = present.find((info) => (info.dtype === 'float32') !== (first.dtype === 'float32'));
  if (other) {
    fail(
      'graph/data-type', node.name,
      `${node.op} takes operands of one kind, and ${first.name} is ${first.dtype} while ${other.name} is ${other.dtype}`,
      'There is no implicit conversion: put a Quantize or a Dequantize in front of one of them.',
    );
  }
  return first.dtype === 'float32' ? 'float' : 'integer';
}

/** The type in which a kernel sees a tensor's elements. */
export function elementType(info: { readonly dtype: DataType }): DataType {
  return plainInteger(info.dtype);
}

/** +0 of a type. */
export function zero(type: DataType): Expr {
  return type === 'float32' ? float(0) : int(0, type);
}

// ---- Integer ranges -------------------------------------------------------------------------------------------------

/** Least and greatest element: of the constant, of the proved range, or of the type. */
export function rangeOf(info: ValueInfo): Range {
  if (info.constant && info.constant.data.length > 0) {
    let [lo, hi] = [Infinity, -Infinity];
    for (const v of info.constant.data) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
    return [lo, hi];
  }
  if (info.range) return info.range;
  const { min, max } = describe(info.dtype);
  return [min, max];
}

export function productRange(a: Range, b: Range): Range {
  // + 0 turns -0 into 0: a range is printed and compared
  const corners = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]].map((v) => v + 0);
  return [Math.min(...corners), Math.max(...corners)];
}

export function floatOutput(shape: readonly number[]): Inferred {
  return { shape, dtype: 'float32' };
}

/** The output of an operator that takes floats or integers: float32, or what its record's range of integers asks for. */
export function arithmeticOutput(context: NodeContext, operands: readonly number[], shape: readonly number[], { integer }: OperatorRecord): Inferred[] {
  return [operandKind(context, operands) === 'float' ? floatOutput(shape) : integerOutput(context, shape, integer!.range(context))];
}

/** The output of an integer operator: the narrowest type that holds its exact range. */
export function integerOutput(context: NodeContext, shape: readonly number[], range: Range): Inferred {
  const dtype = smallestInteger(range[0], range[1]);
  if (describe(dtype).bits > 32) {
    fail(
      'graph/data-type', context.node.name,
      `the exact result of ${context.node.op} lies in [${range[0]}, ${range[1]}], and a stored integer has at most 32 bits`,
      'Requantize its operands to fewer bits.',
    );
  }
  return { shape, dtype, range };
}

/** Sums of the positive and of the negative weights of one output. */
export interface WeightSums {
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

/** `index(o, k)` is the position in `data` of the weight of output o at reduction point k. */
export function weightSums(data: ArrayLike<number>, outputs: number, length: number, index: (o: number, k: number) => number): WeightSums {
  const positive = new Float64Array(outputs);
  const negative = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    for (let k = 0; k < length; k++) {
      const w = data[index(o, k)];
      if (w > 0) positive[o] += w;
      else negative[o] += w;
    }
  }
  return { positive, negative };
}

/**
 * Range of every partial sum of x * w, in any order: what an accumulator must hold. Zero is in it, since sums start at 0
 * and padding adds 0. With known weights it is the widest output's, else length times the product's.
 */
export function accumulatorRange(x: Range, w: Range, length: number, sums?: WeightSums): Range {
  const lo = Math.min(x[0], 0);
  const hi = Math.max(x[1], 0);
  if (!sums) {
    const p = productRange([lo, hi], w);
    return [length * Math.min(p[0], 0) + 0, length * Math.max(p[1], 0)];
  }
  let [least, greatest] = [0, 0];
  for (let o = 0; o < sums.positive.length; o++) {
    least = Math.min(least, sums.positive[o] * lo + sums.negative[o] * hi);
    greatest = Math.max(greatest, sums.positive[o] * hi + sums.negative[o] * lo);
  }
  return [least + 0, greatest + 0];
}

export function sumRange(a: Range, b: Range): Range {
  return [a[0] + b[0], a[1] + b[1]];
}

// ---- Small things ---------------------------------------------------------------------------------------------------

/** `axis` counted from the end where negative; raises graph/attribute-type outside the rank. */
export function normalizeAxis(context: NodeContext, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    fail(
      'graph/attribute-type', context.node.name,
      `axis ${axis} is outside [${-rank}, ${rank - 1}], the dimensions of a tensor of rank ${rank}`,
      'Give an axis of its input.',
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** An int32 vector as a constant: axes, shapes, permutations. */
export function intVector(values: readonly number[]): Constant {
  return { shape: [values.length], dtype: 'int32', data: Int32Array.from(values) };
}

/** A float32 constant of one value repeated. */
export function filled(shape: readonly number[], value: number): Constant {
  return { shape, dtype: 'float32', data: new Float32Array(elementCount(shape)).fill(value) };
}

/** Row-major strides, in elements. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    result[d] = stride;
    stride *= shape[d];
  }
  return result;
}

/** An input of a sample. */
export function given(shape: readonly number[], more: Omit<SampleInput, 'shape'> = {}): SampleInput {
  return { shape, ...more };
}

/** A constant input of a sample (weights). */
export function weight(shape: readonly number[], more: Omit<SampleInput, 'shape'> = {}): SampleInput {
  return { shape, constant: true, ...more };
}
