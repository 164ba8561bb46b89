/**
 * MultiThreshold: QONNX's and FINN's activation: out_scale * #{ j : v >= thresholds[c, j] } + out_bias, on float32 carriers.
 *
 * The rows need not be sorted; NaN reaches no threshold. Source: qonnx, custom_op/general/multithreshold.py, from which the
 * channel dimension without a layout is also taken: the last for three dimensions, else 1.
 */
import { add, compare, convert, float, int, load, mul, ref } from '../ir/build.js';
import { isInteger, parseDataType, smallestInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape, makeConstant } from '../ir/graph.js';
import type { Axis, Expr } from '../ir/program.js';
import { edgeSamples, specials } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { kernelName, makeKernel } from './operands.js';
import { deterministicParameters } from './quantizermoments.js';
import { channelCoordinate, coordinateOf, f32, requireFloat } from './quantization.js';
import type { NodeContext, OperatorRecord } from './record.js';

/** Up to this many thresholds are compared one by one; more are counted by a reduction. */
const unrolledThresholds = 16;

function channelOf(c: NodeContext): number {
  const layout = c.text('data_layout');
  const { shape } = c.input(0);
  if (layout !== '') return layout.includes('C') ? layout.indexOf('C') : 1;
  return shape.length === 3 ? 2 : 1;
}

/** QONNX's out_dtype as a data type, where it holds the results as they are. */
function annotationOf(c: NodeContext): DataType | undefined {
  if (!Number.isInteger(c.float('out_scale')) || !Number.isInteger(c.float('out_bias'))) return undefined;
  const name = c.text('out_dtype').toUpperCase();
  const dtype = (name === 'BINARY' ? 'uint1' : name.toLowerCase()) as DataType;
  return parseDataType(dtype) && isInteger(dtype) ? dtype : undefined;
}

function scaled(c: NodeContext, count: Expr): Expr {
  const [scale, bias] = [c.float('out_scale'), c.float('out_bias')];
  const product = scale === 1 ? convert('float32', count) : mul('float32', convert('float32', count), float(scale));
  return bias === 0 ? product : add('float32', product, float(bias));
}

/** Threshold j of the channel: a number where one row serves all channels and is known. */
function threshold(c: NodeContext, space: readonly Axis[], j: number): Expr {
  const t = c.input(1);
  if (t.shape[0] === 1 && t.constant) return float(t.constant.data[j]);
  return load(t.name, [channelCoordinate(t.shape[0], channelOf(c), space), j]);
}

const attributes = { out_dtype: 'UINT4' };

