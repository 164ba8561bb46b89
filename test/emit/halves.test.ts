/**
 * Six channels of two positions as three vectors, and of two sums: loads and stores of halves, with the bits of the scalar build.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../sdk/compile.js';
import { convolution, gaussian, maxPool } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { Random } from '../support/random.js';

const random = new Random(29);
const weights = (count: number) => gaussian(Array.from({ length: count }, () => random.float(-1, 1)), Array.from({ length: count }, () => random.float(0, 0.5)));

// Positions in fours and twos, an odd number of them in a row, and windows that overlap.
for (const [channels, size, pool] of [[6, 16, maxPool(2)], [6, 14, maxPool(2)], [10, 6, maxPool(3, 1)], [6, 5, maxPool(2)]] as const) {
  test(`${channels} channels, ${size} x ${size}`, async () => {
    const graph = network({ name: 'halves', input: [1, size, size], layers: [convolution(channels, 1, { weight: weights(channels), bias: weights(channels) }), pool, convolution(3, 1, { weight: weights(3 * channels), bias: weights(3) })] });
    const input = Float32Array.from({ length: size * size }, () => random.float(-2, 2));
    const run = async (target: 'scalar' | 'simd128') => {
      const { wasm, stages } = await compile(graph, { target });
      const { mean, variance } = loadSync(wasm as Uint8Array<ArrayBuffer>).run({ input });
      return { bits: [mean, variance].flatMap(({ data }) => [...new Int32Array(Float32Array.from(data as Float32Array).buffer)]), source: stages.source };
    };
    const [scalar, simd128] = [await run('scalar'), await run('simd128')];
    assert.equal(simd128.bits, scalar.bits);
    if (size === 5) return;
    assert.match(simd128.source, /load64_lane/);
    assert.match(simd128.source, /store64_lane/);
  });
}

// Sums of neighbouring lanes are the two of one channel; their places are two and two.
for (const [inputs, channels] of [[1, 6], [3, 10]] as const) {
  test(`two sums of ${channels} channels`, async () => {
    const graph = network({ name: 'pairs', input: [inputs, 7, 9], layers: [convolution(channels, 3, { padding: 1, weight: weights(9 * inputs * channels), bias: weights(channels) }), maxPool(2), convolution(3, 1, { weight: weights(3 * channels), bias: weights(3) })] });
    const input = Float32Array.from({ length: inputs * 63 }, () => random.float(-2, 2));
    const [scalar, simd128] = await Promise.all((['scalar', 'simd128'] as const).map((target) => compile(graph, { target })));
    const bits = ({ wasm }: { readonly wasm: Uint8Array }): number[] => {
      const { mean, variance } = loadSync(wasm as Uint8Array<ArrayBuffer>).run({ input });
      return [mean, variance].flatMap(({ data }) => [...new Int32Array(Float32Array.from(data as Float32Array).buffer)]);
    };
    assert.equal(bits(simd128), bits(scalar));
    assert.match(simd128.stages.source, /load64_splat/);
    assert.match(simd128.stages.source, /shuffle<i32>/);
  });
}

test.run();
