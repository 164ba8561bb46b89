/**
 * Every record's `gradient`, on its own float32 samples: the cotangents' inner product with random directions against
 * central differences of the reference, and the gradient's nodes through `lower` and the interpreter.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elementCount, makeConstant, type Constant, type Graph, type Value } from '../../codegen/ir/graph.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { graphContext } from '../../codegen/ops/context.js';
import { operators } from '../../codegen/ops/index.js';
import type { NdArray, OperatorRecord, Sample } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { expand } from '../../codegen/passes/expand.js';
import { append, Fragment } from '../../codegen/passes/fragment.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import { Random } from '../support/random.js';

const STEP = 1e-5;

/** The node of a sample with all its float32 inputs given at run time, so that each can be moved. */
function nodeGraph(record: OperatorRecord, sample: Sample): Graph {
  const values: Record<string, Value> = { y: { name: 'y' } };
  const constants: Record<string, Constant> = {};
  const names = sample.inputs.map((input, i) => {
    if (input.absent) return '';
    const [name, dtype] = [`x${i}`, input.dtype ?? 'float32'];
    values[name] = { name, shape: input.shape, dtype };
    if (dtype !== 'float32') constants[name] = makeConstant(dtype, input.shape, input.values!);
    return name;
  });
  return infer({
    name: 'test', inputs: names.filter((n) => n !== '' && !constants[n]), outputs: ['y'], values, constants,
    nodes: [{ name: 'node', op: record.name, inputs: names, outputs: ['y'], attributes: sample.attributes ?? {} }],
  });
}

/** The graph that gives the cotangent of every input, with the input `dy` added. */
function gradientGraph(record: OperatorRecord, graph: Graph): { graph: Graph; cotangents: readonly (string | undefined)[] } {
  const { shape } = graph.values.y;
  const whole: Graph = { ...graph, inputs: [...graph.inputs, 'dy'], values: { ...graph.values, dy: { name: 'dy', shape, dtype: 'float32' } } };
  const fragment = new Fragment(whole, 'gradient');
  const node = whole.nodes[0];
  const cotangents = record.gradient!(graphContext(whole, node, record), [whole.values.y], ['dy'], fragment);
  return { graph: { ...append(whole, fragment), outputs: cotangents.filter((c): c is string => c !== undefined) }, cotangents };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((total, v, i) => total + v * b[i], 0);

function check(record: OperatorRecord, sample: Sample): void {
  const random = new Random(sample.seed);
  const graph = nodeGraph(record, sample);
  const draw = (shape: readonly number[], [lo, hi]: readonly [number, number] = [-2, 2]): NdArray => ({
    // float32 values, so that the interpreter sees the same; not within a step of 0, where Relu has a kink
    shape, data: Float64Array.from({ length: elementCount(shape) }, () => random.float(lo, hi) || 1),
  });
  const inputs = Object.fromEntries(graph.inputs.map((name) => [name, draw(graph.values[name].shape as number[], sample.inputs[Number(name.slice(1))].range)]));
  const dy = draw(graph.values.y.shape as number[]);
  const { graph: whole, cotangents } = gradientGraph(record, graph);
  const result = evaluate(whole, { ...inputs, dy });
  const lowered = lower(expand(infer(whole)));
  const interpreted = interpret(lowered, Object.fromEntries(Object.entries({ ...inputs, dy }).map(([name, { data }]) => [name, data])));

  graph.nodes[0].inputs.forEach((name, i) => {
    if (!graph.inputs.includes(name)) return;
    const cotangent = cotangents[i];
    // no cotangent: the output must not depend on that input
    const found = cotangent === undefined ? { shape: inputs[name].shape, data: new Float64Array(inputs[name].data.length) } : result[cotangent];
    assert.equal([...found.shape], [...inputs[name].shape], `${record.name} / ${sample.name}: shape of the cotangent of ${name}`);
    const direction = Float64Array.from(inputs[name].data, () => random.next() * 2 - 1);
    const loss = (sign: number): number => {
      const moved = { shape: inputs[name].shape, data: inputs[name].data.map((v, e) => v + sign * STEP * direction[e]) };
      return dot(evaluate(graph, { ...inputs, [name]: moved }).y.data, dy.data);
    };
    const difference = (loss(1) - loss(-1)) / (2 * STEP);
    const expected = dot(found.data, direction);
    const scale = Math.max(1, Math.sqrt(dot(found.data, found.data)));
    assert.ok(Math.abs(difference - expected) <= 1e-6 * scale, `${record.name} / ${sample.name}: along ${name} the difference is ${difference} and the gradient gives ${expected}`);

    if (cotangent === undefined) return;
    const output = lowered.program.outputs[whole.outputs.indexOf(cotangent)];
    const largest = Math.max(1, ...Array.from(found.data, Math.abs));
    interpreted.get(output)!.forEach((v, e) => {
      assert.ok(Math.abs(v - found.data[e]) <= 1e-5 * largest, `${record.name} / ${sample.name}: element ${e} of the cotangent of ${name} is ${v}, and ${found.data[e]} by reference`);
    });
  });
}

const withGradient = Object.values(operators).filter((r) => r.gradient);

test('at least dense, convolution, relu and add have a gradient', () => {
  for (const name of ['MatMul', 'Gemm', 'Conv', 'Relu', 'Add']) assert.ok(operators[name].gradient, name);
});

for (const record of withGradient) {
  test(`${record.name}: gradient against central differences`, () => {
    // integers only where they are known at compile time (shapes, axes); no special values, which have no differences
    const samples = record.samples.filter((s) => !s.inputs[0].dtype && !s.inputs[0].values && s.inputs.every((i) => !i.dtype || (i.constant && i.values)));
    assert.ok(samples.length > 0);
    for (const sample of samples) check(record, sample);
  });
}

test.run();
