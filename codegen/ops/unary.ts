/** Records of float32 functions of one element: exp, sigmoid, tanh, sqrt ... Each file says only what its function is. */
import type { Expr } from '../ir/program.js';
import type { Scope } from '../functions/scope.js';
import { elementwise, referenceElementwise } from './elementwise.js';
import { floatOutput, given, operandKind } from './operands.js';
import type { AttributeSchema, NodeContext, OperatorRecord, Sample } from './record.js';

export interface FunctionDefinition {
  readonly name: string;
  readonly doc: string;
  readonly attributes?: Readonly<Record<string, AttributeSchema>>;
  /** The value of one element; `x` is a reference or a load, and may be used often. */
  element(x: Expr, scope: Scope, context: NodeContext): Expr;
  reference(x: number, context: NodeContext): number;
  readonly seed: number;
  readonly tolerance: number;
  /** Samples are drawn from each. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly specials: readonly number[];
  readonly cases?: readonly Omit<Sample, 'seed' | 'tolerance'>[];
}

export function functionRecord(definition: FunctionDefinition): OperatorRecord {
  const { seed, tolerance } = definition;
  const cases: Omit<Sample, 'seed' | 'tolerance'>[] = [
    ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33].map((c, i) => ({
      name: `channels ${c}`, inputs: [given([1 + 2 * (i % 2), c], { range: definition.ranges[i % definition.ranges.length] })],
    })),
    { name: 'image', inputs: [given([1, 3, 4, 5], { range: definition.ranges[0] })] },
    { name: 'scalar', inputs: [given([], { range: definition.ranges[0] })] },
    { name: 'specials', inputs: [given([definition.specials.length], { values: definition.specials })] },
    ...(definition.cases ?? []),
  ];
  return {
    name: definition.name,
    doc: `${definition.doc} y has the shape of x.`,
    inputs: [{ name: 'X' }],
    outputs: ['Y'],
    attributes: definition.attributes ?? {},
    infer(context) {
      operandKind(context, [0], false);
      return [floatOutput(context.input(0).shape)];
    },
    reference: (context, [x]) => [referenceElementwise([x!], (v) => definition.reference(v, context))],
    lower: (context) => elementwise(context, [0], ([x], _type, scope) => definition.element(scope.float('x', x), scope, context)),
    samples: cases.map((c, i) => ({ ...c, seed: seed + i, tolerance })),
  };
}
