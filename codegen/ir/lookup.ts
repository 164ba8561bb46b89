/**
 * Tables of sums of products, by the codes of both operands: what `dot` with a table may look up instead of multiplying.
 *
 * The second operand lies as fields of a byte, several members of a group one after the other, so that half a byte is the
 * code of a few of them: a column. The low bits of the same members of the first operand make the row. After T-MAC (Wei et
 * al., arXiv:2407.00088), with activations as narrow as the weights, so that the tables are constants.
 */
import { describe } from './datatype.js';
import type { Expr, Program, Tensor } from './program.js';

/** Columns of a table: the codes that half a byte has. */
export const columns = 16;

export interface Lookup {
  /** Members of the group in one lookup. */
  readonly members: number;
  /** Bits of one member of the first operand, in two's complement where its type is signed. */
  readonly dataBits: number;
  /** Bits of one member of the second operand: a field. */
  readonly fieldBits: number;
  readonly rows: number;
}

/** Bits in which all values of an integer tensor lie. */
export function valueBits(tensor: Tensor): number {
  const { bits, signed } = describe(tensor.dtype);
  if (!tensor.range) return bits;
  const [lo, hi] = tensor.range;
  for (let b = 1; b < bits; b++) {
    if (signed ? lo >= -(2 ** (b - 1)) && hi <= 2 ** (b - 1) - 1 : hi <= 2 ** b - 1) return b;
  }
  return bits;
}

/** The lookup that a tensor of data and one of fields allow; undefined where its table would have more than 256 rows. */
export function lookupOf(data: Tensor, fieldBits: number): Lookup | undefined {
  if (data.dtype === 'float32' || ![1, 2, 4].includes(fieldBits)) return undefined;
  const members = 4 / fieldBits;
  const halo = data.layout.haloValue ?? 0;
  const [lo, hi] = data.range ?? [describe(data.dtype).min, describe(data.dtype).max];
  const dataBits = valueBits({ ...data, range: [Math.min(lo, halo), Math.max(hi, halo)] });
  return members * dataBits <= 8 ? { members, dataBits, fieldBits, rows: 2 ** (members * dataBits) } : undefined;
}

/** The tensors whose elements a dot multiplies, where both are plain loads. */
export function dotOperands(e: Extract<Expr, { op: 'dot' }>, program: Program): { data: Tensor; weight: Tensor } | undefined {
  if (e.a.op !== 'load' || e.b.op !== 'load' || e.a.guard || e.b.guard) return undefined;
  return { data: program.tensors[e.a.tensor], weight: program.tensors[e.b.tensor] };
}

/** The table's entries, row by row: each the sum of the products of the members that row and column stand for. */
export function lookupTable(data: Tensor, weight: Tensor): Int8Array | undefined {
  const form = lookupOf(data, weight.layout.elementBits);
  if (!form) return undefined;
  const { members, dataBits, fieldBits, rows } = form;
  const code = weight.layout.code;
  const table = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let total = 0;
      for (let i = 0; i < members; i++) {
        const x = member(row, i, dataBits, describe(data.dtype).signed);
        const field = member(column, i, fieldBits, !code && describe(weight.dtype).signed);
        total += x * (code ? code.base + code.step * field : field);
      }
      // Codes that do not occur may have sums of more bits.
      table[row * columns + column] = Math.min(Math.max(total, -128), 127);
    }
  }
  return table;
}

function member(code: number, i: number, bits: number, signed: boolean): number {
  const raised = ((code >>> (i * bits)) << (32 - bits)) | 0;
  return signed ? raised >> (32 - bits) : raised >>> (32 - bits);
}
