/**
 * `hoistScales`: a product with weights that are codes times a scale for each output is a product with the codes, multiplied by the
 * scale once an output. Only weights that are decoded where they are read (DecodeUniform, DecodePower, DecodeTable) have such a form.
 */
import { makeConstant, type Graph, type Node } from '../ir/graph.js';
import { Fragment } from './fragment.js';

/** By operator, which input is the scale. */
const decoders: ReadonlyMap<string, number> = new Map([['DecodeUniform', 1], ['DecodePower', 1], ['DecodeTable', 2]]);

/** Codes have up to 8 bits. */
const mostCode = 128;
const greatestFinite = 3.4028234663852886e38;

/** Takes a graph whose values are inferred. */
export function hoistScales(graph: Graph): Graph {
  const producers = new Map(graph.nodes.flatMap((n) => n.outputs.map((o): [string, Node] => [o, n])));
  const fragment = new Fragment(graph, 'codes');
  const bare = new Map<string, string>();
  const nodes: Node[] = [];

  /** A weight without its scale, and that scale. */
  const scaleOf = (name: string): { readonly node: Node; readonly values: readonly number[]; readonly axis: number; readonly isSquare: boolean } | undefined => {
    const node = producers.get(name);
    if (node?.op === 'Clip' && onlyFinite(node)) {
      const of = scaleOf(node.inputs[0]);
      // Squares of such codes are finite anyway.
      return of?.isSquare && of.values.every((s) => s * mostCode ** 2 < greatestFinite) ? of : undefined;
    }
    if (node?.op === 'Square') {
      const of = scaleOf(node.inputs[0]);
      return of && !of.isSquare ? { ...of, values: of.values.map((s) => Math.fround(s * s)), isSquare: true } : undefined;
    }
    const input = node && node.inputs[decoders.get(node.op) ?? Infinity];
    const scale = input ? (graph.constants[input] ?? fragment.constants[input]) : undefined;
    return scale && { node: node!, values: [...scale.data], axis: Number(node!.attributes.axis ?? 0), isSquare: false };
  };
  /** Keeps what overflowed finite, and nothing else. */
  const onlyFinite = ({ inputs: [, least, most] }: Node): boolean => !least && (graph.constants[most] ?? fragment.constants[most])?.data[0] === greatestFinite;
  const withoutScale = ({ op, name, inputs, outputs, attributes }: Node): string => {
    const made = bare.get(outputs[0]) ?? ((fragment.startNames(name), fragment.node(op, inputs.map((input, i) => (i === decoders.get(op) ? '' : input)), attributes)));
    bare.set(outputs[0], made);
    return made;
  };

  // Scales are applied where they are first needed, so that products of the same operands stay neighbours.
  const waiting = new Map<string, readonly Node[]>();
  const apply = (names: readonly string[]): void => {
    for (const name of names) {
      nodes.push(...(waiting.get(name) ?? []));
      waiting.delete(name);
    }
  };
  for (const node of graph.nodes) {
    apply(node.inputs);
    const axis = outputAxis(graph, node);
    const weight = axis === undefined ? undefined : scaleOf(node.inputs[1]);
    if (!weight || (weight.values.length > 1 && weight.axis !== axis)) {
      nodes.push(node);
      continue;
    }
    const first = fragment.added.length;
    const codes = withoutScale(weight.node);
    fragment.startNames(node.name);
    const operand = weight.isSquare ? fragment.node('Square', [codes]) : codes;
    const trailing = node.op === 'Conv' ? (graph.values[node.outputs[0]].shape!.length - 2) : 0;
    const scale = fragment.constant(makeConstant('float32', [weight.values.length, ...Array.from({ length: trailing }, () => 1)], weight.values));
    const product = fragment.node(node.op, [node.inputs[0], operand], node.attributes);
    const last = fragment.added.length;
    let result = fragment.node('Mul', [product, scale]);
    if (node.inputs[2]) {
      const { shape } = fragment.info(node.inputs[2]);
      const bias = trailing === 0 ? node.inputs[2] : fragment.node('Reshape', [node.inputs[2], fragment.constant(makeConstant('int64', [1 + trailing], [shape[0], ...Array.from({ length: trailing }, () => 1)]))]);
      result = fragment.node('Add', [result, bias]);
    }
    nodes.push(...fragment.added.slice(first, last));
    // The value keeps its name.
    waiting.set(node.outputs[0], [...fragment.added.slice(last, -1), { ...fragment.added[fragment.added.length - 1], outputs: [node.outputs[0]] }]);
  }
  apply([...waiting.keys()]);
  if (fragment.added.length === 0) return graph;
  return { ...graph, nodes, values: { ...graph.values, ...fragment.values }, constants: { ...graph.constants, ...fragment.constants } };
}

/** The dimension of a product's second operand that is its output; undefined where it has none of its own. */
function outputAxis(graph: Graph, { op, inputs, attributes }: Node): number | undefined {
  if (op === 'Conv') return 0;
  if (op === 'Gemm') return (attributes.beta ?? 1) === 1 ? (attributes.transB ? 0 : 1) : undefined;
  return op === 'MatMul' && graph.values[inputs[1]].shape!.length === 2 && graph.values[inputs[0]].shape!.length >= 2 ? 1 : undefined;
}
