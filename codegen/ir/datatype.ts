/**
 * Data types: what values a tensor may hold. Not how they are stored (that is a layout).
 *
 * Spelled as short texts, so that they print, compare and hash as they are: `float32`, `int4`, `uint8`, `bipolar`
 * ({-1, +1}), `ternary` ({-1, 0, +1}), `fixed<8,3>` (8 bits, 3 of them integer, signed), `scaledint<4>` (an integer times
 * an unknown scale). The names follow QONNX (its INT4 is our int4).
 */

export type DataType =
  | 'float32'
  | 'bipolar'
  | 'ternary'
  | `int${number}`
  | `uint${number}`
  | `fixed<${number},${number}>`
  | `scaledint<${number}>`;

export interface DataTypeInfo {
  readonly bits: number;
  readonly signed: boolean;
  /** Least and greatest value; infinite for float32 and scaledint. */
  readonly min: number;
  readonly max: number;
  /** True where every value is an integer. */
  readonly integer: boolean;
  /** Distance of neighbouring values; 0 for float32 and scaledint. */
  readonly step: number;
}

const cache = new Map<string, DataTypeInfo | undefined>();

/** The facts of a data type, or undefined where the text is not one. */
export function parseDataType(text: string): DataTypeInfo | undefined {
  if (!cache.has(text)) cache.set(text, read(text));
  return cache.get(text);
}

/** The facts of a data type. */
export function describe(dtype: DataType): DataTypeInfo {
  const info = parseDataType(dtype);
  if (!info) throw new TypeError(`not a data type: ${dtype}`);
  return info;
}

function read(text: string): DataTypeInfo | undefined {
  if (text === 'float32') return { bits: 32, signed: true, min: -Infinity, max: Infinity, integer: false, step: 0 };
  if (text === 'bipolar') return { bits: 1, signed: true, min: -1, max: 1, integer: true, step: 2 };
  if (text === 'ternary') return { bits: 2, signed: true, min: -1, max: 1, integer: true, step: 1 };
  let m = /^(u?)int([1-9]\d?)$/.exec(text);
  if (m) {
    const bits = Number(m[2]);
    if (bits > 64) return undefined;
    const signed = m[1] === '';
    return {
      bits,
      signed,
      min: signed ? -(2 ** (bits - 1)) : 0,
      max: signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1,
      integer: true,
      step: 1,
    };
  }
  m = /^fixed<(\d+),(-?\d+)>$/.exec(text);
  if (m) {
    const bits = Number(m[1]);
    if (bits < 1 || bits > 32) return undefined;
    const step = 2 ** -(bits - Number(m[2]));
    return {
      bits,
      signed: true,
      min: -(2 ** (bits - 1)) * step,
      max: (2 ** (bits - 1) - 1) * step,
      integer: step >= 1,
      step,
    };
  }
  m = /^scaledint<(\d+)>$/.exec(text);
  if (m && Number(m[1]) >= 1 && Number(m[1]) <= 32) {
    return { bits: Number(m[1]), signed: true, min: -Infinity, max: Infinity, integer: false, step: 0 };
  }
  return undefined;
}

/** The narrowest `intN` or `uintN` that holds every integer of [min, max]. */
export function smallestInteger(min: number, max: number): DataType {
  if (min >= 0) {
    let bits = 1;
    while (2 ** bits - 1 < max) bits++;
    return `uint${bits}`;
  }
  let bits = 1;
  while (-(2 ** (bits - 1)) > min || 2 ** (bits - 1) - 1 < max) bits++;
  return `int${bits}`;
}

/** True for `intN`, `uintN`, bipolar and ternary: values that integer kernels take as they are. */
export function isInteger(dtype: DataType): boolean {
  return describe(dtype).integer && !dtype.startsWith('fixed');
}

/** bipolar and ternary as the plain integer type that holds them; others as they are. */
export function plainInteger(dtype: DataType): DataType {
  return dtype === 'bipolar' || dtype === 'ternary' ? 'int2' : dtype;
}
