/**
 * Quantized posteriors: the quantizers against definitions written again here, the weights that come of them, and what a module of
 * them holds. How well networks do with few bits is in docs/bayesian.md.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeConstant, type Graph } from '../../../codegen/ir/graph.js';
import { interpret } from '../../../codegen/ir/interpret.js';
import { roundedMoments } from '../../../codegen/functions/roundedNormal.js';
import { evaluate } from '../../../codegen/passes/evaluate.js';
import { infer } from '../../../codegen/passes/infer.js';
import { weightMoments } from '../../../codegen/passes/twins/decodePosterior.js';
import { drawnScale, greatestPower, greatestUniform, nearestExponent, powerCode, powerValue, uniformCode, uniformScale } from '../../../codegen/passes/twins/posteriorCodes.js';
import { quantizePosterior, type PosteriorQuantization } from '../../../codegen/passes/twins/quantizePosterior.js';
import { makeTwin } from '../../../codegen/passes/twins/twin.js';
import { build, runPasses } from '../../../codegen/compile.js';
import { targets } from '../../../codegen/targets/target.js';
import { compile } from '../../../sdk/compile.js';
import { convolution, dense, flatten, gaussian, maxPool, relu, softmax } from '../../../sdk/model/layers.js';
import { network } from '../../../sdk/model/network.js';
import { loadSync } from '../../../sdk/runtime/index.js';
import { Random } from '../../support/random.js';
import { refuses } from '../../support/refuses.js';

const allBits = [2, 3, 4, 5, 6, 7, 8];
const random = new Random(5);
const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
const list = (n: number, f: () => number): Float64Array => Float64Array.from({ length: n }, f);

test('uniform codes: nearest, idempotent, monotone, 2^b - 1 levels', () => {
  for (const bits of allBits) {
    const q = greatestUniform(bits);
    assert.is(q, 2 ** (bits - 1) - 1);
    const scale = 0.37;
    const levels = new Set<number>();
    let before = -Infinity;
    for (let x = -2 * q * scale; x <= 2 * q * scale; x += scale / 64) {
      const code = uniformCode(x, scale, q);
      // the nearest level, by looking at all of them
      let nearest = Infinity;
      for (let c = -q; c <= q; c++) nearest = Math.min(nearest, Math.abs(x - c * scale));
      assert.ok(Math.abs(Math.abs(x - code * scale) - nearest) < 1e-12);
      assert.ok(code >= before);
      assert.is(uniformCode(code * scale, scale, q), code);
      levels.add((before = code));
    }
    assert.is(levels.size, 2 ** bits - 1);
  }
  assert.is(uniformCode(1.5, 1, 7), 2);
  assert.is(uniformCode(2.5, 1, 7), 2);
});

test('powers: within a factor of sqrt 2, idempotent, monotone, 2^b levels, threshold sqrt 2, zero apart', () => {
  for (const bits of allBits) for (const hasZero of [false, true]) {
    const most = greatestPower(bits);
    const scale = 0.25;
    const levels = new Set<number>();
    let before = -1;
    const least = scale * 2 ** ((hasZero ? 1 : 0) - most);
    for (let e = Math.log2(least) - 0.4; e <= Math.log2(scale) + 0.4; e += 1 / 32) {
      const s = 2 ** e;
      const code = powerCode(s, scale, most, hasZero);
      const value = powerValue(code, scale, most, hasZero);
      assert.ok(value / s <= Math.SQRT2 * (1 + 1e-12) && s / value <= Math.SQRT2 * (1 + 1e-12), `${s}: ${value}`);
      // in the domain of logarithms
      assert.is(Math.log2(value), Math.round(e));
      assert.ok(code >= before);
      assert.is(powerCode(value, scale, most, hasZero), code);
      levels.add((before = code));
    }
    if (hasZero) levels.add(powerCode(0, scale, most, true));
    assert.is(levels.size, Math.min(2 ** bits, 32));
    assert.is(powerValue(powerCode(0, scale, most, hasZero), scale, most, hasZero), hasZero ? 0 : least);
    assert.is(powerValue(powerCode(1e-30, scale, most, hasZero), scale, most, hasZero), least);
    assert.is(powerCode(1e30, scale, most, hasZero), most);
  }
  assert.is(nearestExponent(1.4142), 0);
  assert.is(nearestExponent(1.4143), 1);
});

test('scales: the maximum, a percentile, least squared error by the weights\' own deviations; of draws without a draw', () => {
  const means = list(2000, normal);
  const deviations = list(2000, () => 0.1 + random.next());
  const most = means.reduce((a, m) => Math.max(a, Math.abs(m)), 0);
  assert.is(uniformScale(means, deviations, 7, 'max'), most / 7);
  assert.is(uniformScale(means, deviations, 7, { percentile: 90 }), [...means].map(Math.abs).sort((a, b) => a - b)[1799] / 7);
  const error = (scale: number): number => means.reduce((sum, m, i) => sum + ((m - uniformCode(m, scale, 7) * scale) / deviations[i]) ** 2, 0);
  const best = uniformScale(means, deviations, 7, 'mse');
  for (let s = 0.1; s <= 1; s += 0.01) assert.ok(error(best) <= 1.02 * error((most / 7) * s));
  assert.is(drawnScale(means, deviations, 7, 'max'), means.reduce((a, m, i) => Math.max(a, Math.abs(m) + 3 * deviations[i]), 0) / 7);
  assert.is(drawnScale(means, deviations, 7, 'mse'), drawnScale(means, deviations, 7, 'mse'));
  // normal draws of one weight: their percentile
  assert.ok(Math.abs(drawnScale(Float64Array.of(0), Float64Array.of(1), 1, { percentile: 68.27 }) - 1) < 0.05);
});

/** A convolution and two dense layers with random weights, some of them certain. */
function sample(): Graph {
  const weight = (n: number, spread: number, zeros = false) => gaussian(list(n, () => spread * normal()), list(n, () => (zeros && random.next() < 0.2 ? 0 : spread * 2 ** (-6 * random.next()))));
  return network({
    name: 'sample', input: [1, 8, 8],
    layers: [
      convolution(6, 3, { name: 'conv', weight: weight(54, 0.5), bias: weight(6, 0.2) }), relu(), maxPool(2), flatten(),
      dense(20, { name: 'fc1', weight: weight(54 * 20, 0.3, true), bias: weight(20, 0.1) }), relu(),
      dense(10, { name: 'fc2', weight: weight(200, 0.3), bias: weight(10, 0.1) }), softmax(),
    ],
  });
}

