/**
 * The moments of quantizers: of codes of up to 4 bits exact sums over the thresholds (StepMoments), of more the nearest thresholds or
 * an error taken as uniform (RoundMoments). Either is added to what the quantizer makes of the mean, so that without variance the
 * result is that of the quantizer, bit for bit. Not here: which codes an operator has (each operator's own file).
 */
import { makeConstant } from '../ir/graph.js';
import { fail } from '../ir/diagnostic.js';
import type { RoundingMode } from '../functions/rounding.js';
import { mostSteps } from './stepmoments.js';
import type { FragmentBuilder, MomentLabel, MomentPair, NodeContext } from './record.js';

/** A quantizer in its own units, in which codes are whole numbers: from `min` to `max`. */
export interface CodeRange {
  readonly min: number;
  readonly max: number;
  readonly rounding: RoundingMode;
}

/** The label of a quantizer by the number of its thresholds. */
export const labelOfCodes = (thresholds: number): MomentLabel => (thresholds <= mostSteps ? 'matched' : 'approximate');

/** How much below its code's number the threshold of a code lies. */
const below: Readonly<Partial<Record<RoundingMode, number>>> = { ROUND: 0.5, HALF_EVEN: 0.5, HALF_UP: 0.5, HALF_DOWN: 0.5, FLOOR: 0, CEIL: 1 };

/** The thresholds of the codes min + 1 .. max. */
function thresholds({ min, max, rounding }: CodeRange): number[] {
  const codes = Array.from({ length: max - min }, (_, i) => min + 1 + i);
  if (rounding === 'UP') return codes.map((j) => (j > 0 ? j - 1 : j));
  if (rounding === 'DOWN') return codes.map((j) => (j > 0 ? j : j - 1));
  return codes.map((j) => j - below[rounding]!);
}

/**
 * Moments of the codes of x (in codes' units), given `code`, the code of its mean as float32. UP and DOWN, which are not the same
 * distance everywhere, only up to 4 bits.
 */
export function codeMoments(context: NodeContext, build: FragmentBuilder, x: Required<MomentPair>, code: string, range: CodeRange): Required<MomentPair> {
  const { min, max, rounding } = range;
  let [offset, variance]: readonly string[] = [];
  if (max - min <= mostSteps) {
    const level = min === 0 ? code : build.node('Sub', [code, build.scalar(min)]);
    const table = build.constant(makeConstant('float32', [1, max - min], thresholds(range)));
    [offset, variance] = build.nodes('StepMoments', [x.mean, x.variance, level, table], 2);
  } else {
    const shift = below[rounding];
    if (shift === undefined) fail('graph/no-moments', context.node.name, `rounding ${rounding} has moments up to 4 bits, and its codes are ${min} to ${max}`, 'Round to nearest, up or down, or compile the sampled twin.');
    const shifted = shift === 0.5 ? x.mean : build.node('Add', [x.mean, build.scalar(shift - 0.5)]);
    [offset, variance] = build.nodes('RoundMoments', [shifted, x.variance, code], 2, { min, max });
  }
  return { mean: build.node('Add', [code, offset]), variance };
}

/** Mean and variance times a deterministic scale, or divided by it. */
export function scaledBy(build: FragmentBuilder, pair: Required<MomentPair>, op: 'Mul' | 'Div', scale: string): Required<MomentPair> {
  return { mean: build.node(op, [pair.mean, scale]), variance: build.node(op, [pair.variance, build.node('Square', [scale])]) };
}

/** Moments of one bit: `code`, which is -1 or +1, of a normal x that is compared with 0. */
export function signMoments(build: FragmentBuilder, x: Required<MomentPair>, code: string): Required<MomentPair> {
  const level = build.node('Mul', [build.node('Add', [code, build.scalar(1)]), build.scalar(0.5)]);
  const [offset, variance] = build.nodes('StepMoments', [x.mean, x.variance, level, build.constant(makeConstant('float32', [1, 1], [0]))], 2);
  return { mean: build.node('Add', [code, build.node('Mul', [offset, build.scalar(2)])]), variance: build.node('Mul', [variance, build.scalar(4)]) };
}

/** Raises graph/no-moments where a parameter of a quantizer is random. */
export function deterministicParameters(context: NodeContext, inputs: readonly MomentPair[]): void {
  const random = inputs.findIndex((p, i) => i > 0 && p.variance !== undefined);
  if (random > 0) fail('graph/no-moments', context.node.name, `its parameter ${context.input(random).name} is random, and only its data may be`, 'Make it deterministic.');
}
