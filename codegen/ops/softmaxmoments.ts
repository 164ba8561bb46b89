/**
 * SoftmaxMoments: expected probabilities and entropies of the softmax of independent normal logits, without sampling. Internal: made
 * by the uncertainty head of the moments twin.
 *
 * softmax(l)_c is the probability that l_c + g_c is the greatest of all l_j + g_j, with standard Gumbel g_j. These sums are
 * independent, so with their distributions F_j (../functions/softmaxMoments.ts), r_j = F_j' / F_j and S the product of the F_j
 *     E[p_c] = integral of r_c S,    E[p_c (1 - p_c)] = integral of r_c (r_1 + ... + r_C - r_c) S,
 * both exact and of one dimension, however many classes there are: a sum over 24 points, spaced evenly where the classes agree in
 * their deviations, and growing from the narrowest of the leading ones where not. E[p_c ln p_c] is that of the logit-normal variable
 * with these two moments. Below variances of about 0.02 the variance of p_c is the linear one, which keeps its digits.
 *
 * Errors against Monte Carlo are in docs/bayesian.md: of 10 classes with means spread over 20 and variances of 1e-4 to 100, at most 0.003
 * of a probability and 0.032 of an entropy (median 0.0005). At least 0, at most ln C, and no mutual information without variance, always.
 */
import { add, axis, compare, convert, divide, float, load, maximum, minimum, mul, ref, select, sub, unary } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { formatShape } from '../ir/graph.js';
import type { Axis, Expr, Kernel } from '../ir/program.js';
import { quickExp } from '../functions/exp.js';
import { log } from '../functions/log.js';
import { Scope } from '../functions/scope.js';
import { competitor, extent, greatestVariance, greatestStretch, hazard, information, leastStretch, linearBelow, points, tiny } from '../functions/softmaxMoments.js';
import { expectedSoftmax } from './softmaxMomentsReference.js';
import { given, kernelName, makeKernel, operandKind } from './operands.js';
import type { LowerContext, OperatorRecord } from './record.js';

const f = 'float32';

export const softmaxmoments: OperatorRecord = {
  name: 'SoftmaxMoments',
  doc: 'Expected probabilities [N, C] of the softmax of independent normal logits with `mean` and `variance` [N, C], the entropy of these (total), the expected entropy (aleatoric) and their difference (epistemic), each [N], in nats. Approximate. Internal.',
  inputs: [{ name: 'mean' }, { name: 'variance' }],
  outputs: ['probabilities', 'predictiveEntropy', 'softmaxEntropy', 'mutualInformation'],
  attributes: {},
  infer(context) {
    operandKind(context, [0, 1], false);
    const [mean, variance] = [context.input(0), context.input(1)];
    if (mean.shape.length !== 2 || formatShape(mean.shape) !== formatShape(variance.shape)) {
      fail('graph/shape', context.node.name, `the mean ${mean.name} is ${formatShape(mean.shape)} and the variance ${variance.name} ${formatShape(variance.shape)}`, 'Give both as [N, classes].');
    }
    const each = { shape: [mean.shape[0]], dtype: f } as const;
    return [{ shape: mean.shape, dtype: f }, each, each, each];
  },
  reference(_context, [mean, variance]) {
    const [n, c] = mean!.shape;
    const rows = Array.from({ length: n }, (_, i) => expectedSoftmax(mean!.data.subarray(i * c, (i + 1) * c), variance!.data.subarray(i * c, (i + 1) * c)));
    return [
      { shape: [n, c], data: Float64Array.from(rows.flatMap((r) => [...r.probabilities])) },
      ...(['predictiveEntropy', 'softmaxEntropy', 'mutualInformation'] as const).map((name) => ({ shape: [n], data: Float64Array.from(rows, (r) => r[name]) })),
    ];
  },
  lower(context) {
    const classes = classTerms(context);
    const grid = quadrature(context, classes);
    const integrals = integrate(context, classes, grid);
    return [...classes.kernels, ...grid.kernels, ...integrals.kernels, ...entropies(context, integrals)];
  },
  samples: [
    ...[1, 2, 3, 4, 5, 10, 16, 33].map((c, i) => ({ name: `classes ${c}`, inputs: [given([1 + 2 * (i % 2), c], { range: [-4, 4] as const }), given([1 + 2 * (i % 2), c], { range: [0.01, 9] as const })], outputs: 4, seed: 3100 + i, tolerance: 2e-5 })),
    { name: 'narrow', inputs: [given([2, 10], { range: [-8, 8] }), given([2, 10], { range: [1e-4, 1e-2] })], outputs: 4, seed: 3110, tolerance: 2e-3 },
    { name: 'wide', inputs: [given([2, 10], { range: [-100, 100] }), given([2, 10], { range: [1e3, 1e5] })], outputs: 4, seed: 3111, tolerance: 1e-4 },
    { name: 'narrow beside wide', inputs: [given([1, 4], { values: [0, 1, 2, -3] }), given([1, 4], { values: [1e-4, 1e4, 1, 100] })], outputs: 4, seed: 3112, tolerance: 2e-5 },
    { name: 'no variance', inputs: [given([2, 3], { values: [0, 1, 2, 5, 5, 5] }), given([2, 3], { values: [0, 0, 0, 0, 0, 0] })], outputs: 4, seed: 3113, tolerance: 1e-5 },
    { name: 'large', inputs: [given([3, 3], { values: [1e4, 1e4, -1e4, 3e5, 0, 1, 0, 0, 0] }), given([3, 3], { values: [1e8, 1e8, 1e8, 0, 1, 1e8, 1e8, 0, 1e-8] })], outputs: 4, seed: 3114, tolerance: 2e-5 },
  ],
};

