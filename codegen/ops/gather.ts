/** Gather: slices of a tensor along an axis, by indices that are known at compile time; negative ones count from the end. */
import { dependenceOf } from './dependence.js';
import { constant, load, sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import { spaceAxes } from './elementwise.js';
import { moved, movesIntegers, movesMoments, pointOf } from './movement.js';
import { kernelName, makeKernel, normalizeAxis } from './operands.js';
import { coordinateOf } from './quantization.js';
import type { MomentFlow, NodeContext, OperatorRecord } from './record.js';

/** Every run is a kernel of its own. */
const mostRuns = 256;

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

/** Entries that repeat an index repeat elements. */
function gatherFlow(c: NodeContext, to: readonly number[]): MomentFlow {
  const [axis, indices, added] = [axisOf(c), indicesOf(c), c.input(1).shape.length];
  const own = new Set(indices).size === indices.length;
  return { meets: [], keeps: to.map((_, d) => (d < axis ? [d] : d >= axis + added ? [d - added + 1] : own ? [axis] : undefined)) };
}

function gatheredShape(c: NodeContext): readonly number[] {
  const { shape } = c.input(0);
  runsOf(c);
  return [...shape.slice(0, axisOf(c)), ...c.input(1).shape, ...shape.slice(axisOf(c) + 1)];
}

/** Neighbouring entries of a row of indices that are equally spaced. */
interface Run {
  /** Coordinates of the first entry in the tensor of indices. */
  readonly at: readonly number[];
  readonly length: number;
  readonly first: number;
  readonly step: number;
}

/** Cuts the indices into runs, each of which is one copy. Raises graph/unsupported where there are too many. */
function runsOf(c: NodeContext): readonly Run[] {
  const indices = indicesOf(c);
  const { shape } = c.input(1);
  const row = shape.length === 0 ? 1 : shape[shape.length - 1];
  const runs: Run[] = [];
  for (let i = 0; i < indices.length; ) {
    const end = i - (i % row) + row;
    const step = i + 1 < end ? indices[i + 1] - indices[i] : 0;
    let next = i + 1;
    while (next < end && indices[next] - indices[next - 1] === step) next++;
    runs.push({ at: shape.map((_, d) => coordinateOf(shape, i, d)), length: next - i, first: indices[i], step });
    i = next;
  }
  if (runs.length > mostRuns) {
    fail('graph/unsupported', c.node.name, `the indices "${c.input(1).name}" of Gather fall into ${runs.length} equally spaced runs, and at most ${mostRuns} are supported`, 'Reorder the weights that use the result instead.');
  }
  return runs;
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
    const x = c.input(0);
    const out = c.outputs[0];
    const along = axisOf(c);
    const rank = c.input(1).shape.length;
    const runs = runsOf(c);
    return runs.map(({ at: origin, length, first, step }, i) => {
      // The row of indices is one dimension of the output; the others of the indices are fixed in a run.
      const extents = out.shape.map((extent, d) => (d < along || d >= along + rank ? extent : d === along + rank - 1 ? length : 1));
      const space = spaceAxes(extents);
      const point = pointOf(space);
      const inRow = rank === 0 ? constant(0) : point[along + rank - 1];
      const from = [...point.slice(0, along), sum(times(inRow, step), first), ...point.slice(along + rank)];
      const to = point.map((index, d) => (d < along || d >= along + rank ? index : sum(index, origin[d - along])));
      return makeKernel({ name: kernelName(c, runs.length === 1 ? '' : String(i)), op: 'copy', space, stores: [{ tensor: out.name, at: to, value: load(x.name, from) }] });
    });
  },
  moments: movesMoments(dependenceOf(gatherFlow)),
  samples: [
    { name: 'one row', inputs: [{ shape: [5, 3] }, { shape: [], dtype: 'int32', constant: true, values: [-2] }], seed: 1, tolerance: 0 },
    { name: 'equally spaced', attributes: { axis: 1 }, inputs: [{ shape: [2, 9, 4] }, { shape: [2, 2], dtype: 'int32', constant: true, values: [1, 3, 5, 7] }], seed: 2, tolerance: 0 },
    { name: 'any order', attributes: { axis: -1 }, inputs: [{ shape: [3, 7], dtype: 'int8' }, { shape: [5], dtype: 'int32', constant: true, values: [6, 0, 0, -3, 2] }], seed: 3, tolerance: 0 },
  ],
};