export const multithreshold: OperatorRecord = {
  name: 'MultiThreshold',
  doc: 'out_scale * (how many thresholds of its channel the input reaches) + out_bias, carried in float32; thresholds [channels or 1, levels].',
  inputs: [{ name: 'v' }, { name: 'thresholds' }],
  outputs: ['output'],
  attributes: {
    out_dtype: { type: 'string', doc: 'data type of the results: UINT4, BIPOLAR ...', required: true },
    out_scale: { type: 'float', doc: 'factor of the count', default: 1 },
    out_bias: { type: 'float', doc: 'added to the scaled count', default: 0 },
    data_layout: { type: 'string', doc: 'dimensions by letter, C the channels: NCHW, NHWC ...; empty: by the number of dimensions', default: '' },
  },
  infer(c) {
    requireFloat(c, 0, 'input');
    requireFloat(c, 1, 'table of thresholds');
    const [x, t] = [c.input(0).shape, c.input(1).shape];
    const channels = x[channelOf(c)];
    if (t.length !== 2 || t[1] < 1 || channels === undefined || (t[0] !== 1 && t[0] !== channels)) {
      fail('graph/shape', c.node.name, `thresholds of shape ${formatShape(t)} for ${channels ?? 'no'} channels (dimension ${channelOf(c)} of the input ${formatShape(x)}), expected [channels or 1, levels]`, 'Give one row of thresholds for each channel, or one for all; say in data_layout which dimension is C.');
    }
    return [{ shape: x, dtype: 'float32', annotation: annotationOf(c) }];
  },
  reference(c, [v, thresholds]) {
    const { shape } = v!;
    const [rows, columns] = thresholds!.shape;
    const data = new Float64Array(v!.data.length);
    for (let i = 0; i < data.length; i++) {
      const row = rows === 1 ? 0 : coordinateOf(shape, i, channelOf(c));
      let count = 0;
      for (let j = 0; j < columns; j++) if (v!.data[i] >= thresholds!.data[row * columns + j]) count++;
      data[i] = f32(f32(f32(c.float('out_scale')) * count) + f32(c.float('out_bias')));
    }
    return [{ shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const t = c.input(1);
    const columns = t.shape[1];
    const type = smallestInteger(0, columns);
    const v = load(c.input(0).name, pointOf(space));
    const common = { name: kernelName(c), op: 'threshold', space };
    if (columns <= unrolledThresholds) {
      const reached = Array.from({ length: columns }, (_, j): Expr => compare('ge', ref('v'), threshold(c, space, j)));
      const count = reached.reduce((sum, one) => add(type, sum, one));
      return [makeKernel({ ...common, epilogue: [{ name: 'v', type: 'float32', value: v }], stores: [{ tensor: out.name, at: pointOf(space), value: scaled(c, count) }] })];
    }
    const reached = compare('ge', v, load(t.name, [channelCoordinate(t.shape[0], channelOf(c), space), 'j']));
    return [
      makeKernel({
        ...common,
        reduce: [{ name: 'j', extent: columns }],
        accumulators: [{ name: 'count', type, init: int(0, type), update: add(type, ref('count'), reached) }],
        stores: [{ tensor: out.name, at: pointOf(space), value: scaled(c, ref('count')) }],
      }),
    ];
  },
  moments: {
    label: 'matched',
    rule(c, inputs, build) {
      const [x] = inputs;
      deterministicParameters(c, inputs);
      const mean = build.node('MultiThreshold', inputs.map((p) => p.mean), c.node.attributes);
      if (x.variance === undefined) return { mean };
      const { shape, data } = c.constant(1);
      const rows = Array.from({ length: shape[0] }, (_, row) => [...data.subarray(row * shape[1], (row + 1) * shape[1])].sort((a, b) => a - b));
      const table = build.constant(makeConstant('float32', shape, rows.flat()));
      const level = build.node('MultiThreshold', [x.mean, table], { ...c.node.attributes, out_scale: 1, out_bias: 0 });
      const [offset, variance] = build.nodes('StepMoments', [x.mean, x.variance, level, table], 2, { axis: channelOf(c) });
      const scale = c.float('out_scale');
      return { mean: build.node('Add', [mean, build.node('Mul', [offset, build.scalar(scale)])]), variance: build.node('Mul', [variance, build.scalar(scale * scale)]) };
    },
  },
  samples: [
    { name: 'per channel', attributes: { ...attributes, data_layout: 'NCHW' }, inputs: [{ shape: [2, 3, 4, 5] }, { shape: [3, 7], constant: true }], seed: 1, tolerance: 0 },
    { name: 'one row, scaled', attributes: { ...attributes, out_scale: 0.3, out_bias: -0.7 }, inputs: [{ shape: [3, 17] }, { shape: [1, 15], constant: true }], seed: 2, tolerance: 0 },
    { name: 'channels last', attributes: { ...attributes, data_layout: 'NHWC', out_dtype: 'BIPOLAR', out_scale: 2, out_bias: -1 }, inputs: [{ shape: [1, 3, 3, 5] }, { shape: [5, 1], constant: true }], seed: 3, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ attributes, inputs: [{ shape: [1 + 2 * (i % 2), c] }, { shape: [c, 15], constant: true }] })),
    { name: 'specials', attributes, inputs: [{ shape: [1, 8], values: specials }, { shape: [1, 3], constant: true, values: [-1, 0, 1] }], seed: 40, tolerance: 0 },
    { name: 'by reduction', attributes: { ...attributes, out_dtype: 'UINT8' }, inputs: [{ shape: [2, 5] }, { shape: [5, 255], constant: true }], seed: 4, tolerance: 0 },
    { name: 'one more than unrolled, at run time', attributes, inputs: [{ shape: [2, 3] }, { shape: [3, 17] }], seed: 5, tolerance: 0 },
  ],
};
