/** Constant: a tensor that a node's attribute holds. It has no kernel: it is known at compile time. */
import { fail } from '../ir/diagnostic.js';
import { makeConstant, type Constant } from '../ir/graph.js';
import type { NodeContext, OperatorRecord } from './record.js';

const forms: Readonly<Record<string, (c: NodeContext) => Constant>> = {
  value: (c) => c.tensor('value'),
  value_float: (c) => makeConstant('float32', [], [c.float('value_float')]),
  value_floats: (c) => makeConstant('float32', [c.floats('value_floats').length], c.floats('value_floats')),
  value_int: (c) => makeConstant('int32', [], [c.int('value_int')]),
  value_ints: (c) => makeConstant('int32', [c.ints('value_ints').length], c.ints('value_ints')),
};

function valueOf(c: NodeContext): Constant {
  const given = Object.keys(forms).filter((name) => c.has(name));
  if (given.length !== 1) fail('graph/missing-attribute', c.node.name, `Constant needs exactly one of ${Object.keys(forms).join(', ')}, found ${given.join(', ') || 'none'}`, 'Give its value once.');
  return forms[given[0]](c);
}

export const constant: OperatorRecord = {
  name: 'Constant',
  doc: 'A tensor known at compile time.',
  inputs: [],
  outputs: ['output'],
  attributes: {
    value: { type: 'tensor', doc: 'the tensor' },
    value_float: { type: 'float', doc: 'a scalar' },
    value_floats: { type: 'floats', doc: 'a vector' },
    value_int: { type: 'int', doc: 'an integer scalar' },
    value_ints: { type: 'ints', doc: 'a vector of integers' },
  },
  infer(c) {
    const { shape, dtype } = valueOf(c);
    return [{ shape, dtype }];
  },
  reference(c) {
    const { shape, data } = valueOf(c);
    return [{ shape, data: Float64Array.from(data) }];
  },
  samples: [
    { name: 'tensor', attributes: { value: makeConstant('float32', [2, 2], [1, -2, 0.5, 3]) }, inputs: [], seed: 1, tolerance: 0 },
    { name: 'integers', attributes: { value_ints: [1, -1, 7] }, inputs: [], seed: 2, tolerance: 0 },
  ],
};
