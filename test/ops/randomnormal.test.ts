/**
 * What RandomNormal draws: the distribution, independence between streams, samples, images, seeds and neighbours, and what a number may
 * depend on. Bits on every engine: its samples, in operators.test.ts. The generator and the transform: test/functions/random.test.ts.
 *
 * Seeds are fixed. Thresholds are such that a true normal generator fails one of these comparisons with probability 1e-6 (4.9 standard
 * errors; 2.69 / sqrt(n) for the greatest distance of distribution functions).
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph, Value } from '../../codegen/ir/graph.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { fold } from '../../codegen/passes/fold.js';
import { infer } from '../../codegen/passes/infer.js';
import { makeConstant } from '../../codegen/ir/graph.js';
import { lower } from '../../codegen/schedule/lower.js';
import { compile } from '../../sdk/compile.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { referenceNormal } from '../../codegen/ops/randomreference.js';

interface Draw {
  readonly stream: number;
  readonly shape: readonly number[];
  readonly perImage?: 0 | 1;
}

/** A graph that draws each of these, as y0, y1 ... */
function drawing(draws: readonly Draw[]): Graph {
  const values: Record<string, Value> = {
    seed: { name: 'seed', shape: [2], dtype: 'uint32' }, sample: { name: 'sample', shape: [], dtype: 'int32' }, offset: { name: 'offset', shape: [], dtype: 'int32' },
  };
  const outputs = draws.map((_, i) => `y${i}`);
  for (const name of outputs) values[name] = { name };
  const nodes = draws.map(({ stream, shape, perImage = 0 }, i) => ({
    name: `draw${i}`, op: 'RandomNormal', inputs: perImage ? ['seed', 'sample', 'offset'] : ['seed', 'sample'], outputs: [`y${i}`], attributes: { stream, shape, perImage },
  }));
  return { name: 'draws', inputs: ['seed', 'sample', 'offset'], outputs, values, constants: {}, nodes };
}

const COUNT = 2 ** 20;
const ERRORS = 4.9;

const model = loadSync((await compile(drawing([{ stream: 0, shape: [COUNT] }, { stream: 1, shape: [COUNT] }, { stream: 0, shape: [2, COUNT / 2], perImage: 1 }]))).wasm);

function draw(seed: readonly number[], sample: number, offset = 0): readonly Float32Array[] {
  const found = model.run({ seed: Uint32Array.from(seed), sample: Int32Array.of(sample), offset: Int32Array.of(offset) });
  return ['y0', 'y1', 'y2'].map((name) => Float32Array.from(found[name].data as Float32Array));
}

const [first, second, images] = draw([2026, 11], 0);
const [next] = draw([2026, 11], 1);
const [otherSeed] = draw([2027, 11], 0);
const [otherHalf] = draw([2026, 12], 0);

test('moments to the fourth order', () => {
  for (const z of [first, second, images, next, otherSeed]) {
    const moment = (k: number): number => z.reduce((sum, x) => sum + x ** k, 0) / COUNT;
    // [order, expectation, variance of one draw's power]
    for (const [k, expected, variance] of [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]]) {
      const off = (moment(k) - expected) / Math.sqrt(variance / COUNT);
      assert.ok(Math.abs(off) < ERRORS, `moment ${k} is off by ${off} standard errors`);
    }
  }
});

/** Phi, from tables of the reference's inverse: the distribution function at the words' places. */
function kolmogorovSmirnov(z: Float32Array): number {
  const sorted = z.slice().sort();
  let greatest = 0;
  // The exact quantiles at 4095 places; between them the empirical function is compared at both ends.
  let below = 0;
  for (let k = 1; k < 4096; k++) {
    const place = referenceNormal((k * 2 ** 20 - 2 ** 31) | 0);
    while (below < COUNT && sorted[below] <= place) below++;
    greatest = Math.max(greatest, Math.abs(below / COUNT - k / 4096));
  }
  return greatest;
}

