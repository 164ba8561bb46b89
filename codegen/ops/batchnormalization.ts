/** BatchNormalization for inference: one factor and one offset a channel, folded once to float32 where constants allow. */
import { add, axis, divide, float, load, mul, sub, unary } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape, makeConstant, type Constant } from '../ir/graph.js';
import { elementwise, spaceAxes } from './elementwise.js';
import { floatOutput, given, operandKind, weight } from './operands.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';

/**
 * y = x * factor + offset, both float32 [C]: factor = scale / sqrt(var + epsilon), offset = B - mean * factor, computed in
 * float64 and rounded once. Undefined where a parameter is not constant.
 */
export function foldedBatchNormalization(context: NodeContext): { factor: Constant; offset: Constant } | undefined {
  const parameters = [1, 2, 3, 4].map((i) => context.input(i).constant);
  if (parameters.some((p) => p === undefined)) return undefined;
  const [scale, bias, mean, variance] = parameters.map((p) => p!.data);
  const epsilon = Math.fround(context.float('epsilon'));
  const factor = Float64Array.from(scale, (s, c) => s / Math.sqrt(variance[c] + epsilon));
  const offset = Float64Array.from(bias, (b, c) => b - mean[c] * factor[c]);
  return { factor: makeConstant('float32', [factor.length], factor), offset: makeConstant('float32', [offset.length], offset) };
}

export const batchnormalization: OperatorRecord = {
  name: 'BatchNormalization',
  doc: 'Y = (X - mean) / sqrt(var + epsilon) * scale + B, each parameter [C] along dimension 1 of X [N, C, ..]; inference only.',
  inputs: [{ name: 'X' }, { name: 'scale' }, { name: 'B' }, { name: 'input_mean' }, { name: 'input_var' }],
  outputs: ['Y', 'running_mean', 'running_var'],
  attributes: {
    epsilon: { type: 'float', doc: 'Added to the variance.', default: 1e-5 },
    momentum: { type: 'float', doc: 'For training only; ignored.', default: 0.9 },
    training_mode: { type: 'int', doc: 'Must be 0.', default: 0 },
  },
  infer(context) {
    const x = context.input(0);
    operandKind(context, [0, 1, 2, 3, 4], false);
    if (context.int('training_mode') !== 0 || context.node.outputs.slice(1).some((name) => name !== '')) {
      fail('graph/unsupported', context.node.name, 'BatchNormalization is in training mode', 'Export the model for inference: training_mode 0 and one output.');
    }
    if (x.shape.length < 2) fail('graph/shape', context.node.name, `${x.name} is ${formatShape(x.shape)}, and [N, C, ..] is expected`, 'Reshape the input.');
    for (let i = 1; i <= 4; i++) {
      const p = context.input(i);
      if (p.shape.length !== 1 || p.shape[0] !== x.shape[1]) {
        fail('graph/shape', context.node.name, `${p.name} is ${formatShape(p.shape)}, and [${x.shape[1]}] is expected for ${x.name} ${formatShape(x.shape)}`, 'Give one value a channel.');
      }
    }
    return [floatOutput(x.shape)];
  },
  reference(context, inputs) {
    const [x, scale, bias, mean, variance] = inputs.map((i) => i!);
    const epsilon = Math.fround(context.float('epsilon'));
    const inner = elementCount(x.shape.slice(2));
    const data = x.data.map((v, e) => {
      const c = Math.floor(e / inner) % x.shape[1];
      return ((v - mean.data[c]) / Math.sqrt(variance.data[c] + epsilon)) * scale.data[c] + bias.data[c];
    });
    return [{ shape: x.shape, data }];
  },
  lower(context) {
    const channel = axis(spaceAxes(context.outputs[0].shape)[1].name);
    const folded = foldedBatchNormalization(context);
    const f = 'float32';
    if (folded) {
      const [factor, offset] = [context.addConstant('factor', folded.factor), context.addConstant('offset', folded.offset)];
      return elementwise(context, [0], ([x]) => add(f, mul(f, x, load(factor, [channel])), load(offset, [channel])));
    }
    return elementwise(context, [0], ([x]) => {
      const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => load(context.input(i).name, [channel]));
      const deviation = unary('sqrt', f, add(f, variance, float(context.float('epsilon'))));
      return add(f, mul(f, divide(sub(f, x, mean), deviation), scale), bias);
    });
  },
  moments: {
    label: 'exact',
    rule(context, [x, ...parameters], build) {
      const random = parameters.findIndex((p) => p.variance !== undefined);
      if (random >= 0) fail('graph/no-moments', context.node.name, `its parameter ${context.input(random + 1).name} is random, and only its data may be`, 'Make it deterministic, or write the normalization as Mul and Add.');
      const mean = build.node('BatchNormalization', [x.mean, ...parameters.map((p) => p.mean)], context.node.attributes);
      const folded = foldedBatchNormalization(context);
      if (x.variance === undefined) return { mean };
      if (!folded) fail('graph/no-moments', context.node.name, 'its parameters are not known at compile time', 'Make them initializers of the model.');
      const { data } = folded.factor;
      const rank = context.input(0).shape.length;
      const square = makeConstant('float32', [data.length, ...new Array<number>(rank - 2).fill(1)], Float64Array.from(data, (g) => g * g));
      return { mean, variance: build.node('Mul', [x.variance, build.constant(square)]) };
    },
  },
  samples: batchSamples(),
};

function batchSamples(): Sample[] {
  const parameters = (c: number, make: typeof given) => [make([c]), make([c]), make([c]), make([c], { range: [0.1, 2] })];
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({ name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c, 3, 2]), ...parameters(c, weight)] })),
    { name: 'no spatial dimension', inputs: [given([3, 9]), ...parameters(9, weight)] },
    { name: 'one spatial dimension', attributes: { epsilon: 0.01 }, inputs: [given([3, 9, 4]), ...parameters(9, weight)] },
    { name: 'three spatial dimensions', inputs: [given([2, 3, 2, 2, 2]), ...parameters(3, weight)] },
    { name: 'parameters at run time', inputs: [given([1, 5, 2, 3]), ...parameters(5, given)] },
  ];
  return cases.map((c, i) => ({ ...c, seed: 1200 + i, tolerance: 2e-6 }));
}
