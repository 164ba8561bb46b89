/**
 * BipolarQuant: QONNX's one-bit quantizer: +scale where x >= 0, else -scale. x is not divided by the scale, so the sign of
 * the scale does not move the test; zero gives +scale, NaN gives -scale. Source: qonnx, custom_op/general/bipolar_quant.py.
 */
import { compare, float, load, select, unary } from '../ir/build.js';
import { Scope } from '../functions/scope.js';
import { edgeSamples, specials } from './edges.js';
import { spaceAxes } from './elementwise.js';
import { pointOf } from './movement.js';
import { kernelName, makeKernel } from './operands.js';
import { deterministicParameters, scaledBy, signMoments } from './quantizermoments.js';
import { broadcastElement, broadcastParameter, checkBroadcast, checkScale, requireFloat, singleValue } from './quantization.js';
import type { OperatorRecord } from './record.js';

export const bipolarquant: OperatorRecord = {
  name: 'BipolarQuant',
  doc: 'One bit, carried in float32: +scale where x >= 0, else -scale; scale broadcasts to x.',
  inputs: [{ name: 'X' }, { name: 'scale' }],
  outputs: ['Y'],
  attributes: {},
  infer(c) {
    requireFloat(c, 0, 'input');
    requireFloat(c, 1, 'scale');
    checkBroadcast(c, 1, 'scale');
    checkScale(c, 1);
    return [{ shape: c.input(0).shape, dtype: 'float32', annotation: singleValue(c.input(1)) === 1 ? 'bipolar' : undefined }];
  },
  reference(_c, [x, scale]) {
    const data = x!.data.map((v, i) => {
      const s = broadcastElement(scale!, x!.shape, i);
      return v >= 0 ? s : -s;
    });
    return [{ shape: x!.shape, data }];
  },
  lower(c) {
    const out = c.outputs[0];
    const space = spaceAxes(out.shape);
    const scope = new Scope(space.map((a) => a.name));
    const x = load(c.input(0).name, pointOf(space));
    const single = singleValue(c.input(1));
    const scale = single === undefined ? scope.float('scale', broadcastParameter(c.input(1), space)) : float(single);
    const negative = single === undefined ? unary('neg', 'float32', scale) : float(-single);
    const value = select('float32', compare('ge', x, float(0)), scale, negative);
    return [makeKernel({ name: kernelName(c), op: 'elementwise', space, epilogue: scope.lets, stores: [{ tensor: out.name, at: pointOf(space), value }] })];
  },
  moments: {
    label: 'matched',
    rule(c, inputs, build) {
      const [x, scale] = inputs;
      deterministicParameters(c, inputs);
      if (x.variance === undefined) return { mean: build.node('BipolarQuant', [x.mean, scale.mean]) };
      const code = build.node('BipolarQuant', [x.mean, build.scalar(1)]);
      return scaledBy(build, signMoments(build, { mean: x.mean, variance: x.variance }, code), 'Mul', scale.mean);
    },
  },
  samples: [
    { name: 'scale 1', inputs: [{ shape: [3, 17] }, { shape: [], constant: true, values: [1] }], seed: 1, tolerance: 0 },
    { name: 'zeros', inputs: [{ shape: [5], values: [-1, -0, 0, 1e-30, -1e-30] }, { shape: [1], constant: true, values: [0.3] }], seed: 2, tolerance: 0 },
    ...edgeSamples(20, (c, i) => ({ inputs: [{ shape: [1 + 2 * (i % 2), c] }, { shape: [], constant: true, values: [1 + i] }] })),
    { name: 'specials', inputs: [{ shape: [8], values: specials }, { shape: [], constant: true, values: [1] }], seed: 40, tolerance: 0 },
    { name: 'per channel', inputs: [{ shape: [2, 3, 5] }, { shape: [1, 3, 1], constant: true, values: [0.5, 1, 2] }], seed: 3, tolerance: 0 },
  ],
};