// ---- Parts of the kernel ----

interface Classes {
  readonly kernels: readonly Kernel[];
  /** Temporaries [N, C]: mean less the greatest, 1 / deviation, factors, where the class begins and ends. */
  readonly shifted: string;
  readonly inverse: string;
  readonly factors: readonly string[];
  readonly low: string;
  readonly high: string;
}

const axes = (context: LowerContext): { n: Axis; c: Axis; t: Axis } => {
  const [n, c] = context.input(0).shape;
  return { n: { name: 'n', extent: n }, c: { name: 'c', extent: c }, t: { name: 't', extent: points } };
};
const at = (...names: string[]) => names.map((name) => axis(name));
const top = maximum;

function classTerms(context: LowerContext): Classes {
  const { n, c } = axes(context);
  const [mean, variance] = [context.input(0).name, context.input(1).name];
  const scope = new Scope(['n', 'c']);
  const v = scope.float('variance', load(variance, ['n', 'c']));
  // relative to the greatest, near which everything happens: there large logits keep their digits
  const greatest = context.addTemporary('greatestMean', [n.extent], f);
  const first = maxima(kernelName(context, 'greatest'), { n, c }, [load(mean, ['n', 'c'])]);
  const shifted = scope.float('shifted', sub(f, load(mean, ['n', 'c']), load(greatest, ['n'])));
  const deviation = scope.float('deviation', unary('sqrt', f, v));
  const { inverse, factors } = competitor(scope, v);
  const [gap, slope, bound] = extent.below;
  const below = minimum(f, add(f, mul(f, deviation, float(slope)), float(gap)), divide(float(bound), inverse));
  const [tail, rise, until, normalTail] = extent.above;
  const above = top(f, add(f, mul(f, minimum(f, v, float(until)), float(rise)), float(tail)), mul(f, deviation, float(normalTail)));
  const values: [string, Expr][] = [
    ['shifted', shifted], ['inverse', inverse], ['low', sub(f, shifted, below)], ['high', add(f, shifted, above)],
    ...factors.map((factor, i): [string, Expr] => [`factor${i}`, factor]),
  ];
  const names = values.map(([hint]) => context.addTemporary(hint, [n.extent, c.extent], f));
  const kernel = makeKernel({
    name: kernelName(context, 'classes'), op: 'elementwise', space: [n, c], epilogue: scope.lets,
    stores: values.map(([, value], i) => ({ tensor: names[i], at: at('n', 'c'), value })),
  });
  const before: Kernel = { ...first, stores: [{ tensor: greatest, at: at('n'), value: ref('acc0') }] };
  return { kernels: [before, kernel], shifted: names[0], inverse: names[1], low: names[2], high: names[3], factors: names.slice(4) };
}

interface Grid {
  readonly kernels: readonly Kernel[];
  /** Temporaries [N, points]. */
  readonly point: string;
  readonly weight: string;
}

/** A reduction over classes to maxima, which are not stored yet. */
function maxima(name: string, { n, c }: { n: Axis; c: Axis }, of: readonly Expr[]): Kernel {
  return makeKernel({
    name, op: 'reduce', space: [n], reduce: [c], stores: [],
    accumulators: of.map((value, i) => ({ name: `acc${i}`, type: f, init: float(-Infinity), update: maximum(f, ref(`acc${i}`), value) })),
  });
}

