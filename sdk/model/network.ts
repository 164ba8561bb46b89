/**
 * `network`: layers in a row as a Graph, of which `compile` makes a module. Weights that no layer gives are zeros: a
 * skeleton, for the posterior of a file.
 *
 * Networks that branch are made as a Graph by hand, or come as ONNX.
 */
import { fail } from '../../codegen/ir/diagnostic.js';
import { elementCount, makeConstant, type Constant, type Graph, type Node, type Posterior, type Value } from '../../codegen/ir/graph.js';
import { infer } from '../../codegen/passes/infer.js';
import type { Layer, Weights } from './layers.js';

export interface NetworkOptions {
  readonly name: string;
  /** Shape of one input, without the batch: [784], [1, 28, 28]. */
  readonly input: readonly number[];
  readonly layers: readonly Layer[];
}

/**
 * A graph with the input `input` [N, ...] and the output `output`; weights are named `LAYER.weight` and `LAYER.bias`.
 *
 * @throws graph/shape where a layer does not fit what comes before it, or a weight has another number of elements.
 */
export function network({ name, input, layers }: NetworkOptions): Graph {
  let graph: Graph = { name, inputs: ['input'], outputs: ['input'], values: { input: { name: 'input', shape: ['N', ...input], dtype: 'float32' } }, constants: {}, nodes: [] };
  const counts: Record<string, number> = {};
  for (const layer of layers) {
    const kind = layer.kind === 'plain' ? layer.op.toLowerCase() : layer.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
    graph = append(graph, layer, layer.name ?? `${kind}${counts[kind]}`);
  }
  return rename(graph);
}

function append(graph: Graph, layer: Layer, name: string): Graph {
  const from = graph.outputs[0];
  const shape = infer(graph).values[from].shape as readonly number[];
  const constants: Record<string, Constant> = {};
  const posteriors: Record<string, Posterior> = {};
  const weight = (part: string, dims: readonly number[], given: Weights | undefined): string => {
    const full = `${name}.${part}`;
    if (Object.hasOwn(graph.values, full)) fail('graph/doubly-defined', full, 'two layers have this name', 'Give one of the two another name.');
    const means = given === undefined ? new Float32Array(elementCount(dims)) : 'mean' in given ? given.mean : given;
    check(full, dims, means);
    constants[full] = makeConstant('float32', dims, means);
    if (given !== undefined && 'mean' in given) {
      check(full, dims, given.deviation);
      posteriors[full] = { deviation: makeConstant('float32', dims, given.deviation) };
    }
    return full;
  };
  const inputs = [from];
  let node: Pick<Node, 'op' | 'attributes'>;
  if (layer.kind === 'dense') {
    if (shape.length !== 2) fail('graph/shape', name, `a dense layer takes [N, inputs], and it is given [${shape.join(', ')}]`, 'Put flatten() in front of it.');
    inputs.push(weight('weight', [layer.outputs, shape[1]], layer.weight));
    if (layer.bias !== false) inputs.push(weight('bias', [layer.outputs], layer.bias));
    node = { op: 'Gemm', attributes: { transB: 1 } };
  } else if (layer.kind === 'convolution') {
    const [height, width] = layer.kernel;
    if (shape.length !== 4) fail('graph/shape', name, `a convolution takes [N, channels, height, width], and it is given [${shape.join(', ')}]`);
    if (shape[1] % layer.groups !== 0) fail('graph/shape', name, `its input has ${shape[1]} channels, which ${layer.groups} groups do not divide`);
    inputs.push(weight('weight', [layer.channels, shape[1] / layer.groups, height, width], layer.weight));
    if (layer.bias !== false) inputs.push(weight('bias', [layer.channels], layer.bias));
    const [top, left] = layer.padding;
    node = { op: 'Conv', attributes: { kernel_shape: [...layer.kernel], strides: [...layer.stride], pads: [top, left, top, left], group: layer.groups } };
  } else node = { op: layer.op, attributes: layer.attributes };
  const output = `${name}.output`;
  const added: Record<string, Value> = Object.fromEntries([...Object.keys(constants), output].map((n) => [n, { name: n }]));
  const grown: Graph = {
    ...graph,
    outputs: [output],
    values: { ...graph.values, ...added },
    constants: { ...graph.constants, ...constants },
    nodes: [...graph.nodes, { ...node, name, inputs, outputs: [output] }],
    ...(Object.keys(posteriors).length > 0 ? { posteriors: { ...graph.posteriors, ...posteriors } } : {}),
  };
  infer(grown); // raises what does not fit, by the layer's name
  return grown;
}

function check(name: string, shape: readonly number[], values: ArrayLike<number>): void {
  if (values.length !== elementCount(shape)) fail('graph/shape', name, `it is [${shape.join(', ')}], ${elementCount(shape)} elements, and ${values.length} were given`);
}

/** The last value is called `output`. */
function rename(graph: Graph): Graph {
  const [last] = graph.outputs;
  if (last === 'input') fail('graph/shape', graph.name, 'a network has at least one layer');
  const { [last]: _, ...values } = graph.values;
  return {
    ...graph,
    outputs: ['output'],
    values: { ...values, output: { name: 'output' } },
    nodes: graph.nodes.map((n) => (n.outputs[0] === last ? { ...n, outputs: ['output'] } : n)),
  };
}
