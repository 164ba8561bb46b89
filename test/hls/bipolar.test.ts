/** Bipolar layers count matches: bits in streams and weights, no multiplier; other layers keep their products. That the bits are right, csim.test.ts shows. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf, walkKernel } from '../../codegen/ir/walk.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { lower } from '../../codegen/schedule/lower.js';
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
    assert.is(program.steps!.filter((s) => s.startsWith('count matches in ')).length, counted);
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

test.run();
