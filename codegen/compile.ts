/**
 * The line from Graph to Artifact, and the only place where the stages meet.
 *
 *     Graph -> passes -> Graph -> lower -> Program -> schedule -> Program -> emit -> assemble -> finish -> Artifact
 */
import { align, arenaStart, slack } from './ir/arena.js';
import { describe } from './ir/datatype.js';
import { fail, suggest } from './ir/diagnostic.js';
import type { Graph } from './ir/graph.js';
import { hashText } from './ir/hash.js';
import type { Without } from './ir/optimization.js';
import { printGraph, printProgram } from './ir/print.js';
import type { ProgramUnit } from './ir/program.js';
import { verify } from './ir/verify.js';
import { verifyGraph } from './ir/verifyGraph.js';
import { declaration } from './emit/declaration.js';
import { emitAssemblyScript } from './emit/assemblyscript.js';
import { makeManifest } from './emit/manifest.js';
import { finishModule, type DataSegment } from './emit/module.js';
import { trialEntry, type TrialGroups } from './emit/trial.js';
import { wasiEntry } from './emit/wasi.js';
import { clean } from './passes/clean.js';
import { expand } from './passes/expand.js';
import { fold } from './passes/fold.js';
import { foldBatchNormalization } from './passes/foldBatchNormalization.js';
import { batchOf, infer, symbolicShapes } from './passes/infer.js';
import { streamline } from './passes/streamline.js';
import { makeTwin, type TwinOptions } from './passes/twins/twin.js';
import { lower } from './schedule/lower.js';
import { recordedSchedules, type TuningFile } from './schedule/records.js';
import { schedule, type ScheduleOptions } from './schedule/schedule.js';
import { processors } from './targets/processor.js';
import { targets, type Target } from './targets/target.js';
import type { Manifest } from '../sdk/runtime/manifest.js';

export interface CompileOptions extends TwinOptions {
  /** Default simd128. */
  readonly target?: 'scalar' | 'simd128' | 'relaxed';
  /**
   * Target relaxed only: float32 sums of products by relaxed fused multiply-add, which rounds once on some machines and twice
   * on others, and more partial sums where the order of float32 sums costs lanes. The one option that changes results; the
   * manifest says so.
   */
  readonly fastMath?: boolean;
  /** What tiles are made for: x86-64 (default) or arm64, which has twice the vector registers. Changes times, never a result. */
  readonly processor?: 'x86-64' | 'arm64';
  /** Inferences in one call; default the model's own batch, 1 where that is free. */
  readonly batch?: number;
  /** Also a WASI command. */
  readonly wasi?: boolean;
  /** No buffer reuse; the manifest lists every tensor. */
  readonly debug?: boolean;
  /** SHA-256 of the model file. */
  readonly sourceHash?: string;
  /** What is done to raw data before it is an input, for the manifest: `(x / 255 - 0.1307) / 0.3081`. */
  readonly preprocessing?: string;
  /** Also WebAssembly text. */
  readonly wat?: boolean;
  /** Measured schedules in place of the defaults; they change no result. */
  readonly tuning?: TuningFile;
  /** The module exports each step of the network as well, so that they can be timed apart (see EmitOptions.steps). */
  readonly steps?: boolean;
}

export interface AssembleOptions {
  readonly entry: string;
  readonly features: readonly string[];
  readonly memoryBase: number;
  readonly pages: number;
  /** Memory may grow to so many pages; without it memory is fixed. */
  readonly maximumPages?: number;
  readonly optimizeLevel: number;
  readonly shrinkLevel: number;
  readonly wat?: boolean;
}

/** What compiling needs from a host. */
export interface Toolchain {
  assemble(sources: Record<string, string>, options: AssembleOptions): Promise<{ binary: Uint8Array; wat?: string }>;
  /** Texts of assembly/*.ts by file name. */
  readonly library: Readonly<Record<string, string>>;
  sha256(bytes: Uint8Array): string;
}

