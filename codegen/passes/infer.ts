/**
 * `infer`: fixes the batch and fills shape, data type, range and annotation of every value.
 *
 * Shape arithmetic (Shape, and integer operators on constants) is evaluated on the way, so that Reshape sees its shape;
 * its nodes are then gone. Floating-point constants are not folded here (see fold.ts). Each operator's rule is in its
 * record; this file is the walk.
 */
import { describe, isInteger } from '../ir/datatype.js';
import type { DataType } from '../ir/datatype.js';
import { DiagnosticError, fail, suggest } from '../ir/diagnostic.js';
import { elementCount, formatShape, makeConstant } from '../ir/graph.js';
import type { Constant, Dim, Graph, Node, Shape, Value } from '../ir/graph.js';
import { nodeContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { toConstant, toNdArray } from '../ops/ndarray.js';
import type { Inferred, NodeContext, ValueInfo } from '../ops/record.js';

/** Tensors beyond this many elements are refused: no allocation follows from a few hostile bytes. */
export const maxElements = 2 ** 28;

/** Tensors of more dimensions than this are refused. */
export const maxRank = 16;

/** Operators that, on integer constants, compute with shapes. */
const shapeArithmetic = new Set(['Gather', 'Concat', 'Unsqueeze', 'Squeeze', 'Slice', 'Reshape', 'Identity', 'Add', 'Sub', 'Mul', 'Div', 'Transpose', 'Flatten']);

/** Operators whose work is more than their elements: a few hostile bytes must not keep a compiler busy. */
export const heavyOperators: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'SumPool']);

/** Elements of float constants that are evaluated while shapes are inferred, in all. */
const maxKnown = 2 ** 22;

export interface Batch {
  /** The model's own batch: a name where it is symbolic, undefined where the inputs have none in common. */
  readonly size: number | string | undefined;
  /** The graph inputs whose first dimension it is. */
  readonly inputs: readonly string[];
}

/**
 * Which dimension is the batch: the first one of an input where it is a name; else where it is 1; else where all inputs
 * agree in it. Once fixed (`graph.batch`), the first dimension of every input that has that extent. Inputs that say how to run have none.
 */
export function batchOf(graph: Graph): Batch {
  const leads = graph.inputs.filter((name) => !graph.values[name]?.control).map((name) => [name, graph.values[name]?.shape?.[0]] as const).filter(([, d]) => d !== undefined);
  const named = leads.find(([, d]) => typeof d === 'string');
  const pick = (test: (d: Dim) => boolean): string[] => leads.filter(([, d]) => test(d as Dim)).map(([name]) => name);
  if (named) return { size: named[1], inputs: pick((d) => typeof d === 'string') };
  const size = graph.batch ?? (leads.some(([, d]) => d === 1) ? 1 : leads[0]?.[1]);
  if (leads.length === 0 || (size !== 1 && graph.batch === undefined && leads.some(([, d]) => d !== size))) return { size: undefined, inputs: [] };
  return { size, inputs: pick((d) => d === size) };
}

/**
 * The graph with every shape, data type, range and annotation known, for one batch (default: the graph's own; 1 where it
 * is symbolic). Raises the diagnostics of the records, and graph/dynamic-shape, graph/shape, graph/too-large.
 */
export function infer(graph: Graph, options: { batch?: number } = {}): Graph {
  const own = batchOf(graph);
  const batch = chooseBatch(own, options.batch);
  const batched = new Set(own.inputs);
  const constants = new Map(Object.entries(graph.constants));
  const infos = new Map<string, ValueInfo>();
  const values = new Map<string, Value>();
  const define = (value: Value, constant?: Constant): void => {
    values.set(value.name, value);
    infos.set(value.name, { name: value.name, shape: value.shape as Shape, dtype: value.dtype!, annotation: value.annotation, range: value.range, constant });
  };

  for (const name of graph.inputs) {
    const value = graph.values[name];
    define(describeInput(value, batched.has(name) ? batch : undefined));
  }
  for (const [name, constant] of constants) define(describeConstant(name, constant, graph.values[name]?.annotation), constant);

  const nodes: Node[] = [];
  let budget = maxKnown;
  for (const original of graph.nodes) {
    const record = operator(original.op, original.name);
    let node = original;
    if (node.op === 'Reshape' && typeof own.size !== 'undefined') {
      node = rebatch(node, infos, typeof own.size === 'number' ? own.size : 1, batch!, (name, constant) => {
        const fresh = uniqueName(name, (n) => values.has(n) || Object.hasOwn(graph.values, n));
        constants.set(fresh, constant);
        define(describeConstant(fresh, constant, undefined), constant);
        return fresh;
      });
    }
    const context = nodeContext(
      node,
      record,
      node.inputs.map((name) => (name === '' ? undefined : known(infos, name, node))),
    );
    const inferred = record.infer(context);
    checkInferred(node, inferred);

    const results = evaluateConstants(node, context, inferred, budget);
    if (results) budget -= results.reduce((sum, r) => sum + r.data.length, 0);
    const isShape = results !== undefined && isShapeArithmetic(node, context);
    node.outputs.forEach((name, i) => {
      if (name === '') return;
      if (isShape) {
        constants.set(name, results[i]);
        define(describeConstant(name, results[i], undefined), results[i]);
      } else {
        const { shape, dtype, annotation, range } = inferred[i];
        define({ name, shape, dtype, ...(annotation && { annotation }), ...(range && { range }) }, results?.[i]);
      }
    });
    if (!isShape) nodes.push(node);
  }
  for (const name of graph.outputs) {
    if (!values.has(name)) fail('graph/missing-tensor', name, 'nothing defines this output of the graph', suggest(name, [...values.keys()], 'tensor'));
  }
  return {
    ...graph,
    values: Object.fromEntries(values),
    constants: Object.fromEntries(constants),
    nodes,
    ...(batch === undefined ? {} : { batch }),
  };
}

