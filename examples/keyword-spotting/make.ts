/**
 * Writes a keyword-spotting network of the shape of the MLPerf Tiny submission KWS-W3A3: 490 inputs of 8 bits, three dense layers
 * of 256 with batch normalization, ReLU and 3-bit activations, 12 classes, 3-bit weights with a scale for each output. The weights
 * are random (seeded): its speed and size on a board are those of a trained one, its answers mean nothing.
 *
 *     node --import ./scripts/typescript.mjs examples/keyword-spotting/make.ts FILE.onnx
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';

const inputScale = 0.33674246;

/** A seeded generator of numbers in 0 .. 1 (xorshift of 32 bits). */
function generator(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** The network; `integers`: its input is the int8 codes, as a sensor gives them, not float32. */
export function keywordSpotting({ sizes = [490, 256, 256, 256, 12], integers = true, seed = 3 } = {}): Graph {
  const next = generator(seed);
  const values: Record<string, Graph['values'][string]> = {};
  const constants: Record<string, Graph['constants'][string]> = {};
  const nodes: Graph['nodes'][number][] = [];
  const constant = (name: string, shape: readonly number[], data: ArrayLike<number>, dtype: 'float32' | 'int8' = 'float32'): string => {
    constants[name] = makeConstant(dtype, shape, data);
    values[name] = { name };
    return name;
  };
  const node = (op: string, name: string, inputs: readonly string[], attributes: Graph['nodes'][number]['attributes'] = {}): string => {
    values[`${name}_out`] = { name: `${name}_out` };
    nodes.push({ name, op, inputs, outputs: [`${name}_out`], attributes });
    return `${name}_out`;
  };
  values.input = { name: 'input', shape: [1, sizes[0]], dtype: integers ? 'int8' : 'float32' };
  let x = integers
    ? node('DequantizeLinear', 'features', ['input', constant('input_scale', [], [inputScale]), constant('input_zero', [], [0], 'int8')])
    : node('Quant', 'features', ['input', constant('input_scale', [], [inputScale]), constant('input_zero', [], [0]), constant('input_bits', [], [8])], { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  let deviation = 12 * inputScale;
  for (let l = 1; l < sizes.length; l++) {
    const [from, to] = [sizes[l - 1], sizes[l]];
    const isLast = l === sizes.length - 1;
    const scales = Float32Array.from({ length: isLast ? 1 : to }, () => 0.05 + 0.1 * next());
    // Sums of three uniform numbers: weights of a trained network are near zero more often than not.
    const weights = Float32Array.from({ length: from * to }, (_, i) => scales[isLast ? 0 : i % to] * 4 * (next() + next() + next() - 1.5));
    const w = node('Quant', `weight${l}`, [constant(`w${l}`, [from, to], weights), constant(`w${l}_scale`, isLast ? [] : [1, to], scales), constant(`w${l}_zero`, [], [0]), constant(`w${l}_bits`, [], [3])], { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
    x = node('MatMul', `dense${l}`, [x, w]);
    if (isLast) break;
    const spread = deviation * Math.sqrt(from) * 0.1 * 2;
    const vector = (name: string, f: () => number): string => constant(`bn${l}_${name}`, [to], Float32Array.from({ length: to }, f));
    x = node('BatchNormalization', `norm${l}`, [x, vector('scale', () => 0.5 + next()), vector('bias', () => next() - 0.3), vector('mean', () => spread * (next() - 0.5)), vector('variance', () => spread * spread * (0.5 + next()))], { epsilon: 1e-5 });
    x = node('Relu', `relu${l}`, [x]);
    x = node('Quant', `act${l}`, [x, constant(`a${l}_scale`, [], [0.35]), constant(`a${l}_zero`, [], [0]), constant(`a${l}_bits`, [], [3])], { signed: 0, narrow: 0, rounding_mode: 'ROUND' });
    deviation = 0.8;
  }
  const output = node('ArgMax', 'class', [x], { axis: 1, keepdims: 0 });
  return { name: 'keyword_spotting', inputs: ['input'], outputs: [output], values, constants, nodes };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [file] = process.argv.slice(2);
  if (!file) throw new Error('name the file to write: make.ts FILE.onnx');
  writeFileSync(file, exportQonnx(keywordSpotting()));
  console.log(`${file} written`);
}
