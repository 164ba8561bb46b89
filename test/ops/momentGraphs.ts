/**
 * Graphs of the moments of one operator, for tests: by the records' references in float64, by the lowered Program in float32, and
 * by seeded Monte Carlo on the operator's own reference.
 */
import type { DataType } from '../../codegen/ir/datatype.js';
import { elementCount, makeConstant, type Attribute, type Constant, type Graph, type Value } from '../../codegen/ir/graph.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { graphContext } from '../../codegen/ops/context.js';
import { operators } from '../../codegen/ops/index.js';
import type { MomentForm, MomentPair, NdArray } from '../../codegen/ops/record.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { append, Fragment } from '../../codegen/passes/fragment.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import { Random } from '../support/random.js';

/** One input: shape and whether it is random; integers are constants. */
export interface Given {
  readonly shape: readonly number[];
  readonly random?: boolean;
  readonly mean?: readonly number[];
  readonly variance?: readonly number[];
  readonly integers?: readonly number[];
  readonly constant?: readonly number[];
  /** Of the operator's input; float32 unless said. Random integers are carried in float32. */
  readonly dtype?: DataType;
}

export interface MomentGraph {
  readonly graph: Graph;
  readonly result: MomentPair;
  /** Values of the inputs `x0`, `v0`, `x1`, ... */
  readonly inputs: Record<string, NdArray>;
  readonly node: Graph;
}

/** The graph of mean and variance of one node; a random input xi has its variance in vi. */
export function momentGraph(op: string, given: readonly Given[], attributes: Readonly<Record<string, Attribute>> = {}, seed = 1, form: MomentForm = { products: 'expanded' }): MomentGraph {
  const random = new Random(seed);
  const values: Record<string, Value> = {};
  const constants: Record<string, Constant> = {};
  const inputs: Record<string, NdArray> = {};
  const declare = (name: string, shape: readonly number[], numbers: readonly number[] | undefined, lo: number, hi: number): string => {
    values[name] = { name, shape, dtype: 'float32' };
    inputs[name] = { shape, data: Float64Array.from({ length: elementCount(shape) }, (_, i) => (numbers ? numbers[i] : random.float(lo, hi))) };
    return name;
  };
  const pairs = given.map((g, i): MomentPair => {
    if (g.integers) {
      values[`x${i}`] = { name: `x${i}`, shape: g.shape, dtype: 'int32' };
      constants[`x${i}`] = makeConstant('int32', g.shape, g.integers);
      return { mean: `x${i}` };
    }
    if (g.constant) {
      values[`x${i}`] = { name: `x${i}`, shape: g.shape, dtype: g.dtype ?? 'float32' };
      constants[`x${i}`] = makeConstant(g.dtype ?? 'float32', g.shape, g.constant);
      return { mean: `x${i}` };
    }
    const mean = declare(`x${i}`, g.shape, g.mean, -2, 2);
    return g.random ? { mean, variance: declare(`v${i}`, g.shape, g.variance, 0.05, 1.5) } : { mean };
  });
  const outputs = ['y'];
  const typed = Object.fromEntries(given.flatMap((g, i) => (g.dtype ? [[`x${i}`, { ...values[`x${i}`], dtype: g.dtype }]] : [])));
  const node = infer({
    name: 'test', inputs: Object.keys(inputs), outputs, values: { ...values, ...typed, y: { name: 'y' } }, constants,
    nodes: [{ name: 'node', op, inputs: pairs.map((p) => p.mean), outputs, attributes }],
  });
  const base: Graph = { ...node, values: { ...node.values, ...values }, nodes: [] };
  const fragment = new Fragment(base, 'moments');
  const record = operators[op];
  const result = record.moments!.rule(graphContext(node, node.nodes[0], record), pairs, fragment, form);
  const whole = append(base, fragment);
  return { graph: { ...whole, outputs: [result.mean, ...(result.variance === undefined ? [] : [result.variance])] }, result, inputs, node };
}

/** Mean and variance by the reference, float64. */
export function byReference(m: MomentGraph): { mean: Float64Array; variance?: Float64Array } {
  const found = evaluate(m.graph, m.inputs);
  return { mean: found[m.result.mean].data, variance: m.result.variance === undefined ? undefined : found[m.result.variance].data };
}

/** Mean and variance by the lowered Program, float32. */
export function byInterpreter(m: MomentGraph): { mean: Float32Array; variance: Float32Array } {
  const unit = lower(infer(m.graph));
  const found = interpret(unit, Object.fromEntries(Object.entries(m.inputs).map(([name, { data }]) => [name, data])));
  const [mean, variance] = unit.program.outputs.map((name) => found.get(name) as Float32Array);
  return { mean, variance };
}