test('Kolmogorov-Smirnov against the normal distribution, at 4095 quantiles', () => {
  for (const z of [first, second, images]) {
    const distance = kolmogorovSmirnov(z) * Math.sqrt(COUNT);
    assert.ok(distance < 2.69, `the distribution is off by ${distance} / sqrt(n)`);
  }
});

test('tails: as many numbers beyond 3, 4 and 4.5 as expected', () => {
  const all = [first, second, next, otherSeed, otherHalf];
  for (const [limit, probability] of [[3, 2.699796063260207e-3], [4, 6.334248366623996e-5], [4.5, 6.795346249477388e-6]]) {
    const expected = probability * COUNT * all.length;
    const found = all.reduce((sum, z) => sum + z.filter((x) => Math.abs(x) > limit).length, 0);
    assert.ok(Math.abs(found - expected) < ERRORS * Math.sqrt(expected), `${found} numbers beyond ${limit}, and ${expected} are expected`);
  }
});

test('streams, samples, images, seeds and neighbours do not correlate, nor do their squares', () => {
  const half = COUNT / 2;
  const pairs: [string, Float32Array, Float32Array][] = [
    ['streams', first, second], ['samples', first, next], ['images', images.subarray(0, half), images.subarray(half)],
    ['seeds', first, otherSeed], ['second words of seeds', first, otherHalf],
    ...[1, 2, 4, 784].map((lag): [string, Float32Array, Float32Array] => [`neighbours ${lag} apart`, first.subarray(lag), first.subarray(0, COUNT - lag)]),
  ];
  for (const [what, a, b] of pairs) {
    let [linear, squares] = [0, 0];
    for (let i = 0; i < a.length; i++) {
      linear += a[i] * b[i];
      squares += (a[i] * a[i] - 1) * (b[i] * b[i] - 1);
    }
    assert.ok(Math.abs(linear) < ERRORS * Math.sqrt(a.length), `${what}: correlation ${linear / a.length}`);
    assert.ok(Math.abs(squares) < ERRORS * 2 * Math.sqrt(a.length), `${what}: correlation of squares ${squares / a.length / 2}`);
  }
});

/** By the interpreter, without a schedule. */
function interpreted(graph: Graph, sample: number, offset = 0): Float32Array[] {
  const unit = lower(infer(graph));
  const found = interpret(unit, { seed: [7, 8], sample: [sample], offset: [offset] });
  return graph.outputs.map((name) => found.get(name) as Float32Array);
}

test('an image draws the same numbers alone and in a batch, and the first one those of a draw without images', () => {
  const [batch] = interpreted(drawing([{ stream: 3, shape: [10, 2, 6], perImage: 1 }]), 5);
  for (let n = 0; n < 10; n++) {
    const [alone] = interpreted(drawing([{ stream: 3, shape: [1, 2, 6], perImage: 1 }]), 5, n);
    assert.equal([...batch.subarray(12 * n, 12 * n + 12)], [...alone], `image ${n}`);
  }
  const [weights] = interpreted(drawing([{ stream: 3, shape: [2, 6] }]), 5, 99);
  assert.equal([...weights], [...batch.subarray(0, 12)]);
});

test('a number depends on its element alone, not on the shape around it', () => {
  const [long, square, short] = interpreted(drawing([{ stream: 9, shape: [24] }, { stream: 9, shape: [4, 6] }, { stream: 9, shape: [5] }]), 0);
  assert.equal([...long], [...square]);
  assert.equal([...long.subarray(0, 5)], [...short]);
});

test('no draw is folded away, not even of constant inputs', () => {
  const graph = drawing([{ stream: 0, shape: [4] }]);
  const constants = { seed: makeConstant('uint32', [2], [1, 2]), sample: makeConstant('int32', [], [3]) };
  assert.is(fold({ ...graph, inputs: ['offset'], constants }).nodes.length, 1);
});

test.run();
