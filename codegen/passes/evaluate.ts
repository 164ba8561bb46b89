/**
 * `evaluate`: a graph's values by the records' `reference`, in float64. The independent check of everything below the
 * graph; not a fast way to run a model.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import { elementCount, formatShape } from '../ir/graph.js';
import type { Graph, Loop, Node, Shape } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { loopParts } from '../ops/loop.js';
import { toNdArray } from '../ops/ndarray.js';
import type { NdArray } from '../ops/record.js';
import { batchOf, infer } from './infer.js';

/**
 * Every value of the graph by name (inputs, constants and results), float64, row-major. The batch is that of the first
 * batched input given. Raises run/missing-input, run/unknown-input and run/shape, and what `infer` raises.
 */
export function evaluate(graph: Graph, inputs: Readonly<Record<string, NdArray>>): Record<string, NdArray> {
  for (const name of Object.keys(inputs)) {
    if (!graph.inputs.includes(name)) fail('run/unknown-input', name, 'the model has no such input', suggest(name, graph.inputs, 'input'));
  }
  for (const name of graph.inputs) {
    if (!Object.hasOwn(inputs, name)) fail('run/missing-input', name, 'this input of the model was not given');
  }
  const own = batchOf(graph);
  const batched = own.inputs[0];
  const inferred = infer(graph, batched === undefined ? {} : { batch: inputs[batched].shape[0] });

  const results = new Map<string, NdArray>();
  for (const name of inferred.inputs) {
    const expected = inferred.values[name].shape!;
    const found = inputs[name].shape;
    if (expected.length !== found.length || expected.some((d, i) => d !== found[i])) {
      fail('run/shape', name, `expected shape ${formatShape(expected)}, found ${formatShape(found)}`);
    }
    results.set(name, inputs[name]);
  }
  for (const [name, constant] of Object.entries(inferred.constants)) results.set(name, toNdArray(constant));
  const run = (node: Node): void => {
    const record = operator(node.op, node.name);
    const given = node.inputs.map((name) => (name === '' ? undefined : results.get(name)));
    const before = record.carries ? node.outputs.map((name) => results.get(name)) : [];
    const outputs = record.reference(graphContext(inferred, node, record), [...given, ...before]);
    node.outputs.forEach((name, i) => {
      if (name !== '') results.set(name, outputs[i]);
    });
  };
  const parts = loopParts(inferred);
  parts.before.forEach(run);
  if (inferred.loop) runLoop(inferred, inferred.loop, parts.inside, results, run);
  parts.behind.forEach(run);
  return Object.fromEntries(results);
}

/** Runs the nodes of a loop, once an iteration; what they carry is zero at first. */
function runLoop(graph: Graph, { index, count, max }: Loop, nodes: readonly Node[], results: Map<string, NdArray>, run: (node: Node) => void): void {
  for (const node of nodes) {
    if (!operator(node.op, node.name).carries) continue;
    for (const name of node.outputs) {
      const shape = graph.values[name]?.shape as Shape;
      if (name !== '') results.set(name, { shape, data: new Float64Array(elementCount(shape)) });
    }
  }
  const times = Math.min(Math.max(results.get(count)!.data[0], 0), max);
  for (let i = 0; i < times; i++) {
    results.set(index, { shape: [], data: Float64Array.of(i) });
    for (const node of nodes) if (node.op !== 'LoopIndex') run(node);
  }
}
