/** Gather: slices of a tensor along an axis, by indices that are known at compile time; negative ones count from the end. */
import { axis, constant, factor, load, sum } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape, makeConstant } from '../ir/graph.js';
import type { Index } from '../ir/program.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import { normalizeAxis, strides } from './operands.js';
import type { LowerContext, NodeContext, OperatorRecord } from './record.js';

function axisOf(c: NodeContext): number {
  return normalizeAxis(c, c.int('axis'), c.input(0).shape.length);
}

/** The indices, none negative. Raises graph/unsupported where they are computed at run time. */
function indicesOf(c: NodeContext): readonly number[] {
  const info = c.input(1);
  const { shape } = c.input(0);
  const extent = shape[axisOf(c)];
  if (!info.constant) {
    fail('graph/unsupported', c.node.name, `the indices "${info.name}" of Gather are computed at run time, and only constant ones are supported`, 'Export the model with constant indices.');
  }
  return Array.from(info.constant.data, (given) => {
    if (given < -extent || given >= extent) {
      fail('graph/shape', c.node.name, `the index ${given} lies outside dimension ${axisOf(c)} of "${c.input(0).name}" ${formatShape(shape)}`, `Give indices from ${-extent} to ${extent - 1}.`);
    }
    return given < 0 ? given + extent : given;
  });
}

function gatheredShape(c: NodeContext): readonly number[] {
  const { shape } = c.input(0);
  indicesOf(c);
  return [...shape.slice(0, axisOf(c)), ...c.input(1).shape, ...shape.slice(axisOf(c) + 1)];
}

/** The coordinate along the axis: a plain index where the indices are equally spaced, else a look-up. */
function coordinate(c: LowerContext, point: readonly Index[]): Index {
  const indices = indicesOf(c);
  const shape = c.input(1).shape;
  const steps = strides(shape);
  const flat = sum(constant(0), ...point.flatMap((i, d) => i.terms.map((t) => axis(t.of as string, steps[d]))));
  const step = indices.length > 1 ? indices[1] - indices[0] : 0;
  if (indices.every((v, i) => v === indices[0] + step * i)) {
    return sum(indices[0], ...flat.terms.map((t) => axis(t.of as string, t.coeff * step)));
  }
  const table = c.addConstant('indices', makeConstant('int32', [indices.length], indices));
  return factor({ value: load(table, [flat]), lo: Math.min(...indices), hi: Math.max(...indices) });
}

export const gather: OperatorRecord = {
  name: 'Gather',
  doc: 'Slices of data along axis, by constant indices: the indices\' dimensions take the place of the axis.',
  inputs: [{ name: 'data' }, { name: 'indices' }],
  outputs: ['output'],
  attributes: { axis: { type: 'int', doc: 'the dimension that the indices count; negative counts from the end', default: 0 } },
  infer: (c) => [moved(c.input(0), gatheredShape(c))],
  reference(c, [x]) {
    const along = axisOf(c);
    const indices = indicesOf(c);
    const shape = gatheredShape(c);
    const inner = elementCount(x!.shape.slice(along + 1));
    const outer = elementCount(x!.shape.slice(0, along));
    const data = new Float64Array(elementCount(shape));
    for (let o = 0; o < outer; o++) {
      indices.forEach((index, i) => {
        for (let k = 0; k < inner; k++) data[(o * indices.length + i) * inner + k] = x!.data[(o * x!.shape[along] + index) * inner + k];
      });
    }
    return [{ shape, data }];
  },
  integer: movesIntegers,
  lower(c) {
    const along = axisOf(c);
    const rank = c.input(1).shape.length;
    return copyFrom(c, (point) => ({ at: [...point.slice(0, along), coordinate(c, point.slice(along, along + rank)), ...point.slice(along + rank)] }));
  },
  moments: movesMoments,
  samples: [
    { name: 'one row', inputs: [{ shape: [5, 3] }, { shape: [], dtype: 'int32', constant: true, values: [-2] }], seed: 1, tolerance: 0 },
    { name: 'equally spaced', attributes: { axis: 1 }, inputs: [{ shape: [2, 9, 4] }, { shape: [2, 2], dtype: 'int32', constant: true, values: [1, 3, 5, 7] }], seed: 2, tolerance: 0 },
    { name: 'any order', attributes: { axis: -1 }, inputs: [{ shape: [3, 7], dtype: 'int8' }, { shape: [5], dtype: 'int32', constant: true, values: [6, 0, 0, -3, 2] }], seed: 3, tolerance: 0 },
  ],
};
