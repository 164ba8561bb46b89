/**
 * `peelHead`: takes the closing Softmax, LogSoftmax or ArgMax off a classifier, whose logits then get the uncertainty head;
 * `classHead`: that head, from the logits' means and variances.
 */
import type { Graph } from '../../ir/graph.js';
import type { FragmentBuilder } from '../../ops/record.js';
import { dropUnused } from '../clean.js';

const closing: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'ArgMax', 'Identity', 'Dropout']);

/**
 * The graph that gives its logits where it gave probabilities or a class of [N, classes] logits; undefined where it has several
 * outputs, or ends in anything else. Takes an inferred graph.
 */
export function peelHead(graph: Graph): Graph | undefined {
  if (graph.outputs.length !== 1) return undefined;
  let [logits] = graph.outputs;
  let peeled = false;
  for (;;) {
    const node = graph.nodes.find((n) => n.outputs.includes(logits));
    if (!node || !closing.has(node.op)) break;
    const rank = graph.values[node.inputs[0]].shape!.length;
    const axis = node.op === 'ArgMax' ? (node.attributes.axis ?? 0) : (node.attributes.axis ?? -1);
    if (node.op !== 'Identity' && node.op !== 'Dropout') {
      if (rank !== 2 || (axis !== 1 && axis !== -1)) break;
      peeled = true;
    }
    logits = node.inputs[0];
  }
  return peeled ? dropUnused({ ...graph, outputs: [logits] }) : undefined;
}

/**
 * The expected probabilities of classes with normal logits, [N, classes]: softmax(mean / sqrt(1 + pi variance / 8)), which is
 * MacKay's approximation (1992, eq. 10) for each logit apart.
 */
export function expectedProbabilities(build: FragmentBuilder, mean: string, variance: string | undefined): string {
  if (variance === undefined) return build.node('Softmax', [mean], { axis: -1 });
  const spread = build.node('Add', [build.node('Mul', [variance, build.scalar(Math.PI / 8)]), build.scalar(1)]);
  return build.node('Softmax', [build.node('Div', [mean, build.node('Sqrt', [spread])])], { axis: -1 });
}
