/** AveragePool: the sum of every window divided once by its number of elements, for float32. */
import { divide, float, load } from '../ir/build.js';
import { floatOutput, operandKind } from './operands.js';
import { countTable, poolAttributes, poolDependence, poolParts, poolSamples, referencePool, sumKernel, windowCount, windowCounts } from './pool.js';
import type { OperatorRecord } from './record.js';
import { windowNames } from './window.js';

export const averagepool: OperatorRecord = {
  name: 'AveragePool',
  doc: 'Y[n, c, y, x] = the mean of X[n, c, ..] over the window; padding counts only with count_include_pad; one or two spatial dimensions. Integers: SumPool.',
  inputs: [{ name: 'X' }],
  outputs: ['Y'],
  attributes: { ...poolAttributes, count_include_pad: { type: 'int', doc: 'The padding counts as zeros.', default: 0 } },
  infer(context) {
    const { shape } = poolParts(context);
    operandKind(context, [0], false);
    return [floatOutput(shape)];
  },
  reference(context, [x]) {
    const parts = poolParts(context);
    const includePad = context.int('count_include_pad') !== 0;
    return [referencePool(parts, x!, (values, position) => values.reduce((a, b) => a + b, 0) / windowCount(parts.dims, position, includePad))];
  },
  lower(context) {
    const parts = poolParts(context);
    const counts = windowCounts(parts.dims, context.int('count_include_pad') !== 0);
    const count = typeof counts === 'number' ? float(counts) : load(context.addConstant('counts', countTable(parts.dims, counts)), windowNames(parts.dims.length).space);
    return [sumKernel(context, parts, (total) => (counts === 1 ? total : divide(total, count)))];
  },
  moments: {
    label: 'exact',
    rule(context, [x], build) {
      const mean = build.node('AveragePool', [x.mean], context.node.attributes);
      if (x.variance === undefined) return { mean };
      // the sum of n variances over n^2 is their mean over n
      const { dims } = poolParts(context);
      const counts = windowCounts(dims, context.int('count_include_pad') !== 0);
      const divisor = typeof counts === 'number' ? build.scalar(counts) : build.constant({ ...countTable(dims, counts), shape: [1, 1, ...dims.map((w) => w.output)] });
      return { mean, variance: build.node('Div', [build.node('AveragePool', [x.variance], context.node.attributes), divisor]) };
    },
    dependence: poolDependence,
  },
  samples: [
    ...poolSamples(1400, 1e-6),
    ...poolSamples(1430, 1e-6)
      .filter((s) => s.attributes?.pads !== undefined || s.attributes?.auto_pad !== undefined)
      .map((s) => ({ ...s, name: `${s.name}, padding counted`, attributes: { ...s.attributes, count_include_pad: 1 } })),
  ],
};
