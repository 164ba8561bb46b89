/**
 * `profile`: runs each step of a compiled network apart, beside the network as a whole and beside micro-kernels that show
 * what the machine can do. The result is plain data; `report.ts` draws it, the command line prints it.
 *
 * A step runs again and again on what the steps before it left, so its operands are warm: the steps' sum is the network's
 * time less what it spends on fetching them.
 */
import { targetOf, type Artifact } from '../../codegen/compile.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { compile, type Options } from '../compile.js';
import { toolchain } from '../host/assembler.js';
import { Session, type Manifest, type TensorData } from '../runtime/index.js';
import { stepFacts, type StepFacts } from './facts.js';
import { functionCode } from './functions.js';
import { limitOf, movedBytes, workingSet, type Bandwidth, type Limits, type StepLimit } from './limits.js';
import { measure, repeated, type MeasureOptions, type Repeated, type Timing } from '../measure.js';
import { probes, type BandwidthProbe } from './peaks.js';

export interface ProfileOptions extends Pick<Options, 'name' | 'readExternal' | 'posterior' | 'twin' | 'calibration' | 'maxSamples' | 'target' | 'batch' | 'tuning'>, MeasureOptions {
  /** How long to measure, compiling apart; default 5. */
  readonly seconds?: number;
  /** The inputs of one call by name, row-major; drawn with a fixed seed where absent. */
  readonly inputs?: Readonly<Record<string, ArrayLike<number>>>;
  /** What the report says of the machine: processor, engine. */
  readonly machine?: Machine;
}

export interface Machine {
  readonly processor?: string;
  readonly system?: string;
  readonly engine?: string;
  /** What the clock counts. */
  readonly clock?: string;
}

export interface StepProfile extends StepFacts {
  readonly time: Timing;
  /** Of the steps' sum. */
  readonly share: number;
  /** Of the step's function; equal steps share one. */
  readonly codeBytes: number;
  /** Billions of multiply-adds a second; 0 where there are none. */
  readonly gigaMultiplyAdds: number;
  /** Gigabytes a second moved. */
  readonly gigabytes: number;
  /** Multiply-adds a byte moved. */
  readonly intensity: number;
  /** The least time by the roofline model, and how much of the time taken that is. */
  readonly limit: StepLimit & { readonly fraction: number };
}

export interface Profile {
  readonly name: string;
  readonly target: Manifest['target'];
  /** Inferences in one call: all times and counts are those of a call. */
  readonly batch: number;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly compiler: string;
  readonly sourceHash?: string;
  readonly programHash: string;
  readonly seconds: number;
  readonly rounds: number;
  /** The network as a whole, in the module that ships. */
  readonly run: Timing;
  readonly steps: readonly StepProfile[];
  readonly totals: {
    /** The steps' medians added up. */
    readonly microseconds: number;
    readonly limitMicroseconds: number;
    readonly multiplyAdds: number;
    readonly operations: number;
    /** Of the steps' functions, shared ones once. */
    readonly codeBytes: number;
    /** Of weights and other constants, and of everything at run time. */
    readonly constantBytes: number;
    readonly arenaBytes: number;
  };
  readonly limits: Limits;
}

/**
 * Profiles an ONNX or QONNX model (its bytes), or a Graph, on this engine.
 *
 * @throws DiagnosticError as `compile` does, and module/features where this engine lacks what the target needs.
 */
