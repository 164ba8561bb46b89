/**
 * The engines that the commands run a model on, behind one form: the inputs of one call in, the outputs out.
 *
 * reference: the operator records' float64 loops over the imported graph. interpret: the lowered Program, as its
 * interpreter defines it. scalar, simd128, relaxed: modules. The WASI command, which only `verify` runs, is in wasi.ts.
 */
import { build as buildProgram, batchedTensors, runPasses, targetOf, type Artifact } from '../../codegen/compile.js';
import { makeManifest } from '../../codegen/emit/manifest.js';
import type { Graph, Shape } from '../../codegen/ir/graph.js';
import { createInterpreter } from '../../codegen/ir/interpret.js';
import { hashText, sha256 } from '../../codegen/ir/hash.js';
import { printProgram } from '../../codegen/ir/print.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { verifyGraph } from '../../codegen/ir/verifyGraph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { batchOf, infer, symbolicShapes } from '../../codegen/passes/infer.js';
import { makeTwin } from '../../codegen/passes/twins/twin.js';
import { lower } from '../../codegen/schedule/lower.js';
import { compile, modelGraph, type Options } from '../compile.js';
import { loadSync, Session, type Manifest, type ManifestInner } from '../runtime/index.js';
import { instantiate } from './relaxed.js';
import { atFile, type ModelFile, type WasmTarget } from './models.js';
import type { Call, NumericArray, Slot, Tensor } from './tensors.js';

export const engineNames = ['reference', 'interpret', 'scalar', 'simd128', 'relaxed'] as const;
export type EngineName = (typeof engineNames)[number];

export interface Engine {
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  /** Inferences in one call. */
  readonly batch: number;
  readonly call: Call;
}

/** Makes one engine for a model. */
export async function prepareEngine(model: ModelFile, name: EngineName, batch?: number): Promise<Engine> {
  if (name === 'reference') return referenceEngine(model, batch);
  if (name === 'interpret') return interpreterEngine(plan(model, { batch, target: 'scalar' }));
  return artifactEngine(await build(model, { batch, target: name }));
}

export function importModel({ file, name, bytes, readExternal, architecture, posterior }: ModelFile): Graph {
  return atFile(file, () => {
    const graph = modelGraph(architecture ?? bytes, { name, readExternal, posterior });
    verifyGraph(graph);
    return graph;
  });
}

/** Compiles a model; see `compile`. */
export function build({ file, name, bytes, readExternal, architecture, posterior, twin }: ModelFile, options: Omit<Options, 'name' | 'readExternal' | 'target'> & { target: WasmTarget }): Promise<Artifact> {
  return atFile(file, () => compile(architecture ?? bytes, { name, readExternal, posterior, ...twin, ...options }));
}

/** What is known of a model before the assembler runs. */
export type Plan = Pick<Artifact, 'graph' | 'unit' | 'manifest'>;

/** All stages of compiling but the assembler. */
export function plan(model: ModelFile, options: { batch?: number; target: WasmTarget; processor?: 'x86-64' | 'arm64' }): Plan {
  const imported = importModel(model);
  return atFile(model.file, () => {
    const graph = runPasses(imported, options.batch, model.twin);
    const target = targetOf(options.target, options);
    const unit = buildProgram(graph, target);
    return { graph, unit, manifest: makeManifest(graph, unit, { target, programHash: hashText(printProgram(unit.program)), batched: batchedTensors(imported, graph.outputs, model.twin), sourceHash: sha256(model.bytes) }) };
  });
}

/** The imported graph in float64, one call of the batch at a time. */
export function referenceEngine(model: ModelFile, batch?: number): Engine {
  const graph = importModel(model);
  const at = (images?: number): Graph => makeTwin(infer(graph, { batch: images }), model.twin).graph;
  const inferred = atFile(model.file, () => at(batch));
  const { inputs } = batchOf(graph);
  const symbolic = symbolicShapes(graph, at);
  const slot = (name: string, batched: boolean): Slot => {
    const { shape, dtype, control, range } = inferred.values[name];
    return { name, shape: shape as Shape, dtype: dtype!, batched, ...(control ? { control: { ...control, range: range! } } : {}) };
  };
  return {
    inputs: inferred.inputs.map((name) => slot(name, inputs.includes(name))),
    outputs: inferred.outputs.map((name) => slot(name, typeof symbolic[name]?.[0] === 'string')),
    batch: inferred.batch ?? 1,
    call(tensors) {
      const values = evaluate(inferred, Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { shape: t.shape, data: Float64Array.from(t.data) }])));
      return Object.fromEntries(inferred.outputs.map((name) => [name, values[name].data]));
    },
  };
}

