/**
 * A graph of one node, for tests of single records: by the record's `reference`, and by `lower` and the interpreter.
 */
import { interpret } from '../../codegen/ir/interpret.js';
import type { DataType } from '../../codegen/ir/datatype.js';
import { makeConstant, type Attribute, type Constant, type Graph, type Value } from '../../codegen/ir/graph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';

export interface Input {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** float32 unless said. */
  readonly dtype?: DataType;
  /** Known at compile time. */
  readonly constant?: boolean;
}

export interface Step {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Names; '' for an absent input. */
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Nodes one after the other over the given inputs; the outputs are those of the steps named. */
export function chain(inputs: Readonly<Record<string, Input>>, steps: readonly Step[], outputs: readonly string[]): Graph {
  const values: Record<string, Value> = {};
  const constants: Record<string, Constant> = {};
  for (const [name, { shape, data, dtype = 'float32', constant }] of Object.entries(inputs)) {
    values[name] = { name, shape, dtype };
    if (constant) constants[name] = makeConstant(dtype, shape, data);
  }
  for (const { output } of steps) values[output] = { name: output };
  return {
    name: 'test',
    inputs: Object.keys(inputs).filter((n) => !constants[n]),
    outputs,
    values,
    constants,
    nodes: steps.map((s, i) => ({ name: `node${i}`, op: s.op, inputs: s.inputs, outputs: [s.output], attributes: s.attributes ?? {} })),
  };
}

/** One node; its output is `y`. */
export function single(op: string, attributes: Step['attributes'], inputs: readonly (Input | undefined)[]): Graph {
  const named = Object.fromEntries(inputs.flatMap((x, i) => (x ? [[`x${i}`, x]] : [])));
  return chain(named, [{ op, attributes, inputs: inputs.map((x, i) => (x ? `x${i}` : '')), output: 'y' }], ['y']);
}

export interface Result {
  readonly shape: readonly number[];
  readonly dtype: DataType;
  readonly value: Value;
  readonly reference: readonly number[];
  readonly interpreted: readonly number[];
}

/** Infers, evaluates by `reference`, lowers and interprets; results by output name. */
export function run(graph: Graph, data: Readonly<Record<string, Input>>): Record<string, Result> {
  const inferred = infer(graph);
  const arrays = Object.fromEntries(graph.inputs.map((n) => [n, { shape: data[n].shape, data: Float64Array.from(data[n].data) }]));
  const evaluated = evaluate(graph, arrays);
  const unit = lower(inferred);
  const interpreted = interpret(unit, Object.fromEntries(graph.inputs.map((n) => [n, data[n].data])));
  return Object.fromEntries(
    graph.outputs.map((name, i) => {
      const value = inferred.values[name];
      const shape = value.shape as readonly number[];
      const result = interpreted.get(unit.program.outputs[i]) ?? [];
      return [name, { shape, dtype: value.dtype!, value, reference: Array.from(evaluated[name].data), interpreted: Array.from(result) }];
    }),
  );
}

/** Runs a graph of one node; inputs as `single` takes them. */
export function runSingle(op: string, attributes: Step['attributes'], inputs: readonly (Input | undefined)[]): Result {
  return run(single(op, attributes, inputs), Object.fromEntries(inputs.flatMap((x, i) => (x ? [[`x${i}`, x]] : [])))).y;
}