/**
 * Shapes with the batch as a name, where it may vary: `['N', 10]`, `['4*N', 3]`. Found by inferring for two batches and
 * comparing, so a dimension is said to depend on the batch only if it does. A graph that takes no other batch than its
 * own (see `infer`) gives the fixed shapes. `at`: the inferred graph for a batch, where it is not `infer` alone that makes it.
 */
export function symbolicShapes(graph: Graph, at: (batch?: number) => Graph = (batch) => infer(graph, { batch })): Record<string, readonly Dim[]> {
  const { size } = batchOf(graph);
  const symbol = typeof size === 'string' ? size : 'N';
  const [few, many] = [5, 7];
  let low: Graph, high: Graph;
  try {
    [low, high] = [at(few), at(many)];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const fixed = at();
    return Object.fromEntries(Object.values(fixed.values).map((v) => [v.name, v.shape!]));
  }
  const shapes = Object.values(low.values).map((value): [string, readonly Dim[]] => {
    const other = high.values[value.name]?.shape;
    const dims = (value.shape as Shape).map((a, d) => {
      const b = (other?.[d] as number | undefined) ?? a;
      const slope = (b - a) / (many - few);
      const rest = a - slope * few;
      return slope === 0 ? a : `${slope === 1 ? '' : `${slope}*`}${symbol}${rest === 0 ? '' : rest > 0 ? `+${rest}` : rest}`;
    });
    return [value.name, dims];
  });
  return Object.fromEntries(shapes);
}

/** What is known of a constant: its type, and for integers the range of its elements. */
export function describeConstant(name: string, constant: Constant, annotation: DataType | undefined): Value {
  if (annotation) checkAnnotation(name, constant, annotation);
  const range = isInteger(constant.dtype) && constant.data.length > 0 ? extremes(constant.data) : undefined;
  return { name, shape: constant.shape, dtype: constant.dtype, ...(annotation && { annotation }), ...(range && { range }) };
}

function extremes(data: ArrayLike<number>): readonly [number, number] {
  let min = data[0];
  let max = data[0];
  for (let i = 1; i < data.length; i++) {
    if (data[i] < min) min = data[i];
    if (data[i] > max) max = data[i];
  }
  return [min, max];
}

function checkAnnotation(name: string, constant: Constant, annotation: DataType): void {
  const { min, max, step } = describe(annotation);
  if (step === 0) return;
  const bad = constant.data.find((x) => !(x >= min && x <= max && Number.isInteger((x - min) / step)));
  if (bad !== undefined) {
    fail('graph/data-type', name, `this constant is annotated as ${annotation}, but holds ${bad}`, 'Correct or remove the annotation.');
  }
}

function chooseBatch(own: Batch, wanted: number | undefined): number | undefined {
  if (wanted === undefined) return typeof own.size === 'string' ? 1 : own.size;
  if (!Number.isInteger(wanted) || wanted < 1) fail('graph/shape', undefined, `a batch must be a positive integer, found ${wanted}`);
  if (own.size === undefined) {
    fail('graph/dynamic-shape', undefined, `this model has no batch that could become ${wanted}`, 'The first dimensions of its inputs differ.', 'Leave the batch as it is.');
  }
  return wanted;
}

