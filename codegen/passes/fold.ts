/**
 * `fold`: evaluates nodes whose inputs are all constants; their results become constants.
 *
 * One node at a time, each result rounded to float32, as a float32 execution would round it (sums inside one node are
 * float64). Quantizers of constants stay unless asked for, since the pair of master weights and quantizer is what
 * `streamline` makes integer weights of.
 */
import type { Constant, Graph, Node, Shape, Value } from '../ir/graph.js';
import { graphContext } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { toConstant, toNdArray } from '../ops/ndarray.js';
import { describeConstant, infer, isCheap } from './infer.js';
import { dropUnused } from './clean.js';

/** The operators that `fold` leaves alone by default. */
const quantizers = new Set(['Quant', 'BipolarQuant', 'Trunc', 'QuantizeLinear', 'DequantizeLinear', 'Quantize', 'Requantize', 'Dequantize']);

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
  const shapesOf = (names: readonly string[]): readonly Shape[] => names.map((name) => values[name].shape as Shape);
  const nodes: Node[] = [];
  for (const node of inferred.nodes) {
    const given = node.inputs.filter((name) => name !== '');
    const isFoldable =
      given.length > 0 &&
      given.every((name) => Object.hasOwn(constants, name)) &&
      (options.quantizers || !quantizers.has(node.op)) &&
      isCheap(node.op, shapesOf(given), shapesOf(node.outputs.filter((name) => name !== '')));
    if (!isFoldable) {
      nodes.push(node);
      continue;
    }
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
