/** What a profile says of steps without measuring, against the ONNX files' own shapes: multiply-adds, bytes, operators. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, runPasses } from '../../codegen/compile.js';
import { axis } from '../../codegen/ir/build.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { targets } from '../../codegen/targets/target.js';
import { stepFacts, type StepFacts } from '../../sdk/profile/facts.js';
import { bandwidthOf, limitOf, rateOf, type Limits } from '../../sdk/profile/limits.js';
import { touched } from '../../sdk/profile/touched.js';
import { benchNames, exampleNetworks } from '../models/networks.js';
import { makeKernel, makeUnit } from '../support/programs.js';
import { sharedFile } from '../support/shared.js';
import { onnxCosts } from './onnxCosts.js';

const factsOf = (bytes: Uint8Array, target: 'scalar' | 'simd128', batch = 1): StepFacts[] => {
  const graph = runPasses(importOnnx(bytes, { name: 'net' }), batch);
  return stepFacts(build(graph, targets[target]).program, graph);
};
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Millions of multiply-adds as published with the networks. */
const published: Readonly<Record<string, number>> = { mlp: 0.0894, lenet5: 0.417, kws_dscnn: 2.657, ad_ae: 0.264, ic_resnet8: 12.5, vww_mbv1: 7.49 };

for (const name of benchNames) {
  test(`${name}: multiply-adds of float32 and 8-bit network`, () => {
    for (const kind of ['f32', 'qdq_u8s8']) {
      const bytes = sharedFile(`bench/${name}.${kind}.onnx`);
      if (!bytes) continue;
      const expected = sum(onnxCosts(bytes, 1).nodes.map((n) => n.multiplyAdds));
      assert.ok(Math.abs(expected / 1e6 / published[name] - 1) < 0.005, `${expected}`);
      assert.is(sum(factsOf(bytes, name === 'lenet5' ? 'scalar' : 'simd128').map((s) => s.multiplyAdds)), expected, kind);
    }
  });

  if (['ad_ae', 'vww_mbv1'].includes(name)) continue; // nothing that the others have not
  test(`${name}: each layer's operators and bytes, float32, batch 3`, () => {
    const bytes = sharedFile(`bench/${name}.f32.onnx`);
    if (!bytes) return;
    const { nodes, shapes, initializers } = onnxCosts(bytes, 3);
    const steps = factsOf(bytes, 'simd128', 3);
    for (const layer of nodes.filter((n) => n.multiplyAdds > 0)) {
      const of = steps.filter((s) => s.nodes.some((n) => n.name === layer.name));
      assert.is(of.length, 1, `${layer.name} is in one step`);
      const [step] = of;
      assert.is(step.multiplyAdds, layer.multiplyAdds, layer.name);
      // What the nodes of the step take and give that other steps do not make or use.
      const own = nodes.filter((n) => step.nodes.some((s) => s.name === n.name));
      assert.is(own.length, step.nodes.length, layer.name);
      const made = new Set(own.flatMap((n) => n.outputs));
      const used = own.flatMap((n) => n.inputs.filter((i) => !made.has(i)).map((input) => ({ n, input })));
      const constants = [...new Set(used.map((u) => u.input))].filter((i) => initializers.has(i));
      assert.is(step.bytes.weights, 4 * sum(constants.map((i) => size(shapes.get(i)!))), `weights of ${layer.name}`);
      const read = new Map<string, number>();
      for (const { n, input } of used) if (!initializers.has(input)) read.set(input, Math.max(read.get(input) ?? 0, elementsRead(n.op, shapes.get(input)!, n, shapes)));
      assert.is(step.bytes.read, 4 * sum([...read.values()]), `activations read by ${layer.name}`);
      const last = own.flatMap((n) => n.outputs).filter((o) => !own.some((n) => n.inputs.includes(o)));
      assert.is(step.bytes.written, 4 * sum(last.map((o) => size(shapes.get(o)!))), `activations written by ${layer.name}`);
    }
  });
}

/** Elements that a node needs of an input: a 1x1 convolution of stride 2 skips three of four. */
function elementsRead(op: string, shape: readonly number[], n: { inputs: readonly string[]; outputs: readonly string[] }, shapes: ReadonlyMap<string, readonly number[]>): number {
  const w = shapes.get(n.inputs[1]);
  if (op !== 'Conv' || !w || w.slice(2).some((k) => k > 1)) return size(shape);
  return size([shape[0], shape[1], ...shapes.get(n.outputs[0])!.slice(2)]);
}

