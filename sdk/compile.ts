/**
 * `compile`: a model in, one WebAssembly module out; `compileBundle`: a build for every kind of engine. The public door to
 * the compiler, with the host's assembler put in.
 *
 * Not here: the stages (codegen/compile.ts), and files: external data comes through `readExternal`.
 */
import { compileGraph, type Artifact, type CompileOptions } from '../codegen/compile.js';
import { buildFile, bundleDeclaration, bundleLoader } from '../codegen/emit/bundle.js';
import { importOnnx } from '../codegen/import/onnx.js';
import { applyPosterior, ownPosterior } from '../codegen/import/posterior.js';
import { readSafetensors, safetensorsMetadata } from '../codegen/import/safetensors.js';
import type { Graph } from '../codegen/ir/graph.js';
import { sha256 } from '../codegen/ir/hash.js';
import { targets } from '../codegen/targets/target.js';
import { toolchain } from './host/assembler.js';

export interface Options extends CompileOptions {
  /** The model's name in manifests and diagnostics; the graph's own where absent. */
  readonly name?: string;
  /**
   * Bytes of a safetensors file with the mean and standard deviation of random weights: tensors `NAME.mean` and `NAME.std` for the
   * weight NAME of the model (F16, BF16, F32 or F64). Where its metadata say `preprocessing`, the manifest does too.
   */
  readonly posterior?: Uint8Array;
  /** Bytes of an external data file, by the location that the model states. Without it such models are refused. */
  readonly readExternal?: (location: string) => Uint8Array;
}

/**
 * Compiles an ONNX or QONNX model (its bytes), or a Graph, to one module.
 *
 * The module's batch is `options.batch`, 1 unless said; its inputs and outputs keep the model's layout and types.
 * Takes about a second, nearly all of it in the assembler. In Node and in browsers alike.
 *
 * @returns the module's bytes (`wasm`), its manifest, its TypeScript declaration, and what every stage made.
 * @throws DiagnosticError for a model that is damaged or not supported, naming the node or tensor.
 */
export async function compile(model: Uint8Array | ArrayBuffer | Graph, options: Options = {}): Promise<Artifact> {
  const { name, readExternal, posterior, ...rest } = options;
  const bytes = model instanceof ArrayBuffer ? new Uint8Array(model) : model instanceof Uint8Array ? model : undefined;
  const graph = modelGraph(bytes ?? (model as Graph), { name, readExternal, posterior });
  const sourceHash = rest.sourceHash ?? (bytes ? sha256(bytes) : undefined);
  return compileGraph(graph, { ...rest, sourceHash, preprocessing: rest.preprocessing ?? statedPreprocessing(posterior) }, toolchain());
}

/** What a posterior's file says of preprocessing. */
export function statedPreprocessing(posterior: Uint8Array | undefined): string | undefined {
  return posterior && safetensorsMetadata(posterior).preprocessing;
}

/**
 * The graph of a model, with its posterior: that of the safetensors file, or the one that an ONNX model carries itself, as
 * initializers `NAME.std` beside the weights NAME.
 *
 * @throws DiagnosticError for a model or posterior that is damaged, or for two that do not belong together.
 */
export function modelGraph(model: Uint8Array | Graph, { name, readExternal, posterior }: Pick<Options, 'name' | 'readExternal' | 'posterior'> = {}): Graph {
  const graph = model instanceof Uint8Array ? ownPosterior(importOnnx(model, { name, readExternal })) : { ...model, ...(name === undefined ? {} : { name }) };
  return posterior === undefined ? graph : applyPosterior(graph, readSafetensors(posterior), { all: isSkeleton(graph) });
}

/** A graph of which no weight is known yet: all are zero. */
function isSkeleton(graph: Graph): boolean {
  return Object.values(graph.constants).every((c) => c.dtype !== 'float32' || c.data.every((x) => x === 0));
}

export interface Bundle {
  /** By target. All give the same bits. */
  readonly artifacts: Readonly<Record<string, Artifact>>;
  /** What belongs into one folder, by file name: NAME.TARGET.wasm, the loader NAME.mjs, and its types NAME.d.mts. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/**
 * Compiles a model for every target, with a loader: `import { load } from './NAME.mjs'` fetches the build that the engine
 * runs best, in Node and in browsers, bundled or not.
 *
 * @throws as `compile`.
 */
export async function compileBundle(model: Uint8Array | ArrayBuffer | Graph, options: Omit<Options, 'target' | 'fastMath'> = {}): Promise<Bundle> {
  const artifacts: Record<string, Artifact> = {};
  for (const target of Object.keys(targets) as NonNullable<Options['target']>[]) artifacts[target] = await compile(model, { ...options, target });
  return { artifacts, files: bundleFiles(artifacts) };
}

/** The files of a bundle, of builds by target. */
export function bundleFiles(artifacts: Readonly<Record<string, Artifact>>, name = Object.values(artifacts)[0].name): Record<string, Uint8Array | string> {
  const names = Object.keys(artifacts);
  return {
    ...Object.fromEntries(names.map((target) => [buildFile(name, target), artifacts[target].wasm])),
    [`${name}.mjs`]: bundleLoader(name, names),
    [`${name}.d.mts`]: bundleDeclaration(name, artifacts[names[0]].manifest, names),
  };
}