const graph = infer(sample());

test('what a posterior becomes is what its codes stand for, and is its own quantization', () => {
  for (const scheme of ['vpq', 'spq', 'jq'] as const) for (const granularity of ['channel', 'tensor'] as const) {
    const once = quantizePosterior(graph, { scheme, granularity, bits: 4, clip: 'max' });
    for (const [name, { deviation, quantized }] of Object.entries(once.posteriors!)) {
      const { codes, rounding, axis } = quantized!;
      assert.is(codes === undefined, scheme === 'spq');
      assert.is(rounding === undefined, scheme === 'vpq');
      if (!codes) continue;
      const perChannel = granularity === 'channel' && !name.endsWith('.bias');
      assert.is(codes.meanScale.data.length, perChannel ? graph.constants[name].shape[0] : 1);
      assert.is(axis, 0);
      const inner = graph.constants[name].data.length / codes.meanScale.data.length;
      deviation.data.forEach((s, i) => {
        const channel = Math.floor(i / inner);
        assert.is(once.constants[name].data[i], Math.fround(codes.mean.data[i] * codes.meanScale.data[channel]));
        assert.is(s, codes.hasZero && codes.deviation.data[i] === 0 ? 0 : codes.deviationScale.data[channel] * 2 ** (codes.deviation.data[i] - codes.greatest));
        // of one multiple in all channels, so that one table of moments serves them
        if (rounding) for (const scale of [codes.meanScale, codes.deviationScale]) assert.ok(Math.abs(scale.data[channel] / rounding.step.data[channel] / (scale.data[0] / rounding.step.data[0]) - 1) < 2e-7);
        assert.is(s === 0, graph.posteriors![name].deviation.data[i] === 0);
      });
    }
  }
});