/** Points t_k = low + L (g^2x - 1) / (g^2 - 1), x = k / (points - 1), half of them before the narrowest leading class ends. */
function quadrature(context: LowerContext, { low, high }: Classes): Grid {
  const all = axes(context);
  const { n, t } = all;
  const [least, greatest, unit, rise] = ['least', 'greatest', 'unit', 'rise'].map((hint) => context.addTemporary(hint, [n.extent], f));
  const [point, weight] = ['point', 'weight'].map((hint) => context.addTemporary(hint, [n.extent, points], f));
  const range = maxima(kernelName(context, 'range'), all, [load(low, ['n', 'c']), load(high, ['n', 'c'])]);

  const from = load(least, ['n']);
  const ends = select(f, compare('lt', load(low, ['n', 'c']), from), from, load(high, ['n', 'c']));
  const first = maxima(kernelName(context, 'first'), all, [ends]);
  const narrow = new Scope(['n', 'c', 'acc0']);
  const length = narrow.float('length', sub(f, load(greatest, ['n']), from));
  const ratio = sub(f, divide(length, sub(f, ref('acc0'), from)), float(1));
  const stretch = narrow.float('stretch', minimum(f, maximum(f, ratio, float(leastStretch)), float(greatestStretch)));
  const growthRate = log(narrow, stretch);

  const scope = new Scope(['n', 't']);
  const place = mul(f, convert(f, { op: 'index', type: 'int32', index: axis('t') }), float(2 / (points - 1)));
  const step = scope.float('step', load(unit, ['n']));
  const growth = scope.float('growth', quickExp(scope, mul(f, place, load(rise, ['n']))));
  return {
    kernels: [
      { ...range, stores: [least, greatest].map((tensor, i) => ({ tensor, at: at('n'), value: ref(`acc${i}`) })) },
      {
        ...first, epilogue: narrow.lets,
        stores: [
          { tensor: unit, at: at('n'), value: divide(length, sub(f, mul(f, stretch, stretch), float(1))) },
          { tensor: rise, at: at('n'), value: growthRate },
        ],
      },
      makeKernel({
        name: kernelName(context, 'points'), op: 'elementwise', space: [n, t], epilogue: scope.lets,
        stores: [
          { tensor: point, at: at('n', 't'), value: add(f, from, mul(f, step, sub(f, growth, float(1)))) },
          { tensor: weight, at: at('n', 't'), value: mul(f, step, growth) },
        ],
      }),
    ],
    point, weight,
  };
}

interface Integrals {
  readonly kernels: readonly Kernel[];
  /** Temporaries [N, C], up to a common factor: E[p] and E[p (1 - p)]. */
  readonly win: string;
  readonly spread: string;
}

function integrate(context: LowerContext, classes: Classes, { point, weight }: Grid): Integrals {
  const { n, c, t } = axes(context);
  const [cumulative, rate] = ['cumulative', 'rate'].map((hint) => context.addTemporary(hint, [n.extent, points, c.extent], f));
  const [survival, total] = ['survival', 'total'].map((hint) => context.addTemporary(hint, [n.extent, points], f));
  const [win, spread] = ['win', 'spread'].map((hint) => context.addTemporary(hint, [n.extent, c.extent], f));
  const scope = new Scope(['n', 'c', 't']);
  const own = (tensor: string): Expr => scope.float('own', load(tensor, ['n', 'c']));
  const found = hazard(scope, sub(f, load(point, ['n', 't']), own(classes.shifted)), { inverse: own(classes.inverse), factors: classes.factors.map(own) });
  const sums = (values: readonly Expr[]) => values.map((value, i) => ({ name: `acc${i}`, type: f, init: float(0), update: add(f, ref(`acc${i}`), value) } as const));
  const end = new Scope(['n', 't', 'c', 'acc0', 'acc1']);
  const alive = mul(f, quickExp(end, unary('neg', f, ref('acc0'))), load(weight, ['n', 't']));
  const body = new Scope(['n', 't', 'c', 'acc0', 'acc1']);
  const r = body.float('rate', load(rate, ['n', 't', 'c']));
  const share = body.float('part', mul(f, r, load(survival, ['n', 't'])));
  const others = maximum(f, sub(f, load(total, ['n', 't']), r), float(0));
  return {
    kernels: [
      makeKernel({
        name: kernelName(context, 'hazards'), op: 'elementwise', space: [n, c, t], epilogue: scope.lets,
        stores: [{ tensor: cumulative, at: at('n', 't', 'c'), value: found.cumulative }, { tensor: rate, at: at('n', 't', 'c'), value: found.rate }],
      }),
      makeKernel({
        name: kernelName(context, 'survival'), op: 'reduce', space: [n, t], reduce: [c],
        accumulators: sums([load(cumulative, ['n', 't', 'c']), load(rate, ['n', 't', 'c'])]), epilogue: end.lets,
        stores: [{ tensor: survival, at: at('n', 't'), value: alive }, { tensor: total, at: at('n', 't'), value: ref('acc1') }],
      }),
      makeKernel({
        name: kernelName(context, 'integrals'), op: 'reduce', space: [n, c], reduce: [t], partials: 4,
        body: body.lets, accumulators: sums([share, mul(f, share, others)]),
        stores: [{ tensor: win, at: at('n', 'c'), value: maximum(f, ref('acc0'), float(0)) }, { tensor: spread, at: at('n', 'c'), value: ref('acc1') }],
      }),
    ],
    win, spread,
  };
}