/** Pairs of normal numbers (Box and Muller). */
export function normals(random: Random): () => number {
  let kept: number | undefined;
  return () => {
    if (kept !== undefined) {
      const last = kept;
      kept = undefined;
      return last;
    }
    const [radius, angle] = [Math.sqrt(-2 * Math.log(1 - random.next())), 2 * Math.PI * random.next()];
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

export interface Estimate {
  readonly mean: number;
  readonly variance: number;
  /** Standard errors of the two; that of the variance by the fourth moment. */
  readonly meanError: number;
  readonly varianceError: number;
}

/** How an operator takes many draws in one call. */
export interface Grow {
  /** The dimension of each input that repeats, once a draw; undefined: the same for all. */
  readonly inputs: readonly (number | undefined)[];
  readonly output: number;
  /** Attributes, given the number of draws in a call. */
  readonly attributes?: (draws: number) => Readonly<Record<string, Attribute>>;
}

/** Draws of each random number. */
export const draws = 1e6;
/** Those that one call takes where the operator takes many. */
const chunk = 4000;

const streams: Float32Array[] = [];

/** Standard normal draws of a case's n-th random number: made once, the same in every case, independent of one another's. */
function stream(n: number): Float32Array {
  const next = normals(new Random(1000 + n));
  return (streams[n] ??= Float32Array.from({ length: draws }, next));
}

/** Where element `e` of `shape` lies for draw d of `count` that repeat dimension `dim`: at `base + step * d`. */
function place(shape: readonly number[], dim: number, count: number, e: number): { base: number; step: number } {
  const step = elementCount(shape.slice(dim));
  return { base: Math.floor(e / step) * count * step + (e % step), step };
}

/**
 * Mean and variance of each output element over a million draws of all random inputs, by the operator's own reference in float64. Powers
 * are summed about `centres`, close to the means, so that nothing cancels. Without `grow`, a call takes one draw.
 */
export function monteCarlo(m: MomentGraph, centres: ArrayLike<number>, grow?: Grow): Estimate[] {
  const [node] = m.node.nodes;
  const record = operators[node.op];
  const count = grow ? chunk : 1;
  const grown = (shape: readonly number[], dim: number | undefined): readonly number[] => shape.map((extent, d) => (d === dim ? extent * count : extent));
  const values = Object.fromEntries(node.inputs.map((name, i) => [name, { ...m.node.values[name], shape: grown(m.node.values[name].shape as number[], grow?.inputs[i]) }]));
  const calls = infer({ ...m.node, inputs: node.inputs.filter((name) => !m.node.constants[name]), values: { ...values, y: { name: 'y' } }, nodes: [{ ...node, attributes: grow?.attributes?.(count) ?? node.attributes }] });
  const context = graphContext(calls, calls.nodes[0], record);
  const drawn: { readonly data: Float64Array; readonly base: number; readonly step: number; readonly mean: number; readonly deviation: number; readonly normal: Float32Array }[] = [];
  const inputs = node.inputs.map((name, i): NdArray => {
    const shape = m.node.values[name].shape as number[];
    const data = new Float64Array(elementCount(values[name].shape));
    const variances = m.inputs[`v${name.slice(1)}`]?.data;
    Array.from(m.node.constants[name]?.data ?? m.inputs[name].data, Number).forEach((mean, e) => {
      const { base, step } = place(shape, grow?.inputs[i] ?? 0, grow?.inputs[i] === undefined ? 1 : count, e);
      if (variances) drawn.push({ data, base, step, mean, deviation: Math.sqrt(variances[e]), normal: stream(drawn.length) });
      else if (grow?.inputs[i] === undefined) data[e] = mean;
      else for (let d = 0; d < count; d++) data[base + step * d] = mean;
    });
    return { shape: values[name].shape, data };
  });
  const places = Array.from(centres, (_, e) => place(m.node.values.y.shape as number[], grow?.output ?? 0, count, e));
  const powers = places.map(() => [0, 0, 0, 0]);
  for (let start = 0; start < draws; start += count) {
    for (const { data, base, step, mean, deviation, normal } of drawn) for (let d = 0; d < count; d++) data[base + step * d] = mean + deviation * normal[start + d];
    const { data } = record.reference(context, inputs)[0];
    places.forEach(({ base, step }, e) => addPowers(powers[e], data, base, step, count, centres[e]));
  }
  return powers.map((sums, e) => {
    const [a, b, c, d] = sums.map((p) => p / draws);
    const variance = b - a * a;
    const fourth = d - 4 * a * c + 6 * a * a * b - 3 * a ** 4;
    return { mean: centres[e] + a, variance, meanError: Math.sqrt(variance / draws), varianceError: Math.sqrt(Math.max(fourth - variance * variance, 0) / draws) };
  });
}

function addPowers(sums: number[], data: ArrayLike<number>, base: number, step: number, count: number, centre: number): void {
  let [first, second, third, fourth] = sums;
  for (let d = 0; d < count; d++) {
    const distance = data[base + step * d] - centre;
    const square = distance * distance;
    first += distance;
    second += square;
    third += square * distance;
    fourth += square * square;
  }
  [sums[0], sums[1], sums[2], sums[3]] = [first, second, third, fourth];
}
