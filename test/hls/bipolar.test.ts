/** Bipolar layers count matches: bits in streams and weights, no multiplier; other layers keep their products. That the bits are right, csim.test.ts shows. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { verify } from '../../codegen/ir/verify.js';
import { touched } from '../../codegen/ir/verifyDataflow.js';
import { kernelsOf, walkKernel } from '../../codegen/ir/walk.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { lower } from '../../codegen/schedule/lower.js';
import { accumulatorWidths, countedLayers } from '../../sdk/hls/optimizations.js';
import { pooledNetwork } from '../support/bipolarNetworks.js';
import { GraphBuilder } from '../support/graphs.js';
import { sharedFile } from '../support/shared.js';

const circuitOf = (bytes: Uint8Array) => {
  const unit = scheduleFabric(lower(runPasses(importOnnx(bytes), 1)));
  verify(unit);
  return unit.program;
};

for (const [name, counted] of [['TFC_1W1A', 4], ['TFC_2W2A', 0]] as const) {
  const bytes = sharedFile(`qonnx/models/${name}.onnx`);
  if (!bytes) continue;
  test(`${name}: ${counted} layers`, () => {
    const program = circuitOf(bytes);
    assert.is(countedLayers(program).length, counted);
    assert.equal(accumulatorWidths(program).map((w) => w.products), [784, 64, 64, 64]);
    const dense = kernelsOf(program.blocks).filter((k) => k.op === 'dense');
    assert.is(dense.length, 4);
    for (const k of dense) {
      let [products, matches] = [0, 0];
      for (const a of k.accumulators) walkKernel({ ...k, epilogue: [], stores: [], accumulators: [a] }, { expr: (e) => { if (e.op === 'mul') products++; if (e.op === 'eq') matches++; } });
      assert.equal([products, matches], counted ? [0, 1] : [1, 0], k.name);
    }
    const weights = Object.values(program.tensors).filter((t) => program.buffers[t.buffer].role === 'constant' && t.shape.length === 2 && t.shape[0] * t.shape[1] >= 640);
    assert.is(weights.filter((t) => t.dtype === 'uint1').length, counted);
  });
}

test('behind pools, a concatenation and a flatten: all layers but the first, and the pools are on bits', () => {
  const unit = scheduleFabric(lower(runPasses(pooledNetwork(), 1)));
  verify(unit);
  const { program } = unit;
  const kernels = kernelsOf(program.blocks);
  const layers = kernels.filter((k) => k.op === 'convolution' || k.op === 'dense');
  const pools = kernels.filter((k) => k.op === 'pool');
  assert.is(layers.length, 6);
  assert.is(pools.length, 4);
  assert.equal(countedLayers(program), layers.slice(1).map((k) => k.name));
  for (const k of pools) {
    assert.is(k.accumulators[0].type, 'uint1', k.name);
    for (const tensor of [...touched([k]).reads, ...touched([k]).writes]) assert.is(program.tensors[tensor].dtype, 'uint1', tensor);
  }
});

test('a pool that something else reads too keeps its values, and so does what it reads', () => {
  const b = new GraphBuilder();
  const weight = b.node('BipolarQuant', [b.constant('w', [4, 3, 1, 1], [1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1]), b.scalar(1)]);
  const second = b.node('BipolarQuant', [b.constant('v', [4, 4, 1, 1], Array.from({ length: 16 }, (_, i) => Math.cos(i))), b.scalar(1)]);
  const x = b.quant(b.input('x', [1, 3, 4, 4]), 0.02, 8, { signed: 1, narrow: 0, rounding_mode: 'ROUND' });
  const pool = b.node('MaxPool', [b.node('BipolarQuant', [b.node('Conv', [x, weight], { kernel_shape: [1, 1] }), b.scalar(1)])], { kernel_shape: [2, 2], strides: [2, 2] });
  const { program } = scheduleFabric(lower(runPasses(b.build(b.node('Add', [pool, b.node('Conv', [pool, second], { kernel_shape: [1, 1] })])), 1)));
  assert.not.ok((program.steps ?? []).some((s) => /^(count matches|carry bits)/.test(s)));
  const [found] = kernelsOf(program.blocks).filter((k) => k.op === 'pool');
  for (const tensor of [...touched([found]).reads, ...touched([found]).writes]) assert.is.not(program.tensors[tensor].dtype, 'uint1', tensor);
});

test.run();
