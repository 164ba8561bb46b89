/**
 * `foldBatchNormalization`: batch normalization after a float layer goes into the layer's weights and bias. Computed in
 * float64, rounded once. Not for quantized weights: there it goes into the requantization (streamline.ts).
 */
import { makeConstant, type Attribute, type Constant, type Graph, type Node, type Value } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { dropUnused } from './clean.js';
import { describeConstant, infer } from './infer.js';
import { alongAxis, normalizationFactors, type Channelled } from './integerValue.js';

/**
 * The graph with every BatchNormalization folded whose input is made by a Conv, Gemm or MatMul with constant float32
 * weights (and bias) and has no other consumer. The others stay. Conv and Gemm get a bias; MatMul an Add after it.
 */
export function foldBatchNormalization(graph: Graph): Graph {
  const inferred = infer(graph, graph.batch === undefined ? {} : { batch: graph.batch });
  const constants: Record<string, Constant> = { ...inferred.constants };
  const values: Record<string, Value> = { ...inferred.values };
  const uses = new Map<string, number>();
  for (const name of [...inferred.outputs, ...inferred.nodes.flatMap((n) => n.inputs)]) uses.set(name, (uses.get(name) ?? 0) + 1);
  const addConstant = (hint: string, constant: Constant): string => {
    let name = hint;
    for (let i = 2; Object.hasOwn(values, name); i++) name = `${hint}_${i}`;
    constants[name] = constant;
    values[name] = describeConstant(name, constant, undefined);
    return name;
  };

  let nodes = [...inferred.nodes];
  for (const normalization of inferred.nodes) {
    if (normalization.op !== 'BatchNormalization' || normalization.outputs.slice(1).some((name) => name !== '')) continue;
    const [x, ...parameters] = normalization.inputs;
    const layer = nodes.find((n) => n.outputs[0] === x);
    if (!layer || uses.get(x) !== 1 || !parameters.every((name) => Object.hasOwn(constants, name))) continue;
    const epsilon = graphContext(inferred, normalization, operator('BatchNormalization', normalization.name)).float('epsilon');
    const factors = normalizationFactors(parameters.map((name) => constants[name]), epsilon);
    const folded = foldInto(inferred, layer, normalization, factors, addConstant);
    if (folded) nodes = nodes.flatMap((n) => (n === layer ? folded : n === normalization ? [] : [n]));
  }
  return infer(dropUnused({ ...inferred, nodes, constants, values }), inferred.batch === undefined ? {} : { batch: inferred.batch });
}

interface Factors {
  readonly factor: Float64Array;
  readonly addend: Float64Array;
}

/** The layer with the normalization in its weights; undefined where it has no such form. */
function foldInto(graph: Graph, layer: Node, normalization: Node, { factor, addend }: Factors, addConstant: (hint: string, constant: Constant) => string): readonly Node[] | undefined {
  const place = weightPlace(graph, layer);
  const weights = place && constantOf(graph, layer.inputs[1]);
  if (!place || !weights || weights.shape[place.axis] !== factor.length) return undefined;
  const bias = layer.inputs[2] ? constantOf(graph, layer.inputs[2]) : undefined;
  if (layer.inputs[2] && !bias) return undefined;
  const shape = place.outputShape;
  const old: Channelled | undefined = bias ? alongAxis(bias, shape) : { axis: -1, values: Float64Array.of(0) };
  if (!old || (old.axis >= 0 && old.axis !== place.outputAxis)) return undefined;

  const inner = weights.shape.slice(place.axis + 1).reduce((a, b) => a * b, 1);
  const scaled = Float32Array.from(weights.data, (w, i) => w * factor[Math.floor(i / inner) % factor.length]);
  const added = Float32Array.from(addend, (d, o) => d + factor[o] * place.beta * old.values[old.axis < 0 ? 0 : o]);
  const w = addConstant(`${layer.inputs[1]}_normalized`, { ...weights, data: scaled });
  const b = addConstant(`${layer.inputs[2] || layer.inputs[1]}_bias_normalized`, makeConstant('float32', [added.length], added));
  const [y] = normalization.outputs;
  if (layer.op === 'MatMul') {
    return [
      { ...layer, inputs: [layer.inputs[0], w] },
      { name: normalization.name, op: 'Add', inputs: [layer.outputs[0], b], outputs: [y], attributes: {} },
    ];
  }
  const attributes: Record<string, Attribute> = { ...layer.attributes };
  delete attributes.beta;
  return [{ ...layer, inputs: [layer.inputs[0], w, b], outputs: [y], attributes }];
}

interface Place {
  /** The output channels in the weights. */
  readonly axis: number;
  /** To which the bias broadcasts, and the output channels in it. */
  readonly outputShape: readonly number[];
  readonly outputAxis: number;
  /** Factor of the old bias. */
  readonly beta: number;
}

function weightPlace(graph: Graph, layer: Node): Place | undefined {
  const shape = graph.values[layer.outputs[0]].shape as readonly number[];
  if (layer.op === 'Conv') return { axis: 0, outputShape: [shape[1]], outputAxis: 0, beta: 1 };
  if (layer.op === 'Gemm') {
    const context = graphContext(graph, layer, operator('Gemm', layer.name));
    return { axis: context.int('transB') ? 0 : 1, outputShape: shape, outputAxis: 1, beta: context.float('beta') };
  }
  // A normalization is about dimension 1, which the columns are only in a matrix.
  if (layer.op === 'MatMul' && shape.length === 2) return { axis: 1, outputShape: shape, outputAxis: 1, beta: 1 };
  return undefined;
}

function constantOf(graph: Graph, name: string): Constant | undefined {
  const constant = Object.hasOwn(graph.constants, name) ? graph.constants[name] : undefined;
  return constant?.dtype === 'float32' ? constant : undefined;
}