export interface Artifact {
  readonly name: string;
  readonly wasm: Uint8Array;
  readonly wasi?: Uint8Array;
  readonly manifest: Manifest;
  /** TypeScript types of inputs and outputs. */
  readonly declaration: string;
  /** After all passes. */
  readonly graph: Graph;
  /** Scheduled. */
  readonly unit: ProgramUnit;
  /** What each stage made, as text; the graph's is made when it is asked for. */
  readonly stages: { readonly graph: string; readonly program: string; readonly source: string; readonly wat?: string };
}

/** The passes that every model goes through, from an imported graph to one of which every node has kernels. `integersOnly`: see `streamline`. */
export function runPasses(graph: Graph, batch?: number, options: TwinOptions & Without & { readonly integersOnly?: boolean } = {}): Graph {
  let g = makeTwin(infer(graph, { batch }), options).graph;
  g = clean(fold(g));
  if (!options.without?.includes('normalization')) g = foldBatchNormalization(g);
  g = streamline(g, options);
  g = expand(clean(fold(g, { quantizers: true })));
  return infer(g);
}

/** The target of a name, for a processor; raises target/unsupported with the nearest valid name. */
export function targetOf(name: string, { fastMath, processor }: Pick<CompileOptions, 'fastMath' | 'processor'> = {}): Target {
  if (!Object.hasOwn(targets, name)) fail('target/unsupported', name, 'there is no such target', suggest(name, Object.keys(targets), 'target'));
  if (fastMath && name !== 'relaxed') fail('target/unsupported', name, 'fast math is relaxed SIMD, which this target does not have', 'Compile with target relaxed, or without fastMath.');
  if (processor !== undefined && !Object.hasOwn(processors, processor)) fail('target/unsupported', processor, 'there is no such processor', suggest(processor, Object.keys(processors), 'processor'));
  return { ...targets[name], ...(fastMath ? { fastMath } : {}), ...(processor ? { processor: processors[processor] } : {}) };
}

/** Compiles a graph. Raises diagnostics that name the node or tensor; see DiagnosticCode. */
export async function compileGraph(graph: Graph, options: CompileOptions, toolchain: Toolchain): Promise<Artifact> {
  const target = targetOf(options.target ?? 'simd128', options);
  verifyGraph(graph);
  const passed = runPasses(graph, options.batch, options);
  const unit = build(passed, target, { keepAll: options.debug, choose: options.tuning && recordedSchedules(options.tuning, target) });
  const { program } = unit;
  const source = emitAssemblyScript(program, target, 'run', { steps: options.steps });
  const printed = printProgram(program);
  const assemble = assembleOptions(program.arenaBytes!, target, options.wat);
  const manifest = makeManifest(passed, unit, { ...options, target, programHash: hashText(printed), batched: batchedTensors(graph, passed.outputs, options) });
  const data = [...constantSegments(unit), ...controlSegments(manifest)];

  const { binary, wat } = await toolchain.assemble({ 'model.ts': source }, { ...assemble, entry: 'model.ts' });
  const wasm = finishModule(binary, { data, manifest });
  let wasi: Uint8Array | undefined;
  if (options.wasi) {
    const sources = { ...toolchain.library, 'model.ts': source, 'entry.ts': wasiEntry(manifest, './model') };
    const command = await toolchain.assemble(sources, { ...assemble, entry: 'entry.ts', wat: false, memoryBase: align(program.arenaBytes!), pages: assemble.pages + 4, maximumPages: 65536 });
    wasi = finishModule(command.binary, { data, manifest });
  }
  return {
    name: graph.name, wasm, wasi, manifest, graph: passed, unit,
    declaration: declaration(manifest),
    stages: { get graph() { return printGraph(passed); }, program: printed, source, wat },
  };
}

/** Interface tensors whose first dimension follows the batch; `outputs` are those of the graph's twin. */
export function batchedTensors(graph: Graph, outputs: readonly string[], options: TwinOptions = {}): ReadonlySet<string> {
  const shapes = symbolicShapes(graph, (batch) => makeTwin(infer(graph, { batch }), options).graph);
  return new Set([...batchOf(graph).inputs, ...outputs.filter((name) => typeof shapes[name]?.[0] === 'string')]);
}

