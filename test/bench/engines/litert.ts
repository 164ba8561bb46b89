/**
 * LiteRT.js on the CPU. As shipped it starts in browsers only; the shim below is what it needs of one. Its loader would take
 * the relaxed build wherever the engine has relaxed SIMD: naming the file picks the build.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { channelsLast, channelsLastShape, type Load, type Runner } from './engine.js';

interface Tensor {
  toTypedArray(): Float32Array;
  delete(): void;
}

interface LiteRt {
  loadLiteRt(file: string): Promise<unknown>;
  loadAndCompile(model: Uint8Array, options: object): Promise<{ run(input: Tensor): Promise<Tensor[]> }>;
  readonly Tensor: new (data: Float32Array, shape: readonly number[]) => Tensor;
}

/** What its loader expects of a browser's worker. */
function shim(folder: string): void {
  const scope = globalThis as Record<string, unknown>;
  scope.self = globalThis;
  scope.document = {};
  scope.require = createRequire(import.meta.url);
  scope.__dirname = folder;
  scope.__filename = path.join(folder, 'litert.js');
  scope.importScripts = (file: string) => vm.runInThisContext(readFileSync(file, 'utf8'), { filename: file });
}

let started: Promise<LiteRt> | undefined;

async function start(build: Load['build']): Promise<LiteRt> {
  const name = '@litertjs/core';
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'wasm');
  shim(`${folder}${path.sep}`);
  const runtime = (await import(name)) as LiteRt;
  await runtime.loadLiteRt(path.join(folder, build === 'relaxed' ? 'litert_wasm_internal.js' : 'litert_wasm_compat_internal.js'));
  return runtime;
}

export async function litert(message: Load): Promise<Runner> {
  const { loadAndCompile, Tensor } = await (started ??= start(message.build));
  const model = await loadAndCompile(new Uint8Array(readFileSync(message.file)), { accelerator: 'wasm' });
  const shape = [message.batch, ...message.shape];
  let input: Tensor | undefined;
  return {
    settings: `${message.build === 'relaxed' ? 'relaxed' : 'compatible'} build, XNNPACK, one thread, channels-last input`,
    feed(values) {
      input?.delete();
      input = new Tensor(channelsLast(values, shape), channelsLastShape(shape));
    },
    async infer() {
      const [output] = await model.run(input!);
      const values = output.toTypedArray();
      output.delete();
      return values;
    },
  };
}
