/**
 * Which integers an expression can give: its bounds are in valueRange.ts; here their distance. All values are `base` plus a
 * multiple of `step` (0: there is one value only). What proves that a value has a code where a layout stores codes.
 */
import type { Expr, Program } from './program.js';

export interface Progression {
  readonly base: number;
  readonly step: number;
}

/** The greatest common divisor. */
export function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}

/** The values of both. */
function joined(a: Progression, b: Progression): Progression {
  return { base: a.base, step: gcd(gcd(a.step, b.step), a.base - b.base) };
}

/** Of an integer expression; a step of 1 where nothing better is known. */
export function progressionOf(e: Expr, program: Program): Progression {
  switch (e.op) {
    case 'int':
      return { base: e.value, step: 0 };
    case 'select':
    case 'min':
    case 'max':
      return joined(progressionOf(e.a, program), progressionOf(e.b, program));
    case 'add': {
      const [a, b] = [progressionOf(e.a, program), progressionOf(e.b, program)];
      return { base: a.base + b.base, step: gcd(a.step, b.step) };
    }
    case 'convert':
      // Clamping moves values off their steps.
      return e.saturate ? { base: 0, step: 1 } : progressionOf(e.a, program);
    case 'load': {
      const { layout } = program.tensors[e.tensor];
      const { code } = layout;
      if (!code || layout.pad?.some((p) => p > 0) || layout.halo) return { base: 0, step: 1 };
      const stored = { base: code.base, step: code.step };
      return e.otherwise ? joined(stored, progressionOf(e.otherwise, program)) : stored;
    }
    default:
      return { base: 0, step: 1 };
  }
}

/** The two values that an expression of an integer type can only have; undefined where there may be others. */
export function twoValues(e: Expr, range: readonly [number, number], program: Program): readonly [number, number] | undefined {
  const { base, step } = progressionOf(e, program);
  const [lo, hi] = range;
  return step > 0 && step === hi - lo && (base - lo) % step === 0 ? [lo, hi] : undefined;
}

/** True where every value has a code. */
export function hasCodes({ base, step }: Progression, code: { readonly base: number; readonly step: number }): boolean {
  return (base - code.base) % code.step === 0 && step % code.step === 0;
}