test('moments of rounded weights: nothing of a draw, zero deviation stays zero', () => {
  const once = quantizePosterior(graph, { scheme: 'spq', bits: 4 });
  const { quantized } = once.posteriors!['fc1.weight'];
  const { step, greatest } = quantized!.rounding!;
  const found = weightMoments(once, 'fc1.weight', 4);
  graph.posteriors!['fc1.weight'].deviation.data.forEach((s, i) => {
    const unit = step.data[Math.floor(i / 54)];
    const { mean, variance } = roundedMoments(graph.constants['fc1.weight'].data[i] / unit, (2 * s) / unit, greatest);
    assert.is(found.mean.data[i], Math.fround(mean * unit));
    assert.is(found.variance.data[i], Math.fround(variance * unit * unit));
    if (s === 0) assert.is(found.variance.data[i], 0);
  });
  const { graph: twin } = makeTwin(once, { calibration: 4 });
  for (const constant of [found.mean, found.variance]) assert.ok(Object.values(twin.constants).some((c) => c.data.length === constant.data.length && c.data.every((x, k) => x === constant.data[k])));
});

const inputs = Float32Array.from({ length: 64 }, () => normal());
/** The assembler takes a second each, so most are interpreted only. */
const schemes: readonly (PosteriorQuantization & { readonly assembled?: true })[] = [
  { bits: 4, assembled: true }, { bits: 3, granularity: 'tensor', clip: 'max', assembled: true }, { bits: 8 }, { bits: 2 }, { bits: 6, clip: { percentile: 99 } }, { bits: 4, scheme: 'spq' }, { bits: 4, scheme: 'jq', assembled: true }, { bits: 8, scheme: 'jq', granularity: 'tensor' },
];

for (const { assembled, ...options } of schemes) {
  test(`${JSON.stringify(options)}: moments of the decoded weights, ${assembled ? 'with the same bits in the interpreter, scalars and vectors' : 'interpreted'}`, async () => {
    // the same network with the weights that the codes stand for
    const decoded = quantizePosterior(graph, options);
    const plain: Graph = { ...decoded, posteriors: Object.fromEntries(Object.entries(decoded.posteriors!).map(([name, { deviation, quantized }]) => {
      const { rounding } = quantized!;
      if (!rounding) return [name, { deviation }];
      const { data } = decoded.constants[name];
      const unit = (i: number): number => rounding.step.data[rounding.step.data.length === 1 ? 0 : Math.floor((i * rounding.step.data.length) / data.length)];
      const exact = [...data].map((m, i) => roundedMoments(m / unit(i), deviation.data[i] / unit(i), rounding.greatest));
      (decoded.constants as Record<string, unknown>)[name] = makeConstant('float32', deviation.shape, exact.map(({ mean }, i) => mean * unit(i)));
      return [name, { deviation: makeConstant('float32', deviation.shape, exact.map(({ variance }, i) => Math.sqrt(variance) * unit(i))) }];
    })) };
    const wanted = evaluate(makeTwin(plain).graph, { input: { shape: [1, 1, 8, 8], data: Float64Array.from(inputs) } });
    const results = [];
    for (const target of ['scalar', 'simd128'] as const) {
      const artifact = assembled && (await compile(graph, { target, quantizePosterior: options }));
      const unit = artifact ? artifact.unit : build(runPasses(graph, 1, { quantizePosterior: options }), targets[target]);
      const meaning = interpret(unit, { input: inputs });
      const found = artifact && loadSync(artifact.wasm).run({ input: inputs });
      for (const name of ['mean', 'variance', 'probabilities']) {
        const data = [...meaning.get(name)!];
        if (found) assert.equal([...(found[name] as unknown as { data: Float32Array }).data], data, `${target} ${name}`);
        wanted[name].data.forEach((x, i) => assert.ok(Math.abs(data[i] - x) <= 2e-5 * Math.max(...wanted[name].data.map(Math.abs)), `${name} ${i}: ${data[i]} instead of ${x}`));
        results.push(data);
      }
    }
    assert.equal(results.slice(0, 3), results.slice(3));
  });
}

