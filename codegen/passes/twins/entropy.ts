/** The entropy of classes as graph nodes, in nats. */
import { intVector } from '../../ops/operands.js';
import type { FragmentBuilder } from '../../ops/record.js';

/** Probabilities [.., classes] of logits, and their entropy [..]: ln Z - sum p z with z = x - max, terms of one sign each. */
export function softmaxWithEntropy(build: FragmentBuilder, logits: string): { readonly probabilities: string; readonly entropy: string } {
  const classes = build.constant(intVector([build.info(logits).shape.length - 1]));
  const z = build.node('Sub', [logits, build.node('ReduceMax', [logits, classes], { keepdims: 1 })]);
  const power = build.node('Exp', [z]);
  const total = build.node('ReduceSum', [power, classes], { keepdims: 1 });
  const probabilities = build.node('Div', [power, total]);
  const mean = build.node('ReduceSum', [build.node('Mul', [probabilities, z]), classes], { keepdims: 1 });
  return { probabilities, entropy: build.node('Squeeze', [build.node('Sub', [build.node('Log', [total]), mean]), classes]) };
}