export interface InterpreterEngine extends Engine {
  /** The Program, not scheduled. */
  readonly unit: ProgramUnit;
  /** Every tensor but constants, in the order of computation. */
  all(inputs: Readonly<Record<string, Tensor>>): Map<string, NumericArray>;
  outputsOf(all: ReadonlyMap<string, NumericArray>): Record<string, NumericArray>;
}

/** The Program that a planned graph lowers to. */
export function interpreterEngine({ graph, manifest }: Plan): InterpreterEngine {
  const unit = lower(graph);
  const interpreter = createInterpreter(unit);
  const all = (inputs: Readonly<Record<string, Tensor>>): Map<string, NumericArray> =>
    interpreter.run(Object.fromEntries(unit.program.inputs.map((name) => [name, inputs[name].data])));
  const outputsOf = (values: ReadonlyMap<string, NumericArray>): Record<string, NumericArray> =>
    Object.fromEntries(manifest.outputs.map(({ name }, i) => [name, values.get(unit.program.outputs[i])!]));
  return { ...interfaceOf(manifest), unit, all, outputsOf, call: (inputs) => outputsOf(all(inputs)) };
}

const interfaceOf = ({ inputs, outputs, batch }: Manifest): Omit<Engine, 'call'> => ({ inputs, outputs, batch });

/** A module as users get it, in the runtime that they use. */
export function moduleEngine(wasm: Uint8Array): Engine & { readonly session: Session } {
  const model = loadSync(wasm as Uint8Array<ArrayBuffer>);
  const session = model.session();
  return { ...interfaceOf(model.manifest), session, call: (inputs) => runSession(session, inputs) };
}

/** A compiled model's module; one with relaxed SIMD perhaps in another process (relaxed.ts). */
export function artifactEngine({ wasm, manifest }: Artifact): Engine {
  const session = new Session(manifest, instantiate(wasm, manifest));
  return { ...interfaceOf(manifest), call: (inputs) => runSession(session, inputs) };
}

function runSession(session: Session, inputs: Readonly<Record<string, Tensor>>): Record<string, ArrayLike<number>> {
  for (const [name, { data }] of Object.entries(inputs)) session.inputs[name].data.set(data);
  session.run();
  return Object.fromEntries(Object.values(session.outputs).map((view) => [view.name, view.data]));
}

/** A module that was built without buffer reuse: one call gives its outputs and every tensor inside. */
export function openModule({ wasm, manifest }: Artifact): { run(inputs: Readonly<Record<string, Tensor>>): Map<string, NumericArray> } {
  const instance = instantiate(wasm, manifest);
  const session = new Session(manifest, instance);
  const memory = new DataView((instance.exports.memory as WebAssembly.Memory).buffer);
  return {
    run(inputs) {
      runSession(session, inputs);
      return new Map((manifest.inner ?? []).map((tensor) => [tensor.name, readInner(tensor, memory)]));
    },
  };
}

const readers: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  float32: (v, at) => v.getFloat32(at, true),
  int8: (v, at) => v.getInt8(at),
  uint8: (v, at) => v.getUint8(at),
  int16: (v, at) => v.getInt16(at, true),
  uint16: (v, at) => v.getUint16(at, true),
  int32: (v, at) => v.getInt32(at, true),
  uint32: (v, at) => v.getUint32(at, true),
};

/** The logical elements of a tensor inside a module, row-major, wherever its layout puts them. */
function readInner({ shape, dims, offset, storage, dtype }: ManifestInner, memory: DataView): NumericArray {
  const size = shape.reduce((a, b) => a * b, 1);
  const out = dtype === 'float32' ? new Float32Array(size) : dtype.startsWith('uint') ? new Uint32Array(size) : new Int32Array(size);
  const read = readers[storage];
  const at = shape.map(() => 0);
  for (let i = 0; i < size; i++) {
    let address = offset;
    dims.forEach((digits, d) => {
      for (const { stride, divisor, modulus } of digits) {
        const q = Math.floor(at[d] / divisor);
        address += stride * (modulus === 0 ? q : q % modulus);
      }
    });
    out[i] = read(memory, address);
    for (let d = shape.length - 1; d >= 0 && ++at[d] === shape[d]; d--) at[d] = 0;
  }
  return out;
}
