/** A hand-written module for the tests of the runtime, the WASI entry and the browser: every interface form in one. */
import { finishModule } from '../../codegen/emit/module.js';
import { wasiEntry, wasiWorkBytes } from '../../codegen/emit/wasi.js';
import { assemble, toolchain } from '../../sdk/host/assembler.js';
import { manifestVersion, type Manifest, type ManifestTensor } from '../../sdk/runtime/manifest.js';

export interface TinyTypes {
  inputs: { x: Float32Array; code: Int8Array; gain: Float32Array };
  outputs: { y: Float32Array; sum: Int32Array };
}

/** A model of inputs x [N, 3] (float32), code [N, 2] (int4) and gain (float32, one for all); outputs y = gain * x / 3 and sum = code[0] + 16 code[1]. */
export function tinyManifest(batch: number, more: Partial<Manifest> = {}): Manifest {
  const tensor = (name: string, shape: number[], storage: ManifestTensor['storage'], offset: number, dtype: string = storage): ManifestTensor =>
    ({ name, shape: name === 'gain' ? shape : [batch, ...shape], dtype, storage, offset, batched: name !== 'gain' });
  return {
    version: manifestVersion, name: 'tiny', batch, target: 'simd128', features: ['simd128'],
    inputs: [tensor('x', [3], 'float32', 1024), tensor('code', [2], 'int8', 2048, 'int4'), tensor('gain', [], 'float32', 3072)],
    outputs: [tensor('y', [3], 'float32', 4096), tensor('sum', [], 'int32', 5120)],
    labels: ['zero', 'one', 'two'],
    arenaBytes: 8192, constantBytes: 4, temporaryBytes: 0, programHash: '00', statuses: { 0: 'success', 7: 'the gain is not finite' }, entries: ['run'], compiler: 'sigmaflow test',
    ...more,
  };
}

/** The constant 3 comes from the data section. */
export function tinySource(batch: number): string {
  return `export function run(): i32 {
  const gain = load<f32>(3072);
  if (gain - gain != 0) return 7;
  if (gain == 13) unreachable();
  for (let i: usize = 0; i < ${3 * batch}; i++) store<f32>(4096 + 4 * i, gain * load<f32>(1024 + 4 * i) / load<f32>(512));
  for (let i: usize = 0; i < ${batch}; i++) store<i32>(5120 + 4 * i, <i32>load<i8>(2048 + 2 * i) + 16 * load<i8>(2049 + 2 * i));
  v128.store(6000, f32x4.splat(0));
  return 0;
}
`;
}

export const tinyData = [{ offset: 512, bytes: new Uint8Array(Float32Array.of(3).buffer) }];

export async function tinyModule(batch: number, more: Partial<Manifest> = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { binary } = await assemble({ 'entry.ts': tinySource(batch) }, { entry: 'entry.ts', features: ['simd128'], memoryBase: 8192, pages: 1, optimizeLevel: 1, shrinkLevel: 0 });
  return finishModule(binary, { data: tinyData, manifest: tinyManifest(batch, more) });
}

/** The same model as a WASI command. */
export async function tinyCommand(batch: number, more: Partial<Manifest> = {}, maximumPages = 65536): Promise<Uint8Array<ArrayBuffer>> {
  const manifest = tinyManifest(batch, more);
  const sources = { ...toolchain().library, 'model.ts': tinySource(batch), 'entry.ts': wasiEntry(manifest) };
  const pages = Math.ceil((8192 + wasiWorkBytes) / 65536);
  const { binary } = await assemble(sources, { entry: 'entry.ts', features: ['simd128'], memoryBase: 8192, pages, maximumPages, optimizeLevel: 1, shrinkLevel: 1 });
  return finishModule(binary, { data: tinyData, manifest });
}
