/**
 * Checks that a Graph is one: every value defined once and before its use, names that belong together, constants that
 * fit their shapes. Not shapes and types of operators: `infer` asks the records.
 */
import { parseDataType } from './datatype.js';
import { fail, suggest } from './diagnostic.js';
import { elementCount, formatShape, type Graph, type Loop, type Posterior } from './graph.js';

/**
 * Raises graph/doubly-defined, graph/missing-tensor, graph/data-type, graph/shape, graph/loop and graph/posterior. Importers check what they read; this is
 * for graphs that come from elsewhere, before any pass sees them.
 */
export function verifyGraph(graph: Graph): void {
  const defined = new Set<string>();
  const define = (name: string, by: string): void => {
    if (defined.has(name)) fail('graph/doubly-defined', name, `${by} defines this tensor, which is defined already`, 'Give one of the two another name.');
    if (!Object.hasOwn(graph.values, name)) fail('graph/missing-tensor', name, `${by} defines this tensor, but graph.values does not list it`, 'Add it to graph.values.');
    defined.add(name);
  };
  graph.inputs.forEach((name) => define(name, 'the graph\'s interface'));
  for (const [name, c] of Object.entries(graph.constants)) {
    define(name, 'a constant');
    if (!parseDataType(c.dtype)) fail('graph/data-type', name, `"${c.dtype}" is not a data type`, 'Data types are float32, intN, uintN, bipolar, ternary, fixed<W,I> and scaledint<N>.');
    if (c.data.length !== elementCount(c.shape)) {
      fail('graph/shape', name, `the constant has ${c.data.length} elements, and its shape ${formatShape(c.shape)} holds ${elementCount(c.shape)}`, 'Give it as many elements as its shape holds.');
    }
  }
  for (const name of Object.keys(graph.posteriors ?? {})) verifyPosterior(graph, name);
  const names = new Set<string>();
  for (const node of graph.nodes) {
    if (names.has(node.name)) fail('graph/doubly-defined', node.name, 'two nodes have this name', 'Give one of the two another name.');
    names.add(node.name);
    for (const input of node.inputs) {
      if (input !== '' && !defined.has(input)) {
        fail('graph/missing-tensor', node.name, `${node.op} takes "${input}", which nothing before it defines`, suggest(input, [...defined], 'tensor'));
      }
    }
    node.outputs.forEach((name) => name !== '' && define(name, `the node "${node.name}"`));
  }
  if (graph.loop) verifyLoop(graph, graph.loop);
  for (const name of graph.outputs) {
    if (!defined.has(name)) fail('graph/missing-tensor', name, 'nothing defines this output of the graph', suggest(name, [...defined], 'tensor'));
  }
}

function verifyLoop(graph: Graph, { index, count, max }: Loop): void {
  const refuse = (at: string, message: string, advice: string): never => fail('graph/loop', at, message, advice);
  if (!graph.nodes.some((n) => n.op === 'LoopIndex' && n.outputs[0] === index)) refuse(index, 'the index of the graph\'s loop is no output of a node LoopIndex', 'Add that node.');
  const value = graph.inputs.includes(count) ? graph.values[count] : undefined;
  if (value?.dtype !== 'int32' || value.shape?.some((d) => d !== 1)) refuse(count, 'the count of the graph\'s loop is no int32 input of one element', 'Make it one.');
  if (!Number.isInteger(max) || max < 1) refuse(count, `the graph's loop runs at most ${max} times`, 'Give a whole number from 1 on.');
}

function verifyPosterior(graph: Graph, name: string): void {
  const { deviation }: Posterior = graph.posteriors![name];
  const refuse = (message: string, advice: string): never => fail('graph/posterior', name, message, advice);
  if (!Object.hasOwn(graph.constants, name)) {
    refuse('this tensor has a standard deviation, and is no constant of the graph', suggest(name, Object.keys(graph.constants), 'weight'));
  }
  const mean = graph.constants[name];
  if (mean.dtype !== 'float32') refuse(`this weight is ${mean.dtype}, and only float32 weights can be random`, 'Give its standard deviation to the float32 weight, or remove it.');
  if (deviation.dtype !== 'float32' || formatShape(deviation.shape) !== formatShape(mean.shape) || deviation.data.length !== mean.data.length) {
    refuse(`the mean is float32 ${formatShape(mean.shape)} and the standard deviation ${deviation.dtype} ${formatShape(deviation.shape)}`, 'Give one standard deviation for each mean.');
  }
  // its square is the variance, in float32
  const bad = deviation.data.findIndex((s) => !(s >= 0 && Math.fround(s * s) < Infinity));
  if (bad >= 0) refuse(`the standard deviation of element ${bad} is ${deviation.data[bad]}`, 'Standard deviations are finite and not negative; a network that stores something else (log variances, values before softplus) must be converted.');
  const wrong = mean.data.findIndex((m) => !Number.isFinite(m));
  if (wrong >= 0) refuse(`the mean of element ${wrong} is ${mean.data[wrong]}`, 'Means must be finite.');
}
