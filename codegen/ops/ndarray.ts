/**
 * Between constants and the float64 arrays of the reference.
 */
import type { DataType } from '../ir/datatype.js';
import { makeConstant, type Constant } from '../ir/graph.js';
import type { NdArray } from './record.js';

/** A constant as the reference takes it. */
export function toNdArray(constant: Constant): NdArray {
  return { shape: constant.shape, data: Float64Array.from(constant.data) };
}

/** A result of the reference as a constant: float32 rounds, integers are as they are. */
export function toConstant(array: NdArray, dtype: DataType): Constant {
  return makeConstant(dtype, array.shape, array.data);
}