for (const { name, bytes } of exampleNetworks()) {
  test(`${name}: multiply-adds, packed weights`, () => {
    const { nodes } = onnxCosts(bytes, 1);
    const steps = factsOf(bytes, 'simd128');
    assert.is(sum(steps.map((s) => s.multiplyAdds)), sum(nodes.map((n) => n.multiplyAdds)));
    for (const s of steps) {
      if (s.multiplyAdds === 0) continue;
      assert.ok(s.nodes.some((n) => ['Conv', 'MatMul', 'Gemm'].includes(n.op)), s.name);
      assert.ok(s.operations >= 2 * s.multiplyAdds && s.operations < 4 * s.multiplyAdds, `${s.name}: ${s.operations}`);
      assert.is(s.products.kind, 'integer');
    }
  });
}

test('elements touched: coordinates outside, steps of several, quotients', () => {
  const unit = makeUnit(
    { x: { shape: [10, 4], dtype: 'float32', role: 'input' }, y: { shape: [4], dtype: 'float32', role: 'output' } },
    [makeKernel({
      space: [{ name: 'i', extent: 4 }], reduce: [{ name: 'k', extent: 2 }],
      stores: [{ tensor: 'y', at: [axis('i')], value: { op: 'load', tensor: 'x', at: [axis('i', 3, -1), { offset: 0, terms: [{ coeff: 1, of: { div: axis('i'), by: 2 } }] }] } }],
    })],
  );
  const { loads, stores } = touched(unit.program.blocks[0] as Kernel, unit.program);
  // 3i - 1 is -1, 2, 5, 8: three rows inside; i div 2 is 0 and 1.
  assert.equal([...loads], [['x', 6]]);
  assert.equal([...stores], [['y', 4]]);
});

test('the limit: the fastest way for the operands, bandwidth between measured sizes', () => {
  const rates = (['float32', 'int32', 'dot16', 'dot8', 'popcount'] as const).map((name, i) => ({ name, gigaMultiplyAdds: [20, 10, 40, 100, 300][i] }));
  const limits: Limits = { rates, bandwidths: [{ bytes: 1024, read: 100, written: 80 }, { bytes: 4096, read: 25, written: 20 }] };
  const of = (kind: 'float' | 'integer' | 'bits', bits: number, seven = false) => rateOf({ kind, bits, seven }, rates);
  assert.equal(of('float', 32), { name: 'float32', instructions: 1, gigaMultiplyAdds: 20 });
  assert.equal(of('integer', 20), { name: 'int32', instructions: 1, gigaMultiplyAdds: 10 });
  assert.equal(of('integer', 12), { name: 'dot16', instructions: 1, gigaMultiplyAdds: 40 });
  assert.equal(of('integer', 9), { name: 'dot8', instructions: 2, gigaMultiplyAdds: 50 });
  assert.equal(of('integer', 8, true), { name: 'dot8', instructions: 1, gigaMultiplyAdds: 100 });
  assert.equal(of('bits', 2), { name: 'popcount', instructions: 1, gigaMultiplyAdds: 300 });
  assert.equal(rateOf({ kind: 'integer', bits: 9, seven: false }, rates.slice(0, 2)), { name: 'int32', instructions: 1, gigaMultiplyAdds: 10 });
  assert.is(bandwidthOf(100, limits.bandwidths, 'read'), 100);
  assert.ok(Math.abs(bandwidthOf(2048, limits.bandwidths, 'read') - 50) < 1e-9);
  assert.is(bandwidthOf(1e9, limits.bandwidths, 'written'), 20);
  const step = { repeats: 1, multiplyAdds: 40_000, products: { kind: 'integer', bits: 12, seven: false }, bytes: { weights: 500, read: 500, written: 24 } } as StepFacts;
  assert.equal(limitOf(step, limits), { by: 'dot16', microseconds: 1 });
  assert.equal(limitOf({ ...step, multiplyAdds: 0 }, limits), { by: 'memory', microseconds: 0.01 });
  assert.is(limitOf({ ...step, bytes: { weights: 0, read: 0, written: 1000 }, multiplyAdds: 4 }, limits).microseconds, 0.0125);
  // Four turns on a fourth of the activations each stay in the faster cache.
  const turns = { ...step, multiplyAdds: 0, bytes: { weights: 24, read: 4000, written: 0 } };
  assert.ok(Math.abs(limitOf({ ...turns, repeats: 4 }, limits).microseconds - 0.04024) < 1e-9);
  assert.ok(limitOf(turns, limits).microseconds > 0.1);
});

test.run();