test('4 bits take an eighth of float32 in the module and in memory, no float32 copy is left', async () => {
  const weight = gaussian(list(256 * 64, normal), list(256 * 64, () => 0.5 + random.next()));
  const wide = network({ name: 'wide', input: [256], layers: [dense(64, { name: 'fc', weight, bias: false })] });
  const sizes = new Map<number, { bytes: number; arena: number }>();
  for (const bits of [32, 8, 6, 4, 3, 2]) {
    const { wasm, unit } = await compile(wide, bits === 32 ? {} : { quantizePosterior: { bits } });
    const constants = Object.values(unit.program.buffers).filter((b) => b.hash !== undefined).reduce((sum, b) => sum + b.bytes, 0);
    sizes.set(bits, { bytes: constants, arena: unit.program.arenaBytes! });
    assert.ok(wasm.length > constants && wasm.length < constants + 8000, `${bits} bits: ${wasm.length} bytes of ${constants}`);
  }
  const whole = 2 * 4 * 256 * 64;
  // one code of both and two tables of at most 256 pairs; steps and their squares an output
  const { unit: joint } = await compile(wide, { quantizePosterior: { bits: 4, scheme: 'jq' } });
  const bytesOfJoint = Object.values(joint.program.buffers).reduce((sum, b) => sum + (b.hash === undefined ? 0 : b.bytes), 0);
  assert.ok(bytesOfJoint <= whole / 8 + 2 * 4 * 256 + 2 * 4 * 64, `${bytesOfJoint} bytes`);
  assert.ok(sizes.get(32)!.arena - joint.program.arenaBytes! >= whole - bytesOfJoint);
  assert.is(sizes.get(32)!.bytes, whole);
  // bits of both codes of a weight: deviations have 32 codes at most
  for (const [bits, stored] of [[8, 8 + 5], [6, 6 + 5], [4, 8], [3, 6], [2, 4]]) {
    const { bytes, arena } = sizes.get(bits)!;
    // and two scales an output
    assert.is(bytes, (256 * 64 * stored) / 8 + 2 * 4 * 64, `${bits} bits`);
    assert.is(sizes.get(32)!.arena - arena, whole - bytes);
  }
});

test('the mean twin holds codes too', async () => {
  const { unit } = await compile(graph, { twin: 'mean', quantizePosterior: { bits: 4 } });
  assert.not(Object.values(unit.program.tensors).some((t) => t.shape.join() === '20,54' && t.dtype === 'float32'));
});

test('options that do not exist are refused by name', () => {
  const attempt = (options: object) => () => quantizePosterior(graph, options as PosteriorQuantization);
  refuses(attempt({ bits: 9 }), 'error [graph/posterior] bits: posteriors take 2 to 8 bits, and 9 are asked for\n  Give a whole number from 2 to 8.');
  refuses(attempt({ bits: 4, scheme: 'vqp' }), 'error [graph/posterior] scheme: "vqp" is none of vpq, spq, jq\n  Valid: vpq, spq, jq.');
  refuses(attempt({ bits: 4, granularity: 'chanel' }), 'error [graph/posterior] granularity: "chanel" is none of channel, tensor\n  Did you mean "channel"?');
  refuses(attempt({ bits: 4, clip: { percentile: 0 } }), 'error [graph/posterior] clip: 0 is no percentile\n  Give a number above 0, at most 100.');
});

test.run();
