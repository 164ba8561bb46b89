/**
 * RandomNormal: standard normal numbers, each a pure function of seed, sample, stream, image and element. Internal: made by the
 * sampled twin and by the uncertainty head.
 *
 * Counter (element, image, sample, stream), key = seed (functions/random.ts). The element counts within an image where `perImage`
 * is set, else within the tensor, and the image is 0 then: weights do not see the batch.
 */
import { add, axis, int, load, sum, times } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { elementCount, formatShape, makeConstant } from '../ir/graph.js';
import type { Index } from '../ir/program.js';
import { keyIncrement, MULTIPLIERS, philox, PHILOX_ROUNDS, standardNormal, word } from '../functions/random.js';
import { Scope } from '../functions/scope.js';
import { spaceAxes } from './elementwise.js';
import { floatOutput, given, kernelName, makeKernel, strides } from './operands.js';
import { referenceNormal, referencePhilox } from './randomreference.js';
import type { NodeContext, OperatorRecord, Sample } from './record.js';

const isPerImage = (context: NodeContext): boolean => context.int('perImage') !== 0;

function checkInput(context: NodeContext, which: number, dtype: 'int32' | 'uint32', shape: readonly number[]): void {
  const info = context.input(which);
  if (info.dtype === dtype && formatShape(info.shape) === formatShape(shape)) return;
  fail('graph/data-type', context.node.name, `${info.name} is ${info.dtype} ${formatShape(info.shape)}, and RandomNormal takes ${dtype} ${formatShape(shape)} here`, 'Give it a tensor of this type and shape.');
}

const sampleInputs = (seed: readonly number[], sample: number, offset?: number) => [
  given([2], { dtype: 'uint32', values: seed }),
  given([], { dtype: 'int32', values: [sample] }),
  ...(offset === undefined ? [] : [given([], { dtype: 'int32', values: [offset] })]),
];

export const randomnormal: OperatorRecord = {
  name: 'RandomNormal',
  doc: 'y = standard normal numbers of the shape `shape`, each a function of seed [2], sample, `stream`, its place and, with `perImage`, the image: batchOffset and the place along the first dimension. Internal.',
  inputs: [{ name: 'seed' }, { name: 'sample' }, { name: 'batchOffset', optional: true }],
  outputs: ['Y'],
  attributes: {
    stream: { type: 'int', doc: 'numbers of different streams are independent; 0 to 2^32 - 1', required: true },
    shape: { type: 'ints', doc: 'the shape of Y', required: true },
    perImage: { type: 'int', doc: '1: the first dimension is the batch, of which image n draws the numbers of image batchOffset + n alone', default: 0, values: [0, 1] },
  },
  infer(context) {
    checkInput(context, 0, 'uint32', [2]);
    checkInput(context, 1, 'int32', []);
    if (context.inputs[2]) checkInput(context, 2, 'int32', []);
    const shape = context.ints('shape');
    const stream = context.int('stream');
    if (stream < 0 || stream >= 2 ** 32) fail('graph/attribute-type', context.node.name, `stream is ${stream}, and must lie in 0 .. 4294967295`);
    if (shape.some((n) => n < 1) || elementCount(shape) > 2 ** 31) fail('graph/shape', context.node.name, `the shape ${formatShape(shape)} has no elements, or more than 2^31`);
    if (isPerImage(context) && shape.length === 0) fail('graph/shape', context.node.name, 'a scalar has no batch', 'Leave perImage out, or give a shape whose first dimension is the batch.');
    return [floatOutput(shape)];
  },
  reference(context, [seed, sample, offset]) {
    const shape = context.ints('shape');
    const perImage = isPerImage(context);
    const count = elementCount(perImage ? shape.slice(1) : shape);
    const first = offset?.data[0] ?? 0;
    const data = Float64Array.from({ length: elementCount(shape) }, (_, e) => {
      const counter = [e % count, perImage ? first + Math.floor(e / count) : 0, sample!.data[0], context.int('stream')];
      return referenceNormal(referencePhilox(counter, [...seed!.data])[3]);
    });
    return [{ shape, data }];
  },
  lower(context) {
    const [out] = context.outputs;
    // The keys of all rounds, made once, so that vectors load them.
    const increments = context.addConstant('increments', makeConstant('uint32', [PHILOX_ROUNDS, 2], Array.from({ length: 2 * PHILOX_ROUNDS }, (_, k) => keyIncrement(k >> 1, k % 2))));
    // From memory: engines make a constant of all lanes anew, by three instructions, wherever it is used.
    const multipliers = context.addConstant('multipliers', makeConstant('uint32', [2], MULTIPLIERS));
    const keys = context.addTemporary('keys', [PHILOX_ROUNDS, 2], 'uint32');
    const made = makeKernel({
      name: kernelName(context, 'keys'), op: 'keys', space: [{ name: 'r', extent: PHILOX_ROUNDS }, { name: 'j', extent: 2 }],
      stores: [{ tensor: keys, at: [axis('r'), axis('j')], value: word(add('uint33', load(context.input(0).name, ['j']), load(increments, ['r', 'j']))) }],
    });
    const space = spaceAxes(out.shape);
    const scope = new Scope(space.map((a) => a.name));
    const inner = isPerImage(context) ? 1 : 0;
    const steps = strides(out.shape);
    const element: Index = sum(...space.slice(inner).map((a, d) => times(a.name, steps[inner + d])));
    const bind = (name: string, value: Parameters<typeof word>[0]) => scope.bind(name, 'uint32', value);
    const first = context.inputs[2] ? load(context.inputs[2].name, []) : int(0);
    const counter = [
      bind('element', { op: 'index', type: 'uint32', index: element }),
      inner === 0 ? int(0, 'uint32') : bind('image', word(add('int34', first, { op: 'index', type: 'int32', index: sum(space[0].name) }))),
      bind('sample', word(load(context.input(1).name, []))),
      int(context.int('stream'), 'uint32'),
    ] as const;
    const bits = philox(scope, [...counter], (r, j) => load(keys, [r, j]), 3, (j) => load(multipliers, [j]));
    const value = standardNormal(scope, bits);
    return [made, makeKernel({ name: kernelName(context), op: 'elementwise', space, epilogue: scope.lets, stores: [{ tensor: out.name, at: space.map((a) => axis(a.name)), value }] })];
  },
  // Never a constant, even of a constant seed: its bits are those of the kernel.
  isCompact: true,
  samples: samples(),
};

function samples(): Sample[] {
  const shapes = [[], [1], [3], [10], [16], [2, 5], [3, 17], [4, 3, 3, 3], [2, 1, 5, 5]];
  return [
    ...shapes.map((shape, k) => ({ name: `shape ${shape.join('x')}`, attributes: { stream: k, shape }, inputs: sampleInputs([k * 77, 0xffffffff - k], k), seed: 3300 + k, tolerance: 2e-6 })),
    ...shapes.slice(1).map((shape, k) => ({
      name: `images ${shape.join('x')}`, attributes: { stream: 0xffffffff - k, shape, perImage: 1 }, inputs: sampleInputs([0xdeadbeef, k], 65536 - k, 1000 * k), seed: 3320 + k, tolerance: 2e-6,
    })),
    { name: 'images from 0', attributes: { stream: 1, shape: [3, 8], perImage: 1 }, inputs: sampleInputs([1, 2], 3), seed: 3340, tolerance: 2e-6 },
  ];
}
