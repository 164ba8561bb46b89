/** The declaration: its whole text, and names that are no identifiers. */
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declaration, typeName } from '../../codegen/emit/declaration.js';
import { tinyManifest } from '../runtime/tiny.js';

test('the whole text', () => {
  const manifest = tinyManifest(2);
  assert.is(
    declaration({ ...manifest, name: 'lenet_w4a4', outputs: [{ ...manifest.outputs[0], scale: 0.25, zeroPoint: 3 }] }),
    `/**
 * lenet_w4a4: 2 inferences a call, for simd128.
 *
 *     import { load } from 'sigmaflow/runtime';
 *     import type { LenetW4a4 } from './lenet_w4a4.js';
 *     const model = await load<LenetW4a4>(bytes);
 *     const outputs = model.run(inputs); // inputs: { x: Float32Array, ... }
 */
export interface LenetW4a4 {
  inputs: {
    /** float32 [N, 3] */
    x: Float32Array;
    /** int4 [N, 2] */
    code: Int8Array;
    /** float32 scalar */
    gain: Float32Array;
  };
  outputs: {
    /** float32 [N, 3]; value = (code - 3) * 0.25 */
    y: Float32Array;
  };
}
`,
  );
});

test('any name gives TypeScript', () => {
  assert.equal(['2w2a', 'ätsch', '***', 'a-b.c'].map(typeName), ['Model2w2a', 'Tsch', 'Model', 'ABC']);
  const manifest = tinyManifest(1);
  const nasty = declaration({ ...manifest, name: 'x */ (', inputs: [{ ...manifest.inputs[0], name: 'global_in"*/:0' }] });
  const { diagnostics } = ts.transpileModule(nasty, { reportDiagnostics: true, fileName: 'x.ts' });
  assert.equal(diagnostics, []);
});

test.run();
