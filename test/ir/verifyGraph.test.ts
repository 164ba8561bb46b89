/** verifyGraph: what is no graph is refused, by name. */
import { test } from 'uvu';
import { makeConstant, type Graph, type Node } from '../../codegen/ir/graph.js';
import { verifyGraph } from '../../codegen/ir/verifyGraph.js';
import { refuses } from '../support/refuses.js';

const node = (name: string, inputs: string[], outputs: string[]): Node => ({ name, op: 'Add', inputs, outputs, attributes: {} });
const good: Graph = {
  name: 'g', inputs: ['x'], outputs: ['y'],
  values: Object.fromEntries(['x', 'w', 'h', 'y'].map((name) => [name, { name }])),
  constants: { w: makeConstant('float32', [2], [1, 2]) },
  nodes: [node('a', ['x', 'w'], ['h']), node('b', ['h', ''], ['y'])],
};

test('a graph passes', () => verifyGraph(good));

test('broken graphs are refused, by name', () => {
  refuses(() => verifyGraph({ ...good, nodes: [good.nodes[0], node('b', ['h'], ['h'])] }),
    'error [graph/doubly-defined] h: the node "b" defines this tensor, which is defined already\n  Give one of the two another name.');
  refuses(() => verifyGraph({ ...good, nodes: [good.nodes[0], node('a', ['h'], ['y'])] }),
    'error [graph/doubly-defined] a: two nodes have this name\n  Give one of the two another name.');
  refuses(() => verifyGraph({ ...good, nodes: [...good.nodes].reverse() }),
    'error [graph/missing-tensor] b: Add takes "h", which nothing before it defines\n  Did you mean "x"?');
  refuses(() => verifyGraph({ ...good, outputs: ['z'] }),
    'error [graph/missing-tensor] z: nothing defines this output of the graph\n  Did you mean "x"?');
  refuses(() => verifyGraph({ ...good, nodes: [node('a', ['x', 'w'], ['q'])] }),
    'error [graph/missing-tensor] q: the node "a" defines this tensor, but graph.values does not list it\n  Add it to graph.values.');
  refuses(() => verifyGraph({ ...good, constants: { w: makeConstant('float32', [3], [1, 2]) } }),
    'error [graph/shape] w: the constant has 2 elements, and its shape [3] holds 3\n  Give it as many elements as its shape holds.');
  refuses(() => verifyGraph({ ...good, constants: { w: { shape: [2], dtype: 'int0' as never, data: new Int32Array(2) } } }),
    'error [graph/data-type] w: "int0" is not a data type\n  Data types are float32, intN, uintN, bipolar, ternary, fixed<W,I> and scaledint<N>.');
});

test.run();
