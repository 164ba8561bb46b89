/** `expand`: composites become their parts, under the same output names, and mean the same. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { expand } from '../../codegen/passes/expand.js';
import { Fragment } from '../../codegen/passes/fragment.js';
import { infer } from '../../codegen/passes/infer.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { chain } from '../ops/node.js';

const x = { shape: [1, 4], data: [1, 2, 3, 4] };
const graph = infer(
  chain({ x }, [
    { op: 'Softmax', inputs: ['x'], output: 'p' },
    { op: 'Relu', inputs: ['p'], output: 'r' },
    { op: 'Softmax', inputs: ['r'], output: 'q', attributes: { axis: 1 } },
  ], ['p', 'q']),
);

test('composites become their parts; the rest stays; outputs keep their names', () => {
  const expanded = expand(graph);
  const parts = ['ReduceMax', 'Sub', 'Exp', 'ReduceSum', 'Div'];
  assert.equal(expanded.nodes.map((n) => n.op), [...parts, 'Relu', ...parts]);
  assert.equal(expanded.outputs, ['p', 'q']);
  assert.equal(expanded.values.q.shape, [1, 4]);
  assert.is(new Set(expanded.nodes.map((n) => n.name)).size, expanded.nodes.length, 'names are unique');
});

test('the meaning stays', () => {
  const inputs = { x: { shape: x.shape, data: Float64Array.from(x.data) } };
  const [before, after] = [evaluate(graph, inputs), evaluate(expand(graph), inputs)];
  for (const name of graph.outputs) after[name].data.forEach((v, i) => assert.ok(Math.abs(v - before[name].data[i]) < 1e-12, `${name} ${i}`));
});

test('a graph without composites is returned as it is', () => {
  const plain = infer(chain({ x }, [{ op: 'Relu', inputs: ['x'], output: 'y' }], ['y']));
  assert.is(expand(plain), plain);
});

test('a fragment refuses a value that nothing defines, and infers what it adds', () => {
  const fragment = new Fragment(graph, 'new');
  const sum = fragment.node('Add', ['p', fragment.scalar(2)]);
  assert.equal(fragment.info(sum).shape, [1, 4]);
  try {
    fragment.node('Relu', ['pp']);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DiagnosticError);
    assert.is((error as Error).message, 'error [graph/missing-tensor] pp: nothing defines this tensor\n  Did you mean "p"?');
  }
});

test.run();