function describeInput(value: Value, batch: number | undefined): Value {
  if (!value.shape) fail('graph/dynamic-shape', value.name, 'this input has no shape', 'Export the model with fixed shapes.');
  const shape = value.shape.map((d, i) => {
    if (i === 0 && batch !== undefined) return batch;
    if (typeof d === 'number') return d;
    return fail(
      'graph/dynamic-shape',
      value.name,
      `dimension ${i} of this input is "${d}", which is not fixed; its shape is ${formatShape(value.shape!)}`,
      'Only the first dimension, the batch, may be symbolic.',
      'Export the model with this dimension fixed.',
    );
  });
  checkSize(value.name, shape);
  const dtype = value.dtype ?? 'float32';
  const range = isInteger(dtype) ? (value.range ?? ([describe(dtype).min, describe(dtype).max] as const)) : undefined;
  return { ...value, shape, dtype, ...(range && { range }) };
}

function known(infos: ReadonlyMap<string, ValueInfo>, name: string, node: Node): ValueInfo {
  const info = infos.get(name);
  if (!info) fail('graph/missing-tensor', node.name, `${node.op} takes "${name}", which nothing defines before it`, suggest(name, [...infos.keys()], 'tensor'));
  return info;
}

function checkSize(name: string, shape: readonly number[]): void {
  if (shape.length > maxRank) fail('graph/too-large', name, `a tensor has ${shape.length} dimensions; at most ${maxRank} are supported`, 'Reshape it.');
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 1) fail('graph/shape', name, `every dimension must be at least 1, but the shape is ${formatShape(shape)}`);
  }
  if (elementCount(shape) > maxElements) {
    fail('graph/too-large', name, `a tensor of shape ${formatShape(shape)} has more than 2^28 elements`, 'Use a smaller batch or model.');
  }
}

function checkInferred(node: Node, inferred: readonly Inferred[]): void {
  node.outputs.forEach((name, i) => {
    if (name === '') return;
    if (!inferred[i]) fail('graph/unsupported', node.name, `output ${i} of ${node.op} ("${name}") is not supported`);
    if (inferred[i].shape.includes(0) && inferred[i].shape.every((d) => d >= 0)) {
      fail('graph/shape', node.name, `${node.op} would make an empty tensor, shape ${formatShape(inferred[i].shape)}`);
    }
    checkSize(node.name, inferred[i].shape);
  });
}

function isShapeArithmetic(node: Node, context: NodeContext): boolean {
  if (node.op === 'Shape' || node.op === 'Constant') return true;
  return shapeArithmetic.has(node.op) && context.inputs.every((x) => !x || isInteger(x.dtype));
}

/**
 * The results of a node that is known here: of Shape, and of small nodes on constants. Later nodes may need them to be
 * inferred (shapes, bit widths). ONNX keeps the type, so arithmetic on int32 gives int32.
 */
function evaluateConstants(node: Node, context: NodeContext, inferred: readonly Inferred[], budget: number): readonly Constant[] | undefined {
  const inputs = context.inputs.filter((x) => x !== undefined);
  const isSmall = [...inputs, ...inferred].every((x) => elementCount(x.shape) <= Math.min(4096, budget));
  const isKnown = inputs.length > 0 && inputs.every((x) => x.constant) && isSmall && !heavyOperators.has(node.op);
  if (node.op !== 'Shape' && node.op !== 'Constant' && !isKnown) return undefined;
  const results = operator(node.op, node.name).reference(
    context,
    context.inputs.map((x) => (x?.constant ? toNdArray(x.constant) : undefined)),
  );
  return results.map((r, i) => {
    const keepsType = shapeArithmetic.has(node.op) && inputs.every((x) => x.dtype === 'int32') && r.data.every((x) => x === (x | 0));
    return toConstant(r, keepsType ? 'int32' : inferred[i].dtype);
  });
}

/**
 * Models exported for one batch bake it into the shapes of Reshape: [1, 784]. Where the input's first dimension is the
 * new batch and the shape's first entry the old one, the entry is replaced.
 */
function rebatch(node: Node, infos: ReadonlyMap<string, ValueInfo>, old: number, batch: number, add: (name: string, shape: Constant) => string): Node {
  const data = infos.get(node.inputs[0]);
  const target = infos.get(node.inputs[1])?.constant;
  if (old === batch || !data || !target || data.constant || data.shape[0] !== batch || target.data[0] !== old) return node;
  const entries = [...target.data];
  const product = entries.reduce((a, b, i) => a * (b === 0 ? (data.shape[i] ?? 0) : b), 1);
  if (!entries.includes(-1) && product === elementCount(data.shape)) return node;
  entries[0] = batch;
  const name = add(`${node.inputs[1]}_batch${batch}`, makeConstant(target.dtype, target.shape, entries));
  return { ...node, inputs: [node.inputs[0], name, ...node.inputs.slice(2)] };
}

function uniqueName(wanted: string, taken: (name: string) => boolean): string {
  let name = wanted;
  for (let i = 1; taken(name); i++) name = `${wanted}_${i}`;
  return name;
}