/** Lowers and schedules a graph that has been through the passes; verified before and after. */
export function build(graph: Graph, target: Target, options: ScheduleOptions = {}): ProgramUnit {
  const lowered = lower(graph);
  verify(lowered);
  const unit = schedule(lowered, target, options);
  verify(unit);
  return unit;
}

/** Several graphs in one module and one assembler call, each with an entry `runN` and bytes of its own. For tests. */
export async function compileMany(graphs: readonly Graph[], target: Target, toolchain: Toolchain, options: { keepAll?: boolean } = {}): Promise<{ wasm: Uint8Array; units: readonly ProgramUnit[]; entries: readonly string[] }> {
  const units: ProgramUnit[] = [];
  let start = arenaStart;
  for (const g of graphs) {
    units.push(build(g, target, { ...options, start }));
    start = align(units[units.length - 1].program.arenaBytes!);
  }
  return { ...(await assemblePrograms(units, target, toolchain)), units };
}

/** Scheduled Programs, planned one after the other in one memory, as one module with an entry `runN` each. */
export async function assemblePrograms(units: readonly ProgramUnit[], target: Target, toolchain: Toolchain): Promise<{ wasm: Uint8Array; entries: readonly string[] }> {
  const entries = units.map((_, i) => `run${i}`);
  const sources = programSources(units, target);
  const { binary } = await toolchain.assemble(sources, { ...assembleOptions(units[units.length - 1].program.arenaBytes!, target), entry: 'all.ts' });
  return { wasm: finishModule(binary, { data: units.flatMap(constantSegments) }), entries };
}

/** The same as a WASI command that times the Programs in groups and writes the times. */
export async function assembleTrial(units: readonly ProgramUnit[], target: Target, toolchain: Toolchain, groups: TrialGroups): Promise<Uint8Array> {
  const sources = { ...toolchain.library, ...programSources(units, target), 'entry.ts': trialEntry(groups) };
  const assemble = assembleOptions(units[units.length - 1].program.arenaBytes!, target);
  const { binary } = await toolchain.assemble(sources, { ...assemble, entry: 'entry.ts', pages: assemble.pages + 4, maximumPages: 65536 });
  return finishModule(binary, { data: units.flatMap(constantSegments) });
}

/** Sources that export `runN` of the unit N from all.ts. */
function programSources(units: readonly ProgramUnit[], target: Target): Record<string, string> {
  const sources = Object.fromEntries(units.map(({ program }, i) => [`program${i}.ts`, emitAssemblyScript(program, target, `run${i}`)]));
  return { ...sources, 'all.ts': units.map((_, i) => `export { run${i} } from "./program${i}";`).join('\n') };
}

function constantSegments({ program, data }: ProgramUnit): DataSegment[] {
  const narrow = new Set(Object.values(program.tensors).filter((t) => t.layout.elementBits === 16 && describe(t.dtype).bits <= 8).map((t) => t.buffer));
  return Object.values(program.buffers)
    .filter((b) => b.hash !== undefined)
    .map((b) => ({ offset: b.offset!, bytes: data.get(b.hash!)!, narrow: narrow.has(b.name) }));
}

/** The defaults of inputs that say how to run, as they lie in memory. */
function controlSegments({ inputs }: Manifest): DataSegment[] {
  return inputs.flatMap((t) => (t.control ? [{ offset: t.offset, bytes: new Uint8Array(Uint32Array.from(t.control.default, (x) => x >>> 0).buffer) }] : []));
}

function assembleOptions(arenaBytes: number, target: Target, wat?: boolean): Omit<AssembleOptions, 'entry'> {
  return {
    features: target.features,
    memoryBase: align(arenaBytes),
    pages: Math.ceil((align(arenaBytes) + slack) / 65536),
    // Binaryen's higher levels gain under 1 KB and no time on our text, which is unrolled and shared already; they double
    // the first compile.
    optimizeLevel: 1,
    shrinkLevel: 0,
    wat,
  };
}
