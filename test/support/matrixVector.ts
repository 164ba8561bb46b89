/** Programs of one matrix-vector unit of integers, and float ones, for tests of circuits with known sizes. */
import { axis, binary, load } from '../../codegen/ir/build.js';
import type { DataType } from '../../codegen/ir/datatype.js';
import { describe } from '../../codegen/ir/datatype.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { makeKernel, makeUnit } from './programs.js';
import { Random } from './random.js';

/** y[1, rows] = x[1, columns] times w[columns, rows]; `weights` and `data` are integer types, or both float32. */
export function matrixVectorUnit(rows: number, columns: number, weights: DataType, data: DataType): ProgramUnit {
  const isFloat = weights === 'float32';
  const random = new Random(3);
  const count = rows * columns;
  const { max } = describe(isFloat ? 'int8' : weights);
  const values = Array.from({ length: count }, () => random.float(-1, 1) * (isFloat ? 1 : max));
  const bytes = isFloat ? Float32Array.from(values) : max < 128 ? Int8Array.from(values) : Int16Array.from(values);
  // As wide as the greatest sum.
  const bits = isFloat ? 32 : describe(weights).bits + describe(data).bits;
  const most = Math.ceil(Math.log2(columns)) + bits;
  const sum: DataType = isFloat ? 'float32' : `int${most}`;
  const term: DataType = isFloat ? 'float32' : `int${bits}`;
  const each = binary('add', sum, { op: 'ref', name: 'acc' }, binary('mul', term, load('x', [axis('m'), axis('k')]), load('w', [axis('k'), axis('o')])));
  return makeUnit(
    { x: { dtype: data, shape: [1, columns], role: 'input' }, w: { dtype: weights, shape: [columns, rows], role: 'constant', data: bytes }, y: { dtype: sum, shape: [1, rows], role: 'output' } },
    [makeKernel({
      name: 'dense', op: 'dense', space: [{ name: 'm', extent: 1 }, { name: 'o', extent: rows }], reduce: [{ name: 'k', extent: columns }],
      accumulators: [{ name: 'acc', type: sum, init: isFloat ? { op: 'float', bits: '00000000' } : { op: 'int', type: sum, value: 0 }, update: each }],
      stores: [{ tensor: 'y', at: [axis('m'), axis('o')], value: { op: 'ref', name: 'acc' } }],
    })],
  );
}