function entropies(context: LowerContext, { win, spread }: Integrals): Kernel[] {
  const { n, c } = axes(context);
  const variance = context.input(1).name;
  const [probabilities, ...scores] = context.outputs.map((o) => o.name);
  const [whole, linear, trust] = ['whole', 'linear', 'trust'].map((hint) => context.addTemporary(hint, [n.extent], f));
  const [surprise, known] = ['surprise', 'known'].map((hint) => context.addTemporary(hint, [n.extent, c.extent], f));
  const clamped = (): Expr => minimum(f, load(variance, ['n', 'c']), float(greatestVariance));
  const term = new Scope(['n', 'c', 'acc0', 'acc1', 'acc2']);
  const w = term.float('win', load(win, ['n', 'c']));
  const bounded = term.float('bounded', clamped());
  const end = new Scope(['n', 'c', 'acc0', 'acc1', 'acc2']);
  const factor = end.float('factor', divide(float(1), ref('acc0')));
  const square = end.float('square', mul(f, ref('acc2'), ref('acc2')));

  const scope = new Scope(['n', 'c']);
  const p = scope.float('p', mul(f, load(win, ['n', 'c']), load(whole, ['n'])));
  const mean = scope.float('mean', maximum(f, p, float(tiny)));
  const rest = scope.float('rest', maximum(f, sub(f, float(1), p), float(0)));
  const logarithm = scope.float('logarithm', log(scope, mean));
  const slope = mul(f, mean, add(f, mul(f, clamped(), sub(f, float(1), add(f, mean, mean))), load(linear, ['n'])));
  const narrow = minimum(f, maximum(f, slope, float(0)), rest);
  const wide = sub(f, rest, divide(mul(f, load(spread, ['n', 'c']), load(whole, ['n'])), mean));
  const ofWide = scope.float('ofWide', load(trust, ['n']));
  const mixed = add(f, mul(f, sub(f, float(1), ofWide), narrow), mul(f, ofWide, wide));
  const relative = scope.float('relative', minimum(f, maximum(f, mixed, float(0)), rest));
  const bits = information(scope, mean, relative, rest, logarithm);
  const self = scope.float('self', unary('neg', f, logarithm));

  const last = new Scope(['n', 'c', 'acc0', 'acc1']);
  const predictive = last.float('predictive', minimum(f, maximum(f, ref('acc0'), float(0)), float(Math.log(c.extent))));
  const mutual = last.float('mutual', minimum(f, maximum(f, ref('acc1'), float(0)), predictive));
  return [
    makeKernel({
      name: kernelName(context, 'totals'), op: 'reduce', space: [n], reduce: [c], body: term.lets,
      accumulators: [
        { name: 'acc0', type: f, init: float(0), update: add(f, ref('acc0'), w) },
        { name: 'acc1', type: f, init: float(0), update: add(f, ref('acc1'), mul(f, mul(f, w, w), bounded)) },
        { name: 'acc2', type: f, init: float(0), update: maximum(f, ref('acc2'), bounded) },
      ],
      epilogue: end.lets,
      stores: [
        { tensor: whole, at: at('n'), value: factor },
        { tensor: linear, at: at('n'), value: mul(f, mul(f, ref('acc1'), factor), factor) },
        { tensor: trust, at: at('n'), value: divide(square, add(f, square, float(linearBelow ** 2))) },
      ],
    }),
    makeKernel({
      name: kernelName(context, 'probabilities'), op: 'elementwise', space: [n, c], epilogue: scope.lets,
      stores: [
        { tensor: probabilities, at: at('n', 'c'), value: p },
        { tensor: surprise, at: at('n', 'c'), value: mul(f, p, self) },
        { tensor: known, at: at('n', 'c'), value: mul(f, p, minimum(f, bits, self)) },
      ],
    }),
    makeKernel({
      name: kernelName(context, 'entropies'), op: 'reduce', space: [n], reduce: [c],
      accumulators: [
        { name: 'acc0', type: f, init: float(0), update: add(f, ref('acc0'), load(surprise, ['n', 'c'])) },
        { name: 'acc1', type: f, init: float(0), update: add(f, ref('acc1'), load(known, ['n', 'c'])) },
      ],
      epilogue: last.lets,
      stores: [predictive, sub(f, predictive, mutual), mutual].map((value, i) => ({ tensor: scores[i], at: at('n'), value })),
    }),
  ];
}
