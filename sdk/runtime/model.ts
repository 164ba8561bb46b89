/** A model: one compiled module and its manifest, from bytes to answers. It fetches nothing and reads no files. */
import { ModelError } from './error.js';
import { manifestSection, manifestVersion, type Manifest } from './manifest.js';
import { runs } from './pick.js';
import { predictions, scoresOf, type Prediction } from './predict.js';
import type { Inputs } from './inputs.js';
import { Session, type ModelTypes, type Views } from './session.js';

/** A module's bytes, or the compiled module. */
export type ModuleSource = ArrayBufferLike | ArrayBufferView | WebAssembly.Module;

export class Model<M extends ModelTypes = ModelTypes> {
  #first: Session<M>;

  /** Made by `load` and `loadSync`. */
  constructor(readonly module: WebAssembly.Module, readonly manifest: Manifest, instance: WebAssembly.Instance) {
    this.#first = new Session(manifest, instance);
  }

  /** A further session with memory of its own. (Chromium's main thread takes modules up to 8 MB here; workers take any.) */
  session(): Session<M> {
    return new Session(this.manifest, new WebAssembly.Instance(this.module));
  }

  /** Runs the model's own session; see `Session.run`. */
  run(inputs: Inputs<M['inputs']>): Views<M['outputs']> {
    return this.#first.run(inputs);
  }

  /** Runs, and reads the first output as scores of classes (of random weights, the probabilities): one prediction an inference. */
  predict(inputs: Inputs<M['inputs']>): Prediction[] {
    return predictions(this.manifest, scoresOf(this.manifest, this.run(inputs)));
  }

  /** Lets go of the model's own session. */
  dispose(): void {
    this.#first.dispose();
  }
}

/**
 * Loads a compiled model: `const { logits } = (await load(bytes)).run({ input: pixels })`.
 *
 * @param source the module's bytes, a Response (or a promise of one, as fetch gives), or a compiled module.
 * @throws ModelError: module/not-a-module, module/version, module/features.
 */
export async function load<M extends ModelTypes = ModelTypes>(source: ModuleSource | Response | PromiseLike<ModuleSource | Response>): Promise<Model<M>> {
  const given = await source;
  let code: ModuleSource;
  if (typeof given === 'object' && given && 'arrayBuffer' in given) { // naming Response would cost Node 25 ms: it loads its whole fetch
    if (!given.ok) throw new ModelError('module/not-a-module', given.url || 'response', `expected a module, the server answered ${given.status} ${given.statusText}`.trimEnd(), 'Correct the address.');
    code = await given.arrayBuffer();
  } else code = given;
  if (code instanceof WebAssembly.Module) return loadSync<M>(code);
  const manifest = readManifest(code);
  const module = await compileSoon(code as BufferSource).catch((error) => refuse(manifest, error));
  checkModule(module, manifest);
  return new Model<M>(module, manifest, await WebAssembly.instantiate(module));
}

/**
 * Modules up to this size compile at once: most of a module is weights, and its code takes a millisecond, less than other
 * threads take to be asked.
 */
const atOnceBytes = 4 * 2 ** 20;

async function compileSoon(code: BufferSource): Promise<WebAssembly.Module> {
  if (code.byteLength > atOnceBytes) return WebAssembly.compile(code);
  try {
    return new WebAssembly.Module(code);
  } catch (error) {
    // A page whose engine allows less on its main thread.
    if (error instanceof RangeError) return WebAssembly.compile(code);
    throw error;
  }
}

/** The same at once, for Node and workers. */
export function loadSync<M extends ModelTypes = ModelTypes>(source: ModuleSource): Model<M> {
  const manifest = readManifest(source);
  let module: WebAssembly.Module;
  try {
    module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source as BufferSource);
  } catch (error) {
    return refuse(manifest, error as Error);
  }
  checkModule(module, manifest);
  return new Model<M>(module, manifest, new WebAssembly.Instance(module));
}

function refuse(manifest: Manifest, error: Error): never {
  throw new ModelError('module/features', manifest.name, `this engine refused the module: ${error.message}`, `It needs WebAssembly with: ${manifest.features.join(', ') || 'no features'}. Where the engine lacks one, compile with --target scalar; else the file is damaged: compile again.`);
}

/** What an engine takes and still must not run. */
function checkModule(module: WebAssembly.Module, manifest: Manifest): void {
  const [first] = WebAssembly.Module.imports(module);
  if (first) throw new ModelError('module/not-a-module', manifest.name, `expected a module without imports, found the import "${first.module}.${first.name}"`, 'A WASI command (.wasi.wasm) runs under wasmtime or node:wasi; load the .wasm beside it.');
  if (manifest.features.includes('relaxed-simd') && !runs('relaxed')) {
    throw new ModelError('module/features', manifest.name, 'this engine has relaxed SIMD and computes it wrongly', 'Compile with --target simd128, or with --bundle, whose load() picks what an engine computes rightly.');
  }
}

/**
 * What a module says of itself, from its bytes or the compiled module; works for WASI commands too.
 *
 * @throws ModelError: module/not-a-module, module/version.
 */
export function readManifest(source: ModuleSource): Manifest {
  const damaged = (found: string, advice: string): never => {
    throw new ModelError('module/not-a-module', 'module', found, advice);
  };
  let content: BufferSource | undefined;
  if (source instanceof WebAssembly.Module) content = WebAssembly.Module.customSections(source, manifestSection)[0];
  else {
    const bytes = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source ?? 0);
    const start = Array.from(bytes.subarray(0, 8), (b) => b.toString(16).padStart(2, '0')).join(' ');
    if (start !== '00 61 73 6d 01 00 00 00') {
      damaged(`expected a WebAssembly module, which begins with 00 61 73 6d 01 00 00 00; found ${start || 'no bytes'}`, 'Give the .wasm file that `sigmaflow compile` wrote.');
    }
    content = customSection(bytes);
  }
  if (!content) return damaged(`expected a custom section "${manifestSection}", found none`, 'This module is cut off or was not made by sigmaflow. Compile a model with `sigmaflow compile`.');
  let manifest: Partial<Manifest> | null = null;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    // Told below.
  }
  if (manifest && typeof manifest.version === 'number' && manifest.version > manifestVersion) {
    throw new ModelError('module/version', String(manifest.name), `expected format version ${manifestVersion} or older, found ${manifest.version}`, 'Install a newer sigmaflow, or compile the model again with this one.');
  }
  if (!manifest?.version || !Array.isArray(manifest.inputs) || !Array.isArray(manifest.outputs) || !(manifest.batch! > 0)) {
    return damaged(`the custom section "${manifestSection}" is not a manifest`, 'The file is damaged. Compile the model again.');
  }
  return manifest as Manifest;
}

/** The content of the manifest's section; undefined where there is none or the bytes end too early. */
function customSection(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  let at = 8;
  const unsigned = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const b = bytes[at++];
      value += (b & 127) * shift;
      if (!(b >= 128) || shift > 2 ** 28) return value;
    }
  };
  while (at < bytes.length) {
    const id = bytes[at++];
    const end = unsigned() + at;
    if (id === 0 && end <= bytes.length) {
      const nameEnd = unsigned() + at;
      if (new TextDecoder().decode(bytes.subarray(at, nameEnd)) === manifestSection) return bytes.slice(nameEnd, end);
    }
    at = end;
  }
}
