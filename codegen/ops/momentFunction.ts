/**
 * Records of the moments of a function of one normal variable: mean and variance in, mean and variance out, in one kernel. Each
 * file says only what its formulas are; the reference is quadrature of the function itself.
 */
import type { Expr } from '../ir/program.js';
import type { Scope } from '../functions/scope.js';
import { pairArrays, pairKernel, pairShapes } from './momentPair.js';
import { given } from './operands.js';
import type { AttributeSchema, MomentLabel, NodeContext, OperatorRecord, Sample } from './record.js';

export interface MomentFunction {
  readonly name: string;
  readonly doc: string;
  readonly attributes?: Readonly<Record<string, AttributeSchema>>;
  /** Of references. */
  element(mean: Expr, variance: Expr, scope: Scope, context: NodeContext): { readonly mean: Expr; readonly variance: Expr };
  /** The function itself, for the reference. */
  value(x: number, context: NodeContext): number;
  /** Where it, or its slope, jumps. */
  breaks?(context: NodeContext): readonly number[];
  readonly seed: number;
  readonly tolerance: number;
  readonly cases?: readonly Omit<Sample, 'seed' | 'tolerance' | 'outputs'>[];
}

export function momentFunctionRecord(definition: MomentFunction): OperatorRecord {
  const { seed, tolerance } = definition;
  const attributes = definition.cases?.[0]?.attributes;
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 8, 17, 33].map((c, i) => ({ name: `channels ${c}`, attributes, inputs: [given([1 + 2 * (i % 2), c]), given([1 + 2 * (i % 2), c], { range: [0.01, 4] as const })] })),
    { name: 'image', attributes, inputs: [given([1, 3, 4, 5], { range: [-8, 8] }), given([1, 3, 4, 5], { range: [0.01, 16] })] },
    { name: 'no variance', attributes, inputs: [given([6], { values: [0, 1, -1, 7, -7, 0.5] }), given([6], { values: [0, 0, 0, 0, 0, 0] })] },
    ...(definition.cases ?? []),
  ];
  return {
    name: definition.name,
    doc: `${definition.doc} Internal.`,
    inputs: [{ name: 'mean' }, { name: 'variance' }],
    outputs: ['outputMean', 'outputVariance'],
    attributes: definition.attributes ?? {},
    infer: pairShapes,
    reference(context, [mean, variance]) {
      const breaks = definition.breaks?.(context) ?? [];
      const pairs = [...mean!.data].map((m, e) => momentsByQuadrature((x) => definition.value(x, context), m, variance!.data[e], breaks));
      return pairArrays(mean!.shape, pairs);
    },
    lower: (context) => pairKernel(context, ['mean', 'variance'], ([mean, variance], scope) => definition.element(mean, variance, scope, context)),
    samples: cases.map((c, i) => ({ ...c, outputs: 2, seed: seed + i, tolerance })),
  };
}

/** The `moments` of a unary operator whose random case is the operator `NAMEMoments`, with the same attributes. */
export function functionMoments(name: string, label: MomentLabel): NonNullable<OperatorRecord['moments']> {
  return {
    label,
    rule(context, [x], build) {
      if (x.variance === undefined) return { mean: build.node(name, [x.mean], context.node.attributes) };
      const [mean, variance] = build.nodes(`${name}Moments`, [x.mean, x.variance], 2, context.node.attributes);
      return { mean, variance };
    },
  };
}

/** Mean and variance of f(x), x normal: Simpson's rule over 12 standard deviations each way, piece by piece between `breaks`. */
export function momentsByQuadrature(f: (x: number) => number, mean: number, variance: number, breaks: readonly number[]): readonly [mean: number, variance: number] {
  if (variance === 0) return [f(mean), 0];
  const deviation = Math.sqrt(variance);
  const inside = breaks.map((x) => (x - mean) / deviation).filter((z) => z > -12 && z < 12).sort((a, b) => a - b);
  const edges = [-12, ...inside, 12];
  const base = f(mean);
  let [first, second] = [0, 0];
  for (let p = 0; p + 1 < edges.length; p++) {
    const [from, to] = [edges[p], edges[p + 1]];
    const steps = 2 * Math.ceil(50 * (to - from) + 4);
    for (let i = 0; i <= steps; i++) {
      // just inside the piece, where the function jumps at its ends
      const z = from + ((to - from) * Math.min(Math.max(i, 1e-9), steps - 1e-9)) / steps;
      const weight = (((i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * (to - from)) / steps / 3) * (Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI));
      const difference = f(mean + deviation * z) - base;
      first += weight * difference;
      second += weight * difference * difference;
    }
  }
  return [base + first, second - first * first];
}
