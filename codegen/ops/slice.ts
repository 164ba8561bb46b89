/** Slice: along each axis, every step-th element from start to before end; a negative step runs backwards. */
import { dependenceOf } from './dependence.js';
import { sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import { edgeSamples } from './edges.js';
import { copyFrom, moved, movesIntegers, movesMoments } from './movement.js';
import { intVector, normalizeAxis, strides } from './operands.js';
import type { NodeContext, OperatorRecord } from './record.js';

interface Cut {
  readonly start: number;
  readonly step: number;
  readonly extent: number;
}

/** One cut for each dimension; bounds are clamped as ONNX says. */
function cutsOf(c: NodeContext): readonly Cut[] {
  const { name, shape } = c.input(0);
  const [starts, ends] = [c.constant(1).data, c.constant(2).data];
  const axes = c.inputs[3] ? Array.from(c.constant(3).data, (a) => normalizeAxis(c, a, shape.length)) : Array.from(starts, (_, i) => i);
  const steps = c.inputs[4] ? Array.from(c.constant(4).data) : axes.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length || axes.some((a) => a >= shape.length) || new Set(axes).size !== axes.length) {
    fail('graph/shape', c.node.name, `${starts.length} starts, ${ends.length} ends, ${axes.length} axes and ${steps.length} steps for "${name}" ${formatShape(shape)}`, 'Give one of each for every axis, and each axis once.');
  }
  const cuts: Cut[] = shape.map((extent) => ({ start: 0, step: 1, extent }));
  axes.forEach((a, i) => {
    const step = steps[i];
    const extent = shape[a];
    if (step === 0) fail('graph/attribute-type', c.node.name, `the step along axis ${a} is 0`, 'Give a step other than 0.');
    const clamp = (given: number, lo: number, hi: number): number => Math.min(Math.max(given < 0 ? given + extent : given, lo), hi);
    const start = step > 0 ? clamp(starts[i], 0, extent) : clamp(starts[i], 0, extent - 1);
    const end = step > 0 ? clamp(ends[i], 0, extent) : clamp(ends[i], -1, extent - 1);
    cuts[a] = { start, step, extent: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return cuts;
}

export const slice: OperatorRecord = {
  name: 'Slice',
  doc: 'Along each of axes, every step-th element from start to before end; a negative step runs backwards.',
  inputs: [{ name: 'data' }, { name: 'starts' }, { name: 'ends' }, { name: 'axes', optional: true }, { name: 'steps', optional: true }],
  outputs: ['output'],
  attributes: {},
  infer: (c) => [moved(c.input(0), cutsOf(c).map((cut) => cut.extent))],
  reference(c, [x]) {
    const cuts = cutsOf(c);
    const shape = cuts.map((cut) => cut.extent);
    const steps = strides(x!.shape);
    const data = new Float64Array(elementCount(shape));
    for (let i = 0; i < data.length; i++) {
      let rest = i;
      let flat = 0;
      for (let d = shape.length - 1; d >= 0; d--) {
        flat += (cuts[d].start + cuts[d].step * (rest % shape[d])) * steps[d];
        rest = Math.floor(rest / shape[d]);
      }
      data[i] = x!.data[flat];
    }
    return [{ shape, data }];
  },
  integer: movesIntegers,
  lower(c) {
    const cuts = cutsOf(c);
    return copyFrom(c, (point) => ({ at: point.map((index, d) => sum(times(index, cuts[d].step), cuts[d].start)) }));
  },
  gradient(c, _outputs, [g], build) {
    const cuts = cutsOf(c);
    const { shape } = c.input(0);
    const ints = (values: readonly number[]): string => build.constant(intVector(values));
    const extents = cuts.map((cut) => cut.extent);
    const [before, after]: [number[], number[]] = [[], []];
    let dx = g;
    cuts.forEach(({ start, step, extent }, d) => {
      const stride = Math.abs(step);
      if (step < 0) dx = build.node('Slice', [dx, ints([-1]), ints([-(2 ** 31)]), ints([d]), ints([-1])]);
      if (stride > 1) {
        // Zeros between neighbours: a dimension of extent 1 after this one, padded to the stride, and the two as one.
        const rank = shape.length + 1;
        const zeros = Array.from({ length: 2 * rank }, (_, i) => (i === rank + d + 1 ? stride - 1 : 0));
        extents[d] = extent * stride;
        dx = build.node('Reshape', [build.node('Pad', [build.node('Unsqueeze', [dx, ints([d + 1])]), ints(zeros)]), ints(extents)]);
      }
      before[d] = step < 0 ? start + step * (extent - 1) : start;
      after[d] = shape[d] - before[d] - extents[d];
    });
    return [build.node('Pad', [dx, ints([...before, ...after])]), ...c.node.inputs.slice(1).map(() => undefined)];
  },
  moments: movesMoments(dependenceOf((_c, to) => ({ meets: [], keeps: to.map((_, d) => [d]) }))),
  samples: [
    { name: 'two axes', inputs: [{ shape: [4, 7] }, vector([1, -3]), vector([3, 2147483647])], seed: 1, tolerance: 0 },
    { name: 'steps', inputs: [{ shape: [2, 9, 5] }, vector([1, 4]), vector([8, -2147483648]), vector([1, -1]), vector([3, -2])], seed: 2, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ inputs: [{ shape: [2, c + 2], dtype: i % 2 ? 'int4' : 'float32' }, vector([1]), vector([-1]), vector([1])] })),
    { name: 'reversed', inputs: [{ shape: [17], dtype: 'int8' }, vector([-1]), vector([-100]), vector([0]), vector([-1])], seed: 3, tolerance: 0 },
  ],
};

function vector(values: readonly number[]) {
  return { shape: [values.length], dtype: 'int32' as const, constant: true, values };
}