export async function profile(model: Uint8Array | ArrayBuffer | Graph, options: ProfileOptions = {}): Promise<Profile> {
  const { seconds = 5, inputs, machine = {}, clock, onRound, ...compileOptions } = options;
  // The module as it ships, and the one that exports its steps: the assembler would join small functions in the former.
  const shipped = await compile(model, compileOptions);
  const stepped = await compile(model, { ...compileOptions, steps: true });
  const { manifest, unit, graph } = shipped;
  const facts = stepFacts(unit.program, graph);
  const whole = open(shipped, inputs);
  const apart = open(stepped, inputs);
  const micro = await probes(targetOf(manifest.target), Math.max(...facts.map(workingSet)), toolchain().assemble);
  const steps = facts.map((_, i): Repeated => apart[`step${i}`]);
  const run = repeated(() => whole.run());
  const { rounds, timings } = measure([...steps, run, ...micro.rates.map((p) => p.call), ...micro.bandwidths.map((p) => p.call)], seconds, { clock, onRound });
  const own = timings.slice(0, steps.length);
  const rest = timings.slice(steps.length + 1);
  const limits: Limits = {
    rates: micro.rates.map((p, i) => ({ name: p.name, gigaMultiplyAdds: p.multiplyAdds / rest[i].median / 1000 })),
    bandwidths: bandwidthsOf(micro.bandwidths, rest.slice(micro.rates.length)),
  };
  const total = own.reduce((sum, t) => sum + t.median, 0);
  const code = functionCode(stepped.wasm);
  const functions = facts.map((_, i) => code.get(`kernel${i}`)!);
  const profiles = facts.map((f, i): StepProfile => {
    const { median } = own[i];
    const limit = limitOf(f, limits);
    return {
      ...f,
      time: own[i],
      share: total > 0 ? median / total : 0,
      codeBytes: functions[i].bytes,
      gigaMultiplyAdds: f.multiplyAdds / median / 1000,
      gigabytes: movedBytes(f) / median / 1000,
      intensity: f.multiplyAdds / Math.max(1, movedBytes(f)),
      limit: { ...limit, fraction: limit.microseconds / median },
    };
  });
  const sum = (of: (s: StepProfile) => number): number => profiles.reduce((n, s) => n + of(s), 0);
  return {
    name: manifest.name,
    target: manifest.target,
    batch: manifest.batch,
    date: new Date().toISOString(),
    machine,
    compiler: manifest.compiler,
    sourceHash: manifest.sourceHash,
    programHash: manifest.programHash,
    seconds, rounds,
    run: timings[steps.length],
    steps: profiles,
    totals: {
      microseconds: total,
      limitMicroseconds: sum((s) => s.limit.microseconds),
      multiplyAdds: sum((s) => s.multiplyAdds),
      operations: sum((s) => s.operations),
      codeBytes: [...new Map(functions.map(({ index, bytes }) => [index, bytes])).values()].reduce((n, bytes) => n + bytes, 0),
      constantBytes: manifest.constantBytes,
      arenaBytes: manifest.arenaBytes,
    },
    limits,
  };
}

function bandwidthsOf(probed: readonly BandwidthProbe[], timings: readonly Timing[]): Bandwidth[] {
  const of = (bytes: number, way: BandwidthProbe['way']): number => bytes / timings[probed.findIndex((p) => p.bytes === bytes && p.way === way)].median / 1000;
  return [...new Set(probed.map((p) => p.bytes))].map((bytes) => ({ bytes, read: of(bytes, 'read'), written: of(bytes, 'written') }));
}

/** The functions of an instance that has its inputs and has run once. */
function open(artifact: Artifact, inputs: ProfileOptions['inputs']): Record<string, (times?: number) => void> {
  const instance = instantiate(artifact);
  const session = new Session(artifact.manifest, instance);
  for (const { name, dtype, control } of artifact.manifest.inputs) {
    // Defaults are there from the start.
    if (control && !inputs?.[name]) continue;
    const view: TensorData = session.inputs[name].data;
    view.set(inputs?.[name] ?? drawn(view.length, dtype));
  }
  session.run();
  return instance.exports as Record<string, (times?: number) => void>;
}

function instantiate({ wasm, manifest }: Artifact): WebAssembly.Instance {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource));
  } catch (error) {
    return fail('module/features', manifest.name, `this engine refused the module: ${(error as Error).message}`, `It needs WebAssembly with: ${manifest.features.join(', ')}. Profile with another target, or on an engine that has them.`);
  }
}

/** Uniform numbers of [-1, 1), or small codes that every integer type has; the same everywhere. */
function drawn(length: number, dtype: string): Float64Array {
  let state = 1;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return dtype === 'float32' ? state / 2 ** 31 - 1 : dtype === 'bipolar' ? (state >>> 31) * 2 - 1 : state >>> 31;
  });
}
