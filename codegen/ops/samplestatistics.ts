/**
 * What the operators that gather samples share: kernels that read what the iterations before left and write it anew, in place.
 *
 * Running forms, so that the results of S samples are those of an S + 1st iteration that never came, and nothing is divided by S
 * behind the loop. The first sample is taken as it is: where all are equal, so is their mean, in every bit.
 */
import { add, axis, compare, convert, divide, int, load, select, sub } from '../ir/build.js';
import { Scope } from '../functions/scope.js';
import type { Expr, Index, Kernel } from '../ir/program.js';
import { spaceAxes } from './elementwise.js';
import { given, kernelName, makeKernel } from './operands.js';
import type { LowerContext, NdArray, Sample } from './record.js';

export const sampleInputs = [{ name: 'X' }, { name: 'index' }] as const;

/** The value and what of the iteration it can need. */
export interface Iteration {
  readonly x: Expr;
  /** The iteration's index, an int32. */
  readonly index: Expr;
  readonly isFirst: Expr;
  /** Samples so far, this one included: float32. */
  readonly count: Expr;
  /** What output i was, at this element. */
  before(i: number): Expr;
}

/** One kernel over the elements of X; `update` gives the outputs' values. `at`: where in an output its element lies. */
export function updateKernel(context: LowerContext, update: (iteration: Iteration, scope: Scope) => readonly Expr[], at?: (space: readonly Index[], index: Expr) => readonly Index[]): Kernel {
  const x = context.input(0);
  const space = spaceAxes(x.shape);
  const coordinates = space.map((a) => axis(a.name));
  const scope = new Scope(space.map((a) => a.name));
  const index = load(context.input(1).name, context.input(1).shape.map(() => 0));
  const places = at ? at(coordinates, index) : coordinates;
  const values = update({
    x: scope.float('x', load(x.name, coordinates)),
    index,
    isFirst: compare('eq', index, int(0)),
    count: convert('float32', add('int32', index, int(1))),
    before: (i) => scope.float(`before${i}`, load(context.before(i), places)),
  }, scope);
  return makeKernel({
    name: kernelName(context),
    op: 'elementwise',
    space,
    epilogue: scope.lets,
    stores: context.outputs.flatMap(({ name }, i) => (context.node.outputs[i] === '' ? [] : [{ tensor: name, at: places, value: values[i] }])),
  });
}

/** before + (x - before) / count, the running mean of what `x` was in all iterations. */
export function runningMean({ isFirst, count }: Iteration, before: Expr, x: Expr): Expr {
  return select('float32', isFirst, x, add('float32', before, divide(sub('float32', x, before), count)));
}

/** The same in float64, element by element. */
export function referenceMean(x: NdArray, before: NdArray, index: number): NdArray {
  return { shape: x.shape, data: x.data.map((v, i) => before.data[i] + (v - before.data[i]) / (index + 1)) };
}

/** Cases of some shapes; the harness makes the iterations. */
export function iterationSamples(seed: number, attributes?: Sample['attributes'], outputs = 1, range?: readonly [number, number]): Sample[] {
  return [1, 3, 4, 5, 10, 17, 33].map((c, i) => ({
    name: `channels ${c}`, ...(attributes ? { attributes } : {}), inputs: [given([1 + 2 * (i % 2), c], range ? { range } : {})], outputs, seed: seed + i, tolerance: 1e-6,
  }));
}
