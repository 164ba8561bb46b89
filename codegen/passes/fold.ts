/**
 * `fold`: evaluates nodes whose inputs are all constants; their results become constants.
 *
 * One node at a time, each result rounded to float32, as a float32 execution would round it (sums inside one node are
 * float64). Quantizers of constants stay unless asked for, since the pair of master weights and quantizer is what
 * `streamline` makes integer weights of.
 */
import { elementCount, type Constant, type Graph, type Node, type Shape, type Value } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { toConstant, toNdArray } from '../ops/ndarray.js';
import { describeConstant, heavyOperators, infer } from './infer.js';
import { dropUnused } from './clean.js';

/** The operators that `fold` leaves alone by default. */
const quantizers = new Set(['Quant', 'BipolarQuant', 'Trunc', 'QuantizeLinear', 'DequantizeLinear', 'Quantize', 'Requantize', 'Dequantize']);

/** Of the heavy operators, those whose work its operands bound. Windows may be larger than all operands. */
const products = new Set(['MatMul', 'Gemm']);

/** Limits of one `fold`: multiplications, and elements made. Beyond them nodes stay as they are; the result is the same. */
const maxWork = 2 ** 33;
const maxElements = 2 ** 26;

export interface FoldOptions {
  /** Also evaluate quantizers of constants. */
  readonly quantizers?: boolean;
}

/** Infers, then folds. Constants that nothing uses any more are gone, graph outputs excepted. */
export function fold(graph: Graph, options: FoldOptions = {}): Graph {
  const inferred = infer(graph, graph.batch === undefined ? {} : { batch: graph.batch });
  const constants: Record<string, Constant> = { ...inferred.constants };
  const values: Record<string, Value> = { ...inferred.values };
  const state: Graph = { ...inferred, constants, values };
  const count = (names: readonly string[]): number => names.reduce((sum, name) => sum + (name === '' ? 0 : elementCount(values[name].shape as Shape)), 0);
  const workOf = (node: Node, given: readonly string[], made: number): number =>
    !heavyOperators.has(node.op) ? made + count(given) : products.has(node.op) ? made * count(given) : Infinity;
  let [workLeft, elementsLeft] = [maxWork, maxElements];
  const nodes: Node[] = [];
  for (const node of inferred.nodes) {
    const given = node.inputs.filter((name) => name !== '');
    const made = count(node.outputs);
    const isFoldable =
      given.length > 0 &&
      given.every((name) => Object.hasOwn(constants, name)) &&
      (options.quantizers || !quantizers.has(node.op)) &&
      !operator(node.op, node.name).isCompact &&
      made <= elementsLeft &&
      workOf(node, given, made) <= workLeft;
    if (!isFoldable) {
      nodes.push(node);
      continue;
    }
    workLeft -= workOf(node, given, made);
    elementsLeft -= made;
    const record = operator(node.op, node.name);
    const results = record.reference(
      graphContext(state, node, record),
      node.inputs.map((name) => (name === '' ? undefined : toNdArray(constants[name]))),
    );
    node.outputs.forEach((name, i) => {
      if (name === '') return;
      const { dtype, annotation } = values[name];
      constants[name] = toConstant(results[i], dtype!);
      values[name] = describeConstant(name, constants[name], annotation);
    });
  }
  return dropUnused({ ...state, nodes });
}
